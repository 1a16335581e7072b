package ses

// ShortStatus is page 08h. Simple enclosures answer it to everything, and others may answer
// it at any time (SES-3, Short Enclosure Status diagnostic page):
//
//	0  08h     1  status, vendor specific     2-3  page length (0)
type ShortStatus struct {
	Status byte
}

// ParseShortStatus reads page 08h.
func ParseShortStatus(b []byte) (*ShortStatus, error) {
	if _, err := open(PageShortStatus, b); err != nil {
		return nil, err
	}
	return &ShortStatus{Status: b[1]}, nil
}

// AppendBinary implements encoding.BinaryAppender.
func (p *ShortStatus) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(PageShortStatus), p.Status, 0, 0), nil
}

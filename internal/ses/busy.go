package ses

import "slices"

// EnclosureBusy is page 09h. An ESP that cannot answer now returns it instead of any other
// page (SES-3, Enclosure Busy diagnostic page):
//
//	0  09h     1  BUSY 0, vendor specific 7:1     2-3  page length (n-3)     4-  vendor specific
type EnclosureBusy struct {
	Busy           bool
	VendorSpecific []byte
}

// ParseEnclosureBusy reads page 09h.
func ParseEnclosureBusy(b []byte) (*EnclosureBusy, error) {
	c, err := open(PageBusy, b)
	if err != nil {
		return nil, err
	}
	return &EnclosureBusy{Busy: b[1]&1 != 0, VendorSpecific: slices.Clone(c.bytes(c.left(), "body"))}, nil
}

// AppendBinary implements encoding.BinaryAppender.
func (p *EnclosureBusy) AppendBinary(b []byte) ([]byte, error) {
	return appendPage(b, PageBusy, bit(p.Busy, 0), func(b []byte) ([]byte, error) {
		return append(b, p.VendorSpecific...), nil
	})
}

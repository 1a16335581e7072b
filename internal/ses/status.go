package ses

import (
	"encoding/binary"
	"fmt"
)

// EnclosureStatus is page 02h (SES-3, Enclosure Status diagnostic page):
//
//	0    02h                                                4-7  generation code
//	1    INVOP 4, INFO 3, NON-CRIT 2, CRIT 1, UNRECOV 0     8-   for each type: the overall status
//	2-3  page length (n-3)                                       element, then the individual ones
type EnclosureStatus struct {
	InvalidOperation bool
	Info             bool
	NonCritical      bool
	Critical         bool
	Unrecoverable    bool
	GenerationCode   uint32
	Types            []TypeStatus // one for each of Configuration.Types
}

// TypeStatus is the status of the elements of one type.
type TypeStatus struct {
	Overall  StatusElement
	Elements []StatusElement
}

// ParseEnclosureStatus reads page 02h with the configuration page of the same
// generation; with another it is a *GenerationError.
func ParseEnclosureStatus(b []byte, cfg *Configuration) (*EnclosureStatus, error) {
	c, err := open(PageEnclosureStatus, b)
	if err != nil {
		return nil, err
	}
	p := &EnclosureStatus{
		InvalidOperation: b[1]&0x10 != 0,
		Info:             b[1]&0x08 != 0,
		NonCritical:      b[1]&0x04 != 0,
		Critical:         b[1]&0x02 != 0,
		Unrecoverable:    b[1]&0x01 != 0,
		GenerationCode:   c.generation(cfg),
	}
	for i, t := range cfg.Types {
		what := fmt.Sprintf("status of type %d, %v,", i, t.ElementType)
		ts := TypeStatus{Overall: StatusElement(c.bytes(4, what))}
		for range t.PossibleElements {
			ts.Elements = append(ts.Elements, StatusElement(c.bytes(4, what)))
		}
		p.Types = append(p.Types, ts)
	}
	if c.err != nil {
		return nil, c.err
	}
	return p, nil
}

// AppendBinary implements encoding.BinaryAppender.
func (p *EnclosureStatus) AppendBinary(b []byte) ([]byte, error) {
	flags := bit(p.InvalidOperation, 4) | bit(p.Info, 3) | bit(p.NonCritical, 2) |
		bit(p.Critical, 1) | bit(p.Unrecoverable, 0)
	return appendPage(b, PageEnclosureStatus, flags, func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint32(b, p.GenerationCode)
		for _, t := range p.Types {
			b = append(b, t.Overall[:]...)
			for _, e := range t.Elements {
				b = append(b, e[:]...)
			}
		}
		return b, nil
	})
}

package ses

import (
	"encoding/binary"
	"fmt"
	"math"

	"fwctl/internal/scsi"
)

// ElementDescriptors is page 07h, the names of elements (SES-3, Element Descriptor diagnostic page):
//
//	0    07h                      4-7  generation code
//	2-3  page length (n-3)        8-   for each type: the overall descriptor, then the individual ones
//
// and a descriptor is
//
//	2-3  length (n-3)     4-  text
type ElementDescriptors struct {
	GenerationCode uint32
	Types          []TypeNames // one for each of Configuration.Types
}

// TypeNames are the names of the elements of one type, many of them empty.
type TypeNames struct {
	Overall  scsi.Text
	Elements []scsi.Text
}

// ParseElementDescriptors reads page 07h with the configuration page of the
// same generation; with another it is a *GenerationError.
func ParseElementDescriptors(b []byte, cfg *Configuration) (*ElementDescriptors, error) {
	c, err := open(PageElementDescriptor, b)
	if err != nil {
		return nil, err
	}
	p := &ElementDescriptors{GenerationCode: c.generation(cfg)}
	for i, t := range cfg.Types {
		what := fmt.Sprintf("descriptor of type %d, %v,", i, t.ElementType)
		tn := TypeNames{Overall: c.text(what)}
		for range t.PossibleElements {
			tn.Elements = append(tn.Elements, c.text(what))
		}
		p.Types = append(p.Types, tn)
	}
	if c.err != nil {
		return nil, c.err
	}
	return p, nil
}

func (c *cursor) text(what string) scsi.Text {
	length := int(binary.BigEndian.Uint16(c.bytes(4, what)[2:]))
	return scsi.NewText(c.bytes(length, what))
}

// AppendBinary implements encoding.BinaryAppender.
func (p *ElementDescriptors) AppendBinary(b []byte) ([]byte, error) {
	return appendPage(b, PageElementDescriptor, 0, func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint32(b, p.GenerationCode)
		for _, t := range p.Types {
			for _, text := range append([]scsi.Text{t.Overall}, t.Elements...) {
				if len(text) > math.MaxUint16 {
					return nil, cannotEncode(PageElementDescriptor, "a text of %d bytes is too long", len(text))
				}
				b = append(binary.BigEndian.AppendUint16(append(b, 0, 0), uint16(len(text))), text...)
			}
		}
		return b, nil
	})
}

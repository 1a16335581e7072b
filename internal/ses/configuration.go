package ses

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"fwctl/internal/scsi"
)

// Configuration is page 01h: the subenclosures that an ESP serves, and the
// types of their elements in the order that pages 02h, 07h and 0Ah follow
// (SES-3, Configuration diagnostic page):
//
//	0    01h                                        4-7  generation code
//	1    number of secondary subenclosures          8-   enclosure descriptors (byte 1 + 1)
//	2-3  page length (n-3)                          then type descriptor headers, then their texts
type Configuration struct {
	GenerationCode uint32
	Subenclosures  []Subenclosure // primary first
	Types          []TypeDescriptor
}

// Subenclosure is one enclosure descriptor:
//
//	0  relative ESP id 6:4, number of ESPs 2:0      4-11   enclosure logical identifier
//	1  subenclosure id                              12-19  vendor
//	2  number of type descriptor headers            20-35  product
//	3  descriptor length (n-3), 36 at least         36-39  product revision level
//	                                                40-    vendor specific, 0 to 198 bytes seen
type Subenclosure struct {
	RelativeESPID         uint8 // 0 to 7
	ESProcesses           uint8 // number of ES processes that the enclosure claims, 0 to 7: "0 of 0" is seen
	SubenclosureID        uint8 // 0: the primary
	TypeDescriptorHeaders uint8
	LogicalID             Identifier
	Vendor                scsi.Text // 8 bytes
	Product               scsi.Text // 16 bytes
	ProductRevisionLevel  scsi.Text // 4 bytes, opaque and lossy
	VendorSpecific        []byte
}

// TypeDescriptor is a type descriptor header with its text:
//
//	0  element type     1  number of possible elements     2  subenclosure id     3  text length
type TypeDescriptor struct {
	ElementType      ElementType
	PossibleElements uint8 // 0 is seen (EMC KTN-STL3): an overall element without individual ones
	SubenclosureID   uint8
	Text             scsi.Text // often empty
}

// ParseConfiguration reads page 01h.
func ParseConfiguration(b []byte) (*Configuration, error) {
	c, err := open(PageConfiguration, b)
	if err != nil {
		return nil, err
	}
	cfg := &Configuration{GenerationCode: c.uint32("generation code")}
	headers := 0
	for i := 0; i <= int(b[1]) && c.err == nil; i++ {
		s := c.subenclosure(i)
		headers += int(s.TypeDescriptorHeaders)
		cfg.Subenclosures = append(cfg.Subenclosures, s)
	}
	var textLengths []int
	for i := 0; i < headers && c.err == nil; i++ {
		h := c.bytes(4, fmt.Sprintf("type descriptor header %d", i))
		cfg.Types = append(cfg.Types,
			TypeDescriptor{ElementType: ElementType(h[0]), PossibleElements: h[1], SubenclosureID: h[2]})
		textLengths = append(textLengths, int(h[3]))
	}
	for i, n := range textLengths {
		cfg.Types[i].Text = scsi.NewText(c.bytes(n, fmt.Sprintf("type descriptor text %d", i)))
	}
	if c.err != nil {
		return nil, c.err
	}
	return cfg, nil
}

func (c *cursor) subenclosure(i int) Subenclosure {
	what := fmt.Sprintf("enclosure descriptor %d", i)
	h := c.bytes(4, what)
	length := int(h[3])
	if length < 36 {
		c.fail("%s has %d bytes, fewer than 40", what, length+4)
	}
	// A cursor that failed returns zeros: as many as a descriptor needs.
	d := c.bytes(max(length, 36), what)
	return Subenclosure{
		RelativeESPID:         h[0] >> 4 & 7,
		ESProcesses:           h[0] & 7,
		SubenclosureID:        h[1],
		TypeDescriptorHeaders: h[2],
		LogicalID:             Identifier(d[0:8]),
		Vendor:                scsi.NewText(d[8:16]),
		Product:               scsi.NewText(d[16:32]),
		ProductRevisionLevel:  scsi.NewText(d[32:36]),
		VendorSpecific:        slices.Clone(d[36:]),
	}
}

// AppendBinary implements encoding.BinaryAppender.
func (cfg *Configuration) AppendBinary(b []byte) ([]byte, error) {
	if n := len(cfg.Subenclosures); n < 1 || n > 256 {
		return nil, cannotEncode(PageConfiguration, "%d subenclosures, where 1 to 256 fit", n)
	}
	headers := 0
	for _, s := range cfg.Subenclosures {
		headers += int(s.TypeDescriptorHeaders)
	}
	if headers != len(cfg.Types) {
		return nil, cannotEncode(PageConfiguration, "the subenclosures count %d type descriptors, but there are %d",
			headers, len(cfg.Types))
	}
	return appendPage(b, PageConfiguration, byte(len(cfg.Subenclosures)-1), func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint32(b, cfg.GenerationCode)
		for i, s := range cfg.Subenclosures {
			if s.RelativeESPID > 7 || s.ESProcesses > 7 || len(s.VendorSpecific) > math.MaxUint8-36 ||
				len(s.Vendor) > 8 || len(s.Product) > 16 || len(s.ProductRevisionLevel) > 4 {
				return nil, cannotEncode(PageConfiguration,
					"enclosure descriptor %d has a value that does not fit its field", i)
			}
			b = append(b, s.RelativeESPID<<4|s.ESProcesses, s.SubenclosureID, s.TypeDescriptorHeaders,
				byte(36+len(s.VendorSpecific)))
			b = append(b, s.LogicalID[:]...)
			b = appendPadded(b, s.Vendor, 8)
			b = appendPadded(b, s.Product, 16)
			b = appendPadded(b, s.ProductRevisionLevel, 4)
			b = append(b, s.VendorSpecific...)
		}
		for i, t := range cfg.Types {
			if len(t.Text) > math.MaxUint8 {
				return nil, cannotEncode(PageConfiguration, "type descriptor text %d has %d bytes, more than 255", i,
					len(t.Text))
			}
			b = append(b, byte(t.ElementType), t.PossibleElements, t.SubenclosureID, byte(len(t.Text)))
		}
		for _, t := range cfg.Types {
			b = append(b, t.Text...)
		}
		return b, nil
	})
}

// appendPadded appends a text and blanks, n bytes in all.
func appendPadded(b []byte, t scsi.Text, n int) []byte {
	b = append(b, t...)
	for range n - len(t) {
		b = append(b, ' ')
	}
	return b
}

package ses

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
)

// PageCode is the code of a diagnostic page (SES-3, diagnostic pages).
type PageCode byte

const (
	PageSupported               PageCode = 0x00
	PageConfiguration           PageCode = 0x01
	PageEnclosureStatus         PageCode = 0x02
	PageElementDescriptor       PageCode = 0x07
	PageShortStatus             PageCode = 0x08
	PageBusy                    PageCode = 0x09
	PageAdditionalElementStatus PageCode = 0x0a
	PageSupportedSES            PageCode = 0x0d
	PageDownloadMicrocode       PageCode = 0x0e
)

var pageNames = map[PageCode]string{
	PageSupported:               "supported pages",
	PageConfiguration:           "configuration",
	PageEnclosureStatus:         "enclosure status",
	PageElementDescriptor:       "element descriptors",
	PageShortStatus:             "short enclosure status",
	PageBusy:                    "enclosure busy",
	PageAdditionalElementStatus: "additional element status",
	PageSupportedSES:            "supported SES pages",
	PageDownloadMicrocode:       "download microcode",
}

// String returns "page 0Eh (download microcode)".
func (c PageCode) String() string {
	if name, ok := pageNames[c]; ok {
		return fmt.Sprintf("page %02Xh (%s)", byte(c), name)
	}
	return fmt.Sprintf("page %02Xh", byte(c))
}

// MaxPage is the largest size in bytes of a page that can be sent to an enclosure: its
// length fields, and those of SEND DIAGNOSTIC, have 16 bits.
const MaxPage = 65532

// FormatError is a page that cannot be decoded, or a value that does not fit its field.
type FormatError struct {
	Op     string // "decode" or "encode"
	Page   PageCode
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("cannot %s %v: %s", e.Op, e.Page, e.Reason)
}

// UnexpectedPageError is an answer with another page than the one asked for.
// A simple ESP answers everything with page 08h; a busy one, with page 09h.
type UnexpectedPageError struct {
	Want, Got PageCode
}

func (e *UnexpectedPageError) Error() string {
	switch e.Got {
	case PageShortStatus:
		return fmt.Sprintf("cannot read %v: the enclosure only answers with its short status and does not offer this "+
			"page",
			e.Want)
	case PageBusy:
		return fmt.Sprintf("cannot read %v: the enclosure services process is busy; try again later", e.Want)
	}
	return fmt.Sprintf("cannot read %v: the enclosure answered with %v", e.Want, e.Got)
}

// ShortPageError is a page with bytes missing.
type ShortPageError struct {
	Page     PageCode
	Length   int // bytes that the page says it has, header included
	Received int
}

func (e *ShortPageError) Error() string {
	if e.Received < 4 {
		return fmt.Sprintf("cannot decode %v: %d bytes received, and its header alone has 4", e.Page, e.Received)
	}
	return fmt.Sprintf("cannot decode %v: %d bytes received, and the page says that it has %d",
		e.Page, e.Received, e.Length)
}

// GenerationError is a page of another generation than the configuration page: the
// enclosure changed in between. Read both again.
type GenerationError struct {
	Page          PageCode
	Configuration uint32
	Got           uint32
}

func (e *GenerationError) Error() string {
	return fmt.Sprintf("cannot decode %v: it is of generation %d, and the configuration page is of %d: "+
		"the enclosure changed in between, read both again", e.Page, e.Got, e.Configuration)
}

func cannotEncode(page PageCode, format string, args ...any) error {
	return &FormatError{Op: "encode", Page: page, Reason: fmt.Sprintf(format, args...)}
}

// Identifier is an 8-byte name: an enclosure logical identifier or a SAS address.
type Identifier [8]byte

// String returns 16 hex digits.
func (id Identifier) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements encoding.TextMarshaler.
func (id Identifier) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// IsZero reports whether the identifier is all zero: the device has none (seen
// on Dell MD32xxi), or nothing is attached.
func (id Identifier) IsZero() bool { return id == Identifier{} }

// cursor walks the body of a page. Its error is sticky: after the first one it returns
// zeros, and the caller checks once, at the end.
type cursor struct {
	page PageCode
	b    []byte
	off  int
	err  error
}

// open checks the header that all pages share and returns a cursor behind it:
//
//	0  page code     1  page specific     2-3  page length (n-3)
func open(page PageCode, b []byte) (*cursor, error) {
	if len(b) > 0 && PageCode(b[0]) != page {
		return nil, &UnexpectedPageError{Want: page, Got: PageCode(b[0])}
	}
	if len(b) < 4 {
		return nil, &ShortPageError{Page: page, Length: 4, Received: len(b)}
	}
	length := 4 + int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < length {
		return nil, &ShortPageError{Page: page, Length: length, Received: len(b)}
	}
	return &cursor{page: page, b: b[:length], off: 4}, nil
}

func (c *cursor) left() int { return len(c.b) - c.off }

// bytes returns the next n bytes, a view into the page; what names the field for the error.
func (c *cursor) bytes(n int, what string) []byte {
	if c.err == nil && n > c.left() {
		c.fail("%s needs %d bytes at byte %d, and %d are left", what, n, c.off, c.left())
	}
	if c.err != nil {
		return make([]byte, n)
	}
	c.off += n
	return c.b[c.off-n : c.off]
}

// sub returns a cursor over the next n bytes alone, and moves past them.
func (c *cursor) sub(n int, what string) *cursor {
	c.bytes(n, what)
	if c.err != nil {
		return &cursor{page: c.page, err: c.err}
	}
	return &cursor{page: c.page, b: c.b[:c.off], off: c.off - n}
}

// peek returns the byte i bytes ahead, or 0 if there is none.
func (c *cursor) peek(i int) byte {
	if i >= c.left() {
		return 0
	}
	return c.b[c.off+i]
}

func (c *cursor) uint32(what string) uint32 { return binary.BigEndian.Uint32(c.bytes(4, what)) }

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = &FormatError{Op: "decode", Page: c.page, Reason: fmt.Sprintf(format, args...)}
	}
}

// generation reads a generation code and compares it with that of the configuration.
func (c *cursor) generation(cfg *Configuration) uint32 {
	code := c.uint32("generation code")
	if c.err == nil && code != cfg.GenerationCode {
		c.err = &GenerationError{Page: c.page, Configuration: cfg.GenerationCode, Got: code}
	}
	return code
}

// appendPage appends a page: its header and what body appends.
func appendPage(b []byte, page PageCode, specific byte, body func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(b)
	out, err := body(append(b, byte(page), specific, 0, 0))
	if err != nil {
		return nil, err
	}
	length := len(out) - start - 4
	if length > math.MaxUint16 {
		return nil, cannotEncode(page, "its length %d has more than 16 bits", length)
	}
	binary.BigEndian.PutUint16(out[start+2:], uint16(length))
	return out, nil
}

func bit(set bool, n int) byte {
	if set {
		return 1 << n
	}
	return 0
}

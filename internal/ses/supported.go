package ses

import (
	"slices"
)

// SupportedPages is page 00h, all diagnostic pages, or page 0Dh, those of SES
// (SPC, supported diagnostic pages; SES-3, Supported SES Diagnostic Pages):
//
//	0  00h or 0Dh     1  reserved     2-3  page length (n-3)     4-  page codes, ascending
type SupportedPages struct {
	Code  PageCode // PageSupported or PageSupportedSES
	Pages []PageCode
}

// ParseSupportedPages reads page 00h or 0Dh. If a code is not higher than
// the one before, the list has ended and padding follows (seen on Areca ARC-8028).
func ParseSupportedPages(b []byte) (*SupportedPages, error) {
	code := PageSupported
	if len(b) > 0 && PageCode(b[0]) == PageSupportedSES {
		code = PageSupportedSES
	}
	c, err := open(code, b)
	if err != nil {
		return nil, err
	}
	p := &SupportedPages{Code: code, Pages: []PageCode{}}
	for _, page := range c.bytes(c.left(), "list") {
		if n := len(p.Pages); n > 0 && PageCode(page) <= p.Pages[n-1] {
			break
		}
		p.Pages = append(p.Pages, PageCode(page))
	}
	return p, nil
}

// Has reports whether a page is in the list.
func (p *SupportedPages) Has(code PageCode) bool { return slices.Contains(p.Pages, code) }

// AppendBinary implements encoding.BinaryAppender.
func (p *SupportedPages) AppendBinary(b []byte) ([]byte, error) {
	if p.Code != PageSupported && p.Code != PageSupportedSES {
		return nil, cannotEncode(p.Code, "it is not a list of supported pages")
	}
	for i := 1; i < len(p.Pages); i++ {
		if p.Pages[i] <= p.Pages[i-1] {
			return nil, cannotEncode(p.Code, "%02Xh after %02Xh is out of order", byte(p.Pages[i]), byte(p.Pages[i-1]))
		}
	}
	return appendPage(b, p.Code, 0, func(b []byte) ([]byte, error) {
		for _, page := range p.Pages {
			b = append(b, byte(page))
		}
		return b, nil
	})
}

package plan

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// VendorPage reports whether a page code is a vendor's (SES-3: 10h to 1Fh, SPC-4: 80h and up)
// and not one that the standards give a meaning.
func VendorPage(code byte) bool { return 0x10 <= code && code <= 0x1f || code >= 0x80 }

// ActivationPageBytes returns the bytes of the page that is sent in place of mode 0Fh, from
// its page code on; nil if there is none.
func (h *Hop) ActivationPageBytes() ([]byte, error) { return PageBytes(h.ActivationPage) }

func PageBytes(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		return nil, fmt.Errorf("cannot read the activation page %q: %w", text, err)
	}
	return b, nil
}

package scsi

import (
	"fmt"
	"strings"
)

// Text is text from a device, as the device sent it but without the blanks and NULs at its
// end. It can hold anything, even terminal control sequences: show and store what String
// returns.
type Text string

// NewText cuts trailing blanks and NULs.
func NewText(b []byte) Text { return Text(strings.TrimRight(string(b), " \x00")) }

// String returns the text with bytes outside printable ASCII as \xNN.
func (t Text) String() string {
	var s strings.Builder
	for _, c := range []byte(t) {
		if c < ' ' || c > '~' {
			fmt.Fprintf(&s, `\x%02x`, c)
		} else {
			s.WriteByte(c)
		}
	}
	return s.String()
}

// MarshalText implements encoding.TextMarshaler with what String returns.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

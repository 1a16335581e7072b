package ui

import (
	"encoding/json"
	"testing"
)

// What was not said by fwctl cannot steer a terminal, whatever it is, and JSON reads
// it as it was.
func TestOutputEscapes(t *testing.T) {
	t.Parallel()
	colour := Screen{Colour: true}
	for text, want := range map[string]string{
		"plain, ümläut, 漢字\n\ttab\n":                           "plain, ümläut, 漢字\n\ttab\n",
		"\x1b[31mred\x1b[0m":                                   `\u001b[31mred\u001b[0m`,
		"\x1b]0;title\x07":                                     `\u001b]0;title\u0007`,
		"up\rdown\b\x00\x7f":                                   `up\u000ddown\u0008\u0000\u007f`,
		"C1 \u009b2J \u0090q\u009c":                            `C1 \u009b2J \u0090q\u009c`,
		"\u202eabc\u2066 \u200b\ufeff":                         `\u202eabc\u2066 \u200b\ufeff`,
		"a\u2028b\u2029c\u00a0d\u3000e":                        `a\u2028b\u2029c\u00a0d\u3000e`,
		"\U000e0001tag \ue000 private":                         `\udb40\udc01tag \ue000 private`,
		"no UTF-8: \x9b2J \xff \xc3":                           `no UTF-8: \x9b2J \xff \xc3`,
		"\x1b[31;1m \x1b[0;123m \x1b[;m":                       `\u001b[31;1m \u001b[0;123m \u001b[;m`,
		"replaced before: \ufffd":                              "replaced before: \ufffd",
		colour.paint(alarm, "\x1b[2J"+colour.paint(bold, "x")): "\x1b[31m\\u001b[2J\x1b[1mx\x1b[0m\x1b[0m",
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q; want %q", text, got, want)
		}
	}
	for _, text := range []string{"\x1b[2J\u009b\u202e", "\U000e0001\ufffd\u00a0", "\x7f\u0085\u2028"} {
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal([]byte(visible(string(data))), &got); err != nil || got != text {
			t.Errorf("JSON of %q, made visible, reads %q, %v", text, got, err)
		}
	}
}

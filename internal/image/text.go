package image

import (
	"bytes"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// Clue is text in an image that looks like a vendor, a product or a revision. It is a
// guess: this package knows no format of images.
type Clue struct {
	Kind   ClueKind `json:"kind"`
	Text   string   `json:"text"`   // printable ASCII, without the blanks around it
	Offset int64    `json:"offset"` // in bytes, where it occurs first
}

// ClueKind says what a text looks like.
type ClueKind string

const (
	Vendor   ClueKind = "vendor"
	Product  ClueKind = "product"
	Revision ClueKind = "revision"
)

// label matches a text that states its kind: "Product ID: JBOD-60".
var label = regexp.MustCompile(`(?i)\b(?:(vendor|manufacturer)|(product|model)|(revision|version|rev|ver))` +
	`(?:[ _-]?(?:id|name|identification|level|number))?[ \t]*[:=][ \t]*([0-9a-z][^%,;"']{0,31})`)

// Clues returns the texts that look like a vendor, a product or a revision, each once and
// in the order of their offsets: texts that carry such a label, and texts in the form of
// INQUIRY data (SPC-4 6.6: vendor 8, product 16, revision 4 characters, padded with blanks).
func (i *Image) Clues() []Clue {
	var clues []Clue
	seen := map[Clue]bool{}
	add := func(kind ClueKind, text string, offset int) {
		c := Clue{Kind: kind, Text: strings.TrimSpace(text)}
		if c.Text != "" && !seen[c] {
			seen[c] = true
			c.Offset = int64(offset)
			clues = append(clues, c)
		}
	}
	for at, text := range i.texts(4) {
		for _, m := range label.FindAllSubmatchIndex(text, -1) {
			for group, kind := range []ClueKind{Vendor, Product, Revision} {
				if m[2+2*group] >= 0 {
					add(kind, string(text[m[8]:m[9]]), at+m[8])
				}
			}
		}
		vendor, product, revision := cut(text)
		add(Vendor, string(vendor), at)
		add(Product, string(product), at+len(vendor))
		add(Revision, string(revision), at+len(vendor)+len(product))
	}
	slices.SortStableFunc(clues, func(a, b Clue) int { return int(a.Offset - b.Offset) })
	return clues
}

// cut splits a text into the fields of INQUIRY data. A missing field is nil.
func cut(text []byte) (vendor, product, revision []byte) {
	switch {
	case len(text) == 8 && padded(text):
		return text, nil, nil
	case len(text) == 16 && padded(text):
		return nil, text, nil
	case len(text) == 24 && word(text[:8]) && padded(text[8:]):
		return text[:8], text[8:], nil
	case len(text) >= 28 && word(text[:8]) && padded(text[8:24]) && !bytes.ContainsRune(text[24:28], ' '):
		return text[:8], text[8:24], text[24:28]
	}
	return nil, nil, nil
}

// padded reports whether a field is a word padded with blanks.
func padded(field []byte) bool { return word(field) && field[len(field)-1] == ' ' }

// word reports whether a field begins with a letter or digit and has no gap in it.
func word(field []byte) bool {
	return len(field) > 0 && alphanumeric(field[0]) && !bytes.Contains(bytes.TrimRight(field, " "), []byte("  "))
}

// Mentions reports whether a text of the image contains a word. It ignores case and
// everything but letters and digits: "jbod60" mentions JBOD-60. It returns true for a word
// with fewer than three letters and digits.
func (i *Image) Mentions(wanted string) bool {
	sought := plain(nil, []byte(wanted))
	if len(sought) < 3 {
		return true
	}
	var buffer []byte
	for _, text := range i.texts(len(sought)) {
		if buffer = plain(buffer[:0], text); bytes.Contains(buffer, sought) {
			return true
		}
	}
	return false
}

// plain appends the letters, in lower case, and digits of a text.
func plain(to, text []byte) []byte {
	for _, c := range text {
		if alphanumeric(c) {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			to = append(to, c)
		}
	}
	return to
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// texts yields the offset and the bytes of each run of printable ASCII that has at least
// that many bytes.
func (i *Image) texts(least int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		start := 0
		for at := 0; at <= len(i.data); at++ {
			if at < len(i.data) && ' ' <= i.data[at] && i.data[at] <= '~' {
				continue
			}
			if at-start >= least && !yield(start, i.data[start:at]) {
				return
			}
			start = at + 1
		}
	}
}

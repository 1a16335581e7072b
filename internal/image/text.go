package image

import (
	"bytes"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// Clue is text in an image that reads like a vendor, a product or a revision. It
// is a guess: no format of images is known here.
type Clue struct {
	Kind   ClueKind `json:"kind"`
	Text   string   `json:"text"`   // printable ASCII, without the blanks around it
	Offset int64    `json:"offset"` // in bytes, of the first place where it stands
}

// ClueKind says what a text reads like.
type ClueKind string

const (
	Vendor   ClueKind = "vendor"
	Product  ClueKind = "product"
	Revision ClueKind = "revision"
)

// label is a text that says itself what it is: "Product ID: JBOD-60".
var label = regexp.MustCompile(`(?i)\b(?:(vendor|manufacturer)|(product|model)|(revision|version|rev|ver))(?:[ _-]?(?:id|name|identification|level|number))?[ \t]*[:=][ \t]*([0-9a-z][^%,;"']{0,31})`)

// Clues are the texts that read like a vendor, a product or a revision, by their
// offset and each once: texts that carry such a label, and texts in the form of
// INQUIRY data (SPC-4 6.6: vendor 8, product 16, revision 4 characters, padded
// with blanks).
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

// cut takes a text apart as INQUIRY data has it. What is not there is nil.
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

// padded reports whether a field is a word that blanks fill up.
func padded(field []byte) bool { return word(field) && field[len(field)-1] == ' ' }

// word reports whether a field begins with a letter or digit and has no gap in it.
func word(field []byte) bool {
	return len(field) > 0 && alphanumeric(field[0]) && !bytes.Contains(bytes.TrimRight(field, " "), []byte("  "))
}

// Mentions reports whether a text of the image has a word in it, whatever the case
// of its letters and whatever stands between letters and digits: JBOD-60 is
// mentioned by "jbod60". Words of less than three letters and digits are
// mentioned anywhere.
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

// texts are the offsets and bytes of what is printable ASCII for at least so many
// bytes in a row.
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

package group

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Shape is how texts may differ that say the same.
type Shape int

const (
	exactly Shape = iota // in nothing
	numbers              // in decimal numbers, and in how many are listed
	alike                // in all words that have a digit
)

// hole stands in a shape for words that may differ.
const hole = "\x00"

// varies reports whether texts of a shape may differ in a word.
func (sh Shape) varies(word string) bool {
	digits, others := 0, 0
	for _, r := range word {
		switch {
		case isDigit(r):
			digits++
		case !strings.ContainsRune(punctuation, r):
			others++
		}
	}
	return digits > 0 && (sh == alike || sh == numbers && others == 0)
}

const punctuation = "(),;:."

// filling is what stands in a hole: a word, or all words of a list.
type filling []string

// split returns the words of a text, with holes, and the fillings of the holes.
func split(text string, sh Shape) (words []string, fillings []filling) {
	list := false // the last word was one of a list, which goes on
	for line := range strings.SplitSeq(text, "\n") {
		if len(words) > 0 {
			words, list = append(words, "\n"), false
		}
		for word := range strings.FieldsSeq(line) {
			if !sh.varies(word) {
				words, list = append(words, word), false
				continue
			}
			if list {
				fillings[len(fillings)-1] = append(fillings[len(fillings)-1], word)
			} else {
				words, fillings = append(words, hole), append(fillings, filling{word})
			}
			list = strings.HasSuffix(word, ",")
		}
	}
	return words, fillings
}

// ShapeOf returns a text without the words in which texts of its shape may differ.
func ShapeOf(text string, sh Shape) string {
	if sh == exactly {
		return text
	}
	words, _ := split(text, sh)
	return strings.Join(words, " ")
}

// Differing stands for words in which texts differ.
const Differing = "..."

// Reason is what is said of some components.
type Reason struct {
	// Text has Differing where they differ, and 3 to 12 where numbers do.
	Text string

	// Components counts those of which it is said.
	Components int
}

// Reasons joins texts that say the same, one text of each component. Those of the most
// components come first. A text "" does not count.
func Reasons(texts []string) []Reason {
	counts := map[string]int{}
	var shapes []string
	same := map[string][]string{}
	for _, text := range texts {
		if counts[text]++; counts[text] > 1 || text == "" {
			continue
		}
		shape := ShapeOf(text, alike)
		if same[shape] == nil {
			shapes = append(shapes, shape)
		}
		same[shape] = append(same[shape], text)
	}
	var reasons []Reason
	for _, shape := range shapes {
		r := Reason{Text: common(same[shape])}
		for _, text := range same[shape] {
			r.Components += counts[text]
		}
		reasons = append(reasons, r)
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int { return -cmp.Compare(a.Components, b.Components) })
	return reasons
}

// common returns texts of one shape as one.
func common(texts []string) string {
	words, all := split(texts[0], alike)
	fillings := make([]merged, len(all))
	for _, text := range texts {
		_, all := split(text, alike)
		for i, f := range all {
			fillings[i].add(f)
		}
	}
	var b strings.Builder
	at := 0
	for i, word := range words {
		if i > 0 && word != "\n" && words[i-1] != "\n" {
			b.WriteByte(' ')
		}
		if word == hole {
			word = fillings[at].write(i+1 < len(words) && counted[words[i+1]])
			at++
		}
		b.WriteString(word)
	}
	return b.String()
}

// merged is what stands in one hole of several texts.
type merged struct {
	text     string
	differs  bool
	from, to int
	around   [2]string
	numbers  bool
}

func (m *merged) add(f filling) {
	text := strings.Join(f, " ")
	n, around, ok := numberIn(f)
	if m.text == "" {
		*m = merged{text: text, from: n, to: n, around: around, numbers: ok}
		return
	}
	m.differs = m.differs || text != m.text
	m.numbers = m.numbers && ok && around == m.around
	m.from, m.to = min(m.from, n), max(m.to, n)
}

// counted are words before which a number is a count. Elsewhere it may be a revision or a name,
// and a range of those means nothing.
var counted = map[string]bool{"drive": true, "drives": true, "more": true}

// write returns the filling of the hole, or its bounds if it is a count.
func (m *merged) write(isCount bool) string {
	switch {
	case !m.differs:
		return m.text
	case m.numbers && isCount:
		return m.around[0] + strconv.Itoa(m.from) + " to " + strconv.Itoa(m.to) + m.around[1]
	}
	return Differing
}

// numberIn returns the number that alone fills a hole, and what stands around it. A number
// with a zero in front is a name.
func numberIn(f filling) (n int, around [2]string, ok bool) {
	if len(f) != 1 {
		return 0, around, false
	}
	bare := strings.Trim(f[0], punctuation)
	before, after, _ := strings.Cut(f[0], bare)
	n, err := strconv.Atoi(bare)
	return n, [2]string{before, after}, err == nil && strconv.Itoa(n) == bare
}

package inventory

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/internal/glob"
)

// Selector names components: an address or its leading parts, in which the
// enclosure's name may stand for its identifier, with * for any text and ? for any
// character within a part. The hex digits of an identifier may be upper case. So
// "5000CCAB04001000", "r12*" and "r12u20/esp1/sub?" are selectors.
//
// It is the only grammar by which users name components: see ParseSelector.
type Selector string

// All is the word for every component, if a flag allows it. No enclosure may have it as its name.
const All = "all"

// Named is a component as selectors see it.
type Named struct {
	Address string
	Name    string   // of its enclosure, "" if it has none
	Aliases []string // its other addresses: those of a subenclosure that several ESPs serve
}

// ParseSelector checks a selector. A Selector that comes from elsewhere, such as a
// decoded file, and does not pass matches nothing.
func ParseSelector(text string) (Selector, error) {
	bad := func(format string, args ...any) (Selector, error) {
		return "", fmt.Errorf("cannot use selector %+q: "+format, append([]any{text}, args...)...)
	}
	parts := strings.Split(text, "/")
	switch i := strings.IndexFunc(text, func(r rune) bool { return !selectorRune(r) }); {
	case text == "":
		return bad("it is empty")
	case i >= 0:
		for _, r := range text[i:] {
			return bad("%+q is not part of an address or a name", r)
		}
	case len(parts) > 3:
		return bad("it has %d parts; an address has 3", len(parts))
	case slices.Contains(parts, ""):
		return bad("one of its parts is empty")
	}
	return Selector(text), nil
}

// SelectorHelp explains selectors in a sentence.
const SelectorHelp = "a selector is an address or its leading parts, with the enclosure's identifier or name, " +
	"where * stands for any text and ? for any character"

// selectorRune reports whether a character occurs in addresses, names or patterns.
// Brackets and backslashes do not: they have a meaning in a pattern.
func selectorRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("%@._:-/*?", r)
}

// Matches reports whether s selects a component under any of its addresses.
func (s Selector) Matches(c Named) bool {
	return s.matches(c.Address, c.Name) ||
		slices.ContainsFunc(c.Aliases, func(alias string) bool { return s.matches(alias, c.Name) })
}

func (s Selector) matches(address, name string) bool {
	pattern, rest, partial := strings.Cut(string(s), "/")
	enclosure, address, _ := strings.Cut(address, "/")
	if !matchID(pattern, enclosure) && (name == "" || !matchPart(pattern, name)) {
		return false
	}
	for partial {
		var part string
		if address == "" {
			return false
		}
		pattern, rest, partial = strings.Cut(rest, "/")
		part, address, _ = strings.Cut(address, "/")
		if !matchPart(pattern, part) {
			return false
		}
	}
	return true
}

// matchID is matchPart for an enclosure's identifier, whose hex digits mean the
// same in upper case. A designator is not hex.
func matchID(pattern, id string) bool {
	if !isLUPart(id) {
		pattern = strings.ToLower(pattern)
	}
	return matchPart(pattern, id)
}

// matchPart needs a pattern that is not empty, or an enclosure without a name would
// be selected by "".
func matchPart(pattern, part string) bool { return pattern != "" && glob.Match(pattern, part) }

// Selected returns the first of several selectors that is All or matches a component,
// -1 if none does.
func Selected(selectors []Selector, c Named) int {
	return slices.IndexFunc(selectors, func(s Selector) bool { return s == All || s.Matches(c) })
}

// WithoutAll returns selectors without the word All.
func WithoutAll(selectors []Selector) []Selector {
	return slices.DeleteFunc(slices.Clone(selectors), func(s Selector) bool { return s == All })
}

// Selectable returns every text without * or ? that selects one of the components,
// sorted: identifiers, names, addresses and their leading parts.
func Selectable(components []Named) []string {
	var all []string
	for _, c := range components {
		for _, address := range append([]string{c.Address}, c.Aliases...) {
			enclosure, rest, _ := strings.Cut(address, "/")
			for _, first := range []string{enclosure, c.Name} {
				if first == "" {
					continue
				}
				text := first
				all = append(all, text)
				for part := range strings.SplitSeq(rest, "/") {
					text += "/" + part
					all = append(all, text)
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// MayIdentify reports whether the first part of a selector can match an enclosure's
// identifier. One that cannot selects by name.
func MayIdentify(part string) bool {
	literal := part
	if i := strings.IndexAny(part, "*?"); i >= 0 {
		literal = part[:i]
	}
	if strings.HasPrefix(literal, "lu-") || literal != part && strings.HasPrefix("lu-", literal) {
		return true
	}
	letters := len(part) - strings.Count(part, "*")
	return strings.Trim(strings.ToLower(part), "0123456789abcdef*?") == "" &&
		(letters == 16 || letters < 16 && strings.Contains(part, "*"))
}

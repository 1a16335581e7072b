package group

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fwctl/inventory"
	"fwctl/plan"
)

// Place is the same components of one or more enclosures.
type Place struct {
	// Components, as in esp1/sub0; none: all that the plan has of these enclosures.
	Components []string

	// Enclosures by their names, else identifiers, sorted.
	Enclosures []string
}

// Places returns where the components of a group are: each is in one place.
func (g Group) Places() []Place {
	var where places
	for i := 0; i < len(g.Steps); {
		s := g.Steps[i]
		var components []string
		for ; i < len(g.Steps) && g.Steps[i].Enclosure == s.Enclosure; i++ {
			components = append(components, strings.TrimPrefix(g.Steps[i].Address, s.Enclosure+"/"))
		}
		if len(components) == g.all[s.Enclosure] {
			components = nil
		}
		where.add(Label(s), components)
	}
	return where.list
}

// PlacesOf returns where components are. The address of an enclosure stands for all of its
// components.
func PlacesOf(components []inventory.Named) []Place {
	label := func(n inventory.Named) string { return cmp.Or(n.Name, inventory.EnclosureOf(n.Address)) }
	components = slices.Clone(components)
	slices.SortStableFunc(components, func(a, b inventory.Named) int {
		return cmp.Or(CompareNames(label(a), label(b)), cmp.Compare(a.Address, b.Address))
	})
	var where places
	for i := 0; i < len(components); {
		enclosure := inventory.EnclosureOf(components[i].Address)
		name := label(components[i])
		var parts []string
		for ; i < len(components) && inventory.EnclosureOf(components[i].Address) == enclosure; i++ {
			if _, part, found := strings.Cut(components[i].Address, "/"); found {
				parts = append(parts, part)
			}
		}
		where.add(name, parts)
	}
	return where.list
}

// places collects places.
type places struct {
	list  []Place
	index map[string]int
}

// add adds components of an enclosure, or all of it.
func (p *places) add(enclosure string, components []string) {
	key := strings.Join(components, " ")
	at, ok := p.index[key]
	if !ok {
		if p.index == nil {
			p.index = map[string]int{}
		}
		at = len(p.list)
		p.index[key] = at
		p.list = append(p.list, Place{Components: components})
	}
	p.list[at].Enclosures = append(p.list[at].Enclosures, enclosure)
}

// Enclosures counts the enclosures of a group.
func (g Group) Enclosures() int {
	n := 0
	for i, s := range g.Steps {
		if i == 0 || s.Enclosure != g.Steps[i-1].Enclosure {
			n++
		}
	}
	return n
}

// Hosts returns the hosts that work on a group, sorted.
func (g Group) Hosts() []string { return HostsOf(g.Steps) }

// HostsOf returns the hosts that work on some components, sorted.
func HostsOf(steps []*plan.Step) []string {
	seen := map[string]bool{}
	var hosts []string
	for _, s := range steps {
		if !seen[s.Host] {
			seen[s.Host] = true
			hosts = append(hosts, s.Host)
		}
	}
	slices.SortFunc(hosts, CompareNames)
	return hosts
}

// Range is one name, or names that are numbered without a gap.
type Range struct {
	// First and Last are the same for one name.
	First, Last string

	// Count is how many names it covers.
	Count int
}

// Ranges returns sorted names as ranges. Four or more names that differ only in their last
// number, without a gap, are one range: r1u01 to r1u42 are 42 names, and each of them was given.
func Ranges(names []string) []Range {
	var ranges []Range
	for i := 0; i < len(names); {
		end := i + 1
		for end < len(names) && follows(names[end-1], names[end]) {
			end++
		}
		if end-i < 4 {
			end = i + 1
		}
		ranges = append(ranges, Range{names[i], names[end-1], end - i})
		i = end
	}
	return ranges
}

// follows reports whether a name is the next one after another.
func follows(name, next string) bool {
	// Identifiers have hexadecimal digits: a range would not show what lies between its ends.
	if inventory.IsEnclosureID(name) || inventory.IsEnclosureID(next) {
		return false
	}
	before, number, after := lastNumber(name)
	return number != "" && next == before+increment(number)+after
}

// lastNumber returns the last number of a name, and what stands around it.
func lastNumber(name string) (before, number, after string) {
	end := strings.LastIndexFunc(name, isDigit) + 1
	begin := strings.LastIndexFunc(name[:end], func(r rune) bool { return !isDigit(r) })
	if begin < 0 {
		return "", name[:end], name[end:]
	}
	_, size := utf8.DecodeRuneInString(name[begin:])
	begin += size
	return name[:begin], name[begin:end], name[end:]
}

// increment returns the decimal number after another, with as many zeros in front.
func increment(number string) string {
	digits := []byte(number)
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] < '9' {
			digits[i]++
			return string(digits)
		}
		digits[i] = '0'
	}
	return "1" + string(digits)
}

func isDigit(r rune) bool { return r <= unicode.MaxASCII && unicode.IsDigit(r) }

// CompareNames orders names as people do, r1u2 before r1u10, and identifiers after them.
func CompareNames(a, b string) int {
	idA, idB := inventory.IsEnclosureID(a), inventory.IsEnclosureID(b)
	switch {
	case idA && idB:
		return cmp.Compare(a, b)
	case idA:
		return 1
	case idB:
		return -1
	}
	x, y := a, b
	for x != "" && y != "" {
		m, restX := cutRun(x)
		n, restY := cutRun(y)
		if isDigit(rune(m[0])) && isDigit(rune(n[0])) {
			long, other := strings.TrimLeft(m, "0"), strings.TrimLeft(n, "0")
			if c := cmp.Or(cmp.Compare(len(long), len(other)), cmp.Compare(long, other)); c != 0 {
				return c
			}
		} else if c := cmp.Compare(m, n); c != 0 {
			return c
		}
		x, y = restX, restY
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// cutRun cuts the leading digits, or the leading other characters, off a name.
func cutRun(name string) (run, rest string) {
	digit := isDigit(rune(name[0]))
	i := strings.IndexFunc(name, func(r rune) bool { return isDigit(r) != digit })
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i:]
}

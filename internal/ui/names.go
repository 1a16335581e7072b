package ui

import (
	"cmp"
	"fmt"
	"strings"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/group"
)

// Names are what people call enclosures, by the first part of their addresses.
type Names map[string]string

// NamesOf returns the names that a plan has.
func NamesOf(p *plan.Plan) Names {
	names := Names{}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Name != "" {
			names[s.Enclosure] = s.Name
		}
	}
	return names
}

// of returns the name of the enclosure that an address begins with, "" if it has none.
func (n Names) of(address string) string { return n[inventory.EnclosureOf(address)] }

// cell returns the name of an enclosure as a table has it.
func (n Names) cell(address string) string { return cmp.Or(n.of(address), "-") }

// Called returns the address of a component or an enclosure after the name that people know it by.
func (n Names) Called(address string) string { return inventory.Called(n.of(address), address) }

// plainName returns a name for a line of text.
func plainName(name string) string { return OneLine(name) }

// rangeText returns one name, or several that are numbered without a gap, as text.
func rangeText(r group.Range, write func(string) string) string {
	if r.Count == 1 {
		return write(r.First)
	}
	return write(r.First) + " to " + write(r.Last)
}

// namesIn lists some sorted names, and counts those that have no room in so many characters.
func namesIn(names []string, room int) string {
	text, left := listed(group.Ranges(names), plainName, room)
	if left > 0 {
		text += fmt.Sprintf(" and %d more", left)
	}
	return text
}

// everything is room for any list.
const everything = 1 << 30

// listed lists ranges of names as far as there is room for so many characters, and returns how
// many names it left out.
func listed(ranges []group.Range, write func(string) string, room int) (text string, left int) {
	var items []string
	for _, r := range ranges {
		item := rangeText(r, write)
		if room -= len(item) + len(", "); room < 0 {
			left += r.Count
			continue
		}
		items = append(items, item)
	}
	return strings.Join(items, ", "), left
}

// placesText returns where components are, as far as there is room for so many characters. It
// counts those that have no room, and returns how many they are.
func placesText(places []group.Place, write func(string) string, room int) (text string, left int) {
	var parts []string
	for _, p := range places {
		of := ""
		if len(p.Components) > 0 {
			of = strings.Join(p.Components, ", ") + " of "
		}
		names, more := listed(group.Ranges(p.Enclosures), write, room-len(of))
		left += more
		if names == "" {
			room = -1
			continue
		}
		room -= len(of) + len(names)
		if more > 0 {
			room = -1
		}
		parts = append(parts, of+names)
	}
	text = strings.Join(parts, "; ")
	switch {
	case left > 0 && text == "":
		text = fmt.Sprintf("%d enclosures", left)
	case left > 0:
		text += fmt.Sprintf(" and %d more", left)
	}
	return text, left
}

package ui

import (
	"cmp"
	"fmt"
	"strings"

	"fwctl/inventory"
	"fwctl/plan/group"
)

// nameCell returns the name of an enclosure as a table has it.
func nameCell(names inventory.Names, address string) string { return cmp.Or(names.Of(address), "-") }

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

package desired

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory"
	"fwctl/schemas"
)

// Selector is a selector of a desired state.
type Selector struct {
	inventory.Selector
	Of      string   // what it is for, for people: except 1
	Path    []string // where it is in the file
	Unnamed string   // why it selects nothing wherever the desired state is used, "" if it may

	Want, Index int // its want, and which of the want's selectors it is; -1 if it is not one
}

// Selectors lists the selectors of a desired state in the order of the file.
func (d *State) Selectors() []Selector {
	var all []Selector
	for i, w := range d.Want {
		for j, s := range w.Enclosures {
			path := []string{"want", strconv.Itoa(i), "enclosures", strconv.Itoa(j)}
			all = append(all, Selector{Selector: s, Of: d.WantName(i), Path: path, Want: i, Index: j})
		}
	}
	for i, x := range d.Except {
		path := []string{"except", strconv.Itoa(i), "enclosure"}
		all = append(all, Selector{Selector: x.Enclosure, Of: fmt.Sprintf("except %d", i+1), Path: path, Want: -1})
	}
	for i, domain := range d.FaultDomains {
		for j, s := range domain {
			path := []string{"faultDomains", strconv.Itoa(i), strconv.Itoa(j)}
			all = append(all, Selector{Selector: s, Of: fmt.Sprintf("faultDomains %d", i+1), Path: path, Want: -1})
		}
	}
	names := slices.Sorted(maps.Values(d.Names))
	for i := range all {
		if s := &all[i]; !mayName(names, inventory.EnclosureOf(string(s.Selector))) {
			s.Unnamed = fmt.Sprintf("%s: %s selects nothing: it is not an identifier, and names has no such name",
				s.Of, s.Selector)
		}
	}
	return all
}

// mayName reports whether the first part of a selector can be about some enclosure: it may be an
// identifier, or it may be one of the names, which are sorted.
func mayName(names []string, part string) bool {
	if _, known := slices.BinarySearch(names, part); known || inventory.MayIdentify(part) {
		return true
	}
	return strings.ContainsAny(part, "*?") && slices.ContainsFunc(names, func(name string) bool {
		return inventory.Selector(part).Matches(inventory.Named{Name: name})
	})
}

// Warnings returns what is valid in a desired state and is probably a mistake: selectors by a
// name that no enclosure has, because names are given only there. Each has its position.
func (d *State) Warnings() []schemas.Problem {
	var all []schemas.Problem
	for _, s := range d.Selectors() {
		if s.Unnamed != "" {
			p := d.At(s.Path...)
			p.Summary, p.Hint = s.Unnamed, d.NearestName(s)
			all = append(all, p)
		}
	}
	return schemas.Sort(all)
}

// NearestName returns the hint for a name that no enclosure has, "" if none is near.
func (d *State) NearestName(s Selector) string {
	if near := schemas.Nearest(inventory.EnclosureOf(string(s.Selector)),
		slices.Sorted(maps.Values(d.Names))); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

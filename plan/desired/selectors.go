package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory"
	"fwctl/schemas"
)

// fileSelector is a selector of a desired state.
type fileSelector struct {
	inventory.Selector
	of      string   // what it is for, for people: except 1
	path    []string // where it stands
	unnamed string   // why it selects nothing wherever the desired state is used, "" if it may

	want, index int // its want, and which of the want's selectors it is; -1 if it is not one
}

// selectors lists those of a desired state in the order of the file.
func (d *DesiredState) selectors() []fileSelector {
	var all []fileSelector
	for i, w := range d.Want {
		for j, s := range w.Enclosures {
			all = append(
				all,
				fileSelector{
					Selector: s,
					of:       d.wantName(i),
					path:     []string{"want", strconv.Itoa(i), "enclosures", strconv.Itoa(j)},
					want:     i,
					index:    j,
				},
			)
		}
	}
	for i, x := range d.Except {
		all = append(
			all,
			fileSelector{
				Selector: x.Enclosure,
				of:       fmt.Sprintf("except %d", i+1),
				path:     []string{"except", strconv.Itoa(i), "enclosure"},
				want:     -1,
			},
		)
	}
	for i, domain := range d.FaultDomains {
		for j, s := range domain {
			all = append(
				all,
				fileSelector{
					Selector: s,
					of:       fmt.Sprintf("faultDomains %d", i+1),
					path:     []string{"faultDomains", strconv.Itoa(i), strconv.Itoa(j)},
					want:     -1,
				},
			)
		}
	}
	names := slices.Sorted(maps.Values(d.Names))
	for i := range all {
		s := &all[i]
		name := inventory.EnclosureOf(string(s.Selector))
		named := func(known string) bool { return inventory.Selector(name).Matches(inventory.Named{Name: known}) }
		if _, known := slices.BinarySearch(names, name); !known && !inventory.MayIdentify(name) &&
			!(strings.ContainsAny(name, "*?") && slices.ContainsFunc(names, named)) {
			s.unnamed = fmt.Sprintf(
				"%s: %s selects nothing: it is not an identifier, and names has no such name",
				s.of,
				s.Selector,
			)
		}
	}
	return all
}

// Warnings finds what is valid in a desired state and cannot be meant: selectors by
// a name that no enclosure has, since names come from nowhere else. Each is a problem
// with its position.
func (d *DesiredState) Warnings() []schemas.Problem {
	var all []schemas.Problem
	for _, s := range d.selectors() {
		if s.unnamed != "" {
			p := d.at(s.path...)
			p.Summary, p.Hint = s.unnamed, d.nearestName(s)
			all = append(all, p)
		}
	}
	return schemas.Sort(all)
}

// nearestName is the hint for a name that no enclosure has, "" if none is near.
func (d *DesiredState) nearestName(s fileSelector) string {
	if near := schemas.Nearest(inventory.EnclosureOf(string(s.Selector)), slices.Sorted(maps.Values(d.Names))); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"fwctl/inventory"
	"fwctl/schemas"
)

// UnmatchedError is a selector of the command line that selects nothing.
type UnmatchedError struct {
	Given string // the selector and its flag, as people type them
	Where string // what it was looked for in: "this plan"
	Hint  string // the nearest text that selects something, or what there is
}

func (e *UnmatchedError) Error() string {
	return fmt.Sprintf("cannot use %s: it selects nothing in %s", e.Given, e.Where)
}

// Unmatched returns an UnmatchedError for each selector that selects none of the
// components. given is the flag that they were given with, "" for an argument; where
// says what the components are.
func Unmatched(given string, selectors []inventory.Selector, components []inventory.Named, where string) error {
	var all *multierror.Error
	for _, s := range selectors {
		if slices.ContainsFunc(components, s.Matches) {
			continue
		}
		words := Command{string(s)}
		if given != "" {
			words = Command{given, string(s)}
		}
		all = multierror.Append(all, &UnmatchedError{Given: words.String(), Where: where, Hint: nearestOf(s, components)})
	}
	return all.ErrorOrNil()
}

// nearestOf says what a selector may have been meant to be.
func nearestOf(s inventory.Selector, components []inventory.Named) string {
	if near := schemas.Nearest(string(s), inventory.Selectable(components)); near != "" {
		return "did you mean " + near + "?"
	}
	var known []string // by their names, as people know them
	for _, c := range components {
		known = append(known, cmp.Or(c.Name, inventory.EnclosureOf(c.Address)))
	}
	slices.Sort(known)
	known = slices.Compact(known)
	const most = 8
	switch n := len(known); {
	case n == 0:
		return "there is no enclosure in it"
	case n > most:
		return fmt.Sprintf("there are %s and %d more", strings.Join(known[:most], ", "), n-most)
	}
	return "there are " + strings.Join(known, ", ")
}

// Components are the components of a plan, as selectors see them.
func (p *Plan) Components() []inventory.Named {
	all := make([]inventory.Named, len(p.Steps))
	for i := range p.Steps {
		all[i] = p.Steps[i].Named()
	}
	return all
}

// Names are those of the enclosures that a host works on, by the first part of their
// addresses. An enclosure without a name has no entry.
func (p *Plan) Names(host string) map[string]string {
	names := map[string]string{}
	for _, s := range p.Steps {
		if s.Host == host && s.Name != "" {
			names[s.Enclosure] = s.Name
		}
	}
	return names
}

// Named is the step's component as selectors see it.
func (s *Step) Named() inventory.Named {
	return inventory.Named{Address: s.Address, Name: s.Name, Aliases: s.Aliases}
}

// Selected is the first of several selectors that is All or matches the step's
// component, -1 if none does.
func (s *Step) Selected(selectors []inventory.Selector) int {
	return inventory.Selected(selectors, s.Named())
}

// selected is the first of several selectors that matches a component under one of
// its addresses, -1 if none does. A component that two ESPs serve has two.
func (c component) selected(selectors []inventory.Selector) int {
	named := inventory.Named{Address: c.address, Name: c.esp.of.name, Aliases: c.aliases}
	return slices.IndexFunc(selectors, func(s inventory.Selector) bool { return s.Matches(named) })
}

// named lists the components of the fleet as selectors see them, under each of
// their addresses.
func (f *fleet) named() []inventory.Named {
	var all []inventory.Named
	for _, e := range f.enclosures {
		all = append(all, e.named()...)
	}
	return all
}

func (e *enclosure) named() []inventory.Named {
	var all []inventory.Named
	for i := range e.esps {
		for j := range e.esps[i].Subenclosures {
			all = append(
				all,
				inventory.Named{Address: inventory.Address(e.id, e.esps[i].id, e.esps[i].Subenclosures[j].ID), Name: e.name},
			)
		}
	}
	return all
}

// selected are the enclosures of which a selector selects a component.
func (f *fleet) selected(s inventory.Selector) []*enclosure {
	var all []*enclosure
	for _, e := range f.candidates(inventory.EnclosureOf(string(s))) {
		if slices.ContainsFunc(e.named(), s.Matches) {
			all = append(all, e)
		}
	}
	return all
}

// declared are the enclosures of fault domains as somebody declared them: a component
// stands for its enclosure.
func (f *fleet) declared(domains [][]inventory.Selector) [][]*enclosure {
	var all [][]*enclosure
	for _, domain := range domains {
		var together []*enclosure
		for _, s := range domain {
			together = append(together, f.selected(s)...)
		}
		all = append(all, together)
	}
	return all
}

// candidates are the enclosures that the first part of a selector can match: there
// may be ten thousand of both.
func (f *fleet) candidates(part string) []*enclosure {
	if strings.ContainsAny(part, "*?") {
		return f.enclosures
	}
	if f.names == nil {
		f.names = map[string][]*enclosure{}
		for _, e := range f.enclosures {
			f.names[e.name] = append(f.names[e.name], e)
		}
	}
	all := slices.Clone(f.names[part])
	if e := f.enclosure(lowerID(part)); e != nil && !slices.Contains(all, e) {
		all = append(all, e)
	}
	return all
}

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

// selectorWarnings tells of the desired state's selectors that select nothing here.
// It may cover more than the inventories do.
func (b *builder) selectorWarnings() []string {
	d := b.in.Desired
	var warnings []string
	for _, s := range d.selectors() {
		why := ""
		switch inSight := len(b.survey.selected(s.Selector)) > 0; {
		case s.unnamed != "":
			why = s.unnamed
			if near := d.nearestName(s); near != "" {
				why += "; " + near
			}
		case s.want >= 0 && b.matches[s.want].models == 0: // told of the want
		case s.want >= 0 && inSight && !b.matches[s.want].selected[s.index]:
			why = fmt.Sprintf("%s: %s selects nothing of model %s", s.of, s.Selector, d.Want[s.want].Model)
		case !inSight && b.knownUnread(s.Selector):
			why = fmt.Sprintf("%s: %s selects only what could not be read", s.of, s.Selector)
		case !inSight:
			why = fmt.Sprintf("%s: %s selects nothing in sight", s.of, s.Selector)
			if s.path[0] == "faultDomains" {
				why += ": nothing here is kept apart from resets there"
			}
		}
		if why != "" {
			warnings = append(warnings, why)
		}
	}
	return warnings
}

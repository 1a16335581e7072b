package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"fwctl/inventory"
	"fwctl/schemas"
)

// UnmatchedError reports a selector of the command line that selects nothing.
type UnmatchedError struct {
	Given string // the selector and its flag, as people type them
	Where string // where it was looked for: "this plan"
	Hint  string // the nearest text that selects something, or what there is
}

func (e *UnmatchedError) Error() string {
	return fmt.Sprintf("cannot use %s: it selects nothing in %s", e.Given, e.Where)
}

// Unmatched returns an UnmatchedError for each selector that selects none of the components.
// given is the flag of the selectors, "" for an argument; where says what the components are.
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
		all = multierror.Append(all, &UnmatchedError{Given: words.String(), Where: where,
			Hint: nearestOf(s, components)})
	}
	return all.ErrorOrNil()
}

// nearestOf returns what a selector may have been meant to be.
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

// Components returns the components of a plan, as selectors see them.
func (p *Plan) Components() []inventory.Named {
	all := make([]inventory.Named, len(p.Steps))
	for i := range p.Steps {
		all[i] = p.Steps[i].Named()
	}
	return all
}

// Names returns the names of the enclosures that some hosts work on, of all if no host is given.
func (p *Plan) Names(hosts ...string) inventory.Names {
	names := inventory.Names{}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Name != "" && (len(hosts) == 0 || slices.Contains(hosts, s.Host)) {
			names[s.Enclosure] = s.Name
		}
	}
	return names
}

// Named returns the step's component as selectors see it.
func (s *Step) Named() inventory.Named {
	return inventory.Named{Address: s.Address, Name: s.Name, Aliases: s.Aliases}
}

// Called returns the step's component as people know it.
func (s *Step) Called() string { return inventory.Called(s.Name, s.Address) }

// Selected returns the first of several selectors that is All or matches the step's
// component, -1 if none does.
func (s *Step) Selected(selectors []inventory.Selector) int {
	return inventory.Selected(selectors, s.Named())
}

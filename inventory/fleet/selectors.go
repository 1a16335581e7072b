package fleet

import (
	"slices"
	"strings"

	"fwctl/inventory"
)

// Selected returns the first of several selectors that matches a component under one of
// its addresses, -1 if none does. A component that two ESPs serve has two.
func (c Component) Selected(selectors []inventory.Selector) int {
	named := inventory.Named{Address: c.Address, Name: c.ESP.Of.Name, Aliases: c.Aliases}
	return slices.IndexFunc(selectors, func(s inventory.Selector) bool { return s.Matches(named) })
}

// Named lists the components of the fleet as selectors see them, under each of
// their addresses.
func (f *Fleet) Named() []inventory.Named {
	var all []inventory.Named
	for _, e := range f.Enclosures {
		all = append(all, e.named()...)
	}
	return all
}

func (e *Enclosure) named() []inventory.Named {
	var all []inventory.Named
	for i := range e.ESPs {
		for j := range e.ESPs[i].Subenclosures {
			all = append(
				all,
				inventory.Named{Address: inventory.Address(e.ID, e.ESPs[i].ID, e.ESPs[i].Subenclosures[j].ID),
					Name: e.Name},
			)
		}
	}
	return all
}

// Selected returns the enclosures that have a component that a selector selects.
func (f *Fleet) Selected(s inventory.Selector) []*Enclosure {
	var all []*Enclosure
	for _, e := range f.candidates(inventory.EnclosureOf(string(s))) {
		if slices.ContainsFunc(e.named(), s.Matches) {
			all = append(all, e)
		}
	}
	return all
}

// Declared returns the enclosures of declared fault domains. A component stands for its
// enclosure.
func (f *Fleet) Declared(domains [][]inventory.Selector) [][]*Enclosure {
	var all [][]*Enclosure
	for _, domain := range domains {
		var together []*Enclosure
		for _, s := range domain {
			together = append(together, f.Selected(s)...)
		}
		all = append(all, together)
	}
	return all
}

// candidates returns the enclosures that the first part of a selector can match: there
// may be ten thousand of both.
func (f *Fleet) candidates(part string) []*Enclosure {
	if strings.ContainsAny(part, "*?") {
		return f.Enclosures
	}
	if f.names == nil {
		f.names = map[string][]*Enclosure{}
		for _, e := range f.Enclosures {
			f.names[e.Name] = append(f.names[e.Name], e)
		}
	}
	all := slices.Clone(f.names[part])
	if e := f.Enclosure(inventory.NormalID(part)); e != nil && !slices.Contains(all, e) {
		all = append(all, e)
	}
	return all
}

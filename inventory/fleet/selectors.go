package plan

import (
	"slices"
	"strings"

	"fwctl/inventory"
)

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
	if e := f.enclosure(inventory.NormalID(part)); e != nil && !slices.Contains(all, e) {
		all = append(all, e)
	}
	return all
}

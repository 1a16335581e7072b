package report

import (
	"slices"

	"fwctl/inventory"
	"fwctl/plan"
)

// Only removes all that is not about components that a selector selects. If it selects nothing
// that any of the hosts remembers, the error is a *plan.UnmatchedError.
func (s *Status) Only(selector inventory.Selector) error {
	known := book{}
	known.add(s.Components, s.Runs)
	for _, v := range s.Staged {
		known.addAddress(v.Address)
	}
	for _, v := range s.Stuck {
		known.addAddress(v.Address)
	}
	for _, v := range s.Cautions {
		known.addAddress(v.Address)
	}
	others, err := known.others(selector)
	if err != nil {
		return err
	}
	s.Runs = only(s.Runs, others)
	s.Staged = slices.DeleteFunc(s.Staged, func(v HostStaged) bool { return others(v.Address) })
	s.Stuck = slices.DeleteFunc(s.Stuck, func(v Stuck) bool { return others(v.Address) })
	s.Cautions = slices.DeleteFunc(s.Cautions, func(v HostCaution) bool { return others(v.Address) })
	s.Components = slices.DeleteFunc(s.Components, func(v Component) bool { return others(v.Address) })
	return nil
}

// Only removes all that is not about components that a selector selects, as Status.Only does.
func (h *History) Only(selector inventory.Selector) error {
	known := book{}
	known.add(h.Components, h.Runs)
	for _, v := range h.Verified {
		known.addAddress(v.Address)
	}
	others, err := known.others(selector)
	if err != nil {
		return err
	}
	h.Runs = only(h.Runs, others)
	h.Verified = slices.DeleteFunc(h.Verified, func(v Verified) bool { return others(v.Address) })
	h.Components = slices.DeleteFunc(h.Components, func(v Component) bool { return others(v.Address) })
	return nil
}

func only(runs []Run, others func(string) bool) []Run {
	for i := range runs {
		runs[i].Steps = slices.DeleteFunc(runs[i].Steps, func(s Step) bool { return others(s.Address) })
		runs[i].Overrides = slices.DeleteFunc(runs[i].Overrides, func(o Override) bool { return others(o.Address) })
		runs[i].Waivers = slices.DeleteFunc(runs[i].Waivers, func(w Waiver) bool { return others(w.Address) })
		runs[i].Hooks = slices.DeleteFunc(runs[i].Hooks, func(h Hook) bool { return others(h.Address) })
	}
	return slices.DeleteFunc(runs, func(r Run) bool { return len(r.Steps) == 0 })
}

// book has what hosts call components: the names of their enclosure, by address. Hosts may
// call an enclosure by different names.
type book map[string][]string

func (b book) add(components []Component, runs []Run) {
	for _, r := range runs {
		for _, s := range r.Steps {
			b.addAddress(s.Address)
		}
	}
	names := map[string][]string{} // by enclosure
	for _, c := range components {
		b.addAddress(c.Address)
		id := inventory.EnclosureOf(c.Address)
		if c.Name != "" && !slices.Contains(names[id], c.Name) {
			names[id] = append(names[id], c.Name)
		}
	}
	for address := range b {
		b[address] = names[inventory.EnclosureOf(address)]
	}
}

func (b book) addAddress(address string) {
	if _, known := b[address]; !known {
		b[address] = nil
	}
}

// named returns a component under each of its enclosure's names.
func (b book) named(address string) []inventory.Named {
	all := []inventory.Named{{Address: address}}
	for _, name := range b[address] {
		all = append(all, inventory.Named{Address: address, Name: name})
	}
	return all
}

// others returns a function that reports whether a selector does not select an address.
func (b book) others(selector inventory.Selector) (func(address string) bool, error) {
	var all []inventory.Named
	for address := range b {
		all = append(all, b.named(address)...)
	}
	err := plan.Unmatched("--enclosure", []inventory.Selector{selector}, all, "what is remembered here")
	return func(address string) bool { return !slices.ContainsFunc(b.named(address), selector.Matches) }, err
}

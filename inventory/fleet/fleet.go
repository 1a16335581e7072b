// Package fleet is the inventories of several hosts as one view: each enclosure once, with
// the ESPs that any host sees and who works on each, and each component once, though
// several hosts or ESPs serve it. Where hosts disagree it says so, and picks no winner.
//
// It is pure, and knows no plan: it never says what is to be done, or what a reset disturbs.
package fleet

import (
	"cmp"
	"fmt"
	"slices"

	"fwctl/inventory"
)

// Fleet is the enclosures of all inventories.
type Fleet struct {
	Enclosures []*Enclosure            // sorted by id
	ESPs       map[string]*ESP         // by lu_id; the first, if several claim it
	names      map[string][]*Enclosure // once they were asked for
}

// ESP is an ESP as the host sees it that will work on it.
type ESP struct {
	*inventory.ESP
	Of       *Enclosure
	ID       string // the second part of its addresses
	Host     string
	Side     int                 // 0 is side A
	conflict string              // why it may not be touched
	cautions []inventory.Caution // of its enclosure, as the host remembers them
	others   []ESP               // it, as other hosts see it, by host
	Disputed map[int]string      // why it is unknown what is staged on a subenclosure, by its id
}

// address returns that of the ESP's primary subenclosure.
func (e *ESP) address() string { return inventory.Address(e.Of.ID, e.ID, 0) }

// Merge joins what the hosts see.
func Merge(invs []*inventory.Inventory) *Fleet {
	invs = slices.SortedFunc(slices.Values(invs), func(a, b *inventory.Inventory) int {
		return cmp.Compare(a.Host, b.Host)
	})
	byID := map[string]*Enclosure{}
	var all []*Enclosure
	for _, inv := range invs {
		for i := range inv.Enclosures {
			from := &inv.Enclosures[i]
			e := byID[from.ID()]
			if e == nil {
				e = &Enclosure{ID: from.ID()}
				byID[e.ID] = e
				all = append(all, e)
			}
			e.merge(from, inv.Host)
		}
	}
	slices.SortFunc(all, func(a, b *Enclosure) int { return cmp.Compare(a.ID, b.ID) })
	for n, e := range all {
		e.Index = n
		slices.SortFunc(e.ESPs,
			func(a, b ESP) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.LUID, b.LUID)) })
		for i := range e.ESPs {
			if len(e.ESPs[i].others) > 0 {
				e.ESPs[i] = elect(e.ESPs[i])
			}
		}
		e.setSides()
		e.markSharedAddresses()
	}
	f := &Fleet{Enclosures: all}
	f.listESPs()
	return f
}

// sorted returns an ESP with its subenclosures by number, the primary first.
func sorted(in *inventory.ESP) *inventory.ESP {
	byID := func(a, b inventory.Subenclosure) int { return cmp.Compare(a.ID, b.ID) }
	if slices.IsSortedFunc(in.Subenclosures, byID) {
		return in
	}
	own := *in // the inventory is the caller's
	own.Subenclosures = slices.SortedFunc(slices.Values(in.Subenclosures), byID)
	return &own
}

// Enclosure returns the one with an identifier, nil if it is not in sight.
func (f *Fleet) Enclosure(id string) *Enclosure {
	n, ok := slices.BinarySearchFunc(f.Enclosures, id, func(e *Enclosure, id string) int {
		return cmp.Compare(e.ID, id)
	})
	if !ok {
		return nil
	}
	return f.Enclosures[n]
}

// listESPs lists the ESPs by logical unit, and marks units that claim several
// addresses on different hosts: enclosures that have one identity, or one that was
// moved between scans.
func (f *Fleet) listESPs() {
	f.ESPs = make(map[string]*ESP, 2*len(f.Enclosures))
	for _, e := range f.Enclosures {
		for i := range e.ESPs {
			in := &e.ESPs[i]
			other, ok := f.ESPs[in.LUID]
			if !ok {
				f.ESPs[in.LUID] = in
				continue
			}
			for _, esp := range []*ESP{in, other} {
				esp.conflict = cmp.Or(esp.conflict,
					fmt.Sprintf("logical unit %s has two addresses, %s on %s and %s on %s: scan both again, and give "+
						"what has one identity identities of its own",
						in.LUID, other.address(), other.Host, in.address(), in.Host))
			}
		}
	}
}

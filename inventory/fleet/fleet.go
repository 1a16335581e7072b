// Package fleet merges the inventories of several hosts into one view. Each enclosure is in
// it once, with the ESPs that any host sees and the host that works on each; each component
// is in it once, even if several hosts or ESPs serve it. If hosts disagree, it says so and
// picks no winner.
//
// It is pure and knows no plan: it never says what to do, or what a reset disturbs.
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
	names      map[string][]*Enclosure // made when first asked for
}

// ESP is an ESP as the host that will work on it sees it.
type ESP struct {
	*inventory.ESP
	Of       *Enclosure
	ID       string // the second part of its addresses
	Host     string
	Side     int                 // 0 is side A
	conflict string              // why it may not be touched
	cautions []inventory.Caution // of its enclosure, as the host remembers them
	others   []ESP               // the same ESP as other hosts see it, by host
	Disputed map[int]string      // why it is unknown what is staged on a subenclosure, by its id
}

// address returns the address of the ESP's primary subenclosure.
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

// Enclosure returns the enclosure with an identifier, or nil if it is not in sight.
func (f *Fleet) Enclosure(id string) *Enclosure {
	n, ok := slices.BinarySearchFunc(f.Enclosures, id, func(e *Enclosure, id string) int {
		return cmp.Compare(e.ID, id)
	})
	if !ok {
		return nil
	}
	return f.Enclosures[n]
}

// listESPs lists the ESPs by logical unit, and marks units that claim several addresses
// on different hosts: two enclosures with one identity, or one that was moved between scans.
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
					fmt.Sprintf("logical unit %s has two addresses, %s on %s and %s on %s: scan both again; if two "+
						"devices share an identity, give each its own",
						in.LUID, other.address(), other.Host, in.address(), in.Host))
			}
		}
	}
}

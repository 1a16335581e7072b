package fleet

import (
	"cmp"
	"fmt"
	"slices"

	"fwctl/inventory"
)

// EachUnread calls f for each device that could not be read, by host and path.
func EachUnread(invs []*inventory.Inventory, f func(host string, p *inventory.Problem)) {
	byHost := func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) }
	for _, inv := range slices.SortedFunc(slices.Values(invs), byHost) {
		for _, p := range inv.UnreadDevices() {
			f(inv.Host, p)
		}
	}
}

// MarkUnread blocks devices that a host reaches over one path and could not read over
// another: someone may be writing to them there. Of an enclosure that a host reaches, and of
// which it could read nothing, it notes that this host's use of the drives is unknown.
func (f *Fleet) MarkUnread(invs []*inventory.Inventory) {
	EachUnread(invs, func(host string, p *inventory.Problem) {
		for _, e := range f.Enclosures {
			for i := range e.ESPs {
				esp := &e.ESPs[i]
				if p.Unread.Leads(esp.LUID) && e.SeenBy(host) == nil {
					e.Blind = cmp.Or(e.Blind, fmt.Sprintf("%s reaches it over %s and could not read it", host, p.Path))
				}
				if p.Unread.Leads(esp.LUID) && (host == esp.Host || p.Unread.UsedBy != "") {
					esp.conflict = cmp.Or(esp.conflict,
						fmt.Sprintf("%s on %s also leads to it and could not be read: %s", p.Path, host, p.Detail))
				}
			}
		}
	})
}

// Has reports whether a component could be read by some host, under any of its addresses.
func (f *Fleet) Has(c *inventory.Known) bool {
	e := f.Enclosure(inventory.EnclosureOf(c.Address))
	return f.ESPs[c.LUID] != nil || e != nil && slices.ContainsFunc(e.named(), func(n inventory.Named) bool {
		return n.Address == c.Address || slices.Contains(c.Aliases, n.Address)
	})
}

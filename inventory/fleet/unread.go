package plan

import (
	"cmp"
	"fmt"
	"slices"

	"fwctl/inventory"
)

// eachUnread calls f for each device that could not be read, by host and path.
func eachUnread(invs []*inventory.Inventory, f func(host string, p *inventory.Problem)) {
	byHost := func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) }
	for _, inv := range slices.SortedFunc(slices.Values(invs), byHost) {
		for _, p := range inv.UnreadDevices() {
			f(inv.Host, p)
		}
	}
}

// markUnread blocks what a host reaches over one path and could not read on another:
// somebody may be writing to it there.
func (f *fleet) markUnread(invs []*inventory.Inventory) {
	eachUnread(invs, func(host string, p *inventory.Problem) {
		for _, e := range f.enclosures {
			for i := range e.esps {
				esp := &e.esps[i]
				if p.Unread.Leads(esp.LUID) && (host == esp.host || p.Unread.UsedBy != "") {
					esp.conflict = cmp.Or(
						esp.conflict,
						fmt.Sprintf("%s on %s leads to it too and could not be read: %s", p.Path, host, p.Detail),
					)
				}
			}
		}
	})
}

// has reports whether a component could be read by some host, under any of its addresses.
func (f *fleet) has(c *inventory.Known) bool {
	e := f.enclosure(inventory.EnclosureOf(c.Address))
	return f.esps[c.LUID] != nil || e != nil && slices.ContainsFunc(e.named(), func(n inventory.Named) bool {
		return n.Address == c.Address || slices.Contains(c.Aliases, n.Address)
	})
}

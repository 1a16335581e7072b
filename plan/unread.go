package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
)

// Unread is a device that the scan of a host could not read: nothing that is said of
// the other components says anything of what is behind it.
type Unread struct {
	Host       string   `json:"host"`
	Path       string   `json:"path"`
	LUID       string   `json:"lu_id,omitempty"`
	Why        string   `json:"why"`
	Components []string `json:"components,omitempty"` // addresses, as the host remembers them or reads them on another path

	// Wanted: a want may be about it, as far as anybody can tell without reading it.
	Wanted bool `json:"wanted"`
}

// eachUnread calls f for each device that could not be read, by host and path.
func eachUnread(invs []*inventory.Inventory, f func(host string, p *inventory.Problem)) {
	byHost := func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) }
	for _, inv := range slices.SortedFunc(slices.Values(invs), byHost) {
		var unread []*inventory.Problem
		for i := range inv.Problems {
			if inv.Problems[i].Unread != nil {
				unread = append(unread, &inv.Problems[i])
			}
		}
		slices.SortStableFunc(unread, func(a, b *inventory.Problem) int { return inventory.ComparePaths(a.Path, b.Path) })
		for _, p := range unread {
			f(inv.Host, p)
		}
	}
}

func (b *builder) anyUnread() (any bool) {
	eachUnread(b.in.Inventories, func(string, *inventory.Problem) { any = true })
	return any
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

// unread lists the devices that could not be read.
func (b *builder) unread(f *fleet) []Unread {
	var all []Unread
	eachUnread(b.in.Inventories, func(host string, p *inventory.Problem) {
		u := Unread{Host: host, Path: p.Path, LUID: p.Unread.LUID, Why: p.Detail}
		for _, c := range p.Unread.Components {
			u.Components = append(u.Components, c.Address)
		}
		for _, e := range f.enclosures {
			for _, c := range e.components() {
				if slices.ContainsFunc(c.served(), func(in *esp) bool { return p.Unread.Leads(in.LUID) }) &&
					!slices.Contains(u.Components, c.address) {
					u.Components = append(u.Components, c.address)
				}
			}
		}
		slices.Sort(u.Components)
		u.Wanted = slices.ContainsFunc(b.in.Desired.Want, func(w Want) bool { return b.mayWant(w, p.Unread) })
		all = append(all, u)
	})
	slices.SortFunc(all, func(a, b Unread) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), inventory.ComparePaths(a.Path, b.Path))
	})
	return all
}

// mayWant reports whether a want may be about a device that could not be read. What its
// INQUIRY data say need not be what page 01h says, so that they rule out a device only
// by its vendor; and the enclosure is known only from an earlier run.
func (b *builder) mayWant(w Want, u *inventory.Unread) bool {
	match := b.in.Desired.Models[w.Model].Match
	if u.Vendor != "" && !globOrAny(match.Vendor, u.Vendor) {
		return false
	}
	if len(u.Components) == 0 || len(w.Enclosures) == 0 {
		return true
	}
	return slices.ContainsFunc(u.Components, func(c inventory.Known) bool {
		named := c.Named(b.in.Desired.Names[inventory.EnclosureOf(c.Address)])
		return slices.ContainsFunc(w.Enclosures, func(s inventory.Selector) bool { return s.Matches(named) })
	})
}

// unreadSteps are rows of components that are known from an earlier run and could not
// be read now.
func (b *builder) unreadSteps(f *fleet) []Step {
	steps := map[string]Step{}
	eachUnread(b.in.Inventories, func(host string, p *inventory.Problem) {
		for _, c := range p.Unread.Components {
			id, _, sub, err := inventory.ParseAddress(c.Address)
			name := b.in.Desired.Names[id]
			named := c.Named(name)
			targeted := len(b.in.Targets) == 0 ||
				slices.ContainsFunc(b.in.Targets, func(t inventory.Selector) bool { return t.Matches(named) })
			if err != nil || !targeted || f.has(&c) {
				continue
			}
			why := "it " + couldNotBeRead(host, p)
			if s, ok := steps[c.Address]; ok { // on another path
				s.Reasons = append(s.Reasons, why)
				steps[c.Address] = s
				continue
			}
			s := Step{
				Address: c.Address, Aliases: c.Aliases, Name: name, Host: host, Enclosure: id, LUID: c.LUID, Subenclosure: sub,
				Vendor: p.Unread.Vendor, Product: p.Unread.Product,
				Action: Blocked, Reset: ResetNever, Hops: []Hop{}, Gates: []GateResult{}, Reasons: []string{why},
				Disruption:    Disruption{Expected: NoImpact, Worst: NoImpact},
				Preconditions: Preconditions{ESPs: []string{}},
			}
			if !slices.ContainsFunc(b.in.Desired.Want, func(w Want) bool { return b.mayWant(w, p.Unread) }) {
				s.Action = Unmanaged
			}
			if e := f.enclosure(id); e != nil {
				s.FaultDomain = e.faultDomain()
			}
			steps[c.Address] = s
		}
	})
	var all []Step
	for _, s := range steps { // the caller sorts
		all = append(all, s)
	}
	return all
}

// couldNotBeRead says of a device on which host and why, as the end of a sentence.
func couldNotBeRead(host string, p *inventory.Problem) string {
	return fmt.Sprintf("could not be read on %s (%s): %s", host, p.Path, p.Detail)
}

// has reports whether a component could be read by some host, under any of its addresses.
func (f *fleet) has(c *inventory.Known) bool {
	e := f.enclosure(inventory.EnclosureOf(c.Address))
	return f.esps[c.LUID] != nil || e != nil && slices.ContainsFunc(e.named(), func(n inventory.Named) bool {
		return n.Address == c.Address || slices.Contains(c.Aliases, n.Address)
	})
}

// markUnreadDomains notes what of fault domains could not be read: of an enclosure that is
// known to be there, be it in sight through another module or not at all, and of one that
// somebody declared to belong to a fault domain. Nothing there is reset meanwhile: what
// could not be read may be about to be reset by somebody else, or have no other way left.
func (b *builder) markUnreadDomains(f *fleet) {
	nameless := "" // the first device whose enclosure is unknown
	eachUnread(b.in.Inventories, func(host string, p *inventory.Problem) {
		known := len(p.Unread.Components) > 0
		for _, in := range f.esps {
			known = known || p.Unread.Leads(in.LUID)
		}
		if !known && nameless == "" {
			nameless = fmt.Sprintf("%s on %s", p.Path, host)
		}
		for i := range p.Unread.Components {
			c := &p.Unread.Components[i]
			if f.has(c) {
				continue
			}
			id := inventory.EnclosureOf(c.Address)
			named := c.Named(b.in.Desired.Names[id])
			why := c.Address + " " + couldNotBeRead(host, p)
			if e := f.enclosure(id); e != nil {
				e.unread = append(e.unread, why)
				e.domain.unread = append(e.domain.unread, why)
			}
			for _, domain := range b.in.Desired.FaultDomains {
				if slices.ContainsFunc(domain, func(s inventory.Selector) bool { return s.Matches(named) }) {
					f.markUnreadDomain(domain, why)
				}
			}
		}
	})
	if nameless == "" {
		return
	}
	for _, domain := range b.in.Desired.FaultDomains {
		for _, s := range domain {
			if len(f.selected(s)) == 0 && !b.knownUnread(s) {
				f.markUnreadDomain(
					domain,
					fmt.Sprintf(
						"%s is declared to be of its fault domain and not in sight, and %s could not be read, which may be it",
						s,
						nameless,
					),
				)
			}
		}
	}
}

// markUnreadDomain notes what of a fault domain that somebody declared could not be read.
func (f *fleet) markUnreadDomain(domain []inventory.Selector, why string) {
	for _, s := range domain {
		for _, e := range f.selected(s) {
			e.domain.unread = append(e.domain.unread, why)
		}
	}
}

// knownUnread reports whether a selector selects something that is known and could not be read.
func (b *builder) knownUnread(s inventory.Selector) (known bool) {
	eachUnread(b.in.Inventories, func(_ string, p *inventory.Problem) {
		known = known || slices.ContainsFunc(p.Unread.Components, func(c inventory.Known) bool {
			return s.Matches(c.Named(b.in.Desired.Names[inventory.EnclosureOf(c.Address)]))
		})
	})
	return known
}

// unreadReason is why nothing of a fault domain is reset while something of it cannot be
// read, "" if all of it could be.
func (domain *faultDomain) unreadReason() string {
	const most = 3
	all := slices.Compact(slices.Sorted(slices.Values(domain.unread)))
	if len(all) == 0 {
		return ""
	}
	text := strings.Join(all[:min(most, len(all))], "; ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return PartUnread + text
}

// PartUnread begins the reason why nothing of a fault domain is reset that is not in sight
// as a whole.
const PartUnread = "nothing in a fault domain is reset while part of it cannot be read: "

func unreadWarnings(all []Unread) []string {
	var warnings []string
	for _, u := range all {
		what := "what is behind it is unknown"
		if len(u.Components) > 0 {
			what = strings.Join(u.Components, ", ")
		}
		warnings = append(warnings, fmt.Sprintf("%s: %s could not be read (%s): %s", u.Host, u.Path, what, u.Why))
	}
	return warnings
}

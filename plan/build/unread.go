package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
)

func (b *builder) anyUnread() (any bool) {
	eachUnread(b.in.Inventories, func(string, *inventory.Problem) { any = true })
	return any
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
			why := "it " + p.CouldNotBeRead(host)
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
				s.FaultDomain = b.survey.numberOf(e)
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
			why := c.Address + " " + p.CouldNotBeRead(host)
			if e := f.enclosure(id); e != nil {
				e.unread = append(e.unread, why)
				domain := b.survey.domain(e)
				domain.unread = append(domain.unread, why)
			}
			for _, domain := range b.in.Desired.FaultDomains {
				if slices.ContainsFunc(domain, func(s inventory.Selector) bool { return s.Matches(named) }) {
					b.markUnreadDomain(f, domain, why)
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
				b.markUnreadDomain(f,
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
func (b *builder) markUnreadDomain(f *fleet, domain []inventory.Selector, why string) {
	for _, s := range domain {
		for _, e := range f.selected(s) {
			domain := b.survey.domain(e)
			domain.unread = append(domain.unread, why)
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

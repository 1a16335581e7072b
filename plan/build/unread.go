package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
)

func (b *builder) anyUnread() (any bool) {
	fleet.EachUnread(b.in.Inventories, func(string, *inventory.Problem) { any = true })
	return any
}

// unread lists the devices that could not be read.
func (b *builder) unread() []plan.Unread {
	var all []plan.Unread
	fleet.EachUnread(b.in.Inventories, func(host string, p *inventory.Problem) {
		u := plan.Unread{Host: host, Path: p.Path, LUID: p.Unread.LUID, Why: p.Detail}
		for _, c := range p.Unread.Components {
			u.Components = append(u.Components, c.Address)
		}
		for _, e := range b.survey.Enclosures {
			for _, c := range e.Components() {
				if slices.ContainsFunc(c.ServedBy(), func(in *fleet.ESP) bool { return p.Unread.Leads(in.LUID) }) &&
					!slices.Contains(u.Components, c.Address) {
					u.Components = append(u.Components, c.Address)
				}
			}
		}
		slices.Sort(u.Components)
		u.Wanted = slices.ContainsFunc(b.in.Desired.Want, func(w desired.Want) bool { return b.mayWant(w, p.Unread) })
		all = append(all, u)
	})
	slices.SortFunc(all, func(a, b plan.Unread) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), inventory.ComparePaths(a.Path, b.Path))
	})
	return all
}

// mayWant reports whether a want may be about a device that could not be read. Its INQUIRY data
// need not agree with page 01h, so only the vendor rules a device out; and the enclosure is
// known only from an earlier run.
func (b *builder) mayWant(w desired.Want, u *inventory.Unread) bool {
	match := b.in.Desired.Models[w.Model].Match
	if vendor := (desired.Match{Vendor: match.Vendor}); u.Vendor != "" && !vendor.Fits(u.Vendor, u.Product) {
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

// unreadSteps returns rows of components that are known from an earlier run and could not be
// read now.
func (b *builder) unreadSteps() []plan.Step {
	steps := map[string]plan.Step{}
	fleet.EachUnread(b.in.Inventories, func(host string, p *inventory.Problem) {
		for _, c := range p.Unread.Components {
			id, _, sub, err := inventory.ParseAddress(c.Address)
			name := b.in.Desired.Names[id]
			named := c.Named(name)
			targeted := len(b.in.Targets) == 0 ||
				slices.ContainsFunc(b.in.Targets, func(t inventory.Selector) bool { return t.Matches(named) })
			if err != nil || !targeted || b.survey.Has(&c) {
				continue
			}
			why := "it " + p.CouldNotBeRead(host)
			if s, ok := steps[c.Address]; ok { // on another path
				s.Reasons = append(s.Reasons, why)
				steps[c.Address] = s
				continue
			}
			s := plan.Step{
				Address: c.Address, Aliases: c.Aliases, Name: name, Host: host, Enclosure: id, LUID: c.LUID,
				Subenclosure: sub,
				Vendor:       p.Unread.Vendor, Product: p.Unread.Product,
				Action: plan.Blocked, Reset: plan.ResetNever, Hops: []plan.Hop{}, Gates: []plan.GateResult{},
				Reasons:       []string{why},
				Disruption:    plan.Disruption{Expected: plan.NoImpact, Worst: plan.NoImpact},
				Preconditions: plan.Preconditions{ESPs: []string{}},
			}
			if !slices.ContainsFunc(b.in.Desired.Want, func(w desired.Want) bool { return b.mayWant(w, p.Unread) }) {
				s.Action = plan.Unmanaged
			}
			if e := b.survey.Enclosure(id); e != nil {
				s.FaultDomain = b.survey.NumberOf(e)
			}
			steps[c.Address] = s
		}
	})
	var all []plan.Step
	for _, s := range steps { // the caller sorts
		all = append(all, s)
	}
	return all
}

// markUnreadDomains marks the fault domains with devices that could not be read: those of
// enclosures that are known to be there, in sight through another module or not, and those of
// enclosures that are declared to belong to a fault domain. Nothing in them is reset: someone
// else may be about to reset the device, or it may be the only way to drives.
func (b *builder) markUnreadDomains() {
	nameless := "" // the first device whose enclosure is unknown
	fleet.EachUnread(b.in.Inventories, func(host string, p *inventory.Problem) {
		known := len(p.Unread.Components) > 0
		for _, in := range b.survey.ESPs {
			known = known || p.Unread.Leads(in.LUID)
		}
		if !known && nameless == "" {
			nameless = fmt.Sprintf("%s on %s", p.Path, host)
		}
		for i := range p.Unread.Components {
			c := &p.Unread.Components[i]
			if b.survey.Has(c) {
				continue
			}
			id := inventory.EnclosureOf(c.Address)
			named := c.Named(b.in.Desired.Names[id])
			why := inventory.Called(b.in.Desired.Names[id], c.Address) + " " + p.CouldNotBeRead(host)
			if e := b.survey.Enclosure(id); e != nil {
				e.Unread = append(e.Unread, why)
				domain := b.survey.Domain(e)
				domain.Unread = append(domain.Unread, why)
			}
			for _, domain := range b.in.Desired.FaultDomains {
				if slices.ContainsFunc(domain, func(s inventory.Selector) bool { return s.Matches(named) }) {
					b.markUnreadDomain(domain, why)
				}
			}
		}
	})
	if nameless == "" {
		return
	}
	for _, domain := range b.in.Desired.FaultDomains {
		for _, s := range domain {
			if len(b.survey.Selected(s)) == 0 && !b.knownUnread(s) {
				b.markUnreadDomain(
					domain,
					fmt.Sprintf(
						"%s is declared to be of its fault domain and not in sight, and %s could not be read, which "+
							"may be it",
						s,
						nameless,
					),
				)
			}
		}
	}
}

// markUnreadDomain marks a declared fault domain as one with devices that could not be read.
func (b *builder) markUnreadDomain(domain []inventory.Selector, why string) {
	for _, s := range domain {
		for _, e := range b.survey.Selected(s) {
			domain := b.survey.Domain(e)
			domain.Unread = append(domain.Unread, why)
		}
	}
}

// knownUnread reports whether a selector selects something that is known and could not be read.
func (b *builder) knownUnread(s inventory.Selector) (known bool) {
	fleet.EachUnread(b.in.Inventories, func(_ string, p *inventory.Problem) {
		known = known || slices.ContainsFunc(p.Unread.Components, func(c inventory.Known) bool {
			return s.Matches(c.Named(b.in.Desired.Names[inventory.EnclosureOf(c.Address)]))
		})
	})
	return known
}

func unreadWarnings(all []plan.Unread) []string {
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

package executor

import (
	"fmt"
	"slices"

	"fwctl/executor/step"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// heed refuses a component that the cautions of earlier runs keep from being worked on. called returns what people call
// an address.
func (c *component) heed(cautions []inventory.Caution, called func(address string) string) step.Event {
	var startsBy plan.ActivateBy
	if c.is.HoldsHop(c.step) {
		startsBy = c.hop().ActivateBy
	}
	_, why := impact.Locked(cautions, c.step.Address, c.step.Domain(), startsBy, called)
	if why == "" {
		return step.Event{}
	}
	return c.refusedByGate(why)
}

// refusedByGate returns the event of a component whose ESP must not be reset now.
func (c *component) refusedByGate(why string) step.Event {
	if c.is.Touched {
		return step.Event{Kind: step.Fail, Reason: why + c.holding()}
	}
	return step.Event{Kind: step.Stale, Refusal: step.RefusedGate, Reason: why}
}

// forbids returns why a step's ESP must not be reset now, by what a fresh scan shows of the
// drives behind it; "" if it may be. Other hosts count as the plan saw them.
func (r *run) forbids(c *component, inv *inventory.Inventory) string {
	seen := func(id string) bool {
		return slices.ContainsFunc(inv.Enclosures, func(e inventory.Enclosure) bool { return e.ID() == id })
	}
	domain := c.step.Domain()
	for _, id := range domain {
		if !seen(id) {
			return "enclosure " + r.names.Called(id) + " of its fault domain is not in sight: " +
				"it is unknown whether its drives are in use"
		}
	}
	if why := r.unreadIn(domain, c.step.Host, inv); why != "" {
		return impact.PartUnread + why
	}
	effect := impact.Of([]*inventory.Inventory{inv}, []string{c.step.LUID}, domain, c.step.SeenElsewhere, r.names)
	if ok, why := impact.Permits(c.step.Reset, effect); !ok {
		return why
	}
	if effect.Worst == plan.IOInterruption && c.step.Disruption.Worst != plan.IOInterruption &&
		c.step.Selected(r.AcceptDisruption) < 0 {
		return "the plan says that no I/O stops, and now it may: " + effect.Why
	}
	return ""
}

// unreadIn returns a component of a fault domain, of those that the plan has on a host, that
// cannot be read now, and why; "" if all can be.
func (r *run) unreadIn(domain []string, host string, inv *inventory.Inventory) string {
	for i := range inv.Problems {
		p := &inv.Problems[i]
		for _, o := range r.Plan.Steps {
			if p.Unread == nil || o.Host != host || !slices.Contains(domain, o.Enclosure) || !p.Unread.Leads(o.LUID) {
				continue
			}
			read := func(e inventory.Enclosure) bool { return e.ESP(o.LUID) != nil }
			if !slices.ContainsFunc(inv.Enclosures, read) { // on another path either
				return fmt.Sprintf("%s (%s): %s", o.Called(), p.Path, p.Detail)
			}
		}
	}
	return ""
}

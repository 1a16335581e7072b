package impact

import (
	"slices"

	"fwctl/inventory"
	"fwctl/plan"
)

// Locked returns the caution that keeps a component from being worked on, and why; nil if none
// does. domain are the enclosures of its fault domain; startsBy is how its staged image is to
// be started, "" if it is not.
//
// called returns what people call an address.
//
// A component that needs an image comes first in its fault domain, and is not locked by
// another one that does. No command starts an image that only power on starts.
func Locked(
	cautions []inventory.Caution,
	address string,
	domain []string,
	startsBy plan.ActivateBy,
	called func(address string) string,
) (by *inventory.Caution, why string) {
	needsImage := inventory.CautionOf(cautions, inventory.NeedsImage, address) != nil
	for i := range cautions {
		c := &cautions[i]
		own := c.Address == address
		inDomain := slices.Contains(domain, inventory.EnclosureOf(c.Address))
		switch {
		case c.Kind == inventory.NeedsImage && own && startsBy != "":
			return c, "it needs a whole image before it is reset: do not power-cycle or reset it" + c.Source()
		case c.Kind == inventory.NeedsImage && !needsImage && inDomain:
			return c, called(c.Address) + " needs a whole image before anything else of its fault domain is touched: " +
				"apply one to it first, and do not power-cycle or reset it" + c.Dated()
		case c.Kind == inventory.Unfinished && own:
			return c, c.Words()
		case c.Kind == inventory.Unfinished && inDomain:
			return c, "a run is in the middle of its work on " + called(c.Address) +
				", of the same fault domain, or was broken off there: " +
				"unless that run goes on, `fwctl resume` comes first" + c.Source()
		case c.Kind == inventory.Unclear && own && startsBy != "",
			c.Kind == inventory.PowerOnly && own && startsBy == plan.ByModeF:
			return c, c.Words()
		}
	}
	return nil, ""
}

// Unfinished returns the cautions about the unfinished work of runs that block steps of a plan,
// each once.
func Unfinished(p *plan.Plan, inventories []*inventory.Inventory) []inventory.Caution {
	var cautions []inventory.Caution
	for _, inv := range inventories {
		for i := range inv.Enclosures {
			cautions = append(cautions, inv.Enclosures[i].Cautions...)
		}
	}
	if len(cautions) == 0 {
		return nil
	}
	names := p.Names()
	var blocking []inventory.Caution
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Action != plan.Blocked {
			continue
		}
		own := s.Own(cautions)
		by := inventory.CautionOf(own, inventory.Unfinished, s.Address)
		if by == nil {
			by, _ = Locked(own, s.Address, s.Domain(), "", names.Called)
		}
		if by != nil && by.Kind == inventory.Unfinished && !slices.Contains(blocking, *by) {
			blocking = append(blocking, *by)
		}
	}
	return blocking
}

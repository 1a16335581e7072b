package impact

import (
	"slices"

	"fwctl/inventory"
	"fwctl/plan"
)

// Locked says why what earlier runs have found out keeps a component from being
// worked on, "" where nothing does. domain are the enclosures of its fault domain;
// startsBy is how what it holds staged is to be started, "" where it is not.
//
// What needs an image is the first of its fault domain to be worked on, by a whole
// image: one that does is not locked by another. And no command starts what waits
// for power.
func Locked(cautions []inventory.Caution, address string, domain []string, startsBy plan.ActivateBy) string {
	needy := NeedsImage(cautions, address)
	for i := range cautions {
		c := &cautions[i]
		own := c.Address == address
		switch {
		case c.Kind == inventory.NeedsImage && own && startsBy != "":
			return "it needs a whole image before it is reset: do not power-cycle or reset it" + c.Source()
		case c.Kind == inventory.NeedsImage && needy == nil && slices.Contains(domain, inventory.EnclosureOf(c.Address)):
			return c.Address + " needs a whole image before anything else of its fault domain is touched: " +
				"apply one to it first, and do not power-cycle or reset it" + c.Dated()
		case c.Kind == inventory.Unfinished && own:
			return c.Words()
		case c.Kind == inventory.Unfinished && slices.Contains(domain, inventory.EnclosureOf(c.Address)):
			return "a run is in the middle of its work on " + c.Address + ", of the same fault domain, or was broken off there: unless that run goes on, `fwctl resume` comes first" + c.Source()
		case c.Kind == inventory.Unclear && own && startsBy != "",
			c.Kind == inventory.PowerOnly && own && startsBy == plan.ByModeF:
			return c.Words()
		}
	}
	return ""
}

// NeedsImage is the caution that a component is in need of an image, nil where it is not.
func NeedsImage(cautions []inventory.Caution, address string) *inventory.Caution {
	i := slices.IndexFunc(cautions, func(c inventory.Caution) bool { return c.Kind == inventory.NeedsImage && c.Address == address })
	if i < 0 {
		return nil
	}
	return &cautions[i]
}

package build

import (
	"slices"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// unfinished returns why it is unknown what a component runs or holds, "" if no run is in
// the middle of its work on it.
func (d *draft) unfinished() string {
	c := inventory.CautionOf(d.domain.Cautions, inventory.Unfinished, d.Address)
	if c == nil {
		return ""
	}
	d.reported = append(d.reported, *c)
	return c.Words()
}

// locked returns why what earlier runs have found out keeps a component from being worked
// on, "" if nothing does: impact.Locked, of the enclosures that are in sight.
func (d *draft) locked(startsBy plan.ActivateBy) string {
	if len(d.domain.Cautions) == 0 {
		return ""
	}
	by, why := impact.Locked(d.domain.Cautions, d.Address, d.domain.IDs(), startsBy)
	if by != nil {
		d.reported = append(d.reported, *by)
	}
	return why
}

// addCautions adds the cautions about a component to its reasons, but for those that are
// among them because they block it.
func (d *draft) addCautions() {
	for _, c := range d.domain.Cautions {
		if c.Address != d.Address || slices.Contains(d.reported, c) {
			continue
		}
		words := c.Words()
		switch {
		case d.step.Action == plan.Update && c.Kind == inventory.NeedsImage:
			words = "it needs a whole image, and this plan sends one: do not reset or power-cycle it before it " +
				"has got that" + c.Source()
		case d.step.Action == plan.Update && c.Kind == inventory.Unclear:
			words = "what it holds of an image that fwctl has sent is not known, and this plan's takes its place: " +
				"do not reset or power-cycle it before that" + c.Source()
		case d.step.Action == plan.Update: // which replaces what is staged
			continue
		}
		d.step.Reasons = append(d.step.Reasons, words)
	}
}

// unclear returns the caution that it is unknown what a component holds, nil if there is none.
func (d *draft) unclear() *inventory.Caution {
	return inventory.CautionOf(d.domain.Cautions, inventory.Unclear, d.Address)
}

// cautionWarnings warns of what in an enclosure must not lose power.
func cautionWarnings(e *fleet.Enclosure, cautions []inventory.Caution) []string {
	var warnings []string
	for _, c := range cautions {
		if c.Kind.NeedsPerson() && inventory.EnclosureOf(c.Address) == e.ID {
			warnings = append(warnings, c.Address+": "+c.Words())
		}
	}
	return warnings
}

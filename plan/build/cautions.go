package build

import (
	"slices"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// unfinished returns why it is unknown what a component runs or holds: a run is in the middle
// of its work on it. It returns "" if none is.
func (d *draft) unfinished() string {
	c := inventory.CautionOf(d.domain.Cautions, inventory.Unfinished, d.Address)
	if c == nil {
		return ""
	}
	d.reported = append(d.reported, *c)
	return c.Words()
}

// locked returns why a caution keeps a component from being worked on, "" if none does, as
// impact.Locked does, for the enclosures that are in sight.
func (d *draft) locked(startsBy plan.ActivateBy) string {
	if len(d.domain.Cautions) == 0 {
		return ""
	}
	by, why := impact.Locked(d.domain.Cautions, d.Address, d.domain.IDs(), startsBy, d.domain.Called)
	if by != nil {
		d.reported = append(d.reported, *by)
	}
	return why
}

// addCautions adds the cautions about a component to its reasons, unless they are there already
// because they block it.
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
		case d.step.Action == plan.Update: // it replaces the staged image
			continue
		}
		d.step.Reasons = append(d.step.Reasons, words)
	}
}

// unclear returns the caution that it is unknown what a component holds, nil if there is none.
func (d *draft) unclear() *inventory.Caution {
	return inventory.CautionOf(d.domain.Cautions, inventory.Unclear, d.Address)
}

// cautionWarnings warns of the components of an enclosure that must not lose power.
func cautionWarnings(e *fleet.Enclosure, cautions []inventory.Caution) []string {
	var warnings []string
	for _, c := range cautions {
		if c.Kind.NeedsPerson() && inventory.EnclosureOf(c.Address) == e.ID {
			warnings = append(warnings, inventory.Called(e.Name, c.Address)+": "+c.Words())
		}
	}
	return warnings
}

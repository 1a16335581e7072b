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
func (j *job) unfinished() string {
	c := inventory.CautionOf(j.domain.Cautions, inventory.Unfinished, j.Address)
	if c == nil {
		return ""
	}
	j.told = append(j.told, *c)
	return c.Words()
}

// locked returns why what earlier runs have found out keeps a component from being worked
// on, "" if nothing does: impact.Locked, of the enclosures that are in sight.
func (j *job) locked(startsBy plan.ActivateBy) string {
	if len(j.domain.Cautions) == 0 {
		return ""
	}
	by, why := impact.Locked(j.domain.Cautions, j.Address, j.domain.IDs(), startsBy)
	if by != nil {
		j.told = append(j.told, *by)
	}
	return why
}

// tellCautions tells, in the row, what has to be minded about a component and is
// not told there as the reason why it is blocked.
func (j *job) tellCautions() {
	for _, c := range j.domain.Cautions {
		if c.Address != j.Address || slices.Contains(j.told, c) {
			continue
		}
		words := c.Words()
		switch {
		case j.step.Action == plan.Update && c.Kind == inventory.NeedsImage:
			words = "it needs a whole image, and this plan sends one: do not reset or power-cycle it before it has got that" + c.Source()
		case j.step.Action == plan.Update && c.Kind == inventory.Unclear:
			words = "what it holds of an image that fwctl has sent is not known, and this plan's takes its place: " +
				"do not reset or power-cycle it before that" + c.Source()
		case j.step.Action == plan.Update: // which replaces what is staged
			continue
		}
		j.step.Reasons = append(j.step.Reasons, words)
	}
}

// unclear is the caution that it is unknown what a component holds, nil if there is none.
func (j *job) unclear() *inventory.Caution {
	return inventory.CautionOf(j.domain.Cautions, inventory.Unclear, j.Address)
}

// cautionWarnings tells of what in an enclosure must not lose power.
func cautionWarnings(e *fleet.Enclosure, cautions []inventory.Caution) []string {
	var warnings []string
	for _, c := range cautions {
		if (c.Kind == inventory.NeedsImage || c.Kind == inventory.Unclear) && inventory.EnclosureOf(c.Address) == e.ID {
			warnings = append(warnings, c.Address+": "+c.Words())
		}
	}
	return warnings
}

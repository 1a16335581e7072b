package build

import (
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// unfinished is why it is unknown what a component runs or holds, "" if a run is not in
// the middle of its work on it.
func (b *builder) unfinished(j *job) string {
	for _, c := range j.domain.Cautions {
		if c.Kind == inventory.Unfinished && c.Address == j.Address {
			return c.Words()
		}
	}
	return ""
}

// locked is Locked, of a component and the enclosures that are in sight.
func (b *builder) locked(j *job, startsBy plan.ActivateBy) string {
	domain := j.domain
	if len(domain.Cautions) == 0 {
		return ""
	}
	return impact.Locked(domain.Cautions, j.Address, domain.IDs(), startsBy)
}

// tellCautions tells, in the row, what has to be minded about a component and is
// not told there as the reason why it is blocked.
func (b *builder) tellCautions(j *job) {
	for _, c := range j.domain.Cautions {
		if c.Address != j.Address || slices.ContainsFunc(j.step.Reasons, func(r string) bool { return strings.HasSuffix(r, c.Source()) }) {
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
	all := j.domain.Cautions
	i := slices.IndexFunc(
		all,
		func(c inventory.Caution) bool { return c.Kind == inventory.Unclear && c.Address == j.Address },
	)
	if i < 0 {
		return nil
	}
	return &all[i]
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

package plan

import (
	"slices"
	"strings"

	"fwctl/inventory"
)

// Locked says why what earlier runs have found out keeps a component from being
// worked on, "" where nothing does. domain are the enclosures of its fault domain;
// startsBy is how what it holds staged is to be started, "" where it is not.
//
// What needs an image is the first of its fault domain to be worked on, by a whole
// image: one that does is not locked by another. And no command starts what waits
// for power.
func Locked(cautions []inventory.Caution, address string, domain []string, startsBy ActivateBy) string {
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
			c.Kind == inventory.PowerOnly && own && startsBy == ByModeF:
			return c.Words()
		}
	}
	return ""
}

// Own returns cautions with the step's address in place of its aliases: a caution holds
// for the component under whichever of its addresses it was recorded.
func (s *Step) Own(cautions []inventory.Caution) []inventory.Caution {
	own := slices.Clone(cautions)
	for i := range own {
		if slices.Contains(s.Aliases, own[i].Address) {
			own[i].Address = s.Address
		}
	}
	return own
}

// NeedsImage is the caution that a component is in need of an image, nil where it is not.
func NeedsImage(cautions []inventory.Caution, address string) *inventory.Caution {
	i := slices.IndexFunc(cautions, func(c inventory.Caution) bool { return c.Kind == inventory.NeedsImage && c.Address == address })
	if i < 0 {
		return nil
	}
	return &cautions[i]
}

// unfinished is why it is unknown what a component runs or holds, "" if a run is not in
// the middle of its work on it.
func (b *builder) unfinished(j *job) string {
	for _, c := range j.e.domain.cautions {
		if c.Kind == inventory.Unfinished && c.Address == j.address {
			return c.Words()
		}
	}
	return ""
}

// locked is Locked, of a component and the enclosures that are in sight.
func (b *builder) locked(j *job, startsBy ActivateBy) string {
	domain := j.e.domain
	if len(domain.cautions) == 0 {
		return ""
	}
	return Locked(domain.cautions, j.address, domain.ids(), startsBy)
}

// tellCautions tells, in the row, what has to be minded about a component and is
// not told there as the reason why it is blocked.
func (b *builder) tellCautions(j *job) {
	for _, c := range j.e.domain.cautions {
		if c.Address != j.address || slices.ContainsFunc(j.step.Reasons, func(r string) bool { return strings.HasSuffix(r, c.Source()) }) {
			continue
		}
		words := c.Words()
		switch {
		case j.step.Action == Update && c.Kind == inventory.NeedsImage:
			words = "it needs a whole image, and this plan sends one: do not reset or power-cycle it before it has got that" + c.Source()
		case j.step.Action == Update && c.Kind == inventory.Unclear:
			words = "what it holds of an image that fwctl has sent is not known, and this plan's takes its place: " +
				"do not reset or power-cycle it before that" + c.Source()
		case j.step.Action == Update: // which replaces what is staged
			continue
		}
		j.step.Reasons = append(j.step.Reasons, words)
	}
}

// unclear is the caution that it is unknown what a component holds, nil if there is none.
func (j *job) unclear() *inventory.Caution {
	all := j.e.domain.cautions
	i := slices.IndexFunc(
		all,
		func(c inventory.Caution) bool { return c.Kind == inventory.Unclear && c.Address == j.address },
	)
	if i < 0 {
		return nil
	}
	return &all[i]
}

// cautionWarnings tells of what in an enclosure must not lose power.
func cautionWarnings(e *enclosure, cautions []inventory.Caution) []string {
	var warnings []string
	for _, c := range cautions {
		if (c.Kind == inventory.NeedsImage || c.Kind == inventory.Unclear) && inventory.EnclosureOf(c.Address) == e.id {
			warnings = append(warnings, c.Address+": "+c.Words())
		}
	}
	return warnings
}

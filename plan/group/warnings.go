package group

import (
	"strings"

	"fwctl/inventory"
	"fwctl/plan"
)

// Warning is one warning of a plan, or several that say the same.
type Warning struct {
	// Text has no enclosure in front if there are Places.
	Text string

	// Places are what it is about, if it is several warnings about several of them.
	Places []Place

	// Count is how many warnings it stands for.
	Count int
}

// Warnings returns a plan's warnings. Warnings that say the same of several enclosures are one;
// at the levels above Fine, they may differ in words that have a digit.
func Warnings(p *plan.Plan, level Level) []Warning {
	names := map[string]string{}
	for i := range p.Steps {
		names[p.Steps[i].Enclosure] = p.Steps[i].Name
	}
	shape := exactly
	if level > Fine {
		shape = alike
	}
	type same struct {
		whole, texts []string
		about        []inventory.Named
	}
	var all []*same
	index := map[string]*same{}
	for _, w := range p.Warnings {
		about, text, found := strings.Cut(w, ": ")
		key := "\x00"
		if !found || strings.Contains(about, " ") {
			// It names nothing, or more than one thing.
			about, text, key = "", w, ""
		}
		key += ShapeOf(text, shape)
		if index[key] == nil {
			index[key] = &same{}
			all = append(all, index[key])
		}
		s := index[key]
		s.whole, s.texts = append(s.whole, w), append(s.texts, text)
		if about != "" {
			s.about = append(s.about, inventory.Named{Address: about, Name: names[inventory.EnclosureOf(about)]})
		}
	}
	var warnings []Warning
	for _, s := range all {
		if len(s.whole) == 1 {
			warnings = append(warnings, Warning{Text: s.whole[0], Count: 1})
			continue
		}
		warnings = append(warnings, Warning{common(s.texts), PlacesOf(s.about), len(s.whole)})
	}
	return warnings
}

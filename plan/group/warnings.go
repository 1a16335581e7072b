package group

import (
	"cmp"
	"slices"
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

	// Count is how many warnings it is.
	Count int
}

// Warnings returns a plan's warnings, those that say the same of several enclosures once.
// At the levels above Fine, that is if they differ only in what has a digit.
func Warnings(p *plan.Plan, level Level) []Warning {
	labels := map[string]string{}
	for i := range p.Steps {
		labels[p.Steps[i].Enclosure] = Label(&p.Steps[i])
	}
	shape := exactly
	if level > Fine {
		shape = alike
	}
	type subject struct{ label, component string }
	type same struct {
		whole, texts []string
		subjects     []subject
	}
	var all []*same
	index := map[string]*same{}
	for _, w := range p.Warnings {
		about, text, found := strings.Cut(w, ": ")
		enclosure := inventory.EnclosureOf(about)
		label, known := labels[enclosure]
		switch {
		case !found || strings.Contains(about, " "):
			label, text = "", w
		case !known:
			// A host, or an enclosure that the plan has no component of.
			label, enclosure = about, about
		}
		key := ShapeOf(text, shape)
		if label != "" {
			key = "\x00" + key
		}
		if index[key] == nil {
			index[key] = &same{}
			all = append(all, index[key])
		}
		s := index[key]
		s.whole, s.texts = append(s.whole, w), append(s.texts, text)
		if label != "" {
			s.subjects = append(s.subjects, subject{label, strings.Trim(strings.TrimPrefix(about, enclosure), "/")})
		}
	}
	var warnings []Warning
	for _, s := range all {
		if len(s.whole) == 1 {
			warnings = append(warnings, Warning{Text: s.whole[0], Count: 1})
			continue
		}
		slices.SortStableFunc(s.subjects, func(a, b subject) int {
			return cmp.Or(CompareNames(a.label, b.label), cmp.Compare(a.component, b.component))
		})
		var where places
		for i := 0; i < len(s.subjects); {
			label := s.subjects[i].label
			var components []string
			for ; i < len(s.subjects) && s.subjects[i].label == label; i++ {
				if c := s.subjects[i].component; c != "" {
					components = append(components, c)
				}
			}
			where.add(label, components)
		}
		warnings = append(warnings, Warning{common(s.texts), where.list, len(s.whole)})
	}
	return warnings
}

package build

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/schemas"
)

// wantOf returns what is wanted of a component, nil for nothing.
func (b *builder) wantOf(c fleet.Component) *goal {
	found := -1
	primary := c.Primary()
	for i, w := range b.in.Desired.Want {
		m := b.in.Desired.Models[w.Model]
		if !m.Match.Fits(primary.Vendor, primary.Product) {
			continue
		}
		b.matches[i].models++
		if len(w.Enclosures) > 0 && !b.matches[i].selects(w.Enclosures, c) {
			continue
		}
		b.matches[i].enclosures++
		if !slices.Contains(m.Parts[m.Images[w.Image].Part].Subenclosures, c.Sub.ID) {
			continue
		}
		b.matches[i].components++
		if found >= 0 {
			pair := [2]int{found, i}
			known := b.clashes[pair]
			b.clashes[pair] = clash{first: cmp.Or(known.first, c.Address), count: known.count + 1}
			continue
		}
		found = i
	}
	if found < 0 {
		return nil
	}
	return b.goals[found]
}

// wantMatch counts what a want has matched, to say why if it has matched nothing.
type wantMatch struct {
	models, enclosures, components int
	selected                       []bool // by the want's selectors: it selects a component of the model
}

// selects reports whether one of a want's selectors selects a component, and marks
// those that do.
func (m *wantMatch) selects(selectors []inventory.Selector, c fleet.Component) bool {
	if m.selected == nil {
		m.selected = make([]bool, len(selectors))
	}
	found := false
	for i := range selectors {
		if (!found || !m.selected[i]) && c.Selected(selectors[i:i+1]) == 0 {
			found, m.selected[i] = true, true
		}
	}
	return found
}

// clash is two wants that match the same components.
type clash struct {
	first string // address
	count int
}

func (b *builder) err() error {
	d := b.in.Desired
	if err := b.checkImages(); err != nil {
		return err
	}
	if err := plan.Unmatched("--target", b.in.Targets, b.survey.Named(), "these enclosures"); err != nil {
		return err
	}
	var problems []schemas.Problem
	for pair, c := range b.clashes {
		p := d.At("want", strconv.Itoa(pair[1]))
		p.Summary = fmt.Sprintf("%s and %s both match %s", b.in.Desired.WantName(pair[0]),
			b.in.Desired.WantName(pair[1]), c.first)
		if c.count > 1 {
			p.Summary += fmt.Sprintf(" and %d more", c.count-1)
		}
		p.Hint = "narrow one of them down with enclosures, or take it out"
		problems = append(problems, p)
	}
	return schemas.Join(problems)
}

// checkImages requires all images that a way to a wanted one may lead over.
func (b *builder) checkImages() error {
	for n, want := range b.in.Desired.Want {
		model := b.in.Desired.Models[want.Model]
		for _, name := range append([]string{want.Image}, slices.Sorted(maps.Keys(model.Images))...) {
			i := model.Images[name]
			if _, ok := b.in.ImageSizes[i.SHA256]; !ok && b.matches[n].components > 0 &&
				i.Part == model.Images[want.Image].Part {
				return fmt.Errorf("cannot plan without image %s (SHA-256 %s): load it first", name, i.SHA256)
			}
		}
	}
	return nil
}

func (b *builder) wantWarnings() []string {
	var warnings []string
	for i, m := range b.matches {
		w := b.in.Desired.Want[i]
		match := b.in.Desired.Models[w.Model].Match
		why := ""
		switch {
		case m.components > 0:
			continue
		case m.models == 0:
			why = fmt.Sprintf("no enclosure in sight is vendor %q, product %q", cmp.Or(match.Vendor, "*"),
				cmp.Or(match.Product, "*"))
		case m.enclosures == 0:
			continue // selectorWarnings says so
		default:
			why = "none of the model's enclosures has a subenclosure of that part"
		}
		if b.anyUnread() {
			why += "; but not every device could be read"
		}
		warnings = append(warnings, fmt.Sprintf("%s matches nothing: %s", b.in.Desired.WantName(i), why))
	}
	return warnings
}

// selectorWarnings warns of the desired state's selectors that select nothing here.
// It may cover more than the inventories do.
func (b *builder) selectorWarnings() []string {
	d := b.in.Desired
	var warnings []string
	for _, s := range d.Selectors() {
		why := ""
		switch inSight := len(b.survey.Selected(s.Selector)) > 0; {
		case s.Unnamed != "":
			why = s.Unnamed
			if near := d.NearestName(s); near != "" {
				why += "; " + near
			}
		case s.Want >= 0 && b.matches[s.Want].models == 0: // wantWarnings says so
		case s.Want >= 0 && inSight && !b.matches[s.Want].selected[s.Index]:
			why = fmt.Sprintf("%s: %s selects nothing of model %s", s.Of, s.Selector, d.Want[s.Want].Model)
		case !inSight && b.knownUnread(s.Selector):
			why = fmt.Sprintf("%s: %s selects only what could not be read", s.Of, s.Selector)
		case !inSight:
			why = fmt.Sprintf("%s: %s selects nothing in sight", s.Of, s.Selector)
			if s.Path[0] == "faultDomains" {
				why += ": nothing here is kept apart from resets there"
			}
		}
		if why != "" {
			warnings = append(warnings, why)
		}
	}
	return warnings
}

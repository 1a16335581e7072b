package ui

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/plan"
)

// Inventory draws an inventory. names are those of its enclosures.
func (sc Screen) Inventory(inv *inventory.Inventory, names inventory.Names, quirk Quirk) string {
	esps := 0
	for i := range inv.Enclosures {
		esps += len(inv.Enclosures[i].ESPs)
	}
	lines := sc.wrap(fmt.Sprintf("Scanned %s on %s: %s.",
		Moment(inv.ScannedAt), inv.Host, Counted(len(inv.Enclosures), esps)), "", "  ")
	if t := inventoryTable(inv, names, quirk); len(t.rows) > 0 {
		rows, _ := t.draw(sc)
		lines = append(append(lines, ""), rows...)
	}
	for i := range inv.Problems {
		if i == 0 {
			lines = append(lines, "")
		}
		for _, line := range sc.wrap("PROBLEM "+problemText(&inv.Problems[i], names), "", "        ") {
			lines = append(lines, sc.paint(warning, line))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// Quirk returns the name of the row of the quirk table that fits a device, "" if none does.
type Quirk func(vendor, product, revision string) string

// problemText says what could not be read, and why.
func problemText(p *inventory.Problem, names inventory.Names) string {
	text := p.Path
	if p.Unread != nil && len(p.Unread.Components) > 0 {
		var behind []string
		for _, c := range p.Unread.Components {
			behind = append(behind, names.Called(c.Address))
		}
		text += " (" + strings.Join(behind, ", ") + ")"
	}
	return Because(text+": "+p.Summary, p.Detail)
}

// inventoryTable returns a row for each component. What is noted of an enclosure, or of a
// module, stands with the first of its components.
func inventoryTable(inv *inventory.Inventory, names inventory.Names, quirk Quirk) table {
	t := table{columns: []column{
		{"ADDRESS", key}, {"NAME", label}, {"VENDOR", below}, {"PRODUCT", below}, {"REV", below}, {"STAGED", below},
		{"PATHS", below}, {"HEALTH", below}, {"NOTES", reason},
	}}
	const paths = 6
	rowOf := map[string]int{}
	for _, e := range inv.Enclosures {
		notes, noted := enclosureNotes(e), ""
		for _, esp := range e.ESPs {
			primary := esp.Subenclosures[0]
			if name := quirk(primary.Vendor, primary.Product, primary.Revision); name != noted && name != "" {
				noted = name
				notes = append(notes, "quirk "+name)
			}
			for _, sub := range esp.Subenclosures {
				// Two ESPs can serve one component.
				if at, ok := rowOf[sub.Address]; ok {
					t.rows[at].cells[paths] += " " + strings.Join(esp.Paths, " ")
					continue
				}
				rowOf[sub.Address] = len(t.rows)
				t.rows = append(t.rows, componentRow(e, esp, sub, names.Of(sub.Address), notes))
				notes = nil
			}
		}
	}
	return t
}

// componentRow returns the row of a component, with the name of its enclosure, and notes of that and its own.
func componentRow(
	e inventory.Enclosure, esp inventory.ESP, sub inventory.Subenclosure, name string, notes []string,
) row {
	var r row
	staged := ""
	if e.Health.Critical || e.Health.Unrecoverable {
		r.tone = alarm
	}
	if c := cautionNotes(e, sub.Address); len(c) > 0 {
		notes = append(notes, c...)
		r.tone = alarm
	}
	if s := sub.Staged; s != nil {
		staged = s.Label()
		note := fmt.Sprintf("%sstaged %s by %s, image %s",
			strings.TrimPrefix(s.Revision+" ", " "), Moment(s.Since), s.By, plan.ShortDigest(s.SHA256))
		notes = append(notes, confirmedOr(note, s.Confirmed))
	}
	for _, b := range sub.Beside {
		notes = append(notes, fmt.Sprintf("behind buffer %d, which reports no revision: image %s, sent %s, "+
			"as this host remembers", b.BufferID, plan.ShortDigest(b.SHA256), Moment(b.At)))
	}
	r.cells = []string{
		sub.Address, name, sub.Vendor, sub.Product, sub.Revision, staged, strings.Join(esp.Paths, " "),
		healthOf(e.Health),
		strings.Join(notes, "\n"),
	}
	r.fill()
	return r
}

// enclosureNotes says how many drives an enclosure has, and what is wrong with it, a line each.
func enclosureNotes(e inventory.Enclosure) []string {
	notes := []string{drivesCount(&e)}
	if len(e.MissingESPs) > 0 {
		var ids []string
		for _, id := range e.MissingESPs {
			ids = append(ids, fmt.Sprintf("esp%d", id))
		}
		notes = append(notes, fmt.Sprintf("not in sight of this host: %s", strings.Join(ids, ", ")))
	}
	for _, c := range e.Cautions {
		inSight := func(esp inventory.ESP) bool {
			return slices.ContainsFunc(esp.Subenclosures, func(sub inventory.Subenclosure) bool {
				return sub.Address == c.Address
			})
		}
		if !slices.ContainsFunc(e.ESPs, inSight) {
			notes = append(notes, c.Address+", not in sight: "+c.Words())
		}
	}
	return append(notes, e.Health.Failures...)
}

// cautionNotes returns the cautions about a component, a line each.
func cautionNotes(e inventory.Enclosure, address string) []string {
	var notes []string
	for _, c := range e.Cautions {
		if c.Address == address {
			notes = append(notes, c.Words())
		}
	}
	return notes
}

func healthOf(h inventory.Health) string {
	switch {
	case h.Unrecoverable:
		return "UNRECOVERABLE"
	case h.Critical:
		return "CRITICAL"
	case len(h.Failures) > 0:
		return "degraded"
	}
	return "ok"
}

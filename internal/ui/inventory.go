package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
)

// Inventory draws an inventory. quirk returns the name of the row of the quirk table that
// fits a device, "" if none does.
func (sc Screen) Inventory(inv *inventory.Inventory, quirk func(vendor, product, revision string) string) string {
	esps, rowOf := 0, map[string]int{}
	t := table{columns: []column{
		{"ADDRESS", key}, {"VENDOR", below}, {"PRODUCT", below}, {"REV", below}, {"STAGED", below},
		{"PATHS", below}, {"HEALTH", below}, {"NOTES", reason},
	}}
	for _, e := range inv.Enclosures {
		esps += len(e.ESPs)
		notes, told := enclosureNotes(e), ""
		for _, esp := range e.ESPs {
			primary := esp.Subenclosures[0]
			if name := quirk(primary.Vendor, primary.Product, primary.Revision); name != told && name != "" {
				told = name
				notes = append(notes, "quirk "+name)
			}
			for _, sub := range esp.Subenclosures {
				if at, ok := rowOf[sub.Address]; ok {
					// One component that two ESPs serve.
					t.rows[at].cells[5] += " " + strings.Join(esp.Paths, " ")
					continue
				}
				rowOf[sub.Address] = len(t.rows)
				r := row{cells: []string{sub.Address, sub.Vendor, sub.Product, sub.Revision, "-", strings.Join(esp.Paths, " "), healthOf(e.Health), "-"}}
				if c := cautionNotes(e, sub.Address); len(c) > 0 {
					notes = append(notes, c...)
					r.tone = alarm
				}
				if s := sub.Staged; s != nil {
					r.cells[4] = s.Label()
					note := fmt.Sprintf("%sstaged %s by %s, image %s", strings.TrimPrefix(s.Revision+" ", " "), Moment(s.Since), s.By, ShortDigest(s.SHA256))
					notes = append(notes, confirmedOr(note, s.Confirmed))
				}
				for _, b := range sub.Beside {
					notes = append(
						notes,
						fmt.Sprintf(
							"behind buffer %d, which reports no revision: image %s, sent %s, as this host remembers",
							b.BufferID,
							ShortDigest(b.SHA256),
							Moment(b.At),
						),
					)
				}
				if len(notes) > 0 {
					r.cells[7], notes = strings.Join(notes, "\n"), nil
				}
				if e.Health.Critical || e.Health.Unrecoverable {
					r.tone = alarm
				}
				for i := range r.cells {
					r.cells[i] = cmp.Or(r.cells[i], "-")
				}
				t.rows = append(t.rows, r)
			}
		}
	}

	lines := sc.wrap(fmt.Sprintf("Scanned %s on %s: %s.", Moment(inv.ScannedAt), inv.Host, Counted(len(inv.Enclosures), esps)), "", "  ")
	if len(t.rows) > 0 {
		rows, _ := t.draw(sc)
		lines = append(append(lines, ""), rows...)
	}
	for i, p := range inv.Problems {
		if i == 0 {
			lines = append(lines, "")
		}
		text := "PROBLEM " + p.Path
		if p.Unread != nil && len(p.Unread.Components) > 0 {
			var behind []string
			for _, c := range p.Unread.Components {
				behind = append(behind, c.Address)
			}
			text += " (" + strings.Join(behind, ", ") + ")"
		}
		text += ": " + p.Summary
		if p.Detail != "" {
			text += ": " + p.Detail
		}
		for _, line := range sc.wrap(text, "", "        ") {
			lines = append(lines, sc.paint(warning, line))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// enclosureNotes says what is wrong with an enclosure, a line each.
func enclosureNotes(e inventory.Enclosure) []string {
	var notes []string
	if len(e.MissingESPs) > 0 {
		var ids []string
		for _, id := range e.MissingESPs {
			ids = append(ids, fmt.Sprintf("esp%d", id))
		}
		notes = append(notes, fmt.Sprintf("not in sight of this host: %s", strings.Join(ids, ", ")))
	}
	for _, c := range e.Cautions {
		inSight := func(esp inventory.ESP) bool {
			return slices.ContainsFunc(esp.Subenclosures, func(sub inventory.Subenclosure) bool { return sub.Address == c.Address })
		}
		if !slices.ContainsFunc(e.ESPs, inSight) {
			notes = append(notes, c.Address+", not in sight: "+c.Words())
		}
	}
	return append(notes, e.Health.Failures...)
}

// cautionNotes says what has to be minded about a component, a line each.
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

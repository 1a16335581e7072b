package impact

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// evidence returns where drives were looked for, and for each drive which source says why it
// counts as in use, or why it does not.
func (sv *Survey) evidence(enclosures []*fleet.Enclosure, found []finding) []string {
	var said []string
	for _, e := range enclosures {
		for _, v := range e.Views {
			if v.DriveEvidence != nil {
				said = append(said, fmt.Sprintf("drives behind %s, seen from %s: %s", e.Called(), v.Host,
					strings.Join(v.DriveEvidence, ", ")))
			}
		}
	}
	alike := map[string][]finding{} // drives with the same words
	var order []string
	for _, f := range found {
		if f.fate != unused && f.fate != failsOver {
			said = append(said, slots([]finding{f}, nil)+": "+riskWords(f.drive))
			continue
		}
		words := sv.safeWords(f)
		if alike[words] == nil {
			order = append(order, words)
		}
		alike[words] = append(alike[words], f)
	}
	for _, words := range order {
		for some := range slices.Chunk(alike[words], mostSlots) {
			said = append(said, slots(some, nil)+": "+words)
		}
	}
	return said
}

// riskWords returns why a drive that may be cut off counts.
func riskWords(d *inventory.Drive) string {
	use := "use unknown"
	if len(d.InUse) > 0 {
		use = strings.Join(d.InUse, ", ")
	} else if len(d.Paths) == 0 {
		use = "use unknown, no host of the plan sees it"
	}
	words := append([]string{use}, d.Evidence...)
	for _, p := range downPaths(d) {
		words = append(words, p.Device+" is not a live path: "+p.Down)
	}
	return strings.Join(words, "; ")
}

// safeWords returns why a drive is not cut off from its users: it is in use and goes on, or a
// host has looked and found it unused. It says once what holds for each of its paths, so that
// drives with the same words share a line.
func (sv *Survey) safeWords(f finding) string {
	if f.fate == failsOver {
		return "in use, with a live path through " + sv.label(f.through, nil)
	}
	var said []string
	for k := range f.enclosure.Views {
		v := &f.enclosure.Views[k]
		for i := range v.Drives {
			d := &v.Drives[i]
			if d.InUse == nil || !newFinding(f.enclosure, d).same(f) {
				continue
			}
			words := []string{fmt.Sprintf("not in use on %s: %s", v.Host, inventory.NoUser)}
			for _, e := range d.Evidence {
				path, rest, ok := strings.Cut(e, ": ")
				if ok && slices.ContainsFunc(d.Paths, func(p inventory.DrivePath) bool { return p.Device == path }) {
					e = rest
				}
				e = strings.TrimSuffix(e, fmt.Sprintf(" in slot %d", d.Slot)) // it is listed under its slot
				if !slices.Contains(words, e) {
					words = append(words, e)
				}
			}
			said = append(said, strings.Join(words, "; "))
		}
	}
	if len(said) == 0 { // under another slot or address there
		return "not in use, as another host of the plan sees it"
	}
	return strings.Join(slices.Compact(said), "; ")
}

package impact

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// describe returns findings in words, the worst first.
func (sv *Survey) describe(found []finding, luIDs, unknown []string, home *fleet.Enclosure) string {
	var by [unseen + 1][]finding // of those that need their slots named
	var sata []finding           // those that are cut off because they have one port
	var through []string
	carried := 0 // drives that go on
	for _, f := range found {
		switch f.fate {
		case unused:
		case failsOver: // nearly all of a large fleet
			carried++
			if label := sv.label(f.through, home); !slices.Contains(through, label) {
				through = append(through, label)
			}
		default:
			if f.fate == cutOff && f.drive.Protocol == inventory.SATA {
				sata = append(sata, f)
				continue
			}
			by[f.fate] = append(by[f.fate], f)
		}
	}
	slices.Sort(through)
	var parts []string
	add := func(found []finding, how string) { parts = append(parts, sv.byHost(found, how, luIDs, home)...) }
	add(sata, "in use%s, SATA, no other path")
	add(by[cutOff], "in use%s, no other path")
	add(by[noMultipath], "in use%s, with another path that is not used (no multipath)")
	add(by[pathsUnknown], "in use%s, and it is unknown what the paths lead through")
	if n := len(by[useUnknown]); n == len(found) && n > 0 {
		parts = append(parts,
			fmt.Sprintf("use and paths of its %d %s were not examined (inventory --probe-use does), so they count as "+
				"in use without another path", n, english.PluralWord(n, "drive", "")))
	} else {
		add(by[useUnknown], "not known to be unused%s, which counts as in use, no other path")
	}
	if len(by[unseen]) > 0 {
		parts = append(parts, slots(by[unseen], home)+unseenWords)
	}
	parts = append(parts, unknown...)
	if carried > 0 {
		all := ", all"
		if carried == 1 {
			all = ","
		}
		parts = append(parts, fmt.Sprintf("%d %s in use%s with a live path through %s", carried,
			english.PluralWord(carried, "drive", ""), all, strings.Join(through, " or ")))
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, "; ")
	case len(found) == 0:
		return "no drive behind it"
	case len(found) == 1:
		return "its one drive is not in use"
	}
	return fmt.Sprintf("none of its %d drives is in use", len(found))
}

// byHost returns how drives are, with the hosts where they are so in place of %s in how.
func (sv *Survey) byHost(found []finding, how string, luIDs []string, home *fleet.Enclosure) []string {
	var parts, hosts []string
	on := map[string][]finding{}
	for _, f := range found {
		at := sv.on(f, luIDs)
		if on[at] == nil {
			hosts = append(hosts, at)
		}
		on[at] = append(on[at], f)
	}
	for _, at := range hosts {
		parts = append(parts, slots(on[at], home)+" "+fmt.Sprintf(how, at))
	}
	return parts
}

// on names the hosts where a drive has its fate, if several see its enclosure.
func (sv *Survey) on(f finding, luIDs []string) string {
	if len(f.enclosure.Views) < 2 {
		return ""
	}
	var hosts []string
	for k := range f.enclosure.Views {
		v := &f.enclosure.Views[k]
		for i := range v.Drives {
			if d := &v.Drives[i]; newFinding(f.enclosure, d).same(f) {
				if fate, _ := sv.fate(f.enclosure, v, d, luIDs); fate == f.fate && !slices.Contains(hosts, v.Host) {
					hosts = append(hosts, v.Host)
				}
			}
		}
	}
	return " on " + strings.Join(hosts, ", ")
}

// label names an ESP as seen from an enclosure: esp2, or with its own enclosure.
func (sv *Survey) label(luID string, home *fleet.Enclosure) string {
	at, ok := sv.ESPs[luID]
	switch {
	case !ok:
		return "logical unit " + luID
	case at.Of != home:
		return inventory.Called(at.Of.Name, at.Of.ID+"/"+at.ID)
	}
	return at.ID
}

// mostSlots is how many drives of many are named.
const mostSlots = 8

// slots names drives by their slots, those at home first, then those in no slot:
// slots 7, 11, slot 3 of 5000ccab04002000, sda (in no slot).
func slots(found []finding, home *fleet.Enclosure) string {
	shown := found[:min(len(found), mostSlots)] // sorted by enclosure
	var parts []string
	for len(shown) > 0 {
		e := shown[0].enclosure
		var numbers, names []string
		for ; len(shown) > 0 && shown[0].enclosure == e; shown = shown[1:] {
			if d := shown[0].drive; d.Slot == inventory.NoSlot {
				names = append(names, d.Name())
			} else {
				numbers = append(numbers, strconv.Itoa(int(d.Slot)))
			}
		}
		var both []string
		if len(numbers) > 0 {
			both = append(both, english.PluralWord(len(numbers), "slot", "")+" "+strings.Join(numbers, ", "))
		}
		if len(names) > 0 {
			both = append(both, strings.Join(names, ", ")+" (in no slot)")
		}
		text := strings.Join(both, ", ")
		if e == home {
			parts = slices.Insert(parts, 0, text)
		} else {
			parts = append(parts, text+" of "+e.Called())
		}
	}
	text := strings.Join(parts, ", ")
	if more := len(found) - mostSlots; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory"
)

// Effect is what a reset does to those who use the drives behind what is reset.
type Effect struct {
	Expected Impact // ESPReset or IOInterruption
	Worst    Impact // likewise, where what is not known counts as in use
	Busy     string // what of the fault domain is in use, or may be, in words; "" where nothing is
	Why      string // which drives are in use and how they go on, in words
}

// ResetImpact tells what it does when ESPs, by lu_id, are reset at once, as the
// inventories of one or several hosts show it. A drive in use goes on where what
// uses it really has another live path, known to lead neither through one of the
// ESPs nor through anything behind them. What the inventories do not tell counts
// as in use and as lost.
//
// domain holds the enclosures, by the first part of their addresses, that belong
// to the fault domain beyond what the inventories show; Effect.Busy is about all
// of it. A host whose inventory is not among them is not seen: the caller asks
// for one of each host that is attached.
func ResetImpact(inventories []*inventory.Inventory, luIDs, domain []string) Effect {
	f := mergeHosts(inventories)
	var together []*enclosure
	for _, id := range domain {
		if e := f.enclosure(id); e != nil {
			together = append(together, e)
		}
	}
	sv := newSurvey(f, [][]*enclosure{together})
	e := sv.impact(luIDs)
	e.Busy = "the enclosure was not scanned"
	if first, ok := sv.esps[luIDs[0]]; ok {
		e.Busy = first.of.domain.inUse()
	}
	return e
}

// Permits tells whether a policy permits a reset, and if not, why.
func Permits(reset Reset, e Effect) (ok bool, why string) {
	switch {
	case reset == ResetAlways, reset == ResetIdle && e.Busy == "", reset == ResetRedundant && e.Worst != IOInterruption:
		return true, ""
	case reset == ResetIdle:
		return false, "the policy says reset: idle: " + e.Busy
	case reset == ResetRedundant:
		return false, "the policy says reset: redundant: " + e.Why
	}
	return false, "the policy says reset: never"
}

// fate is what a reset does to a drive, from good to bad.
type fate int

const (
	unused  fate = iota // nothing uses it
	goesOn              // another path takes over
	cutOff              // there is no other live path
	alone               // there is, but what uses the drive does not use it
	astray              // nobody can tell what its paths lead through
	unasked             // nobody can tell whether it is used, and no other path would take over
)

// finding is a drive's fate on the host where it is worst.
type finding struct {
	enclosure *enclosure
	slot      int
	fate      fate
	sata      bool
	through   string // lu_id of the ESP that takes over
}

// impact is ResetImpact, but for Busy.
func (sv *survey) impact(luIDs []string) Effect {
	var enclosures []*enclosure
	unknown, found := false, sv.found[:0]
	for _, luID := range luIDs {
		if in, ok := sv.esps[luID]; ok {
			enclosures = append(append(enclosures, in.of), sv.below[luID]...)
		} else {
			unknown = true
		}
	}
	slices.SortFunc(enclosures, func(a, b *enclosure) int { return cmp.Compare(a.index, b.index) })
	for _, e := range slices.Compact(enclosures) {
		unknown = unknown || !e.drivesKnown()
		first := len(found)
		for k, v := range e.views {
			for i := range v.Drives {
				d := &v.Drives[i]
				f := finding{enclosure: e, slot: d.Slot, sata: d.Protocol == inventory.SATA}
				f.fate, f.through = sv.fate(v.host, d, luIDs)
				if k > 0 && i < len(e.views[0].Drives) && found[first+i].slot == f.slot { // hosts list them alike, so that few are left to sort
					if f.compare(found[first+i]) < 0 {
						found[first+i] = f
					}
					continue
				}
				found = append(found, f)
			}
		}
	}
	sv.found = found
	found = worstOfEach(found)
	e := Effect{Expected: ESPReset, Worst: ESPReset}
	for _, f := range found {
		switch f.fate {
		case cutOff, alone:
			e.Expected, e.Worst = IOInterruption, IOInterruption
		case astray, unasked:
			e.Worst = IOInterruption
		}
	}
	if unknown {
		e.Worst = IOInterruption
	}
	var home *enclosure
	if first, ok := sv.esps[luIDs[0]]; ok {
		home = first.of
	}
	e.Why = sv.tell(found, luIDs, unknown, home)
	return e
}

// compare orders findings by place, those of one place from bad to good.
func (a finding) compare(b finding) int {
	return cmp.Or(cmp.Compare(a.enclosure.index, b.enclosure.index), cmp.Compare(a.slot, b.slot), cmp.Compare(b.fate, a.fate), cmp.Compare(a.through, b.through))
}

// worstOfEach leaves one finding of each drive, sorted by place.
func worstOfEach(found []finding) []finding {
	slices.SortFunc(found, finding.compare)
	return slices.CompactFunc(found, func(a, b finding) bool { return a.enclosure == b.enclosure && a.slot == b.slot })
}

// fate finds what becomes of a drive on a host. A drive that several enclosures
// list has the users and the paths of all of them.
func (sv *survey) fate(host string, d *inventory.Drive, luIDs []string) (f fate, through string) {
	all := sv.shared[d.LUID]
	if all == nil {
		all = []sighting{{host, d}}
	}
	used, known, other, untold := false, true, false, false
	for _, s := range all {
		if s.host != host {
			continue
		}
		used = used || len(s.drive.InUse) > 0
		known = known && s.drive.InUse != nil
		for _, p := range s.drive.Paths {
			switch {
			case !p.Live:
			case p.Via == "":
				untold = true
			case slices.Contains(luIDs, p.Via), slices.ContainsFunc(sv.crosses[hostESP{host, p.Via}], func(x string) bool { return slices.Contains(luIDs, x) }):
			case p.Used:
				if through == "" || p.Via < through {
					through = p.Via
				}
			default:
				other = true
			}
		}
	}
	switch {
	case !used && known:
		return unused, ""
	case through != "":
		return goesOn, through
	case !used:
		return unasked, ""
	case untold:
		return astray, ""
	case other:
		return alone, ""
	}
	return cutOff, ""
}

// tell puts findings in words, the worst first.
func (sv *survey) tell(found []finding, luIDs []string, unknown bool, home *enclosure) string {
	var by [unasked + 1][]finding // of those that need their slots named
	var sata []finding            // those that are cut off because they have one port
	var through []string
	carried := 0 // drives that go on
	for _, f := range found {
		switch f.fate {
		case unused:
		case goesOn: // nearly all of a large fleet
			carried++
			if label := sv.label(f.through, home); !slices.Contains(through, label) {
				through = append(through, label)
			}
		default:
			if f.fate == cutOff && f.sata {
				sata = append(sata, f)
				continue
			}
			by[f.fate] = append(by[f.fate], f)
		}
	}
	slices.Sort(through)
	var parts []string
	add := func(found []finding, how string) {
		var hosts []string
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
	}
	add(sata, "in use%s, SATA, no other path")
	add(by[cutOff], "in use%s, no other path")
	add(by[alone], "in use%s, with another path that is not used (no multipath)")
	add(by[astray], "in use%s, and what the paths lead through cannot be told")
	if n := len(by[unasked]); n == len(found) && n > 0 {
		parts = append(parts, fmt.Sprintf("use and paths of its %d %s were not examined (inventory --probe-use does), so they count as in use without another path", n, plural(n, "drive")))
	} else {
		add(by[unasked], "not known to be unused%s, which counts as in use, no other path")
	}
	if unknown {
		parts = append(parts, "no module lists the enclosure's drives (page 0Ah), which count as in use without another path")
	}
	if carried > 0 {
		all := ", all"
		if carried == 1 {
			all = ","
		}
		parts = append(parts, fmt.Sprintf("%d %s in use%s with a live path through %s", carried, plural(carried, "drive"), all, strings.Join(through, " or ")))
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, "; ")
	case len(found) == 0:
		return "the enclosure lists no drives"
	case len(found) == 1:
		return "its one drive is not in use"
	}
	return fmt.Sprintf("none of its %d drives is in use", len(found))
}

// on names the hosts where a drive has its fate, where several see its enclosure.
func (sv *survey) on(f finding, luIDs []string) string {
	if len(f.enclosure.views) < 2 {
		return ""
	}
	var hosts []string
	for _, v := range f.enclosure.views {
		for i := range v.Drives {
			if d := &v.Drives[i]; d.Slot == f.slot {
				if fate, _ := sv.fate(v.host, d, luIDs); fate == f.fate && !slices.Contains(hosts, v.host) {
					hosts = append(hosts, v.host)
				}
			}
		}
	}
	return " on " + strings.Join(hosts, ", ")
}

// label names an ESP as seen from an enclosure: esp2, or with its own enclosure.
func (sv *survey) label(luID string, home *enclosure) string {
	at, ok := sv.esps[luID]
	switch {
	case !ok:
		return "logical unit " + luID
	case at.of != home:
		return at.of.id + "/" + at.id
	}
	return at.id
}

// slots names the slots of drives, those at home first: slots 7, 11, slot 3 of 5000ccab04002000.
func slots(found []finding, home *enclosure) string {
	const most = 8
	shown := found[:min(len(found), most)] // sorted by enclosure
	var parts []string
	for len(shown) > 0 {
		e := shown[0].enclosure
		var numbers []string
		for ; len(shown) > 0 && shown[0].enclosure == e; shown = shown[1:] {
			numbers = append(numbers, strconv.Itoa(shown[0].slot))
		}
		text := plural(len(numbers), "slot") + " " + strings.Join(numbers, ", ")
		if e == home {
			parts = slices.Insert(parts, 0, text)
		} else {
			parts = append(parts, text+" of "+e.id)
		}
	}
	text := strings.Join(parts, ", ")
	if more := len(found) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

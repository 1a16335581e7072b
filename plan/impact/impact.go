// Package impact says what a reset does to those who use the drives behind an enclosure,
// and whether it is permitted: when a plan is made, and again right before a reset. It is
// the only place that judges disruption: which enclosures form a fault domain, what hangs
// behind an ESP, and what earlier runs have left that forbids a reset.
//
// It is pure, and never makes or changes a plan.
package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
)

// Effect is what a reset does to those who use the drives behind what is reset.
type Effect struct {
	Expected plan.Impact // ESPReset or IOInterruption
	Worst    plan.Impact // likewise, where what is not known counts as in use
	Busy     string      // what of the fault domain is in use, or may be, in words; "" where nothing is
	Why      string      // which drives are in use and how they go on, in words

	// Evidence says where drives were looked for, then of each drive that may be
	// cut off why it counts.
	Evidence []string
}

// Of tells what it does when ESPs, by lu_id, are reset at once, as the
// inventories of one or several hosts show it. A drive in use goes on where what
// uses it really has another live path, known to lead neither through one of the
// ESPs nor through anything behind them. What the inventories do not tell counts
// as in use and as lost.
//
// domain holds the enclosures, by the first part of their addresses, that belong
// to the fault domain beyond what the inventories show; Effect.Busy is about all
// of it. elsewhere holds drives that the inventories list without a path, and that
// another host sees: Step.SeenElsewhere. A host whose inventory is not among them is not seen: the caller asks
// for one of each host that is attached.
func Of(inventories []*inventory.Inventory, luIDs, domain, elsewhere []string) Effect {
	f := fleet.Merge(inventories)
	var together []*fleet.Enclosure
	for _, id := range domain {
		if e := f.Enclosure(id); e != nil {
			together = append(together, e)
		}
	}
	sv := NewSurvey(f, [][]*fleet.Enclosure{together})
	sv.elsewhere = map[string]bool{}
	for _, key := range elsewhere {
		sv.elsewhere[key] = true
	}
	e := sv.Effect(luIDs)
	e.Busy = "the enclosure was not scanned"
	if first, ok := sv.ESPs[luIDs[0]]; ok {
		e.Busy = sv.Domain(first.Of).InUse(sv)
	}
	return e
}

// Permits tells whether a policy permits a reset, and if not, why.
func Permits(reset plan.Reset, e Effect) (ok bool, why string) {
	switch {
	case reset == plan.ResetAlways, reset == plan.ResetIdle && e.Busy == "", reset == plan.ResetRedundant && e.Worst != plan.IOInterruption:
		return true, ""
	case reset == plan.ResetIdle:
		return false, "the policy says reset: idle: " + e.Busy
	case reset == plan.ResetRedundant:
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
	unseen              // no host of the plan sees it, so its use is unknown
)

// finding is a drive's fate on the host where it is worst.
type finding struct {
	enclosure *fleet.Enclosure
	drive     *inventory.Drive
	fate      fate
	through   string // lu_id of the ESP that takes over
}

func newFinding(e *fleet.Enclosure, d *inventory.Drive) finding {
	return finding{enclosure: e, drive: d}
}

// key tells the drives of no slot apart.
func key(d *inventory.Drive) string {
	if d.Slot != inventory.NoSlot {
		return ""
	}
	return cmp.Or(d.LUID, d.SASAddress, d.Name())
}

// same reports whether two findings are about one drive, as far as their hosts
// name it alike.
func (a finding) same(b finding) bool {
	return a.enclosure == b.enclosure && a.drive.Slot == b.drive.Slot && key(a.drive) == key(b.drive)
}

// Effect is ResetImpact, but for Busy.
func (sv *Survey) Effect(luIDs []string) Effect {
	var enclosures []*fleet.Enclosure
	scanned, found := true, sv.found[:0]
	for _, luID := range luIDs {
		if in, ok := sv.ESPs[luID]; ok {
			enclosures = append(append(enclosures, in.Of), sv.below[luID]...)
		} else {
			scanned = false
		}
	}
	slices.SortFunc(enclosures, func(a, b *fleet.Enclosure) int { return cmp.Compare(a.Index, b.Index) })
	enclosures = slices.Compact(enclosures)
	var unknown []string // why drives are not known
	for _, e := range enclosures {
		if why := e.DrivesUnknown(); why != "" && !slices.Contains(unknown, why) {
			unknown = append(unknown, why)
		}
		first := len(found)
		for k := range e.Views {
			v := &e.Views[k]
			for i := range v.Drives {
				f := newFinding(e, &v.Drives[i])
				f.fate, f.through = sv.fate(e, v, f.drive, luIDs)
				if k > 0 && i < len(e.Views[0].Drives) && found[first+i].same(f) { // hosts list them alike, so that few are left to sort
					if f.compare(found[first+i]) < 0 {
						found[first+i] = f
					}
					continue
				}
				found = append(found, f)
			}
		}
	}
	if !scanned {
		unknown = append(unknown, "a module that is reset was not scanned, so what is behind it counts as in use without another path")
	}
	sv.found = found
	found = worstOfEach(found)
	e := Effect{Expected: plan.ESPReset, Worst: plan.ESPReset}
	for _, f := range found {
		switch f.fate {
		case cutOff, alone, unasked, unseen:
			e.Expected, e.Worst = plan.IOInterruption, plan.IOInterruption
		case astray:
			e.Worst = plan.IOInterruption
		}
	}
	if len(unknown) > 0 {
		e.Expected, e.Worst = plan.IOInterruption, plan.IOInterruption
	}
	e.Evidence = sv.evidence(enclosures, found)
	var home *fleet.Enclosure
	if first, ok := sv.ESPs[luIDs[0]]; ok {
		home = first.Of
	}
	e.Why = sv.tell(found, luIDs, unknown, home)
	return e
}

// evidence says where drives were looked for, and of each which source says what of it:
// why it counts as in use, or why it does not.
func (sv *Survey) evidence(enclosures []*fleet.Enclosure, found []finding) []string {
	var said []string
	for _, e := range enclosures {
		for _, v := range e.Views {
			if v.DriveEvidence != nil {
				said = append(said, fmt.Sprintf("drives behind %s, seen from %s: %s", e.ID, v.Host, strings.Join(v.DriveEvidence, ", ")))
			}
		}
	}
	alike := map[string][]finding{} // drives of which the same is said
	var order []string
	for _, f := range found {
		if f.fate != unused && f.fate != goesOn {
			said = append(said, slots([]finding{f}, nil)+": "+trouble(f.drive))
			continue
		}
		words := sv.harmless(f)
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

// trouble says of a drive that may be cut off why it counts.
func trouble(d *inventory.Drive) string {
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

// harmless says of a drive that nothing is cut off from why: that it is in use and goes
// on, or which host has found what on looking whether it is. What is said of each of its
// paths is said once, so that drives of which the same is said are told together.
func (sv *Survey) harmless(f finding) string {
	if f.fate == goesOn {
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
				e = strings.TrimSuffix(e, fmt.Sprintf(" in slot %d", d.Slot)) // under which it is listed
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

// PathWarnings tells which drives of an enclosure are in use and have a path that is
// not live now. No reset is permitted on that path's account, and none waits for it.
func PathWarnings(e *fleet.Enclosure) []string {
	var warnings []string
	for _, v := range e.Views {
		var drives []finding
		for i := range v.Drives {
			if d := &v.Drives[i]; len(d.InUse) > 0 && len(downPaths(d)) > 0 {
				drives = append(drives, newFinding(e, d))
			}
		}
		if len(drives) == 0 {
			continue
		}
		first := slices.MinFunc(drives, finding.compare)
		path := downPaths(first.drive)[0]
		what := fmt.Sprintf("%s, %s: %s; multipath -ll shows the paths", slots([]finding{first}, e), path.Device, path.Down)
		if n := len(drives); n > 1 {
			warnings = append(warnings, fmt.Sprintf("%s: %d drives in use have a path on %s that is not live, the first: %s", e.ID, n, v.Host, what))
		} else {
			warnings = append(warnings, fmt.Sprintf("%s: a drive in use has a path on %s that is not live: %s", e.ID, v.Host, what))
		}
	}
	return warnings
}

// downPaths are the paths to a drive that the scan says are not live, and why, by device.
func downPaths(d *inventory.Drive) []inventory.DrivePath {
	var down []inventory.DrivePath
	for _, p := range d.Paths {
		if p.Down != "" {
			down = append(down, p)
		}
	}
	slices.SortFunc(down, func(a, b inventory.DrivePath) int { return inventory.ComparePaths(a.Device, b.Device) })
	return down
}

// compare orders findings by place, those of one place from bad to good.
func (a finding) compare(b finding) int {
	return cmp.Or(cmp.Compare(a.enclosure.Index, b.enclosure.Index), cmp.Compare(uint(a.drive.Slot), uint(b.drive.Slot)), cmp.Compare(key(a.drive), key(b.drive)), cmp.Compare(b.fate, a.fate), cmp.Compare(a.through, b.through))
}

// worstOfEach leaves one finding of each drive, sorted by place.
func worstOfEach(found []finding) []finding {
	slices.SortFunc(found, finding.compare)
	return slices.CompactFunc(found, finding.same)
}

// fate finds what becomes of a drive on a host. A drive that several enclosures
// list has the users and the paths of all of them.
func (sv *Survey) fate(e *fleet.Enclosure, v *fleet.View, d *inventory.Drive, luIDs []string) (f fate, through string) {
	host := v.Host
	if len(d.Paths) == 0 && len(d.InUse) == 0 {
		if sv.unseen(e, v, d) {
			return unseen, ""
		}
		return unused, "" // here: its fate is that on the hosts that see it
	}
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
func (sv *Survey) tell(found []finding, luIDs, unknown []string, home *fleet.Enclosure) string {
	var by [unseen + 1][]finding // of those that need their slots named
	var sata []finding           // those that are cut off because they have one port
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
			if f.fate == cutOff && f.drive.Protocol == inventory.SATA {
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
		parts = append(parts, fmt.Sprintf("use and paths of its %d %s were not examined (inventory --probe-use does), so they count as in use without another path", n, english.PluralWord(n, "drive", "")))
	} else {
		add(by[unasked], "not known to be unused%s, which counts as in use, no other path")
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
		parts = append(parts, fmt.Sprintf("%d %s in use%s with a live path through %s", carried, english.PluralWord(carried, "drive", ""), all, strings.Join(through, " or ")))
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

// on names the hosts where a drive has its fate, where several see its enclosure.
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
		return at.Of.ID + "/" + at.ID
	}
	return at.ID
}

// mostSlots is how many drives are named where there may be many.
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
			parts = append(parts, text+" of "+e.ID)
		}
	}
	text := strings.Join(parts, ", ")
	if more := len(found) - mostSlots; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

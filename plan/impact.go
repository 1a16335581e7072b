package plan

import (
	"cmp"
	"fmt"
	"maps"
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
	sv := newSurvey(inventories, [][]string{domain})
	e := sv.impact(luIDs)
	e.Busy = sv.busy(sv.esps[luIDs[0]].enclosure)
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

// survey is the drives, their users and their paths as all hosts see them together.
type survey struct {
	ids     []string              // of the enclosures, sorted
	views   map[string][]view     // by enclosure, sorted by host
	esps    map[string]espPlace   // by lu_id
	crosses map[hostESP][]string  // lu_ids of the ESPs that paths through an ESP cross on the way
	below   map[string][]string   // enclosures whose paths cross an ESP, by its lu_id
	shared  map[string][]sighting // drives that several enclosures list, by LUID
	domains map[string]*faultDomain
	found   []finding // room for those of one reset after the other
}

// view is an enclosure as one host sees it.
type view struct {
	host string
	*inventory.Enclosure
}

type espPlace struct{ enclosure, id string }

type hostESP struct{ host, luID string }

type sighting struct {
	host  string
	drive *inventory.Drive
}

// faultDomain is enclosures that share drives or an upstream expander, or that
// somebody declared to belong together.
type faultDomain struct {
	enclosures []string            // sorted
	cautions   []inventory.Caution // of all of them, by address and kind
	busy       *string             // as in Effect, once it was found out
}

// newSurvey takes in the inventories. together are enclosures that belong
// together beyond what they show.
func newSurvey(inventories []*inventory.Inventory, together [][]string) *survey {
	sv := &survey{
		views: map[string][]view{}, esps: map[string]espPlace{}, crosses: map[hostESP][]string{},
		below: map[string][]string{}, shared: map[string][]sighting{}, domains: map[string]*faultDomain{},
	}
	inventories = slices.SortedFunc(slices.Values(inventories), func(a, b *inventory.Inventory) int { return cmp.Compare(a.Host, b.Host) })
	for _, inv := range inventories {
		for i := range inv.Enclosures {
			e := &inv.Enclosures[i]
			id := e.ID()
			sv.views[id] = append(sv.views[id], view{inv.Host, e})
			for j := range e.ESPs {
				sv.esps[e.ESPs[j].LUID] = espPlace{id, e.ESPs[j].ID()}
			}
		}
	}
	sv.ids = slices.Sorted(maps.Keys(sv.views))
	groups := grouping{}
	for _, ids := range together {
		for _, id := range ids {
			groups.join(ids[0], id)
		}
	}
	sv.joinByExpanders(groups)
	sv.joinByDrives(groups)
	for _, id := range sv.ids {
		root := groups.root(id)
		if sv.domains[root] == nil {
			sv.domains[root] = &faultDomain{}
		}
		sv.domains[id] = sv.domains[root]
		sv.domains[id].enclosures = append(sv.domains[id].enclosures, id)
		sv.domains[id].recall(sv.views[id])
	}
	return sv
}

// recall takes in what has to be minded about components of an enclosure. Where
// several hosts remember the same, the first to find it out tells.
func (d *faultDomain) recall(views []view) {
	for _, v := range views {
		d.cautions = append(d.cautions, v.Cautions...)
	}
	slices.SortStableFunc(d.cautions, func(a, b inventory.Caution) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind), a.Since.Compare(b.Since))
	})
	d.cautions = slices.CompactFunc(d.cautions, func(a, b inventory.Caution) bool { return a.Address == b.Address && a.Kind == b.Kind })
}

// joinByExpanders joins enclosures that have an upstream expander in common, be
// it one of their own or nobody's, and finds which paths cross which ESPs.
func (sv *survey) joinByExpanders(groups grouping) {
	owners := map[string][]string{} // lu_ids by expander
	for _, id := range sv.ids {
		for _, v := range sv.views[id] {
			for _, esp := range v.ESPs {
				for _, x := range esp.Expanders {
					if !slices.Contains(owners[x], esp.LUID) {
						owners[x] = append(owners[x], esp.LUID)
					}
				}
			}
		}
	}
	first := map[string]string{} // enclosure by expander
	for _, id := range sv.ids {
		for _, v := range sv.views[id] {
			for _, esp := range v.ESPs {
				for _, x := range esp.Upstream {
					if first[x] == "" {
						first[x] = id
					}
					groups.join(first[x], id)
					for _, luID := range owners[x] {
						groups.join(sv.esps[luID].enclosure, id)
						key := hostESP{v.host, esp.LUID}
						sv.crosses[key] = append(sv.crosses[key], luID)
						if !slices.Contains(sv.below[luID], id) {
							sv.below[luID] = append(sv.below[luID], id)
						}
					}
				}
			}
		}
	}
}

// joinByDrives joins enclosures that list the same drive.
func (sv *survey) joinByDrives(groups grouping) {
	drives := 0
	for _, views := range sv.views {
		drives += len(views[0].Drives)
	}
	byLUID, byPort := newListing(drives), newListing(drives)
	seen := func(l *listing, key string, enclosure int) bool {
		other := l.first(key, enclosure)
		if other == enclosure {
			return false
		}
		groups.join(sv.ids[other], sv.ids[enclosure])
		return true
	}
	for n, id := range sv.ids { // in this order the memory of a large fleet is walked once, from one end to the other
		first := sv.views[id][0].Drives
		for k, v := range sv.views[id] {
			for i := range v.Drives {
				d := &v.Drives[i]
				if k > 0 && i < len(first) && d.SASAddress == first[i].SASAddress && d.LUID == first[i].LUID {
					continue // as the first host has it
				}
				seen(byPort, d.SASAddress, n)
				if seen(byLUID, d.LUID, n) {
					sv.shared[d.LUID] = nil
				}
			}
		}
	}
	if len(sv.shared) == 0 {
		return
	}
	for _, id := range sv.ids {
		for _, v := range sv.views[id] {
			for i := range v.Drives {
				if all, ok := sv.shared[v.Drives[i].LUID]; ok {
					sv.shared[v.Drives[i].LUID] = append(all, sighting{v.host, &v.Drives[i]})
				}
			}
		}
	}
}

// listing is the first enclosure, as an index, that lists a drive, by one of its
// names. Most of those are 64 bits, and a large fleet's fit the cache better as such.
type listing struct {
	numbers map[uint64]int32
	others  map[string]int32
}

func newListing(drives int) *listing {
	return &listing{make(map[uint64]int32, drives), map[string]int32{}}
}

// first is the first enclosure that was given with a name; the one that is given
// where there was none, or where the name says nothing.
func (l *listing) first(name string, enclosure int) int {
	if strings.Trim(name, "0") == "" {
		return enclosure
	}
	number, err := strconv.ParseUint(name, 16, 64)
	if err != nil || len(name) != 16 {
		return firstOf(l.others, name, enclosure)
	}
	return firstOf(l.numbers, number, enclosure)
}

func firstOf[K comparable](m map[K]int32, key K, enclosure int) int {
	if other, ok := m[key]; ok {
		return int(other)
	}
	m[key] = int32(enclosure)
	return enclosure
}

// grouping is a union-find over names: the parent of each that has one.
type grouping map[string]string

func (g grouping) root(name string) string {
	for {
		parent, ok := g[name]
		if !ok {
			return name
		}
		if above, ok := g[parent]; ok {
			g[name] = above
		}
		name = parent
	}
}

func (g grouping) join(a, b string) {
	if a, b = g.root(a), g.root(b); a != b {
		g[max(a, b)] = min(a, b)
	}
}

// number gives each enclosure the number of its fault domain, from 1; 0 where it
// cannot be told, because nobody lists its drives.
func (sv *survey) number() map[string]int {
	numbers := map[string]int{}
	given := map[*faultDomain]int{}
	for _, id := range sv.ids {
		if !sv.drivesKnown(id) {
			continue
		}
		domain := sv.domains[id]
		if given[domain] == 0 {
			given[domain] = len(given) + 1
		}
		numbers[id] = given[domain]
	}
	return numbers
}

// neighbours are the other enclosures of one's fault domain, as far as a host sees
// them, sorted.
func (sv *survey) neighbours(enclosure, host string) []string {
	var all []string
	for _, id := range sv.domains[enclosure].enclosures {
		if id != enclosure && slices.ContainsFunc(sv.views[id], func(v view) bool { return v.host == host }) {
			all = append(all, id)
		}
	}
	return all
}

// drivesKnown tells whether any host was shown the enclosure's drives.
func (sv *survey) drivesKnown(enclosure string) bool {
	return slices.ContainsFunc(sv.views[enclosure], func(v view) bool { return !v.DrivesUnknown })
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
	enclosure string
	slot      int
	fate      fate
	sata      bool
	through   string // lu_id of the ESP that takes over
}

// impact is ResetImpact, but for Busy.
func (sv *survey) impact(luIDs []string) Effect {
	var enclosures []string
	for _, luID := range luIDs {
		enclosures = append(append(enclosures, sv.esps[luID].enclosure), sv.below[luID]...)
	}
	slices.Sort(enclosures)
	enclosures = slices.Compact(enclosures)

	home := sv.esps[luIDs[0]].enclosure
	unknown, found := false, sv.found[:0]
	for _, id := range enclosures {
		unknown = unknown || !sv.drivesKnown(id)
		for _, v := range sv.views[id] {
			for i := range v.Drives {
				d := &v.Drives[i]
				f := finding{enclosure: id, slot: d.Slot, sata: d.Protocol == inventory.SATA}
				f.fate, f.through = sv.fate(v.host, d, luIDs)
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
	e.Why = sv.tell(found, unknown, home)
	return e
}

// worstOfEach leaves one finding of each drive, sorted by place.
func worstOfEach(found []finding) []finding {
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.enclosure, b.enclosure), cmp.Compare(a.slot, b.slot), cmp.Compare(b.fate, a.fate), cmp.Compare(a.through, b.through))
	})
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
func (sv *survey) tell(found []finding, unknown bool, home string) string {
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
	if len(sata) > 0 {
		parts = append(parts, slots(sata, home)+" in use, SATA, no other path")
	}
	add := func(f fate, text string) {
		if len(by[f]) > 0 {
			parts = append(parts, slots(by[f], home)+" "+text)
		}
	}
	add(cutOff, "in use, no other path")
	add(alone, "in use, with another path that is not used (no multipath)")
	add(astray, "in use, and what the paths lead through cannot be told")
	if n := len(by[unasked]); n == len(found) && n > 0 {
		parts = append(parts, fmt.Sprintf("use and paths of its %d %s were not examined (inventory --probe-use does), so they count as in use without another path", n, plural(n, "drive")))
	} else {
		add(unasked, "not known to be unused, which counts as in use, no other path")
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

// label names an ESP as seen from an enclosure: esp2, or with its own enclosure.
func (sv *survey) label(luID, home string) string {
	at, ok := sv.esps[luID]
	switch {
	case !ok:
		return "logical unit " + luID
	case at.enclosure != home:
		return at.enclosure + "/" + at.id
	}
	return at.id
}

// slots names the slots of drives, those at home first: slots 7, 11, slot 3 of 5000ccab04002000.
func slots(found []finding, home string) string {
	const most = 8
	by := map[string][]string{}
	for _, f := range found[:min(len(found), most)] {
		by[f.enclosure] = append(by[f.enclosure], fmt.Sprint(f.slot))
	}
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(by)) {
		text := plural(len(by[id]), "slot") + " " + strings.Join(by[id], ", ")
		if id == home {
			parts = slices.Insert(parts, 0, text)
		} else {
			parts = append(parts, text+" of "+id)
		}
	}
	text := strings.Join(parts, ", ")
	if more := len(found) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// busy says what of an enclosure's fault domain is in use on any host, or may be.
func (sv *survey) busy(enclosure string) string {
	domain := sv.domains[enclosure]
	if domain == nil {
		return "the enclosure was not scanned"
	}
	if domain.busy != nil {
		return *domain.busy
	}
	home := "" // one text for all of the domain
	if len(domain.enclosures) == 1 {
		home = enclosure
	}
	var used, unasked []finding
	var unlisted []string
	for _, id := range domain.enclosures {
		if !sv.drivesKnown(id) {
			unlisted = append(unlisted, id)
		}
		for _, v := range sv.views[id] {
			for _, d := range v.Drives {
				switch f := (finding{enclosure: id, slot: d.Slot}); {
				case d.InUse == nil:
					unasked = append(unasked, f)
				case len(d.InUse) > 0:
					used = append(used, f)
				}
			}
		}
	}
	var parts []string
	if used = worstOfEach(used); len(used) > 0 {
		parts = append(parts, slots(used, home)+" in use")
	}
	if unasked = worstOfEach(unasked); len(unasked) > 0 {
		parts = append(parts, slots(unasked, home)+" not known to be unused, which counts as in use")
	}
	if len(unlisted) > 0 {
		parts = append(parts, "no module of "+strings.Join(unlisted, ", ")+" lists its drives (page 0Ah), which count as in use")
	}
	text := strings.Join(parts, "; ")
	domain.busy = &text
	return text
}

package impact

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// Survey is the drives, their users and their paths as all hosts see them together.
type Survey struct {
	*fleet.Fleet
	domains []*Domain                     // by enclosure, as its index
	crosses map[hostESP][]string          // lu_ids of the ESPs that paths through an ESP cross on the way
	below   map[string][]*fleet.Enclosure // those whose paths cross an ESP, by its lu_id
	shared  map[string][]sighting         // drives that several enclosures list, by LUID
	found   []finding                     // room for those of one reset after the other

	elsewhere map[string]bool // drives that hosts beyond those of the survey see, as sightKey has them
	addresses map[string]bool // SAS addresses of drives that some host sees; nil until somebody asks
}

type hostESP struct{ host, luID string }

type sighting struct {
	host  string
	drive *inventory.Drive
}

// Domain is enclosures that share drives or an upstream expander, or that
// somebody declared to belong together.
type Domain struct {
	number     int                 // from 1; 0 where nobody lists the drives of any
	Enclosures []*fleet.Enclosure  // sorted by id
	Cautions   []inventory.Caution // of all of them, by address and kind
	busy       *string             // as in Effect, once it was found out
	Unread     []string            // what of them could not be read, and why
}

// NewSurvey finds the fleet's fault domains. together are enclosures that belong
// together beyond what the inventories show.
func NewSurvey(f *fleet.Fleet, together [][]*fleet.Enclosure) *Survey {
	sv := &Survey{Fleet: f, domains: make([]*Domain, len(f.Enclosures)), crosses: map[hostESP][]string{}, below: map[string][]*fleet.Enclosure{}, shared: map[string][]sighting{}}
	groups := newGrouping(len(f.Enclosures))
	for _, enclosures := range together {
		for _, e := range enclosures {
			groups.join(enclosures[0].Index, e.Index)
		}
	}
	sv.joinByExpanders(groups)
	sv.joinByDrives(groups)
	numbers := 0
	for n, e := range f.Enclosures {
		root := groups.root(n)
		if sv.domains[root] == nil {
			sv.domains[root] = &Domain{}
		}
		domain := sv.domains[root]
		sv.domains[n] = domain
		domain.Enclosures = append(domain.Enclosures, e)
		domain.recall(e.Cautions())
		if domain.number == 0 && e.DrivesKnown() {
			numbers++
			domain.number = numbers
		}
	}
	return sv
}

// Domain returns the fault domain of an enclosure of the fleet.
func (sv *Survey) Domain(e *fleet.Enclosure) *Domain { return sv.domains[e.Index] }

// IDs are the identifiers of its enclosures.
func (domain *Domain) IDs() []string {
	ids := make([]string, len(domain.Enclosures))
	for i, e := range domain.Enclosures {
		ids[i] = e.ID
	}
	return ids
}

// recall takes in what has to be minded about components of an enclosure. Where
// several hosts remember the same, the first to find it out tells.
func (domain *Domain) recall(cautions []inventory.Caution) {
	if len(cautions) == 0 {
		return
	}
	domain.Cautions = append(domain.Cautions, cautions...)
	slices.SortStableFunc(domain.Cautions, func(a, b inventory.Caution) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind), a.Since.Compare(b.Since), cmp.Compare(a.Detail, b.Detail))
	})
	domain.Cautions = slices.CompactFunc(domain.Cautions, func(a, b inventory.Caution) bool { return a.Address == b.Address && a.Kind == b.Kind })
}

// joinByExpanders joins enclosures that have an upstream expander in common, be
// it one of their own or nobody's, and finds which paths cross which ESPs.
func (sv *Survey) joinByExpanders(groups grouping) {
	type link struct {
		from     *fleet.Enclosure
		through  hostESP
		upstream string
	}
	var links []link
	first := map[string]int{} // enclosure, as an index, by upstream expander
	for n, e := range sv.Enclosures {
		for _, v := range e.Views {
			for _, in := range v.ESPs {
				for _, x := range in.Upstream {
					links = append(links, link{e, hostESP{v.Host, in.LUID}, x})
					if other, ok := first[x]; ok {
						groups.join(other, n)
					} else {
						first[x] = n
					}
				}
			}
		}
	}
	if len(links) == 0 {
		return
	}
	owners := map[string][]string{} // lu_ids by expander
	for _, e := range sv.Enclosures {
		for _, v := range e.Views {
			for _, in := range v.ESPs {
				for _, x := range in.Expanders {
					if !slices.Contains(owners[x], in.LUID) {
						owners[x] = append(owners[x], in.LUID)
					}
				}
			}
		}
	}
	for _, l := range links {
		for _, luID := range owners[l.upstream] {
			groups.join(sv.ESPs[luID].Of.Index, l.from.Index)
			sv.crosses[l.through] = append(sv.crosses[l.through], luID)
			if !slices.Contains(sv.below[luID], l.from) {
				sv.below[luID] = append(sv.below[luID], l.from)
			}
		}
	}
}

// joinByDrives joins enclosures that list the same drive.
func (sv *Survey) joinByDrives(groups grouping) {
	drives := 0
	for _, e := range sv.Enclosures {
		drives += len(e.Views[0].Drives)
	}
	ports, units := newListings(drives), newListings(drives)
	for n, e := range sv.Enclosures { // in this order the memory of a large fleet is walked once, from one end to the other
		first := e.Views[0].Drives
		for k, v := range e.Views {
			for i := range v.Drives {
				d := &v.Drives[i]
				if k > 0 && i < len(first) && d.SASAddress == first[i].SASAddress && d.LUID == first[i].LUID {
					continue // as the first host has it
				}
				ports.add(d.SASAddress, n)
				units.add(d.LUID, n)
			}
		}
	}
	ports.pair(func(_ string, a, b int) { groups.join(a, b) })
	units.pair(func(luID string, a, b int) {
		groups.join(a, b)
		sv.shared[luID] = nil
	})
	if len(sv.shared) == 0 {
		return
	}
	for _, e := range sv.Enclosures {
		for _, v := range e.Views {
			for i := range v.Drives {
				if all, ok := sv.shared[v.Drives[i].LUID]; ok {
					sv.shared[v.Drives[i].LUID] = append(all, sighting{v.Host, &v.Drives[i]})
				}
			}
		}
	}
}

// listings are enclosures, as indices, that list drives by a name. Sorted, they are
// kinder to a large fleet's memory than a map.
type listings struct {
	numbers []listing[uint64] // most names are 16 hex digits
	others  []listing[string]
}

type listing[K cmp.Ordered] struct {
	name      K
	enclosure int
}

func newListings(drives int) *listings { return &listings{numbers: make([]listing[uint64], 0, drives)} }

// add takes in that an enclosure lists a name, unless that says nothing.
func (l *listings) add(name string, enclosure int) {
	if strings.Trim(name, "0") == "" {
		return
	}
	number, err := strconv.ParseUint(name, 16, 64)
	if err != nil || len(name) != 16 || strings.ToLower(name) != name {
		l.others = append(l.others, listing[string]{name, enclosure})
		return
	}
	l.numbers = append(l.numbers, listing[uint64]{number, enclosure})
}

// pair finds every two enclosures that list one name, and all of several by pairs.
func (l *listings) pair(found func(name string, a, b int)) {
	pair(l.numbers, func(number uint64, a, b int) { found(fmt.Sprintf("%016x", number), a, b) })
	pair(l.others, found)
}

func pair[K cmp.Ordered](all []listing[K], found func(name K, a, b int)) {
	slices.SortFunc(all, func(a, b listing[K]) int { return cmp.Compare(a.name, b.name) })
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; a.name == b.name && a.enclosure != b.enclosure {
			found(a.name, a.enclosure, b.enclosure)
		}
	}
}

// grouping is a union-find over indices: the parent of each, of a root itself.
type grouping []int

func newGrouping(n int) grouping {
	g := make(grouping, n)
	for i := range g {
		g[i] = i
	}
	return g
}

func (g grouping) root(n int) int {
	for g[n] != n {
		g[n] = g[g[n]]
		n = g[n]
	}
	return n
}

func (g grouping) join(a, b int) {
	a, b = g.root(a), g.root(b)
	g[max(a, b)] = min(a, b)
}

// unseen reports whether a drive of an enclosure is seen neither by the host that
// lists it nor by another one.
func (sv *Survey) unseen(e *fleet.Enclosure, v *fleet.View, d *inventory.Drive) bool {
	return len(d.Paths) == 0 && !sv.seenBeyond(e, v, d)
}

// seenBeyond reports whether a host other than the one that lists a drive sees it:
// in the same slot, unless a host numbers two slots alike, or at the same address.
func (sv *Survey) seenBeyond(e *fleet.Enclosure, v *fleet.View, d *inventory.Drive) bool {
	if sv.elsewhere[sightKey(e, d)] {
		return true
	}
	for k := range e.Views {
		o := &e.Views[k]
		if o == v || o.Host == v.Host || d.Slot == inventory.NoSlot || countSlot(v, d.Slot) != 1 || countSlot(o, d.Slot) != 1 {
			continue
		}
		if slices.ContainsFunc(o.Drives, func(x inventory.Drive) bool { return x.Slot == d.Slot && len(x.Paths) > 0 }) {
			return true
		}
	}
	if d.SASAddress == "" {
		return false
	}
	if sv.addresses == nil {
		sv.addresses = map[string]bool{}
		for _, e := range sv.Enclosures {
			for _, v := range e.Views {
				for i := range v.Drives {
					if x := &v.Drives[i]; len(x.Paths) > 0 && x.SASAddress != "" {
						sv.addresses[x.SASAddress] = true
					}
				}
			}
		}
	}
	return sv.addresses[d.SASAddress]
}

func countSlot(v *fleet.View, slot inventory.SlotNumber) int {
	n := 0
	for i := range v.Drives {
		if v.Drives[i].Slot == slot {
			n++
		}
	}
	return n
}

// sightKey names a drive that a host lists and does not see.
func sightKey(e *fleet.Enclosure, d *inventory.Drive) string {
	if d.SASAddress != "" {
		return d.SASAddress
	}
	return fmt.Sprintf("%s/slot%d", e.ID, d.Slot)
}

// SeenElsewhere lists the drives of a fault domain that a host lists and does not
// see, and another one sees.
func (domain *Domain) SeenElsewhere(sv *Survey, host string) []string {
	var keys []string
	for _, e := range domain.Enclosures {
		for k := range e.Views {
			v := &e.Views[k]
			if v.Host != host {
				continue
			}
			for i := range v.Drives {
				if d := &v.Drives[i]; len(d.Paths) == 0 && sv.seenBeyond(e, v, d) {
					keys = append(keys, sightKey(e, d))
				}
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// NumberOf is the number of an enclosure's fault domain, from 1; 0 where it
// cannot be told, because nobody lists its drives.
func (sv *Survey) NumberOf(e *fleet.Enclosure) int {
	if !e.DrivesKnown() {
		return 0
	}
	return sv.Domain(e).number
}

// Neighbours are the other enclosures of one's fault domain, as far as a host sees
// them, sorted.
func (domain *Domain) Neighbours(e *fleet.Enclosure, host string) []string {
	var all []string
	for _, o := range domain.Enclosures {
		if o != e && o.SeenBy(host) != nil {
			all = append(all, o.ID)
		}
	}
	return all
}

// InUse says what of a fault domain is in use on any host, or may be; "" where nothing is.
func (domain *Domain) InUse(sv *Survey) string {
	if domain.busy != nil {
		return *domain.busy
	}
	var home *fleet.Enclosure // one text for all of the domain
	if len(domain.Enclosures) == 1 {
		home = domain.Enclosures[0]
	}
	used, unasked := map[string][]finding{}, map[string][]finding{} // by host, "" where but one sees the enclosure
	var unseen []finding
	var unlisted []string
	for _, e := range domain.Enclosures {
		if why := e.DrivesUnknown(); why != "" {
			unlisted = append(unlisted, e.ID+": "+why)
		}
		for k := range e.Views {
			v := &e.Views[k]
			on := ""
			if len(e.Views) > 1 {
				on = " on " + v.Host
			}
			for i := range v.Drives {
				d := &v.Drives[i]
				switch f := newFinding(e, d); {
				case len(d.InUse) > 0:
					used[on] = append(used[on], f)
				case len(d.Paths) == 0:
					if sv.unseen(e, v, d) {
						unseen = append(unseen, f)
					}
				case d.InUse == nil:
					unasked[on] = append(unasked[on], f)
				}
			}
		}
	}
	var parts []string
	for _, on := range slices.Sorted(maps.Keys(used)) {
		parts = append(parts, slots(worstOfEach(used[on]), home)+" in use"+on)
	}
	for _, on := range slices.Sorted(maps.Keys(unasked)) {
		parts = append(parts, slots(worstOfEach(unasked[on]), home)+" not known to be unused"+on+", which counts as in use")
	}
	if len(unseen) > 0 {
		parts = append(parts, slots(worstOfEach(unseen), home)+unseenWords)
	}
	text := strings.Join(append(parts, unlisted...), "; ")
	domain.busy = &text
	return text
}

// unseenWords is said of drives that no host of the plan sees.
const unseenWords = " of unknown use: no host of the plan sees them, which counts as in use"

// UnreadReason is why nothing of a fault domain is reset while something of it cannot be
// read, "" if all of it could be.
func (domain *Domain) UnreadReason() string {
	const most = 3
	all := slices.Compact(slices.Sorted(slices.Values(domain.Unread)))
	if len(all) == 0 {
		return ""
	}
	text := strings.Join(all[:min(most, len(all))], "; ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return PartUnread + text
}

// PartUnread begins the reason why nothing of a fault domain is reset that is not in sight
// as a whole.
const PartUnread = "nothing in a fault domain is reset while part of it cannot be read: "

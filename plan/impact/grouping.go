package impact

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fwctl/inventory/fleet"
)

// joinByExpanders joins enclosures that have an upstream expander in common, their own or not,
// and finds which paths cross which ESPs.
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
	// In this order the memory of a large fleet is walked once, from one end to the other.
	for n, e := range sv.Enclosures {
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

// add adds that an enclosure lists a name, unless the name identifies nothing.
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

package impact

import (
	"fmt"
	"slices"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// Survey is the drives with their users and paths, as all hosts together see them.
type Survey struct {
	*fleet.Fleet
	domains []*Domain                     // by enclosure, as its index
	crosses map[hostESP][]string          // lu_ids of the ESPs that paths through an ESP cross on the way
	below   map[string][]*fleet.Enclosure // those whose paths cross an ESP, by its lu_id
	shared  map[string][]sighting         // drives that several enclosures list, by LUID
	found   []finding                     // room for those of one reset after the other

	elsewhere map[string]bool // drives that hosts beyond those of the survey see, as sightKey has them
	addresses map[string]bool // SAS addresses of drives that some host sees; nil until it is asked for
}

type hostESP struct{ host, luID string }

type sighting struct {
	host  string
	drive *inventory.Drive
}

// NewSurvey surveys a fleet and finds its fault domains. together are enclosures that belong
// together beyond what the inventories show.
func NewSurvey(f *fleet.Fleet, together [][]*fleet.Enclosure) *Survey {
	sv := &Survey{Fleet: f, domains: make([]*Domain, len(f.Enclosures)), crosses: map[hostESP][]string{},
		below: map[string][]*fleet.Enclosure{}, shared: map[string][]sighting{}}
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
		if o == v || o.Host == v.Host || d.Slot == inventory.NoSlot || countSlot(v, d.Slot) != 1 ||
			countSlot(o, d.Slot) != 1 {
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

// sightKey identifies a drive that a host lists and does not see.
func sightKey(e *fleet.Enclosure, d *inventory.Drive) string {
	if d.SASAddress != "" {
		return d.SASAddress
	}
	return fmt.Sprintf("%s/slot%d", e.ID, d.Slot)
}

// NumberOf returns the number of an enclosure's fault domain, from 1; 0 if it
// is unknown, because no host lists its drives.
func (sv *Survey) NumberOf(e *fleet.Enclosure) int {
	if !e.DrivesKnown() {
		return 0
	}
	return sv.Domain(e).number
}

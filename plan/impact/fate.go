package impact

import (
	"cmp"
	"slices"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// fate is what a reset does to a drive, from good to bad.
type fate int

const (
	unused       fate = iota // nothing uses it
	failsOver                // another path takes over
	cutOff                   // there is no other live path
	noMultipath              // there is one, but the drive's user does not use it
	pathsUnknown             // it is unknown what its paths lead through
	useUnknown               // it is unknown whether it is used, and no other path would take over
	unseen                   // no host of the plan sees it, so its use is unknown
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

// key distinguishes drives that are in no slot.
func key(d *inventory.Drive) string {
	if d.Slot != inventory.NoSlot {
		return ""
	}
	return cmp.Or(d.LUID, d.SASAddress, d.Name())
}

// same reports whether two findings are about one drive, if their hosts name it alike.
func (a finding) same(b finding) bool {
	return a.enclosure == b.enclosure && a.drive.Slot == b.drive.Slot && key(a.drive) == key(b.drive)
}

// compare orders findings by place, and those of one place from bad to good.
func (a finding) compare(b finding) int {
	return cmp.Or(cmp.Compare(a.enclosure.Index, b.enclosure.Index),
		cmp.Compare(uint(a.drive.Slot), uint(b.drive.Slot)), cmp.Compare(key(a.drive), key(b.drive)),
		cmp.Compare(b.fate, a.fate), cmp.Compare(a.through, b.through))
}

// worstOfEach returns the worst finding of each drive, sorted by place.
func worstOfEach(found []finding) []finding {
	slices.SortFunc(found, finding.compare)
	return slices.CompactFunc(found, finding.same)
}

// fate returns what becomes of a drive on a host. A drive that several enclosures list has the
// users and the paths of all of these listings.
func (sv *Survey) fate(e *fleet.Enclosure, v *fleet.View, d *inventory.Drive, luIDs []string) (f fate, through string) {
	host := v.Host
	if len(d.Paths) == 0 && len(d.InUse) == 0 {
		if sv.unseen(e, v, d) {
			return unseen, ""
		}
		return unused, "" // on this host; the hosts that see it decide its fate
	}
	all := sv.shared[d.LUID]
	if all == nil {
		all = []sighting{{host, d}}
	}
	used, known, other, unknownPath := false, true, false, false
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
				unknownPath = true
			case slices.Contains(luIDs, p.Via), slices.ContainsFunc(sv.crosses[hostESP{host, p.Via}],
				func(x string) bool { return slices.Contains(luIDs, x) }):
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
		return failsOver, through
	case !used:
		return useUnknown, ""
	case unknownPath:
		return pathsUnknown, ""
	case other:
		return noMultipath, ""
	}
	return cutOff, ""
}

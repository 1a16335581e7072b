package inventory

import (
	"cmp"
	"slices"
)

// Route is how the host reaches a device, as far as its kernel knows.
type Route struct {
	SCSIHost  string   // "host1"
	Expanders []string // SAS addresses of the expanders on the way, the nearest to the host first; none where the HBA driver does not tell
}

// BlockDevice is one way that the host reaches a disk.
type BlockDevice struct {
	Name       string // "sda"
	SASAddress string // of the disk's port that it leads to, 16 hex digits, "" unknown
	LUID       string // NAA of the disk's logical unit, "" unknown
	ATA        bool   // it is a SATA disk behind a translation (SAT-3: its vendor is ATA)
	Live       bool
	Route      Route
	Uses       []Use
	Probed     bool // Uses is all there is: an exclusive open was tried too
}

// Use is something on the host that uses a disk.
type Use struct {
	Words string // "mounted /tank through dm-3 (mpatha)"
	Over  string // the block device on which it depends: the disk's own name, or the dm-multipath map's, which has other paths too
}

// mergeDrives joins the slots that the ESPs list with the block devices that lead
// to their drives. A drive keeps the first port's address.
//
// A block device is a path to a drive where it leads to one of the ports that
// page 0Ah lists, or to the logical unit that another such path leads to: an ESP
// need not list the ports that are not its own.
func mergeDrives(members []member, blocks []BlockDevice) []Drive {
	blocks = slices.SortedFunc(slices.Values(blocks), func(a, b BlockDevice) int { return ComparePaths(a.Name, b.Name) })
	byPort, byLUID := map[string][]int{}, map[string][]int{}
	for i, b := range blocks {
		if b.SASAddress != "" {
			byPort[b.SASAddress] = append(byPort[b.SASAddress], i)
		}
		if b.LUID != "" {
			byLUID[b.LUID] = append(byLUID[b.LUID], i)
		}
	}

	type occupied struct {
		Slot
		luID string // of the drive, "" unknown
	}
	var slots []occupied
	byNumber := map[int][]int{}
	for _, m := range members {
		for _, s := range m.Slots {
			luID := ""
			for _, port := range s.Ports {
				for _, b := range byPort[port.SASAddress] {
					luID = cmp.Or(luID, blocks[b].LUID)
				}
			}
			at := byNumber[s.Number]
			i := slices.IndexFunc(at, func(i int) bool { return slots[i].luID == luID || slots[i].luID == "" || luID == "" })
			if i < 0 {
				byNumber[s.Number] = append(at, len(slots))
				slots = append(slots, occupied{Slot: Slot{Number: s.Number}, luID: luID})
				i = len(at)
			}
			slot := &slots[byNumber[s.Number][i]]
			slot.luID = cmp.Or(slot.luID, luID)
			slot.Protocol = cmp.Or(slot.Protocol, s.Protocol)
			for _, port := range s.Ports {
				if !slices.ContainsFunc(slot.Ports, func(p Port) bool { return p.SASAddress == port.SASAddress }) {
					slot.Ports = append(slot.Ports, port)
				}
			}
		}
	}

	blind := hasUnknownDisks(members, blocks)
	drives := []Drive{}
	for _, s := range slots {
		d := Drive{Slot: s.Number, SASAddress: s.Ports[0].SASAddress, LUID: s.luID, Protocol: s.Protocol, Paths: []DrivePath{}}
		paths := slices.Clone(byLUID[s.luID])
		attached := map[string]string{} // expander that a port is wired to, by its address
		for _, port := range s.Ports {
			paths = append(paths, byPort[port.SASAddress]...)
			attached[port.SASAddress] = port.Attached
		}
		slices.Sort(paths)
		var over []BlockDevice
		for _, i := range slices.Compact(paths) {
			b := blocks[i]
			over = append(over, b)
			if b.ATA {
				d.Protocol = cmp.Or(d.Protocol, SATA)
			}
			d.Paths = append(d.Paths, DrivePath{Device: b.Name, Live: b.Live, Via: via(members, attached[b.SASAddress], b.Route)})
		}
		uses := usesOf(over)
		for i := range d.Paths {
			d.Paths[i].Used = carriesAll(over[i], uses)
		}
		d.InUse = inUse(over, uses, blind)
		drives = append(drives, d)
	}
	slices.SortStableFunc(drives, func(a, b Drive) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.SASAddress, b.SASAddress))
	})
	return drives
}

// hasUnknownDisks tells whether the host has disks of which it does not know
// the port, where it reaches one of these ESPs: each could be any of the drives.
func hasUnknownDisks(members []member, blocks []BlockDevice) bool {
	return slices.ContainsFunc(blocks, func(b BlockDevice) bool {
		return b.SASAddress == "" && slices.ContainsFunc(members, func(m member) bool { return m.reachedThrough(b.Route.SCSIHost) })
	})
}

// usesOf lists what uses a drive over any of its block devices, sorted.
func usesOf(blocks []BlockDevice) []Use {
	var uses []Use
	for _, b := range blocks {
		uses = append(uses, b.Uses...)
	}
	slices.SortFunc(uses, func(a, b Use) int { return cmp.Or(cmp.Compare(a.Words, b.Words), cmp.Compare(a.Over, b.Over)) })
	return uses
}

// carriesAll tells whether everything that uses a drive goes on over this one of
// its block devices.
func carriesAll(b BlockDevice, uses []Use) bool {
	return len(uses) > 0 && !slices.ContainsFunc(uses, func(u Use) bool { return !slices.Contains(b.Uses, u) })
}

func inUse(blocks []BlockDevice, uses []Use, blind bool) []string {
	words := []string{}
	for _, u := range uses {
		words = append(words, u.Words)
	}
	switch {
	case len(words) > 0:
		return slices.Compact(words)
	case len(blocks) == 0 && blind, slices.ContainsFunc(blocks, func(b BlockDevice) bool { return !b.Probed }):
		return nil
	}
	return words
}

// via tells which ESP a path to a drive goes through: the one whose own expander
// is nearest to the drive, by page 0Ah or by the host's route. An expander that
// the route shares with an ESP without being this one's own, upstream in a
// cascade, tells nothing: the ESP that is meant need not be in sight. Where the
// expanders of either are not known, it is the only ESP that is reached through
// the same SCSI host, if none of the enclosure's is missing.
func via(members []member, attached string, route Route) string {
	way := slices.Clone(route.Expanders)
	if attached != "" {
		way = append(way, attached)
	}
	for _, expander := range slices.Backward(way) {
		if owners := membersWith(members, func(m member) bool { return slices.Contains(m.esp.Expanders, expander) }); len(owners) > 0 {
			return only(owners)
		}
	}
	through := membersWith(members, func(m member) bool { return m.reachedThrough(route.SCSIHost) })
	_, missing := census(members)
	if len(missing) > 0 || len(through) == 1 && len(way) > 0 && len(through[0].esp.Expanders) > 0 {
		return ""
	}
	return only(through)
}

func membersWith(members []member, has func(member) bool) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool { return !has(m) })
}

func only(members []member) string {
	if len(members) != 1 {
		return ""
	}
	return members[0].esp.LUID
}

func (m *member) reachedThrough(scsiHost string) bool {
	return scsiHost != "" && slices.ContainsFunc(m.routes, func(r Route) bool { return r.SCSIHost == scsiHost })
}

// setExpanders tells every ESP's own expanders from those upstream. Its own are
// the one that its SEP hangs off, and those that page 0Ah lists unless another
// ESP's SEP hangs off them: some list their peer's too.
func setExpanders(members []member) {
	homes := make([][]string, len(members))
	for i, m := range members {
		for _, r := range m.routes {
			if n := len(r.Expanders); n > 0 {
				homes[i] = append(homes[i], r.Expanders[n-1])
			}
		}
	}
	for i := range members {
		esp := &members[i].esp
		own := slices.Clone(homes[i])
		for _, expander := range members[i].Expanders {
			if !slices.ContainsFunc(homes, func(home []string) bool { return slices.Contains(home, expander) }) {
				own = append(own, expander)
			}
		}
		var upstream []string
		for _, r := range members[i].routes {
			for _, expander := range r.Expanders {
				if !slices.Contains(own, expander) {
					upstream = append(upstream, expander)
				}
			}
		}
		esp.Expanders, esp.Upstream = sorted(own), sorted(upstream)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

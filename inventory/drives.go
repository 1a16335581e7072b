package inventory

import (
	"cmp"
	"fmt"
	"slices"
)

// Route is how the host reaches a device, as far as its kernel knows.
type Route struct {
	SCSIHost string // "host1"
	Target   string // "1:0:3": host, channel and target of the SCSI address; "" unknown
	// Expanders are the SAS addresses of the expanders on the way, the nearest to the host first;
	// none if the HBA driver does not show them.
	Expanders []string
	Complete  bool // the driver shows the way: Expanders are all there are
}

// BlockDevice is one way that the host reaches a disk.
type BlockDevice struct {
	Name       string // "sda"
	SASAddress string // of the disk's port that it leads to, 16 hex digits, "" unknown
	LUID       string // NAA of the disk's logical unit, "" unknown
	ATA        bool   // it is a SATA disk behind a translation (SAT-3: its vendor is ATA)
	Live       bool
	Down       string // why it is not live, in words
	Route      Route
	Uses       []BlockUse
	Probed     bool     // Uses is all there is: an exclusive open was tried too, and every process could be looked at
	Evidence   []string // in words: what was seen that does not count as use, and what could not be seen
}

// BlockUse is a use of a disk over one of its block devices.
type BlockUse struct {
	Use

	// Over is the block device that it depends on: the disk itself, or a dm-multipath map, which
	// has other paths too.
	Over string
}

// wiring joins the enclosures of a host with its block devices.
type wiring struct {
	groups  [][]member // those of one enclosure each
	blocks  []BlockDevice
	byPort  map[string][]int // blocks, by the port that they lead to
	byLUID  map[string][]int // likewise, by the drive's logical unit
	claimed map[string][]int // groups whose slots list a port or a logical unit
	homes   map[string][]int // groups, by an expander that one of their ESPs has
	above   map[int][]string // upstream expanders of a group
	behind  [][]sight        // blocks behind each group that are not behind one further down, whatever its slots list
}

// sight is a block device behind an enclosure, and why it counts as that.
type sight struct {
	block int
	why   string
}

func newWiring(groups [][]member, blocks []BlockDevice) *wiring {
	w := &wiring{
		groups: groups,
		blocks: slices.SortedFunc(slices.Values(blocks),
			func(a, b BlockDevice) int { return ComparePaths(a.Name, b.Name) }),
		byPort: map[string][]int{}, byLUID: map[string][]int{}, claimed: map[string][]int{}, homes: map[string][]int{},
		above:  map[int][]string{},
		behind: make([][]sight, len(groups)),
	}
	for i, b := range w.blocks {
		if b.SASAddress != "" {
			w.byPort[b.SASAddress] = append(w.byPort[b.SASAddress], i)
		}
		if b.LUID != "" {
			w.byLUID[b.LUID] = append(w.byLUID[b.LUID], i)
		}
	}
	for g, members := range groups {
		for _, m := range members {
			for _, x := range m.esp.Expanders {
				w.homes[x] = append(w.homes[x], g)
			}
			w.above[g] = append(w.above[g], m.esp.Upstream...)
			for _, s := range m.Slots {
				for _, port := range s.Ports {
					w.claim(port.SASAddress, g)
					for _, b := range w.byPort[port.SASAddress] {
						w.claim(w.blocks[b].LUID, g)
					}
				}
			}
		}
	}
	for i := range w.blocks {
		for g := range groups {
			if why := w.whyBehind(g, &w.blocks[i]); why != "" {
				w.behind[g] = append(w.behind[g], sight{i, why})
			}
		}
	}
	return w
}

func (w *wiring) claim(name string, g int) {
	if name != "" && !slices.Contains(w.claimed[name], g) {
		w.claimed[name] = append(w.claimed[name], g)
	}
}

// whyBehind returns the host's evidence that a block device is behind an enclosure, whatever
// page 0Ah lists, or "" if the host has none.
//
// A disk further downstream is behind the enclosure as well, unless another
// enclosure in sight is nearer to it: that one has the disk, and is itself below.
func (w *wiring) whyBehind(g int, b *BlockDevice) string {
	for _, m := range w.groups[g] {
		for _, x := range m.esp.Expanders {
			if slices.Contains(b.Route.Expanders, x) && !w.nearer(g, x, b) {
				return b.Name + " is routed through its expander " + x
			}
		}
		if port := m.port(); port != "" && b.SASAddress == port {
			return b.Name + " has the port of " + m.esp.ID()
		}
		for _, r := range m.routes {
			if r.Target != "" && b.Route.Target == r.Target {
				return b.Name + " shares the SCSI target of " + m.esp.ID()
			}
			if w.couldShare(g, r, b) {
				return b.Name + " is on the SCSI host of " + m.esp.ID() + ", and its route shows no expander"
			}
		}
	}
	return ""
}

// nearer reports whether a route to a disk goes on from one of an enclosure's
// expanders to those of an enclosure below it.
func (w *wiring) nearer(g int, expander string, b *BlockDevice) bool {
	return slices.ContainsFunc(b.Route.Expanders, func(x string) bool {
		return slices.ContainsFunc(w.homes[x], func(o int) bool {
			return o != g && slices.Contains(w.above[o], expander)
		})
	})
}

// couldShare reports whether a disk could be behind the ESP that the host reaches by a
// route: nothing that the host shows separates the two.
func (w *wiring) couldShare(g int, r Route, b *BlockDevice) bool {
	if r.SCSIHost != "" && b.Route.SCSIHost != "" && r.SCSIHost != b.Route.SCSIHost {
		return false
	}
	if len(r.Expanders) > 0 && (len(b.Route.Expanders) > 0 || b.Route.Complete) {
		return false
	}
	return !slices.ContainsFunc([]string{b.SASAddress, b.LUID}, func(name string) bool {
		return slices.ContainsFunc(w.claimed[name], func(o int) bool { return o != g })
	})
}

// evidence lists where the drives of an enclosure were looked for.
func (w *wiring) evidence(g int) []string {
	said := []string{}
	for _, m := range w.groups[g] {
		switch {
		case m.Slots == nil:
			said = append(said, m.esp.ID()+" does not show page 0Ah")
		case len(m.Slots) == 0:
			said = append(said, "page 0Ah of "+m.esp.ID()+" lists none")
		default:
			said = append(said, fmt.Sprintf("page 0Ah of %s lists %d", m.esp.ID(), len(m.Slots)))
		}
		switch {
		case len(m.Doubtful) > 0:
			said = append(said, fmt.Sprintf("%d slots of %s may have a drive without an address", len(m.Doubtful),
				m.esp.ID()))
		case m.StatusRead:
			said = append(said, "page 02h of "+m.esp.ID()+" shows no other device in a slot")
		}
	}
	if n := len(w.behind[g]); n > 0 {
		return append(said, fmt.Sprintf("%d of %d disks of this host are routed through it", n, len(w.blocks)))
	}
	return append(said, "no disk of this host is routed through it")
}

// occupied is a slot on its way to a drive.
type occupied struct {
	Slot
	luID     string // of the drive, "" unknown
	reading  int    // the last member that listed it
	evidence []string
}

// slots joins what the ESPs of an enclosure list. Two entries of one ESP are two
// slots, though they have one number.
func (w *wiring) slots(members []member) []occupied {
	var slots []occupied
	byNumber := map[int][]int{}
	for n, m := range members {
		for _, s := range m.Slots {
			luID := ""
			for _, port := range s.Ports {
				for _, b := range w.byPort[port.SASAddress] {
					luID = cmp.Or(luID, w.blocks[b].LUID)
				}
			}
			at := byNumber[s.Number]
			alike := slices.IndexFunc(at, func(i int) bool { return slots[i].shares(s.Ports) })
			if alike < 0 {
				alike = slices.IndexFunc(at, func(i int) bool { return luID != "" && slots[i].luID == luID })
			}
			if alike < 0 {
				alike = slices.IndexFunc(at, func(i int) bool {
					return slots[i].reading != n && (slots[i].luID == "" || luID == "")
				})
			}
			if alike < 0 {
				alike = len(at)
				at = append(at, len(slots))
				byNumber[s.Number] = at
				slots = append(slots, occupied{Slot: Slot{Number: s.Number}})
			}
			slot := &slots[at[alike]]
			slot.reading = n
			slot.luID = cmp.Or(slot.luID, luID)
			slot.Protocol = cmp.Or(slot.Protocol, s.Protocol)
			said := fmt.Sprintf("page 0Ah of %s lists it in slot %d", m.esp.ID(), s.Number)
			if !slices.Contains(slot.evidence, said) {
				slot.evidence = append(slot.evidence, said)
			}
			for _, port := range s.Ports {
				if !slices.ContainsFunc(slot.Ports, func(p Port) bool { return p.SASAddress == port.SASAddress }) {
					slot.Ports = append(slot.Ports, port)
				}
			}
		}
	}
	return slots
}

// shares reports whether one of a slot's ports is among some.
func (o *occupied) shares(ports []Port) bool {
	return slices.ContainsFunc(o.Ports, func(p Port) bool {
		return slices.ContainsFunc(ports, func(q Port) bool { return p.SASAddress == q.SASAddress })
	})
}

// drives lists the drives behind an enclosure: those that its ESPs list, those in
// slots without an address, and those that only the host's routes show. Each source
// adds drives, and none removes another's.
//
// A block device is a path to a drive if it leads to one of the ports that page 0Ah
// lists, or to the logical unit that another such path leads to: an ESP need not list
// ports other than its own. A drive keeps the first port's address.
func (w *wiring) drives(g int) []Drive {
	members := w.groups[g]
	drives := []Drive{}
	taken := map[int]bool{}         // blocks that lead to a drive of the list
	attached := map[string]string{} // expander that a port is wired to, by its address
	add := func(d Drive, paths []int) {
		slices.Sort(paths)
		d.Paths = []DrivePath{}
		var over []BlockDevice
		for _, i := range slices.Compact(paths) {
			b := w.blocks[i]
			taken[i] = true
			over = append(over, b)
			for _, said := range b.Evidence {
				if said = b.Name + ": " + said; !slices.Contains(d.Evidence, said) {
					d.Evidence = append(slices.Clip(d.Evidence), said)
				}
			}
			if b.ATA {
				d.Protocol = cmp.Or(d.Protocol, SATA)
			}
			d.Paths = append(d.Paths,
				DrivePath{Device: b.Name, Live: b.Live, Down: b.Down,
					Via: via(members, attached[b.SASAddress], b.Route)})
		}
		uses := usesOf(over)
		for i := range d.Paths {
			d.Paths[i].Used = carriesAll(over[i], uses)
		}
		d.InUse = inUse(over, uses)
		d.Uses = distinct(uses)
		drives = append(drives, d)
	}
	for _, s := range w.slots(members) {
		paths := slices.Clone(w.byLUID[s.luID])
		for _, port := range s.Ports {
			paths = append(paths, w.byPort[port.SASAddress]...)
			attached[port.SASAddress] = port.Attached
		}
		add(Drive{Slot: SlotNumber(s.Number), SASAddress: s.Ports[0].SASAddress, LUID: s.luID, Protocol: s.Protocol,
			Evidence: s.evidence}, paths)
	}
	for n, m := range members {
		for _, s := range m.Doubtful {
			answered := func(o member) bool {
				return slices.ContainsFunc(o.Slots, func(x Slot) bool { return s.Place >= 0 && x.Place == s.Place })
			}
			doubted := func(o member) bool {
				return slices.ContainsFunc(o.Doubtful, func(x Doubt) bool { return x.Place == s.Place })
			}
			if slices.ContainsFunc(members, answered) || slices.ContainsFunc(members[:n], doubted) {
				continue
			}
			add(Drive{Slot: SlotNumber(s.Number), Evidence: []string{m.esp.ID() + ": " + s.Why}}, nil)
		}
	}
	for _, s := range w.behind[g] {
		if taken[s.block] {
			continue
		}
		b := &w.blocks[s.block]
		paths := []int{s.block}
		if b.LUID != "" {
			paths = slices.Clone(w.byLUID[b.LUID])
		}
		add(Drive{Slot: NoSlot, SASAddress: b.SASAddress, LUID: b.LUID,
			Evidence: []string{s.why, "no slot lists it"}}, paths)
	}
	slices.SortStableFunc(drives, func(a, b Drive) int {
		if (a.Slot == NoSlot) != (b.Slot == NoSlot) { // those in slots first
			return cmp.Compare(b.Slot, a.Slot)
		}
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.SASAddress, b.SASAddress))
	})
	return drives
}

// usesOf lists what uses a drive over any of its block devices, sorted.
func usesOf(blocks []BlockDevice) []BlockUse {
	var uses []BlockUse
	for _, b := range blocks {
		uses = append(uses, b.Uses...)
	}
	slices.SortFunc(uses, func(a, b BlockUse) int {
		return cmp.Or(cmp.Compare(a.String(), b.String()), cmp.Compare(a.Over, b.Over))
	})
	return uses
}

// same reports whether two uses are one, over the same block device.
func (u BlockUse) same(o BlockUse) bool { return u.Over == o.Over && u.String() == o.String() }

// carriesAll reports whether everything that uses a drive goes on over this one of
// its block devices.
func carriesAll(b BlockDevice, uses []BlockUse) bool {
	return len(uses) > 0 && !slices.ContainsFunc(uses, func(u BlockUse) bool {
		return !slices.ContainsFunc(b.Uses, u.same)
	})
}

// distinct lists uses once each, over whatever block devices they are, sorted; nil if there
// are none.
func distinct(uses []BlockUse) []Use {
	var all []Use
	for _, u := range uses {
		all = append(all, u.Use)
	}
	slices.SortFunc(all, compareUses)
	return slices.CompactFunc(all, func(a, b Use) bool { return compareUses(a, b) == 0 })
}

// inUse lists uses in words. It returns nil, which means unknown, if no use is seen but
// not everything was looked at: a drive that this host does not see may be in use on another.
func inUse(blocks []BlockDevice, uses []BlockUse) []string {
	words := []string{}
	for _, u := range uses {
		words = append(words, u.String())
	}
	unprobed := func(b BlockDevice) bool { return !b.Probed }
	if len(words) == 0 && (len(blocks) == 0 || slices.ContainsFunc(blocks, unprobed)) {
		return nil
	}
	return slices.Compact(words)
}

// via returns the ESP that a path to a drive goes through: the one whose own expander
// is nearest to the drive, by page 0Ah or by the host's route. An upstream expander in
// a cascade, which the route shares with an ESP that does not own it, proves nothing:
// the ESP that the path goes through need not be in sight. If the expanders of either
// are not known, it is the only ESP that is reached through the same SCSI host, provided
// that none of the enclosure's ESPs is missing.
func via(members []member, attached string, route Route) string {
	way := slices.Clone(route.Expanders)
	if attached != "" {
		way = append(way, attached)
	}
	for _, expander := range slices.Backward(way) {
		owners := membersWith(members, func(m member) bool { return slices.Contains(m.esp.Expanders, expander) })
		if len(owners) > 0 {
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

// setExpanders separates every ESP's own expanders from those upstream. Its own are
// the one that its SEP is attached to, and those that page 0Ah lists, except for any that
// another ESP's SEP is attached to: some ESPs list their peer's expanders too.
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

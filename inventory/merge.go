package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reading is what one logical unit answered over one path: the plain record that
// scan makes of a device and Merge makes enclosures of.
type Reading struct {
	Path           string         // device node
	LUID           string         // see Identity.LUID
	Port           string         // SAS address of the SEP's own port that this path leads to, 16 hex digits; "" unknown
	Serial         string         // VPD page 80h
	Inquiry        Inquiry        // standard INQUIRY data
	Pages          []int          // supported diagnostic pages, ascending; nil where the device does not tell
	GenerationCode uint32         // the same in every page of this reading
	RelativeID     int            // of the primary subenclosure, page 01h
	Processes      int            // likewise
	Subenclosures  []Subenclosure // sorted by ID, the primary first; without addresses
	Download       Download
	Health         Health
	Slots          []Slot    // occupied device slots
	Problems       []Problem // what of the device could not be read
}

// Slot is an occupied device slot, page 0Ah.
type Slot struct {
	Number     int
	SASAddress string // of the drive's port, 16 hex digits
}

// BlockDevice is one way that the host reaches a drive.
type BlockDevice struct {
	Name       string // "sda"
	SASAddress string // of the drive's port that it leads to, 16 hex digits
	LUID       string // NAA of the drive's logical unit, "" unknown
	Live       bool
}

// Merge joins readings to ESPs, ESPs to enclosures, and drives to the block
// devices that lead to them. The result does not depend on the order of either.
//
// Two paths lead to one ESP only if the logical unit, the enclosure, the ES
// process numbers and the SEP's own port agree. ESPs that cannot be told apart
// get a Conflict and a Problem each. Every reading has at least the primary
// subenclosure.
func Merge(readings []Reading, blocks []BlockDevice) ([]Enclosure, []Problem) {
	problems := []Problem{}
	for _, r := range readings {
		problems = append(problems, r.Problems...)
	}

	byEnclosure := map[string][]member{}
	for _, m := range mergePaths(readings) {
		id := EnclosureID(m.logicalID(), m.esp.LUID)
		byEnclosure[id] = append(byEnclosure[id], m)
	}
	markSharedIdentity(byEnclosure)

	enclosures := []Enclosure{}
	for _, id := range slices.Sorted(maps.Keys(byEnclosure)) {
		members := byEnclosure[id]
		slices.SortFunc(members, compareMembers)
		markSharedAddress(members)
		enclosures = append(enclosures, newEnclosure(id, members, blocks))
	}

	for i := range enclosures {
		for _, esp := range enclosures[i].ESPs {
			if esp.Conflict != "" {
				problems = append(problems, Problem{
					Path:    esp.Paths[0],
					Summary: "cannot tell for certain what " + enclosures[i].ID() + "/" + esp.ID() + " is",
					Detail: esp.Conflict + "; nothing of it is touched. Compare sg_vpd --page=di and sg_ses --page=cf of the nodes, " +
						"and give what is alike identities of its own, or disconnect one of the two",
				})
			}
		}
	}
	SortProblems(problems)
	return enclosures, problems
}

// SortProblems sorts by path, then by text.
func SortProblems(problems []Problem) {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(ComparePaths(a.Path, b.Path), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
	})
}

// ComparePaths orders device nodes as people count: /dev/sg9 before /dev/sg10.
func ComparePaths(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// member is an ESP on its way into an enclosure, with what its reading says of both.
type member struct {
	esp    ESP
	port   string
	health Health
	slots  []Slot
}

func (m *member) logicalID() string { return m.esp.Subenclosures[0].LogicalID }

func compareMembers(a, b member) int {
	return cmp.Or(cmp.Compare(a.esp.ID(), b.esp.ID()), cmp.Compare(a.esp.LUID, b.esp.LUID),
		cmp.Compare(a.esp.RelativeID, b.esp.RelativeID), cmp.Compare(a.esp.Processes, b.esp.Processes),
		cmp.Compare(a.port, b.port), ComparePaths(a.esp.Paths[0], b.esp.Paths[0]))
}

// mergePaths makes one member of the readings that are of one ESP. What it
// reports is taken from the first path.
func mergePaths(readings []Reading) []member {
	type identity struct {
		luID, logicalID, port string
		relativeID, processes int
	}
	identify := func(r *Reading, port string) identity {
		return identity{r.LUID, r.Subenclosures[0].LogicalID, port, r.RelativeID, r.Processes}
	}

	readings = slices.SortedFunc(slices.Values(readings), func(a, b Reading) int { return ComparePaths(a.Path, b.Path) })
	ports := map[identity][]string{}
	for i := range readings {
		id := identify(&readings[i], "")
		if port := readings[i].Port; port != "" && !slices.Contains(ports[id], port) {
			ports[id] = append(ports[id], port)
		}
	}

	var members []member
	index := map[identity]int{}
	for i := range readings {
		r := &readings[i]
		id := identify(r, "")
		if len(ports[id]) > 1 { // several ports for one identity: each is an ESP
			id = identify(r, r.Port)
		}
		n, known := index[id]
		if !known {
			index[id] = len(members)
			members = append(members, newMember(r))
			continue
		}
		m := &members[n]
		m.esp.Paths = append(m.esp.Paths, r.Path)
		switch {
		case strings.HasPrefix(r.LUID, sesOnly) && (r.Port == "" || m.port == ""):
			m.esp.Conflict = "it refuses all VPD pages, and nothing tells whether its paths lead to one ESP or to several"
		case !slices.Equal(m.esp.Subenclosures, r.Subenclosures):
			m.esp.Conflict = "what looks like one ESP, logical unit " + r.LUID + ", reports other subenclosures on another path"
		}
	}
	return members
}

func newMember(r *Reading) member {
	m := member{
		esp: ESP{
			RelativeID:     r.RelativeID,
			Processes:      r.Processes,
			LUID:           r.LUID,
			Serial:         r.Serial,
			Paths:          []string{r.Path},
			GenerationCode: r.GenerationCode,
			Inquiry:        r.Inquiry,
			Download:       r.Download,
			Subenclosures:  slices.Clone(r.Subenclosures),
		},
		port:   r.Port,
		health: r.Health,
		slots:  r.Slots,
	}
	for i := 1; i < len(r.Subenclosures); i++ {
		if r.Subenclosures[i].ID == r.Subenclosures[i-1].ID {
			m.esp.Conflict = fmt.Sprintf("it lists subenclosure %d more than once", r.Subenclosures[i].ID)
		}
	}
	return m
}

// markSharedIdentity marks ESPs that cannot be found again for certain, because
// their logical units have one designator.
func markSharedIdentity(byEnclosure map[string][]member) {
	count := map[string]int{}
	for _, members := range byEnclosure {
		for i := range members {
			count[members[i].esp.LUID]++
		}
	}
	for _, members := range byEnclosure {
		for i := range members {
			if esp := &members[i].esp; count[esp.LUID] > 1 {
				esp.Conflict = "another ESP, behind another port or in another place, has the same logical unit designator, " + esp.LUID
			}
		}
	}
}

// markSharedAddress marks the ESPs of one enclosure that claim one address.
// Members are sorted, so that those stand side by side.
func markSharedAddress(members []member) {
	for i := 1; i < len(members); i++ {
		a, b := &members[i-1].esp, &members[i].esp
		if a.ID() != b.ID() || a.LUID == b.LUID {
			continue
		}
		b.Conflict = "logical unit " + a.LUID + " says too that it is " + a.ID() + " of this enclosure"
		if a.Conflict == "" {
			a.Conflict = "logical unit " + b.LUID + " says too that it is " + b.ID() + " of this enclosure"
		}
	}
}

// newEnclosure makes an enclosure of its members, sorted by ESP.ID.
func newEnclosure(id string, members []member, blocks []BlockDevice) Enclosure {
	primary := members[0].esp.Subenclosures[0]
	e := Enclosure{
		LogicalID: primary.LogicalID,
		Vendor:    primary.Vendor,
		Product:   primary.Product,
		Health:    mergeHealth(members),
		Drives:    mergeDrives(members, blocks),
	}
	e.ExpectedESPs, e.MissingESPs = census(members)
	setAddresses(id, members)
	for _, m := range members {
		e.ESPs = append(e.ESPs, m.esp)
	}
	return e
}

// census counts by "n of m"; only what says which of several it is can tell.
func census(members []member) (expected *int, missing []int) {
	present := map[int]bool{}
	most := 0
	for _, m := range members {
		if numbered(m.esp.RelativeID, m.esp.Processes) {
			present[m.esp.RelativeID] = true
			most = max(most, m.esp.Processes)
		}
	}
	missing = []int{}
	if most == 0 {
		return nil, missing
	}
	for n := 1; n <= most; n++ {
		if !present[n] {
			missing = append(missing, n)
		}
	}
	return &most, missing
}

// setAddresses gives every subenclosure its address. What several ESPs serve gets
// the one that it has under the first of them.
func setAddresses(enclosure string, members []member) {
	shared := map[string]string{} // subenclosure logical identifier: address
	for i := range members {
		esp := &members[i].esp
		own := map[string]int{}
		for _, sub := range esp.Subenclosures {
			own[sub.LogicalID]++
		}
		for j := range esp.Subenclosures {
			sub := &esp.Subenclosures[j]
			sub.Address = Address(enclosure, esp.ID(), sub.ID)
			// An identifier that is all zero, or that stands for more than one
			// subenclosure here (the primary's included), identifies nothing.
			if sub.ID == 0 || sub.LogicalID == zeroLogicalID || own[sub.LogicalID] > 1 {
				continue
			}
			if first, ok := shared[sub.LogicalID]; ok {
				sub.Address = first
			} else {
				shared[sub.LogicalID] = sub.Address
			}
		}
	}
}

func mergeHealth(members []member) Health {
	all := Health{Failures: []string{}}
	for _, m := range members {
		all.Critical = all.Critical || m.health.Critical
		all.Unrecoverable = all.Unrecoverable || m.health.Unrecoverable
		for _, line := range m.health.Failures {
			if !slices.Contains(all.Failures, line) {
				all.Failures = append(all.Failures, line)
			}
		}
	}
	return all
}

// mergeDrives joins the slots that the ESPs list. Each ESP lists the port of a
// drive that it is wired to, so one slot has several SAS addresses; the drive
// keeps the first. A path is said to go through an ESP where another ESP lists
// the slot with another port.
func mergeDrives(members []member, blocks []BlockDevice) []Drive {
	type port struct{ address, luID string } // of the drive, and of the ESP that lists it
	type slot struct {
		drive    Drive
		driveLU  string
		ports    []port
		distinct bool
	}
	blocks = slices.SortedFunc(slices.Values(blocks), func(a, b BlockDevice) int { return ComparePaths(a.Name, b.Name) })

	var slots []slot
	for _, m := range members {
		for _, s := range m.slots {
			driveLU := ""
			for _, b := range blocks {
				if b.SASAddress == s.SASAddress {
					driveLU = cmp.Or(driveLU, b.LUID)
				}
			}
			i := slices.IndexFunc(slots, func(o slot) bool {
				return o.drive.Slot == s.Number && (o.driveLU == driveLU || o.driveLU == "" || driveLU == "")
			})
			if i < 0 {
				i = len(slots)
				slots = append(slots, slot{drive: Drive{Slot: s.Number, SASAddress: s.SASAddress, Paths: []DrivePath{}}})
			}
			slots[i].driveLU = cmp.Or(slots[i].driveLU, driveLU)
			slots[i].distinct = slots[i].distinct || slots[i].drive.SASAddress != s.SASAddress
			slots[i].ports = append(slots[i].ports, port{s.SASAddress, m.esp.LUID})
		}
	}

	drives := []Drive{}
	for _, s := range slots {
		for _, b := range blocks {
			var through []string
			for _, p := range s.ports {
				if p.address == b.SASAddress {
					through = append(through, p.luID)
				}
			}
			if len(through) == 0 {
				continue
			}
			path := DrivePath{Device: b.Name, Live: b.Live}
			if s.distinct && len(through) == 1 {
				path.Via = through[0]
			}
			s.drive.Paths = append(s.drive.Paths, path)
		}
		drives = append(drives, s.drive)
	}
	slices.SortStableFunc(drives, func(a, b Drive) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), strings.Compare(a.SASAddress, b.SASAddress))
	})
	return drives
}

package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Reading is what one logical unit answered over one path. Package scan makes one of each
// device, and Merge makes enclosures of them.
type Reading struct {
	Path           string // device node
	Identity       Identity
	Port           string // SAS address that the path leads to, as the host knows it, 16 hex digits; "" unknown
	Route          Route
	Inquiry        Inquiry        // standard INQUIRY data
	Pages          []int          // supported diagnostic pages, ascending; nil if the device does not say
	GenerationCode uint32         // the same in every page of this reading
	Subenclosures  []Subenclosure // sorted by ID, the primary first; without addresses
	Download       Download
	Health         Health
	Slots          []Slot    // device slots with a drive of known address; nil if page 0Ah cannot be read
	StatusRead     bool      // page 02h was read
	Doubtful       []Doubt   // device slots that may have a drive of unknown address
	Expanders      []string  // SAS addresses of the SAS expanders of page 0Ah, 16 hex digits
	Problems       []Problem // about what could not be read
}

// port returns the SEP's own port, as the device reports it, else as the host does.
func (r *Reading) port() string { return cmp.Or(r.Identity.Port, r.Port) }

// Slot is a device slot with a drive, page 0Ah.
type Slot struct {
	Number   int
	Place    int           // its element's place among all device slot elements, from 0; -1 if unknown
	Ports    []Port        // of the drive, as far as the ESP knows them; at least one
	Protocol DriveProtocol // of the drive, as page 0Ah reports it; "" if it does not
}

// Doubt is a device slot that may have a drive whose address page 0Ah does not give.
type Doubt struct {
	Number int    // slot number
	Place  int    // as in Slot
	Why    string // what the pages say, in words
}

// Port is a port of a drive. Both are SAS addresses, 16 hex digits.
type Port struct {
	SASAddress string
	Attached   string // the expander that it is wired to, "" unknown
}

// Merge joins readings to ESPs, ESPs to enclosures, and drives to the block
// devices that lead to them. The result does not depend on the order of either.
//
// Two paths lead to one ESP only if the logical unit, the enclosure, the ES
// process numbers and the SEP's own port agree. If several ESPs turn out to
// have one LUID, each gets its port as part of it, as in Identity.LUID, if that changes
// none of their addresses. ESPs that still look alike get a Conflict and a Problem each.
// Every reading has at least the primary subenclosure.
func Merge(readings []Reading, blocks []BlockDevice) ([]Enclosure, []Problem) {
	problems := []Problem{}
	for _, r := range readings {
		problems = append(problems, r.Problems...)
	}

	members := mergePaths(readings)
	separateSharedIdentity(members)
	byEnclosure := map[string][]member{}
	for _, m := range members {
		byEnclosure[m.enclosure] = append(byEnclosure[m.enclosure], m)
	}

	enclosures := []Enclosure{}
	ids := slices.Sorted(maps.Keys(byEnclosure))
	groups := make([][]member, len(ids))
	for i, id := range ids {
		groups[i] = byEnclosure[id]
		slices.SortFunc(groups[i], compareMembers)
		markSharedAddress(groups[i])
		setExpanders(groups[i])
	}
	w := newWiring(groups, blocks)
	for i, id := range ids {
		enclosures = append(enclosures, newEnclosure(id, groups[i], w.drives(i), w.evidence(i)))
	}

	for i := range enclosures {
		for _, esp := range enclosures[i].ESPs {
			if esp.Conflict != "" {
				problems = append(problems, Problem{
					Path:    esp.Paths[0],
					Summary: "cannot identify " + enclosures[i].ID() + "/" + esp.ID() + " for certain",
					Detail: esp.Conflict + "; nothing of it is touched. Compare sg_vpd --page=di and " +
						"sg_ses --page=cf of the nodes, and give each of the two its own identity, " +
						"or disconnect one of them",
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

// member is an ESP that is being put into an enclosure, with the reading of its first path.
type member struct {
	*Reading
	enclosure string // Enclosure.ID
	esp       ESP
	routes    []Route // one for each of ESP.Paths
}

func compareMembers(a, b member) int {
	return cmp.Or(cmp.Compare(a.esp.ID(), b.esp.ID()), cmp.Compare(a.esp.LUID, b.esp.LUID),
		ComparePaths(a.Path, b.Path))
}

// mergePaths joins the readings of each ESP to one member.
func mergePaths(readings []Reading) []member {
	type key struct {
		luID, logicalID, serial, port string
		relativeID, processes         int
	}
	keyOf := func(r *Reading, port string) key {
		return key{r.Identity.LUID(), r.Identity.LogicalID, r.Identity.Serial, port, r.Identity.RelativeID,
			r.Identity.Processes}
	}

	readings = slices.SortedFunc(slices.Values(readings),
		func(a, b Reading) int { return ComparePaths(a.Path, b.Path) })
	ports := map[key][]string{}
	for i := range readings {
		k := keyOf(&readings[i], "")
		if port := readings[i].port(); port != "" && !slices.Contains(ports[k], port) {
			ports[k] = append(ports[k], port)
		}
	}

	var members []member
	index := map[key]int{}
	for i := range readings {
		r := &readings[i]
		k := keyOf(r, "")
		if len(ports[k]) > 1 { // several ports that are otherwise alike: each is an ESP
			k = keyOf(r, r.port())
		}
		n, known := index[k]
		if !known {
			index[k] = len(members)
			members = append(members, newMember(r))
			continue
		}
		m := &members[n]
		m.esp.Paths = append(m.esp.Paths, r.Path)
		m.routes = append(m.routes, r.Route)
		switch {
		case (m.port() == "" || r.port() == "") &&
			(strings.HasPrefix(m.esp.LUID, sesOnly) || !numbered(r.Identity.RelativeID, r.Identity.Processes)):
			// Two modules can have one NAA, and both say "1 of 1".
			m.esp.Conflict = "it does not report its port on every path, " +
				"and nothing else shows whether they lead to one ESP or to several"
		case !reflect.DeepEqual(m.Subenclosures, r.Subenclosures):
			m.esp.Conflict = "it looks like one ESP, logical unit " + m.esp.LUID +
				", and reports other subenclosures on another path"
		}
	}
	return members
}

func newMember(r *Reading) member {
	m := member{
		Reading:   r,
		enclosure: EnclosureID(r.Identity.LogicalID, r.Identity.LUID()),
		routes:    []Route{r.Route},
		esp: ESP{
			RelativeID:     r.Identity.RelativeID,
			Processes:      r.Identity.Processes,
			LUID:           r.Identity.LUID(),
			Serial:         r.Identity.Serial,
			Paths:          []string{r.Path},
			GenerationCode: r.GenerationCode,
			Inquiry:        r.Inquiry,
			Download:       r.Download,
			Subenclosures:  slices.Clone(r.Subenclosures),
		},
	}
	for i := 1; i < len(r.Subenclosures); i++ {
		if r.Subenclosures[i].ID == r.Subenclosures[i-1].ID {
			m.esp.Conflict = fmt.Sprintf("it lists subenclosure %d more than once", r.Subenclosures[i].ID)
		}
	}
	return m
}

// separateSharedIdentity adds their ports to the LUIDs of ESPs whose logical units share
// a designator. It leaves alone a designator that is part of an address: the address would
// depend on who else is in sight.
func separateSharedIdentity(members []member) {
	sharing := func() map[string][]*member {
		by := map[string][]*member{}
		for i := range members {
			by[members[i].esp.LUID] = append(by[members[i].esp.LUID], &members[i])
		}
		maps.DeleteFunc(by, func(_ string, alike []*member) bool { return len(alike) < 2 })
		return by
	}
	inAddress := func(m *member) bool {
		return m.Identity.LogicalID == zeroLogicalID || !numbered(m.esp.RelativeID, m.esp.Processes)
	}
	for _, alike := range sharing() {
		if slices.ContainsFunc(alike, func(m *member) bool {
			return inAddress(m) || m.Identity.LogicalUnit == "" || m.Identity.Port == ""
		}) {
			continue
		}
		for _, m := range alike {
			m.esp.LUID = m.Identity.atPort()
		}
	}
	for luID, alike := range sharing() {
		for _, m := range alike {
			m.esp.Conflict = "another ESP, behind another port or in another place, " +
				"has the same logical unit designator, " + luID
		}
	}
}

// markSharedAddress marks the ESPs of one enclosure that claim one address.
// Members are sorted, so that those stand side by side.
func markSharedAddress(members []member) {
	for i := 1; i < len(members); i++ {
		a, b := &members[i-1].esp, &members[i].esp
		if a.ID() == b.ID() {
			a.Conflict = cmp.Or(a.Conflict, "logical unit "+b.LUID+" also says that it is "+b.ID()+" of this enclosure")
			b.Conflict = cmp.Or(b.Conflict, "logical unit "+a.LUID+" also says that it is "+a.ID()+" of this enclosure")
		}
	}
}

// newEnclosure returns an enclosure with its members, which are sorted by ESP.ID.
func newEnclosure(id string, members []member, drives []Drive, evidence []string) Enclosure {
	primary := members[0].esp.Subenclosures[0]
	e := Enclosure{
		LogicalID: primary.LogicalID,
		Vendor:    primary.Vendor,
		Product:   primary.Product,
		Health:    mergeHealth(members),
		Drives:    drives,

		DriveEvidence: evidence,
		DrivesUnknown: !slices.ContainsFunc(members, func(m member) bool { return m.Slots != nil }),
	}
	e.ExpectedESPs, e.MissingESPs = census(members)
	setAddresses(id, members)
	for _, m := range members {
		e.ESPs = append(e.ESPs, m.esp)
	}
	return e
}

// census returns how many ESPs there should be and which are missing, by their "n of m".
// Only ESPs that say which of several they are count.
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

// setAddresses gives every subenclosure its address. One that several ESPs serve gets
// the address that it has under the first of them.
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
	all := Health{Unknown: true, Failures: []string{}}
	for _, m := range members {
		all.Unknown = all.Unknown && m.Health.Unknown
		all.Critical = all.Critical || m.Health.Critical
		all.Unrecoverable = all.Unrecoverable || m.Health.Unrecoverable
		for _, line := range m.Health.Failures {
			if !slices.Contains(all.Failures, line) {
				all.Failures = append(all.Failures, line)
			}
		}
		for name, n := range m.Health.Elements {
			if all.Elements == nil {
				all.Elements = map[string]int{}
			}
			all.Elements[name] = max(all.Elements[name], n)
		}
	}
	return all
}

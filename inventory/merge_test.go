package inventory_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
)

const (
	enclosureA = "5000ccab04001000"
	lu1        = "5000ccab04001001"
	lu2        = "5000ccab04001002"
)

// reading is one path to an ESP with a primary subenclosure alone. The logical
// unit is an NAA, with @ and the port if the device reports it.
func reading(path, luID, logicalID string, relativeID, processes int) inventory.Reading {
	luID, port, _ := strings.Cut(luID, "@")
	return inventory.Reading{
		Path: path,
		Identity: inventory.Identity{LogicalUnit: luID, Port: port, LogicalID: logicalID, RelativeID: relativeID,
			Processes: processes},
		Subenclosures: []inventory.Subenclosure{{LogicalID: logicalID, Vendor: "ACME", Product: "JBOD-60", Revision: "1000"}},
	}
}

func serial(r inventory.Reading, serial string) inventory.Reading {
	r.Identity.Serial = serial
	return r
}

// tree draws what Merge made: an enclosure's address and census, then its ESPs.
func tree(enclosures []inventory.Enclosure) []string {
	lines := []string{}
	for _, e := range enclosures {
		expected := "?"
		if e.ExpectedESPs != nil {
			expected = string(rune('0' + *e.ExpectedESPs))
		}
		line := e.ID() + " expects " + expected
		for _, n := range e.MissingESPs {
			line += " misses " + string(rune('0'+n))
		}
		lines = append(lines, line)
		for _, esp := range e.ESPs {
			line := "  " + esp.ID() + " " + esp.LUID + " " + strings.Join(esp.Paths, ",")
			if esp.Conflict != "" {
				line += " CONFLICT"
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func TestMergeGroups(t *testing.T) {
	withPort := func(r inventory.Reading, port string) inventory.Reading {
		r.Port = port
		return r
	}
	const zero = "0000000000000000"
	tests := []struct {
		name     string
		readings []inventory.Reading
		want     []string
	}{
		{"nothing", nil, []string{}},
		{"two ESPs, two paths each", []inventory.Reading{
			reading("/dev/sg10", lu1, enclosureA, 1, 2), reading("/dev/sg9", lu1, enclosureA, 1, 2),
			reading("/dev/sg3", lu2, enclosureA, 2, 2), reading("/dev/sg11", lu2, enclosureA, 2, 2),
		}, []string{
			enclosureA + " expects 2",
			"  esp1 " + lu1 + " /dev/sg9,/dev/sg10",
			"  esp2 " + lu2 + " /dev/sg3,/dev/sg11",
		}},
		{"one of two is missing", []inventory.Reading{
			reading("/dev/sg3", lu2, enclosureA, 2, 2),
		}, []string{
			enclosureA + " expects 2 misses 1",
			"  esp2 " + lu2 + " /dev/sg3",
		}},
		{"both say 0 of 0 (NetApp DS424)", []inventory.Reading{
			reading("/dev/sg3", lu2, enclosureA, 0, 0), reading("/dev/sg4", lu1, enclosureA, 0, 0),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg4",
			"  lu-" + lu2 + " " + lu2 + " /dev/sg3",
		}},
		{"both say 1 of 1", []inventory.Reading{
			reading("/dev/sg3", lu1, enclosureA, 1, 1), reading("/dev/sg4", lu2, enclosureA, 1, 1),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg3",
			"  lu-" + lu2 + " " + lu2 + " /dev/sg4",
		}},
		{"no logical identifier (MD32xxi): each is an enclosure of its own", []inventory.Reading{
			reading("/dev/sg3", lu1, zero, 0, 0), reading("/dev/sg4", lu2+"@"+lu2, zero, 0, 0),
			reading("/dev/sg5", lu2+"@"+lu2, zero, 0, 0),
		}, []string{
			"lu-" + lu1 + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg3",
			"lu-" + lu2 + " expects ?",
			"  lu-" + lu2 + " " + lu2 + " /dev/sg4,/dev/sg5",
		}},
		{"one NAA, 1 of 1, and a port known on no path or on one: it may be two modules", []inventory.Reading{
			reading("/dev/sg3", lu1, enclosureA, 1, 1), reading("/dev/sg4", lu1, enclosureA, 1, 1),
			reading("/dev/sg5", lu2, "5000ccab04002000", 1, 1), reading("/dev/sg6", lu2+"@"+lu2, "5000ccab04002000", 1, 1),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg3,/dev/sg4 CONFLICT",
			"5000ccab04002000" + " expects ?",
			"  lu-" + lu2 + " " + lu2 + " /dev/sg5,/dev/sg6 CONFLICT",
		}},
		{"one NAA and two serial numbers are two modules", []inventory.Reading{
			serial(reading("/dev/sg3", lu1, enclosureA, 1, 1), "A"), serial(reading("/dev/sg4", lu1, enclosureA, 1, 1), "B"),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg3 CONFLICT",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg4 CONFLICT",
		}},
		{"a serial number that is read on one path alone: it may be two modules", []inventory.Reading{
			serial(reading("/dev/sg3", lu1, enclosureA, 1, 2), "A"), reading("/dev/sg4", lu1, enclosureA, 1, 2),
			serial(reading("/dev/sg5", lu2+"@"+lu2, "5000ccab04002000", 1, 1), "A"),
			reading("/dev/sg6", lu2+"@"+lu2, "5000ccab04002000", 1, 1),
		}, []string{
			enclosureA + " expects 2 misses 2",
			"  esp1 " + lu1 + " /dev/sg3 CONFLICT",
			"  esp1 " + lu1 + " /dev/sg4 CONFLICT",
			"5000ccab04002000" + " expects ?",
			"  lu-" + lu2 + " " + lu2 + " /dev/sg5 CONFLICT",
			"  lu-" + lu2 + " " + lu2 + " /dev/sg6 CONFLICT",
		}},
		{"the enclosure's NAA for both modules (Celestica)", []inventory.Reading{
			reading("/dev/sg3", enclosureA+"@5000ccab040010ff", enclosureA, 1, 2),
			reading("/dev/sg4", enclosureA+"@5000ccab040010fe", enclosureA, 2, 2),
			reading("/dev/sg5", enclosureA+"@5000ccab040010fe", enclosureA, 2, 2),
		}, []string{
			enclosureA + " expects 2",
			"  esp1 " + enclosureA + "@5000ccab040010ff /dev/sg3",
			"  esp2 " + enclosureA + "@5000ccab040010fe /dev/sg4,/dev/sg5",
		}},
		{"the enclosure's NAA for both modules, without numbers", []inventory.Reading{
			reading("/dev/sg3", enclosureA+"@5000ccab040010ff", enclosureA, 0, 0),
			reading("/dev/sg4", enclosureA+"@5000ccab040010fe", enclosureA, 0, 0),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + enclosureA + "@5000ccab040010fe " + enclosureA + "@5000ccab040010fe /dev/sg4",
			"  lu-" + enclosureA + "@5000ccab040010ff " + enclosureA + "@5000ccab040010ff /dev/sg3",
		}},
		{"an NAA of its own, and a port", []inventory.Reading{
			reading("/dev/sg3", lu1+"@5000ccab0400103d", enclosureA, 1, 2),
			reading("/dev/sg4", lu2+"@5000ccab0400107d", enclosureA, 2, 2),
		}, []string{
			enclosureA + " expects 2",
			"  esp1 " + lu1 + " /dev/sg3",
			"  esp2 " + lu2 + " /dev/sg4",
		}},
		{"one NAA for both modules, not the enclosure's", []inventory.Reading{
			reading("/dev/sg3", lu1+"@5000ccab0400103d", enclosureA, 1, 2),
			reading("/dev/sg4", lu1+"@5000ccab0400107d", enclosureA, 2, 2),
		}, []string{
			enclosureA + " expects 2",
			"  esp1 " + lu1 + "@5000ccab0400103d /dev/sg3",
			"  esp2 " + lu1 + "@5000ccab0400107d /dev/sg4",
		}},
		{"one NAA for both modules, not the enclosure's, part of the address", []inventory.Reading{
			reading("/dev/sg3", lu1+"@5000ccab0400103d", enclosureA, 0, 0),
			reading("/dev/sg4", lu1+"@5000ccab0400107d", enclosureA, 0, 0),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg3 CONFLICT",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg4 CONFLICT",
		}},
		{"two ports of one module look like two", []inventory.Reading{
			reading("/dev/sg3", lu1+"@5000ccab0400103d", enclosureA, 1, 2),
			reading("/dev/sg4", lu1+"@5000ccab0400107d", enclosureA, 1, 2),
		}, []string{
			enclosureA + " expects 2 misses 2",
			"  esp1 " + lu1 + "@5000ccab0400103d /dev/sg3 CONFLICT",
			"  esp1 " + lu1 + "@5000ccab0400107d /dev/sg4 CONFLICT",
		}},
		{"one NAA for both modules, no port in VPD: numbers differ", []inventory.Reading{
			reading("/dev/sg3", lu1, enclosureA, 1, 2), reading("/dev/sg4", lu1, enclosureA, 2, 2),
		}, []string{
			enclosureA + " expects 2",
			"  esp1 " + lu1 + " /dev/sg3 CONFLICT",
			"  esp2 " + lu1 + " /dev/sg4 CONFLICT",
		}},
		{"one NAA for both modules, only the host knows the ports", []inventory.Reading{
			withPort(reading("/dev/sg3", lu1, enclosureA, 0, 0), "5000ccab0400103d"),
			withPort(reading("/dev/sg4", lu1, enclosureA, 0, 0), "5000ccab0400107d"),
			withPort(reading("/dev/sg5", lu1, enclosureA, 0, 0), "5000ccab0400107d"),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg3 CONFLICT",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg4,/dev/sg5 CONFLICT",
		}},
		{"the host knows the port on one path only", []inventory.Reading{
			withPort(reading("/dev/sg3", lu1, enclosureA, 1, 2), "5000ccab0400103d"), reading("/dev/sg4", lu1, enclosureA, 1, 2),
		}, []string{
			enclosureA + " expects 2 misses 2",
			"  esp1 " + lu1 + " /dev/sg3,/dev/sg4",
		}},
		{"two logical units claim one address", []inventory.Reading{
			reading("/dev/sg3", lu1, enclosureA, 1, 2), reading("/dev/sg4", lu2, enclosureA, 1, 2),
			reading("/dev/sg5", "5000ccab04001003", enclosureA, 2, 2),
		}, []string{
			enclosureA + " expects 2",
			"  esp1 " + lu1 + " /dev/sg3 CONFLICT",
			"  esp1 " + lu2 + " /dev/sg4 CONFLICT",
			"  esp2 5000ccab04001003 /dev/sg5",
		}},
		{"one logical unit in two enclosures", []inventory.Reading{
			reading("/dev/sg3", lu1, enclosureA, 1, 1), reading("/dev/sg4", lu1, "5000ccab04002000", 1, 1),
		}, []string{
			enclosureA + " expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg3 CONFLICT",
			"5000ccab04002000 expects ?",
			"  lu-" + lu1 + " " + lu1 + " /dev/sg4 CONFLICT",
		}},
		{"no VPD pages: two nodes may be one ESP or two", []inventory.Reading{
			reading("/dev/sg3", "", enclosureA, 1, 1), reading("/dev/sg4", "", enclosureA, 1, 1),
		}, []string{
			enclosureA + " expects ?",
			"  lu-ses.5000ccab04001000.1of1 ses.5000ccab04001000.1of1 /dev/sg3,/dev/sg4 CONFLICT",
		}},
		{"no VPD pages, but the host knows the port", []inventory.Reading{
			withPort(reading("/dev/sg3", "", enclosureA, 1, 1), "5000ccab0400103d"),
			withPort(reading("/dev/sg4", "", enclosureA, 1, 1), "5000ccab0400103d"),
		}, []string{
			enclosureA + " expects ?",
			"  lu-ses.5000ccab04001000.1of1 ses.5000ccab04001000.1of1 /dev/sg3,/dev/sg4",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			enclosures, problems := inventory.Merge(tt.readings, nil)
			got := tree(enclosures)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Merge(…) makes (-want +got):\n%s", diff)
			}
			conflicts := 0
			for _, line := range got {
				conflicts += strings.Count(line, "CONFLICT")
			}
			if len(problems) != conflicts {
				t.Errorf("Merge(…) gives %d problems for %d conflicts: %+v", len(problems), conflicts, problems)
			}
		})
	}
}

// An address is of one ESP, whoever else is in sight.
func TestAddressDoesNotDependOnSight(t *testing.T) {
	readings := []inventory.Reading{
		reading("/dev/sg3", enclosureA+"@5000ccab040010ff", enclosureA, 1, 1),
		reading("/dev/sg4", enclosureA+"@5000ccab040010fe", enclosureA, 1, 1),
		reading("/dev/sg7", "5000ccab0400beef@5000ccab0400103d", enclosureA, 0, 0),
		reading("/dev/sg8", "5000ccab0400beef@5000ccab0400107d", enclosureA, 0, 0),
		reading("/dev/sg9", "5000ccab0400feed@5000ccab0400203d", "5000ccab04002000", 1, 2),
		reading("/dev/sg10", "5000ccab0400feed@5000ccab0400207d", "5000ccab04002000", 2, 2),
		reading("/dev/sg5", lu1, "0000000000000000", 1, 2),
		reading("/dev/sg6", lu2, "0000000000000000", 2, 2),
	}
	all := map[string]string{}
	together, _ := inventory.Merge(readings, nil)
	for _, e := range together {
		for _, esp := range e.ESPs {
			all[esp.Paths[0]] = esp.Subenclosures[0].Address
		}
	}
	for _, r := range readings {
		alone, _ := inventory.Merge([]inventory.Reading{r}, nil)
		if got, want := alone[0].ESPs[0].Subenclosures[0].Address, all[r.Path]; got != want {
			t.Errorf("Merge of %s alone gives address %q; want %q as among all", r.Path, got, want)
		}
	}
}

func TestSubenclosureListedTwiceIsAConflict(t *testing.T) {
	r := reading("/dev/sg3", lu1, enclosureA, 1, 2)
	r.Subenclosures = append(r.Subenclosures, inventory.Subenclosure{ID: 2, Revision: "1"},
		inventory.Subenclosure{ID: 2, Revision: "2"})
	enclosures, _ := inventory.Merge([]inventory.Reading{r}, nil)
	if c := enclosures[0].ESPs[0].Conflict; !strings.Contains(c, "subenclosure 2 more than once") {
		t.Errorf("Merge(…) gives conflict %q; want one that tells of subenclosure 2", c)
	}
}

func TestPathsThatDisagreeAreAConflict(t *testing.T) {
	other := reading("/dev/sg4", lu1, enclosureA, 1, 2)
	other.Subenclosures[0].Revision = "1100"
	enclosures, problems := inventory.Merge([]inventory.Reading{reading("/dev/sg3", lu1, enclosureA, 1, 2), other}, nil)
	if c := enclosures[0].ESPs[0].Conflict; !strings.Contains(c, "other subenclosures") {
		t.Errorf("Merge(…) gives conflict %q; want one that tells of other subenclosures", c)
	}
	if len(problems) != 1 {
		t.Errorf("Merge(…) gives problems %+v; want one", problems)
	}
}

// A power supply that both modules serve is one component; five subenclosures
// with one identifier (as an EMC KTN could have them) are five.
func TestSharedSubenclosure(t *testing.T) {
	withSubs := func(r inventory.Reading, logicalIDs ...string) inventory.Reading {
		for i, id := range logicalIDs {
			r.Subenclosures = append(r.Subenclosures, inventory.Subenclosure{ID: i + 1, LogicalID: id})
		}
		return r
	}
	const psu, fan = "5000ccab04001010", "5000ccab04001020"
	addresses := func(readings ...inventory.Reading) []string {
		var got []string
		enclosures, _ := inventory.Merge(readings, nil)
		for _, e := range enclosures {
			for _, esp := range e.ESPs {
				for _, sub := range esp.Subenclosures {
					got = append(got, strings.TrimPrefix(sub.Address, enclosureA+"/"))
				}
			}
		}
		return got
	}
	tests := []struct {
		name string
		got  []string
		want []string
	}{
		{"numbered differently", addresses(
			withSubs(reading("/dev/sg4", lu2, enclosureA, 2, 2), fan, psu),
			withSubs(reading("/dev/sg3", lu1, enclosureA, 1, 2), psu),
		), []string{"esp1/sub0", "esp1/sub1", "esp2/sub0", "esp2/sub1", "esp1/sub1"}},
		{"the enclosure's own identifier, and none", addresses(
			withSubs(reading("/dev/sg3", lu1, enclosureA, 1, 2), enclosureA, "0000000000000000"),
			withSubs(reading("/dev/sg4", lu2, enclosureA, 2, 2), enclosureA, "0000000000000000"),
		), []string{"esp1/sub0", "esp1/sub1", "esp1/sub2", "esp2/sub0", "esp2/sub1", "esp2/sub2"}},
		{"one identifier for several", addresses(
			withSubs(reading("/dev/sg3", lu1, enclosureA, 1, 2), psu, psu),
			withSubs(reading("/dev/sg4", lu2, enclosureA, 2, 2), psu, psu),
		), []string{"esp1/sub0", "esp1/sub1", "esp1/sub2", "esp2/sub0", "esp2/sub1", "esp2/sub2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("Merge(…) gives addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// slot is an occupied slot: ports, each followed by the expander it is wired to.
func slot(number int, ports ...string) inventory.Slot {
	s := inventory.Slot{Number: number}
	for i := 0; i < len(ports); i += 2 {
		s.Ports = append(s.Ports, inventory.Port{SASAddress: ports[i], Attached: ports[i+1]})
	}
	return s
}

func TestMergeHealthAndDrives(t *testing.T) {
	a := reading("/dev/sg3", lu1, enclosureA, 1, 2)
	a.Health = inventory.Health{Critical: true, Failures: []string{"Fan 1: critical", "Power Supply 2: non-critical"}}
	a.Expanders = []string{"5000ccab0400103f", "5000ccab040010ff"}
	a.Slots = []inventory.Slot{slot(1, "5000c50000000011", "5000ccab040010ff"),
		slot(0, "5000c50000000001", "5000ccab0400103f"), slot(2, "5000c50000000021", "")}
	b := reading("/dev/sg4", lu2, enclosureA, 2, 2)
	b.Health = inventory.Health{Unrecoverable: true,
		Failures: []string{"Power Supply 2: non-critical", "Temp 1: unrecoverable"}}
	b.Expanders = []string{"5000ccab0400107f", "5000ccab040010ff"}
	b.Slots = []inventory.Slot{slot(0, "5000c50000000002", "5000ccab0400107f", "5000c50000000001", "5000ccab0400103f"),
		slot(1, "5000c50000000011", "5000ccab040010ff"), slot(2, "5000c50000000032", "5000ccab040099ff")}
	blocks := []inventory.BlockDevice{
		{Name: "sdb", SASAddress: "5000c50000000002", LUID: "5000c50000000000", Live: true},
		{Name: "sda", SASAddress: "5000c50000000001", LUID: "5000c50000000000", Live: true},
		{Name: "sdc", SASAddress: "5000c50000000011"},
		{Name: "sdd", SASAddress: "5000c50000000021", LUID: "5000c50000000020", Live: true},
		{Name: "sde", SASAddress: "5000c50000000032", LUID: "5000c50000000030", Live: true},
		{Name: "sdz", SASAddress: "5000c500deadbeef", LUID: "5000c500deadbee0", Live: true},
	}
	enclosures, _ := inventory.Merge([]inventory.Reading{b, a}, blocks)

	wantHealth := inventory.Health{Critical: true, Unrecoverable: true,
		Failures: []string{"Fan 1: critical", "Power Supply 2: non-critical", "Temp 1: unrecoverable"}}
	if diff := cmp.Diff(wantHealth, enclosures[0].Health); diff != "" {
		t.Errorf("Merge(…) gives health (-want +got):\n%s", diff)
	}
	// One ESP that shows page 02h is enough to know.
	a.Health = inventory.Health{Unknown: true}
	for _, unknown := range []bool{false, true} {
		b.Health.Unknown = unknown
		if again, _ := inventory.Merge([]inventory.Reading{b, a}, nil); again[0].Health.Unknown != unknown {
			t.Errorf("Merge(…) knows no health %t; want %t", again[0].Health.Unknown, unknown)
		}
	}
	want := []inventory.Drive{
		// One port is wired to each module.
		{Slot: 0, SASAddress: "5000c50000000001", LUID: "5000c50000000000", Paths: []inventory.DrivePath{{Device: "sda", Via: lu1, Live: true}, {Device: "sdb", Via: lu2, Live: true}}},
		// Both list the expander: the path can go through either.
		{Slot: 1, SASAddress: "5000c50000000011", Paths: []inventory.DrivePath{{Device: "sdc"}}},
		// Two drives that have the number of one slot.
		{Slot: 2, SASAddress: "5000c50000000021", LUID: "5000c50000000020", Paths: []inventory.DrivePath{{Device: "sdd", Live: true}}},
		{Slot: 2, SASAddress: "5000c50000000032", LUID: "5000c50000000030", Paths: []inventory.DrivePath{{Device: "sde", Live: true}}},
	}
	// No slot lists it, and its route does not say where it hangs.
	want = append(want, inventory.Drive{Slot: inventory.NoSlot, SASAddress: "5000c500deadbeef", LUID: "5000c500deadbee0",
		Paths: []inventory.DrivePath{{Device: "sdz", Live: true}}})
	for i := range enclosures[0].Drives {
		if d := &enclosures[0].Drives[i]; d.Evidence == nil {
			t.Errorf("Merge(…) gives %s without evidence", d.Name())
		} else {
			d.Evidence = nil
		}
	}
	if diff := cmp.Diff(want, enclosures[0].Drives); diff != "" {
		t.Errorf("Merge(…) gives drives (-want +got):\n%s", diff)
	}
}

func TestMergeIgnoresOrder(t *testing.T) {
	readings := []inventory.Reading{
		reading("/dev/sg3", lu1, enclosureA, 1, 2), reading("/dev/sg4", lu2, enclosureA, 2, 2),
		reading("/dev/sg5", lu2, enclosureA, 2, 2),
		reading("/dev/sg6", "5000ccab04002001", "5000ccab04002000", 0, 0),
		reading("/dev/sg7", "5000ccab04002001", "5000ccab04002000", 1, 1),
		reading("/dev/sg8", "5000ccab04003001", "0000000000000000", 1, 2),
		reading("/dev/sg12", "5000ccab04001003", enclosureA, 1, 2),
	}
	for i := range readings {
		readings[i].Problems = []inventory.Problem{{Path: readings[i].Path, Summary: "something"}}
		readings[i].Slots = []inventory.Slot{slot(i%2, "5000c5000000000"+string(rune('0'+i)), "")}
	}
	blocks := []inventory.BlockDevice{{Name: "sda", SASAddress: "5000c50000000001"},
		{Name: "sdb", SASAddress: "5000c50000000001"}, {Name: "sdc", SASAddress: "5000c50000000002"}}
	wantEnclosures, wantProblems := inventory.Merge(readings, blocks)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		shuffled, blocks := slices.Clone(readings), slices.Clone(blocks)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		rng.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
		enclosures, problems := inventory.Merge(shuffled, blocks)
		if diff := cmp.Diff(wantEnclosures, enclosures); diff != "" {
			t.Fatalf("Merge of shuffled readings differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantProblems, problems); diff != "" {
			t.Fatalf("Merge of shuffled readings gives other problems (-want +got):\n%s", diff)
		}
	}
}

package build_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
)

// sight is what each of the two hosts sees that share an enclosure.
type sight string

const (
	bothESPs sight = "both"     // both I/O modules: multipath on each host
	oneESP   sight = "one-each" // one I/O module each: failover between hosts
)

// fleet makes a desired state and inventories of so many components: two I/O
// modules, three power supplies and twelve drives in use an enclosure, forty
// enclosures on each pair of hosts: 1,000 hosts for 100,000 components.
func fleet(components int, sees sight) build.Input {
	const shared = 40 // enclosures of a pair of hosts
	staged := &inventory.Staged{SHA256: fmt.Sprintf("%064x", 3), Revision: "3000",
		Since: time.Date(2026, 11, 15, 0, 0, 0, 0, time.UTC), By: "anna"}
	two := 2
	enclosure := func(n int, host int) inventory.Enclosure {
		id := fmt.Sprintf("5000ccab%08x", n*16)
		e := inventory.Enclosure{DriveEvidence: []string{}, LogicalID: id, Vendor: "ACME", Product: "JBOD-60",
			ExpectedESPs: &two}
		for side := 1; side <= 2; side++ {
			if sees == oneESP && side != host+1 {
				continue
			}
			esp := inventory.ESP{
				RelativeID: side, Processes: 2, LUID: fmt.Sprintf("5000ccab%08x", n*16+side),
				Paths:    []string{fmt.Sprintf("/dev/sg%d", n%shared*2+side)},
				Download: inventory.Download{SESPage: true}, Expanders: []string{fmt.Sprintf("5000ccac%08x", n*16+side)},
			}
			esp.Subenclosures = []inventory.Subenclosure{{ID: 0, LogicalID: id, Vendor: "ACME", Product: "JBOD-60",
				Revision: "1000"}}
			for psu := 3; psu < 6 && side == 1; psu++ {
				sub := inventory.Subenclosure{ID: psu, LogicalID: fmt.Sprintf("5000ccad%08x", n*16+psu), Vendor: "ACME",
					Product: "PSU", Revision: "2900"}
				if n%7 == 0 {
					sub.Staged = staged
				}
				esp.Subenclosures = append(esp.Subenclosures, sub)
			}
			e.ESPs = append(e.ESPs, esp)
		}
		for slot := range 12 {
			wwn := fmt.Sprintf("5000c500%08x", n*16+slot)
			d := inventory.Drive{Slot: inventory.SlotNumber(slot), SASAddress: wwn, LUID: wwn, InUse: []string{"mounted /tank"}}
			for i, esp := range e.ESPs {
				d.Paths = append(d.Paths,
					inventory.DrivePath{Device: fmt.Sprintf("sd%c%c%c", 'a'+i, 'a'+n%shared%26, 'a'+slot), Via: esp.LUID, Live: true,
						Used: true})
			}
			e.Drives = append(e.Drives, d)
		}
		return e
	}
	var invs []*inventory.Inventory
	for first := 0; first < components/5; first += shared {
		for host := range 2 {
			inv := inventory.New()
			inv.Host = fmt.Sprintf("stor%05d", len(invs))
			inv.ScannedAt = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
			for n := first; n < min(first+shared, components/5); n++ {
				inv.Enclosures = append(inv.Enclosures, enclosure(n, host))
			}
			invs = append(invs, inv)
		}
	}
	image := func(n int, part, revision string, from ...string) desired.ModelImage {
		return desired.ModelImage{Part: part, SHA256: fmt.Sprintf("%064x", n), Revision: revision, From: from,
			Modes: []plan.Mode{plan.ModeE, plan.Mode7}}
	}
	live := desired.DefaultPolicy()
	live.Reset, live.Activate = plan.ResetRedundant, plan.WithApply
	d := &desired.State{
		Models: map[string]desired.Model{"acme60": {
			Match: desired.Match{Vendor: "ACME", Product: "JBOD-60*"},
			Parts: map[string]desired.Part{"iom": {Subenclosures: []int{0}}, "psu": {Subenclosures: []int{3, 4, 5}}},
			Images: map[string]desired.ModelImage{
				"iom-1050": image(1, "iom", "1050", "1000"), "iom-1100": image(2, "iom", "1100", "1050"), "psu-3000": image(3, "psu", "3000", "29*"),
			},
		}},
		Want: []desired.Want{{Model: "acme60", Image: "iom-1100", Policy: "live"},
			{Model: "acme60", Image: "psu-3000", Policy: "live"}},
		Policies: map[string]desired.Policy{"live": live},
		Rollout:  plan.Rollout{Canary: 10, Soak: plan.Duration(10 * time.Minute), MaxParallel: 8},
	}
	sizes := map[string]int64{}
	for _, i := range d.Models["acme60"].Images {
		sizes[i.SHA256] = 1 << 20
	}
	return build.Input{Desired: d, Inventories: invs, ImageSizes: sizes}
}

var (
	fleetSizes = []int{10_000, 100_000}
	sights     = []sight{bothESPs, oneESP}
)

func BenchmarkBuild(b *testing.B) {
	for _, sees := range sights {
		for _, n := range fleetSizes {
			b.Run(fmt.Sprintf("%s/%d", sees, n), func(b *testing.B) {
				in := fleet(n, sees)
				b.ReportAllocs()
				for b.Loop() {
					p, err := build.Plan(in)
					if err != nil {
						b.Fatal(err)
					}
					if len(p.Steps) != n {
						b.Fatalf("Build = %d steps; want %d", len(p.Steps), n)
					}
				}
			})
		}
	}
}

// BenchmarkBuildGrowth reports how many times the time of 10,000 components 100,000
// take (x): the median of pairs, each of ten runs of the one and one of the other,
// so that whatever else the machine does falls on both.
func BenchmarkBuildGrowth(b *testing.B) {
	for _, sees := range sights {
		b.Run(string(sees), func(b *testing.B) {
			small, large := fleet(fleetSizes[0], sees), fleet(fleetSizes[1], sees)
			build := func(in build.Input, times int) float64 {
				start := time.Now()
				for range times {
					if _, err := build.Plan(in); err != nil {
						b.Fatal(err)
					}
				}
				return time.Since(start).Seconds() / float64(times)
			}
			var growth, seconds []float64
			for b.Loop() {
				seconds = append(seconds, build(large, 1))
				growth = append(growth, seconds[len(seconds)-1]/build(small, 10))
			}
			slices.Sort(growth)
			slices.Sort(seconds)
			b.ReportMetric(growth[len(growth)/2], "x")
			b.ReportMetric(seconds[len(seconds)/2], "s/100000")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range fleetSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, err := build.Plan(fleet(n, bothESPs))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				data, err := p.Encode()
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(data)))
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range fleetSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, err := build.Plan(fleet(n, bothESPs))
			if err != nil {
				b.Fatal(err)
			}
			data, err := p.Encode()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plan.Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

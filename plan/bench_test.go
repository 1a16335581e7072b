package plan_test

import (
	"fmt"
	"testing"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
)

// fleet makes a desired state and inventories of so many components: two I/O
// modules and three power supplies an enclosure, each enclosure on one host,
// twenty enclosures a host.
func fleet(components int) plan.Input {
	const each = 20 // enclosures of a host
	staged := &inventory.Staged{SHA256: fmt.Sprintf("%064x", 3), Revision: "3000", Since: time.Date(2026, 11, 15, 0, 0, 0, 0, time.UTC), By: "anna"}
	enclosures := components / 5
	var invs []*inventory.Inventory
	for n := range enclosures {
		if n%each == 0 {
			inv := inventory.New()
			inv.Host = fmt.Sprintf("stor%05d", n/each)
			inv.ScannedAt = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
			invs = append(invs, inv)
		}
		id := fmt.Sprintf("5000ccab%08x", n*16)
		two := 2
		e := inventory.Enclosure{LogicalID: id, Vendor: "ACME", Product: "JBOD-60", ExpectedESPs: &two}
		for side := 1; side <= 2; side++ {
			esp := inventory.ESP{
				RelativeID: side, Processes: 2, LUID: fmt.Sprintf("5000ccab%08x", n*16+side), Paths: []string{fmt.Sprintf("/dev/sg%d", n%each*2+side)},
				Download: inventory.Download{SESPage: true}, Expanders: []string{fmt.Sprintf("5000ccac%08x", n*16+side)},
			}
			esp.Subenclosures = []inventory.Subenclosure{{ID: 0, LogicalID: id, Vendor: "ACME", Product: "JBOD-60", Revision: "1000"}}
			for psu := 3; psu < 6 && side == 1; psu++ {
				sub := inventory.Subenclosure{ID: psu, LogicalID: fmt.Sprintf("5000ccad%08x", n*16+psu), Vendor: "ACME", Product: "PSU", Revision: "2900"}
				if n%7 == 0 {
					sub.Staged = staged
				}
				esp.Subenclosures = append(esp.Subenclosures, sub)
			}
			e.ESPs = append(e.ESPs, esp)
		}
		for slot := range 12 {
			wwn := fmt.Sprintf("5000c500%08x", n*16+slot)
			e.Drives = append(e.Drives, inventory.Drive{Slot: slot, SASAddress: wwn, LUID: wwn, InUse: []string{"mounted /tank"}, Paths: []inventory.DrivePath{
				{Device: "sda", Via: e.ESPs[0].LUID, Live: true, Used: true}, {Device: "sdb", Via: e.ESPs[1].LUID, Live: true, Used: true},
			}})
		}
		invs[len(invs)-1].Enclosures = append(invs[len(invs)-1].Enclosures, e)
	}
	image := func(n int, part, revision string, from ...string) plan.ModelImage {
		return plan.ModelImage{Part: part, SHA256: fmt.Sprintf("%064x", n), Revision: revision, From: from, Modes: []plan.Mode{plan.ModeE, plan.Mode7}}
	}
	live := plan.DefaultPolicy()
	live.Reset, live.Activate = plan.ResetRedundant, plan.WithApply
	d := &plan.DesiredState{
		Models: map[string]plan.Model{"acme60": {
			Match: plan.Match{Vendor: "ACME", Product: "JBOD-60*"},
			Parts: map[string]plan.Part{"iom": {Subenclosures: []int{0}}, "psu": {Subenclosures: []int{3, 4, 5}}},
			Images: map[string]plan.ModelImage{
				"iom-1050": image(1, "iom", "1050", "1000"), "iom-1100": image(2, "iom", "1100", "1050"), "psu-3000": image(3, "psu", "3000", "29*"),
			},
		}},
		Want:     []plan.Want{{Model: "acme60", Image: "iom-1100", Policy: "live"}, {Model: "acme60", Image: "psu-3000", Policy: "live"}},
		Policies: map[string]plan.Policy{"live": live},
		Rollout:  plan.Rollout{Canary: 10, Soak: plan.Duration(10 * time.Minute), MaxParallel: 8},
	}
	sizes := map[string]int64{}
	for _, i := range d.Models["acme60"].Images {
		sizes[i.SHA256] = 1 << 20
	}
	return plan.Input{Desired: d, Inventories: invs, ImageSizes: sizes}
}

var fleetSizes = []int{10_000, 100_000}

func BenchmarkBuild(b *testing.B) {
	for _, n := range fleetSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := fleet(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plan.Build(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range fleetSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, err := plan.Build(fleet(n))
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
			p, err := plan.Build(fleet(n))
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

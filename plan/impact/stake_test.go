package impact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/impact"
)

const (
	jbod1 = "5000ccab04001000"
	jbod2 = "5000ccab04002000"
)

// jbod returns an enclosure of two modules with drives that the host sees.
func jbod(id string, drives ...inventory.Drive) inventory.Enclosure {
	esp := func(n int) inventory.ESP {
		luID := id[:15] + string(rune('0'+n))
		return inventory.ESP{RelativeID: n, Processes: 2, LUID: luID, Expanders: []string{"6" + luID[1:]}}
	}
	if drives == nil {
		drives = []inventory.Drive{}
	}
	return inventory.Enclosure{LogicalID: id, DriveEvidence: []string{}, Drives: drives,
		ESPs: []inventory.ESP{esp(1), esp(2)}}
}

// used is a drive that something uses, over live paths through modules of an enclosure.
func used(id string, slot inventory.SlotNumber, modules string, uses ...inventory.Use) inventory.Drive {
	d := inventory.Drive{Slot: slot, InUse: []string{}, Uses: uses}
	for _, u := range uses {
		d.InUse = append(d.InUse, u.String())
	}
	for i, n := range modules {
		d.Paths = append(d.Paths,
			inventory.DrivePath{Device: "sd" + string(rune('a'+i)), Via: id[:15] + string(n), Live: true, Used: true})
	}
	return d
}

// What uses drives behind what goes down, on every host and behind every enclosure, each
// thing once for each fate.
func TestAtStake(t *testing.T) {
	t.Parallel()
	mount := func(name string, of int, through ...string) inventory.Use {
		return inventory.Use{Kind: inventory.MountUse, Name: name, Through: through, Of: of}
	}
	pool := func(vdev string) inventory.Use {
		return inventory.Use{Kind: inventory.ZFSUse, Name: "tank", VDev: vdev, Of: 8}
	}
	process := func(pid int) inventory.Use { return inventory.Use{Kind: inventory.RawUse, Name: "qemu", PID: pid} }
	slots := func(n ...int) []int { return append([]int{}, n...) }
	shared := func(d inventory.Drive) inventory.Drive {
		d.LUID = "5000c50000000000"
		return d
	}
	below := jbod(jbod2, used(jbod2, 1, "1", mount("/below", 0)))
	for i := range below.ESPs {
		below.ESPs[i].Upstream = []string{"6" + jbod1[1:15] + string(rune('1'+i))}
	}
	type hosts map[string][]inventory.Enclosure
	for _, tt := range []struct {
		name  string
		hosts hosts
		want  []plan.Stake
	}{
		{"nothing in use", hosts{"stor1": {jbod(jbod1, used(jbod1, 0, "1"))}}, nil},
		{"one thing over several drives, through what they have in common", hosts{"stor1": {jbod(jbod1,
			used(jbod1, 1, "1", mount("/srv", 2, "sdb1", "md0")),
			used(jbod1, 0, "1", mount("/srv", 2, "sda1", "md0")))}},
			[]plan.Stake{{Kind: "mount", Name: "/srv", Through: []string{"md0"}, Enclosure: jbod1,
				Slots: slots(0, 1), Drives: 2,
				Of: 2, Effect: plan.Stops}}},
		{"stops, and goes on", hosts{"stor1": {jbod(jbod1,
			used(jbod1, 0, "12", pool("raidz1-1")), used(jbod1, 1, "12", pool("raidz1-0")),
			used(jbod1, 2, "1", pool("logs")))}},
			[]plan.Stake{
				{Kind: "zfs", Name: "tank", VDevs: []string{"logs"}, Enclosure: jbod1, Slots: slots(2), Drives: 1,
					Of: 8, Effect: plan.Stops},
				{Kind: "zfs", Name: "tank", VDevs: []string{"raidz1-0", "raidz1-1"}, Enclosure: jbod1,
					Slots: slots(0, 1), Drives: 2,
					Of: 8, Effect: plan.KeepsPath, Path: "esp2"},
			}},
		{"one drive in several uses, some of one thing", hosts{"stor1": {jbod(jbod1,
			used(jbod1, 0, "1", mount("/a", 0, "sda1"), mount("/b", 0, "sda2"), process(7), process(8)))}},
			[]plan.Stake{
				{Kind: "mount", Name: "/a", Through: []string{"sda1"}, Enclosure: jbod1, Slots: slots(0), Drives: 1,
					Effect: plan.Stops},
				{Kind: "mount", Name: "/b", Through: []string{"sda2"}, Enclosure: jbod1, Slots: slots(0), Drives: 1,
					Effect: plan.Stops},
				{Kind: "raw", Name: "qemu", Enclosure: jbod1, Slots: slots(0), Drives: 1, Effect: plan.Stops},
			}},
		{"in no slot", hosts{"stor1": {jbod(jbod1, used(jbod1, inventory.NoSlot, "1", mount("/lun", 0)))}},
			[]plan.Stake{{Kind: "mount", Name: "/lun", Enclosure: jbod1, Slots: slots(), Drives: 1,
				Effect: plan.Stops}}},
		{"the words of an older inventory", hosts{"stor1": {jbod(jbod1, inventory.Drive{Slot: 4,
			InUse: []string{"mounted /srv through dm-0 (mpatha)"},
			Paths: []inventory.DrivePath{{Device: "sda", Via: jbod1[:15] + "1", Live: true, Used: true}}})}},
			[]plan.Stake{{Kind: "mount", Name: "/srv", Through: []string{"dm-0 (mpatha)"}, Enclosure: jbod1,
				Slots: slots(4), Drives: 1,
				Effect: plan.Stops}}},
		{"unknown use, and counters that move, are one thing", hosts{"stor1": {jbod(jbod1,
			inventory.Drive{Slot: 5, Paths: []inventory.DrivePath{{Device: "sda", Via: jbod1[:15] + "1", Live: true}}},
			inventory.Drive{Slot: 6},
			used(jbod1, 7, "1", inventory.Use{Kind: inventory.UnknownUse, Name: "its counters moved"}))}},
			[]plan.Stake{{Kind: "unknown", Enclosure: jbod1, Slots: slots(5, 6, 7), Drives: 3, Effect: plan.Stops}}},
		{"drives that no module lists", hosts{"stor1": {func() inventory.Enclosure {
			e := jbod(jbod1)
			e.DrivesUnknown = true
			return e
		}()}}, []plan.Stake{{Kind: "unknown", Enclosure: jbod1, Slots: slots(), Effect: plan.Stops}}},
		{"the enclosure below goes down, too",
			hosts{"stor1": {jbod(jbod1, used(jbod1, 0, "1", pool("raidz1-0"))), below}},
			[]plan.Stake{
				{Kind: "mount", Name: "/below", Enclosure: jbod2, Slots: slots(1), Drives: 1, Effect: plan.Stops},
				{Kind: "zfs", Name: "tank", VDevs: []string{"raidz1-0"}, Enclosure: jbod1, Slots: slots(0),
					Drives: 1, Of: 8, Effect: plan.Stops},
			}},
		{"each host's own", hosts{
			"stor1": {jbod(jbod1, used(jbod1, 0, "1", mount("/", 0)))},
			"stor2": {jbod(jbod1, used(jbod1, 0, "12", mount("/", 0)))},
		}, []plan.Stake{
			{Kind: "mount", Name: "/", Host: "stor1", Enclosure: jbod1, Slots: slots(0), Drives: 1, Effect: plan.Stops},
			{Kind: "mount", Name: "/", Host: "stor2", Enclosure: jbod1, Slots: slots(0), Drives: 1,
				Effect: plan.KeepsPath, Path: "esp2"},
		}},
		{"a drive that two enclosures list is counted once", hosts{"stor1": {jbod(jbod1,
			shared(used(jbod1, 0, "1", pool("raidz1-0")))), func() inventory.Enclosure {
			e := jbod(jbod2, shared(used(jbod1, 0, "1", pool("raidz1-0"))))
			e.ESPs[0].Upstream = []string{"6" + jbod1[1:15] + "1"}
			return e
		}()}}, []plan.Stake{
			{Kind: "zfs", Name: "tank", VDevs: []string{"raidz1-0"}, Enclosure: jbod1, Slots: slots(0), Drives: 1,
				Of: 8, Effect: plan.Stops},
		}},
	} {
		var inventories []*inventory.Inventory
		for host, enclosures := range tt.hosts { // in whatever order
			inventories = append(inventories, &inventory.Inventory{Host: host, Enclosures: enclosures})
		}
		got := impact.Of(inventories, []string{jbod1[:15] + "1"}, nil, nil, nil).AtStake
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: what is at stake (-want +got):\n%s", tt.name, diff)
		}
	}
}

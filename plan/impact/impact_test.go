package impact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// A reset is looked at again, on one host, before it is done.
func TestResetImpact(t *testing.T) {
	const a, b = "5000ccab04001001", "5000ccab04001002"
	over := func(via string, live, used bool) inventory.DrivePath {
		return inventory.DrivePath{Device: "sda", Via: via, Live: live, Used: used}
	}
	used := []string{"mounted /tank"}
	for _, tt := range []struct {
		name   string
		drives []inventory.Drive
		reset  []string
		want   impact.Effect
		permit [3]bool // idle, redundant, always
	}{
		{"nothing in use", []inventory.Drive{{Slot: 1, InUse: []string{}, Paths: []inventory.DrivePath{over(a, true, false)}}}, []string{a},
			impact.Effect{Expected: plan.ESPReset, Worst: plan.ESPReset, Why: "its one drive is not in use"},
			[3]bool{true, true, true}},
		{"another path", []inventory.Drive{{Slot: 1, InUse: used, Paths: []inventory.DrivePath{over(a, true, true), over(b, true, true)}}}, []string{a},
			impact.Effect{Expected: plan.ESPReset, Worst: plan.ESPReset, Busy: "slot 1 in use",
				Why: "1 drive in use, with a live path through esp2"}, [3]bool{false, true, true}},
		{"another path that died", []inventory.Drive{{Slot: 1, InUse: used, Paths: []inventory.DrivePath{over(a, true, true), over(b, false, true)}}}, []string{a},
			impact.Effect{Expected: plan.IOInterruption, Worst: plan.IOInterruption, Busy: "slot 1 in use",
				Why: "slot 1 in use, no other path"}, [3]bool{false, false, true}},
		{"both at once", []inventory.Drive{{Slot: 1, InUse: used, Paths: []inventory.DrivePath{over(a, true, true), over(b, true, true)}}}, []string{a, b},
			impact.Effect{Expected: plan.IOInterruption, Worst: plan.IOInterruption, Busy: "slot 1 in use",
				Why: "slot 1 in use, no other path"}, [3]bool{false, false, true}},
		{"an ESP that was not scanned", nil, []string{"5000ccab04009001"},
			impact.Effect{Expected: plan.IOInterruption, Worst: plan.IOInterruption, Busy: "the enclosure was not scanned",
				Why: "a module that is reset was not scanned, so what is behind it counts as in use without another path"}, [3]bool{false, false, true}},
	} {
		inv := &inventory.Inventory{Host: "stor1", Enclosures: []inventory.Enclosure{{
			LogicalID: "5000ccab04001000", Drives: tt.drives, DriveEvidence: []string{},
			ESPs: []inventory.ESP{{RelativeID: 1, Processes: 2, LUID: a}, {RelativeID: 2, Processes: 2, LUID: b}},
		}}}
		got := impact.Of([]*inventory.Inventory{inv}, tt.reset, nil, nil, nil)
		got.Evidence, got.AtStake = nil, nil
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: ResetImpact (-want +got):\n%s", tt.name, diff)
		}
		for i, reset := range []plan.Reset{plan.ResetIdle, plan.ResetRedundant, plan.ResetAlways} {
			if ok, why := impact.Permits(reset, got); ok != tt.permit[i] || ok != (why == "") {
				t.Errorf("%s: Permits(%s) = %v, %q; want %v", tt.name, reset, ok, why, tt.permit[i])
			}
		}
		if ok, _ := impact.Permits(plan.ResetNever, got); ok {
			t.Errorf("%s: Permits(never) = true; want false", tt.name)
		}
	}
}

// A fault domain is what the caller says, whatever of it was scanned.
func TestResetImpactOfADomain(t *testing.T) {
	enclosure := func(id, luID string, use ...string) inventory.Enclosure {
		return inventory.Enclosure{LogicalID: id, DriveEvidence: []string{},
			Drives: []inventory.Drive{{Slot: 1, InUse: append([]string{}, use...),
				Paths: []inventory.DrivePath{{Device: "sda", Live: true}}}}, ESPs: []inventory.ESP{{RelativeID: 1, Processes: 2,
				LUID: luID}}}
	}
	inv := &inventory.Inventory{Host: "stor1", Enclosures: []inventory.Enclosure{
		enclosure("5000ccab04001000", "5000ccab04001001"), enclosure("5000ccab04002000", "5000ccab04002001", "mounted /tank"),
	}}
	for _, tt := range []struct {
		domain []string
		busy   string
	}{
		{nil, ""},
		{[]string{"5000ccab04001000", "5000ccab04002000"}, "slot 1 of 5000ccab04002000 in use"},
		{[]string{"5000ccab04000000", "5000ccab04001000", "5000ccab04002000"}, "slot 1 of 5000ccab04002000 in use"},
	} {
		if got := impact.Of([]*inventory.Inventory{inv}, []string{"5000ccab04001001"}, tt.domain, nil, nil); got.Busy != tt.busy {
			t.Errorf("ResetImpact(%v).Busy = %q; want %q", tt.domain, got.Busy, tt.busy)
		}
	}
}

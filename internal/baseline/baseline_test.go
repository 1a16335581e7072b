package baseline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/baseline"
	"fwctl/inventory"
)

// Every ESP, drive, path (multipath counts too) and element that was there and
// healthy before is there and healthy again.
func TestDecline(t *testing.T) {
	t.Parallel()
	well := func() *inventory.Enclosure {
		return &inventory.Enclosure{
			Health: inventory.Health{Failures: []string{"Fan 1: critical"},
				Elements: map[string]int{"Power Supply": 2, "Cooling": 4}},
			ESPs: []inventory.ESP{{LUID: "5000ccab04001001"}, {LUID: "5000ccab04001002"}},
			Drives: []inventory.Drive{{Slot: 7, SASAddress: "5000c50012345678", Paths: []inventory.DrivePath{
				{Device: "sda", Live: true, Used: true}, {Device: "sdb", Live: true, Used: true}, {Device: "sdc"},
			}}},
		}
	}
	for name, tt := range map[string]struct {
		change func(e *inventory.Enclosure)
		want   []string
	}{
		"nothing": {func(e *inventory.Enclosure) {}, nil},
		"better": {func(e *inventory.Enclosure) {
			e.Health.Failures = nil
			e.Health.Elements["Cooling"]++
			e.Drives[0].Paths[2].Live = true
		}, nil},
		"an ESP":                   {func(e *inventory.Enclosure) { e.ESPs = e.ESPs[:1] }, []string{"ESP 5000ccab04001002 is missing"}},
		"an element that fails":    {func(e *inventory.Enclosure) { e.Health.Failures = append(e.Health.Failures, "Fan 2: critical") }, []string{"Fan 2: critical"}},
		"an element that is worse": {func(e *inventory.Enclosure) { e.Health.Failures = []string{"Fan 1: unrecoverable"} }, []string{"Fan 1: unrecoverable"}},
		"an element":               {func(e *inventory.Enclosure) { e.Health.Elements["Power Supply"] = 1 }, []string{"Power Supply: 1 of 2 are there"}},
		"all elements of a type":   {func(e *inventory.Enclosure) { delete(e.Health.Elements, "Cooling") }, []string{"Cooling: 0 of 4 are there"}},
		"the enclosure's word":     {func(e *inventory.Enclosure) { e.Health.Critical = true }, []string{"the enclosure reports a critical condition"}},
		"its worst word":           {func(e *inventory.Enclosure) { e.Health.Unrecoverable = true }, []string{"the enclosure reports an unrecoverable condition"}},
		"its health":               {func(e *inventory.Enclosure) { e.Health = inventory.Health{Unknown: true} }, []string{"no ESP reports its health any more (page 02h)"}},
		"a drive":                  {func(e *inventory.Enclosure) { e.Drives = nil }, []string{"the drive in slot 7 (5000c50012345678) is missing"}},
		"a drive for another":      {func(e *inventory.Enclosure) { e.Drives[0].SASAddress = "5000c50012345679" }, []string{"the drive in slot 7 (5000c50012345678) is missing"}},
		"the list of drives":       {func(e *inventory.Enclosure) { e.Drives, e.DrivesUnknown = nil, true }, []string{"no ESP lists its drives any more (page 0Ah)"}},
		"a path":                   {func(e *inventory.Enclosure) { e.Drives[0].Paths[0].Live = false }, []string{"the drive in slot 7 has 1 of 2 live paths"}},
		"a path of multipath's":    {func(e *inventory.Enclosure) { e.Drives[0].Paths[0].Used = false }, []string{"multipath uses 1 of 2 paths to the drive in slot 7"}},
	} {
		t.Run(name, func(t *testing.T) {
			after := well()
			tt.change(after)
			if diff := cmp.Diff(tt.want, baseline.Take(well()).Decline(after)); diff != "" {
				t.Errorf("what is worse (-want +got):\n%s", diff)
			}
		})
	}
	unknown := well()
	unknown.Drives, unknown.DrivesUnknown = nil, true
	if got := baseline.Take(unknown).Decline(unknown); got != nil {
		t.Errorf("what is worse where drives were never listed = %q; want nothing", got)
	}
}

package build_test

import (
	"slices"
	"testing"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
)

// timing is what a host knows of ACME JBOD-60.
func timing(mode string, phase inventory.Phase, size int64, runs int, median time.Duration) inventory.Timing {
	return inventory.Timing{
		TimedWork: inventory.TimedWork{Vendor: "ACME", Product: "JBOD-60", Mode: mode, Protocol: "ses", Phase: phase},
		ImageSize: size, Runs: runs, Count: runs, MedianMS: median.Milliseconds(),
	}
}

// The images of all scenarios are of 1 MiB.
func TestExpectedRestsOnEarlierRuns(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, test := range []struct {
		name, scenario string
		timings        []inventory.Timing
		want           plan.Step // its expected fields
	}{
		{"nothing is known", "Mode e resets nothing by itself", nil, plan.Step{}},
		{"the flash time is unknown", "Mode e resets nothing by itself",
			[]inventory.Timing{timing("e", inventory.DownloadPhase, mib, 3, time.Minute)}, plan.Step{}},
		{"of another mode", "Mode e resets nothing by itself", []inventory.Timing{
			timing("7", inventory.DownloadPhase, mib, 3, time.Minute), timing("7", inventory.FlashPhase, mib, 3, time.Minute),
		}, plan.Step{}},
		{"the fewest runs of a phase count", "Mode e resets nothing by itself", []inventory.Timing{
			timing("e", inventory.DownloadPhase, mib, 3, time.Minute),
			timing("e", inventory.FlashPhase, mib, 2, 90*time.Second+time.Millisecond),
		}, plan.Step{ExpectedDuration: seconds(151), ExpectedStaging: seconds(151), ExpectedFrom: 2}},
		{"half the size takes half as long to download", "Mode e resets nothing by itself", []inventory.Timing{
			timing("e", inventory.DownloadPhase, mib/2, 3, time.Minute), timing("e", inventory.DownloadPhase, 8*mib, 9, time.Hour),
			timing("e", inventory.FlashPhase, mib/2, 3, time.Minute),
		}, plan.Step{ExpectedDuration: seconds(180), ExpectedStaging: seconds(180), ExpectedFrom: 3, ExpectedScaled: true}},
		{"never longer than at most", "Mode e resets nothing by itself", []inventory.Timing{
			timing("e", inventory.DownloadPhase, mib, 1, 100*time.Hour), timing("e", inventory.FlashPhase, mib, 1, time.Second),
		}, plan.Step{ExpectedDuration: minutes(50), ExpectedStaging: minutes(50), ExpectedFrom: 1}},
		{"activated in the same apply", "manual is left staged, apply is activated in the same apply", []inventory.Timing{
			timing("e", inventory.DownloadPhase, mib, 3, time.Minute), timing("e", inventory.FlashPhase, mib, 3, time.Minute),
			timing("f", inventory.ReturnPhase, 0, 4, 2*time.Minute),
		}, plan.Step{ExpectedDuration: seconds(240), ExpectedStaging: seconds(120), ExpectedFrom: 3}},
		{"mode e was refused before", "E first, 7 where permitted", []inventory.Timing{
			timing("7", inventory.DownloadPhase, mib, 3, time.Minute), timing("7", inventory.FlashPhase, mib, 3, time.Minute),
			timing("7", inventory.ReturnPhase, 0, 3, time.Minute),
		}, plan.Step{ExpectedDuration: seconds(180), ExpectedFrom: 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := load(t, "testdata/"+test.scenario).input()
			in.Inventories[0].Timings = test.timings
			p, err := build.Plan(in)
			if err != nil {
				t.Fatal(err)
			}
			matched, all := false, true
			for _, s := range p.Steps {
				if !s.Acts() || s.Vendor != "ACME" || s.Product != "JBOD-60" {
					continue
				}
				got := plan.Step{ExpectedDuration: s.ExpectedDuration, ExpectedStaging: s.ExpectedStaging,
					ExpectedFrom: s.ExpectedFrom, ExpectedScaled: s.ExpectedScaled}
				t.Logf("%s: %s, %v, at most %v", s.Address, got.ExpectedDuration, s.Hops[0].Modes, s.WorstDuration)
				same := got.ExpectedDuration == test.want.ExpectedDuration && got.ExpectedStaging == test.want.ExpectedStaging &&
					got.ExpectedFrom == test.want.ExpectedFrom && got.ExpectedScaled == test.want.ExpectedScaled
				matched, all = matched || same, all && same
			}
			if !matched || test.want.ExpectedFrom == 0 && !all {
				t.Errorf("no step expects %v, of it %v staging, from %d runs, scaled %t", test.want.ExpectedDuration,
					test.want.ExpectedStaging, test.want.ExpectedFrom, test.want.ExpectedScaled)
			}
			data, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := plan.Parse(data); err != nil {
				t.Errorf("Parse of the plan = %v", err)
			}
		})
	}
}

// What hosts know is taken together, each as often as it was seen.
func TestExpectedOfSeveralHosts(t *testing.T) {
	t.Parallel()
	in := load(t, "testdata/Mode e resets nothing by itself").input()
	one := in.Inventories[0]
	other := &inventory.Inventory{Host: "elsewhere", ScannedAt: one.ScannedAt, Simulated: one.Simulated}
	one.Timings = []inventory.Timing{
		timing("e", inventory.DownloadPhase, 1<<20, 1, time.Minute), timing("e", inventory.FlashPhase, 1<<20, 1, time.Minute),
	}
	other.Timings = []inventory.Timing{
		timing("e", inventory.DownloadPhase, 1<<20, 5, 2*time.Minute), timing("e", inventory.FlashPhase, 1<<20, 5, 3*time.Minute),
	}
	in.Inventories = append(in.Inventories, other)
	for range 2 {
		p, err := build.Plan(in)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Acts() })
		if s := p.Steps[i]; s.ExpectedDuration != minutes(5) || s.ExpectedFrom != 6 {
			t.Errorf("expected %v from %d runs; want 5m from 6", s.ExpectedDuration, s.ExpectedFrom)
		}
		slices.Reverse(in.Inventories)
	}
}

func seconds(n int) plan.Duration { return plan.Duration(time.Duration(n) * time.Second) }
func minutes(n int) plan.Duration { return seconds(60 * n) }

package executor_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/inventory"
	"fwctl/plan"
)

// timings returns what the store knows of how long phases took.
func (b *bench) timings() map[string]time.Duration {
	b.Helper()
	all, err := b.store.Timings(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	took := map[string]time.Duration{}
	for _, v := range all {
		if v.Vendor != "ACME" || v.Product != "JBOD-60" || v.Protocol != "ses" {
			b.Errorf("timing %+v; want one of ACME JBOD-60 by ses", v)
		}
		took[v.Mode+" "+string(v.Phase)] += v.Took
	}
	return took
}

// A device takes 20 minutes to write flash and 2 to restart. It is asked again and again, and so found to be done a little
// later; before and after a restart it is left alone for a minute.
const (
	flash   = 20*time.Minute + 2750*time.Millisecond
	returns = 2*time.Minute + 65*time.Second + 500*time.Millisecond
)

func TestPhasesAreTimed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, device string
		waves        plan.StepWaves
		mode         plan.Mode
		activation   plan.Activation
		outcome      string
		want         map[string]time.Duration
	}{
		{"left staged", "flashTime: 20m", stage, plan.ModeE, plan.Manual, "staged confirmed e 1000",
			map[string]time.Duration{"e download": 0, "e flash": flash}},
		{"activated", "flashTime: 20m, rebootTime: 2m", both, plan.ModeE, plan.WithApply, "updated confirmed e 1100",
			map[string]time.Duration{"e download": 0, "e flash": flash, "f return": returns}},
		{"by mode 7", "flashTime: 20m, rebootTime: 2m", reset, plan.Mode7, plan.Manual, "updated confirmed 7 1100",
			map[string]time.Duration{"7 download": 0, "7 flash": flash, "7 return": returns}},
		{"refused", "flashTime: 20m, modes: ['07']", stage, plan.ModeE, plan.Manual, "failed unconfirmed e 1000",
			map[string]time.Duration{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			onRack(t, acme(test.device), func(b *bench) {
				hop := b.hop("1100", test.mode)
				hop.Activation = test.activation
				r := b.run(b.step(esp1, test.waves, hop))
				outcome := result.RunDone
				if len(test.want) == 0 {
					outcome = result.RunFailed
				}
				b.ended(r, outcome, test.outcome)
				got := b.timings()
				for phase, took := range got {
					t.Logf("%s took %s", phase, took)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("timings (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The next inventory has them, each in one line.
func TestTimingsAreInTheNextInventory(t *testing.T) {
	t.Parallel()
	onRack(t, acme("flashTime: 20m"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		b.ended(b.run(b.step(esp1, stage, hop), b.step(esp2, stage, hop)), result.RunDone,
			"staged confirmed e 1000", "staged confirmed e 1000")
		inv := b.scan()
		var phases []inventory.Phase
		for _, v := range inv.Timings {
			phases = append(phases, v.Phase)
			if v.Runs != 1 || v.Count != 2 || v.ImageSize != hop.Image.Size {
				t.Errorf("timing %+v; want one of 2 downloads of %d bytes in one run", v, hop.Image.Size)
			}
		}
		want := []inventory.Phase{inventory.DownloadPhase, inventory.FlashPhase}
		if diff := cmp.Diff(want, phases); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
		data, err := inv.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := inventory.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(inv.Timings, again.Timings); diff != "" {
			t.Errorf("timings after Encode and Parse (-want +got):\n%s", diff)
		}
	})
}

// How long an image takes that a run was broken off in is not known, though it ends well.
func TestInterruptedWorkIsNotTimed(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, reset, b.hop("1100", plan.Mode7))} }
	restart := func(effects int) int { return effects - 1 }
	afterCrash(t, acme("vanish: true, flashTime: 20m, rebootTime: 5m"), one, restart, func(b *bench, c executor.Config) {
		b.ended(b.resume(c), result.RunDone, "updated confirmed 7 1100")
		if diff := cmp.Diff(map[string]time.Duration{"7 download": 0}, b.timings()); diff != "" {
			t.Errorf("timings (-want +got):\n%s", diff)
		}
	})
}

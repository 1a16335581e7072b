package executor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/plan"
)

// mapped is an enclosure whose drive is mounted through a multipath map, with more
// said of the download and of the use.
func mapped(download, use string) string {
	return acme("returnNode: same, "+download) +
		fmt.Sprintf("    drives: [{slot: 0, use: {multipath: mpatha, mount: /tank, %s}}]\n", use)
}

// pair are both modules of the enclosure, one after the other.
func pair(b *bench) []plan.Step {
	a, z := b.step(esp1, plan.StepWaves{Reset: 2}, b.hop("1100", plan.Mode7)),
		b.step(esp2, plan.StepWaves{Reset: 3}, b.hop("1100", plan.Mode7))
	a.Reset, z.Reset = plan.ResetRedundant, plan.ResetRedundant
	return []plan.Step{a, z}
}

// paths is the map's own word on its paths, A or F each.
func (b *bench) paths(dm string) string {
	b.Helper()
	status, err := b.machine.DMTableStatus(dm)
	if err != nil {
		b.Fatal(err)
	}
	var states string
	for _, word := range strings.Fields(status)[10:] {
		if word == "A" || word == "F" {
			states += word
		}
	}
	return states
}

// kept checks that no module was begun while a path through the other was failed.
func (b *bench) kept(e result.Event) {
	if e.Type == result.EventStarted {
		if got := b.paths("dm-0"); got != "AA" {
			b.Errorf("paths as %s is begun = %s; want both active", e.Address, got)
		}
	}
}

// The SCSI device runs again long before multipath uses it: the second module waits
// for the map's word on the first one's path.
func TestSecondModuleWaitsForThePaths(t *testing.T) {
	for name, download := range map[string]string{
		"disks stay":         "vanish: false, rebootTime: 10s",
		"disks go and come":  "vanish: true, rebootTime: 10s",
		"a reset of no time": "vanish: false, rebootTime: 0s",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRack(t, mapped(download, "reinstate: 5m"), func(b *bench) {
				b.onEvent = b.kept
				started := time.Now()
				b.ended(b.run(pair(b)...), result.RunDone, "updated confirmed 7 1100", "updated confirmed 7 1100")
				if took := time.Since(started); took < 10*time.Minute {
					t.Errorf("the run took %v; want each module's path waited for", took)
				}
			})
		})
	}
}

// A path that stays failed ends the run before the other module, the last way
// to the drive, and is named.
func TestPathThatStaysFailed(t *testing.T) {
	for name, download := range map[string]string{
		"disks stay":        "vanish: false, rebootTime: 10s",
		"disks go and come": "vanish: true, rebootTime: 10s",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRack(t, mapped(download, "reinstate: never"), func(b *bench) {
				r := b.run(pair(b)...)
				b.ended(r, result.RunFailed, "failed unconfirmed 7 1100", "skipped unconfirmed  1000")
				b.reason(r, 0, "the drive in slot 0 has 1 of 2 live paths", "sda through esp1: 1:0:2:0 is failed in dm-0 (mpatha)")
				b.untouched(lu2)
			})
		})
	}
}

// untouched checks that a logical unit has had no command with an effect.
func (b *bench) untouched(lu string) {
	b.Helper()
	for _, w := range b.writes() {
		if strings.HasPrefix(w, lu) {
			b.Errorf("write %q; want none to %s", w, lu)
		}
	}
}

// Who resumes a run that was killed after the first module's reset waits as well.
func TestResumeWaitsForThePaths(t *testing.T) {
	// The last chunk to the first module, of as many as to the second.
	first := func(effects int) int { return effects / 2 }
	for name, tt := range map[string]struct {
		after   string // that the test's rack has, as it is killed
		resumed func(b *bench, r *result.Result)
	}{
		"reinstated": {"reinstate: 10m", func(b *bench, r *result.Result) {
			b.ended(r, result.RunDone, "updated confirmed 7 1100", "updated confirmed 7 1100")
		}},
		"not within the time that it may take": {"reinstate: 14m", func(b *bench, r *result.Result) {
			b.ended(r, result.RunFailed, "failed unconfirmed 7 1100", "refused unconfirmed  1000")
			b.reason(r, 0, "sda through esp1: 1:0:2:0 is failed in dm-0 (mpatha)")
			b.untouched(lu2)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rack := mapped("vanish: false, rebootTime: 10s", tt.after)
			afterCrash(t, rack, pair, first, func(b *bench, c executor.Config) {
				for i := range c.Plan.Steps { // who resumes has less patience
					if strings.HasPrefix(name, "not") {
						c.Plan.Steps[i].Hops[0].ReturnTimeout = plan.Duration(2 * time.Minute)
					}
				}
				c.Observer = b.kept
				tt.resumed(b, b.resume(c))
			})
		})
	}
}

// A path that was failed before the run is not waited for, which the run says. It
// does not count for the gate.
func TestPathThatWasFailedBefore(t *testing.T) {
	t.Parallel()
	onRack(t, mapped("vanish: false", "failed: [1]"), func(b *bench) {
		step := pair(b)[0]
		b.ended(b.run(step), result.RunDone, "updated confirmed 7 1100")
		if want := "the drive in slot 0 was not healthy before this run, and is not waited for: sda through esp1: 1:0:2:0 " +
			"is failed in dm-0 (mpatha)"; !strings.Contains(b.noticed(), want) {
			t.Errorf("noticed %q; want %q", b.noticed(), want)
		}
	})
	onRack(t, mapped("vanish: false", "failed: [2]"), func(b *bench) {
		r := b.run(pair(b)[0])
		b.ended(r, result.RunRefused, "refused unconfirmed  1000")
		b.reason(r, 0, "reset: redundant", "slot 0 in use, no other path")
		b.untouched(lu1)
	})
}

// Paths to the drives of an enclosure downstream lead through the module too.
func TestPathsDownstream(t *testing.T) {
	below := strings.ReplaceAll(mapped("vanish: false", "reinstate: %s"), enc1, other)
	rack := acme("vanish: false, returnNode: same, rebootTime: 10s") + below + "    behind: " + enc1 + "\n"
	for reinstate, want := range map[string][]string{
		"5m":    {"updated confirmed 7 1100", "updated confirmed 7 1100"},
		"never": {"failed unconfirmed 7 1100", "skipped unconfirmed  1000"},
	} {
		t.Run(reinstate, func(t *testing.T) {
			t.Parallel()
			onRack(t, fmt.Sprintf(rack, reinstate), func(b *bench) {
				b.onEvent = b.kept
				r := b.run(pair(b)...)
				outcome := result.RunDone
				if reinstate == "never" {
					outcome = result.RunFailed
					b.reason(r, 0, "the drive 5000c50020000001, in no slot, has 1 of 2 live paths", "sda through esp1",
						"is failed in dm-0 (mpatha)")
					b.untouched(lu2)
				}
				b.ended(r, outcome, want...)
			})
		})
	}
}

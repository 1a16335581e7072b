package executor_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/executor"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// afterCrash runs a plan, kills it after the effect that pick chooses of as many as
// there are, and has f go on with the rack and the store as they stood.
func afterCrash(t *testing.T, enclosures string, steps func(*bench) []plan.Step, pick func(effects int) int, f func(*bench, executor.Config)) {
	t.Helper()
	var crashes []crash
	var config executor.Config
	effects := 0
	copies := t.TempDir()
	onRack(t, enclosures, func(b *bench) {
		config = b.config(steps(b)...)
		config.Machine = &crashing{b.machine, filepath.Dir(b.file), copies, &crashes, &effects}
		if r, err := executor.Run(context.Background(), config); err != nil || r.Outcome != executor.RunDone {
			t.Fatalf("Run = %+v, %v; want it done", r, err)
		}
	})
	c := crashes[2*pick(effects)-1] // one before each effect, and one after it
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(c.at))
		b := reopen(t, c.dir)
		defer b.store.Close()
		config.Machine, config.Store, config.Observer = b.machine, b.store, b.observe
		f(b, config)
	})
}

func (b *bench) resume(c executor.Config) *executor.Result {
	b.Helper()
	run, _, _, err := executor.Resumable(context.Background(), b.store, b.machine)
	if err != nil || run == nil {
		b.Fatalf("Resumable = %v, %v; want a run", run, err)
	}
	r, err := executor.Resume(context.Background(), c, run.ID)
	if err != nil {
		b.Fatalf("Resume = %v", err)
	}
	return r
}

// An enclosure that is out of sight because all of it restarts is waited for.
func TestResumeWhileTheEnclosureIsAway(t *testing.T) {
	rack := strings.Replace(acme("vanish: true, returnNode: other, rebootTime: 5m"), "esps: [{}, {}]", "esps: [{}]", 1)
	one := func(b *bench) []plan.Step {
		address := b.scan().Enclosures[0].ESPs[0].Subenclosures[0].Address
		return []plan.Step{b.step(address, reset, b.hop("1100", plan.Mode7))}
	}
	last := func(effects int) int { return effects } // the reading of 10h, which starts it
	afterCrash(t, rack, one, last, func(b *bench, c executor.Config) {
		if e := b.scan().Enclosures; len(e) != 0 {
			t.Fatalf("enclosures in sight = %d; want none while it restarts", len(e))
		}
		b.ended(b.resume(c), executor.RunDone, "updated confirmed 7 1100")
	})
}

// Where somebody else holds a node for long nothing is done, and the run is there to
// be resumed when they are done.
func TestResumeWhileANodeIsBusy(t *testing.T) {
	one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, stage, b.hop("1100", plan.ModeE))} }
	half := func(effects int) int { return effects / 2 }
	afterCrash(t, acme(""), one, half, func(b *bench, c executor.Config) {
		before := b.effects()
		b.lookAt("/dev/sg0", transport.Exclusive, time.Hour)
		r := b.resume(c)
		if r.Outcome != executor.RunUnknown || !strings.Contains(r.Reason, "held by another process") || b.effects() != before {
			t.Errorf("Resume = %+v with %d effects; want it unknown still, because the node is in use, with none", r, b.effects()-before)
		}
		if open, err := b.store.Open(context.Background()); err != nil || len(open) == 0 {
			t.Errorf("open intents after a refused resumption = %v, %v; want them as they were", open, err)
		}
		time.Sleep(time.Hour)
		b.ended(b.resume(c), executor.RunDone, "staged confirmed e 1000")
	})
}

// What was interrupted is resumed as long as nothing else was done: a later run has
// made its plan anew. One that was refused has done nothing.
func TestWhatIsDoneSinceEndsAnInterruptedRun(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		interrupted, cancel := context.WithCancel(context.Background())
		cancel()
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		resumable := func(want bool, after string) {
			t.Helper()
			if run, _, _, err := executor.Resumable(context.Background(), b.store, b.machine); err != nil || (run != nil) != want {
				t.Errorf("Resumable after %s = %+v, %v; want a run: %v", after, run, err, want)
			}
		}
		if r := b.runContext(interrupted, step); r.Outcome != executor.RunInterrupted {
			t.Fatalf("Run = %+v; want it interrupted", r)
		}
		resumable(true, "an interrupted run")
		stale := step
		stale.Preconditions.Revision = "1001"
		if r := b.run(stale); r.Outcome != executor.RunRefused {
			t.Fatalf("Run = %+v; want it refused", r)
		}
		resumable(true, "a refused run")
		b.ended(b.run(step), executor.RunDone, "staged confirmed e 1000")
		resumable(false, "a run that was done")
	})
}

// A run that was to stage alone does so when it is resumed, whoever resumes it.
func TestResumeOfAPhase(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		interrupted, cancel := context.WithCancel(context.Background())
		cancel()
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		c := b.config(b.step(esp1, both, hop))
		c.Phase = plan.StageWave
		if r, err := executor.Run(interrupted, c); err != nil || r.Outcome != executor.RunInterrupted {
			t.Fatalf("Run = %+v, %v; want it interrupted", r, err)
		}
		c.Phase = ""
		b.ended(b.resume(c), executor.RunDone, "staged confirmed e 1000")
	})
}

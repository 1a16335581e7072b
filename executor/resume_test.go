package executor_test

import (
	"bytes"
	"context"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/executor"
	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/executor/verify"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/internal/window"
	"fwctl/plan"
)

// afterCrash runs a plan, kills it after the effect that pick chooses of as many as
// there are, and has f go on with the rack and the store as they stood.
func afterCrash(t *testing.T, enclosures string, steps func(*bench) []plan.Step, pick func(effects int) int,
	f func(*bench, executor.Config)) {
	t.Helper()
	var crashes []crash
	var config executor.Config
	effects := 0
	copies := t.TempDir()
	onRack(t, enclosures, func(b *bench) {
		config = b.config(steps(b)...)
		config.Machine = &crashing{b.machine, b, copies, &crashes, &effects}
		if r, err := executor.Run(context.Background(), config); err != nil || r.Outcome != result.RunDone {
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

func (b *bench) resume(c executor.Config) *result.Result {
	b.Helper()
	run, _, err := memory.Resumable(context.Background(), b.store, b.machine.HoldsLock)
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
	t.Parallel()
	rack := strings.Replace(acme("vanish: true, returnNode: other, rebootTime: 5m"), "esps: [{}, {}]", "esps: [{}]", 1)
	one := func(b *bench) []plan.Step {
		address := b.scan().Enclosures[0].ESPs[0].Subenclosures[0].Address
		return []plan.Step{b.step(address, reset, b.hop("1100", plan.Mode7))}
	}
	// the reading of 10h, which starts it; that the status has no more to say is read after its return
	last := func(effects int) int { return effects - 1 }
	afterCrash(t, rack, one, last, func(b *bench, c executor.Config) {
		if e := b.scan().Enclosures; len(e) != 0 {
			t.Fatalf("enclosures in sight = %d; want none while it restarts", len(e))
		}
		b.ended(b.resume(c), result.RunDone, "updated confirmed 7 1100")
	})
}

// If another program holds a node for long, nothing is done, and the run can be resumed later.
func TestResumeWhileANodeIsBusy(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, stage, b.hop("1100", plan.ModeE))} }
	half := func(effects int) int { return effects / 2 }
	afterCrash(t, acme(""), one, half, func(b *bench, c executor.Config) {
		before := b.effects()
		b.lookAt("/dev/sg0", transport.Exclusive, time.Hour)
		r := b.resume(c)
		if r.Outcome != result.RunUnknown || !strings.Contains(r.Reason, "held by another process") || b.effects() != before {
			t.Errorf("Resume = %+v with %d effects; want it unknown still, because the node is in use, with none", r,
				b.effects()-before)
		}
		if open, err := b.store.Open(context.Background()); err != nil || len(open) == 0 {
			t.Errorf("open intents after a refused resumption = %v, %v; want them as they were", open, err)
		}
		time.Sleep(time.Hour)
		b.ended(b.resume(c), result.RunDone, "staged confirmed e 1000")
	})
}

// What was interrupted is resumed as long as nothing else was done: a later run has
// made its plan anew. One that was refused has done nothing.
func TestLaterRunEndsAnInterruptedOne(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		interrupted, cancel := context.WithCancel(context.Background())
		cancel()
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		resumable := func(want bool, after string) {
			t.Helper()
			if run, _, err := memory.Resumable(context.Background(), b.store, b.machine.HoldsLock); err != nil ||
				(run != nil) != want {
				t.Errorf("Resumable after %s = %+v, %v; want a run: %v", after, run, err, want)
			}
		}
		if r := b.runContext(interrupted, step); r.Outcome != result.RunInterrupted {
			t.Fatalf("Run = %+v; want it interrupted", r)
		}
		resumable(true, "an interrupted run")
		stale := step
		stale.Preconditions.Revision = "1001"
		if r := b.run(stale); r.Outcome != result.RunRefused {
			t.Fatalf("Run = %+v; want it refused", r)
		}
		resumable(true, "a refused run")
		b.ended(b.run(step), result.RunDone, "staged confirmed e 1000")
		resumable(false, "a run that was done")
	})
}

// A run that was only to stage does only that when it is resumed, whatever the flags.
func TestResumeOfAPhase(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		interrupted, cancel := context.WithCancel(context.Background())
		cancel()
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		c := b.config(b.step(esp1, both, hop))
		c.Phase = plan.StageWave
		if r, err := executor.Run(interrupted, c); err != nil || r.Outcome != result.RunInterrupted {
			t.Fatalf("Run = %+v, %v; want it interrupted", r, err)
		}
		c.Phase = ""
		b.ended(b.resume(c), result.RunDone, "staged confirmed e 1000")
	})
}

// An enclosure that is out of sight with all of its ESPs is whole only when all of
// them are back.
func TestResumeWhileAllESPsAreAway(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, reset, b.hop("1100", plan.Mode7))} }
	last := func(effects int) int { return effects }
	afterCrash(t, acme("rebootTime: 5m"), one, last, func(b *bench, c executor.Config) {
		if err := b.rack.PowerCycle(enc1); err != nil {
			t.Fatal(err)
		}
		if e := b.scan().Enclosures; len(e) != 0 {
			t.Fatalf("enclosures in sight = %d; want none while it starts", len(e))
		}
		b.ended(b.resume(c), result.RunDone, "updated confirmed 7 1100")
	})
}

// A device may go on answering for a while after the command that restarts it: who
// resumes asks when that is over, and does not send it again.
func TestResumeBeforeTheDeviceHasLeft(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		return []plan.Step{b.step(esp1, both, hop)}
	}
	activation := func(effects int) int { return effects - 1 } // and the status after it
	afterCrash(t, acme("vanish: false, rebootTime: 0s"), one, activation, func(b *bench, c executor.Config) {
		c.Machine = oldRevision{b.machine, time.Now().Add(30 * time.Second)}
		b.ended(b.resume(c), result.RunDone, "updated confirmed e 1100")
		if got := strings.Count(strings.Join(b.writes(), "\n"), " 0f@"); got != 1 {
			t.Errorf("activations = %d in %q; want the one of the run that was killed", got, b.writes())
		}
	})
}

// oldRevision has devices report 1000 for a while.
type oldRevision struct {
	transport.Machine
	until time.Time
}

func (m oldRevision) Open(path string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(path, access)
	return oldNode{n, m.until}, err
}

type oldNode struct {
	transport.Node
	until time.Time
}

func (n oldNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	resp, err := n.Node.Do(ctx, req)
	if time.Now().Before(n.until) {
		copy(req.In, bytes.ReplaceAll(req.In, []byte("1100"), []byte("1000")))
	}
	return resp, err
}

// A mode that was refused is not tried again.
func TestResumeAfterARefusedMode(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step {
		return []plan.Step{b.step(esp1, both, b.hop("1100", plan.ModeE, plan.Mode7))}
	}
	midway := func(effects int) int { return effects - 6 }
	afterCrash(t, acme("modes: ['07']"), one, midway, func(b *bench, c executor.Config) {
		if w := b.writes(); !strings.HasSuffix(w[len(w)-1], "0e 07@00001000") {
			t.Fatalf("writes before the kill = %q; want the second chunk by mode 7 last", w)
		}
		b.ended(b.resume(c), result.RunDone, "updated confirmed 7 1100")
		if got := strings.Count(strings.Join(b.writes(), "\n"), " 0e 0e@"); got != 1 {
			t.Errorf("chunks by mode e = %d in %q; want the one that was refused", got, b.writes())
		}
	})
}

// What was accepted for a run is, when it is resumed.
func TestResumeKeepsAcceptedRisks(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, reset, b.hop("1100", plan.Mode7))} }
	half := func(effects int) int { return effects / 2 }
	afterCrash(t, acme(""), one, half, func(b *bench, c executor.Config) {
		p := *c.Plan
		p.Steps = slices.Clone(p.Steps)
		p.Steps[0].Disruption.Worst = plan.IOInterruption
		c.Plan = &p
		err := b.store.Update(context.Background(), func(tx *state.Tx) {
			tx.Override(1, state.Override{Kind: state.IgnoreWindow, Address: esp1, Given: "all"}) // which is another word
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := b.resume(c); r.Outcome != result.RunRefused || r.Refusal != step.RefusedDisruption {
			t.Fatalf("Resume = %+v; want it refused: nobody has accepted that I/O may stop", r)
		}
		err = b.store.Update(context.Background(), func(tx *state.Tx) {
			tx.Override(1, state.Override{Kind: state.AcceptDisruption, Address: esp1, Given: "all"})
		})
		if err != nil {
			t.Fatal(err)
		}
		b.ended(b.resume(c), result.RunDone, "updated confirmed 7 1100")
	})
}

// What has failed is for a new plan: who resumes the run leaves it alone, and what
// shares a fault domain with it.
func TestResumeLeavesFailedSteps(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 8192}, do: {status: '84'}}]\n", func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		beside := b.step(esp2, stage, hop)
		beside.FaultDomain = 1
		c := b.config(b.step(esp1, stage, hop), beside)
		b.ended(b.runConfig(context.Background(), c), result.RunFailed, "failed unconfirmed e 1000",
			"skipped unconfirmed  1000")
		writes := len(b.writes())
		// As if it had been killed before its end was recorded.
		if err := b.store.Update(context.Background(), func(tx *state.Tx) { tx.EndRun(1, time.Time{}, "") }); err != nil {
			t.Fatal(err)
		}
		c.Plan.Rollout.MaxFailures = 5
		b.ended(b.resume(c), result.RunFailed, "failed unconfirmed e 1000", "skipped unconfirmed  1000")
		if got := len(b.writes()) - writes; got != 0 {
			t.Errorf("%d more writes; want none", got)
		}
	})
}

// A component that a later run has made whole needs no person any more, whatever the run
// that is resumed had left it as.
func TestResumeAfterALaterRunMadeItWhole(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {act: middle-chunk}, do: {sense: 0b/00/00}}]\n", func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop))
		r := b.runConfig(context.Background(), c)
		b.ended(r, result.RunUnknown, "failed unconfirmed 7 1000")
		if !r.Steps[0].NeedsPerson {
			t.Fatalf("Run = %+v; want that it needs a person", r)
		}
		b.ended(b.run(b.step(esp1, reset, hop)), result.RunDone, "updated confirmed 7 1100")
		// As if the first had been killed before its end was recorded.
		if err := b.store.Update(context.Background(), func(tx *state.Tx) { tx.EndRun(1, time.Time{}, "") }); err != nil {
			t.Fatal(err)
		}
		if r := b.resume(c); r.Steps[0].NeedsPerson || r.Outcome != result.RunFailed {
			t.Errorf("Resume = %+v; want it failed as it had, and no person needed", r)
		}
	})
}

// A component that was lost sight of is not forgotten: nothing else is written to its enclosure,
// and it is reported, until a resumption has found it again.
func TestUnknownIsFoundOut(t *testing.T) {
	t.Parallel()
	const away = "faults: [{when: {opcode: '1d', offset: 4096}, do: {vanish: 4h}}]"
	const last = "faults: [{when: {opcode: '1d', offset: 8192}, do: {vanish: 4h, carriedOut: true}}]"
	for name, tt := range map[string]struct {
		fault string
		mode  plan.Mode
		half  bool   // by mode 7: it must not lose power
		end   string // of the resumption
		sent  int    // chunks, in all
	}{
		"half an image by mode e": {away, plan.ModeE, false, "staged confirmed e 1000", 2 + 3},
		"half an image by mode 7": {away, plan.Mode7, true, "updated confirmed 7 1100", 2 + 3},
		"all of it by mode e":     {last, plan.ModeE, false, "staged confirmed e 1000", 3},
		"all of it by mode 7":     {last, plan.Mode7, false, "updated confirmed 7 1100", 3},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, strings.Replace(acme(""), "esps: [{}, {}]", "esps: [{"+tt.fault+"}, {}]", 1), func(b *bench) {
				hop := b.hop("1100", tt.mode)
				waves := map[plan.Mode]plan.StepWaves{plan.ModeE: stage, plan.Mode7: reset}[tt.mode]
				c, beside := b.config(b.step(esp1, waves, hop)), b.step(esp2, stage, b.hop("1100", plan.ModeE))
				r := b.runConfig(context.Background(), c)
				b.ended(r, result.RunUnknown, "unknown unconfirmed "+string(tt.mode)+" 1000")
				if r.Steps[0].NeedsPerson != tt.half {
					t.Errorf("NeedsPerson = %v; want %v", r.Steps[0].NeedsPerson, tt.half)
				}
				before := b.effects()
				if r := b.run(beside); r.Outcome != result.RunRefused || r.Refusal != step.RefusedUnfinished ||
					b.effects() != before {
					t.Errorf("Run on the module beside it = %s (%s: %s), after %d effects; want it refused: fwctl resume finds out",
						r.Outcome, r.Refusal, r.Reason, b.effects()-before)
				}
				found, err := verify.Run(context.Background(), verify.Config{Machine: b.machine, Store: b.store, By: "ben"})
				if err != nil || len(found.Unsettled) == 0 || found.Unsettled[0].Address != esp1 {
					t.Errorf("Verify = %+v, %v; want %s unsettled", found, err, esp1)
				}
				needsImage := func(u result.Unsettled) bool { return strings.Contains(u.Reason, "needs a whole image") }
				if open := slices.DeleteFunc(slices.Clone(found.Unsettled), needsImage); len(open) != 1 {
					t.Errorf("Verify = %+v; want one word on what is open", found.Unsettled)
				}
				if slices.ContainsFunc(found.Unsettled, needsImage) != tt.half {
					t.Errorf("Verify = %+v; want it to say that it needs a whole image: %v", found.Unsettled, tt.half)
				}
				b.ended(b.resume(c), result.RunUnknown, "unknown unconfirmed "+string(tt.mode)+" ") // it is away still
				time.Sleep(4 * time.Hour)
				var said []string
				c.Observer = func(e result.Event) {
					if e.Type == result.EventRecovered {
						said = append(said, e.Reason)
					}
				}
				b.ended(b.resume(c), result.RunDone, tt.end)
				if len(said) != 1 || !strings.HasPrefix(said[0], "the run had lost sight of it: ") {
					t.Errorf("what was found = %q; want it once", said)
				}
				if got := len(b.writes()); got < tt.sent || got > tt.sent+1 { // an abort
					t.Errorf("writes = %q; want %d chunks", b.writes(), tt.sent)
				}
				b.arrived(hop.Image)
				if found, err := verify.Run(context.Background(),
					verify.Config{Machine: b.machine, Store: b.store, By: "ben"}); err != nil || len(found.Unsettled) > 0 {
					t.Errorf("Verify after it = %+v, %v; want nothing unsettled", found, err)
				}
				b.ended(b.run(beside), result.RunDone, "staged confirmed e 1000")
			})
		})
	}
}

// So is what became of it in a resumption that sent it the image again.
func TestUnknownInAResumption(t *testing.T) {
	t.Parallel()
	faults := "faults: [{when: {opcode: '1d', offset: 4096}, do: {vanish: 1h}}, {when: {opcode: '1d', offset: 4096, " +
		"nth: 2}, do: {vanish: 1h}}]"
	onRack(t, strings.Replace(acme(""), "esps: [{}, {}]", "esps: [{"+faults+"}, {}]", 1), func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop))
		b.ended(b.runConfig(context.Background(), c), result.RunUnknown, "unknown unconfirmed 7 1000")
		time.Sleep(time.Hour)
		b.ended(b.resume(c), result.RunUnknown, "unknown unconfirmed 7 1000") // it was met, and then lost sight of
		time.Sleep(time.Hour)
		b.ended(b.resume(c), result.RunDone, "updated confirmed 7 1100")
		b.arrived(hop.Image)
	})
}

// One that never answers again is not in the way of another.
func TestUnknownBesideUnknown(t *testing.T) {
	t.Parallel()
	gone := strings.Replace(acme(""), "esps: [{}, {}]",
		"esps: [{faults: [{when: {opcode: '1d', offset: 4096}, do: {die: true}}]}, {}]", 1)
	away := strings.ReplaceAll(strings.Replace(gone, "die: true", "vanish: 1h", 1), enc1, other)
	onRack(t, gone+away, func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		first, second := b.config(b.step(esp1, stage, hop)), b.config(b.step(other+"/esp1/sub0", stage, hop))
		for _, c := range []executor.Config{first, second} {
			b.ended(b.runConfig(context.Background(), c), result.RunUnknown, "unknown unconfirmed e 1000")
		}
		time.Sleep(time.Hour)
		b.ended(b.resume(first), result.RunUnknown, "unknown unconfirmed e ")
		b.ended(b.resume(second), result.RunDone, "staged confirmed e 1000")
	})
}

// If such a component answers, and nothing more can be found out, a resumption says so and
// leaves it: a new plan takes it as it is.
func TestUnknownThatAnswers(t *testing.T) {
	t.Parallel()
	onRack(t, acme("protocol: write-buffer, confirm: none")+"    faults: [{when: {opcode: '3b', offset: 8192}, do: "+
		"{noAnswer: true}}]\n", func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		hop.Protocol = plan.WriteBuffer
		c := b.config(b.step(esp1, reset, hop))
		b.ended(b.runConfig(context.Background(), c), result.RunUnknown, "unknown unconfirmed 7 1000")
		if r := b.runConfig(context.Background(), c); r.Refusal != step.RefusedUnfinished {
			t.Errorf("Run = %+v; want it refused until the run is resumed", r)
		}
		b.ended(b.resume(c), result.RunUnknown, "unknown unconfirmed 7 1000")
		if open, err := b.store.Open(context.Background()); err != nil || len(open) > 0 {
			t.Errorf("Open = %+v, %v; want nothing", open, err)
		}
		b.ended(b.runConfig(context.Background(), c), result.RunDone, "updated confirmed 7 1100")
	})
}

// WRITE BUFFER has no abort: a part of an image stays until the next download. Until then it is
// on record as fwctl's own, and not taken for someone else's.
func TestPartThatOnlyADownloadDiscards(t *testing.T) {
	t.Parallel()
	needsPerson := acme("protocol: write-buffer, modes: ['07']") +
		"    faults: [{when: {act: last-chunk}, do: {sense: 05/24/00}}]\n"
	loses := strings.ReplaceAll(acme("protocol: both"), enc1, other) +
		"    faults: [{when: {act: last-chunk}, do: {sense: 0b/00/00}}]\n"
	onRack(t, needsPerson+loses, func(b *bench) {
		seven, e := b.hop("1100", plan.Mode7), b.hop("1100", plan.ModeE)
		seven.Protocol, e.Protocol = plan.WriteBuffer, plan.WriteBuffer
		lost := b.step(strings.ReplaceAll(esp1, enc1, other), stage, e)
		c := b.config(b.step(esp1, reset, seven), lost)
		c.Plan.Rollout.MaxFailures = 2
		b.ended(b.runConfig(context.Background(), c), result.RunUnknown,
			"failed unconfirmed 7 1000", "unknown unconfirmed e 1000")
		b.ended(b.resume(c), result.RunUnknown, "failed unconfirmed 7 1000", "skipped unconfirmed e 1000")
		b.ended(b.run(lost), result.RunDone, "staged confirmed e 1000")
		if cautions, err := b.store.Cautions(context.Background()); err != nil || len(cautions) != 1 {
			t.Errorf("Cautions = %+v, %v; want that of %s alone", cautions, err, esp1)
		}
	})
}

// An exchanged module has taken its open effects with it.
func TestUnknownThatWasExchanged(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		err := b.store.Update(context.Background(), func(tx *state.Tx) {
			run := tx.BeginRun(state.Run{Host: b.machine.Hostname(), By: "anna", StartedAt: time.Now()})
			tx.Intend(state.Intent{Run: run, Address: esp1, Key: state.Key{LUID: "5000ccab0400dead"}, Kind: state.DownloadStart,
				Mode: "07", SHA256: strings.Repeat("0", 64), At: time.Now()})
			tx.EndRun(run, time.Now(), string(result.RunUnknown))
		})
		if err != nil {
			t.Fatal(err)
		}
		hop := b.hop("1100", plan.ModeE)
		if r := b.run(b.step(esp2, stage, hop)); r.Refusal != step.RefusedUnfinished {
			t.Errorf("Run on the module beside it = %+v; want it refused: nothing says that it was exchanged", r)
		}
		b.ended(b.run(b.step(esp1, stage, hop)), result.RunDone, "staged confirmed e 1000")
		if open, err := b.store.Open(context.Background()); err != nil || len(open) > 0 {
			t.Errorf("Open = %+v, %v; want nothing", open, err)
		}
	})
}

// What an enclosure was like is what it was before the run: one that has become worse
// since is not touched when the run is resumed.
func TestResumeWhereItHasBecomeWorse(t *testing.T) {
	t.Parallel()
	two := func(b *bench) []plan.Step {
		hop := b.hop("1100", plan.ModeE)
		return []plan.Step{b.step(esp1, stage, hop), b.step(esp2, stage, hop)}
	}
	early := func(int) int { return 4 } // two chunks, and the status of both ESPs before them
	afterCrash(t, acme("")+"    elements: [{type: power-supply, count: 2}]\n", two, early,
		func(b *bench, c executor.Config) {
			before := len(b.writes())
			c.Machine = &worseMachine{Machine: b.machine, worse: func(_ worseNode, cdb, in []byte) error {
				if cdb[0] == 0x1c && cdb[2] == 0x02 {
					in[12] = 2 // the first element behind the overall one: critical
				}
				return nil
			}}
			r := b.resume(c)
			b.ended(r, result.RunFailed, "failed unconfirmed e 1000", "refused unconfirmed  1000")
			for i := range r.Steps {
				b.reason(r, i, "has become worse since the run began", "critical")
			}
			for _, w := range b.writes()[before:] {
				if !strings.Contains(w, " ff@") {
					t.Errorf("writes after the resumption = %q; want none but what discards the half", b.writes()[before:])
				}
			}
		})
}

// Half an image by mode 7 cannot wait for a window; half of one by mode e can.
func TestResumeOfHalfAnImageOutsideItsWindow(t *testing.T) {
	t.Parallel()
	for mode, tt := range map[plan.Mode]struct {
		modes   []plan.Mode
		waves   plan.StepWaves
		outcome result.RunOutcome
		step    string
	}{
		plan.Mode7: {[]plan.Mode{plan.Mode7}, reset, result.RunDone, "updated confirmed 7 1100"},
		plan.ModeE: {[]plan.Mode{plan.ModeE, plan.Mode7}, both, result.RunFailed, "skipped unconfirmed e 1000"},
	} {
		t.Run(string(mode), func(t *testing.T) {
			one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, tt.waves, b.hop("1100", tt.modes...))} }
			half := func(effects int) int { return effects / 2 }
			afterCrash(t, acme(""), one, half, func(b *bench, c executor.Config) {
				closed := *c.Plan
				closed.Waves = slices.Clone(closed.Waves)
				for i := range closed.Waves {
					closed.Waves[i].Windows = []string{"over"}
				}
				closed.Windows = map[string]window.Window{"over": {Start: "1999-01-01T00:00", Timezone: "UTC", Duration: "1h"}}
				c.Plan = &closed
				before := b.writes()
				if !strings.HasSuffix(before[len(before)-1], "@00001000") {
					t.Fatalf("writes before the kill = %q; want half an image", before)
				}
				b.ended(b.resume(c), tt.outcome, tt.step)
				for _, w := range b.writes()[len(before):] {
					if mode == plan.ModeE && !strings.Contains(w, " ff@") {
						t.Errorf("writes after the resumption = %q; want none but what discards the half", b.writes()[len(before):])
					}
				}
			})
		})
	}
}

// Nor is half an image by mode 7 left unreported if it cannot be sent again.
func TestResumeOfHalfAnImageThatIsRefused(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, reset, b.hop("1100", plan.Mode7))} }
	half := func(effects int) int { return effects / 2 }
	afterCrash(t, acme(""), one, half, func(b *bench, c executor.Config) {
		c.Machine = &worseMachine{Machine: b.machine, worse: func(_ worseNode, cdb, in []byte) error {
			if cdb[0] == 0x1c && cdb[2] == 0x01 {
				copy(in[44:48], "1001") // the revision of the primary subenclosure
			}
			return nil
		}}
		r := b.resume(c)
		if r.Outcome != result.RunUnknown || !r.Steps[0].NeedsPerson {
			t.Errorf("Resume = %s, %+v; want a step that needs a person", r.Outcome, r.Steps[0])
		}
		b.reason(r, 0, "found 1001", "do not power-cycle or reset it")
		b.needs(esp1)
	})
}

// goingOn has processes hold the locks of some enclosures.
type goingOn struct {
	transport.Machine
	enclosures []string
}

func (m goingOn) HoldsLock(enclosure string, _ int) (bool, error) {
	return slices.Contains(m.enclosures, enclosure), nil
}

// Of several runs without an end the first is resumed that no process carries out. A
// run's locks are those of the enclosures that it works on here.
func TestWhichRunIsResumed(t *testing.T) {
	t.Parallel()
	const third = "5000ccab04003000"
	onRack(t, twoEnclosures()+strings.ReplaceAll(acme(""), enc1, third), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		idle, elsewhere := b.step(esp1, stage, hop), b.step(esp2, stage, hop)
		idle.Action, idle.Hops, idle.Waves = plan.NoOp, []plan.Hop{}, plan.StepWaves{}
		elsewhere.Host = "stor9"
		second := b.step(third+"/esp1/sub0", stage, hop)
		for _, steps := range [][]plan.Step{{idle, elsewhere, b.step(other+"/esp1/sub0", stage, hop)}, {second}, {second}} {
			b.begun(steps...)
		}
		for _, tt := range []struct {
			alive []string
			want  int64
		}{{nil, 1}, {[]string{other}, 2}, {[]string{third}, 1}, {[]string{other, third}, 1}, {[]string{enc1}, 1}} {
			run, _, err := memory.Resumable(context.Background(), b.store, goingOn{b.machine, tt.alive}.HoldsLock)
			if err != nil || run == nil || run.ID != tt.want {
				t.Errorf("Resumable while somebody is at %q = %+v, %v; want run %d", tt.alive, run, err, tt.want)
			}
		}
	})
}

// A resumption that is refused leaves the run as it was.
func TestRefusedResumptionOfAnInterruptedRun(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		interrupted, cancel := context.WithCancel(context.Background())
		cancel()
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		b.runContext(interrupted, c.Plan.Steps...)
		before, err := b.store.Run(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		b.lookAt("/dev/sg0", transport.Exclusive, time.Hour)
		if r := b.resume(c); r.Outcome != result.RunRefused {
			t.Errorf("Resume = %+v; want it refused", r)
		}
		if after, err := b.store.Run(context.Background(), 1); err != nil || *after != *before {
			t.Errorf("the run afterwards = %+v, %v; want %+v", after, err, before)
		}
	})
}

// What was begun on simulated enclosures is not gone on with on real ones, nor the
// other way round.
func TestResumeOnAnotherRack(t *testing.T) {
	t.Parallel()
	one := func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, stage, b.hop("1100", plan.ModeE))} }
	half := func(effects int) int { return effects / 2 }
	afterCrash(t, acme(""), one, half, func(b *bench, c executor.Config) {
		before, other := b.effects(), *c.Plan
		other.Simulated = false
		c.Plan = &other
		if r := b.resume(c); r.Outcome != result.RunRefused || r.Refusal != step.RefusedWrongHost || b.effects() != before {
			t.Errorf("Resume = %+v with %d effects; want it refused, with none", r, b.effects()-before)
		}
	})
}

// copying copies the store and the rack once, at the first look at the host after it was armed.
type copying struct {
	transport.Machine
	crashing
	armed *bool
}

func (m copying) Open(node string, access transport.Access) (transport.Node, error) {
	return m.Machine.Open(node, access)
}

func (m copying) FS() fs.FS {
	if *m.armed {
		*m.armed = false
		m.copy("between", []byte{0})
	}
	return m.Machine.FS()
}

// A mode belongs to a hop: what was sent one by mode 7 has not refused mode e for the next.
func TestResumeBetweenHops(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rack  string
		first []plan.Mode
		waves plan.StepWaves
	}{
		"after mode 7":           {"", []plan.Mode{plan.Mode7}, reset},
		"after a refused mode e": {"modes: ['07', {mode: '0e', from: '1100'}, {mode: '0f', from: '1100'}]", []plan.Mode{plan.ModeE, plan.Mode7}, both},
	} {
		t.Run(name, func(t *testing.T) {
			var crashes []crash
			var config executor.Config
			copies := t.TempDir()
			onRack(t, acme(tt.rack), func(b *bench) {
				first, second := b.hop("1100", tt.first...), b.hop("1200", plan.ModeE, plan.Mode7)
				first.Activation, second.Activation = plan.WithApply, plan.WithApply
				second.From, second.Image = "1100", b.imageFor("JBOD-60", "1200", 10001)
				config = b.config(b.step(esp1, tt.waves, first, second))
				armed, effects := false, 0
				config.Machine = copying{b.machine, crashing{nil, b, copies, &crashes, &effects}, &armed}
				verified := 0
				config.Observer = func(e result.Event) {
					if e.Type == result.EventVerified {
						verified++
						armed = verified == 1
					}
				}
				r, err := executor.Run(context.Background(), config)
				if err != nil || r.Outcome != result.RunDone || r.Steps[0].Mode != plan.ModeE {
					t.Fatalf("Run = %+v, %v; want the second hop by mode e", r, err)
				}
			})
			if len(crashes) != 1 {
				t.Fatalf("copies = %d; want one, between the hops", len(crashes))
			}
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(crashes[0].at))
				b := reopen(t, crashes[0].dir)
				defer b.store.Close()
				config.Machine, config.Store, config.Observer = b.machine, b.store, b.observe
				before := len(b.writes())
				b.ended(b.resume(config), result.RunDone, "updated confirmed e 1200")
				for _, w := range b.writes()[before:] {
					if strings.Contains(w, " 07@") {
						t.Errorf("writes after the resumption = %q; want none by mode 7", b.writes()[before:])
					}
				}
			})
		})
	}
}

// What a run has brought to its end is part of it when it is resumed: it is reported as that, and
// looked at once more. A module that has gone back since is not sent its image again.
func TestResumeKeepsWhatIsDone(t *testing.T) {
	t.Parallel()
	two := func(b *bench) []plan.Step {
		hop := b.hop("1100", plan.Mode7)
		return []plan.Step{b.step(esp1, reset, hop), b.step(esp2, reset, hop)}
	}
	late := func(effects int) int { return effects - 4 }
	to1 := func(b *bench) (n int) {
		for _, w := range b.writes() {
			if strings.HasPrefix(w, "5000ccab04001001 ") {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		name    string
		goes    bool // it goes back to what it ran
		outcome result.RunOutcome
		step    string
	}{
		{"it runs it still", false, result.RunDone, "updated confirmed 7 1100"},
		{"it has gone back", true, result.RunFailed, "failed unconfirmed 7 1000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			afterCrash(t, acme(""), two, late, func(b *bench, c executor.Config) {
				before := to1(b)
				if tt.goes {
					paths := b.scan().Enclosures[0].ESPs[0].Paths
					c.Machine = &worseMachine{Machine: b.machine, worse: func(n worseNode, cdb, in []byte) error {
						if slices.Contains(paths, n.path) {
							copy(in, bytes.ReplaceAll(in, []byte("1100"), []byte("1000")))
						}
						return nil
					}}
				}
				r, err := executor.Resume(context.Background(), c, 1)
				if err != nil {
					t.Fatalf("Resume = %v", err)
				}
				b.ended(r, tt.outcome, tt.step, "updated confirmed 7 1100")
				if tt.goes {
					b.reason(r, 0, "it ran 1100 when it was verified, and runs 1000 now")
				}
				if got := to1(b); got != before {
					t.Errorf("writes to the module that was done = %d; want the %d before the kill", got, before)
				}
			})
		})
	}
}

// Likewise what it has staged, unless a power cycle has started that in the meantime.
func TestResumeKeepsWhatIsStaged(t *testing.T) {
	t.Parallel()
	two := func(b *bench) []plan.Step {
		hop := b.hop("1100", plan.ModeE)
		return []plan.Step{b.step(esp1, stage, hop), b.step(esp2, stage, hop)}
	}
	late := func(effects int) int { return effects - 4 }
	for _, tt := range []struct {
		name   string
		cycled bool
		first  string
	}{
		{"it holds it still", false, "staged confirmed e 1000"},
		{"a power cycle has started it", true, "updated confirmed e 1100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			afterCrash(t, acme(""), two, late, func(b *bench, c executor.Config) {
				if tt.cycled {
					if err := b.rack.PowerCycle("5000ccab04001000"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Hour)
				}
				r, err := executor.Resume(context.Background(), c, 1)
				if err != nil {
					t.Fatalf("Resume = %v", err)
				}
				b.ended(r, result.RunDone, tt.first, "staged confirmed e 1000")
			})
		})
	}
}

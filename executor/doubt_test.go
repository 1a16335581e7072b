package executor_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// failsOnce are the ways in which one command fails, and the next one does not.
var failsOnce = []string{"busy: true", "sense: 06/29/00", "sense: 0b/00/00", "noAnswer: true", "offline: true"}

// One failed command decides nothing, wherever it comes in a run:
// after a power cycle, after a restart, and before an activation.
func TestOneFailedReadIsNoVerdict(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"after: power", "after: reset", "state: staged"} {
		for _, command := range []string{"opcode: '12'", "opcode: '1c', page: '01'", "opcode: '1c', page: '02'",
			"opcode: '1c', page: '0a'", "opcode: '1c', page: '0e'", "opcode: '00'"} {
			t.Run(moment+" "+command, func(t *testing.T) {
				t.Parallel()
				for i, failure := range failsOnce {
					for nth := range 9 {
						if !tried(9*i + nth) {
							continue
						}
						row := doubtful{power: moment == "after: power", apply: moment == "state: staged"}
						row.mode, row.step = plan.ModeE, "updated confirmed e 1100"
						if moment == "after: reset" {
							row.mode, row.step = plan.Mode7, "updated confirmed 7 1100"
						}
						row.faults = fmt.Sprintf("{when: {%s, %s, nth: %d}, do: {%s}}", moment, command, nth+1, failure)
						onRack(t, row.rack(""), func(b *bench) {
							c := row.config(b)
							b.onEvent = b.powers
							if r := b.runConfig(context.Background(), c); r.Outcome != result.RunDone {
								t.Errorf("number %d, %s: the run is %s; %+v", nth+1, failure, r.Outcome, r.Steps[0])
							}
						})
					}
				}
			})
		}
	}
}

// Half an image by mode 7 needs a person after a resumption too whose abort goes
// wrong, and is remembered.
func TestResumptionWhoseAbortGoesWrong(t *testing.T) {
	t.Parallel()
	for _, abort := range []string{"sense: 05/24/00", "sense: 05/26/00", "ignored: true", "mute: true", "die: true"} {
		t.Run(abort, func(t *testing.T) {
			faults := "    faults: [{when: {act: abort, every: true}, do: {" + abort + "}}, " +
				"{when: {act: first-chunk, nth: 2, every: true}, do: {sense: 05/24/00}}]\n"
			afterCrash(t, acme("singleBank: true")+faults,
				func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, reset, b.hop("1100", plan.Mode7))} },
				func(int) int { return 4 }, // a chunk, and its status, behind what is read before
				func(b *bench, c executor.Config) {
					r := b.resume(c)
					if r.Outcome != result.RunUnknown || !r.Steps[0].NeedsPerson && r.Steps[0].Outcome != result.OutcomeUnknown {
						t.Errorf("run = %s, %+v; want a step that is unknown or needs a person", r.Outcome, r.Steps[0])
					}
					b.reason(r, 0, "do not power-cycle")
					b.inMemory()
				})
		})
	}
}

// inMemory checks that the first module is on record as unknown, or in need of an image.
func (b *bench) inMemory() {
	b.Helper()
	m, err := b.store.Memory(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	if len(m.Open)+len(m.Cautions) == 0 {
		b.Errorf("memory = %+v; want an open intent, or a caution", m)
	}
}

// What is unknown stays on record when a resumption has ended unknown again.
func TestUnknownAfterAResumptionIsRemembered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		protocol plan.Protocol
		mode     plan.Mode
		fault    string
	}{
		{plan.SES, plan.ModeE, "die: true, carriedOut: true"},
		{plan.SES, plan.Mode7, "die: true"},
		{plan.SES, plan.Mode7, "mute: true, carriedOut: true"},
		{plan.WriteBuffer, plan.ModeE, "mute: true, carriedOut: true"},
		{plan.WriteBuffer, plan.Mode7, "noAnswer: true"},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			rack := acme("flashTime: 2m, confirm: none, protocol: " + string(tt.protocol))
			onRack(t, rack+"    faults: [{when: {act: last-chunk}, do: {"+tt.fault+"}}]\n", func(b *bench) {
				hop := b.hop("1100", tt.mode)
				hop.Protocol = tt.protocol
				c := b.config(b.step(esp1, map[plan.Mode]plan.StepWaves{plan.ModeE: stage, plan.Mode7: reset}[tt.mode], hop))
				for _, run := range []func() *result.Result{
					func() *result.Result { return b.runConfig(context.Background(), c) },
					func() *result.Result { return b.resume(c) },
				} {
					if r := run(); r.Outcome != result.RunUnknown {
						t.Errorf("run = %s, %+v; want it unknown", r.Outcome, r.Steps[0])
					}
					b.inMemory()
				}
			})
		})
	}
}

// An image that the run's own power cycle has started is not reported as staged.
func TestStagedThatTheRunsPowerCycleStarts(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"11", "12", "13"} {
		t.Run(code+"h", func(t *testing.T) {
			onRack(t, acme("completion: {e: '"+code+"'}"), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				powered := hop
				powered.Activation, powered.ActivateBy = plan.WithApply, plan.ByPowerCycle
				c := b.config(b.step(esp1, stage, hop), b.step(esp2, both, powered))
				c.Plan.Waves[1].PowerCycle, c.Wait = true, true
				b.onEvent = b.powers
				const updated = "updated confirmed e 1100"
				b.ended(b.runConfig(context.Background(), c), result.RunDone, updated, updated)
				b.onRecord("")
			})
		})
	}
}

// Nor is an image that the module beside it has replaced, if one read at the last look fails.
func TestStagedThatThePeerReplacesAndOneReadFails(t *testing.T) {
	t.Parallel()
	for i, failure := range failsOnce {
		for n := range 24 {
			if !tried(24*i + n) {
				continue
			}
			command := []string{"opcode: '12'", "opcode: '1c', page: '01'"}[n%2]
			t.Run(fmt.Sprintf("%s %s number %d", failure, command, n/2+1), func(t *testing.T) {
				rack := acme("") + "    peerSync: up\n    peerSyncTime: 70s\n" +
					fmt.Sprintf("    faults: [{when: {after: peer, %s, nth: %d}, do: {%s}}]\n", command, n/2+1, failure)
				onRack(t, rack, func(b *bench) {
					hop := b.hop("1100", plan.ModeE)
					activated := hop
					activated.Activation = plan.WithApply
					const updated = "updated confirmed e 1100"
					r := b.run(b.step(esp1, both, activated), b.step(esp2, stage, hop))
					b.ended(r, result.RunDone, updated, updated)
					b.onRecord("")
				})
			})
		}
	}
}

// What is staged and starts at power on alone is staged after a resumption too.
func TestResumeWaitingForPower(t *testing.T) {
	t.Parallel()
	steps := func(b *bench) []plan.Step {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		return []plan.Step{b.step(esp1, both, hop), b.step(esp2, plan.StepWaves{Stage: 1, Reset: 3}, hop)}
	}
	last := func(effects int) int { return effects }
	afterCrash(t, acme("completion: {e: '12'}"), steps, last, func(b *bench, c executor.Config) {
		r := b.resume(c)
		b.ended(r, result.RunDone, "staged confirmed e 1000", "staged confirmed e 1000")
		b.reason(r, 0, "power-cycle the enclosure")
	})
}

// What waited for power, and was power-cycled before the resumption, is as planned then.
func TestResumptionAfterThePowerCycle(t *testing.T) {
	t.Parallel()
	steps := func(b *bench) []plan.Step {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		return []plan.Step{b.step(esp1, both, hop), b.step(esp2, plan.StepWaves{Stage: 1, Reset: 3}, hop)}
	}
	last := func(effects int) int { return effects }
	afterCrash(t, acme("completion: {e: '12'}"), steps, last, func(b *bench, c executor.Config) {
		if err := b.rack.PowerCycle("5000ccab04001000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		b.ended(b.resume(c), result.RunDone, "unchanged confirmed e 1100", "updated confirmed e 1100")
	})
}

// A run is on record only once it has its locks: otherwise it could be taken for one that was
// broken off.
func TestNothingIsResumableBeforeItsLocksAreHeld(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		asked := false
		c.Machine = locking{b.machine, func() {
			asked = true
			run, _, err := memory.Resumable(context.Background(), b.store, b.machine.HoldsLock)
			if err != nil || run != nil {
				t.Errorf("Resumable before the locks are held = %+v, %v; want none", run, err)
			}
		}}
		b.ended(b.runConfig(context.Background(), c), result.RunDone, "staged confirmed e 1000")
		if !asked {
			t.Error("no lock was taken")
		}
	})
}

// locking calls before for each lock.
type locking struct {
	transport.Machine
	before func()
}

func (m locking) Lock(name string) (io.Closer, error) {
	m.before()
	return m.Machine.Lock(name)
}

// A device that does not take mode 0Fh is not asked again: what it holds starts with the power.
func TestModeThatActivatesIsRefused(t *testing.T) {
	t.Parallel()
	for _, refuse := range []string{"status", "sense"} {
		t.Run(refuse, func(t *testing.T) {
			onRack(t, acme("modes: ['07', '0e'], refuse: "+refuse), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Activation = plan.WithApply
				step := b.step(esp1, both, hop)
				r := b.run(step)
				b.ended(r, result.RunFailed, "failed unconfirmed e 1000")
				b.reason(r, 0, "does not take mode 0Fh", "power-cycle the enclosure", "holds 1100 staged")
				b.onRecord("staged")
				writes := len(b.writes())
				r = b.run(step)
				b.ended(r, result.RunRefused, "refused unconfirmed  1000")
				b.reason(r, 0, "mode 0Fh does not start it")
				if n := len(b.writes()) - writes; n > 0 {
					t.Errorf("writes of the second run = %d; want none", n)
				}
			})
		})
	}
}

// A failure before an activation names the image that is staged.
func TestFailureBeforeActivationNamesStaged(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {act: activate}, do: {sense: 05/24/00}}]\n", func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		r := b.run(b.step(esp1, both, hop))
		b.ended(r, result.RunFailed, "failed unconfirmed e 1000")
		b.reason(r, 0, "did not activate", "holds 1100 staged")
		b.onRecord("staged")
	})
}

// What is not known of a component is settled when it runs what it was sent.
func TestUnclearIsSettledByRevision(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		step := b.step(esp1, reset, hop)
		b.ended(b.run(step), result.RunDone, "updated confirmed 7 1100")
		unclear := state.CautionRecord{
			Key: state.Key{LUID: step.LUID},
			Caution: inventory.Caution{
				Kind: inventory.Unclear, Address: esp1, Detail: "the last chunk was not answered", Since: time.Now(),
			},
		}
		if err := b.store.Update(context.Background(), func(tx *state.Tx) { tx.Caution(unclear) }); err != nil {
			t.Fatal(err)
		}
		b.ended(b.run(step), result.RunDone, "unchanged unconfirmed  1100")
		m, err := b.store.Memory(context.Background())
		if err != nil || len(m.Cautions) > 0 {
			t.Errorf("memory = %+v, %v; want no caution left", m, err)
		}
	})
}

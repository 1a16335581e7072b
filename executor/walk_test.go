package executor_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// Where one fails nothing else of its fault domain is touched, and the others are.
func TestFailureInAResetWaveLeavesTheRestOfItsDomain(t *testing.T) {
	rack := acme("") + "    faults: [{when: {opcode: '1d', offset: 8192}, do: {status: '84'}}]\n" + strings.ReplaceAll(acme(""), enc1, other)
	onRack(t, rack, func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop), b.step(esp2, reset, hop), b.step(other+"/esp1/sub0", reset, hop))
		c.Plan.Rollout.MaxFailures = 1
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, executor.RunFailed, "failed unconfirmed 7 1000", "skipped unconfirmed  1000", "updated confirmed 7 1100")
	})
}

// An enclosure that becomes worse by itself, between two waves, is touched no more.
func TestNothingIsStartedWhereItHasBecomeWorse(t *testing.T) {
	onRack(t, acme("")+"    elements: [{type: power-supply, count: 2}]\n", func(b *bench) {
		m := &worseMachine{Machine: b.machine}
		b.machine = m
		hop := b.hop("1100", plan.ModeE)
		b.onEvent = func(e executor.Event) {
			if e.Type == executor.EventStaged {
				m.spoil(func(n worseNode, cdb, in []byte) error {
					if cdb[0] == 0x1c && cdb[2] == 0x02 {
						in[12] = 2 // the first element behind the overall one: critical
					}
					return nil
				})
			}
		}
		r := b.run(b.step(esp1, stage, hop), b.step(esp2, stage, hop))
		b.ended(r, executor.RunFailed, "staged confirmed e 1000", "refused unconfirmed e 1000")
		b.reason(r, 1, "has become worse since the run began", "critical")
		b.arrived(hop.Image)
	})
}

// What cannot be grouped with certainty is not reset in parallel with anything, be
// it by another run on this host.
func TestResetsOfWhatCannotBeGrouped(t *testing.T) {
	type take = func(transport.Machine) (io.Closer, error)
	lock := func(m transport.Machine) (io.Closer, error) { return m.Lock("resets") }
	share := func(m transport.Machine) (io.Closer, error) { return m.ShareLock("resets") }
	for name, tt := range map[string]struct {
		other  take // the other run's
		domain int
		waves  plan.StepWaves
		mode   plan.Mode
		want   executor.RunOutcome
	}{
		"beside one that knows what it resets":      {share, 0, reset, plan.Mode7, executor.RunRefused},
		"beside one that does not know it":          {lock, 0, reset, plan.Mode7, executor.RunRefused},
		"known, beside one that does not know it":   {lock, 1, reset, plan.Mode7, executor.RunRefused},
		"known, beside one that knows what it does": {share, 1, reset, plan.Mode7, executor.RunDone},
		"nothing is reset":                          {lock, 0, stage, plan.ModeE, executor.RunDone},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				s := b.step(esp1, tt.waves, b.hop("1100", tt.mode))
				s.FaultDomain = tt.domain
				other, err := tt.other(b.machine)
				if err != nil {
					t.Fatal(err)
				}
				r := b.run(s)
				if r.Outcome != tt.want || r.Outcome == executor.RunRefused && (r.Refusal != executor.RefusedInUse || len(b.writes()) > 0) {
					t.Errorf("Run = %s (%s: %s) with %d writes; want %s", r.Outcome, r.Refusal, r.Reason, len(b.writes()), tt.want)
				}
				other.Close()
				if tt.want == executor.RunRefused {
					b.ended(b.run(s), executor.RunDone, "updated confirmed 7 1100")
				}
			})
		})
	}
}

// A device that is busy for long does not keep a download from being withdrawn.
func TestWithdrawnWhileTheDeviceIsBusy(t *testing.T) {
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 4096, times: 9}, do: {busy: true}}]\n", func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		withdraw := make(chan struct{})
		c.Withdraw = withdraw
		time.AfterFunc(10*time.Second, func() { close(withdraw) })
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, executor.RunInterrupted, "failed unconfirmed e 1000")
		b.reason(r, 0, "withdrawn on request after byte 4096")
		writes := b.writes()
		if last := writes[len(writes)-1]; !strings.HasSuffix(last, "0e ff@00000000") || len(writes) >= 11 {
			t.Errorf("writes = %q; want an abort before the device takes the second chunk", writes)
		}
	})
}

// endsFirst notes which runs have no end when a lock is let go of.
type endsFirst struct {
	transport.Machine
	b     *bench
	found *[]state.Run
}

func (m endsFirst) Lock(name string) (io.Closer, error) {
	lock, err := m.Machine.Lock(name)
	return lettingGo{lock, m}, err
}

type lettingGo struct {
	io.Closer
	m endsFirst
}

func (l lettingGo) Close() error {
	runs, err := l.m.b.store.Unfinished(context.Background())
	if err != nil {
		panic(err)
	}
	*l.m.found = append(*l.m.found, runs...)
	return l.Closer.Close()
}

// Who gets a run's lock next finds the end of that run: it would take it for killed.
func TestARunHasItsEndBeforeItsLocksAreLetGoOf(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		var found []state.Run
		b.machine = endsFirst{b.machine, b, &found}
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), executor.RunDone, "staged confirmed e 1000")
		if len(found) != 0 {
			t.Errorf("runs without an end when their locks were let go of = %+v; want none", found)
		}
	})
}

// What is withdrawn before its first chunk gets none: that would be for nothing, and
// some erase flash at it.
func TestWithdrawnBeforeTheFirstChunk(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		withdraw := make(chan struct{})
		c.Withdraw = withdraw
		c.Observer = func(e executor.Event) {
			if e.Type == executor.EventStarted {
				close(withdraw)
			}
		}
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, executor.RunInterrupted, "failed unconfirmed e 1000")
		b.reason(r, 0, "withdrawn on request before its first byte")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// What is only being looked at when another fault domain has one failure too many is
// not started.
func TestFailureWhileAnotherDomainIsLookedAt(t *testing.T) {
	fails := acme("modes: ['0e']") + "    faults: [{when: {opcode: '1d'}, do: {delay: 2m}}]\n"
	slow := strings.ReplaceAll(acme(""), enc1, other) + "    faults: [{when: {opcode: 'a3', every: true}, do: {delay: 20s}}]\n"
	onRack(t, fails+slow, func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop), b.step(other+"/esp1/sub0", reset, hop))
		c.Plan.Rollout.MaxParallel = 2
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, executor.RunFailed, "failed unconfirmed 7 1000", "skipped unconfirmed  1000")
		b.reason(r, 1, "not started, because "+esp1+" went wrong")
		if got := b.writes(); len(got) != 1 {
			t.Errorf("writes = %q; want the refused one alone", got)
		}
	})
}

// What comes after a wave that a person has to power-cycle is not begun before that:
// the run ends there, or waits.
func TestNothingAfterAPowerCycleThatIsNotGiven(t *testing.T) {
	for name, tt := range map[string]struct {
		wait    bool
		outcome executor.RunOutcome
		steps   [2]string
	}{
		"not waited for": {false, executor.RunFailed, [2]string{"staged confirmed e 1000", "skipped unconfirmed  1000"}},
		"waited for":     {true, executor.RunDone, [2]string{"updated confirmed e 1100", "updated confirmed 7 1100"}},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("")+strings.ReplaceAll(acme(""), enc1, other), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Activation, hop.ActivateBy = plan.WithApply, plan.ByPowerCycle
				c := b.config(b.step(esp1, both, hop), b.step(other+"/esp1/sub0", otherReset, b.hop("1100", plan.Mode7)))
				c.Plan.Waves[1].PowerCycle, c.Wait = true, tt.wait
				b.onEvent = func(e executor.Event) {
					if e.Type == executor.EventPowerCycle {
						time.AfterFunc(time.Minute, func() { b.rack.PowerCycle(enc1) })
					}
				}
				r, err := executor.Run(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				b.ended(r, tt.outcome, tt.steps[0], tt.steps[1])
				if !tt.wait {
					b.reason(r, 0, "power-cycle "+enc1)
					b.reason(r, 1, "wave 2 waits for a power cycle")
				}
			})
		})
	}
}

// What a run leaves to a wave that it was not for says so, and what it leaves staged as
// was planned does not.
func TestWhatWaitsForAnotherWave(t *testing.T) {
	onRack(t, acme("")+strings.ReplaceAll(acme(""), enc1, other), func(b *bench) {
		started, left := b.hop("1100", plan.ModeE), b.hop("1100", plan.ModeE)
		started.Activation = plan.WithApply
		steps := []plan.Step{b.step(esp1, both, started), b.step(esp2, stage, left), b.step(other+"/esp1/sub0", otherReset, b.hop("1100", plan.Mode7))}
		waits := func(c executor.Config, want ...int) {
			t.Helper()
			r, err := executor.Run(context.Background(), c)
			if err != nil || r.Outcome != executor.RunDone {
				t.Fatalf("Run = %+v, %v; want it done", r, err)
			}
			for i, s := range r.Steps {
				if s.Waits != want[i] || strings.Contains(s.Reason, "it waits for wave") != (want[i] != 0) {
					t.Errorf("result of %s = %+v; want it to wait for wave %d (0: for none)", s.Address, s, want[i])
				}
			}
		}
		c := b.config(steps...)
		c.Phase = plan.StageWave
		waits(c, 2, 0, 3)
		c.Phase, c.Wave = "", 2
		waits(c, 0, 0, 3)
		c.Wave = 0
		waits(c, 0, 0, 0)
	})
}

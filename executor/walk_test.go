package executor_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// If a component fails, nothing else of its fault domain is touched; other domains go on.
func TestFailureInAResetWaveLeavesTheRestOfItsDomain(t *testing.T) {
	t.Parallel()
	rack := acme("") + "    faults: [{when: {opcode: '1d', offset: 8192}, do: {status: '84'}}]\n" +
		strings.ReplaceAll(acme(""), enc1, other)
	onRack(t, rack, func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop), b.step(esp2, reset, hop), b.step(other+"/esp1/sub0", reset, hop))
		c.Plan.Rollout.MaxFailures = 1
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunFailed, "failed unconfirmed 7 1000", "skipped unconfirmed  1000", "updated confirmed 7 1100")
	})
}

// An enclosure that becomes worse by itself, between two waves, is touched no more.
func TestNothingIsStartedWhereItHasBecomeWorse(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    elements: [{type: power-supply, count: 2}]\n", func(b *bench) {
		m := &worseMachine{Machine: b.machine}
		b.machine = m
		hop := b.hop("1100", plan.ModeE)
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventStaged {
				m.spoil(func(n worseNode, cdb, in []byte) error {
					if cdb[0] == 0x1c && cdb[2] == 0x02 {
						in[12] = 2 // the first element behind the overall one: critical
					}
					return nil
				})
			}
		}
		r := b.run(b.step(esp1, stage, hop), b.step(esp2, stage, hop))
		b.ended(r, result.RunFailed, "staged confirmed e 1000", "refused unconfirmed  1000")
		b.reason(r, 1, "has become worse since the run began", "critical")
		b.arrived(hop.Image)
	})
}

// What cannot be grouped with certainty is not reset in parallel with anything, be
// it by another run on this host.
func TestUngroupedResets(t *testing.T) {
	t.Parallel()
	type take = func(transport.Machine) (io.Closer, error)
	lock := func(m transport.Machine) (io.Closer, error) { return m.Lock("resets") }
	share := func(m transport.Machine) (io.Closer, error) { return m.ShareLock("resets") }
	for name, tt := range map[string]struct {
		other  take // the other run's
		domain int
		waves  plan.StepWaves
		mode   plan.Mode
		want   result.RunOutcome
	}{
		"beside one that knows what it resets":      {share, 0, reset, plan.Mode7, result.RunRefused},
		"beside one that does not know it":          {lock, 0, reset, plan.Mode7, result.RunRefused},
		"known, beside one that does not know it":   {lock, 1, reset, plan.Mode7, result.RunRefused},
		"known, beside one that knows what it does": {share, 1, reset, plan.Mode7, result.RunDone},
		"nothing is reset":                          {lock, 0, stage, plan.ModeE, result.RunDone},
		"its resets are for another run":            {lock, 0, both, plan.ModeE, result.RunDone},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				s := b.step(esp1, tt.waves, b.hop("1100", tt.mode))
				s.FaultDomain = tt.domain
				other, err := tt.other(b.machine)
				if err != nil {
					t.Fatal(err)
				}
				c := b.config(s)
				if tt.waves == both {
					c.Phase = plan.StageWave
				}
				r, err := executor.Run(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				if r.Outcome != tt.want || r.Outcome == result.RunRefused &&
					(r.Refusal != step.RefusedInUse || len(b.writes()) > 0) {
					t.Errorf("Run = %s (%s: %s) with %d writes; want %s", r.Outcome, r.Refusal, r.Reason, len(b.writes()), tt.want)
				}
				other.Close()
				if tt.want == result.RunRefused {
					b.ended(b.run(s), result.RunDone, "updated confirmed 7 1100")
				}
			})
		})
	}
}

// What has refused mode e in an earlier run of the same plan is not asked again: its
// reset wave begins with mode 7. To another plan that says nothing.
func TestARefusedModeIsRemembered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		other bool   // plan
		want  string // the modes of the first chunks, one a download
	}{
		"the same plan": {false, "0e 07"},
		"another plan":  {true, "0e 0e 07"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("modes: ['07']"), func(b *bench) {
				hop := b.hop("1100", plan.ModeE, plan.Mode7)
				c := b.config(b.step(esp1, both, hop))
				c.Phase = plan.StageWave
				b.ended(b.runConfig(context.Background(), c), result.RunDone, "skipped unconfirmed e 1000")
				c = b.config(b.step(esp1, both, hop))
				if tt.other {
					c.Plan.Warnings = []string{"another"}
				}
				b.ended(b.runConfig(context.Background(), c), result.RunDone, "updated confirmed 7 1100")
				var modes []string
				for _, w := range b.writes() {
					if chunk := w[strings.LastIndexByte(w, ' ')+1:]; strings.HasSuffix(chunk, "@00000000") {
						modes = append(modes, chunk[:2])
					}
				}
				if got := strings.Join(modes, " "); got != tt.want {
					t.Errorf("downloads begun = %s, by %q; want %s", got, b.writes(), tt.want)
				}
			})
		})
	}
}

// What another host has done cannot be seen: a reset waits for the wave that it follows there,
// and the rest for the canaries, until a person says that this is done.
func TestWavesOfOtherHosts(t *testing.T) {
	t.Parallel()
	const before, between, beside = 1, 2, 3
	for name, tt := range map[string]struct {
		here, there int // fault domains
		waves       plan.StepWaves
		canary      [2]bool // the reset wave between, and the one here
		stages      bool    // and resets nothing here
		want        string
	}{
		"it stages before":                      {1, 1, plan.StepWaves{Stage: before}, [2]bool{}, false, "wave 3 follows wave 1 of stor9"},
		"it resets before":                      {1, 1, plan.StepWaves{Stage: before, Reset: between}, [2]bool{}, false, "wave 3 follows wave 2 of stor9"},
		"it resets before, ungrouped":           {1, 0, plan.StepWaves{Reset: between}, [2]bool{}, false, "wave 3 follows wave 2 of stor9"},
		"it resets before, ungrouped here":      {0, 1, plan.StepWaves{Reset: between}, [2]bool{}, false, "wave 3 follows wave 2 of stor9"},
		"it resets at the same time, ungrouped": {1, 0, plan.StepWaves{Reset: beside}, [2]bool{}, false, "wave 3 must not go on here and on stor9 at the same time"},
		"it resets after":                       {1, 1, plan.StepWaves{Reset: 4}, [2]bool{}, false, ""},
		"another fault domain":                  {1, 2, plan.StepWaves{Reset: between}, [2]bool{}, false, ""},
		"another fault domain's canaries":       {1, 2, plan.StepWaves{Reset: between}, [2]bool{true, false}, false, "wave 3 follows wave 2 of stor9"},
		"canaries of two fault domains":         {1, 2, plan.StepWaves{Reset: between}, [2]bool{true, true}, false, ""},
		"nothing is reset here":                 {1, 1, plan.StepWaves{Reset: between}, [2]bool{}, true, ""},
		"nothing is reset here, and canaries":   {1, 2, plan.StepWaves{Reset: between}, [2]bool{true, false}, true, "wave 3 follows wave 2 of stor9"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				here, mode, end := plan.StepWaves{Reset: beside}, plan.Mode7, "updated confirmed 7 1100"
				kind := plan.ResetWave
				if tt.stages {
					here, mode, end, kind = plan.StepWaves{Stage: beside}, plan.ModeE, "staged confirmed e 1000", plan.StageWave
				}
				s := b.step(esp1, here, b.hop("1100", mode))
				s.FaultDomain = tt.here
				other := b.step(esp2, tt.waves, b.hop("1100", plan.ModeE))
				other.Host, other.FaultDomain = "stor9", tt.there
				c := b.config(s, other)
				c.Plan.Waves = []plan.Wave{{Number: before, Kind: plan.StageWave},
					{Number: between, Kind: plan.ResetWave, Canary: tt.canary[0]},
					{Number: beside, Kind: kind, Canary: tt.canary[1]}, {Number: 4, Kind: plan.ResetWave}}
				elsewhere := "skipped unconfirmed  "
				r := b.runConfig(context.Background(), c)
				if tt.want == "" {
					b.ended(r, result.RunDone, end, elsewhere)
					return
				}
				b.ended(r, result.RunRefused, "skipped unconfirmed  1000", elsewhere)
				if r.Refusal != step.RefusedOrder || !strings.Contains(r.Reason, tt.want) ||
					!strings.Contains(r.Reason, "continue with --wave 3") || b.effects() > 0 {
					t.Errorf("Run is refused by %s: %q, after %d effects; want %s: %q", r.Refusal, r.Reason, b.effects(),
						step.RefusedOrder, tt.want)
				}
				c.Wave = beside
				noticed := false
				c.Observer = func(e result.Event) {
					if e.Address == esp2 {
						t.Errorf("event %+v about another host's component", e)
					}
					noticed = noticed || e.Type == result.EventNoticed && strings.HasPrefix(e.Reason, tt.want)
				}
				b.ended(b.runConfig(context.Background(), c), result.RunDone, end, elsewhere)
				if !noticed {
					t.Errorf("what --wave says of the other host is not noticed")
				}
			})
		})
	}
}

// A run that works on any enclosure of a fault domain has all of it for itself.
func TestNothingIsDoneBesideWorkOnANeighbour(t *testing.T) {
	t.Parallel()
	onRack(t, twoEnclosures(), func(b *bench) {
		s := b.step(esp1, reset, b.hop("1100", plan.Mode7))
		s.Neighbours = []string{other}
		lock, err := b.machine.Lock(other)
		if err != nil {
			t.Fatal(err)
		}
		r := b.run(s)
		if r.Outcome != result.RunRefused || r.Refusal != step.RefusedInUse || b.effects() != 0 {
			t.Errorf("Run = %+v with %d effects; want it refused as in use, with none", r, b.effects())
		}
		lock.Close()
		b.ended(b.run(s), result.RunDone, "updated confirmed 7 1100")
	})
}

// A module of another enclosure of the fault domain that cannot be read now may be about
// to be reset, or have no other way left.
func TestUnreadStopsResets(t *testing.T) {
	t.Parallel()
	const mute = "esps: [{}, {faults: [{when: {opcode: '1c', page: '01', every: true}, do: {sense: 05/24/00}}]}]"
	rack := acme("") + strings.Replace(strings.ReplaceAll(acme(""), enc1, other), "esps: [{}, {}]", mute, 1)
	onRack(t, rack, func(b *bench) {
		beside := b.step(other+"/esp1/sub0", plan.StepWaves{}, b.hop("1100", plan.ModeE))
		s := b.step(esp1, reset, b.hop("1100", plan.Mode7))
		s.Neighbours = []string{other}
		beside.Action, beside.Hops = plan.NoOp, []plan.Hop{}
		beside.Address, beside.LUID = other+"/esp2/sub0", beside.LUID[:15]+"2"
		r := b.run(s, beside)
		b.ended(r, result.RunRefused, "refused unconfirmed  1000")
		b.reason(r, 0, "nothing in a fault domain is reset while part of it cannot be read", beside.Address)
		if b.effects() != 0 {
			t.Errorf("effects = %d; want none", b.effects())
		}
	})
}

// A reset is judged by the current use of the drives, in all of the fault domain, whatever the
// plan says of them.
func TestResetsAreGatedByTheUseOfDrivesNow(t *testing.T) {
	t.Parallel()
	const mounted = "{slot: 0, use: {mount: /tank}}"
	for name, tt := range map[string]struct {
		own, others string // drives
		reset       plan.Reset
		neighbour   string
		accepted    []inventory.Selector
		words       string // why it is refused
	}{
		"nothing is in use":                     {"{slot: 0}", "{slot: 0}", plan.ResetIdle, other, nil, ""},
		"a drive is in use":                     {mounted, "{slot: 0}", plan.ResetIdle, other, nil, "reset: idle"},
		"a neighbour's drive is in use":         {"{slot: 0}", mounted, plan.ResetIdle, other, nil, "reset: idle"},
		"a drive of another domain is":          {"{slot: 0}", mounted, plan.ResetIdle, "", nil, ""},
		"a neighbour is out of sight":           {"{slot: 0}", "{slot: 0}", plan.ResetAlways, "5000ccab0400ff00", nil, "5000ccab0400ff00 of its fault domain is not in sight"},
		"I/O may stop where the plan said not":  {mounted, "{slot: 0}", plan.ResetAlways, other, nil, "the plan says that no I/O stops, and now it may"},
		"likewise, and somebody has said to it": {mounted, "{slot: 0}", plan.ResetAlways, other, []inventory.Selector{esp1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rack := acme("") + "    drives: [" + tt.own + "]\n" + strings.ReplaceAll(acme(""), enc1, other) + "    drives: [" +
				tt.others + "]\n"
			onRack(t, rack, func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Activation = plan.WithApply
				s := b.step(esp1, both, hop)
				s.Reset = tt.reset
				if tt.neighbour != "" {
					s.Neighbours = []string{tt.neighbour}
				}
				c := b.config(s)
				c.AcceptDisruption = tt.accepted
				r, err := executor.Run(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				if tt.words == "" {
					b.ended(r, result.RunDone, "updated confirmed e 1100")
					return
				}
				b.ended(r, result.RunRefused, "refused unconfirmed  1000")
				b.reason(r, 0, tt.words)
				if r.Refusal != step.RefusedGate || !strings.Contains(r.Reason, "nothing was written") || len(b.writes()) != 0 {
					t.Errorf("Run = %s, %q, with the writes %q; want it refused at the gate, with none", r.Refusal, r.Reason,
						b.writes())
				}
				c.Phase = plan.StageWave // which resets nothing
				if r, err := executor.Check(context.Background(), c); err != nil || r.Outcome != result.RunDone {
					t.Errorf("Check of the stage waves alone = %+v, %v; want nothing against them", r, err)
				}
			})
		})
	}
}

// ^C while a run compares: the run is interrupted, not refused, even if an earlier wave is not
// done.
func TestInterruptedWhileItCompares(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		ctx, interrupt := context.WithCancel(context.Background())
		c := b.config(b.step(esp1, both, b.hop("1100", plan.ModeE)))
		c.Phase = plan.ResetWave
		c.Observer = func(e result.Event) {
			if e.Type == result.EventChecking {
				interrupt()
			}
		}
		r := b.runConfig(ctx, c)
		b.ended(r, result.RunInterrupted, "skipped unconfirmed  ")
		b.reason(r, 0, "interrupted before it was started")
	})
}

// Staging does not wait for another host, and what it leaves to be reset says for whom
// that waits.
func TestStagingGoesAheadOfOtherHosts(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		s, other := b.step(esp1, plan.StepWaves{Stage: 1, Reset: 2}, hop),
			b.step(esp2, plan.StepWaves{Stage: 1, Reset: 3}, hop)
		other.Host = "stor9"
		c := b.config(s, other)
		c.Plan.Waves = []plan.Wave{{Number: 1, Kind: plan.StageWave}, {Number: 2, Kind: plan.ResetWave},
			{Number: 3, Kind: plan.ResetWave}}
		r := b.runConfig(context.Background(), c)
		b.ended(r, result.RunStopped, "staged confirmed e 1000", "skipped unconfirmed  ")
		b.reason(r, 0, "wave 2 follows wave 1 of stor9", "continue with --wave 2")
	})
}

// A device that is busy for long does not keep a download from being withdrawn.
func TestWithdrawnWhileTheDeviceIsBusy(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 4096, times: 9}, do: {busy: true}}]\n", func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		withdraw := make(chan struct{})
		c.Withdraw = withdraw
		time.AfterFunc(10*time.Second, func() { close(withdraw) })
		r := b.runConfig(context.Background(), c)
		b.ended(r, result.RunInterrupted, "failed unconfirmed e 1000")
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
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		var found []state.Run
		b.machine = endsFirst{b.machine, b, &found}
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		if len(found) != 0 {
			t.Errorf("runs without an end when their locks were let go of = %+v; want none", found)
		}
	})
}

// What is withdrawn before its first chunk gets none: that would be for nothing, and
// some erase flash at it.
func TestWithdrawnBeforeTheFirstChunk(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		withdraw := make(chan struct{})
		c.Withdraw = withdraw
		c.Observer = func(e result.Event) {
			if e.Type == result.EventStarted {
				close(withdraw)
			}
		}
		r := b.runConfig(context.Background(), c)
		b.ended(r, result.RunInterrupted, "failed unconfirmed e 1000")
		b.reason(r, 0, "withdrawn on request before its first byte")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// What is only being looked at when another fault domain has one failure too many is
// not started.
func TestFailureWhileAnotherDomainIsLookedAt(t *testing.T) {
	t.Parallel()
	fails := acme("modes: ['0e']") + "    faults: [{when: {opcode: '1d'}, do: {delay: 2m}}]\n"
	slow := strings.ReplaceAll(acme(""), enc1, other) +
		"    faults: [{when: {opcode: 'a3', every: true}, do: {delay: 20s}}]\n"
	onRack(t, fails+slow, func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop), b.step(other+"/esp1/sub0", reset, hop))
		c.Plan.Rollout.MaxParallel = 2
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunFailed, "failed unconfirmed 7 1000", "skipped unconfirmed  1000")
		b.reason(r, 1, "not started, because "+esp1+" went wrong")
		if got := b.writes(); len(got) != 1 {
			t.Errorf("writes = %q; want the refused one alone", got)
		}
	})
}

// What comes after a wave that a person has to power-cycle is not begun before that:
// the run ends there, or waits.
func TestNothingAfterAPowerCycleThatIsNotGiven(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		download string
		protocol plan.Protocol
		wait     bool
		outcome  result.RunOutcome
		steps    [2]string
	}{
		"not waited for":           {"", plan.SES, false, result.RunStopped, [2]string{"staged confirmed e 1000", "skipped unconfirmed  1000"}},
		"likewise, without a word": {"protocol: write-buffer, confirm: none", plan.WriteBuffer, false, result.RunStopped, [2]string{"staged unconfirmed e 1000", "skipped unconfirmed  1000"}},
		"waited for":               {"", plan.SES, true, result.RunDone, [2]string{"updated confirmed e 1100", "updated confirmed 7 1100"}},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download)+strings.ReplaceAll(acme(""), enc1, other), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Protocol, hop.Activation, hop.ActivateBy = tt.protocol, plan.WithApply, plan.ByPowerCycle
				c := b.config(b.step(esp1, both, hop), b.step(other+"/esp1/sub0", otherReset, b.hop("1100", plan.Mode7)))
				c.Plan.Waves[1].PowerCycle, c.Wait = true, tt.wait
				b.onEvent = func(e result.Event) {
					if e.Type == result.EventPowerCycle {
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
				if tt.wait {
					return
				}
				// Nor when the same plan is applied again.
				if r, err = executor.Run(context.Background(), c); err != nil {
					t.Fatal(err)
				}
				b.ended(r, result.RunStopped, "skipped unconfirmed  1000", "skipped unconfirmed  1000")
				b.reason(r, 0, "power-cycle "+enc1)
				b.reason(r, 1, "wave 2 waits for a power cycle")
				if err := b.rack.PowerCycle(enc1); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if r, err = executor.Run(context.Background(), c); err != nil {
					t.Fatal(err)
				}
				b.ended(r, result.RunDone, "unchanged unconfirmed  1100", "updated confirmed 7 1100")
			})
		})
	}
}

// What a run leaves to a wave that it was not for says so, and what it leaves staged as
// was planned does not.
func TestWaitsForAnotherWave(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+strings.ReplaceAll(acme(""), enc1, other), func(b *bench) {
		started, left := b.hop("1100", plan.ModeE), b.hop("1100", plan.ModeE)
		started.Activation = plan.WithApply
		steps := []plan.Step{b.step(esp1, both, started), b.step(esp2, stage, left),
			b.step(other+"/esp1/sub0", otherReset, b.hop("1100", plan.Mode7))}
		waits := func(c executor.Config, want ...int) {
			t.Helper()
			r, err := executor.Run(context.Background(), c)
			if err != nil || r.Outcome != result.RunDone {
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

// The history has the time when each component came to its end, and not when the run did.
func TestStepsEndAtTheirOwnTime(t *testing.T) {
	t.Parallel()
	onRack(t, acme("flashTime: 10m"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		r := b.run(b.step(esp1, stage, hop), b.step(esp2, stage, hop))
		b.ended(r, result.RunDone, "staged confirmed e 1000", "staged confirmed e 1000")
		runs, err := b.store.Runs(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		steps, err := b.store.Steps(context.Background(), runs[0].ID)
		if err != nil || len(steps) != 2 {
			t.Fatalf("Steps = %v, %v; want 2", steps, err)
		}
		if first, second := steps[0].At, steps[1].At; second.Sub(first) < 10*time.Minute || runs[0].EndedAt.Before(second) {
			t.Errorf("components ended at %v and %v, the run at %v; want them 10 minutes apart, and not after the run", first,
				second, runs[0].EndedAt)
		}
	})
}

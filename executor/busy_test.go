package executor_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

const other = "5000ccab04002000" // a rack's second enclosure, where it has one

// twoEnclosures are acme's, at sg0 and sg1, and another one, at sg2 and sg3.
func twoEnclosures() string { return acme("") + strings.ReplaceAll(acme(""), enc1, other) }

// watched is a machine that notes what is taken of it, and can be busy.
type watched struct {
	transport.Machine
	busy  func(node string, access transport.Access) bool
	proc  fstest.MapFS
	opens []string // "access node", of what succeeded
	locks []string // tried
}

func (m *watched) Open(node string, access transport.Access) (transport.Node, error) {
	if m.busy != nil && m.busy(node, access) {
		return nil, &transport.Error{Op: "open", Path: node, NotSent: true, Err: transport.ErrBusy}
	}
	n, err := m.Machine.Open(node, access)
	if err == nil && access == transport.Exclusive {
		m.opens = append(m.opens, node)
	}
	return n, err
}

func (m *watched) Lock(name string) (io.Closer, error) {
	m.locks = append(m.locks, name)
	return m.Machine.Lock(name)
}

func (m *watched) FS() fs.FS {
	if m.proc == nil {
		return m.Machine.FS()
	}
	return withProc{m.Machine.FS(), m.proc}
}

// withProc is a file system whose proc is another's.
type withProc struct {
	fs.FS
	proc fstest.MapFS
}

func (f withProc) of(name string) fs.FS {
	if strings.HasPrefix(name, "proc") {
		return f.proc
	}
	return f.FS
}
func (f withProc) Open(name string) (fs.File, error)      { return f.of(name).Open(name) }
func (f withProc) ReadLink(name string) (string, error)   { return fs.ReadLink(f.of(name), name) }
func (f withProc) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(f.of(name), name) }

// lookAt holds a node for a while, as a program that reads it does.
func (b *bench) lookAt(node string, access transport.Access, d time.Duration) {
	b.Helper()
	n, err := b.machine.Open(node, access)
	if err != nil {
		b.Fatal(err)
	}
	time.AfterFunc(d, func() { n.Close() })
}

// A scan, a monitoring agent or sg_ses looks at a node when a wave is about to open it.
func TestWhoLooksAtANodeForAMomentIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, access := range map[string]transport.Access{"read-only": transport.ReadOnly,
		"exclusively": transport.Exclusive} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				b.onEvent = func(e result.Event) {
					if e.Type == result.EventChecking || e.Type == result.EventWave {
						b.lookAt("/dev/sg1", access, 25*time.Second)
					}
				}
				b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
			})
		})
	}
}

// After a reset there is more time: what the device takes to return, it may be busy too.
func TestNodeThatIsBusyAfterAReset(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		busy    time.Duration
		to      transport.Access // and to those who want more of it
		outcome result.RunOutcome
		step    string
		words   string
		opens   []string
	}{
		"for minutes":         {10 * time.Minute, transport.ReadOnly, result.RunDone, "updated confirmed 7 1100", "", []string{"/dev/sg4", "/dev/sg5"}},
		"to writers":          {10 * time.Minute, transport.Exclusive, result.RunDone, "updated confirmed 7 1100", "", []string{"/dev/sg4", "/dev/sg5"}},
		"beyond the time-out": {time.Hour, transport.ReadOnly, result.RunUnknown, "unknown unconfirmed 7 1000", "held by another process", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			rack := strings.Replace(acme(""), "{}, {}", "{paths: {stor1: [0, 1]}}, {paths: {stor1: [2, 3]}}", 1)
			onRack(t, rack, func(b *bench) {
				m := &watched{Machine: b.machine}
				b.machine = m
				b.onEvent = func(e result.Event) {
					if e.Type == result.EventWaiting {
						until := time.Now().Add(tt.busy)
						m.busy = func(node string, access transport.Access) bool {
							return node == "/dev/sg5" && access >= tt.to && time.Now().Before(until)
						}
						m.opens = []string{}
					}
				}
				var opens []string
				verified := b.onEvent
				b.onEvent = func(e result.Event) {
					if opens == nil &&
						(e.Type == result.EventVerified || e.Type == result.EventFinished) { // a last look at everything follows
						opens = slices.Clone(m.opens)
					}
					verified(e)
				}
				r := b.run(b.step(esp1, reset, b.hop("1100", plan.Mode7)))
				b.ended(r, tt.outcome, tt.step)
				b.reason(r, 0, tt.words)
				slices.Sort(opens)
				if diff := cmp.Diff(tt.opens, slices.Compact(opens)); diff != "" {
					t.Errorf("nodes held after the reset (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestHeldByOthersIsRefused(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*bench) (io.Closer, error){
		"node":            func(b *bench) (io.Closer, error) { return b.machine.Open("/dev/sg1", transport.Exclusive) },
		"node, by a scan": func(b *bench) (io.Closer, error) { return b.machine.Open("/dev/sg1", transport.ReadOnly) },
		"lock":            func(b *bench) (io.Closer, error) { return b.machine.Lock(enc1) },
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, twoEnclosures(), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				steps := []plan.Step{b.step(esp1, stage, hop), b.step(other+"/esp1/sub0", stage, hop)}
				b.machine = &watched{Machine: b.machine, proc: fstest.MapFS{
					"proc/4711/fd/3": {
						Data: []byte("/dev/sg1"),
						Mode: fs.ModeSymlink,
					}, "proc/4711/comm": {Data: []byte("sg_ses\nx\x1b[2J\n")},
					"proc/12/fd/4": {Data: []byte("/dev/sg10"), Mode: fs.ModeSymlink}, "proc/12/comm": {Data: []byte("other\n")},
				}}
				held, err := take(b)
				if err != nil {
					t.Fatal(err)
				}
				defer held.Close()
				for verb, f := range map[string]func(context.Context, executor.Config) (*result.Result,
					error){"Check": executor.Check, "Run": executor.Run} {
					r, err := f(context.Background(), b.config(steps...))
					if err != nil || r.Outcome != result.RunRefused || r.Refusal != step.RefusedInUse ||
						!strings.Contains(r.Reason, "apply the same plan again") {
						t.Fatalf("%s = %+v, %v; want it refused as in use, to be applied again", verb, r, err)
					}
					if r.Steps[0].Outcome != result.OutcomeRefused {
						t.Errorf("%s: %+v; want it refused", verb, r.Steps[0])
					}
					b.reason(r, 0, "in use", "held by another process")
					if name != "lock" {
						b.reason(r, 0, `pid 4711 sg_ses\x0ax\x1b[2J`)
						if strings.Contains(r.Steps[0].Reason, "pid 12") {
							t.Errorf("%s: reason %q; want it to name who holds the node alone", verb, r.Steps[0].Reason)
						}
					}
				}
				if n := b.effects(); n != 0 {
					t.Errorf("commands with an effect = %d; want 0", n)
				}
			})
		})
	}
}

// A device that differs needs a new plan, even if others are busy; one that cannot be read needs
// neither a new plan nor waiting.
func TestKindsOfRefusal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(b *bench, s *plan.Step)
		want  step.Refusal
		words string
	}{
		"stale":        {func(_ *bench, s *plan.Step) { s.Preconditions.Revision = "0990" }, step.RefusedStale, "make a new plan"},
		"not in sight": {func(_ *bench, s *plan.Step) { s.Enclosure = "5000ccab0400ff00"; s.Preconditions.ESPs = nil }, step.RefusedUnread, "see to that"},
		"stale and busy": {func(b *bench, s *plan.Step) {
			s.Preconditions.Revision = "0990"
			b.lookAt("/dev/sg2", transport.Exclusive, time.Hour)
		}, step.RefusedStale, "make a new plan"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, twoEnclosures(), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				busy, step := b.step(other+"/esp1/sub0", stage, hop), b.step(esp1, stage, hop)
				tt.spoil(b, &step)
				r := b.run(busy, step)
				if r.Outcome != result.RunRefused || r.Refusal != tt.want || !strings.Contains(r.Reason, tt.words) {
					t.Errorf("Run = %s, %s, %q; want refused, %s, with %q", r.Outcome, r.Refusal, r.Reason, tt.want, tt.words)
				}
			})
		})
	}
}

// Of two applies at once one gets through, and the other does not get in its way.
func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	for _, at := range []result.EventType{result.EventBegun, result.EventChecking, result.EventWave, result.EventStarted, result.EventStaged,
		result.EventFinished} {
		t.Run(string(at), func(t *testing.T) {
			onRack(t, twoEnclosures(), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Activation = plan.WithApply
				c := b.config(b.step(other+"/esp1/sub0", both, hop), b.step(esp1, both, hop))
				second := c
				m := &watched{Machine: b.machine, busy: func(node string, _ transport.Access) bool {
					t.Errorf("the second apply opens %s; want it to open nothing", node)
					return false
				}}
				second.Machine, second.Observer = m, nil
				second.Store = b.otherStore("second")
				tried := 0
				b.onEvent = func(e result.Event) {
					if e.Type != at {
						return
					}
					tried++
					r, err := executor.Run(context.Background(), second)
					if err != nil || r.Outcome != result.RunRefused || r.Refusal != step.RefusedInUse {
						t.Errorf("the second Run = %+v, %v; want it refused as in use", r, err)
					}
				}
				r, err := executor.Run(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				b.ended(r, result.RunDone, "updated confirmed e 1100", "updated confirmed e 1100")
				if tried == 0 {
					t.Errorf("no event %s", at)
				}
				// In sorted order, and no further than the first: two runs never refuse each other.
				if want := slices.Repeat([]string{enc1}, tried); !slices.Equal(m.locks, want) {
					t.Errorf("the second apply tries the locks %q; want %q", m.locks, want)
				}
				for _, enclosure := range []string{enc1, other} {
					lock, err := b.machine.Lock(enclosure)
					if err != nil {
						t.Fatalf("Lock(%s) after the run = %v; want it free", enclosure, err)
					}
					lock.Close()
				}
			})
		})
	}
}

func (b *bench) otherStore(name string) *state.Store {
	b.Helper()
	s, err := state.Open(filepath.Join(filepath.Dir(b.file), name))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// What the plan says of an enclosure that it does nothing to is not looked at:
// another apply may be at work there.
func TestEnclosuresWithoutWorkAreLeftAlone(t *testing.T) {
	t.Parallel()
	onRack(t, twoEnclosures(), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		idle1, idle2 := b.step(other+"/esp1/sub0", stage, hop), b.step(other+"/esp2/sub0", stage, hop)
		idle1.Action, idle2.Action = plan.NoOp, plan.Blocked
		m := &watched{Machine: b.machine, busy: func(node string, _ transport.Access) bool {
			if node == "/dev/sg2" || node == "/dev/sg3" {
				t.Errorf("%s is opened; want it left alone", node)
			}
			return false
		}}
		c := b.config(idle1, b.step(esp1, stage, hop), idle2)
		c.Machine = m
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunDone, "staged confirmed e 1000")
		if want := []string{enc1}; !slices.Equal(m.locks, want) {
			t.Errorf("locks = %q; want %q", m.locks, want)
		}
	})
}

// ^C ends the check before the first byte, whatever is waited for.
func TestInterruptBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	rack := strings.ReplaceAll(twoEnclosures(), "{}, {}", "{latency: 2s}, {latency: 2s}")
	for _, after := range []time.Duration{0, time.Second, time.Minute, 150 * time.Second} {
		for verb, f := range map[string]func(context.Context, executor.Config) (*result.Result,
			error){"Check": executor.Check, "Run": executor.Run} {
			t.Run(fmt.Sprint(verb, " ", after), func(t *testing.T) {
				onRack(t, rack, func(b *bench) {
					hop := b.hop("1100", plan.ModeE)
					c := b.config(b.step(esp1, stage, hop), b.step(esp2, stage, hop), b.step(other+"/esp1/sub0", stage, hop))
					ctx, cancel := context.WithCancel(context.Background())
					var asked time.Time
					b.onEvent = func(e result.Event) {
						if e.Type == result.EventChecking {
							if e.Components != 3 {
								t.Errorf("components to check = %d; want 3", e.Components)
							}
							time.AfterFunc(after, func() { asked = time.Now(); cancel() })
						}
					}
					r, err := f(ctx, c)
					if err != nil || r.Outcome != result.RunInterrupted || r.Refusal != "" {
						t.Fatalf("%s = %+v, %v; want it interrupted", verb, r, err)
					}
					if took := time.Since(asked); took != 0 {
						t.Errorf("%s goes on for %v after the interrupt; want it to end at once", verb, took)
					}
					if want := "interrupted: 3 components were not started, nothing was written"; r.Reason != want {
						t.Errorf("Reason = %q; want %q", r.Reason, want)
					}
					if n := b.effects(); n != 0 {
						t.Errorf("commands with an effect = %d; want 0", n)
					}
				})
			})
		}
	}
}

// Nor is a busy node waited for.
func TestInterruptWhileANodeIsBusy(t *testing.T) {
	t.Parallel()
	for _, at := range []result.EventType{result.EventBegun, result.EventChecking, result.EventWave} {
		onRack(t, acme(""), func(b *bench) {
			ctx, cancel := context.WithCancel(context.Background())
			var asked time.Time
			b.onEvent = func(e result.Event) {
				if e.Type == at {
					b.lookAt("/dev/sg1", transport.ReadOnly, time.Hour)
					time.AfterFunc(10*time.Second, func() { asked = time.Now(); cancel() })
				}
			}
			r := b.runContext(ctx, b.step(esp1, stage, b.hop("1100", plan.ModeE)))
			revision := map[result.EventType]string{result.EventWave: "1000"}[at]
			b.ended(r, result.RunInterrupted, "skipped unconfirmed  "+revision)
			b.reason(r, 0, "interrupted before it was started")
			if took := time.Since(asked); took > time.Second {
				t.Errorf("Run waits for %v after the interrupt; want it to end at once", took)
			}
		})
	}
}

// In a wave too, what is only being looked at is not started, and what is staged
// stays so.
func TestInterruptBeforeAComponentIsStarted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wave   int
		after  time.Duration // in its wave's scan, or in the check of the component
		step   string
		reason string
	}{
		"scan, download":    {1, time.Second, "skipped unconfirmed  1000", "interrupted: 1 component was not started, nothing was written"},
		"check, download":   {1, time.Minute, "skipped unconfirmed  1000", "interrupted: 1 component was not started, nothing was written"},
		"scan, activation":  {2, time.Second, "staged confirmed e 1000", "interrupted: 1 component was not activated"},
		"check, activation": {2, time.Minute, "staged confirmed e 1000", "interrupted: 1 component was not activated"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, strings.ReplaceAll(acme(""), "{}, {}", "{latency: 2s}, {latency: 2s}"), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Activation = plan.WithApply
				step := b.step(esp1, both, hop)
				ctx, cancel := context.WithCancel(context.Background())
				var asked time.Time
				b.onEvent = func(e result.Event) {
					if e.Wave == tt.wave {
						time.AfterFunc(tt.after, func() { asked = time.Now(); cancel() })
					}
				}
				r := b.runContext(ctx, step)
				b.ended(r, result.RunInterrupted, tt.step)
				b.reason(r, 0, map[int]string{1: "interrupted before it was started",
					2: "interrupted before it was activated"}[tt.wave])
				if tt.wave == 2 {
					b.reason(r, 0, "; interrupted") // after what the device said
				}
				if r.Reason != tt.reason {
					t.Errorf("Reason = %q; want %q", r.Reason, tt.reason)
				}
				if took := time.Since(asked); took != 0 {
					t.Errorf("Run goes on for %v after the interrupt; want it to end at once", took)
				}
				if got := len(b.stored()) == 1; got != (tt.wave == 2) {
					t.Errorf("the store remembers something staged: %v; want %v", got, !got)
				}
			})
		})
	}
}

func TestDisruptionMustBeAccepted(t *testing.T) {
	t.Parallel()
	const third = other + "/esp2/sub0"
	onRack(t, twoEnclosures(), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		steps := []plan.Step{b.step(esp1, both, hop), b.step(other+"/esp1/sub0", both, hop), b.step(third, both, hop),
			b.step(esp2, both, hop)}
		for i := range 3 {
			steps[i].Disruption.Worst = plan.IOInterruption
		}
		elsewhere := b.step(esp2, both, hop)
		elsewhere.Host, elsewhere.Disruption.Worst = "stor9", plan.IOInterruption
		c := b.config(append(steps, elsewhere)...)

		c.AcceptDisruption = []inventory.Selector{esp2, other + "/*"}
		r, err := executor.Run(context.Background(), c)
		if err != nil || r.Outcome != result.RunRefused || r.Refusal != step.RefusedDisruption {
			t.Fatalf("Run = %+v, %v; want it refused for its disruption", r, err)
		}
		if !strings.Contains(r.Reason, "at "+esp1+",") || !strings.Contains(r.Reason, "--accept-disruption") {
			t.Errorf("Reason = %q; want it to name %s alone, and --accept-disruption", r.Reason, esp1)
		}
		c.AcceptDisruption = []inventory.Selector{other + "/esp1/*"}
		if r, err = executor.Run(context.Background(), c); err != nil ||
			!strings.Contains(r.Reason, "at "+esp1+", "+third+",") {
			t.Errorf("Run = %+v, %v; want it to name %s and %s", r, err, esp1, third)
		}
		b.reason(r, 0, "I/O may stop here")
		if want := "not started, because the run was refused"; r.Steps[3].Reason != want {
			t.Errorf("reason of a component without disruption = %q; want %q", r.Steps[3].Reason, want)
		}
		if n := b.effects(); n != 0 {
			t.Errorf("commands with an effect = %d; want 0", n)
		}
		c.AcceptDisruption = nil
		c.Plan.Simulated = false
		if r, err := executor.Run(context.Background(), c); err != nil || r.Refusal != step.RefusedWrongHost {
			t.Errorf("Run of a plan for real enclosures = %+v, %v; want it refused for that", r, err)
		}
		c.Plan.Simulated = true
		if r, err := executor.Check(context.Background(), c); err != nil || r.Outcome != result.RunDone {
			t.Errorf("Check = %+v, %v; want it to compare and no more", r, err)
		}

		c.AcceptDisruption = []inventory.Selector{other + "/*", "all"}
		c.Plan.Waves[0].Windows, c.IgnoreWindow = []string{"night"}, "CHG-4711"
		r, err = executor.Run(context.Background(), c)
		if err != nil || r.Outcome != result.RunDone {
			t.Fatalf("Run with all accepted = %+v, %v; want it done", r, err)
		}
		runs, err := b.store.Runs(context.Background())
		if err != nil || len(runs) != 4 {
			t.Fatalf("Runs = %v, %v; want 4", runs, err)
		}
		got, err := b.store.Overrides(context.Background(), runs[3].ID)
		want := []state.Override{
			{Kind: state.AcceptDisruption, Address: esp1, Given: "all"},
			{Kind: state.IgnoreWindow, Address: esp1, Given: "CHG-4711"},
			{Kind: state.IgnoreWindow, Address: esp2, Given: "CHG-4711"},
			{Kind: state.AcceptDisruption, Address: other + "/esp1/sub0", Given: other + "/*"},
			{Kind: state.IgnoreWindow, Address: other + "/esp1/sub0", Given: "CHG-4711"},
			{Kind: state.AcceptDisruption, Address: third, Given: other + "/*"},
			{Kind: state.IgnoreWindow, Address: third, Given: "CHG-4711"},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Overrides = %v (-want +got):\n%s", err, diff)
		}
		c.AcceptDisruption, c.IgnoreWindow, c.Phase = nil, "", plan.StageWave // which stops no I/O
		if r := b.runConfig(context.Background(), c); r.Refusal == step.RefusedDisruption {
			t.Errorf("Run of the stage waves = %+v; want nothing to be accepted for them", r)
		}
	})
}

// A command that is not answered for long is reported, and waited for.
func TestSlowAnswerIsNoticed(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 4096}, do: {delay: 12m}}, {when: {opcode: '1d', "+
		"offset: 8192}, do: {delay: 50s}}]\n", func(b *bench) {
		var notices []string
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventNoticed {
				notices = append(notices, e.Reason)
			}
		}
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		if len(notices) != 2 || !strings.Contains(notices[0], "has not answered a command for 1m") ||
			!strings.Contains(notices[1], "for 11m") {
			t.Errorf("notices = %q; want one after a minute, and one ten minutes later", notices)
		}
	})
}

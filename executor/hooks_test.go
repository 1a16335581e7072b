package executor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// noout is a policy's pair of commands.
var noout = &plan.Hooks{
	BeforeReset: plan.Command{"ceph", "osd", "set", "noout"},
	AfterReset:  plan.Command{"ceph", "osd", "unset", "noout"},
	Timeout:     plan.Duration(time.Minute),
}

// hooked plans hops for a component, with noout around its resets.
func (b *bench) hooked(address string, waves plan.StepWaves, hops ...plan.Hop) plan.Step {
	s := b.step(address, waves, hops...)
	s.Hooks = noout
	return s
}

// runHooked carries steps out. calls gets, for each command, which it was, how many chunks had
// been written by then, and the outcome in its environment. command, if not nil, is what it does.
func (b *bench) runHooked(change func(*executor.Config), command func(ctx context.Context, verb string) ([]byte, error),
	steps ...plan.Step) (r *result.Result, calls []string) {
	b.Helper()
	c := b.config(steps...)
	c.Command = func(ctx context.Context, argv, env []string) ([]byte, error) {
		outcome := ""
		if i := slices.IndexFunc(env, func(v string) bool { return strings.HasPrefix(v, "FWCTL_OUTCOME=") }); i >= 0 {
			outcome = ", " + env[i]
		}
		calls = append(calls, fmt.Sprintf("%s after %d chunks%s", argv[2], len(b.writes()), outcome))
		if command == nil {
			return nil, nil
		}
		return command(ctx, argv[2])
	}
	if change != nil {
		change(&c)
	}
	r, err := executor.Run(context.Background(), c)
	if err != nil {
		b.Fatalf("Run = %v", err)
	}
	return r, calls
}

func (b *bench) called(got []string, want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("commands (-want +got):\n%s", diff)
	}
}

// Each reset has its commands around it, once; what resets nothing has none.
func TestHooksAreRunAroundEachReset(t *testing.T) {
	t.Parallel()
	activated := func(b *bench, modes ...plan.Mode) plan.Hop {
		h := b.hop("1100", modes...)
		h.Activation = plan.WithApply
		return h
	}
	for name, tt := range map[string]struct {
		download string
		step     func(b *bench) plan.Step
		ends     string
		want     []string
	}{
		"mode 7": {"", func(b *bench) plan.Step { return b.hooked(esp1, reset, b.hop("1100", plan.Mode7)) },
			"updated confirmed 7 1100", []string{"set after 0 chunks", "unset after 3 chunks, FWCTL_OUTCOME=updated"}},
		"mode e, left staged": {"", func(b *bench) plan.Step { return b.hooked(esp1, both, b.hop("1100", plan.ModeE, plan.Mode7)) },
			"staged confirmed e 1000", nil},
		"mode e, activated": {"", func(b *bench) plan.Step { return b.hooked(esp1, both, activated(b, plan.ModeE)) },
			"updated confirmed e 1100", []string{"set after 3 chunks", "unset after 4 chunks, FWCTL_OUTCOME=updated"}},
		"mode e, refused in the reset wave": {"modes: ['07']", func(b *bench) plan.Step { return b.hooked(esp1, reset, b.hop("1100", plan.ModeE, plan.Mode7)) },
			"updated confirmed 7 1100", []string{"set after 1 chunks", "unset after 4 chunks, FWCTL_OUTCOME=updated"}},
		"two hops": {"", func(b *bench) plan.Step {
			first, second := b.hop("1100", plan.Mode7), activated(b, plan.ModeE)
			second.From, second.To, second.Image = "1100", "1200", b.imageFor("JBOD-60", "1200", 10001)
			return b.hooked(esp1, reset, first, second)
		}, "updated confirmed e 1200", []string{
			"set after 0 chunks", "unset after 3 chunks, FWCTL_OUTCOME=updated",
			"set after 6 chunks", "unset after 7 chunks, FWCTL_OUTCOME=updated",
		}},
		"an image that the device refuses": {"maxImage: 16384, accepts: {product: OTHER}", func(b *bench) plan.Step { return b.hooked(esp1, reset, b.hop("1100", plan.Mode7)) },
			"failed unconfirmed 7 1000", []string{"set after 0 chunks", "unset after 3 chunks, FWCTL_OUTCOME=failed"}},
		"a module that never comes back": {"rebootTime: 1h", func(b *bench) plan.Step { return b.hooked(esp1, reset, b.hop("1100", plan.Mode7)) },
			"unknown unconfirmed 7 1000", []string{"set after 0 chunks", "unset after 3 chunks, FWCTL_OUTCOME=unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download), func(b *bench) {
				r, calls := b.runHooked(nil, nil, tt.step(b))
				b.ended(r, r.Outcome, tt.ends)
				b.called(calls, tt.want...)
			})
		})
	}
}

// The environment of a command, and its record.
func TestHooksAreRecorded(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		var env []string
		s := b.hooked(esp1, reset, b.hop("1100", plan.Mode7))
		c := b.config(s)
		c.Command = func(_ context.Context, argv, vars []string) ([]byte, error) {
			env = vars
			return []byte(argv[2] + " it \xff\n"), nil
		}
		if _, err := executor.Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		want := []string{"FWCTL_ADDRESS=" + esp1, "FWCTL_ENCLOSURE=" + enc1, "FWCTL_HOST=" + b.machine.Hostname(),
			"FWCTL_WAVE=2", "FWCTL_RUN=1", "FWCTL_OUTCOME=updated"}
		if diff := cmp.Diff(want, env); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
		hooks, err := b.store.Hooks(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range hooks {
			got = append(got, fmt.Sprintf("%s %s %d %s: %s, %q, %v", h.Kind, h.Address, h.Hop, h.Command, h.Outcome, h.Output,
				h.At.IsZero() || h.EndedAt.Before(h.At)))
		}
		if diff := cmp.Diff([]string{
			"before-reset " + esp1 + " 0 ceph osd set noout: done, \"set it \uFFFD\\n\", false",
			"after-reset " + esp1 + " 0 ceph osd unset noout: done, \"unset it \uFFFD\\n\", false",
		}, got); diff != "" {
			t.Errorf("on record (-want +got):\n%s", diff)
		}
		types := []result.EventType{result.EventBegun, result.EventChecking, result.EventWave, result.EventHook, result.EventHookEnded,
			result.EventStarted,
			result.EventWaiting, result.EventVerified, result.EventHook, result.EventHookEnded, result.EventFinished}
		if diff := cmp.Diff(types, b.types()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// The record names whom the system takes those for who began a run, and went on with it.
func TestAccountsAreRecorded(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		b.onEvent = func(result.Event) { cancel() }
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		c.Account = state.Account{UID: 0, Login: "root", SudoUser: "anna"}
		if r, err := executor.Run(ctx, c); err != nil || r.Outcome != result.RunInterrupted {
			t.Fatalf("Run = %+v, %v; want it interrupted", r, err)
		}
		c.Account = state.Account{UID: 1000, Login: "ben"}
		if r, err := executor.Resume(context.Background(), c, 1); err != nil || r.Outcome != result.RunDone {
			t.Fatalf("Resume = %+v, %v; want it done", r, err)
		}
		got, err := b.store.Accounts(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		want := []state.Account{{UID: 0, Login: "root", SudoUser: "anna"}, {UID: 1000, Login: "ben"}}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(state.Account{}, "At")); diff != "" {
			t.Errorf("Accounts (-want +got):\n%s", diff)
		}
	})
}

// If the command before fails, the reset is not done, the command after undoes what it did, and
// nothing else of the fault domain is touched.
func TestHookBeforeThatFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		command func(ctx context.Context) ([]byte, error)
		want    string
	}{
		"by itself": {func(context.Context) ([]byte, error) {
			return []byte("asking\nno quorum\n\n"), errors.New("exit status 1")
		}, `the command before the reset failed: ceph osd set noout: exit status 1, and it said "no quorum" last`},
		"too slow": {func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, errors.New("signal: killed") },
			"the command before the reset failed: ceph osd set noout: it did not end within 1m and was killed"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, failures := range []int{0, 1} {
				onRack(t, twoEnclosures(), func(b *bench) {
					hop := b.hop("1100", plan.Mode7)
					first := true
					r, calls := b.runHooked(func(c *executor.Config) {
						c.Plan.Rollout.MaxFailures = failures
					}, func(ctx context.Context, verb string) ([]byte, error) {
						if verb == "set" && first {
							first = false
							return tt.command(ctx)
						}
						return nil, nil
					}, b.hooked(esp1, reset, hop), b.hooked(esp2, otherReset, hop), b.hooked(other+"/esp1/sub0", otherReset, hop))
					want, last := []string{"set after 0 chunks", "unset after 0 chunks, FWCTL_OUTCOME=skipped"},
						"skipped unconfirmed  1000"
					if failures > 0 {
						want, last = append(want, "set after 0 chunks", "unset after 3 chunks, FWCTL_OUTCOME=updated"),
							"updated confirmed 7 1100"
					}
					b.called(calls, want...)
					b.ended(r, result.RunFailed, "skipped unconfirmed  1000", "skipped unconfirmed  1000", last)
					b.reason(r, 0, tt.want)
					b.reason(r, 1, "not started, because the command before the reset of "+esp1+" failed")
				})
			}
		})
	}
}

// If the command after fails, that is reported, the run has failed, and nothing else of the
// fault domain is touched.
func TestHookAfterThatFails(t *testing.T) {
	t.Parallel()
	onRack(t, twoEnclosures(), func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		r, calls := b.runHooked(nil, func(_ context.Context, verb string) ([]byte, error) {
			if verb == "unset" {
				return nil, errors.New("exit status 3")
			}
			return nil, nil
		}, b.hooked(esp1, reset, hop), b.hooked(esp2, otherReset, hop), b.hooked(other+"/esp1/sub0", otherReset, hop))
		b.called(calls, "set after 0 chunks", "unset after 3 chunks, FWCTL_OUTCOME=updated")
		b.ended(r, result.RunFailed, "updated confirmed 7 1100", "skipped unconfirmed  1000", "skipped unconfirmed  1000")
		b.reason(r, 0, "the command after the reset failed: ceph osd unset noout: exit status 3")
		if want := "the command after the reset of " + esp1 +
			" failed and the plan allows 0 failures: 2 components were not started"; r.Reason != want {
			t.Errorf("Reason = %q; want %q", r.Reason, want)
		}
	})
}

// A canary whose command fails keeps the rest from being begun.
func TestHookOfACanaryThatFails(t *testing.T) {
	t.Parallel()
	onRack(t, twoEnclosures(), func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		r, _ := b.runHooked(func(c *executor.Config) {
			c.Plan.Rollout.MaxFailures = 10
			c.Plan.Waves[1].Canary = true
		}, func(context.Context, string) ([]byte, error) { return nil, errors.New("exit status 1") },
			b.hooked(esp1, reset, hop), b.hooked(other+"/esp1/sub0", otherReset, hop))
		b.ended(r, result.RunFailed, "skipped unconfirmed  1000", "skipped unconfirmed  1000")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// ^C ends no command, and what one did before a reset is taken back.
func TestInterruptInAHook(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		var calls []string
		c := b.config(b.hooked(esp1, reset, b.hop("1100", plan.Mode7)))
		c.Command = func(ctx context.Context, argv, _ []string) ([]byte, error) {
			calls = append(calls, argv[2])
			cancel()
			time.Sleep(10 * time.Second)
			return nil, ctx.Err()
		}
		r, err := executor.Run(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunInterrupted, "skipped unconfirmed  1000")
		b.called(calls, "set", "unset")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// A reset that is not permitted any more is not done, and what was done for it is taken back.
func TestHookBeforeAResetThatIsForbidden(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    drives: [{slot: 0, use: {mount: /tank}}]\n", func(b *bench) {
		s := b.hooked(esp1, reset, b.hop("1100", plan.Mode7))
		s.Disruption.Worst = plan.IOInterruption
		var given executor.Config
		r, calls := b.runHooked(func(c *executor.Config) {
			c.AcceptDisruption = []inventory.Selector{"all"}
			given = *c
		}, func(_ context.Context, verb string) ([]byte, error) {
			if verb == "set" {
				given.Plan.Steps[0].Reset = plan.ResetIdle // stands for drives that come into use
			}
			return nil, nil
		}, s)
		b.ended(r, result.RunRefused, "refused unconfirmed  1000")
		b.called(calls, "set after 0 chunks", "unset after 0 chunks, FWCTL_OUTCOME=refused")
	})
}

// On a simulated rack commands are reported, and not run. On a real machine a plan that has some
// is not begun without a way to run them.
func TestHooksOnASimulatedRack(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		r := b.run(b.hooked(esp1, reset, b.hop("1100", plan.Mode7)))
		b.ended(r, result.RunDone, "updated confirmed 7 1100")
		var events []string
		for _, e := range b.events {
			if e.Hook != "" {
				events = append(events, fmt.Sprintf("%s %s %s: %s", e.Type, e.Hook, e.Command, e.Reason))
			}
		}
		b.called(events,
			"hook before-reset ceph osd set noout: not run, because the rack is simulated",
			"hook after-reset ceph osd unset noout: not run, because the rack is simulated")
		if hooks, err := b.store.Hooks(context.Background(), 1); err != nil || len(hooks) != 0 {
			t.Errorf("on record: %+v, %v; want nothing", hooks, err)
		}
	})
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.hooked(esp1, reset, b.hop("1100", plan.Mode7)))
		c.Machine, c.Plan.Simulated = realMachine{b.machine}, false
		if _, err := executor.Run(context.Background(), c); err == nil ||
			!strings.Contains(err.Error(), "nothing to run them with") {
			t.Errorf("Run = %v; want an error: there is nothing to run them with", err)
		}
	})
}

// A command that cannot be recorded is not started, and neither is the reset.
func TestHookThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventWave {
				b.store.Close()
			}
		}
		r, calls := b.runHooked(nil, nil, b.hooked(esp1, reset, b.hop("1100", plan.Mode7)))
		b.ended(r, result.RunFailed, "skipped unconfirmed  1000")
		b.called(calls, "unset after 0 chunks, FWCTL_OUTCOME=skipped")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// A run that is killed in the middle of a command, or of a reset between two, has
// the command after it run when it is resumed; and no other run begins before that.
func TestResumeRunsTheCommandAfter(t *testing.T) {
	t.Parallel()
	var crashes []crash
	effects := 0
	copies := t.TempDir()
	var config executor.Config
	calls := 0
	onRack(t, acme("flashTime: 2m"), func(b *bench) {
		second := b.hop("1200", plan.Mode7)
		second.From = "1100"
		config = b.config(b.hooked(esp1, reset, b.hop("1100", plan.Mode7), second))
		m := &crashing{b.machine, b, copies, &crashes, &effects}
		config.Machine = m
		config.Command = func(_ context.Context, argv, _ []string) ([]byte, error) {
			calls++
			m.copy(fmt.Sprintf("in command %d (%s), after", calls, argv[2]), []byte{0})
			return nil, nil
		}
		if r, err := executor.Run(context.Background(), config); err != nil || r.Outcome != result.RunDone {
			t.Fatalf("Run = %+v, %v; want it done", r, err)
		}
	})
	if calls != 4 {
		t.Fatalf("%d commands were run; want 4", calls)
	}
	for i, c := range crashes {
		if !tried(i) {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(c.at))
			b := reopen(t, c.dir)
			defer b.store.Close()
			before, err := b.store.Hooks(context.Background(), 1)
			if err != nil || len(before) == 0 {
				t.Fatalf("killed %s: on record %+v, %v; want at least the first command", c.name, before, err)
			}
			config.Machine, config.Store, config.Observer = b.machine, b.store, b.observe
			var calls []string
			config.Command = func(_ context.Context, argv, _ []string) ([]byte, error) {
				calls = append(calls, argv[2])
				return nil, nil
			}
			last := before[len(before)-1]
			if owed := last.Kind == state.BeforeReset || last.EndedAt.IsZero(); owed {
				r, err := executor.Run(context.Background(), config)
				if err != nil || r.Refusal != step.RefusedUnfinished || len(calls) > 0 {
					t.Errorf("killed %s: Run = %+v, %v, with the commands %q; want it refused as unfinished, and none", c.name, r, err,
						calls)
				}
			}
			r, err := executor.Resume(context.Background(), config, 1)
			if err != nil || r.Outcome != result.RunDone {
				t.Errorf("killed %s: Resume = %+v, %v; want it done\n%s", c.name, r, err, b.story(r))
			}
			all, err := b.store.Hooks(context.Background(), 1)
			if err != nil {
				t.Fatal(err)
			}
			// A command before is followed by one after, and that by another before, or the end.
			for i, h := range all {
				// killed in it
				again := i > 0 && h.Kind == state.AfterReset && all[i-1].Kind == state.AfterReset && all[i-1].EndedAt.IsZero()
				if !again && (h.Kind == state.BeforeReset) != (i == 0 || all[i-1].Kind == state.AfterReset) {
					t.Errorf("killed %s: command %d is %s; all of them:\n%+v", c.name, i, h.Kind, all)
				}
			}
			if end := all[len(all)-1]; end.Kind != state.AfterReset || end.Outcome != "done" {
				t.Errorf("killed %s: the last command is %+v; want one after a reset, and done", c.name, end)
			}
		})
	}
	t.Logf("killed at %d moments, around %d effects and in %d commands", len(crashes), effects, calls)
}

// realMachine says of a simulated one that it is none.
type realMachine struct{ transport.Machine }

func (realMachine) Simulated() bool { return false }

package executor_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/internal/window"
	"fwctl/plan"
)

// A component is only started when its worst case fits in what is left of its window.
func TestNothingStartsThatMayNotFitItsWindow(t *testing.T) {
	t.Parallel()
	onRack(t, acme("flashTime: 25m"), func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, stage, b.hop("1100", plan.ModeE)))
		c.Plan.Waves[0].Windows = []string{"short"}
		// when the bubble begins
		c.Plan.Windows = map[string]window.Window{"short": {Start: "2000-01-01T00:00", Timezone: "UTC", Duration: "1h"}}
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunStopped, "staged confirmed e 1000", "skipped unconfirmed  1000")
		b.reason(r, 1, "it may take 46m, and short closes in 34m")

		c.IgnoreWindow = "CHG-4711"
		if r, err = executor.Run(context.Background(), c); err != nil || r.Outcome != result.RunDone {
			t.Errorf("Run = %+v, %v; want it done, whatever the time", r, err)
		}
		want := []state.Override{{Kind: state.IgnoreWindow, Address: esp1, Given: "CHG-4711"},
			{Kind: state.IgnoreWindow, Address: esp2, Given: "CHG-4711"}}
		if got, err := b.store.Overrides(context.Background(), 2); err != nil || !slices.Equal(got, want) {
			t.Errorf("overrides on record = %+v, %v; want %+v", got, err, want)
		}
	})
}

// The record lists the windows that were overridden: none for a component that has no window.
func TestIgnoredWindowsAreRecorded(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.step(esp1, reset, b.hop("1100", plan.Mode7)), b.step(esp2, stage, b.hop("1100", plan.ModeE)))
		c.Plan.Waves[1].Windows, c.IgnoreWindow = []string{"night"}, "CHG-4711"
		if r, err := executor.Run(context.Background(), c); err != nil || r.Outcome != result.RunDone {
			t.Fatalf("Run = %+v, %v; want it done", r, err)
		}
		want := []state.Override{{Kind: state.IgnoreWindow, Address: esp1, Given: "CHG-4711"}}
		if got, err := b.store.Overrides(context.Background(), 1); err != nil || !slices.Equal(got, want) {
			t.Errorf("overrides on record = %+v, %v; want %+v", got, err, want)
		}
	})
}

// Who waits for windows waits for the next opening too, where what does not fit the
// rest of this one fits that; what fits none is not waited for.
func TestNoTimeLeftWaitsForNextOpening(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		window  window.Window
		wait    bool
		outcome result.RunOutcome
		second  string
		days    int
	}{
		"it comes":         {window.Window{Duration: "1h", RRule: "FREQ=DAILY"}, true, result.RunDone, "staged confirmed e 1000", 1},
		"nobody waits":     {window.Window{Duration: "1h", RRule: "FREQ=DAILY"}, false, result.RunStopped, "skipped unconfirmed  1000", 0},
		"there is none":    {window.Window{Duration: "1h"}, true, result.RunStopped, "skipped unconfirmed  1000", 0},
		"it fits no other": {window.Window{Duration: "1h", RRule: "FREQ=DAILY"}, true, result.RunStopped, "skipped unconfirmed  1000", 0},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("flashTime: 25m"), func(b *bench) {
				first, second := b.hop("1100", plan.ModeE), b.hop("1100", plan.ModeE)
				if name == "it fits no other" {
					second.FlashTimeout = plan.Duration(2 * time.Hour)
				}
				c := b.config(b.step(esp1, stage, first), b.step(esp2, stage, second))
				tt.window.Start, tt.window.Timezone = "2000-01-01T00:00", "UTC"
				c.Plan.Waves[0].Windows, c.Plan.Windows, c.Wait = []string{"daily"}, map[string]window.Window{"daily": tt.window},
					tt.wait
				begun := time.Now()
				r, err := executor.Run(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				b.ended(r, tt.outcome, "staged confirmed e 1000", tt.second)
				if days := int(time.Since(begun).Hours()) / 24; days != tt.days {
					t.Errorf("it took %d days; want %d", days, tt.days)
				}
			})
		})
	}
}

// A window that closes while its wave is walked is closed, whenever it opens next;
// and one that does not open again is not waited for.
func TestNothingStartsInAWindowThatIsClosed(t *testing.T) {
	t.Parallel()
	slow := acme("flashTime: 44m") + "    faults: [{when: {opcode: '1d', offset: 4096}, do: {delay: 10m}}]\n"
	for name, tt := range map[string]struct {
		window window.Window
		wait   bool
		late   time.Duration // after midnight
		first  string
		want   result.RunOutcome
	}{
		"it closes meanwhile": {window.Window{Duration: "50m", RRule: "FREQ=DAILY"}, false, 0, "staged confirmed e 1000", result.RunStopped},
		"it is over":          {window.Window{Duration: "50m"}, false, time.Hour, "skipped unconfirmed  1000", result.RunRefused},
		"it is waited for":    {window.Window{Duration: "50m"}, true, time.Hour, "skipped unconfirmed  1000", result.RunRefused},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, slow, func(b *bench) {
				time.Sleep(tt.late)
				c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, stage, b.hop("1100", plan.ModeE)))
				tt.window.Start, tt.window.Timezone = "2000-01-01T00:00", "UTC"
				c.Plan.Waves[0].Windows, c.Plan.Windows, c.Wait = []string{"night"}, map[string]window.Window{"night": tt.window},
					tt.wait
				r, err := executor.Run(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				b.ended(r, tt.want, tt.first, "skipped unconfirmed  1000")
				if !strings.Contains(r.Steps[1].Reason+r.Reason, "the maintenance window of wave 1 is closed") {
					t.Errorf("Reason = %q; want it to say that the window is closed", r.Reason)
				}
				if slices.Contains(b.types(), result.EventWindow) {
					t.Error("a window that does not open again is waited for")
				}
			})
		})
	}
}

// What was begun is brought to its end whatever the time, over all of its hops; of
// what was not, no command is run either.
func TestWindowThatClosesBetweenHops(t *testing.T) {
	t.Parallel()
	onRack(t, acme("flashTime: 12m"), func(b *bench) {
		stone, second := b.hop("1050", plan.Mode7), b.hop("1100", plan.Mode7)
		second.From = "1050"
		hooked := b.step(esp2, reset, b.hop("1100", plan.Mode7))
		hooked.Hooks = &plan.Hooks{BeforeReset: plan.Command{"ceph"}, Timeout: plan.Duration(time.Minute)}
		c := b.config(b.step(esp1, reset, stone, second), hooked)
		c.Plan.Steps[0].WorstDuration = plan.Duration(5 * time.Minute) // and it takes longer than that
		c.Plan.Waves[1].Windows = []string{"short"}
		c.Plan.Windows = map[string]window.Window{"short": {Start: "2000-01-01T00:00", Timezone: "UTC", Duration: "10m"}}
		c.Command = func(context.Context, []string, []string) ([]byte, error) {
			t.Error("a command is run around a reset that is not done")
			return nil, nil
		}
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunStopped, "updated confirmed 7 1100", "skipped unconfirmed  1000")
	})
}

// Nothing soaks before nothing.
func TestNoSoakAtTheEnd(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		c.Plan.Waves[0].Soak = plan.Duration(10 * time.Hour)
		begun := time.Now()
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunDone, "staged confirmed e 1000")
		if took := time.Since(begun); took > time.Hour {
			t.Errorf("the run took %v; want no soak", took)
		}
	})
}

// The reason names the time that is left of a window, and nothing was written in it.
func TestWindowThatIsAllButOver(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		c.Plan.Waves[0].Windows = []string{"night"}
		c.Plan.Windows = map[string]window.Window{"night": {Start: "2000-01-01T00:00", Timezone: "UTC", Duration: "1m"}}
		time.Sleep(30 * time.Second)
		r := b.runConfig(context.Background(), c)
		b.ended(r, result.RunRefused, "skipped unconfirmed  1000")
		if r.Refusal != step.RefusedWindow {
			t.Errorf("Run is refused by %s; want %s", r.Refusal, step.RefusedWindow)
		}
		if !strings.Contains(r.Reason, "night closes in 2") && !strings.Contains(r.Reason, "night closes in 30s") {
			t.Errorf("Reason = %q; want it to say that some seconds are left", r.Reason)
		}
	})
}

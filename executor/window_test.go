package executor_test

import (
	"context"
	"slices"
	"testing"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/internal/window"
	"fwctl/plan"
)

// A component is only started when its worst case fits in what is left of its window.
func TestNothingStartsThatMayNotFitItsWindow(t *testing.T) {
	onRack(t, acme("flashTime: 25m"), func(b *bench) {
		c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, stage, b.hop("1100", plan.ModeE)))
		c.Plan.Waves[0].Windows = []string{"short"}
		c.Plan.Windows = map[string]window.Window{"short": {Start: "2000-01-01T00:00", Timezone: "UTC", Duration: "1h"}} // when the bubble begins
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, executor.RunFailed, "staged confirmed e 1000", "skipped unconfirmed  1000")
		b.reason(r, 1, "it may take 46m, and short closes in 34m")

		c.IgnoreWindow = "CHG-4711"
		if r, err = executor.Run(context.Background(), c); err != nil || r.Outcome != executor.RunDone {
			t.Errorf("Run = %+v, %v; want it done, whatever the time", r, err)
		}
		want := []state.Override{{Kind: state.IgnoreWindow, Address: esp1, Given: "CHG-4711"}, {Kind: state.IgnoreWindow, Address: esp2, Given: "CHG-4711"}}
		if got, err := b.store.Overrides(context.Background(), 2); err != nil || !slices.Equal(got, want) {
			t.Errorf("overrides on record = %+v, %v; want %+v", got, err, want)
		}
	})
}

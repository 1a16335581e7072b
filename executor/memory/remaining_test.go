package memory_test

import (
	"fmt"
	"testing"

	"fwctl/executor/memory"
	"fwctl/internal/state"
	"fwctl/plan"
)

// A run that was for some waves of its plan is for those when it is resumed.
func TestRemainingWithinWaves(t *testing.T) {
	t.Parallel()
	hop := plan.Hop{Modes: []plan.Mode{plan.ModeE, plan.Mode7}, Activation: plan.Manual}
	s := plan.Step{
		Action: plan.Update, Host: "stor1", LUID: "5000ccab04001001", Hops: []plan.Hop{hop},
		Waves:      plan.StepWaves{Stage: 1, Reset: 2},
		Disruption: plan.Disruption{Expected: plan.NoImpact, Worst: plan.ESPReset},
	}
	p := &plan.Plan{
		Steps: []plan.Step{s},
		Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave}, {Number: 2, Kind: plan.ResetWave}},
	}
	for _, tt := range []struct {
		state, mode string
		wave        int
		want        string
	}{
		{"", "", 0, "[e 7] none esp-reset"},
		{"", "", 1, "[e] none none"},
		{"", "", 2, "[e 7] none esp-reset"},
		{"pending", "7", 1, ""},
		{"pending", "7", 2, "[7] esp-reset esp-reset"},
		{"staged", "e", 0, ""},
	} {
		records := []state.Step{{Key: state.Key{LUID: s.LUID}, State: tt.state, Mode: tt.mode}}
		r := memory.NewRemaining(&state.Run{Host: "stor1", Wave: tt.wave}, p, records, nil, nil)
		got := ""
		if left := r.Components[0].Left; len(left.Hops) > 0 {
			got = fmt.Sprintf("%v %s %s", left.Hops[0].Modes, left.Disruption.Expected, left.Disruption.Worst)
		}
		if got != tt.want {
			t.Errorf("left of what is %q in wave %d = %q; want %q", tt.state, tt.wave, got, tt.want)
		}
	}
}

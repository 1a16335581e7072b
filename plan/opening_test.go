package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/window"
	"fwctl/plan"
)

func windowedPlan() *plan.Plan {
	return &plan.Plan{Windows: map[string]window.Window{
		"saturday-night": {Start: "2026-11-21T22:00", Timezone: "Europe/Berlin", Duration: "6h", RRule: "FREQ=WEEKLY;BYDAY=SA"},
		"sunday":         {Start: "2026-11-22T03:00", Timezone: "Europe/Berlin", Duration: "3h", RRule: "FREQ=WEEKLY;BYDAY=SU"},
		"once":           {Start: "2026-11-21T22:00", Duration: "1h"},
		"broken":         {Start: "x"},
	}}
}

func TestOpening(t *testing.T) {
	p := windowedPlan()
	for _, c := range []struct {
		windows []string
		at      string
		want    string
	}{
		{nil, "2026-11-21T12:00:00Z", "now: ,  to "},
		{[]string{"saturday-night"}, "2026-11-21T12:00:00Z", "later: saturday-night, 2026-11-21T22:00:00+01:00 to 2026-11-22T04:00:00+01:00"},
		{[]string{"saturday-night"}, "2026-11-21T21:00:00Z", "now: saturday-night, 2026-11-21T22:00:00+01:00 to 2026-11-22T04:00:00+01:00"},
		{[]string{"sunday", "saturday-night"}, "2026-11-21T12:00:00Z", "later: saturday-night, 2026-11-21T22:00:00+01:00 to 2026-11-22T06:00:00+01:00"},
		{[]string{"saturday-night", "sunday"}, "2026-11-22T04:00:00Z", "now: sunday, 2026-11-22T03:00:00+01:00 to 2026-11-22T06:00:00+01:00"},
		{[]string{"once"}, "2026-11-21T23:00:00Z", "later: once,  to "},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		o, err := p.Opening(plan.Wave{Number: 1, Windows: c.windows}, at)
		if err != nil {
			t.Errorf("Opening(%v, %s) = %v", c.windows, c.at, err)
			continue
		}
		show := func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.Format(time.RFC3339)
		}
		got := fmt.Sprintf("%s: %s, %s to %s", map[bool]string{true: "now", false: "later"}[o.Now], o.Window, show(o.Start),
			show(o.End))
		if got != c.want {
			t.Errorf("Opening(%v, %s) = %s; want %s", c.windows, c.at, got, c.want)
		}
	}
	for name, want := range map[string]string{"none": `the plan has no window "none"`, "broken": "window broken: "} {
		if _, err := p.Opening(plan.Wave{Number: 1, Windows: []string{name}}, time.Time{}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("Opening(%s) = %v; want an error with %q", name, err, want)
		}
	}
}

func minutes(n int) plan.Duration { return plan.Duration(time.Duration(n) * time.Minute) }

func TestWorst(t *testing.T) {
	stage := plan.Hop{Modes: []plan.Mode{plan.ModeE}, Image: plan.ImageRef{Size: 600}, ChunkSize: 1,
		FlashTimeout: minutes(20), Activation: plan.Manual}
	step := func(enclosure string, domain int, needs plan.Duration, waves plan.StepWaves, h plan.Hop) plan.Step {
		return plan.Step{Enclosure: enclosure, FaultDomain: domain, Hops: []plan.Hop{h}, Waves: waves, WorstDuration: needs}
	}
	on := func(host string, s plan.Step) plan.Step { s.Host = host; return s }
	next := func(enclosure string, s plan.Step) plan.Step { s.Neighbours = []string{enclosure}; return s }
	first, second := plan.StepWaves{Stage: 1}, plan.StepWaves{Reset: 2}
	with7, apply := stage, stage
	with7.Modes = []plan.Mode{plan.ModeE, plan.Mode7}
	apply.Activation, apply.Settle, apply.ReturnTimeout = plan.WithApply, minutes(1), minutes(14)
	reset := plan.Hop{Modes: []plan.Mode{plan.Mode7}}
	for _, c := range []struct {
		name     string
		parallel int
		steps    []plan.Step
		want     []plan.Duration
	}{
		{"nothing", 1, nil, []plan.Duration{0, 0}},
		{"one after the other", 1, []plan.Step{step("a", 1, minutes(30), first, stage), step("b", 2, minutes(30), first, stage)}, []plan.Duration{minutes(60), 0}},
		{"in parallel", 2, []plan.Step{step("a", 1, minutes(30), first, stage), step("b", 2, minutes(30), first, stage), step("c", 3, minutes(30), first, stage)}, []plan.Duration{minutes(60), 0}},
		{"never two ESPs of an enclosure at a time", 2, []plan.Step{step("a", 1, minutes(30), first, stage), step("a", 1, minutes(30), first, stage)}, []plan.Duration{minutes(60), 0}},
		{"resets alone where the fault domain is not known", 2, []plan.Step{step("a", 0, minutes(10), second, reset), step("b", 0, minutes(20), second, reset), step("c", 3, minutes(7), second, reset)}, []plan.Duration{0, minutes(37)}},
		{"two enclosures of a fault domain one after the other", 2, []plan.Step{step("a", 1, minutes(30), first, stage), step("b", 1, minutes(30), first, stage)}, []plan.Duration{minutes(60), 0}},
		{"a declared fault domain too", 2, []plan.Step{next("b", step("a", 0, minutes(30), first, stage)), next("a", step("b", 0, minutes(30), first, stage))}, []plan.Duration{minutes(60), 0}},
		{"hosts side by side", 1, []plan.Step{on("x", step("a", 1, minutes(30), first, stage)), on("y", step("b", 2, minutes(30), first, stage)), on("x", step("c", 3, minutes(30), first, stage))}, []plan.Duration{minutes(60), 0}},
		{"as long as the slowest host", 1, []plan.Step{on("x", step("a", 1, minutes(30), second, reset)), on("y", step("b", 2, minutes(45), second, reset))}, []plan.Duration{0, minutes(45)}},
		{"hosts in turn on one fault domain", 1, []plan.Step{on("x", step("a", 1, minutes(30), first, stage)), on("y", step("a", 1, minutes(30), first, stage)), on("y", step("b", 2, minutes(30), first, stage)), on("z", step("c", 3, minutes(30), first, stage))}, []plan.Duration{minutes(90), 0}},
		{"hosts in turn where a fault domain is not known", 1, []plan.Step{on("x", step("a", 0, minutes(10), second, reset)), on("y", step("b", 0, minutes(20), second, reset)), on("z", step("c", 3, minutes(7), second, reset))}, []plan.Duration{0, minutes(37)}},
		{"the fallback sends it all again", 1, []plan.Step{step("a", 1, minutes(45), plan.StepWaves{Stage: 1, Reset: 2}, with7)}, []plan.Duration{minutes(30), minutes(45)}},
		{"an activation does not", 1, []plan.Step{step("a", 1, minutes(45), plan.StepWaves{Stage: 1, Reset: 2}, apply)}, []plan.Duration{minutes(30), minutes(15)}},
	} {
		p := &plan.Plan{
			Steps: c.steps, Rollout: plan.Rollout{MaxParallel: c.parallel},
			Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave}, {Number: 2, Kind: plan.ResetWave}},
		}
		if diff := cmp.Diff(c.want, p.Worst()); diff != "" {
			t.Errorf("%s: Worst (-want +got):\n%s", c.name, diff)
		}
	}
}

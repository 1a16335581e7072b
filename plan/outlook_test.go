package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/window"
	"fwctl/plan"
)

// midnight is on a Sunday.
var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// twoSteps is a plan of two components: each is staged for 10 min, and started for 5, at most for an hour and half of
// one. The windows of the second wave are open from two to four.
func twoSteps() *plan.Plan {
	step := func(enclosure string, domain int) plan.Step {
		s := plan.Step{
			Address: enclosure + "/esp1/sub0", Enclosure: enclosure, FaultDomain: domain, Action: plan.Update,
			Waves: plan.StepWaves{Stage: 1, Reset: 2}, WorstDuration: plan.Duration(90 * time.Minute),
			ExpectedStaging: plan.Duration(10 * time.Minute), ExpectedDuration: plan.Duration(15 * time.Minute), ExpectedFrom: 3,
			Hops: []plan.Hop{{
				Modes: []plan.Mode{plan.ModeE}, Activation: plan.WithApply, ActivateBy: plan.ByModeF, ChunkSize: 1,
				FlashTimeout: plan.Duration(time.Hour), ReturnTimeout: plan.Duration(30 * time.Minute),
			}},
		}
		return s
	}
	return &plan.Plan{
		Steps: []plan.Step{step("a", 1), step("b", 2)},
		Waves: []plan.Wave{
			{Number: 1, Kind: plan.StageWave, Soak: plan.Duration(20 * time.Minute)}, {Number: 2, Kind: plan.ResetWave},
		},
		Windows: map[string]window.Window{"night": {Start: "2026-03-01T02:00", Timezone: "UTC", Duration: "2h"}},
		Rollout: plan.Rollout{MaxParallel: 2},
	}
}

// A run ends when its waves have, with what it waits for; by what is expected, and at the latest. Nothing is made up
// where a person or a window decides.
func TestOutlook(t *testing.T) {
	t.Parallel()
	windows := func(p *plan.Plan) { p.Waves[1].Windows = []string{"night"} }
	none := func(*plan.Plan) {}
	for _, tt := range []struct {
		name string
		with func(*plan.Plan)
		at   plan.Standing
		// Steps of which nothing is left, and how long the others have been worked on.
		over     map[string]bool
		spent    map[string]time.Duration
		expected time.Duration // -1: unknown
		latest   time.Duration
	}{
		{name: "before it begins", with: none, expected: 35 * time.Minute, latest: 110 * time.Minute},
		{name: "no wave follows that has to wait for the soak", with: func(p *plan.Plan) {
			p.Steps[0].Waves.Reset, p.Steps[1].Waves.Reset = 0, 0
		}, expected: 10 * time.Minute, latest: 60 * time.Minute},
		{name: "one after the other", with: func(p *plan.Plan) { p.Rollout.MaxParallel = 1 }, expected: 50 * time.Minute,
			latest: 200 * time.Minute},
		{name: "both have been worked on for a while", with: none, at: plan.Standing{Wave: 1},
			spent:    map[string]time.Duration{"a": 4 * time.Minute, "b": time.Minute},
			expected: 34 * time.Minute, latest: 109 * time.Minute},
		{name: "one is over, the other takes longer than expected", with: none, at: plan.Standing{Wave: 1},
			over: map[string]bool{"a": true}, spent: map[string]time.Duration{"b": 12 * time.Minute},
			expected: 25 * time.Minute, latest: 98 * time.Minute},
		{name: "the soak goes on", with: none, at: plan.Standing{Wave: 1, Until: midnight.Add(7 * time.Minute)},
			over: map[string]bool{"a": true, "b": true}, expected: 12 * time.Minute, latest: 37 * time.Minute},
		{name: "a component failed for good", with: none, at: plan.Standing{Wave: 2}, over: map[string]bool{"a": true},
			expected: 5 * time.Minute, latest: 30 * time.Minute},
		{name: "nothing is known of one", with: func(p *plan.Plan) { p.Steps[1].ExpectedFrom = 0 }, expected: -1,
			latest: 110 * time.Minute},
		{name: "that one is done", with: func(p *plan.Plan) { p.Steps[1].ExpectedFrom = 0 }, at: plan.Standing{Wave: 2},
			over: map[string]bool{"b": true}, expected: 5 * time.Minute, latest: 30 * time.Minute},
		{name: "a window opens later", with: windows, expected: 125 * time.Minute, latest: 150 * time.Minute},
		{name: "it closes before all may have begun", with: func(p *plan.Plan) {
			windows(p)
			p.Windows["night"] = window.Window{Start: "2026-03-01T02:00", Timezone: "UTC", Duration: "40m"}
		}, expected: 125 * time.Minute, latest: -1},
		{name: "and before any may begin", with: func(p *plan.Plan) {
			windows(p)
			p.Windows["night"] = window.Window{Start: "2026-03-01T02:00", Timezone: "UTC", Duration: "20m"}
		}, expected: -1, latest: -1},
		{name: "what has begun is finished when it is closed", with: windows, at: plan.Standing{Wave: 2},
			spent:    map[string]time.Duration{"a": time.Minute, "b": time.Minute},
			expected: 4 * time.Minute, latest: 29 * time.Minute},
		{name: "it never opens again", with: func(p *plan.Plan) {
			windows(p)
			p.Windows["night"] = window.Window{Start: "2026-01-01T02:00", Timezone: "UTC", Duration: "2h"}
		}, expected: -1, latest: -1},
		{name: "a person is waited for", with: func(p *plan.Plan) { p.Waves[1].PowerCycle = true }, expected: -1, latest: -1},
		{name: "all is over", with: none, at: plan.Standing{Wave: 2}, over: map[string]bool{"a": true, "b": true}},
	} {
		p := twoSteps()
		tt.with(p)
		tt.at.Over = func(s *plan.Step, w plan.Wave) bool { return tt.over[s.Enclosure] && w.Number <= max(tt.at.Wave, 1) }
		tt.at.Spent = func(s *plan.Step) time.Duration { return tt.spent[s.Enclosure] }
		o := p.Outlook(midnight, tt.at)
		for _, end := range []struct {
			what string
			got  time.Time
			want time.Duration
		}{{"expected", o.Expected, tt.expected}, {"at the latest", o.Latest, tt.latest}} {
			got := time.Duration(-1)
			if !end.got.IsZero() {
				got = end.got.Sub(midnight)
			}
			if got != end.want {
				t.Errorf("%s: the end %s is in %v; want %v", tt.name, end.what, got, end.want)
			}
		}
	}
}

// A plan over ten hosts takes no longer than the part of its slowest one: they work on a wave side by side.
func TestTimesOfManyHosts(t *testing.T) {
	t.Parallel()
	p := twoSteps()
	p.Rollout.MaxParallel = 1
	one := p.Times()
	for i := range 9 {
		for _, s := range p.Steps[:2] {
			s.Host, s.FaultDomain = string(rune('a'+i)), s.FaultDomain+2*(i+1)
			s.Enclosure += s.Host
			s.Address = s.Enclosure + "/esp1/sub0"
			p.Steps = append(p.Steps, s)
		}
	}
	if diff := cmp.Diff(one, p.Times()); diff != "" {
		t.Errorf("times of ten hosts that do the same (-one host +ten):\n%s", diff)
	}
	// Each host does two components in each wave: 2 x 10 min, a soak of 20 min, and 2 x 5 min.
	if want := (plan.Expected{Time: minutes(50), Runs: 3}); one.TotalExpected != want || one.TotalWorst != minutes(200) {
		t.Errorf("the total is %v, at most %v; want %v, at most 3h20m", one.TotalExpected, one.TotalWorst, want)
	}
	slow := &p.Steps[len(p.Steps)-1]
	slow.ExpectedDuration += minutes(3)
	if got := p.Times().TotalExpected.Time; got != minutes(53) {
		t.Errorf("if one host needs 3 min more, the total is %v; want 53m", got)
	}
}

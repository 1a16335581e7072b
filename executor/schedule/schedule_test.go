package schedule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/internal/window"
	"fwctl/plan"
)

var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// night is open from one to five.
var night = window.Window{Start: "2026-03-01T01:00", Timezone: "UTC", Duration: "4h", RRule: "FREQ=DAILY"}

// component is one of enclosure e in a fault domain, with a minute of work in each wave.
func component(e string, domain int, state step.State) schedule.Component {
	s := &plan.Step{
		Address: e + "/esp1/sub0", Enclosure: e, Host: "stor1", FaultDomain: domain, Action: plan.Update,
		Waves: plan.StepWaves{Stage: 1, Reset: 2},
		Hops: []plan.Hop{{
			From: "1000", To: "1100", Image: plan.ImageRef{SHA256: strings.Repeat("1", 64), Size: 4096},
			Modes: []plan.Mode{plan.ModeE}, ChunkSize: 4096, Activation: plan.WithApply, ActivateBy: plan.ByModeF,
			FlashTimeout: plan.Duration(time.Minute), Settle: plan.Duration(time.Second),
			ReturnTimeout: plan.Duration(time.Minute),
		}},
	}
	c := schedule.Component{Step: s, Is: step.New(s)}
	c.Is.State = state
	if state == step.Staged {
		c.Is.Holds = step.Holds{Content: step.Whole, Image: s.Hops[0].Image.SHA256, Confirmed: true}
	}
	return c
}

func run(components ...schedule.Component) *schedule.Run {
	p := &plan.Plan{
		Waves:   []plan.Wave{{Number: 1, Kind: plan.StageWave}, {Number: 2, Kind: plan.ResetWave}},
		Rollout: plan.Rollout{MaxParallel: 1},
		Windows: map[string]window.Window{"night": night},
	}
	for _, c := range components {
		p.Steps = append(p.Steps, *c.Step)
	}
	return &schedule.Run{
		Plan: p, Limits: schedule.Limits{Host: "stor1"}, Components: components, Soaked: map[int]bool{},
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	both := []schedule.Component{component("a", 1, step.Pending), component("b", 2, step.Pending)}
	staged := []schedule.Component{component("a", 1, step.Staged), component("b", 2, step.Pending)}
	done := []schedule.Component{component("a", 1, step.Staged), component("b", 2, step.Staged)}
	for name, tt := range map[string]struct {
		components []schedule.Component
		change     func(r *schedule.Run)
		at         time.Duration // after midnight
		want       string
	}{
		"the first wave first":       {both, nil, 0, "work in wave 1 on [0 1]"},
		"what is left of it":         {staged, nil, 0, "work in wave 1 on [1]"},
		"the next wave after it":     {done, nil, 0, "work in wave 2 on [0 1]"},
		"nothing is left":            {[]schedule.Component{component("a", 1, step.Done)}, nil, 0, "finish in wave 0 on []"},
		"what has ended is not due":  {[]schedule.Component{component("a", 1, step.Failed)}, nil, 0, "finish in wave 0 on []"},
		"a run that was stopped":     {both, func(r *schedule.Run) { r.Stops.Why = "no" }, 0, "finish in wave 0 on []"},
		"a fault domain that broke":  {both, func(r *schedule.Run) { r.Stops.Broken = map[int]string{1: "no"} }, 0, "work in wave 1 on [1]"},
		"a phase that comes later":   {both, func(r *schedule.Run) { r.Limits.Phase = plan.ResetWave }, 0, "hold back (order) in wave 1 on []: wave 1 (stage) comes first and is not done"},
		"a phase that is passed":     {done, func(r *schedule.Run) { r.Limits.Phase = plan.StageWave }, 0, "finish in wave 0 on []"},
		"a wave that comes too soon": {staged, func(r *schedule.Run) { r.Limits.Wave = 2 }, 0, "hold back (order) in wave 1 on []: wave 1 (stage) comes first and is not done"},
		"a window that is closed":    {both, windows, 0, "hold back (window) in wave 1 on [0 1]: the maintenance window of wave 1 is closed"},
		"a window that is awaited":   {both, waiting, 0, "await window in wave 1 on [0 1] until 01:00"},
		"a window that is ignored":   {both, func(r *schedule.Run) { windows(r); r.Limits.IgnoreWindows = true }, 0, "work in wave 1 on [0 1]"},
		"a window that is open":      {both, windows, 2 * time.Hour, "work in wave 1 on [0 1]"},
		"a window that closes too soon": {
			both, windows, 5*time.Hour - time.Second,
			"hold back (window) in wave 1 on [0 1]: wave 1 is not done: it may take 2m, and night closes in 1s"},
		"the next opening is awaited": {both, waiting, 5*time.Hour - time.Second, "await window in wave 1 on [0 1] until 01:00"},
		"an opening too short for it": {
			[]schedule.Component{long(component("a", 1, step.Pending))}, waiting, 4 * time.Hour,
			"hold back (window) in wave 1 on [0]: wave 1 is not done: it may take 5h1m, and night closes in 1h"},
		"one fits and one does not": {
			[]schedule.Component{long(component("a", 1, step.Pending)), component("b", 2, step.Pending)}, windows, 4 * time.Hour,
			"work in wave 1 on [1]"},
		"what is halfway fits always": {
			[]schedule.Component{halfway(long(component("a", 1, step.Pending)))}, windows, 4 * time.Hour,
			"work in wave 1 on [0]"},
		"a soak before the rest": {
			done, func(r *schedule.Run) { r.Plan.Waves[0].Soak = plan.Duration(time.Hour) }, 0, "soak in wave 1 on []"},
		"a soak that is over": {
			done, func(r *schedule.Run) { r.Plan.Waves[0].Soak = plan.Duration(time.Hour); r.Soaked[1] = true }, 0,
			"work in wave 2 on [0 1]"},
		"no soak with nothing after it": {
			[]schedule.Component{component("a", 1, step.Done)}, func(r *schedule.Run) {
				r.Plan.Waves[0].Soak = plan.Duration(time.Hour)
			}, 0,
			"finish in wave 0 on []"},
		"a person's power cycle": {
			done, func(r *schedule.Run) { r.Plan.Waves[1].PowerCycle = true }, 0, "await power in wave 2 on [0 1]"},
		"another host goes first": {
			[]schedule.Component{component("a", 1, step.Staged)}, func(r *schedule.Run) { elsewhere(r) }, 0,
			"hold back (order) in wave 3 on [0]: wave 3 follows wave 2 of stor2, which cannot be seen from here"},
		"another host has gone first": {
			[]schedule.Component{component("a", 1, step.Staged)}, func(r *schedule.Run) { elsewhere(r); r.Limits.Wave = 3 }, 0,
			"work in wave 3 on [0], noticed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(tt.components...)
			if tt.change != nil {
				tt.change(r)
			}
			if got := words(r.Next(midnight.Add(tt.at))); got != tt.want {
				t.Errorf("Next() = %s; want %s", got, tt.want)
			}
		})
	}
}

func words(d schedule.Decision) string {
	text := string(d.Do)
	if d.Refusal != "" {
		text += fmt.Sprintf(" (%s)", d.Refusal)
	}
	text += fmt.Sprintf(" in wave %d on %v", d.Wave.Number, d.Due)
	if !d.Until.IsZero() {
		text += " until " + d.Until.Format("15:04")
	}
	if d.Why != "" {
		text += ": " + d.Why
	}
	if d.Notice != "" {
		text += ", noticed"
	}
	return text
}

func windows(r *schedule.Run) {
	for i := range r.Plan.Waves {
		r.Plan.Waves[i].Windows = []string{"night"}
	}
}

func waiting(r *schedule.Run) {
	windows(r)
	r.Limits.Wait = true
}

// elsewhere has another host reset something of the same fault domain first.
func elsewhere(r *schedule.Run) {
	r.Plan.Waves = append(r.Plan.Waves, plan.Wave{Number: 3, Kind: plan.ResetWave})
	r.Components[0].Step.Waves.Reset = 3
	there := *r.Components[0].Step
	there.Address, there.Host, there.Waves = "a/esp2/sub0", "stor2", plan.StepWaves{Reset: 2}
	r.Plan.Steps = []plan.Step{*r.Components[0].Step, there}
}

func long(c schedule.Component) schedule.Component {
	c.Step.Hops[0].FlashTimeout = plan.Duration(5 * time.Hour)
	return c
}

func halfway(c schedule.Component) schedule.Component {
	c.Is.Touched, c.Is.Damage = true, step.HalfImage
	return c
}

func TestStops(t *testing.T) {
	t.Parallel()
	person := component("a", 1, step.Failed)
	person.Is.Damage = step.HalfImage
	canary := func(p *plan.Plan) { p.Waves[0].Canary, p.Rollout.MaxFailures = true, 5 }
	for name, tt := range map[string]struct {
		c      schedule.Component
		change func(p *plan.Plan)
		want   string
	}{
		"went well":             {component("a", 1, step.Done), nil, "map[]  "},
		"failed":                {component("a", 1, step.Failed), nil, "map[1:a/esp1/sub0 went wrong] a/esp1/sub0 went wrong and the plan allows 0 failures "},
		"failed, and may":       {component("a", 1, step.Failed), func(p *plan.Plan) { p.Rollout.MaxFailures = 1 }, "map[1:a/esp1/sub0 went wrong]  "},
		"refused":               {component("a", 1, step.Refused), nil, "map[1:a/esp1/sub0 went wrong] a/esp1/sub0 went wrong and the plan allows 0 failures "},
		"a canary":              {component("a", 1, step.Failed), canary, "map[1:a/esp1/sub0 went wrong] a/esp1/sub0 went wrong, and it is a canary "},
		"needs a person":        {person, func(p *plan.Plan) { p.Rollout.MaxFailures = 5 }, "map[1:a/esp1/sub0 went wrong] a/esp1/sub0 needs a person first "},
		"withdrawn, as asked":   {component("a", 1, step.Aborted), nil, "map[] interrupted interrupted"},
		"unknown":               {component("a", 1, step.Unknown), func(p *plan.Plan) { p.Rollout.MaxFailures = 5 }, "map[0:a/esp1/sub0 may be resetting, and it is unknown what shares drives with what 1:a/esp1/sub0 went wrong]  "},
		"unknown, of no domain": {component("a", 0, step.Unknown), func(p *plan.Plan) { p.Rollout.MaxFailures = 5 }, "map[0:a/esp1/sub0 went wrong] a/esp1/sub0 may be resetting, and it is unknown what shares drives with it "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(tt.c).Plan
			if tt.change != nil {
				tt.change(p)
			}
			var none schedule.Stops
			got := none.After(p, tt.c)
			if text := fmt.Sprintf("%v %s %s", got.Broken, got.Why, got.Ending); text != tt.want {
				t.Errorf("After(%s) = %s; want %s", tt.c.Is.State, text, tt.want)
			}
			if none.Broken != nil {
				t.Error("After changed what it was given")
			}
		})
	}
}

// A declared fault domain ties enclosures together even if the number of one's own is unknown: a
// failure of one of them keeps the other from being touched, too.
func TestStopsBeside(t *testing.T) {
	t.Parallel()
	for _, numbers := range [][2]int{{0, 1}, {1, 0}, {1, 2}} {
		failed, beside := component("a", numbers[0], step.Failed), component("b", numbers[1], step.Pending)
		apart := component("c", 3, step.Pending)
		failed.Step.Neighbours = []string{beside.Step.Enclosure}
		p := run(failed).Plan
		p.Rollout.MaxFailures = 1
		var none schedule.Stops
		s := none.After(p, failed)
		if s.Off(beside.Step) == "" || s.Off(failed.Step) == "" || s.Off(apart.Step) != "" {
			t.Errorf("After with domains %v: off are %q, %q and %q; want the first two alone",
				numbers, s.Off(failed.Step), s.Off(beside.Step), s.Off(apart.Step))
		}
	}
}

// What is left of a component has to fit the window, not what its whole step may take: what
// was sent in this window is started in it.
func TestMayStartRemainder(t *testing.T) {
	t.Parallel()
	fresh := long(component("a", 1, step.Pending))
	first := long(component("a", 1, step.Staged))
	staged := long(component("a", 1, step.Staged))
	second := long(component("a", 1, step.Pending))
	for _, c := range []*schedule.Component{&fresh, &first, &staged, &second} {
		c.Step.Hops = append(c.Step.Hops, c.Step.Hops[0])
		c.Step.Hops[0].FlashTimeout = plan.Duration(2 * time.Hour)
		c.Step.Hops[1].FlashTimeout = plan.Duration(30 * time.Minute)
		c.Step.Waves.Stage = 0
		c.Step.WorstDuration = c.Step.Worst()
	}
	second.Is.Hop, staged.Is.Hop = 1, 1
	for name, tt := range map[string]struct {
		c    schedule.Component
		left time.Duration
		want bool
	}{
		"all of it, in too little":         {fresh, 2 * time.Hour, false},
		"all of it, in enough":             {fresh, 3 * time.Hour, true},
		"the second hop, in enough":        {second, 40 * time.Minute, true},
		"the second hop, in too little":    {second, 30 * time.Minute, false},
		"the first staged, in too little":  {first, 2 * time.Hour, false},
		"the second staged, in enough":     {staged, 2 * time.Minute, true},
		"the second staged, in too little": {staged, time.Minute, false},
	} {
		r := run(tt.c)
		windows(r)
		opening, err := r.Plan.Opening(r.Plan.Waves[0], midnight.Add(2*time.Hour))
		if err != nil || !opening.Now {
			t.Fatalf("Opening = %+v, %v; want it open", opening, err)
		}
		w := r.Plan.Waves[1]
		w.Windows = r.Plan.Waves[0].Windows
		if why := r.MayStart(w, tt.c, opening.End.Add(-tt.left)); (why == "") != tt.want {
			t.Errorf("MayStart(%s) = %q; want it may: %v", name, why, tt.want)
		}
	}
}

// The first reason to stop is the one that is kept, and the worst end is the run's.
func TestStopTwice(t *testing.T) {
	t.Parallel()
	var s schedule.Stops
	s = s.Stop("first", result.RunStopped).Stop("second", result.RunFailed)
	if s.Why != "first" || s.Ending != result.RunFailed {
		t.Errorf("Stop twice = %+v; want the first reason and the worst end", s)
	}
}

// What belongs to no known fault domain is reset by itself, and staged beside others.
func TestDomains(t *testing.T) {
	t.Parallel()
	r := run(
		component("a", 1, step.Pending), component("b", 0, step.Pending), component("a", 1, step.Pending),
		component("c", 0, step.Pending), component("d", 1, step.Pending), component("b", 0, step.Pending),
	)
	for kind, want := range map[plan.WaveKind]string{
		plan.StageWave: "[[0 2 4] [1 5] [3]] []",
		plan.ResetWave: "[[0 2 4]] [[1 5] [3]]",
	} {
		together, alone := r.Domains(plan.Wave{Kind: kind}, []int{0, 1, 2, 3, 4, 5})
		if got := fmt.Sprint(together, " ", alone); got != want && fmt.Sprint(together)+" "+fmt.Sprint(alone) != want {
			t.Errorf("Domains(%s) = %s; want %s", kind, got, want)
		}
	}
	for _, c := range r.Components { // declared, whatever the numbers
		if c.Step.Enclosure == "b" {
			c.Step.Neighbours = []string{"d"}
		}
	}
	together, _ := r.Domains(plan.Wave{Kind: plan.StageWave}, []int{1, 3, 4})
	if got, want := fmt.Sprint(together), "[[1 4] [3]]"; got != want {
		t.Errorf("Domains(stage), b and d in one declared domain = %s; want %s", got, want)
	}
}

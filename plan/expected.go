package plan

import (
	"slices"
	"time"
)

// Expected is how long something is expected to take by what earlier runs took. The zero value is unknown.
type Expected struct {
	Time Duration
	// How many runs it rests on: of all that adds up to it, what the fewest runs have shown.
	Runs int
}

// Known reports whether the expectation is known.
func (e Expected) Known() bool { return e.Runs > 0 }

// Then returns what is expected of two things one after the other, with a wait between them;
// unknown if one of them is.
func (e Expected) Then(wait Duration, o Expected) Expected {
	if !e.Known() || !o.Known() {
		return Expected{}
	}
	return Expected{e.Time + wait + o.Time, min(e.Runs, o.Runs)}
}

// Expected returns how long all hops of a step are expected to take.
func (s *Step) Expected() Expected { return Expected{s.ExpectedDuration, s.ExpectedFrom} }

// ExpectedIn returns how long a wave is expected to spend on a step: never longer than it may at most.
func (s *Step) ExpectedIn(w Wave) Expected {
	takes := s.ExpectedStaging
	switch w.Number {
	case s.Waves.Stage:
	case s.Waves.Reset:
		takes = s.ExpectedDuration - s.ExpectedStaging
	default:
		return Expected{}
	}
	return Expected{min(takes, s.WorstIn(w)), s.ExpectedFrom}
}

// Times are how long a plan's waves take.
type Times struct {
	// Of each wave, in the order of Waves, soaks not counted.
	Expected []Expected
	Worst    []Duration
	// Of all waves and the soaks between them. They do not count what is waited for: windows and persons.
	TotalExpected Expected
	TotalWorst    Duration
}

// Times returns how long the waves are expected to take, and may take at most. What is expected of a wave is unknown if
// it is of one of its steps, and so is the total.
func (p *Plan) Times() Times {
	t := Times{Worst: p.Worst(), Expected: make([]Expected, len(p.Waves))}
	for i, runs := range p.expectedRuns() {
		t.Expected[i].Runs = runs
	}
	for i, takes := range p.spread(func(s *Step, w Wave) Duration { return s.ExpectedIn(w).Time }) {
		if t.Expected[i].Known() {
			t.Expected[i].Time = takes
		}
	}
	t.TotalExpected, t.TotalWorst = t.Span(p, 0, len(p.Waves))
	return t
}

// Span returns how long the waves with the indexes from to to take, with the soaks between them.
func (t *Times) Span(p *Plan, from, to int) (expected Expected, worst Duration) {
	for i := from; i < to; i++ {
		if i == from {
			expected, worst = t.Expected[i], t.Worst[i]
			continue
		}
		soak := p.Waves[i-1].Soak
		expected = expected.Then(soak, t.Expected[i])
		worst += soak + t.Worst[i]
	}
	return expected, worst
}

// Part returns the plan with the steps of one host and some of its waves only. If there is something of them that was
// done before, what is expected of them is unknown.
func (p *Plan) Part(host string, selected func(Wave) bool, begun bool) *Plan {
	part := *p
	part.Waves = slices.DeleteFunc(slices.Clone(p.Waves), func(w Wave) bool { return !selected(w) })
	part.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return s.Host != host })
	if begun {
		for i := range part.Steps {
			s := &part.Steps[i]
			s.ExpectedDuration, s.ExpectedStaging, s.ExpectedFrom, s.ExpectedScaled = 0, 0, 0, false
		}
	}
	return &part
}

// expectedRuns returns how many runs the expectation of each wave rests on, 0 if it is unknown. The result is in the
// order of Waves.
func (p *Plan) expectedRuns() []int {
	index := map[int]int{}
	for i, w := range p.Waves {
		index[w.Number] = i
	}
	runs, unknown := make([]int, len(p.Waves)), make([]bool, len(p.Waves))
	for k := range p.Steps {
		s := &p.Steps[k]
		for _, number := range []int{s.Waves.Stage, s.Waves.Reset} {
			i, ok := index[number]
			switch {
			case !ok:
			case s.ExpectedFrom == 0:
				runs[i], unknown[i] = 0, true
			case !unknown[i] && (runs[i] == 0 || s.ExpectedFrom < runs[i]):
				runs[i] = s.ExpectedFrom
			}
		}
	}
	return runs
}

// SetExpected sets what is expected of the waves and of the plan by what is expected of the steps.
func (p *Plan) SetExpected() {
	times := p.Times()
	for i, e := range times.Expected {
		p.Waves[i].ExpectedDuration, p.Waves[i].ExpectedFrom = e.Time, e.Runs
	}
	p.ExpectedDuration, p.ExpectedFrom = times.TotalExpected.Time, times.TotalExpected.Runs
}

// expectedContradiction returns why what the plan expects cannot be right, "" if it can.
func (p *Plan) expectedContradiction() string {
	times := p.Times()
	for i, e := range times.Expected {
		if w := p.Waves[i]; (Expected{w.ExpectedDuration, w.ExpectedFrom}) != e {
			return "what it expects of a wave is not what its steps come to"
		}
	}
	if (Expected{p.ExpectedDuration, p.ExpectedFrom}) != times.TotalExpected {
		return "what it expects in all is not what its waves come to"
	}
	return ""
}

// expectedContradiction returns why what the step expects cannot be right, "" if it can.
func (s *Step) expectedContradiction() string {
	switch unknown := s.ExpectedFrom == 0; {
	case s.ExpectedFrom < 0,
		s.ExpectedStaging < 0 || s.ExpectedStaging > s.ExpectedDuration,
		s.ExpectedDuration > s.WorstDuration,
		unknown != (s.ExpectedDuration == 0), unknown && s.ExpectedScaled,
		s.ExpectedStaging > 0 && s.Waves.Stage == 0:
		return "what it expects of its time does not fit together"
	}
	return ""
}

// WholeSeconds rounds a time up to whole seconds: what takes some time takes at least one.
func WholeSeconds(d time.Duration) Duration {
	return Duration((d + time.Second - 1).Truncate(time.Second))
}

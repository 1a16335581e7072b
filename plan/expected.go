package plan

import (
	"slices"
	"time"
)

// Expected is how long something is expected to take, judging by earlier runs. The zero value is
// unknown.
type Expected struct {
	Time Duration
	// Runs is how many runs it rests on: the fewest of any part that adds up to it.
	Runs int
}

// Known reports whether the expectation is known.
func (e Expected) Known() bool { return e.Runs > 0 }

// Then returns how long two things are expected to take one after the other, with a wait
// between them; unknown if one of them is.
func (e Expected) Then(wait Duration, o Expected) Expected {
	if !e.Known() || !o.Known() {
		return Expected{}
	}
	return Expected{e.Time + wait + o.Time, min(e.Runs, o.Runs)}
}

// Expected returns how long all hops of a step are expected to take.
func (s *Step) Expected() Expected { return Expected{s.ExpectedDuration, s.ExpectedFrom} }

// ExpectedIn returns how long a wave is expected to spend on a step: never longer than the step may take at most.
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
	// Expected and Worst are those of each wave, in the order of Waves, without soaks.
	Expected []Expected
	Worst    []Duration
	// TotalExpected and TotalWorst are for all waves and the soaks between them, without waiting
	// for windows and people.
	TotalExpected Expected
	TotalWorst    Duration
}

// Times returns how long the waves are expected to take, and may take at most. The expectation of a wave is unknown if
// that of one of its steps is, and the total is unknown if that of a wave is.
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

// Part returns the plan with only the steps of one host and some of the waves. If some of their work was done before,
// their expectation is unknown.
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

// expectedRuns returns how many runs the expectation of each wave rests on, in the order of Waves; 0 if it is unknown.
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

// SetExpected sets the expectations of the waves and of the plan from those of the steps.
func (p *Plan) SetExpected() {
	times := p.Times()
	for i, e := range times.Expected {
		p.Waves[i].ExpectedDuration, p.Waves[i].ExpectedFrom = e.Time, e.Runs
	}
	p.ExpectedDuration, p.ExpectedFrom = times.TotalExpected.Time, times.TotalExpected.Runs
}

// expectedContradiction returns why the plan's expectations cannot be right, "" if they can.
func (p *Plan) expectedContradiction() string {
	times := p.Times()
	for i, e := range times.Expected {
		if w := p.Waves[i]; (Expected{w.ExpectedDuration, w.ExpectedFrom}) != e {
			return "the time it expects of a wave is not what its steps add up to"
		}
	}
	if (Expected{p.ExpectedDuration, p.ExpectedFrom}) != times.TotalExpected {
		return "the time it expects in all is not what its waves add up to"
	}
	return ""
}

// expectedContradiction returns why the step's expectations cannot be right, "" if they can.
func (s *Step) expectedContradiction() string {
	switch unknown := s.ExpectedFrom == 0; {
	case s.ExpectedFrom < 0,
		s.ExpectedStaging < 0 || s.ExpectedStaging > s.ExpectedDuration,
		s.ExpectedDuration > s.WorstDuration,
		unknown != (s.ExpectedDuration == 0), unknown && s.ExpectedScaled,
		s.ExpectedStaging > 0 && s.Waves.Stage == 0:
		return "the times it expects do not fit together"
	}
	return ""
}

// WholeSeconds rounds a time up to whole seconds.
func WholeSeconds(d time.Duration) Duration {
	return Duration((d + time.Second - 1).Truncate(time.Second))
}

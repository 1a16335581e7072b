package plan

import (
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

// and returns an expectation of two things one after the other; unknown if one of them is.
func (e Expected) and(o Expected) Expected {
	if !e.Known() || !o.Known() {
		return Expected{}
	}
	return Expected{e.Time + o.Time, min(e.Runs, o.Runs)}
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
	for i := range p.Waves {
		if i == 0 {
			t.TotalExpected = t.Expected[0]
		} else {
			t.TotalExpected = t.TotalExpected.and(t.Expected[i])
		}
		t.TotalWorst += t.Worst[i]
		if i < len(p.Waves)-1 {
			t.TotalWorst += p.Waves[i].Soak
			if t.TotalExpected.Known() {
				t.TotalExpected.Time += p.Waves[i].Soak
			}
		}
	}
	return t
}

// expectedRuns returns how many runs the expectation of each wave rests on, 0 if it is unknown. The result is in the
// order of Waves.
func (p *Plan) expectedRuns() []int {
	runs, unknown := make([]int, len(p.Waves)), make([]bool, len(p.Waves))
	for k := range p.Steps {
		s := &p.Steps[k]
		for _, number := range []int{s.Waves.Stage, s.Waves.Reset} {
			i := number - 1 // contradiction refuses plans with other numbers
			switch {
			case i < 0 || i >= len(p.Waves):
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

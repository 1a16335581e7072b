package plan

import (
	"slices"
	"time"
)

// Standing is how far a run has come with a plan.
type Standing struct {
	// Wave is the number of the wave that goes on, 0 if none has begun.
	Wave int
	// Until is when the soak of that wave ends; zero while none goes on.
	Until time.Time
	// Over reports whether nothing is left to do of a step in that wave or a later one.
	Over func(s *Step, w Wave) bool
	// Spent returns how long the wave has worked on a step, 0 if it has not begun with it.
	Spent func(s *Step) time.Duration
}

// Outlook is when a run is expected to end, and when it ends at the latest; zero if that is unknown.
type Outlook struct{ Expected, Latest time.Time }

// Outlook returns when a run that has come this far at a time will end: with the windows that it waits for, and the
// soaks. Both ends are unknown if it waits for a person, or if a window may close before all of a wave has begun.
func (p *Plan) Outlook(now time.Time, at Standing) Outlook {
	left := *p
	left.Waves = p.Waves[max(0, slices.IndexFunc(p.Waves, func(w Wave) bool { return w.Number == at.Wave })):]
	unknown := map[int]bool{}
	work := make(map[int]*waveLeft, len(left.Waves))
	for i := range p.Steps {
		s := &p.Steps[i]
		for _, w := range left.Waves {
			if !s.In(w) || at.Over(s, w) {
				continue
			}
			if work[w.Number] == nil {
				work[w.Number] = &waveLeft{}
			}
			work[w.Number].add(s, w, at)
			unknown[w.Number] = unknown[w.Number] || !s.ExpectedIn(w).Known()
		}
	}
	remains := func(takes func(*Step, Wave) Duration) []Duration {
		return left.spread(func(s *Step, w Wave) Duration {
			if !s.In(w) || at.Over(s, w) {
				return 0
			}
			return max(0, takes(s, w)-Duration(at.spentIn(s, w)))
		})
	}
	expected := remains(func(s *Step, w Wave) Duration { return s.ExpectedIn(w).Time })
	worst := remains((*Step).WorstIn)
	o := Outlook{Latest: left.endOf(now, at, work, worst)}
	if !slices.ContainsFunc(left.Waves, func(w Wave) bool { return unknown[w.Number] }) {
		o.Expected = left.endOf(now, at, work, expected)
	}
	return o
}

// spentIn returns how long a wave has worked on a step.
func (at Standing) spentIn(s *Step, w Wave) time.Duration {
	if w.Number != at.Wave {
		return 0
	}
	return at.Spent(s)
}

// waveLeft is what is left to do in a wave.
type waveLeft struct {
	// longest is the most that one step which has not begun may take; 0 if all have begun.
	longest Duration
}

func (l *waveLeft) add(s *Step, w Wave, at Standing) {
	if at.spentIn(s, w) == 0 {
		l.longest = max(l.longest, s.WorstIn(w))
	}
}

// endOf returns when the waves end if each takes so long, zero if that is unknown.
func (p *Plan) endOf(now time.Time, at Standing, work map[int]*waveLeft, takes []Duration) time.Time {
	end, soak := now, Duration(0)
	for i, w := range p.Waves {
		if w.Number == at.Wave && at.Until.After(end) {
			end = at.Until
		}
		if work[w.Number] == nil {
			continue
		}
		end = end.Add(time.Duration(soak))
		if w.PowerCycle {
			return time.Time{}
		}
		if longest := work[w.Number].longest; longest > 0 {
			o, err := p.Opening(w, end)
			if err != nil || !o.Now && o.Start.IsZero() {
				return time.Time{}
			}
			if !o.Now {
				end = o.Start
			}
			// The last is begun only if the window is open for as long as it may take.
			if !o.End.IsZero() && end.Add(time.Duration(takes[i]+longest)).After(o.End) {
				return time.Time{}
			}
		}
		end = end.Add(time.Duration(takes[i]))
		// Nothing waits for it if no wave follows.
		soak = w.Soak
	}
	return end
}

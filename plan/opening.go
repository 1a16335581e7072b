package plan

import (
	"fmt"
	"slices"
	"time"

	"fwctl/internal/window"
)

// Opening is when a wave may run.
type Opening struct {
	Now    bool      // it may run at the time that was asked about
	Window string    // the window that is open, or opens next; "" where the wave names none, so that it may run at any time
	Start  time.Time // in the window's time zone; zero where the wave names no window, or none of them opens any more
	End    time.Time // what has not been started by then has to wait; likewise
}

// Opening says whether a wave of the plan may run at a time, and until when, else
// when it may run next. Openings of several windows that meet or overlap are one.
//
// An error means that the plan lacks a window that the wave names, or that one of
// them says nothing; Build makes no such plan.
func (p *Plan) Opening(w Wave, at time.Time) (Opening, error) {
	if len(w.Windows) == 0 {
		return Opening{Now: true}, nil
	}
	all, err := p.schedules(w)
	if err != nil {
		return Opening{}, err
	}
	union := window.Union(all...)
	interval, now := union.Open(at)
	if !now {
		var ok bool
		if interval, ok = union.Next(at); !ok {
			return Opening{Window: w.Windows[0]}, nil
		}
		at = interval.Start
	}
	o := Opening{Now: now, Start: interval.Start, End: interval.End}
	i := slices.IndexFunc(all, func(s *window.Schedule) bool { _, ok := s.Open(at); return ok })
	o.Window = w.Windows[i]
	return o, nil
}

// schedules are the windows of a wave.
func (p *Plan) schedules(w Wave) ([]*window.Schedule, error) {
	var all []*window.Schedule
	for _, name := range w.Windows {
		win, ok := p.Windows[name]
		if !ok {
			return nil, fmt.Errorf("cannot tell when wave %d may run: the plan has no window %q", w.Number, name)
		}
		s, err := window.Compile(win)
		if err != nil {
			return nil, fmt.Errorf("cannot tell when wave %d may run: window %s: %w", w.Number, name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// WorstIn bounds the time that a wave spends on a step, 0 where it does not.
func (s *Step) WorstIn(w Wave) Duration {
	staging, again := Duration(0), false
	if s.Waves.Stage != 0 && len(s.Hops) > 0 {
		only := s.Hops[0]
		only.Modes, only.Activation = only.Deferring(), Manual
		staging, again = worstDuration(only), s.Hops[0].MayReset()
	}
	switch w.Number {
	case s.Waves.Stage:
		return staging
	case s.Waves.Reset:
		if again {
			return s.WorstDuration // the fallback sends it all once more
		}
		return max(s.WorstDuration-staging, Duration(time.Minute))
	}
	return 0
}

// Worst bounds the time of each wave, soaks not counted: an enclosure is worked on
// by one step after the other, and as many enclosures at a time as the rollout
// permits; those of which it cannot be told what they share are reset alone. The
// result is in the order of Waves.
func (p *Plan) Worst() []Duration {
	type job struct {
		enclosure string
		needs     Duration
		alone     bool
	}
	index := map[int]int{}
	for i, w := range p.Waves {
		index[w.Number] = i
	}
	jobs := make([][]job, len(p.Waves)) // as they are started: steps are sorted by address, those of an enclosure together
	for k := range p.Steps {
		s := &p.Steps[k]
		for _, number := range slices.Compact([]int{s.Waves.Stage, s.Waves.Reset}) {
			i, ok := index[number]
			if !ok {
				continue
			}
			if last := len(jobs[i]) - 1; last < 0 || jobs[i][last].enclosure != s.Enclosure {
				jobs[i] = append(jobs[i], job{enclosure: s.Enclosure})
			}
			j := &jobs[i][len(jobs[i])-1]
			j.needs += s.WorstIn(p.Waves[i])
			j.alone = j.alone || p.Waves[i].Kind == ResetWave && s.FaultDomain == 0
		}
	}
	worst := make([]Duration, len(p.Waves))
	for i := range p.Waves {
		// When each of those that work is free: there are no more than jobs.
		ends := make([]Duration, max(min(p.Rollout.MaxParallel, len(jobs[i])), 1))
		for _, j := range jobs[i] {
			if j.alone {
				worst[i] += j.needs
				continue
			}
			first := slices.Index(ends, slices.Min(ends))
			ends[first] += j.needs
		}
		worst[i] += slices.Max(ends)
	}
	return worst
}

// windowWarnings are about waves that may not be done within one opening.
func (p *Plan) windowWarnings() []string {
	var warnings []string
	worst := p.Worst()
	for i, w := range p.Waves {
		longest, name := Duration(0), ""
		for _, n := range slices.Sorted(slices.Values(w.Windows)) {
			if d, err := time.ParseDuration(p.Windows[n].Duration); err == nil && Duration(d) > longest {
				longest, name = Duration(d), n
			}
		}
		if name != "" && worst[i] > longest {
			warnings = append(warnings, fmt.Sprintf("wave %d may need %s, and %s is open for %s: what has not been started when it closes waits for the next opening", w.Number, worst[i], name, longest))
		}
	}
	return warnings
}

package plan

import (
	"fmt"
	"slices"
	"time"

	"fwctl/internal/window"
)

// Opening is when a wave may run.
type Opening struct {
	// Now: it may run at the time that was asked about.
	Now bool
	// Window is the one that is open, or opens next; "" if the wave names none, so that it may run at
	// any time.
	Window string
	// Start is in the window's time zone; zero if the wave names no window, or none of them opens any
	// more.
	Start time.Time
	// End is when it closes. Work that has not been started by then has to wait; zero likewise.
	End time.Time
}

// Opening returns whether a wave of the plan may run at a time, and until when; if it may not,
// when it may run next. Openings of several windows that meet or overlap are one.
//
// An error means that the plan lacks a window that the wave names, or that a window cannot be
// read; Build makes no such plan.
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

// schedules returns the windows of a wave.
func (p *Plan) schedules(w Wave) ([]*window.Schedule, error) {
	var all []*window.Schedule
	for _, name := range w.Windows {
		win, ok := p.Windows[name]
		if !ok {
			return nil, fmt.Errorf("cannot find out when wave %d may run: the plan has no window %q", w.Number, name)
		}
		s, err := window.Compile(win)
		if err != nil {
			return nil, fmt.Errorf("cannot find out when wave %d may run: window %s: %w", w.Number, name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

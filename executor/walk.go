package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
)

// walk works on everything that a wave has to do, one component after the other.
func (r *run) walk(ctx context.Context, wave plan.Wave) {
	due := slices.DeleteFunc(r.local(), func(s *stepRun) bool { return s.task(wave) == "" })
	if len(due) == 0 || r.halted() {
		return
	}
	r.event(Event{Type: EventWave, Wave: wave.Number})
	inv, err := r.scan()
	if err != nil {
		if !r.halted() {
			r.stopped, r.faulty = err.Error(), true
		}
		return
	}
	for _, group := range byEnclosure(due) {
		if r.halted() {
			return
		}
		r.visit(ctx, wave, group, inv)
	}
}

// visit works on the components of one enclosure.
func (r *run) visit(ctx context.Context, wave plan.Wave, group []*stepRun, inv *inventory.Inventory) {
	enclosure := group[0].step.Enclosure
	if r.broken[enclosure] != "" {
		return
	}
	held, err := hold(r.until, r.Machine, enclosure, group[0].want.esps, inv)
	if moved := (*movedError)(nil); errors.As(err, &moved) { // since the wave began
		if inv, err = r.scan(); err == nil {
			held, err = hold(r.until, r.Machine, enclosure, group[0].want.esps, inv)
		}
	}
	if err != nil {
		if !r.halted() {
			r.turnDown(ctx, group[0], group[0].cannot(err))
		}
		return
	}
	defer held.close()
	for _, s := range group {
		if r.halted() || r.broken[enclosure] != "" || !r.inWindow(wave) {
			return
		}
		r.work(ctx, held, wave, s)
	}
}

// inWindow tells whether a wave may start something at this moment. What runs
// when its window closes is brought to its end.
func (r *run) inWindow(wave plan.Wave) bool {
	if r.IgnoreWindow != "" {
		return true
	}
	opening, err := r.Plan.Opening(wave, time.Now())
	switch {
	case err != nil:
		r.stopped = err.Error()
	case !opening.Now:
		r.stopped = fmt.Sprintf("the maintenance window of wave %d is closed", wave.Number)
	default:
		return true
	}
	r.faulty = true
	return false
}

// halted tells whether anything new may be started.
func (r *run) halted() bool {
	if r.until.Err() != nil && r.stopped == "" {
		r.stopped = interruption
	}
	return r.stopped != ""
}

const interruption = "interrupted"

// task is what a step has to do in a wave; "" for nothing.
func (s *stepRun) task(wave plan.Wave) Trigger {
	hop := s.current()
	switch {
	case wave.Number != s.step.Waves.Stage && wave.Number != s.step.Waves.Reset:
		return ""
	case s.want.staged == hop.Image.SHA256:
		if wave.Kind == plan.ResetWave && activates(hop) && !s.dormant {
			return Activate
		}
		return ""
	case s.nextMode(wave) == "":
		return ""
	}
	return Send
}

// nextMode is the mode that a wave tries next: e first, 7 in a reset wave alone.
func (s *stepRun) nextMode(wave plan.Wave) plan.Mode {
	for _, m := range s.current().Modes {
		if m == plan.ModeE && !s.refused || m == plan.Mode7 && wave.Kind == plan.ResetWave {
			return m
		}
	}
	return ""
}

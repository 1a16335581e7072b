package result

import (
	"slices"

	"fwctl/internal/state"
	"fwctl/plan"
)

// Remaining is what is left to do of a run that did not come to its end, as its store has
// it. No device was asked: where the store does not say how something ended, what is left
// is what disturbs more.
type Remaining struct {
	Run *state.Run

	// Plan is the run's plan with only the steps and waves that have something left to do.
	Plan *plan.Plan

	// Components are all that the run is about, by address.
	Components []RemainingStep

	// Owed are the steps whose command after a reset was not run, or did not end: it is run
	// before anything else.
	Owed []plan.Step
}

// RemainingStep is one component of a run that did not come to its end.
type RemainingStep struct {
	// Step is what the plan does with it.
	Step plan.Step

	// Record is how far the run got with it; zero if it had not begun.
	Record state.Step

	// Open is the first effect of which no end is recorded; nil if there is none.
	Open *state.Intent

	// Left is Step with what is left to do of it. It has no hops if that is nothing.
	Left plan.Step
}

// Unclear reports whether an effect has no recorded end. What it left is brought to its
// end whatever the time, even if no window is open.
func (r *Remaining) Unclear() bool {
	return slices.ContainsFunc(r.Components, func(c RemainingStep) bool { return c.Open != nil })
}

// Process is what is known of the process that carries out a run that has no end.
type Process string

const (
	// ProcessRunning: it holds the lock of an enclosure.
	ProcessRunning Process = "running"
	// ProcessGone: there is no such process. It was killed, or the host went down.
	ProcessGone Process = "gone"
	// ProcessUnclear: it is unknown whether it goes on.
	ProcessUnclear Process = "unclear"
)

package result

import (
	"slices"

	"fwctl/internal/state"
	"fwctl/plan"
)

// Remaining is what is left to do of a run that did not come to its end, by its store. No
// device was asked: if the store does not say how something ended, the more disruptive case
// is taken.
type Remaining struct {
	Run *state.Run

	// Plan is the run's plan with only the steps and waves that have something left to do.
	Plan *plan.Plan

	// Components are all that the run is about, by address.
	Components []RemainingStep

	// Owed are the steps whose command after a reset was not run, or did not end: a resumption
	// runs it before anything else.
	Owed []plan.Step
}

// RemainingStep is one component of a run that did not come to its end.
type RemainingStep struct {
	// Step is what the plan does with it.
	Step plan.Step

	// Record is how far the run got with it; zero if it had not begun.
	Record state.Step

	// Open is the first effect that has no recorded end; nil if there is none.
	Open *state.Intent

	// Left is Step with only what is left to do of it. It has no hops if nothing is.
	Left plan.Step
}

// Unclear reports whether an effect has no recorded end. What it left under way is brought to
// its end even if no window is open.
func (r *Remaining) Unclear() bool {
	return slices.ContainsFunc(r.Components, func(c RemainingStep) bool { return c.Open != nil })
}

// Process is what is known of the process of a run that has not ended.
type Process string

const (
	// ProcessRunning: it holds the lock of an enclosure.
	ProcessRunning Process = "running"
	// ProcessGone: there is no such process. It was killed, or the host went down.
	ProcessGone Process = "gone"
	// ProcessUnclear: it is unknown whether it goes on.
	ProcessUnclear Process = "unclear"
)

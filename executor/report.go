package executor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/plan"
)

func (r *run) event(e result.Event) {
	if r.Observer == nil {
		return
	}
	r.observing.Lock()
	defer r.observing.Unlock()
	e.Time = time.Now()
	r.Observer(e)
}

// begun reports that the run is on record, and begins or is resumed.
func (r *run) begun() {
	r.event(result.Event{Type: result.EventBegun, Run: r.id, Components: len(r.here())})
}

// about returns an event with the component and hop that it is about.
func (c *component) about(e result.Event) result.Event {
	e.Address, e.Name, e.Hop, e.Hops = c.step.Address, c.step.Name, c.is.Hop+1, len(c.step.Hops)
	return e
}

// report sends the observer what a step's event means to people.
func (r *run) report(c *component, on step.Kind) {
	is := c.is
	switch {
	case on == step.ModeRefused && is.State == step.Pending:
		r.event(c.about(result.Event{Type: result.EventRefusedMode, Mode: plan.ModeE, Reason: is.Reason}))
	case on == step.Defer:
		r.event(c.about(result.Event{
			Type: result.EventStaged, Mode: is.Mode, Revision: is.Runs, Confirmed: &is.Confirmed, Reason: is.Reason,
		}))
	case on == step.Confirm:
		r.event(c.about(result.Event{
			Type: result.EventVerified, Revision: is.Runs, Confirmed: &is.Confirmed, Reason: is.Reason,
		}))
	}
	if is.State.Ended() { // Done is not among these: it is checked once more first
		r.finished(c, c.result())
	}
}

func (r *run) finished(c *component, sr result.Step) {
	r.event(c.about(result.Event{
		Type: result.EventFinished, Mode: sr.Mode, Revision: sr.Revision, Confirmed: &sr.Confirmed, Outcome: sr.Outcome,
		NeedsPerson: sr.NeedsPerson, Reason: sr.Reason,
	}))
}

func (c *component) result() result.Step {
	is := c.is
	sum := result.Step{
		Address: c.step.Address, Name: c.step.Name, Outcome: outcomeOf(is.State), Confirmed: is.Confirmed,
		Revision: is.Runs,
		Mode:     cmp.Or(is.Downloads[is.Hop], is.Mode, is.Downloads[max(0, is.Hop-1)]),
		Reason:   is.Reason, NeedsPerson: is.NeedsPerson(),
	}
	if begun := is.Begun(); len(begun) > 1 {
		sum.Modes = begun
	}
	return sum
}

// account stops what must not be started, now that a component has come to its state.
func (r *run) account(c *component) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = r.stops.After(r.Plan, c.scheduled())
}

// notLookedAt reports whether a killed run was in the middle of a step, and this run has
// not looked at it yet.
func (c *component) notLookedAt() bool { return c.is.State == step.Pending && len(c.is.Open) > 0 }

// holdsForPerson reports whether it holds an image that the plan wanted started by a
// command, and that only a person can start.
func (c *component) holdsForPerson() bool { return c.hop().ByCommand() && c.is.Dormant(c.step) }

// untouched returns why a component was not started, or its staged image not activated;
// "" if the run did not stop.
func (r *run) untouched(c *component) string {
	why := cmp.Or(r.stops.Off(c.step), r.stops.Why)
	missed := "started"
	if c.is.State == step.Staged {
		missed = "activated"
	}
	switch {
	case r.why != "":
		return fmt.Sprintf("not %s, because the run was refused", missed)
	case why == schedule.Interrupted:
		return fmt.Sprintf("interrupted before it was %s", missed)
	case why != "":
		return fmt.Sprintf("not %s, because %s", missed, why)
	}
	return ""
}

// awaits returns the wave that continues with a component, if the run was not for that wave,
// and says so in words. It returns 0 if nothing is left to do, or if something else stands
// in the way.
func (r *run) awaits(c *component) (wave int, why string) {
	if !r.isHere(c) || !c.is.State.Waits() || cmp.Or(c.heldBack, r.untouched(c)) != "" {
		return 0, ""
	}
	for _, w := range r.Plan.Waves {
		if !r.Selects(w) && c.task(w) != step.Idle {
			return w.Number, fmt.Sprintf("it waits for wave %d (%s)", w.Number, w.Kind)
		}
	}
	return 0, ""
}

// result sums up all components, and reports as finished those that have not ended.
func (r *run) result() *result.Result {
	sum := &result.Result{Outcome: result.RunDone, Steps: []result.Step{}}
	waiting, dormant := 0, 0
	for _, c := range r.components {
		sr := c.result()
		wave, waits := r.awaits(c)
		sr.Waits = wave
		switch {
		case !r.isHere(c):
		case c.notLookedAt():
			sr.Outcome = result.OutcomeUnknown
			sr.Reason = "a run was broken off in the middle of its work on it, and it could not be looked at: " +
				"do not reset or power-cycle it, and run fwctl resume again"
			sum.Outcome = result.RunUnknown
		case c.is.State == step.Pending:
			if c.holdsForPerson() { // staged by an earlier run of this plan
				sr.Outcome, sr.Confirmed = result.OutcomeStaged, c.is.Holds.Confirmed
				dormant++
			} else {
				waiting++
			}
			sr.Reason = joined(c.is.Reason, cmp.Or(c.heldBack, r.untouched(c), waits))
		case c.is.State == step.Staged && !c.is.Dormant(c.step) && c.hop().ByCommand():
			dormant++
			sr.Reason = joined(c.is.Reason, cmp.Or(c.heldBack, r.untouched(c), waits))
		case c.is.State == step.Staged:
			if r.outcome(c) == result.RunStopped {
				dormant++
			}
			sr.Reason = joined(c.is.Reason, cmp.Or(c.heldBack, waits))
		}
		sum.Steps = append(sum.Steps, sr)
		if !c.is.State.Ended() && r.isHere(c) {
			r.finished(c, sr)
		}
		sum.Outcome = result.Worse(sum.Outcome, r.outcome(c))
	}
	sum.Outcome = result.Worse(sum.Outcome, r.stops.Ending)
	if r.why != "" {
		sum.Outcome = result.Worse(sum.Outcome, result.RunRefused)
	}
	if sum.Outcome == result.RunRefused {
		r.refuse()
		sum.Refusal = r.refusal
	}
	if sum.Outcome != result.RunDone {
		sum.Reason = cmp.Or(r.why, r.stopped(waiting, dormant))
	}
	return sum
}

// joined returns the reasons that are not empty as one.
func joined(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(reasons, func(r string) bool { return r == "" }), "; ")
}

// leave returns what is known when a person cannot wait any longer. The work goes on, and
// this process does not hear how it ends.
func (r *run) leave() *result.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := &result.Result{Outcome: result.RunUnknown, Left: true, Steps: []result.Step{}}
	for _, c := range r.components {
		sr := c.seen
		if sr.Outcome == result.OutcomeUnknown && sr.Reason == "" {
			sr.Reason = "left while it was being worked on: do not reset or power-cycle it, and run fwctl resume"
		}
		sum.Steps = append(sum.Steps, sr)
	}
	sum.Reason = "left at once, as requested: what became of the work under way is unknown, and fwctl resume finds out"
	return sum
}

// stopped returns why the run stopped, how many components it did not start, and how many
// it left staged and did not activate.
func (r *run) stopped(waiting, dormant int) string {
	var left []string
	for _, l := range []struct {
		n    int
		what string
	}{{waiting, "started"}, {dormant, "activated"}} {
		switch {
		case l.n == 1:
			left = append(left, "1 component was not "+l.what)
		case l.n > 1:
			left = append(left, fmt.Sprintf("%d components were not %s", l.n, l.what))
		}
	}
	switch {
	case r.stops.Why != schedule.Interrupted:
	case !r.wrote:
		left = append(left, "nothing was written")
	case len(left) == 0:
		left = append(left, "what had been started was brought to its end")
	}
	return strings.Trim(r.stops.Why+": "+strings.Join(left, ", "), ": ")
}

// outcomeOf returns how a component in a state has ended, when its run ends.
func outcomeOf(s step.State) result.Outcome {
	if s == step.Pending {
		return result.OutcomeSkipped
	}
	return cmp.Or(result.OutcomeOf(s), result.OutcomeUnknown)
}

// outcome returns how the whole run ended, as far as one component decides that.
func (r *run) outcome(c *component) result.RunOutcome {
	switch {
	case c.is.NeedsPerson(), outcomeOf(c.is.State) == result.OutcomeUnknown:
		return result.RunUnknown
	case c.is.State == step.Aborted:
		return result.RunInterrupted
	case outcomeOf(c.is.State) == result.OutcomeFailed, c.is.State == step.Refused && r.wrote:
		return result.RunFailed
	case !c.is.Confirmed && c.is.LeftToPerson(c.step), c.is.State == step.Pending && c.holdsForPerson():
		return result.RunStopped
	case c.is.State == step.Refused:
		return result.RunRefused
	}
	return result.RunDone
}

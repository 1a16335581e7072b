package executor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/plan"
)

func (r *run) event(e Event) {
	if r.Observer == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	e.Time = time.Now()
	r.Observer(e)
}

// about adds to an event which component and hop it is about.
func (s *stepRun) about(e Event) Event {
	e.Address, e.Hop, e.Hops = s.step.Address, s.hop+1, len(s.step.Hops)
	return e
}

// report tells what a transition means to those who watch.
func (r *run) report(s *stepRun, t Trigger) {
	confirmed := s.confirmed
	switch t {
	case Postpone:
		r.event(s.about(Event{Type: EventRefusedMode, Mode: plan.ModeE, Reason: s.reason}))
	case Defer:
		r.event(s.about(Event{Type: EventStaged, Mode: s.mode, Revision: s.revision, Confirmed: &confirmed, Reason: s.reason}))
	case Confirm:
		r.event(s.about(Event{Type: EventVerified, Revision: s.revision, Confirmed: &confirmed, Reason: s.reason}))
	}
	switch s.state { // what is Done is looked at once more before the run tells its end
	case Refused, Unchanged, Failed, Aborted, Unknown:
	default:
		return
	}
	r.finished(s, s.result())
}

func (r *run) finished(s *stepRun, sr StepResult) {
	s.told = true
	r.event(s.about(Event{Type: EventFinished, Mode: sr.Mode, Revision: sr.Revision, Confirmed: &sr.Confirmed, Outcome: sr.Outcome, Reason: sr.Reason}))
}

func (s *stepRun) result() StepResult {
	return StepResult{
		Address: s.step.Address, Outcome: outcome(s.state), Confirmed: s.confirmed, Mode: cmp.Or(s.sent[s.hop], s.mode, s.sent[max(0, s.hop-1)]), Modes: s.modes(),
		Revision: s.revision, Reason: s.reason, NeedsPerson: s.needsPerson,
	}
}

// modes are those of the hops that were begun, where these are more than one.
func (s *stepRun) modes() []plan.Mode {
	begun := s.hop
	if s.sent[s.hop] != "" {
		begun++
	}
	if begun < 2 {
		return nil
	}
	return slices.Clone(s.sent[:begun])
}

// leftOut says, of what has just been staged, that the plan was to start it in
// this run and why that is left to a person; "" where all went as planned.
func (s *stepRun) leftOut() string {
	hop := s.current()
	switch {
	case !activates(hop) && hop.Defers(s.mode), !s.dormant && activates(hop):
		return ""
	case !s.confirmed:
		return "; its activation was planned and is left out, because the image may be incomplete" + byPowerCycle
	case s.dormant:
		return "; it was planned to start now, and mode 0Fh does not start it" + byPowerCycle
	}
	return "; it was planned to start now, and the device waits to be told" + byPowerCycle
}

// byPowerCycle is what a person has to do about an image that no command starts.
const byPowerCycle = ": power-cycle the enclosure when its drives are not in use, and see what it runs then"

// account draws the conclusions of a step that went wrong: nothing else of its
// fault domain is touched, and after too many of them nothing else at all. A
// canary that goes wrong is one too many.
func (r *run) account(s *stepRun) {
	switch s.state {
	case Failed, Aborted, Unknown, Refused:
	default:
		return
	}
	if s.state == Aborted && s.withdrawn { // as was asked
		r.stop(interruption, RunInterrupted)
		return
	}
	r.wentWrong(s, s.step.Address+" went wrong")
}

// wentWrong draws these conclusions.
func (r *run) wentWrong(s *stepRun, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken[s.step.FaultDomain] = why
	if s.state == Unknown && s.step.FaultDomain != 0 {
		r.broken[0] = s.step.Address + " may be resetting, and nobody can tell what shares drives with what"
	}
	r.failures++
	canary := slices.ContainsFunc(r.Plan.Waves, func(w plan.Wave) bool { return w.Canary && s.step.In(w) })
	switch limit := r.Plan.Rollout.MaxFailures; {
	case s.needsPerson:
		r.stopped = s.step.Address + " needs a person first"
	case s.state == Unknown && s.step.FaultDomain == 0:
		r.stopped = cmp.Or(r.stopped, s.step.Address+" may be resetting, and nobody can tell what shares drives with it")
	case canary:
		r.stopped = cmp.Or(r.stopped, why+", and it is a canary")
	case r.failures > limit:
		r.stopped = cmp.Or(r.stopped, fmt.Sprintf("%s and the plan allows %d failures", why, limit))
	}
}

// unseen tells whether a killed run was in the middle of a step, and this one has
// not got as far as to look at it.
func (s *stepRun) unseen() bool { return s.state == Pending && len(s.intents) > 0 }

// untouched is why a step was not started, or what it holds staged not activated.
func (r *run) untouched(s *stepRun) string {
	why := cmp.Or(r.broken[s.step.FaultDomain], r.stopped)
	missed := "started"
	if s.state == Staged {
		missed = "activated"
	}
	switch {
	case r.why != "":
		return fmt.Sprintf("not %s, because the run was refused", missed)
	case why == interruption:
		return fmt.Sprintf("interrupted before it was %s", missed)
	case why != "":
		return fmt.Sprintf("not %s, because %s", missed, why)
	}
	return ""
}

// awaits is the wave that goes on with a step where the run was not for that, and
// says so; 0 where nothing is left to do, or something else stands in the way.
func (r *run) awaits(s *stepRun) (wave int, why string) {
	if s.step.Host != r.Machine.Hostname() || s.state != Pending && s.state != Staged || cmp.Or(s.left, r.untouched(s)) != "" {
		return 0, ""
	}
	for _, w := range r.Plan.Waves {
		if !r.Selects(w) && s.task(w) != "" {
			return w.Number, fmt.Sprintf("it waits for wave %d (%s)", w.Number, w.Kind)
		}
	}
	return 0, ""
}

// result sums up where all steps stand, and tells it.
func (r *run) result() *Result {
	result := &Result{Outcome: RunDone, Steps: []StepResult{}}
	waiting, dormant := 0, 0
	for _, s := range r.steps {
		sr := s.result()
		wave, waits := r.awaits(s)
		sr.Waits = wave
		switch {
		case s.step.Host != r.Machine.Hostname():
		case s.unseen():
			sr.Outcome, sr.Reason = OutcomeUnknown, "a run was broken off in the middle of its work on it, and it could not be looked at: do not reset or power-cycle it, and run fwctl resume again"
			result.Outcome = RunUnknown
		case s.state == Pending:
			if s.dormant {
				dormant++
			} else {
				waiting++
			}
			sr.Reason = joined(s.reason, cmp.Or(s.left, r.untouched(s), waits))
		case s.state == Staged && !s.dormant && activates(s.current()):
			dormant++
			sr.Reason = joined(s.reason, cmp.Or(s.left, r.untouched(s), waits))
		case s.state == Staged:
			if r.outcome(s) == RunStopped {
				dormant++
			}
			sr.Reason = joined(s.reason, cmp.Or(s.left, waits))
		}
		result.Steps = append(result.Steps, sr)
		if !s.told && s.step.Host == r.Machine.Hostname() {
			r.finished(s, sr)
		}
		result.Outcome = worse(result.Outcome, r.outcome(s))
	}
	result.Outcome = worse(result.Outcome, r.ending)
	if r.why != "" {
		result.Outcome = worse(result.Outcome, RunRefused)
	}
	if result.Outcome == RunRefused {
		r.refuse()
		result.Refusal = r.refusal
	}
	if result.Outcome != RunDone {
		result.Reason = cmp.Or(r.why, r.whole(waiting, dormant))
	}
	if result.Outcome == RunStopped {
		result.Commands = r.commandsLeft()
	}
	return result
}

// joined are reasons, those that there are, one after the other.
func joined(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(reasons, func(r string) bool { return r == "" }), "; ")
}

// leave is what is known at the moment when somebody cannot wait any longer. What
// is under way goes on, and nobody here will hear how it ends.
func (r *run) leave() *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := &Result{Outcome: RunUnknown, Left: true, Steps: []StepResult{}}
	for _, s := range r.steps {
		sr := s.seen
		if sr.Outcome == OutcomeUnknown && sr.Reason == "" {
			sr.Reason = "left while it was being worked on: do not reset or power-cycle it, and run fwctl resume"
		}
		result.Steps = append(result.Steps, sr)
	}
	result.Reason = "left at once, as was asked: what was under way is not known, and fwctl resume finds it out"
	return result
}

// whole is why the run stopped, and how many components it left as they were,
// or staged and not activated.
func (r *run) whole(waiting, dormant int) string {
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
	case r.stopped != interruption:
	case !r.wrote:
		left = append(left, "nothing was written")
	case len(left) == 0:
		left = append(left, "what had been started was brought to its end")
	}
	return strings.Trim(r.stopped+": "+strings.Join(left, ", "), ": ")
}

// outcome is what a run that ends makes of where a step stands.
func outcome(s State) Outcome {
	if s == Pending {
		return OutcomeSkipped
	}
	return cmp.Or(s.Outcome(), OutcomeUnknown)
}

// outcome is what one step makes of the whole run.
func (r *run) outcome(s *stepRun) RunOutcome {
	switch {
	case s.needsPerson, outcome(s.state) == OutcomeUnknown:
		return RunUnknown
	case s.state == Aborted && s.withdrawn:
		return RunInterrupted
	case outcome(s.state) == OutcomeFailed, s.state == Refused && r.wrote:
		return RunFailed
	case s.state == Staged && !s.confirmed && s.leftOut() != "", s.state == Pending && s.dormant:
		return RunStopped
	case s.state == Refused:
		return RunRefused
	}
	return RunDone
}

// worse is the one of two outcomes that stands for both.
func worse(a, b RunOutcome) RunOutcome {
	for _, o := range []RunOutcome{RunUnknown, RunFailed, RunInterrupted, RunRefused, RunStopped} {
		if a == o || b == o {
			return o
		}
	}
	return RunDone
}

package schedule

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/plan"
)

// Interrupted is Stops.Why of a run that was asked to stop.
const Interrupted = "interrupted"

// Stops are what keeps a run from starting anything new.
type Stops struct {
	// Why is the reason to start nothing at all; "" for none.
	Why string
	// Broken are the reasons to touch nothing of a fault domain.
	Broken map[int]string
	// Failures are the components that went wrong, and the commands around them.
	Failures int
	// Ending is what the run itself makes of its outcome, whatever its components do.
	Ending result.RunOutcome
}

// Stop starts nothing new.
func (s Stops) Stop(why string, ending result.RunOutcome) Stops {
	s.Why, s.Ending = cmp.Or(s.Why, why), result.Worse(s.Ending, ending)
	return s
}

// BreakOff touches nothing else of a fault domain.
func (s Stops) BreakOff(domain int, why string) Stops {
	s = s.broken(domain, why)
	s.Ending = result.Worse(s.Ending, result.RunFailed)
	return s
}

func (s Stops) broken(domain int, why string) Stops {
	s.Broken = maps.Clone(s.Broken)
	if s.Broken == nil {
		s.Broken = map[int]string{}
	}
	s.Broken[domain] = why
	return s
}

// After draws the conclusions of where a component has come to.
func (s Stops) After(p *plan.Plan, c Component) Stops {
	switch c.Is.State {
	case step.Aborted: // as was asked
		return s.Stop(Interrupted, result.RunInterrupted)
	case step.Failed, step.Unknown, step.Refused:
		return s.WentWrong(p, c, c.Step.Address+" went wrong")
	}
	return s
}

// WentWrong draws the conclusions of something that went wrong with a component: nothing
// else of its fault domain is touched, and after too many of them nothing else at all. A
// canary that goes wrong is one too many.
func (s Stops) WentWrong(p *plan.Plan, c Component, why string) Stops {
	unknown := c.Is.State == step.Unknown
	s = s.broken(c.Step.FaultDomain, why)
	if unknown && c.Step.FaultDomain != 0 {
		s = s.broken(0, c.Step.Address+" may be resetting, and it is unknown what shares drives with what")
	}
	s.Failures++
	canary := slices.ContainsFunc(p.Waves, func(w plan.Wave) bool { return w.Canary && c.Step.In(w) })
	switch limit := p.Rollout.MaxFailures; {
	case c.Is.NeedsPerson():
		s.Why = c.Step.Address + " needs a person first"
	case unknown && c.Step.FaultDomain == 0:
		s.Why = cmp.Or(s.Why, c.Step.Address+" may be resetting, and it is unknown what shares drives with it")
	case canary:
		s.Why = cmp.Or(s.Why, why+", and it is a canary")
	case s.Failures > limit:
		s.Why = cmp.Or(s.Why, fmt.Sprintf("%s and the plan allows %d failures", why, limit))
	}
	return s
}

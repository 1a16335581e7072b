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
	// Broken are the reasons to touch nothing of a fault domain, by its number.
	Broken map[int]string
	// Beside are the reasons to touch nothing of an enclosure, by its identifier: a declared
	// fault domain ties it to one that went wrong, whatever their numbers.
	Beside map[string]string
	// Failures counts the components that went wrong, and the commands around them that did.
	Failures int
	// Ending is the best outcome that the run can still have, whatever its components do.
	Ending result.RunOutcome
}

// Stop returns s with a reason to start nothing new, and how the run ends then.
func (s Stops) Stop(why string, ending result.RunOutcome) Stops {
	s.Why, s.Ending = cmp.Or(s.Why, why), result.Worse(s.Ending, ending)
	return s
}

// Off returns why nothing of a step's fault domain is touched any more, "" if it may be.
func (s Stops) Off(c *plan.Step) string {
	return cmp.Or(s.Broken[c.FaultDomain], s.Beside[c.Enclosure])
}

// BreakOff returns s with a reason to touch nothing else of a step's fault domain.
func (s Stops) BreakOff(c *plan.Step, why string) Stops {
	s = s.broken(c, why)
	s.Ending = result.Worse(s.Ending, result.RunFailed)
	return s
}

func (s Stops) broken(c *plan.Step, why string) Stops {
	s.Broken = with(s.Broken, c.FaultDomain, why)
	for _, e := range c.Neighbours {
		s.Beside = with(s.Beside, e, why)
	}
	return s
}

// with returns a copy of reasons that has one more.
func with[K comparable](reasons map[K]string, key K, why string) map[K]string {
	reasons = maps.Clone(reasons)
	if reasons == nil {
		reasons = map[K]string{}
	}
	reasons[key] = why
	return reasons
}

// After returns s with what follows from the state that a component has come to.
func (s Stops) After(p *plan.Plan, c Component) Stops {
	switch c.Is.State {
	case step.Aborted: // as was asked
		return s.Stop(Interrupted, result.RunInterrupted)
	case step.Failed, step.Unknown, step.Refused:
		return s.WentWrong(p, c, c.Step.Called()+" went wrong")
	}
	return s
}

// WentWrong returns s with what follows from a failure of a component: nothing else of its
// fault domain is touched, and after too many failures nothing else at all. The failure of a
// canary is one too many.
func (s Stops) WentWrong(p *plan.Plan, c Component, why string) Stops {
	unknown := c.Is.State == step.Unknown
	s = s.broken(c.Step, why)
	if unknown && c.Step.FaultDomain != 0 {
		s.Broken = with(s.Broken, 0,
			c.Step.Called()+" may be resetting, and it is unknown what shares drives with what")
	}
	s.Failures++
	canary := slices.ContainsFunc(p.Waves, func(w plan.Wave) bool { return w.Canary && c.Step.In(w) })
	switch limit := p.Rollout.MaxFailures; {
	case c.Is.NeedsPerson():
		s.Why = c.Step.Called() + " needs a person first"
	case unknown && c.Step.FaultDomain == 0:
		s.Why = cmp.Or(s.Why, c.Step.Called()+" may be resetting, and it is unknown what shares drives with it")
	case canary:
		s.Why = cmp.Or(s.Why, why+", and it is a canary")
	case s.Failures > limit:
		s.Why = cmp.Or(s.Why, fmt.Sprintf("%s and the plan allows %d failures", why, limit))
	}
	return s
}

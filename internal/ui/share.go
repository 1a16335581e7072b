package ui

import (
	"fwctl/executor/result"
	"fwctl/plan"
)

// How much of a hop is done, in thousandths, when all of the image is taken, when it is staged, when the device is
// restarted and when it is waited for.
const (
	shareTaken      = 750
	shareStaged     = 800
	shareActivating = 850
	shareWaiting    = 900
	shareAll        = 1000
	// When all of an image is taken that the plan does not start.
	shareTakenOnly = 950
)

// shares is how much of each component is done, in thousandths, by address. All components count the same, and so do
// the hops of each.
type shares struct {
	of  map[string]int
	sum int
}

// reach notes how much of a component is done. What is sent again does not take anything back.
func (s *shares) reach(address string, done int) {
	if more := done - s.of[address]; more > 0 {
		s.of[address] += more
		s.sum += more
	}
}

// advance notes how much of a component is done by an event.
func (c *course) advance(e result.Event) {
	s := c.steps[e.Address]
	if s == nil {
		return
	}
	at := hopOf(s, e)
	if at < 0 || at >= len(s.Hops) {
		return
	}
	if done := shareOf(e, s.Hops[at].Activation == plan.WithApply); done > 0 {
		c.shares.reach(e.Address, (at*shareAll+done)/len(s.Hops))
	}
}

// shareOf returns how much of a hop is done by an event, 0 if the event does not say that. starts: the plan starts the
// image of the hop.
func shareOf(e result.Event, starts bool) int {
	taken, staged := shareTakenOnly, shareAll
	if starts {
		taken, staged = shareTaken, shareStaged
	}
	switch e.Type {
	case result.EventProgress:
		return int(int64(taken) * e.Bytes / max(e.Total, 1))
	case result.EventStaged:
		return staged
	case result.EventActivating:
		return shareActivating
	case result.EventWaiting:
		return shareWaiting
	case result.EventVerified:
		return shareAll
	}
	return 0
}

// hopOf returns the index of the hop of a step that an event is about. Of a run that is resumed, the part of the plan
// lacks the hops that were done before, and events count them.
func hopOf(s *plan.Step, e result.Event) int { return len(s.Hops) - 1 - (e.Hops - e.Hop) }

// percent returns how many percent of the run are done: 100 only if nothing is left to do of any component.
func (c *course) percent() int {
	if c.isOver() {
		return 100
	}
	return min(99, 100*c.shares.sum/(shareAll*len(c.steps)))
}

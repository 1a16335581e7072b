package ui

import (
	"fmt"
	"slices"
	"time"

	"fwctl/executor/result"
	"fwctl/plan"
)

// course is how far a run has come, by what its events say.
type course struct {
	// plan is what the run will carry out on this host.
	plan *plan.Plan
	// waves counts those of the whole plan.
	waves int
	steps map[string]*plan.Step

	// wave is the one that goes on; zero if none has begun.
	wave plan.Wave
	// begun is when that wave began to work on components, and over has those that it is done
	// with, by address.
	begun map[string]time.Time
	over  map[string]bool
	// until is when its soak ends; zero while none goes on.
	until time.Time
	// ended is how components ended that no wave has anything left to do for, by address.
	ended map[string]result.Outcome
	// shares is how much of each component is done.
	shares shares
}

// newCourse returns the course of a run of a part of a plan that has so many waves.
func newCourse(part *plan.Plan, waves int) *course {
	c := &course{
		plan: part, waves: waves, steps: map[string]*plan.Step{}, begun: map[string]time.Time{},
		over: map[string]bool{}, ended: map[string]result.Outcome{}, shares: shares{of: map[string]int{}},
	}
	for i := range part.Steps {
		s := &part.Steps[i]
		if slices.ContainsFunc(part.Waves, s.In) {
			c.steps[s.Address] = s
		}
	}
	return c
}

// see takes an event, and reports whether a component of the wave, or the wave before, has come to its end by it.
func (c *course) see(e result.Event) (ends bool) {
	c.advance(e)
	switch e.Type {
	case result.EventWave:
		c.wave = plan.Wave{Number: e.Wave}
		if i := slices.IndexFunc(c.plan.Waves, func(w plan.Wave) bool { return w.Number == e.Wave }); i >= 0 {
			c.wave = c.plan.Waves[i]
		}
		c.begun, c.over, c.until = map[string]time.Time{}, map[string]bool{}, time.Time{}
	case result.EventSoaking:
		c.until = *e.Until
	case result.EventStarted, result.EventActivating, result.EventWaiting, result.EventHook:
		if _, known := c.begun[e.Address]; !known {
			c.begun[e.Address] = e.Time
		}
	case result.EventStaged:
		return c.end(e.Address, result.OutcomeStaged, !c.starts(e))
	case result.EventRefusedMode:
		return c.end(e.Address, result.OutcomeStaged, false)
	case result.EventVerified:
		return e.Hop == e.Hops && c.end(e.Address, result.OutcomeUpdated, true)
	case result.EventFinished:
		// What is skipped was not begun: it is no progress.
		return e.Outcome != result.OutcomeSkipped && c.end(e.Address, e.Outcome, true)
	}
	return false
}

// end notes that nothing is left to do of a component in the wave, or in any.
func (c *course) end(address string, outcome result.Outcome, forGood bool) bool {
	s := c.steps[address]
	if s == nil || c.over[address] && !forGood {
		return false
	}
	before := c.ended[address]
	// What waits for its reset is over with its stage wave only.
	later := s.Waves.Reset != c.wave.Number && slices.ContainsFunc(c.plan.Waves, func(w plan.Wave) bool {
		return w.Number > c.wave.Number && s.In(w)
	})
	switch {
	case forGood, !later && s.Waves.Stage == c.wave.Number:
		c.ended[address] = outcome
		c.shares.reach(address, shareAll)
	case c.wave.Kind != plan.StageWave:
		// This wave continues with it.
		return false
	}
	c.over[address] = true
	return before != c.ended[address] || !forGood
}

// starts reports whether the plan starts what an event says is staged.
func (c *course) starts(e result.Event) bool {
	s := c.steps[e.Address]
	if s == nil {
		return false
	}
	at := hopOf(s, e)
	return at >= 0 && at < len(s.Hops) && s.Hops[at].Activation == plan.WithApply
}

// expectedEnd returns when the wave is expected to be done with a component that it has begun with, zero if that is
// unknown.
func (c *course) expectedEnd(address string) time.Time {
	s, begun := c.steps[address], c.begun[address]
	if s == nil || begun.IsZero() {
		return time.Time{}
	}
	expected := s.ExpectedIn(c.wave)
	if !expected.Known() || expected.Time == 0 {
		return time.Time{}
	}
	return begun.Add(time.Duration(expected.Time))
}

// outlook returns when the run is going to end.
func (c *course) outlook(now time.Time) plan.Outlook {
	return c.plan.Outlook(now, plan.Standing{
		Wave: c.wave.Number, Until: c.until,
		Over: func(s *plan.Step, w plan.Wave) bool {
			_, ended := c.ended[s.Address]
			return ended || w.Number == c.wave.Number && c.over[s.Address]
		},
		Spent: func(s *plan.Step) time.Duration {
			if begun := c.begun[s.Address]; !begun.IsZero() {
				return max(now.Sub(begun), 1)
			}
			return 0
		},
	})
}

// isOver reports whether nothing is left to do of any component.
func (c *course) isOver() bool { return len(c.ended) == len(c.steps) }

// counted says how many components are done, and what else became of others.
func (c *course) counted() string {
	counts := map[result.Outcome]int{}
	for _, outcome := range c.ended {
		counts[outcome]++
	}
	bad := ""
	done := len(c.ended)
	for _, o := range []result.Outcome{result.OutcomeFailed, result.OutcomeRefused, result.OutcomeUnknown} {
		if n := counts[o]; n > 0 {
			done -= n
			bad += fmt.Sprintf(", %d %s", n, o)
		}
	}
	return fmt.Sprintf("%d of %d done%s", done, len(c.steps), bad)
}

// leftInWave returns how many components the wave still has something to do for.
func (c *course) leftInWave() int {
	n := 0
	for address, s := range c.steps {
		if _, ended := c.ended[address]; !ended && !c.over[address] && s.In(c.wave) {
			n++
		}
	}
	return n
}

// line says how far the whole is, which wave goes on, and when all of it is going to end.
func (c *course) line(now time.Time) string {
	text := fmt.Sprintf("In all: %s (%d %%)", c.counted(), c.percent())
	if c.wave.Number > 0 {
		text += fmt.Sprintf(", wave %d of %d (%d left)", c.wave.Number, c.waves, c.leftInWave())
	}
	return text + "; " + joined(c.ends(now).inFull()) + "."
}

// ends is what is said of the end of a run.
type ends struct {
	// left is how long the rest is expected to take, and at when that ends.
	left, at string
	// most is how long it takes at most, "" if unknown.
	most string
}

func (c *course) ends(now time.Time) ends {
	o := c.outlook(now)
	e := ends{left: "end unknown"}
	switch {
	case o.Expected.IsZero():
	case o.Expected.After(now):
		e.left, e.at = remaining(o.Expected, now), clock(o.Expected, now)
	case !c.isOver():
		e.left = "longer than expected"
	default:
		e.left = ""
	}
	if o.Latest.After(now) {
		e.most = "at most " + Spell(plan.WholeSeconds(o.Latest.Sub(now)))
	}
	return e
}

// inFull says all that is known.
func (e ends) inFull() (when, most string) {
	if e.at == "" {
		return e.left, e.most
	}
	return e.left + ", ends about " + e.at, e.most
}

// short says the same in fewer words.
func (e ends) short() (when, most string) {
	if e.at == "" {
		return e.left, e.most
	}
	return e.left + " (" + e.at + ")", e.most
}

// bar draws the whole in less than width columns.
func (c *course) bar(spent string, now time.Time, width int) string {
	e := c.ends(now)
	short, percent := c.counted(), c.percent()
	label := short
	if c.wave.Number > 0 && c.waves > 1 {
		label = fmt.Sprintf("wave %d of %d, %s", c.wave.Number, c.waves, short)
	}
	atEnd, _ := e.short()
	full := wording{label, joined(e.inFull())}
	// There is to be room for a gauge beside it.
	if width >= 100 {
		full.tail = joined(spent+" so far", full.tail)
	}
	return meterOf([]wording{
		full,
		{label, joined(e.short())},
		{label, atEnd},
		{label, e.left},
		{short, atEnd},
		{short, e.left},
	}, percent, width)
}

// clock writes a time as the reader's clock shows it, with its day if that is not today.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04 MST")
	}
	return weekday(t)
}

// stamps are the local times in front of lines: the first of each day has its date.
type stamps struct{ day string }

func (s *stamps) on(t time.Time, text string) string {
	t = t.Local()
	day := t.Format(time.DateOnly)
	stamp := t.Format("15:04:05 MST ")
	if day != s.day {
		s.day = day
		stamp = day + " " + stamp
	}
	return stamp + text
}

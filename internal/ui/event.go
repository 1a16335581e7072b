package ui

import (
	"cmp"
	"fmt"
	"strings"

	"fwctl/executor/result"
	"fwctl/inventory"
	"fwctl/plan"
)

// words puts the events of a run in words.
type words struct {
	// plan is what the run will carry out on this host.
	plan *plan.Plan
	// waves counts those of the whole plan.
	waves int
	names inventory.Names
}

// newWords returns the words of a run of a part of a plan.
func newWords(whole, part *plan.Plan) *words { return &words{part, len(whole.Waves), whole.Names()} }

// label returns what a bar of so many columns calls a component: its address too if there is room.
func (v *words) label(address string, columns int) string {
	name := v.names.Of(address)
	if name == "" {
		return address
	}
	text := visible(OneLine(v.names.Called(address)))
	if width(text)+len(" 100 % the device is writing it, about 58 min left") < columns {
		return text
	}
	return visible(OneLine(inventory.Nickname(name, address)))
}

// of returns what an event says, "" for one that needs no line.
func (v *words) of(e result.Event) string {
	who := v.names.Called(e.Address)
	switch e.Type {
	case result.EventBegun:
		// The plan, and what comes next, say so.
		return ""
	case result.EventChecking:
		return comparing(e) + "."
	case result.EventWave:
		return v.wave(e.Wave)
	case result.EventWindow:
		return fmt.Sprintf("Wave %d waits for %s, which opens %s.", e.Wave, e.Reason, weekday(*e.Until))
	case result.EventSoaking:
		return fmt.Sprintf("Wave %d has to stand until %s before anything else is begun.",
			e.Wave, e.Until.Local().Format("15:04:05 MST"))
	case result.EventPowerCycle:
		return fmt.Sprintf("Wave %d: power-cycle %s now, when its drives are not in use. This waits for it; "+
			"^C ends the waiting.", e.Wave, v.calledEach(e.Reason))
	case result.EventStarted:
		hop := ""
		if e.Hops > 1 {
			hop = fmt.Sprintf(", hop %d of %d", e.Hop, e.Hops)
		}
		return fmt.Sprintf("%s: sending %s by mode %s%s", who, size(e.Total), e.Mode, hop)
	case result.EventProgress:
		return ""
	case result.EventHook:
		return Because(fmt.Sprintf("%s: %s: %s", who, e.Hook.Words(), e.Command), e.Reason)
	case result.EventHookEnded:
		return Because(who, cmp.Or(e.Reason, e.Hook.Words()+": done"))
	case result.EventNotNotified:
		return NotNotified(e)
	case result.EventRecovered, result.EventRefusedMode, result.EventNoticed:
		return Because(who, e.Reason)
	case result.EventStaged:
		return confirmedOr(who+": staged", e.Confirmed == nil || *e.Confirmed)
	case result.EventActivating:
		return who + ": activating"
	case result.EventWaiting:
		return Because(who+": waiting for the device", e.Reason)
	case result.EventVerified:
		return who + ": runs " + e.Revision
	case result.EventFinished:
		switch e.Outcome {
		case result.OutcomeStaged, result.OutcomeUpdated:
			// The event before said so.
			return ""
		case result.OutcomeSkipped:
			// Nothing happened to it, and the result says why.
			return ""
		}
		return Because(fmt.Sprintf("%s: %s", who, e.Outcome), e.Reason)
	}
	return Because(fmt.Sprintf("%s: %s", who, e.Type), e.Reason)
}

// calledEach returns a list of enclosures with their names.
func (v *words) calledEach(list string) string {
	each := strings.Split(list, ", ")
	for i := range each {
		each[i] = v.names.Called(each[i])
	}
	return strings.Join(each, ", ")
}

// wave says which wave begins, what it does, and how long that is expected to take if it is known.
func (v *words) wave(number int) string {
	text := fmt.Sprintf("Wave %d", number)
	if v.waves > 1 {
		text += fmt.Sprintf(" of %d", v.waves)
	}
	expected := v.plan.Times().Expected
	for i, w := range v.plan.Waves {
		switch {
		case w.Number != number:
		case w.Kind == plan.StageWave:
			text += ": downloads that reset nothing"
		case w.Kind == plan.ResetWave:
			text += ": resets"
		}
		if w.Number == number && expected[i].Known() {
			text += ", about " + Spell(expected[i].Time)
		}
	}
	return text
}

// comparing returns the line about the comparison, which takes a while on a slow rack.
func comparing(e result.Event) string {
	return fmt.Sprintf("Comparing %s with the plan", Components(e.Components))
}

// duringComparison reports whether an event is about a component that is compared with
// the plan, while the comparison goes on.
func duringComparison(e result.Event) bool {
	return e.Type == result.EventNoticed || e.Type == result.EventFinished
}

// onceInFull is a display that gives the reason why devices do not take a mode only once, because
// it is the same for all devices of a kind.
type onceInFull struct {
	Display
	said map[string]bool
}

// Show implements Display.
func (o *onceInFull) Show(e result.Event) {
	if e.Type == result.EventRefusedMode {
		why := e.Reason
		if o.said[why] {
			e.Reason = fmt.Sprintf("the device does not take mode %s either", e.Mode)
		}
		if o.said == nil {
			o.said = map[string]bool{}
		}
		o.said[why] = true
	}
	o.Display.Show(e)
}

// NotNotified returns what the event says that people are not notified of a run.
func NotNotified(e result.Event) string { return Because("notify: "+e.Command.String(), e.Reason) }

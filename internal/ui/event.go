package ui

import (
	"cmp"
	"fmt"
	"time"

	"fwctl/executor/result"
	"fwctl/plan"
)

// eventText returns what an event says, "" for one that needs no line.
func eventText(p *plan.Plan, e result.Event) string {
	switch e.Type {
	case result.EventChecking:
		return comparing(e) + "."
	case result.EventWave:
		return waveText(p, e.Wave)
	case result.EventWindow:
		return fmt.Sprintf("Wave %d waits for %s, which opens %s.", e.Wave, e.Reason, weekday(*e.Until))
	case result.EventSoaking:
		return fmt.Sprintf("Wave %d has to stand until %s before anything else is begun.",
			e.Wave, e.Until.Local().Format(time.TimeOnly))
	case result.EventPowerCycle:
		return fmt.Sprintf("Wave %d: power-cycle %s now, when its drives are not in use. This waits for it; "+
			"^C ends the waiting.", e.Wave, e.Reason)
	case result.EventStarted:
		hop := ""
		if e.Hops > 1 {
			hop = fmt.Sprintf(", hop %d of %d", e.Hop, e.Hops)
		}
		return fmt.Sprintf("%s: sending %s by mode %s%s", e.Address, size(e.Total), e.Mode, hop)
	case result.EventProgress:
		return ""
	case result.EventHook:
		return Because(fmt.Sprintf("%s: %s: %s", e.Address, e.Hook.Words(), e.Command), e.Reason)
	case result.EventHookEnded:
		return Because(e.Address, cmp.Or(e.Reason, e.Hook.Words()+": done"))
	case result.EventRecovered, result.EventRefusedMode, result.EventNoticed:
		return Because(e.Address, e.Reason)
	case result.EventStaged:
		return confirmedOr(e.Address+": staged", e.Confirmed == nil || *e.Confirmed)
	case result.EventActivating:
		return e.Address + ": activating"
	case result.EventWaiting:
		return Because(e.Address+": waiting for the device", e.Reason)
	case result.EventVerified:
		return e.Address + ": runs " + e.Revision
	case result.EventFinished:
		switch e.Outcome {
		case result.OutcomeStaged, result.OutcomeUpdated:
			// The event before said so.
			return ""
		case result.OutcomeSkipped:
			// Nothing happened to it, and the result says why.
			return ""
		}
		return Because(fmt.Sprintf("%s: %s", e.Address, e.Outcome), e.Reason)
	}
	return Because(fmt.Sprintf("%s: %s", e.Address, e.Type), e.Reason)
}

// waveText says which wave begins, what it does, and how long that is expected to take if it is known.
func waveText(p *plan.Plan, number int) string {
	text := fmt.Sprintf("Wave %d", number)
	expected := p.Times().Expected
	for i, w := range p.Waves {
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

// comparing says what takes a while on a slow rack, before anything else happens.
func comparing(e result.Event) string {
	return fmt.Sprintf("Comparing %s with the plan", Components(e.Components))
}

// duringComparison reports whether an event is about a component that is compared with
// the plan, while the comparison goes on.
func duringComparison(e result.Event) bool {
	return e.Type == result.EventNoticed || e.Type == result.EventFinished
}

// onceInFull is a display that says once, in full, why devices do not take a mode, which
// is the same for all of a kind, and of the others only that they do not either.
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

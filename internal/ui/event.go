package ui

import (
	"cmp"
	"fmt"
	"time"

	"fwctl/executor"
	"fwctl/plan"
)

// eventText returns what an event says, "" for one that needs no line.
func eventText(p *plan.Plan, e executor.Event) string {
	switch e.Type {
	case executor.EventChecking:
		return comparing(e) + "."
	case executor.EventWave:
		return waveText(p, e.Wave)
	case executor.EventWindow:
		return fmt.Sprintf("Wave %d waits for %s, which opens %s.", e.Wave, e.Reason, weekday(*e.Until))
	case executor.EventSoaking:
		return fmt.Sprintf("Wave %d has to stand until %s before anything else is begun.",
			e.Wave, e.Until.Local().Format(time.TimeOnly))
	case executor.EventPowerCycle:
		return fmt.Sprintf("Wave %d: power-cycle %s now, when its drives are not in use. This waits for it; "+
			"^C ends the waiting.", e.Wave, e.Reason)
	case executor.EventStarted:
		hop := ""
		if e.Hops > 1 {
			hop = fmt.Sprintf(", hop %d of %d", e.Hop, e.Hops)
		}
		return fmt.Sprintf("%s: sending %s by mode %s%s", e.Address, size(e.Total), e.Mode, hop)
	case executor.EventProgress:
		return ""
	case executor.EventHook:
		return Because(fmt.Sprintf("%s: %s: %s", e.Address, e.Hook.Words(), e.Command), e.Reason)
	case executor.EventHookEnded:
		return Because(e.Address, cmp.Or(e.Reason, e.Hook.Words()+": done"))
	case executor.EventRecovered, executor.EventRefusedMode, executor.EventNoticed:
		return Because(e.Address, e.Reason)
	case executor.EventStaged:
		return confirmedOr(e.Address+": staged", e.Confirmed == nil || *e.Confirmed)
	case executor.EventActivating:
		return e.Address + ": activating"
	case executor.EventWaiting:
		return Because(e.Address+": waiting for the device", e.Reason)
	case executor.EventVerified:
		return e.Address + ": runs " + e.Revision
	case executor.EventFinished:
		switch e.Outcome {
		case executor.OutcomeStaged, executor.OutcomeUpdated:
			// The event before said so.
			return ""
		case executor.OutcomeSkipped:
			// Nothing happened to it, and the result says why.
			return ""
		}
		return Because(fmt.Sprintf("%s: %s", e.Address, e.Outcome), e.Reason)
	}
	return Because(fmt.Sprintf("%s: %s", e.Address, e.Type), e.Reason)
}

// waveText says which wave begins, and what it does.
func waveText(p *plan.Plan, number int) string {
	text := fmt.Sprintf("Wave %d", number)
	for _, w := range p.Waves {
		switch {
		case w.Number != number:
		case w.Kind == plan.StageWave:
			text += ": downloads that reset nothing"
		case w.Kind == plan.ResetWave:
			text += ": resets"
		}
	}
	return text
}

// comparing says what takes a while on a slow rack, before anything else happens.
func comparing(e executor.Event) string {
	return fmt.Sprintf("Comparing %s with the plan", Components(e.Components))
}

// duringComparison reports whether an event is about a component that is compared with
// the plan, while the comparison goes on.
func duringComparison(e executor.Event) bool {
	return e.Type == executor.EventNoticed || e.Type == executor.EventFinished
}

// onceInFull is a display that says once, in full, why devices do not take a mode, which
// is the same for all of a kind, and of the others only that they do not either.
type onceInFull struct {
	Display
	said map[string]bool
}

// Show implements Display.
func (o *onceInFull) Show(e executor.Event) {
	if e.Type == executor.EventRefusedMode {
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

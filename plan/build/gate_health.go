package build

import (
	"fmt"
	"strings"

	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
)

// healthGate asks whether the enclosure is healthy.
func (w *wanted) healthGate(e *fleet.Enclosure, b *builder) plan.GateResult {
	switch {
	case !w.policy.RequireHealthy:
		return plan.GateResult{}
	case !e.HealthKnown:
		return plan.GateResult{Gate: plan.GateHealthy, Verdict: plan.Failed,
			Why: "its health is unknown, page 02h cannot be read: look after its fans and power supplies in another " +
				"way, and say requireHealthy: false in the policy"}
	case e.Critical:
		return w.criticalGate(e, b)
	}
	return plan.GateResult{Gate: plan.GateHealthy, Verdict: plan.Passed,
		Why: "the enclosure reports no critical condition"}
}

// criticalGate lets a critical enclosure pass if all of its critical elements are waived. A
// condition that no element explains cannot be waived.
func (w *wanted) criticalGate(e *fleet.Enclosure, b *builder) plan.GateResult {
	var left, waived []string
	critical := false // something of what is left is
	for _, f := range e.Failures {
		element, status, _ := cutLast(f, ": ")
		switch excuse := w.waiver(element, b); {
		case excuse == nil:
			left = append(left, f)
			critical = critical || status != nonCritical
		case status != nonCritical:
			waived = append(waived, fmt.Sprintf("%s, waived until %s: %s", f, excuse.Until, excuse.Reason))
		}
	}
	if len(waived) > 0 && !critical {
		return plan.GateResult{Gate: plan.GateHealthy, Verdict: plan.Waived, Why: strings.Join(waived, "; ")}
	}
	r := "the enclosure reports a critical condition"
	if shown := left[:min(len(left), 3)]; len(shown) > 0 {
		r += ": " + strings.Join(shown, "; ")
	}
	if more := len(left) - 3; more > 0 {
		r += fmt.Sprintf(" and %d more", more)
	}
	return plan.GateResult{Gate: plan.GateHealthy, Verdict: plan.Failed, Why: r}
}

// waiver returns the policy's waiver for an element, nil if none still holds.
func (w *wanted) waiver(element string, b *builder) *desired.Waiver {
	var holds *desired.Waiver
	for i, x := range w.policy.Waive {
		switch {
		case x.Element != element:
		case x.Until >= b.today:
			holds = &w.policy.Waive[i]
		default:
			b.ended[fmt.Sprintf("the waiver for %s ended on %s and no longer holds: %s", x.Element, x.Until,
				x.Reason)] = true
		}
	}
	return holds
}

// nonCritical is how inventories end the line of an element that does not fail the gate.
const nonCritical = "non-critical"

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

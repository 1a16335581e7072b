package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory/fleet"
	"fwctl/plan"
)

// espsGate asks whether all ESPs of the enclosure are in sight.
func (w *wanted) espsGate(e *fleet.Enclosure) plan.GateResult {
	if why := w.espsMismatch(e); why != "" {
		// Whatever the policy says: the model is of another device, or wrong.
		return plan.GateResult{Gate: plan.GateAllESPs, Verdict: plan.Failed, Why: why}
	}
	if !w.policy.RequireAllESPs {
		return plan.GateResult{}
	}
	return answer(plan.GateAllESPs, w.espsReason(e), fmt.Sprintf("%d of %d I/O modules are in sight", len(e.ESPs),
		len(e.ESPs)))
}

// espsReason returns why it is not certain that all ESPs are in sight, "" if it is.
func (w *wanted) espsReason(e *fleet.Enclosure) string {
	expected, seen := cmp.Or(w.model.ESPs, e.Reported), len(e.ESPs)
	if why := w.espsMismatch(e); why != "" {
		return why
	}
	switch {
	case len(e.Unread) > 0:
		return "not all of its I/O modules could be read: " + strings.Join(
			slices.Compact(slices.Sorted(slices.Values(e.Unread))),
			"; ",
		)
	case expected == 0:
		return "it is unknown how many I/O modules the enclosure has: set esps in the model, or requireAllESPs: " +
			"false in the policy"
	case seen > expected:
		return fmt.Sprintf("%d I/O modules are in sight where %d are expected: correct the model's esps", seen,
			expected)
	case seen == expected:
		return ""
	}
	var missing []string
	for n := 1; n <= expected; n++ {
		if id := fmt.Sprintf("esp%d", n); e.Numbered() && !slices.ContainsFunc(e.ESPs,
			func(o fleet.ESP) bool { return o.ID == id }) {
			missing = append(missing, id)
		}
	}
	r := fmt.Sprintf("%d of %d I/O modules are in sight", seen, expected)
	if len(missing) > 0 {
		r += ", not " + strings.Join(missing, ", ")
	}
	return r + ": plan with an inventory of each host that is attached, or see why it is gone"
}

// espsMismatch returns why the model's esps cannot be about the enclosure, "" if they agree
// or one of them is unknown.
func (w *wanted) espsMismatch(e *fleet.Enclosure) string {
	if w.model.ESPs == 0 || e.Reported == 0 || w.model.ESPs == e.Reported {
		return ""
	}
	return fmt.Sprintf("the enclosure says that it has %d I/O modules, the model's esps says %d: correct esps",
		e.Reported, w.model.ESPs)
}

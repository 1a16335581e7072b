package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/plan/impact"
)

// answer returns a gate's result: failed for a reason, passed if there is none.
func answer(g plan.Gate, reason, passed string) plan.GateResult {
	if reason != "" {
		return plan.GateResult{Gate: g, Verdict: plan.Failed, Why: reason}
	}
	return plan.GateResult{Gate: g, Verdict: plan.Passed, Why: passed}
}

// denied returns why no reset is permitted, "" if one is.
func (w *wanted) denied() string {
	if w.reset.Verdict == plan.Failed {
		return w.reset.Why
	}
	return ""
}

// pass asks all gates about a way to the wanted image. Those that fail block the
// step, but for a reset or a power cycle that may not be: without those less is
// done, and the row says what.
func (b *builder) pass(d *draft, way []string, activate plan.GateResult) {
	w := d.want
	results := []plan.GateResult{
		w.censusGate(d.e), w.healthGate(d.e, b), w.signatureGate(way, b.in.SignedBy), w.downgradeGate(way), w.reset,
		activate,
	}
	d.step.Gates = b.gates(results...)
	for _, g := range results {
		leftStaged := g.Gate == plan.GateActivate && (w.rule.By == plan.ByPowerCycle ||
			w.denied() != "" && d.step.Action != plan.Activate)
		if g.Verdict == plan.Failed && g.Gate != plan.GateReset && !leftStaged {
			d.block(g.Why)
		}
	}
}

// gates leaves out what was not asked. Results that are alike are one slice for
// all steps, which nobody changes: there are many steps.
func (b *builder) gates(results ...plan.GateResult) []plan.GateResult {
	var key gateKey
	copy(key[:], results)
	known, ok := b.gateLists[key]
	if !ok {
		known = slices.DeleteFunc(slices.Clone(results), func(g plan.GateResult) bool { return g.Verdict == "" })
		b.gateLists[key] = known
	}
	return known
}

type gateKey [6]plan.GateResult // one for each of Gates

// censusGate asks whether all ESPs of the enclosure are in sight.
func (w *wanted) censusGate(e *fleet.Enclosure) plan.GateResult {
	if why := w.espsMismatch(e); why != "" {
		// Whatever the policy says: the model is of another device, or wrong.
		return plan.GateResult{Gate: plan.GateAllESPs, Verdict: plan.Failed, Why: why}
	}
	if !w.policy.RequireAllESPs {
		return plan.GateResult{}
	}
	return answer(plan.GateAllESPs, w.censusReason(e), fmt.Sprintf("%d of %d I/O modules are in sight", len(e.ESPs),
		len(e.ESPs)))
}

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

// criticalGate lets a critical enclosure pass where all that is critical of it is
// waived. A condition that no element explains cannot be.
func (w *wanted) criticalGate(e *fleet.Enclosure, b *builder) plan.GateResult {
	var left, waived []string
	for _, f := range e.Failures {
		element, status, _ := cutLast(f, ": ")
		var excuse *desired.Waiver
		for i, x := range w.policy.Waive {
			if x.Element != element {
				continue
			}
			if x.Until >= b.today {
				excuse = &w.policy.Waive[i]
			} else {
				b.ended[fmt.Sprintf("the waiver for %s ended on %s and no longer holds: %s", x.Element, x.Until,
					x.Reason)] = true
			}
		}
		switch {
		case excuse == nil:
			left = append(left, f)
		case status != nonCritical:
			waived = append(waived, fmt.Sprintf("%s, waived until %s: %s", f, excuse.Until, excuse.Reason))
		}
	}
	if len(waived) > 0 && !slices.ContainsFunc(left, func(f string) bool {
		return !strings.HasSuffix(f, ": "+nonCritical)
	}) {
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

// nonCritical is how inventories end the line of an element that keeps nothing
// from being updated.
const nonCritical = "non-critical"

// signatureGate asks whether the images of a way are signed by a key of the policy.
func (w *wanted) signatureGate(way []string, signedBy map[string][]string) plan.GateResult {
	if len(w.policy.RequireSignature) == 0 {
		return plan.GateResult{}
	}
	var reasons []string
	for _, name := range way {
		if r := w.signatureReason(w.model.Images[name], signedBy); r != "" {
			reasons = append(reasons, r)
		}
	}
	return answer(plan.GateSignature, strings.Join(reasons, "; "),
		"a key of the policy has signed "+strings.Join(way, ", "))
}

// signatureReason returns why the policy does not accept an image's signature, "" if it does.
func (w *wanted) signatureReason(i desired.ModelImage, signedBy map[string][]string) string {
	signed := func(key string) bool { return slices.Contains(signedBy[i.SHA256], key) }
	if len(w.policy.RequireSignature) == 0 || slices.ContainsFunc(w.policy.RequireSignature, signed) {
		return ""
	}
	why := "the desired state names no signature of it"
	if i.Signature != "" {
		why = "its signature is by another key"
	}
	return fmt.Sprintf("image %s is not signed by a key of the policy's requireSignature: %s", w.nameOf(i), why)
}

// downgradeGate asks whether every hop of a way goes as the model's order and the
// policy have it. Models without an order have no downgrades.
func (w *wanted) downgradeGate(way []string) plan.GateResult {
	if len(w.model.Order) == 0 {
		return plan.GateResult{}
	}
	var reasons []string
	from := w.Sub.Revision
	for _, name := range way {
		i := w.model.Images[name]
		if r := w.orderReason(from, i); r != "" {
			reasons = append(reasons, r)
		}
		from = i.Revision
	}
	if len(reasons) > 0 && len(way) > 1 {
		reasons[0] = fmt.Sprintf("the way is %s, but %s", strings.Join(way, ", then "), reasons[0])
	}
	passed := "no hop goes to an earlier entry of the model's order"
	if w.policy.Downgrade == desired.DowngradeOrder {
		passed = "the policy says downgrade: order"
	}
	return answer(plan.GateDowngrade, strings.Join(reasons, "; "), passed)
}

// orderReason returns why the model's order forbids a hop, "" if it does not.
func (w *wanted) orderReason(current string, i desired.ModelImage) string {
	order := w.model.Order
	if len(order) == 0 || current == i.Revision || i.NoVersion {
		return ""
	}
	from, to := slices.Index(order, current), slices.Index(order, i.Revision)
	switch {
	case from >= 0 && to >= 0 && to < from && w.policy.Downgrade != desired.DowngradeOrder:
		return fmt.Sprintf("%s is earlier than %s in the model's order, and the policy says downgrade: forbid",
			i.Revision, current)
	case (from < 0 || to < 0) && i.From == nil:
		outside := current
		if from >= 0 {
			outside = i.Revision
		}
		return fmt.Sprintf("%s is not in the model's order, so that an image has to name what it starts at: %s "+
			"has no from", outside, w.nameOf(i))
	}
	return ""
}

// resetGate asks whether the policy permits the reset that starts the image.
func (b *builder) resetGate(d *draft) plan.GateResult {
	w := d.want
	if w.policy.Reset == plan.ResetNever {
		_, why := impact.Permits(plan.ResetNever, impact.Effect{})
		return plan.GateResult{Gate: plan.GateReset, Verdict: plan.Failed, Why: why}
	}
	if why := d.domain.UnreadReason(); why != "" {
		return plan.GateResult{Gate: plan.GateReset, Verdict: plan.Failed, Why: why}
	}
	if w.policy.Reset == plan.ResetIdle {
		missing := w.censusReason(d.e)
		for _, e := range d.domain.Enclosures {
			if missing == "" && e != d.e && len(e.ESPs) < e.Reported {
				missing = fmt.Sprintf("%d of %d I/O modules of %s, of the same fault domain, are in sight",
					len(e.ESPs), e.Reported, e.ID)
			}
		}
		if missing != "" {
			return plan.GateResult{Gate: plan.GateReset, Verdict: plan.Failed,
				Why: "the policy says reset: idle, and it is unknown whether it is idle: " + missing}
		}
	}
	e := b.effect(d)
	passed := e.Why
	switch w.policy.Reset {
	case plan.ResetIdle:
		e.Busy, passed = d.domain.InUse(b.survey), "no drive of the fault domain is in use"
	case plan.ResetAlways:
		passed = "the policy says reset: always"
	}
	_, why := impact.Permits(w.policy.Reset, e)
	return answer(plan.GateReset, why, passed)
}

// activateGate asks whether an apply may start what is deferred, or whether a
// person's power cycle does: it starts a lone hop only, of a whole enclosure.
func (w *wanted) activateGate(lone bool) plan.GateResult {
	if w.rule.By == plan.ByPowerCycle {
		why := ""
		if !lone || w.rule.Scope != desired.EnclosureScope || w.denied() != "" {
			why = "only a power cycle starts it"
		}
		return answer(plan.GateActivate, why, "a person power-cycles the whole enclosure")
	}
	var reasons []string
	if denied := w.denied(); denied != "" {
		reasons = append(reasons, "an activation resets the I/O module, and "+denied)
	}
	if w.lacksActivation(w.Sub.Revision) {
		reasons = append(reasons,
			"the ESP does not take WRITE BUFFER mode 0Fh, which activates: say activation by power-cycle")
	}
	return answer(plan.GateActivate, strings.Join(reasons, "; "), "its reset is permitted")
}

// censusReason returns why it is not certain that all ESPs are in sight, "" if it is.
func (w *wanted) censusReason(e *fleet.Enclosure) string {
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

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// told is a gate's result: failed for a reason, passed where there is none.
func told(g Gate, reason, passed string) GateResult {
	if reason != "" {
		return GateResult{g, Failed, reason}
	}
	return GateResult{g, Passed, passed}
}

// denied is why no reset is permitted, "" where one is.
func (w *wanted) denied() string {
	if w.reset.Verdict == Failed {
		return w.reset.Why
	}
	return ""
}

// pass asks all gates about a way to the wanted image. Those that fail block the
// step, but for a reset or a power cycle that may not be: without those less is
// done, and the row says what.
func (b *builder) pass(j *job, way []string, activate GateResult) {
	w := j.want
	results := []GateResult{
		w.censusGate(j.e), w.healthGate(j.e, b), w.signatureGate(way, b.in.SignedBy), w.downgradeGate(way), w.reset, activate,
	}
	j.step.Gates = b.gates(results...)
	for _, g := range results {
		leftStaged := g.Gate == GateActivate && (w.rule.By == ByPowerCycle || w.denied() != "" && j.step.Action != Activate)
		if g.Verdict == Failed && g.Gate != GateReset && !leftStaged {
			j.block(g.Why)
		}
	}
}

// gates leaves out what was not asked. Results that are alike are one slice for
// all steps, which nobody changes: there are many steps.
func (b *builder) gates(results ...GateResult) []GateResult {
	var key gateKey
	copy(key[:], results)
	known, ok := b.gateLists[key]
	if !ok {
		known = slices.DeleteFunc(slices.Clone(results), func(g GateResult) bool { return g.Verdict == "" })
		b.gateLists[key] = known
	}
	return known
}

type gateKey [6]GateResult // one for each of Gates

// censusGate asks whether all ESPs of the enclosure are in sight.
func (w *wanted) censusGate(e *enclosure) GateResult {
	if why := w.espsMismatch(e); why != "" {
		return GateResult{GateAllESPs, Failed, why} // whatever the policy says: the model is of another device, or wrong
	}
	if !w.policy.RequireAllESPs {
		return GateResult{}
	}
	return told(GateAllESPs, w.censusReason(e), fmt.Sprintf("%d of %d I/O modules are in sight", len(e.esps), len(e.esps)))
}

// healthGate asks whether the enclosure is healthy.
func (w *wanted) healthGate(e *enclosure, b *builder) GateResult {
	switch {
	case !w.policy.RequireHealthy:
		return GateResult{}
	case !e.healthKnown:
		return GateResult{GateHealthy, Failed, "its health is unknown, page 02h cannot be read: look after its fans and power supplies in another way, and say requireHealthy: false in the policy"}
	case e.critical:
		return w.criticalGate(e, b)
	}
	return GateResult{GateHealthy, Passed, "the enclosure reports no critical condition"}
}

// criticalGate lets a critical enclosure pass where all that is critical of it is
// waived. A condition that no element explains cannot be.
func (w *wanted) criticalGate(e *enclosure, b *builder) GateResult {
	var left, waived []string
	for _, f := range e.failures {
		element, status, _ := cutLast(f, ": ")
		var excuse *Waiver
		for i, x := range w.policy.Waive {
			if x.Element != element {
				continue
			}
			if x.Until >= b.today {
				excuse = &w.policy.Waive[i]
			} else {
				b.ended[fmt.Sprintf("the waiver for %s ended on %s and holds no longer: %s", x.Element, x.Until, x.Reason)] = true
			}
		}
		switch {
		case excuse == nil:
			left = append(left, f)
		case status != nonCritical:
			waived = append(waived, fmt.Sprintf("%s, waived until %s: %s", f, excuse.Until, excuse.Reason))
		}
	}
	if len(waived) > 0 && !slices.ContainsFunc(left, func(f string) bool { return !strings.HasSuffix(f, ": "+nonCritical) }) {
		return GateResult{GateHealthy, Waived, strings.Join(waived, "; ")}
	}
	r := "the enclosure reports a critical condition"
	if shown := left[:min(len(left), 3)]; len(shown) > 0 {
		r += ": " + strings.Join(shown, "; ")
	}
	if more := len(left) - 3; more > 0 {
		r += fmt.Sprintf(" and %d more", more)
	}
	return GateResult{GateHealthy, Failed, r}
}

// nonCritical is how inventories end the line of an element that keeps nothing
// from being updated.
const nonCritical = "non-critical"

// signatureGate asks whether the images of a way are signed by a key of the policy.
func (w *wanted) signatureGate(way []string, signedBy map[string][]string) GateResult {
	if len(w.policy.RequireSignature) == 0 {
		return GateResult{}
	}
	var reasons []string
	for _, name := range way {
		if r := w.signatureReason(w.model.Images[name], signedBy); r != "" {
			reasons = append(reasons, r)
		}
	}
	return told(GateSignature, strings.Join(reasons, "; "), "a key of the policy has signed "+strings.Join(way, ", "))
}

// signatureReason is why the policy does not accept an image's signature, "" if it does.
func (w *wanted) signatureReason(i ModelImage, signedBy map[string][]string) string {
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
func (w *wanted) downgradeGate(way []string) GateResult {
	if len(w.model.Order) == 0 {
		return GateResult{}
	}
	var reasons []string
	from := w.sub.Revision
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
	if w.policy.Downgrade == DowngradeOrder {
		passed = "the policy says downgrade: order"
	}
	return told(GateDowngrade, strings.Join(reasons, "; "), passed)
}

// orderReason is why the model's order forbids a hop, "" if it does not.
func (w *wanted) orderReason(current string, i ModelImage) string {
	order := w.model.Order
	if len(order) == 0 || current == i.Revision || i.NoVersion {
		return ""
	}
	from, to := slices.Index(order, current), slices.Index(order, i.Revision)
	switch {
	case from >= 0 && to >= 0 && to < from && w.policy.Downgrade != DowngradeOrder:
		return fmt.Sprintf("%s is earlier than %s in the model's order, and the policy says downgrade: forbid", i.Revision, current)
	case (from < 0 || to < 0) && i.From == nil:
		outside := current
		if from >= 0 {
			outside = i.Revision
		}
		return fmt.Sprintf("%s is not in the model's order, so that an image has to name what it starts at: %s has no from", outside, w.nameOf(i))
	}
	return ""
}

// resetGate asks whether the policy permits the reset that starts the image.
func (b *builder) resetGate(j *job) GateResult {
	w := j.want
	if w.policy.Reset == ResetNever {
		_, why := Permits(ResetNever, Effect{})
		return GateResult{GateReset, Failed, why}
	}
	if why := j.domain.unreadReason(); why != "" {
		return GateResult{GateReset, Failed, why}
	}
	if w.policy.Reset == ResetIdle {
		missing := w.censusReason(j.e)
		for _, e := range j.domain.enclosures {
			if missing == "" && e != j.e && len(e.esps) < e.reported {
				missing = fmt.Sprintf("%d of %d I/O modules of %s, of the same fault domain, are in sight", len(e.esps), e.reported, e.id)
			}
		}
		if missing != "" {
			return GateResult{GateReset, Failed, "the policy says reset: idle, and whether it is idle cannot be told: " + missing}
		}
	}
	e := b.effect(j)
	passed := e.Why
	switch w.policy.Reset {
	case ResetIdle:
		e.Busy, passed = j.domain.inUse(b.survey), "no drive of the fault domain is in use"
	case ResetAlways:
		passed = "the policy says reset: always"
	}
	_, why := Permits(w.policy.Reset, e)
	return told(GateReset, why, passed)
}

// activateGate asks whether an apply may start what is deferred, or whether a
// person's power cycle does: it starts a lone hop only, of a whole enclosure.
func (w *wanted) activateGate(lone bool) GateResult {
	if w.rule.By == ByPowerCycle {
		why := ""
		if !lone || w.rule.Scope != EnclosureScope || w.denied() != "" {
			why = "only a power cycle starts it"
		}
		return told(GateActivate, why, "a person power-cycles the whole enclosure")
	}
	var reasons []string
	if denied := w.denied(); denied != "" {
		reasons = append(reasons, "an activation resets the I/O module, and "+denied)
	}
	if w.lacksActivation(w.sub.Revision) {
		reasons = append(reasons, "the ESP does not take WRITE BUFFER mode 0Fh, which activates: say activation by power-cycle")
	}
	return told(GateActivate, strings.Join(reasons, "; "), "its reset is permitted")
}

// censusReason is why it is not certain that all ESPs are in sight, "" if it is.
func (w *wanted) censusReason(e *enclosure) string {
	expected, seen := cmp.Or(w.model.ESPs, e.reported), len(e.esps)
	if why := w.espsMismatch(e); why != "" {
		return why
	}
	switch {
	case len(e.unread) > 0:
		return "not all of its I/O modules could be read: " + strings.Join(
			slices.Compact(slices.Sorted(slices.Values(e.unread))),
			"; ",
		)
	case expected == 0:
		return "nobody can tell how many I/O modules the enclosure has: say esps in the model, or requireAllESPs: false in the policy"
	case seen > expected:
		return fmt.Sprintf("%d I/O modules are in sight where %d are expected: correct the model's esps", seen, expected)
	case seen == expected:
		return ""
	}
	var missing []string
	for n := 1; n <= expected; n++ {
		if id := fmt.Sprintf("esp%d", n); e.numbered() && !slices.ContainsFunc(e.esps, func(o esp) bool { return o.id == id }) {
			missing = append(missing, id)
		}
	}
	r := fmt.Sprintf("%d of %d I/O modules are in sight", seen, expected)
	if len(missing) > 0 {
		r += ", not " + strings.Join(missing, ", ")
	}
	return r + ": plan with an inventory of each host that is attached, or see why it is gone"
}

// espsMismatch is why the model's esps cannot be about the enclosure, "" if they agree
// or one of them is unknown.
func (w *wanted) espsMismatch(e *enclosure) string {
	if w.model.ESPs == 0 || e.reported == 0 || w.model.ESPs == e.reported {
		return ""
	}
	return fmt.Sprintf("the enclosure says that it has %d I/O modules, the model's esps says %d: correct esps", e.reported, w.model.ESPs)
}

package build

import (
	"slices"

	"fwctl/plan"
)

// answer returns a gate's result: failed for a reason, passed if there is none.
func answer(g plan.Gate, reason, passed string) plan.GateResult {
	if reason != "" {
		return plan.GateResult{Gate: g, Verdict: plan.Failed, Why: reason}
	}
	return plan.GateResult{Gate: g, Verdict: plan.Passed, Why: passed}
}

// askGates asks all gates about a way to the wanted image. A gate that fails blocks the step,
// except for resets and activations: without those, less is done, and the row says what.
func (b *builder) askGates(d *draft, way []string, activate plan.GateResult) {
	w := d.want
	results := []plan.GateResult{
		w.espsGate(d.e), w.healthGate(d.e, b), w.signatureGate(way, b.in.SignedBy), w.downgradeGate(way), w.reset,
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

// gates returns the results of the gates that were asked. Equal results are one slice for all
// steps, because there are many steps; it must not be changed.
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

package build

import (
	"fmt"
	"strings"

	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/plan/impact"
)

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
		missing := w.espsReason(d.e)
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

// denied returns why no reset is permitted, "" if one is.
func (w *wanted) denied() string {
	if w.reset.Verdict == plan.Failed {
		return w.reset.Why
	}
	return ""
}

// activateGate asks whether an apply may start deferred microcode, or whether a person's power
// cycle does, which starts only a hop that is the only one, and only on a whole enclosure.
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

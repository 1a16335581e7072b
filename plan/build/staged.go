package build

import (
	"fmt"
	"time"

	"fwctl/plan"
)

// planStaged plans the start of an image that is staged already: the wanted one, or the first
// stepping stone to it.
func (b *builder) planStaged(d *draft, chain []string) {
	w, s := d.want, &d.step
	hop := w.hop(s.Current, chain[0])
	hop.Modes = []plan.Mode{}
	s.Later = w.laterHops(hop.To, chain[1:])
	s.Action = plan.IsStaged
	s.Disruption.Why = "any power loss or hard reset starts " + hop.Goal()
	if len(s.Later) > 0 {
		s.Reasons = append(s.Reasons, fmt.Sprintf("%s is staged, a stepping stone: %s once it runs", hop.To,
			describeLater(s.Later)))
	}
	if w.policy.Activate != plan.WithApply {
		s.Gates = b.gates(w.reset)
		return
	}
	activate := w.activateGate(true)
	unsure := w.rule.By == plan.ByModeF && !d.Sub.Staged.Confirmed && !hop.ActivateUnconfirmed
	if unsure {
		activate = plan.GateResult{Gate: plan.GateActivate, Verdict: plan.Failed, Why: neverComplete}
	}
	s.WaitsForPower = unsure
	if activate.Verdict == plan.Failed &&
		(unsure || w.rule.By == plan.ByPowerCycle || w.denied() != "" && !w.bystander && !b.in.Activate) {
		s.Gates = b.gates(w.reset, activate)
		s.Reasons = append(s.Reasons, activate.Why)
		return
	}
	s.Action = plan.Activate
	hop.Activation = plan.WithApply
	s.Hops = []plan.Hop{hop}
	d.block(d.Conflict(), d.locked(hop.ActivateBy))
	b.askGates(d, chain[:1], activate)
	if s.Action == plan.Blocked {
		s.Hops, s.Later = []plan.Hop{}, nil
		d.addWaiting(hop.Goal() + " is staged")
	}
}

// neverComplete is why no command starts the staged image, though the policy wants that and
// permits it.
const neverComplete = "the device never said that the image is complete, so mode 0Fh is not sent: " +
	"power-cycle the enclosure when its drives are not in use, then run `fwctl verify`"

// addStaged adds the staged image to the reasons, unless the step starts it.
func (d *draft) addStaged() {
	staged, s := d.Sub.Staged, &d.step
	if staged == nil {
		return
	}
	if why := d.ESP.Disputed[d.Sub.ID]; why != "" {
		s.Reasons = append(s.Reasons, why)
		s.Disruption.Why = "any power loss or hard reset starts what is staged"
		return
	}
	what := "another image is staged, " + staged.Label()
	if d.want == nil || staged.SHA256 == d.want.image.SHA256 {
		what = staged.Label() + " is staged"
	}
	d.addWaiting(what)
}

// addWaiting adds to the reasons that an image is staged, and who staged it.
func (d *draft) addWaiting(what string) {
	s := &d.step
	text := what + ", and any power loss or hard reset starts it. " + d.stagedBy()
	if s.Action == plan.Update {
		text = what + ", and this plan replaces it. " + d.stagedBy()
	} else {
		s.Disruption.Why = "any power loss or hard reset starts " + d.Sub.Staged.Label()
	}
	s.Reasons = append(s.Reasons, text)
}

// stagedBy says when and by whom an image was staged: Staged 2026-11-15 by anna, image
// 5891b5b5. If several hosts see the enclosure, it says on which of them.
func (d *draft) stagedBy() string {
	s, on := d.Sub.Staged, ""
	if len(d.e.Views) > 1 {
		on = " on " + d.ESP.Host
	}
	return fmt.Sprintf("Staged %s by %s%s, image %.8s.", s.Since.UTC().Format(time.DateOnly), s.Who(), on, s.SHA256)
}

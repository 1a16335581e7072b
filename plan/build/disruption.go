package build

import (
	"fmt"

	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/plan/impact"
)

// disruption returns what hops do to those who use the enclosure. It calls effect only if there
// may be a reset.
func (w *wanted) disruption(hops []plan.Hop, effect func() impact.Effect) plan.Disruption {
	reset := "resets " + w.ESP.ID
	if w.Sub.ID != 0 {
		reset = fmt.Sprintf("resets subenclosure %d of %s", w.Sub.ID, w.ESP.ID)
	}
	if w.rule.Scope == desired.EnclosureScope {
		reset = "resets the whole enclosure"
	}
	last := &hops[len(hops)-1]
	resets := len(hops) - 1 // that are sure
	deferred := len(last.Modes) == 0 || last.Defers(last.Modes[0])
	if last.Activation == plan.WithApply || !deferred {
		resets++
	}
	why := ""
	switch {
	case last.ByPerson():
		why = "a person power-cycles the whole enclosure, which starts " + last.Goal()
	case resets > 1:
		why = fmt.Sprintf("%s %d times", reset, resets)
	case len(hops) > 1:
		why = fmt.Sprintf("starting %s %s", hops[0].Goal(), reset)
		if last.MayReset() {
			why += fmt.Sprintf(", and so does mode 7 if mode e is refused for %s", last.To)
		}
	case last.Activation == plan.WithApply && deferred:
		why = fmt.Sprintf("starting %s %s", last.Goal(), reset)
	case !deferred:
		why = "mode 7 " + reset
	case last.MayReset():
		why = plan.IfRefused("mode 7 " + reset)
	default:
		return plan.Disruption{Expected: plan.NoImpact, Worst: plan.NoImpact, Why: harmless(last)}
	}
	e := effect()
	d := plan.Disruption{Expected: plan.NoImpact, Worst: e.Worst, Why: why + "; " + e.Why}
	if resets > 0 {
		d.Expected = e.Expected
	}
	return d
}

// harmless returns why a hop that is left dormant disturbs nothing, and what starts it.
func harmless(h *plan.Hop) string {
	what := "mode e resets nothing"
	if h.Modes[0] == plan.Mode7 {
		what = "mode 7 resets nothing here: the model says that only a power cycle starts images"
	}
	return what + "; any power loss or hard reset starts " + h.Goal()
}

// target is what a reset takes down: an ESP, or all ESPs of an enclosure.
type target struct {
	esp       *fleet.ESP
	enclosure *fleet.Enclosure
}

// luIDs returns those of the ESPs that go down.
func (t target) luIDs() []string {
	if t.esp != nil {
		return []string{t.esp.LUID}
	}
	var all []string
	for _, in := range t.enclosure.ESPs {
		all = append(all, in.LUID)
	}
	return all
}

// effect returns the effect of the reset that starts a component's image.
func (b *builder) effect(d *draft) impact.Effect {
	resets := target{esp: d.ESP}
	if d.want.rule.Scope == desired.EnclosureScope {
		resets = target{enclosure: d.e}
	}
	known, ok := b.effects[resets]
	if !ok {
		known = b.survey.Effect(resets.luIDs())
		b.effects[resets] = known
	}
	d.step.Evidence, d.step.SeenElsewhere = known.Evidence, d.domain.SeenElsewhere(b.survey, d.step.Host)
	return known
}

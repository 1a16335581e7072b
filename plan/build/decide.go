package build

import (
	"fmt"
	"slices"
	"time"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// draft is a component on its way to becoming a step.
type draft struct {
	fleet.Component
	e         *fleet.Enclosure
	domain    *impact.Domain
	step      plan.Step
	want      *wanted             // nil if no want matches it
	targeted  bool                // false: left out by --target
	stage     *plan.Wave          // where it is worked on, nil if it is not
	reset     *plan.Wave          // where it is reset, nil if it is not
	late      bool                // staged after the resets of its ESP, so that none of them starts it
	started   []string            // what its resets start beside it
	takesDown []string            // what its resets take down beside it, though the plan does nothing with it
	startedBy []*draft            // whose resets start what it has staged
	downBy    []*draft            // whose resets take it down, though the plan does nothing with it
	reported  []inventory.Caution // those that are among the reasons already
}

// decide decides what is done with the components of an enclosure.
func (b *builder) decide(e *fleet.Enclosure) []*draft {
	var drafts []*draft
	for _, c := range e.Components() {
		d := b.begin(e, c)
		d.targeted = len(b.in.Targets) == 0 || c.Selected(b.in.Targets) >= 0
		b.plan(d)
		drafts = append(drafts, d)
	}
	b.settle(drafts)
	return drafts
}

// begin finds out what is wanted of a component.
func (b *builder) begin(e *fleet.Enclosure, c fleet.Component) *draft {
	d := &draft{Component: c, e: e, domain: b.survey.Domain(e), step: plan.Step{
		Address:       c.Address,
		Aliases:       c.Aliases,
		Name:          e.Name,
		Host:          c.ESP.Host,
		Enclosure:     e.ID,
		LUID:          c.ESP.LUID,
		Subenclosure:  c.Sub.ID,
		Vendor:        c.Sub.Vendor,
		Product:       c.Sub.Product,
		Current:       c.Sub.Revision,
		Action:        plan.Unmanaged,
		Reset:         plan.ResetNever,
		Hops:          []plan.Hop{},
		Gates:         []plan.GateResult{},
		Disruption:    plan.Disruption{Expected: plan.NoImpact, Worst: plan.NoImpact},
		Reasons:       []string{},
		Preconditions: plan.Preconditions{Revision: c.Sub.Revision, ESPs: e.SeenBy(c.ESP.Host).LUIDs},
	}}
	d.step.Quirk = b.quirk(c).Name
	if c.Sub.Staged != nil {
		d.step.Preconditions.Staged = &c.Sub.Staged.SHA256
	}
	want := b.wantOf(c)
	if want == nil {
		return d
	}
	w := &wanted{
		goal:       want,
		Component:  c,
		sizes:      b.in.ImageSizes,
		again:      b.in.Again,
		needsImage: inventory.CautionOf(d.domain.Cautions, inventory.NeedsImage, c.Address) != nil,
	}
	w.rule = w.activation()
	d.want = w
	d.step.Reset = w.policy.Reset
	d.step.Model, d.step.Image, d.step.Policy, d.step.Desired = w.modelName, w.name, w.policyName, w.image.Revision
	for i, x := range b.in.Desired.Except {
		if c.Selected([]inventory.Selector{x.Enclosure}) < 0 {
			continue
		}
		if x.Until >= b.today {
			d.step.Action = plan.Excepted
			d.step.Reasons = append(d.step.Reasons, fmt.Sprintf("left alone until %s: %s", x.Until, x.Reason))
			continue
		}
		b.ended[fmt.Sprintf("except %d (%s) ended on %s and no longer holds: %s", i+1, x.Enclosure, x.Until,
			x.Reason)] = true
	}
	if d.step.Action != plan.Excepted {
		w.reset = b.resetGate(d)
	}
	return d
}

// plan fills in a component's step by what is wanted and whether a reset is permitted. It may
// be called again when that has changed.
func (b *builder) plan(d *draft) {
	w, s := d.want, &d.step
	if w == nil || s.Action == plan.Excepted {
		d.addStaged()
		return
	}
	s.Action, s.Rollback, s.WorstDuration, s.WaitsForPower = plan.Update, "", 0, false
	s.Hops, s.Later, s.Hooks, s.AtStake = []plan.Hop{}, nil, nil, nil
	s.ExpectedDuration, s.ExpectedStaging, s.ExpectedFrom, s.ExpectedScaled = 0, 0, 0, false
	s.Reasons, s.Gates, d.reported = []string{}, []plan.GateResult{}, nil
	s.Disruption = plan.Disruption{Expected: plan.NoImpact, Worst: plan.NoImpact}
	if d.ESP.Disputed[d.Sub.ID] != "" {
		s.Action = plan.Blocked
		d.addStaged()
		return
	}
	switch chain, dormant := w.chainOf(d.Sub.Staged, b.in.SignedBy); {
	case dormant:
		b.planStaged(d, chain)
	case w.upToDate():
		d.planNoOp()
	default:
		b.planUpdate(d, chain)
	}
	if len(s.Hops) == 0 {
		return
	}
	s.Rollback = w.rollback(s.Current)
	s.Disruption = w.disruption(s.Hops, func() impact.Effect { return b.effect(d) })
	if s.Resets() {
		s.AtStake = b.effect(d).AtStake
	}
	if slices.ContainsFunc(s.Hops, func(h plan.Hop) bool { return h.Resets() && !h.ByPerson() }) {
		s.Hooks = w.policy.Hooks
	}
	s.WorstDuration = s.Worst()
	b.timings.expect(s)
}

// planNoOp leaves a component as it is, because it is as wanted.
func (d *draft) planNoOp() {
	w, s := d.want, &d.step
	s.Action = plan.NoOp
	switch {
	case w.image.NoVersion:
		s.Reasons = append(s.Reasons, w.memoryReason())
	case w.image.StartsAtItself():
		s.Reasons = append(s.Reasons,
			fmt.Sprintf("its revision does not show it, and %s remembers having sent it the wanted image on %s",
				s.Host, d.Sub.Sent.At.UTC().Format(time.DateOnly)))
	}
	d.block(d.Conflict(), d.unfinished())
	d.addStaged()
}

// planUpdate plans the chain of images that leads to the wanted one, nil if none does. It
// blocks the step if that must not be done.
func (b *builder) planUpdate(d *draft, chain []string) {
	w, s := d.want, &d.step
	switch {
	case w.image.NoVersion:
		s.Reasons = append(s.Reasons, w.memoryReason())
	case w.otherImageRuns():
		s.Reasons = append(s.Reasons,
			fmt.Sprintf("it reports %s, but of another image than the wanted one: %.8s, which was sent on %s",
				s.Current, d.Sub.Sent.SHA256, d.Sub.Sent.At.UTC().Format(time.DateOnly)))
	case w.image.Revision == s.Current && w.image.StartsAtItself():
		s.Reasons = append(s.Reasons,
			fmt.Sprintf("it reports %s already, which does not show whether it runs the wanted image: "+
				"%s does not remember having sent that", s.Current, s.Host))
	}
	way, activate := chain, plan.GateResult{}
	if chain == nil {
		var reasons []string
		way, reasons = w.obstacles()
		d.block(reasons...)
	} else if w.policy.Activate == plan.WithApply && w.defers(w.before(chain, len(chain)-1), w.image) {
		activate = w.activateGate(len(chain) == 1)
	}
	d.block(d.Conflict(), d.locked(""))
	b.askGates(d, way, activate)
	if s.Action == plan.Blocked {
		d.addStaged()
		return
	}
	if why := w.shorter(chain, b.in.SignedBy); why != "" {
		s.Reasons = append(s.Reasons, why)
	}
	why := ""
	if s.Hops, s.Later, why = w.hops(chain); why != "" {
		s.Reasons = append(s.Reasons, why)
	}
	d.addStaged()
}

// block makes the component's step blocked for reasons. Empty ones do not count.
func (d *draft) block(reasons ...string) {
	s := &d.step
	for _, r := range reasons {
		if r != "" && !(s.Action == plan.Blocked && slices.Contains(s.Reasons, r)) {
			s.Action = plan.Blocked
			s.Reasons = append(s.Reasons, r)
		}
	}
}

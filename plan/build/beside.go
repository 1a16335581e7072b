package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/desired"
)

// settle looks at what the resets of one component start on others: all images that are staged
// behind the same ESP. An image that must not be started forbids the reset. An image that this
// plan leaves staged is staged after the reset, if possible.
func (b *builder) settle(drafts []*draft) {
	for changed := true; changed; {
		changed = false
		for _, d := range drafts {
			if !d.targeted || !d.step.Resets() {
				continue
			}
			if why := b.bystander(d, drafts); why != "" && d.want.denied() != why {
				d.want.reset, d.want.bystander = plan.GateResult{Gate: plan.GateReset, Verdict: plan.Failed,
					Why: why}, true
				b.plan(d)
				changed = true
			}
		}
	}
	for _, d := range drafts {
		if !d.targeted || !d.step.Resets() {
			continue
		}
		for _, o := range drafts {
			if o == d || !d.reaches(o) {
				continue
			}
			if o.leftAlone() && (d.want.rule.Scope == desired.EnclosureScope || d.Sub.ID == 0) {
				d.takesDown = append(d.takesDown, fmt.Sprintf("%s (%s)", o.name(d), o.step.Action))
				o.downBy = append(o.downBy, d)
			}
			if o.canBeLate() {
				o.late = true
			} else if revision, _ := o.exposedTo(d); revision != "" {
				d.started = append(d.started, o.name(d)+" ("+revision+")")
				o.startedBy = append(o.startedBy, d)
			}
		}
	}
	for _, d := range drafts {
		if len(d.started) > 0 {
			d.step.Disruption.Why += "; a reset also starts what is staged on " + strings.Join(d.started, ", ")
		}
		if len(d.takesDown) > 0 {
			d.step.Disruption.Why += "; a reset takes down " + strings.Join(d.takesDown, ", ") + ", too"
		}
	}
}

// leftAlone reports whether an exception, or a reason that blocks it, leaves a component alone.
func (d *draft) leftAlone() bool {
	return d.step.Action == plan.Excepted || d.step.Action == plan.Blocked
}

// canBeLate reports whether a step only stages, and replaces nothing that a reset would start
// meanwhile.
func (d *draft) canBeLate() bool {
	return d.targeted && d.step.Action == plan.Update && d.Sub.Staged == nil && !d.step.Resets()
}

// exposedTo returns the revision that the reset of another component starts on this
// one, "" if there is none or the plan starts it itself. meant: the plan put it
// there, to be left staged.
func (o *draft) exposedTo(d *draft) (revision string, meant bool) {
	switch {
	case o.targeted && o.step.Action == plan.Activate:
		return "", false
	case o.targeted && o.step.Action == plan.Update:
		switch hops := o.step.Hops; {
		case o.Sub.Staged != nil && !hops[0].MayDefer() && !o.resetBefore(d):
			return o.Sub.Staged.Label(), false // until its own download, which resets
		case o.step.LeavesStaged() && (len(hops) == 1 || o.resetBefore(d)):
			return o.step.Last().Goal(), true // the last of several is staged after its own reset
		}
		return "", false
	case o.Sub.Staged != nil:
		return o.Sub.Staged.Label(), false
	}
	return "", false
}

// resetBefore reports whether a component is reset before another of its enclosure,
// as places of waves compare.
func (o *draft) resetBefore(d *draft) bool {
	return o.step.Resets() && cmp.Or(cmp.Compare(o.ESP.Side, d.ESP.Side), compareBool(o.Sub.ID == 0, d.Sub.ID == 0)) < 0
}

// reaches reports whether a reset of a component's ESP starts what is staged on another: one
// that the same ESP serves, or any, if the whole enclosure goes down.
func (d *draft) reaches(o *draft) bool {
	return d.want.rule.Scope == desired.EnclosureScope || d.ESP == o.ESP || slices.Contains(o.Also, d.ESP)
}

// name returns what another component is called in texts about this one.
func (d *draft) name(other *draft) string {
	name := strings.TrimPrefix(d.Address, d.e.ID+"/")
	return strings.TrimPrefix(name, other.ESP.ID+"/")
}

// bystander returns why a reset must not start what is staged beside a component, "" if it may.
func (b *builder) bystander(d *draft, drafts []*draft) string {
	for _, o := range drafts {
		if o != d && d.reaches(o) && o.unclear() != nil && !(o.targeted && o.step.Action == plan.Update) {
			return fmt.Sprintf("the reset may also start what %s holds, which is unknown%s", o.name(d),
				o.unclear().Source())
		}
		revision, meant := o.exposedTo(d)
		if o == d || !d.reaches(o) || o.canBeLate() || revision == "" {
			continue
		}
		why := ""
		switch {
		case o.want == nil:
			why = "which no want asks for"
		case o.step.Action == plan.Blocked:
			why = "which is blocked"
		case o.step.Action == plan.NoOp, !o.targeted && o.Sub.Staged.SHA256 != o.want.image.SHA256,
			o.targeted && o.step.Action == plan.Update && !meant:
			why = "which is not the wanted image"
		case o.want.denied() != "" && o.step.Reset != plan.ResetAlways:
			why = "whose policy says reset: " + string(o.step.Reset)
		}
		if why != "" {
			return fmt.Sprintf("the reset would also start %s on %s, %s", revision, o.name(d), why)
		}
	}
	return ""
}

// addNeighbourResets adds to the reasons which resets of other components start what is staged
// here, or take the component down, and in which wave.
func (d *draft) addNeighbourResets() {
	for _, by := range d.downBy {
		reset := "reset of " + by.label()
		if by.step.Hops[len(by.step.Hops)-1].ByPerson() {
			reset = "power cycle for " + by.label()
		}
		d.step.Reasons = append(
			d.step.Reasons,
			fmt.Sprintf("the %s in wave %d takes it down all the same", reset, by.step.Waves.Reset),
		)
	}
	for _, by := range d.startedBy {
		d.step.Reasons = append(d.step.Reasons,
			fmt.Sprintf("the reset of %s in wave %d starts what is staged here too", by.label(), by.step.Waves.Reset))
	}
}

// label returns what a component is called within its enclosure: esp1, or esp1/sub3.
func (d *draft) label() string {
	return strings.TrimSuffix(strings.TrimPrefix(d.Address, d.e.ID+"/"), "/sub0")
}

// called returns the address of a component as people know it.
func (d *draft) called() string { return inventory.Called(d.e.Name, d.Address) }

package build

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory/fleet"
	"fwctl/plan"
)

// stagedWarnings says what a power loss would start, now or once the plan was carried out, and
// which components then run different revisions without a power loss.
func stagedWarnings(e *fleet.Enclosure, drafts []*draft) []string {
	var warnings []string
	for _, d := range drafts {
		if d.ESP.Disputed[d.Sub.ID] != "" {
			warnings = append(warnings,
				d.called()+": any power loss or hard reset starts what is staged; its row says what is "+
					"remembered of it.")
			continue
		}
		staged := d.Sub.Staged
		if staged == nil || d.step.Action == plan.IsStaged || d.step.Action == plan.Activate {
			continue
		}
		w := fmt.Sprintf("%s: any power loss or hard reset starts %s", d.called(), staged.Label())
		if d.want == nil || staged.SHA256 != d.want.image.SHA256 {
			w += ", which is not the wanted image"
		}
		w += ". " + d.stagedBy()
		if d.replaced() {
			w += " This plan replaces it."
		}
		warnings = append(warnings, w)
	}
	var known []int // subenclosures that a power loss would leave on different revisions
	for i, d := range drafts {
		pending, after := d.afterPowerLoss()
		if !pending {
			continue
		}
		for k, other := range drafts {
			waits, revision := other.afterPowerLoss()
			if other.step.Subenclosure != d.step.Subenclosure || revision == after || waits && k < i {
				continue // nothing to warn of, or it was said already
			}
			w := fmt.Sprintf("%s: any power loss or hard reset starts %s on %s while %s stays on %s.", e.Called(),
				after, d.label(), other.label(), revision)
			if waits {
				w = fmt.Sprintf("%s: any power loss or hard reset starts %s on %s and %s on %s.", e.Called(), after,
					d.label(), revision, other.label())
			}
			if d.Sub.Staged != nil && !d.replaced() {
				w += " " + d.stagedBy()
			}
			warnings = append(warnings, w)
			known = append(known, d.Sub.ID)
		}
	}
	return append(warnings, mixedWarnings(e, drafts, known)...)
}

// mixedWarnings says which components of an enclosure differ once the plan was carried out,
// though one want means to bring them to one revision. It leaves out subenclosures in known:
// stagedWarnings has said what a power loss makes of them.
func mixedWarnings(e *fleet.Enclosure, drafts []*draft, known []int) []string {
	var warnings []string
	for i, d := range drafts {
		if slices.ContainsFunc(drafts[:i], d.twin) {
			continue // was said with that one
		}
		revision := d.afterPlan()
		if !slices.ContainsFunc(drafts[i+1:], func(o *draft) bool { return d.twin(o) && o.afterPlan() != revision }) {
			continue
		}
		var run, stay []string
		planned, changes, sync := false, false, false
		for _, o := range drafts[i:] {
			if !d.twin(o) {
				continue
			}
			planned = planned || o.targeted
			after := o.afterPlan()
			if moves := after != o.step.Current; moves || o.step.Action == plan.NoOp {
				w := fmt.Sprintf("%s runs %s", o.label(), after)
				if o.targeted && o.step.LeavesStaged() {
					w += " (" + o.stayReason() + ")"
				}
				run = append(run, w)
				changes = changes || moves
				sync = sync || moves && len(o.step.Hops) > 0 && o.step.Last().PeerSync > 0
				continue
			}
			stay = append(stay, fmt.Sprintf("%s stays on %s (%s)", o.label(), after, o.stayReason()))
		}
		if !planned || !changes && slices.Contains(known, d.Sub.ID) {
			continue
		}
		w := fmt.Sprintf("%s: after this plan %s.", e.Called(), strings.Join(append(run, stay...), " and "))
		if sync {
			w += " Such modules may bring each other to one revision then."
		}
		warnings = append(warnings, w)
	}
	return warnings
}

// twin reports whether one want means two components to run the same. A component is its own
// twin.
func (d *draft) twin(o *draft) bool {
	return d.want != nil && o.want != nil && o.want.goal == d.want.goal && o.Sub.ID == d.Sub.ID
}

// afterPlan returns the revision that a component runs once the plan was carried out.
func (d *draft) afterPlan() string {
	switch {
	case len(d.startedBy) > 0:
		_, revision := d.afterPowerLoss()
		return revision
	case !d.targeted || len(d.step.Hops) == 0:
		return d.step.Current
	case d.step.LeavesStaged():
		return d.step.Last().From
	}
	return d.step.Last().Reports()
}

// stayReason returns why the plan leaves a component on the revision that it runs.
func (d *draft) stayReason() string {
	switch {
	case !d.targeted:
		return "not in this plan"
	case d.step.Action == plan.Update:
		return d.step.Last().Goal() + " is left staged"
	}
	return string(d.step.Action)
}

// afterPowerLoss returns the revision that a component has once the plan was carried out and
// then the power was lost. pending: a staged image waits for that.
func (d *draft) afterPowerLoss() (pending bool, revision string) {
	switch {
	case d.targeted && len(d.step.Hops) > 0:
		return d.step.LeavesStaged(), d.step.Last().Reports()
	case d.Sub.Staged != nil:
		return true, d.Sub.Staged.Label()
	}
	return false, d.step.Current
}

// replaced reports whether the plan replaces the staged image.
func (d *draft) replaced() bool { return d.targeted && d.step.Action == plan.Update }

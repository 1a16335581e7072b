package build

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/plan"
)

// stagedWarnings tells what a power loss would start, now or once the plan is
// carried out, and which components differ then without one.
func stagedWarnings(enclosure string, jobs []*job) []string {
	var warnings []string
	for _, j := range jobs {
		if j.ESP.Disputed[j.Sub.ID] != "" {
			warnings = append(warnings, j.Address+": any power loss or hard reset starts what is staged; its row tells what is remembered of it.")
			continue
		}
		staged := j.Sub.Staged
		if staged == nil || j.step.Action == plan.IsStaged || j.step.Action == plan.Activate {
			continue
		}
		w := fmt.Sprintf("%s: any power loss or hard reset starts %s", j.Address, staged.Label())
		if j.want == nil || staged.SHA256 != j.want.image.SHA256 {
			w += ", which is not the wanted image"
		}
		w += ". " + j.stagedBy()
		if j.replaced() {
			w += " This plan replaces it."
		}
		warnings = append(warnings, w)
	}
	var told []int // subenclosures that a power loss would leave on different revisions
	for i, j := range jobs {
		pending, after := j.afterPowerLoss()
		if !pending {
			continue
		}
		for k, other := range jobs {
			waits, revision := other.afterPowerLoss()
			if other.step.Subenclosure != j.step.Subenclosure || revision == after || waits && k < i {
				continue // nothing to tell, or told already
			}
			w := fmt.Sprintf("%s: any power loss or hard reset starts %s on %s while %s stays on %s.", enclosure, after, j.label(), other.label(), revision)
			if waits {
				w = fmt.Sprintf("%s: any power loss or hard reset starts %s on %s and %s on %s.", enclosure, after, j.label(), revision, other.label())
			}
			if j.Sub.Staged != nil && !j.replaced() {
				w += " " + j.stagedBy()
			}
			warnings = append(warnings, w)
			told = append(told, j.Sub.ID)
		}
	}
	return append(warnings, mixedWarnings(enclosure, jobs, told)...)
}

// mixedWarnings tells which components of an enclosure, of those that one want
// means to bring to one revision, differ once the plan is carried out. Those that
// differ already are told too, unless it is told what a power loss makes of them.
func mixedWarnings(enclosure string, jobs []*job, told []int) []string {
	var warnings []string
	for i, j := range jobs {
		if slices.ContainsFunc(jobs[:i], j.twin) {
			continue // told with that one
		}
		revision := j.afterPlan()
		if !slices.ContainsFunc(jobs[i+1:], func(o *job) bool { return j.twin(o) && o.afterPlan() != revision }) {
			continue
		}
		var run, stay []string
		planned, changes, sync := false, false, false
		for _, o := range jobs[i:] {
			if !j.twin(o) {
				continue
			}
			planned = planned || o.targeted
			after := o.afterPlan()
			if moves := after != o.step.Current; moves || o.step.Action == plan.NoOp {
				w := fmt.Sprintf("%s runs %s", o.label(), after)
				if o.targeted && o.step.LeavesStaged() {
					w += " (" + o.whyItStays() + ")"
				}
				run = append(run, w)
				changes = changes || moves
				sync = sync || moves && len(o.step.Hops) > 0 && o.step.Last().PeerSync > 0
				continue
			}
			stay = append(stay, fmt.Sprintf("%s stays on %s (%s)", o.label(), after, o.whyItStays()))
		}
		if !planned || !changes && slices.Contains(told, j.Sub.ID) {
			continue
		}
		w := fmt.Sprintf("%s: after this plan %s.", enclosure, strings.Join(append(run, stay...), " and "))
		if sync {
			w += " Such modules may bring each other to one revision then."
		}
		warnings = append(warnings, w)
	}
	return warnings
}

// twin tells whether one want means two components to run the same, or a component itself.
func (j *job) twin(o *job) bool {
	return j.want != nil && o.want != nil && o.want.goal == j.want.goal && o.Sub.ID == j.Sub.ID
}

// afterPlan is the revision that a component runs once the plan was carried out.
func (j *job) afterPlan() string {
	switch {
	case len(j.startedBy) > 0:
		_, revision := j.afterPowerLoss()
		return revision
	case !j.targeted || len(j.step.Hops) == 0:
		return j.step.Current
	case j.step.LeavesStaged():
		return j.step.Last().From
	}
	return j.step.Last().Reports()
}

// whyItStays is why the plan leaves a component on the revision that it runs.
func (j *job) whyItStays() string {
	switch {
	case !j.targeted:
		return "not in this plan"
	case j.step.Action == plan.Update:
		return j.step.Last().Goal() + " is left staged"
	}
	return string(j.step.Action)
}

// afterPowerLoss is the revision that a component has once the plan was carried
// out and then the power was lost, and whether it waits for that.
func (j *job) afterPowerLoss() (pending bool, revision string) {
	switch {
	case j.targeted && len(j.step.Hops) > 0:
		return j.step.LeavesStaged(), j.step.Last().Reports()
	case j.Sub.Staged != nil:
		return true, j.Sub.Staged.Label()
	}
	return false, j.step.Current
}

// replaced tells whether the plan puts another image in the place of what is staged.
func (j *job) replaced() bool { return j.targeted && j.step.Action == plan.Update }

package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/plan"
	"fwctl/plan/desired"
)

// settle looks at what the resets of one component start on others: whatever is
// staged behind the same ESP. What may not be started forbids the reset. What
// this plan leaves staged is staged after it, where that is possible.
func (b *builder) settle(jobs []*job) {
	for changed := true; changed; {
		changed = false
		for _, j := range jobs {
			if !j.targeted || !j.step.Resets() {
				continue
			}
			if why := b.bystander(j, jobs); why != "" && j.want.denied() != why {
				j.want.reset, j.want.bystander = plan.GateResult{Gate: plan.GateReset, Verdict: plan.Failed, Why: why}, true
				b.plan(j)
				changed = true
			}
		}
	}
	for _, j := range jobs {
		if !j.targeted || !j.step.Resets() {
			continue
		}
		for _, o := range jobs {
			if o == j || !j.reaches(o) {
				continue
			}
			if o.toBeLeft() && (j.want.rule.Scope == desired.EnclosureScope || j.Sub.ID == 0) {
				j.takesDown = append(j.takesDown, fmt.Sprintf("%s (%s)", o.name(j), o.step.Action))
				o.downBy = append(o.downBy, j)
			}
			if o.canBeLate() {
				o.late = true
			} else if revision, _ := o.exposedTo(j); revision != "" {
				j.started = append(j.started, o.name(j)+" ("+revision+")")
				o.startedBy = append(o.startedBy, j)
			}
		}
	}
	for _, j := range jobs {
		if len(j.started) > 0 {
			j.step.Disruption.Why += "; a reset also starts what is staged on " + strings.Join(j.started, ", ")
		}
		if len(j.takesDown) > 0 {
			j.step.Disruption.Why += "; a reset takes down " + strings.Join(j.takesDown, ", ") + ", too"
		}
	}
}

// toBeLeft reports whether something says to leave a component alone: an exception, or
// what blocks it.
func (j *job) toBeLeft() bool { return j.step.Action == plan.Excepted || j.step.Action == plan.Blocked }

// canBeLate tells whether a step only stages, and nothing that it replaces would
// be started meanwhile.
func (j *job) canBeLate() bool {
	return j.targeted && j.step.Action == plan.Update && j.Sub.Staged == nil && !j.step.Resets()
}

// exposedTo is the revision that the reset of another component starts on this
// one, "" where there is none or the plan starts it itself. meant: the plan put it
// there, to be left staged.
func (o *job) exposedTo(j *job) (revision string, meant bool) {
	switch {
	case o.targeted && o.step.Action == plan.Activate:
		return "", false
	case o.targeted && o.step.Action == plan.Update:
		switch hops := o.step.Hops; {
		case o.Sub.Staged != nil && len(hops[0].Deferring()) == 0 && !o.resetBefore(j):
			return o.Sub.Staged.Label(), false // until its own download, which resets
		case o.step.LeavesStaged() && (len(hops) == 1 || o.resetBefore(j)):
			return o.step.Last().Goal(), true // the last of several is staged after its own reset
		}
		return "", false
	case o.Sub.Staged != nil:
		return o.Sub.Staged.Label(), false
	}
	return "", false
}

// resetBefore tells whether a component is reset before another of its enclosure,
// as places of waves compare.
func (o *job) resetBefore(j *job) bool {
	return o.step.Resets() && cmp.Or(cmp.Compare(o.ESP.Side, j.ESP.Side), compareBool(o.Sub.ID == 0, j.Sub.ID == 0)) < 0
}

// reaches tells whether a reset of a component's ESP starts what is staged on
// another: one that the same ESP serves, or any where the whole enclosure goes down.
func (j *job) reaches(o *job) bool {
	return j.want.rule.Scope == desired.EnclosureScope || j.ESP == o.ESP || slices.Contains(o.Also, j.ESP)
}

// name is how a component is called in what is told of another.
func (j *job) name(other *job) string {
	name := strings.TrimPrefix(j.Address, j.e.ID+"/")
	return strings.TrimPrefix(name, other.ESP.ID+"/")
}

// bystander is why a reset must not start what is staged beside a component, "" if it may.
func (b *builder) bystander(j *job, jobs []*job) string {
	for _, o := range jobs {
		if o != j && j.reaches(o) && o.unclear() != nil && !(o.targeted && o.step.Action == plan.Update) {
			return fmt.Sprintf("the reset may also start what %s holds, which is unknown%s", o.name(j), o.unclear().Source())
		}
		revision, meant := o.exposedTo(j)
		if o == j || !j.reaches(o) || o.canBeLate() || revision == "" {
			continue
		}
		why := ""
		switch {
		case o.want == nil:
			why = "which no want asks for"
		case o.step.Action == plan.Blocked:
			why = "which is blocked"
		case o.step.Action == plan.NoOp, !o.targeted && o.Sub.Staged.SHA256 != o.want.image.SHA256, o.targeted && o.step.Action == plan.Update && !meant:
			why = "which is not the wanted image"
		case o.want.denied() != "" && o.step.Reset != plan.ResetAlways:
			why = "whose policy says reset: " + string(o.step.Reset)
		}
		if why != "" {
			return fmt.Sprintf("the reset would also start %s on %s, %s", revision, o.name(j), why)
		}
	}
	return ""
}

// tellWaves tells, in the row of what another component's reset starts or takes down, of
// which and when.
func (j *job) tellWaves() {
	for _, by := range j.downBy {
		reset := "reset of " + by.label()
		if by.step.Hops[len(by.step.Hops)-1].ByPerson() {
			reset = "power cycle for " + by.label()
		}
		j.step.Reasons = append(
			j.step.Reasons,
			fmt.Sprintf("the %s in wave %d takes it down all the same", reset, by.step.Waves.Reset),
		)
	}
	for _, by := range j.startedBy {
		j.step.Reasons = append(j.step.Reasons, fmt.Sprintf("the reset of %s in wave %d starts what is staged here too", by.label(), by.step.Waves.Reset))
	}
}

// label is how a component is called within its enclosure: esp1, or esp1/sub3.
func (j *job) label() string {
	return strings.TrimSuffix(strings.TrimPrefix(j.Address, j.e.ID+"/"), "/sub0")
}

package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/plan/impact"
)

// job is a component on its way to becoming a step.
type job struct {
	fleet.Component
	e         *fleet.Enclosure
	domain    *impact.Domain
	step      plan.Step
	want      *wanted             // nil where no want matches it
	targeted  bool                // false: left out by --target
	stage     *plan.Wave          // where it is worked on, nil where it is not
	reset     *plan.Wave          // likewise
	late      bool                // staged after the resets of its ESP, so that none of them starts it
	started   []string            // what its resets start beside it
	takesDown []string            // what its resets take down beside it, though the plan does nothing with it
	startedBy []*job              // whose resets start what it has staged
	downBy    []*job              // whose resets take it down, though the plan does nothing with it
	told      []inventory.Caution // those that are among the reasons already
}

// decide decides what is done with the components of an enclosure.
func (b *builder) decide(e *fleet.Enclosure) []*job {
	var jobs []*job
	for _, c := range e.Components() {
		j := b.begin(e, c)
		j.targeted = len(b.in.Targets) == 0 || c.Selected(b.in.Targets) >= 0
		b.plan(j)
		jobs = append(jobs, j)
	}
	b.settle(jobs)
	return jobs
}

// begin finds out what is wanted of a component.
func (b *builder) begin(e *fleet.Enclosure, c fleet.Component) *job {
	j := &job{Component: c, e: e, domain: b.survey.Domain(e), step: plan.Step{
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
	j.step.Quirk = b.quirk(c).Name
	if c.Sub.Staged != nil {
		j.step.Preconditions.Staged = &c.Sub.Staged.SHA256
	}
	want := b.wantOf(c)
	if want == nil {
		return j
	}
	w := &wanted{
		goal:       want,
		Component:  c,
		sizes:      b.in.ImageSizes,
		again:      b.in.Again,
		needsImage: inventory.CautionOf(j.domain.Cautions, inventory.NeedsImage, c.Address) != nil,
	}
	w.rule = w.activation()
	j.want = w
	j.step.Reset = w.policy.Reset
	j.step.Model, j.step.Image, j.step.Policy, j.step.Desired = w.modelName, w.name, w.policyName, w.image.Revision
	for i, x := range b.in.Desired.Except {
		if c.Selected([]inventory.Selector{x.Enclosure}) < 0 {
			continue
		}
		if x.Until >= b.today {
			j.step.Action = plan.Excepted
			j.step.Reasons = append(j.step.Reasons, fmt.Sprintf("left alone until %s: %s", x.Until, x.Reason))
			continue
		}
		b.ended[fmt.Sprintf("except %d (%s) ended on %s and holds no longer: %s", i+1, x.Enclosure, x.Until, x.Reason)] = true
	}
	if j.step.Action != plan.Excepted {
		w.reset = b.resetGate(j)
	}
	return j
}

// target is what a reset takes down: an ESP, or all ESPs of an enclosure.
type target struct {
	esp       *fleet.ESP
	enclosure *fleet.Enclosure
}

// luIDs are those of the ESPs that go down.
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

// effect is what the reset does that starts a component's image.
func (b *builder) effect(j *job) impact.Effect {
	resets := target{esp: j.ESP}
	if j.want.rule.Scope == desired.EnclosureScope {
		resets = target{enclosure: j.e}
	}
	known, ok := b.effects[resets]
	if !ok {
		known = b.survey.Effect(resets.luIDs())
		b.effects[resets] = known
	}
	j.step.Evidence, j.step.SeenElsewhere = known.Evidence, j.domain.SeenElsewhere(b.survey, j.step.Host)
	return known
}

// plan makes a component's step of what is wanted, and of the reset that is or
// is not permitted.
func (b *builder) plan(j *job) {
	w, s := j.want, &j.step
	if w == nil || s.Action == plan.Excepted {
		j.tellStaged()
		return
	}
	s.Action, s.Hops, s.Later, s.Hooks, s.Reasons, s.Gates, s.Rollback, s.WorstDuration = plan.Update, []plan.Hop{}, nil, nil, []string{}, []plan.GateResult{}, "", 0
	s.Disruption = plan.Disruption{Expected: plan.NoImpact, Worst: plan.NoImpact}
	s.WaitsForPower, j.told = false, nil

	if j.ESP.Disputed[j.Sub.ID] != "" {
		s.Action = plan.Blocked
		j.tellStaged()
		return
	}
	chain, dormant := w.chainOf(j.Sub.Staged, b.in.SignedBy)
	switch {
	case dormant:
		if !b.planStaged(j, chain) {
			return
		}
	case w.upToDate():
		s.Action = plan.NoOp
		switch {
		case w.image.NoVersion:
			s.Reasons = append(s.Reasons, w.byMemory())
		case w.image.StartsAtItself():
			s.Reasons = append(
				s.Reasons,
				fmt.Sprintf(
					"its revision cannot tell, and %s remembers having sent it the wanted image on %s",
					s.Host,
					j.Sub.Sent.At.UTC().Format(time.DateOnly),
				),
			)
		}
		j.block(j.Conflict(), j.unfinished())
		j.tellStaged()
		return
	default:
		switch {
		case w.image.NoVersion:
			s.Reasons = append(s.Reasons, w.byMemory())
		case w.otherBehind():
			s.Reasons = append(s.Reasons, fmt.Sprintf("it reports %s, but of another image than the wanted one: %.8s, which was sent on %s", s.Current, j.Sub.Sent.SHA256, j.Sub.Sent.At.UTC().Format(time.DateOnly)))
		case w.image.Revision == s.Current && w.image.StartsAtItself():
			s.Reasons = append(
				s.Reasons,
				fmt.Sprintf(
					"it reports %s already, which cannot tell whether it runs the wanted image: %s does not remember having sent that",
					s.Current,
					s.Host,
				),
			)
		}
		way, activate := chain, plan.GateResult{}
		if chain == nil {
			var reasons []string
			way, reasons = w.obstacles()
			j.block(reasons...)
		} else if w.policy.Activate == plan.WithApply && w.defers(w.before(chain, len(chain)-1), w.image) {
			activate = w.activateGate(len(chain) == 1)
		}
		j.block(j.Conflict(), j.locked(""))
		b.pass(j, way, activate)
		if s.Action == plan.Update {
			if why := w.shorter(chain, b.in.SignedBy); why != "" {
				s.Reasons = append(s.Reasons, why)
			}
		}
	}
	if s.Action == plan.Blocked {
		j.tellStaged()
		return
	}
	if !dormant {
		hops, later, why := w.hops(chain)
		s.Hops, s.Later = hops, later
		if why != "" {
			s.Reasons = append(s.Reasons, why)
		}
		j.tellStaged()
	}
	s.Rollback = w.rollback(s.Current)
	s.Disruption = w.disruption(s.Hops, func() impact.Effect { return b.effect(j) })
	for _, h := range s.Hops {
		if h.Resets() && !h.ByPerson() {
			s.Hooks = w.policy.Hooks
		}
	}
	s.WorstDuration = s.Worst()
}

// byMemory says what is known of a part that reports no revision: what its host remembers.
func (w *wanted) byMemory() string {
	at := fmt.Sprintf("what is behind buffer %d reports no revision", w.bufferID(w.image))
	sent := w.Sub.Behind(w.bufferID(w.image))
	if sent == nil {
		return fmt.Sprintf("%s, and %s does not remember having sent it anything", at, w.ESP.Host)
	}
	return fmt.Sprintf(
		"%s: %s remembers having sent it image %.8s on %s",
		at,
		w.ESP.Host,
		sent.SHA256,
		sent.At.UTC().Format(time.DateOnly),
	)
}

// planStaged plans what is staged already: the wanted image, or the first stepping
// stone to it. False: it is left as it is.
func (b *builder) planStaged(j *job, chain []string) bool {
	w, s := j.want, &j.step
	hop := w.hop(s.Current, chain[0])
	hop.Modes = []plan.Mode{}
	s.Later = w.laterHops(hop.To, chain[1:])
	s.Action = plan.IsStaged
	s.Disruption.Why = "any power loss or hard reset starts " + hop.Goal()
	if len(s.Later) > 0 {
		s.Reasons = append(s.Reasons, fmt.Sprintf("%s is staged, a stepping stone: %s once it runs", hop.To, toward(s.Later)))
	}
	if w.policy.Activate != plan.WithApply {
		s.Gates = b.gates(w.reset)
		return false
	}
	activate := w.activateGate(true)
	unsure := w.rule.By == plan.ByModeF && !j.Sub.Staged.Confirmed && !hop.ActivateUnconfirmed
	if unsure {
		activate = plan.GateResult{Gate: plan.GateActivate, Verdict: plan.Failed, Why: neverComplete}
	}
	s.WaitsForPower = unsure
	if activate.Verdict == plan.Failed &&
		(unsure || w.rule.By == plan.ByPowerCycle || w.denied() != "" && !w.bystander && !b.in.Activate) {
		s.Gates = b.gates(w.reset, activate)
		s.Reasons = append(s.Reasons, activate.Why)
		return false
	}
	s.Action = plan.Activate
	hop.Activation = plan.WithApply
	s.Hops = []plan.Hop{hop}
	j.block(j.Conflict(), j.locked(hop.ActivateBy))
	b.pass(j, chain[:1], activate)
	if s.Action == plan.Blocked {
		s.Hops, s.Later = []plan.Hop{}, nil
		j.tellWaiting(hop.Goal() + " is staged")
		return false
	}
	return true
}

// neverComplete is why what is staged is not started by a command, though the policy
// wants that and permits it.
const neverComplete = "the device never said that the image is complete, so that no 0Fh is sent: " +
	"power-cycle the enclosure when its drives are not in use, then run `fwctl verify`"

// tellStaged tells, in the row, of what is staged and is not what the row is about.
func (j *job) tellStaged() {
	staged, s := j.Sub.Staged, &j.step
	if staged == nil {
		return
	}
	if why := j.ESP.Disputed[j.Sub.ID]; why != "" {
		s.Reasons = append(s.Reasons, why)
		s.Disruption.Why = "any power loss or hard reset starts what is staged"
		return
	}
	what := "another image is staged, " + staged.Label()
	if j.want == nil || staged.SHA256 == j.want.image.SHA256 {
		what = staged.Label() + " is staged"
	}
	j.tellWaiting(what)
}

// tellWaiting tells, in the row, of what is staged, and who staged it.
func (j *job) tellWaiting(what string) {
	s := &j.step
	text := what + ", and any power loss or hard reset starts it. " + j.stagedBy()
	if s.Action == plan.Update {
		text = what + ", and this plan replaces it. " + j.stagedBy()
	} else {
		s.Disruption.Why = "any power loss or hard reset starts " + j.Sub.Staged.Label()
	}
	s.Reasons = append(s.Reasons, text)
}

// block makes the component's step blocked for reasons, of which empty ones do not count.
func (j *job) block(reasons ...string) {
	s := &j.step
	for _, r := range reasons {
		if r != "" && !(s.Action == plan.Blocked && slices.Contains(s.Reasons, r)) {
			s.Action = plan.Blocked
			s.Reasons = append(s.Reasons, r)
		}
	}
}

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

package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// lock takes the locks of all enclosures that there is work for, and of those that
// share a fault domain with them: nobody else may reset anything there. They are
// kept until release.
func (r *run) lock(ctx context.Context) (release func()) {
	var locks []io.Closer
	release = func() {
		for _, l := range locks {
			l.Close()
		}
	}
	if r.why != "" {
		return release
	}
	// Sorted, and no further than the first that is taken: of two runs at the same
	// enclosures one gets through, and the other has not opened a node of theirs.
	for _, enclosure := range r.enclosures() {
		lock, err := r.Machine.Lock(enclosure)
		if err != nil {
			err = r.withHolder(ctx, err, enclosure)
			for _, c := range r.local() {
				if c.step.Enclosure == enclosure {
					r.turnDown(ctx, c, c.cannot(err))
				}
			}
			r.refuse()
			if r.why == "" {
				r.refusal, r.why = RefusedInUse, err.Error()
			}
			return release
		}
		locks = append(locks, lock)
	}
	lock, err := r.lockResets()
	if err != nil {
		r.refusal, r.why = RefusedInUse, r.withHolder(ctx, err, resetsLock).Error()+
			": another run resets ESPs, and what may share drives with others is not reset beside anything"
		return release
	}
	locks = append(locks, lock)
	return release
}

// withHolder names the run that holds a lock in the error of taking it, where the store knows that run.
func (r *run) withHolder(ctx context.Context, err error, lock string) error {
	if !errors.Is(err, transport.ErrBusy) {
		return err
	}
	open, openErr := r.Store.Resumable(ctx)
	if openErr != nil {
		return err
	}
	for i := range open {
		held, heldErr := r.Machine.HoldsLock(lock, open[i].PID)
		if heldErr != nil || !held {
			continue
		}
		if its, keptErr := keptPlan(ctx, r.Store, open[i].ID); keptErr == nil && its != nil {
			return fmt.Errorf("%w: %s, is going on (pid %d)", err, began(&open[i], its), open[i].PID)
		}
	}
	return err
}

// resetsLock is the lock of all runs that reset something: those that know the fault
// domains of what they reset share it, and one that does not has it for itself.
const resetsLock = "resets"

func (r *run) lockResets() (io.Closer, error) {
	resets, grouped := false, true
	for _, c := range r.local() {
		if n := c.step.Waves.Reset; slices.ContainsFunc(
			r.Plan.Waves,
			func(w plan.Wave) bool { return w.Number == n && r.Selects(w) && !w.PowerCycle },
		) {
			resets, grouped = true, grouped && c.step.FaultDomain != 0
		}
	}
	switch {
	case !resets:
		return io.NopCloser(nil), nil
	case grouped:
		return r.Machine.ShareLock(resetsLock)
	}
	return r.Machine.Lock(resetsLock)
}

// enclosures are those that there is work for, and those of their fault domains, sorted.
func (r *run) enclosures() []string {
	var all []string
	for _, c := range r.local() {
		all = append(append(all, c.step.Enclosure), c.step.Neighbours...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// preflight compares the preconditions of all steps with the live devices. One
// that does not hold refuses the whole run, as long as nothing has been written.
func (r *run) preflight(ctx context.Context) {
	steps := r.local()
	if r.why != "" || len(steps) == 0 {
		return
	}
	r.event(Event{Type: EventChecking, Components: len(steps)})
	why, err := r.unfinished(ctx)
	switch {
	case err != nil:
		r.why = err.Error()
		return
	case why != "":
		r.refusal, r.why = RefusedUnfinished, why
		return
	}
	if err := r.recall(ctx); err != nil {
		r.why = err.Error()
		return
	}
	inv, err := r.scan(r.until, r.enclosures())
	if err != nil && r.until.Err() == nil {
		r.why = err.Error()
		return
	}
	for _, group := range byEnclosure(steps) {
		if r.until.Err() != nil {
			break
		}
		r.compare(ctx, group, inv)
	}
	if r.until.Err() != nil {
		r.stop(schedule.Interrupted, RunInterrupted)
		return
	}
	if !r.wrote {
		r.refuse()
	}
}

// compare compares the steps of one enclosure with what is live, and takes down
// what it is like before the run touches it.
func (r *run) compare(ctx context.Context, group []*component, inv *inventory.Inventory) {
	held, err := r.hold(r.until, group[0], inv)
	if err == nil {
		defer held.Close()
		err = r.takeDown(ctx, held)
	}
	remembered, failure := r.Store.Cautions(r.until)
	all := inventoryCautions(remembered)
	for _, c := range group {
		cautions := c.step.Own(all)
		if c.is.Damage == step.Sound && inventory.CautionOf(cautions, inventory.NeedsImage, c.step.Address) != nil {
			is := c.is
			is.Damage = step.NeedsImage
			r.set(c, is)
		}
		e := c.cannot(cmp.Or(err, failure))
		if e.Kind == "" {
			e = r.check(r.until, held, c, nil)
		}
		if e.Kind == "" && !c.is.Dormant(c.step) { // what is dormant is not started
			e = c.heed(cautions)
		}
		if e.Kind == "" && c.step.Waves.Reset != 0 && r.selectsNumber(c.step.Waves.Reset) {
			if why := r.forbids(c, inv); why != "" {
				e = refusedByGate(why)
			}
		}
		if r.until.Err() != nil {
			return // what was not read is no reason
		}
		if c.ready = e.Kind == ""; !c.ready {
			r.turnDown(ctx, c, e)
		}
	}
}

// heed refuses what earlier runs have found out that must not be done.
func (c *component) heed(cautions []inventory.Caution) step.Event {
	var startsBy plan.ActivateBy
	if c.is.HoldsHop(c.step) {
		startsBy = c.hop().ActivateBy
	}
	_, why := impact.Locked(cautions, c.step.Address, append([]string{c.step.Enclosure}, c.step.Neighbours...), startsBy)
	if why == "" {
		return step.Event{}
	}
	return refusedByGate(why)
}

func refusedByGate(why string) step.Event {
	return step.Event{Kind: step.Stale, Refusal: string(RefusedGate), Reason: why}
}

// baselineOf is what an enclosure of the run was like before it.
func (r *run) baselineOf(id string) *enclosure.Baseline {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.baselines[id]
}

// takeDown records what an enclosure is like before the run's first effect on it. A
// path to a drive that is not live then is not waited for later, which is worth a line.
func (r *run) takeDown(ctx context.Context, held *enclosure.Held) error {
	if r.baselineOf(held.ID()) != nil {
		return nil // of the run that is resumed
	}
	var e *inventory.Enclosure
	err := enclosure.Retry(r.until, func() (err error) {
		e, err = held.Read(r.until)
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range enclosure.DownDrives(e) {
		r.event(Event{
			Type: EventNoticed, Address: held.ID(),
			Reason: fmt.Sprintf("%s was not healthy before this run, and is not waited for: %s", d.Name, d.Why),
		})
	}
	b := enclosure.TakeBaseline(e)
	r.mu.Lock()
	r.baselines[held.ID()] = b
	r.mu.Unlock()
	if r.id == 0 {
		return nil
	}
	return r.Store.Update(ctx, func(tx *state.Tx) { tx.Baseline(r.id, held.ID(), b.Encode()) })
}

// unfinished refuses a new run where an earlier one was killed in the middle of
// something. One that left nothing open there has its end now: this run is in its place.
func (r *run) unfinished(ctx context.Context) (why string, err error) {
	open, err := r.Store.Open(ctx)
	if err != nil {
		return "", err
	}
	ours := r.enclosures()
	for _, i := range open {
		if i.Run != r.id && slices.Contains(ours, inventory.EnclosureOf(i.Address)) && !r.exchanged(i) {
			return fmt.Sprintf(
				"how an earlier run's work on %s ended is not known, and nothing was written: fwctl resume finds out",
				i.Address,
			), nil
		}
	}
	if r.id == 0 {
		return "", nil
	}
	gone := slices.DeleteFunc(slices.Clone(open), func(i state.Intent) bool { return !r.exchanged(i) })
	err = r.Store.Update(ctx, func(tx *state.Tx) {
		for _, i := range gone {
			tx.Resolve(i.ID, "the module was exchanged")
		}
	})
	if err != nil {
		return "", err
	}
	earlier, err := r.Store.Unfinished(ctx)
	if err != nil {
		return "", err
	}
	for _, run := range earlier {
		p, err := keptPlan(ctx, r.Store, run.ID)
		if err != nil || p == nil || run.ID == r.id ||
			slices.ContainsFunc(open, func(i state.Intent) bool { return i.Run == run.ID }) {
			continue // whoever resumes it will hear of what is wrong with it
		}
		// Its enclosures are locked by this run, so it is dead.
		if slices.ContainsFunc(p.Steps, func(s plan.Step) bool {
			return s.Host == run.Host && s.Acts() && slices.Contains(r.enclosures(), s.Enclosure)
		}) {
			switch owed, err := owedHooks(ctx, r.Store, run.ID); {
			case err != nil:
				return "", err
			case len(owed) > 0:
				return fmt.Sprintf(
					"run %d was broken off after the command before a reset, and nothing was written: fwctl resume runs the one after it",
					run.ID,
				), nil
			}
			if err := r.Store.Update(ctx, func(tx *state.Tx) { tx.EndRun(run.ID, time.Now(), superseded) }); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// exchanged reports whether the plan has another logical unit at the address of an effect
// whose end is not known: what had it is not there any more.
func (r *run) exchanged(i state.Intent) bool {
	return slices.ContainsFunc(r.Plan.Steps, func(s plan.Step) bool {
		return s.Address == i.Address && inventory.OtherUnits(s.LUID, i.Key.LUID)
	})
}

// superseded is how a run ended that was killed, and that another has taken the place of.
const superseded = "superseded"

// recall finds out which components have refused mode e in an earlier run of the
// same plan: their stage wave is done with, and their reset wave begins with mode 7.
func (r *run) recall(ctx context.Context) error {
	runs, err := r.Store.Runs(ctx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.PlanDigest != r.Plan.Digest || run.ID == r.id {
			continue
		}
		records, err := r.Store.Steps(ctx, run.ID)
		if err != nil {
			return err
		}
		for _, c := range r.local() {
			is := c.is
			is.RefusedE = is.RefusedE || slices.ContainsFunc(records, func(rec state.Step) bool {
				waits := rec.State == string(step.Pending) && rec.Mode == string(plan.Mode7)
				return rec.Key == c.key && rec.Hop == is.Hop && waits && c.step.Waves.Stage != 0
			})
			r.set(c, is)
		}
	}
	return nil
}

// turnDown ends a step that has not begun.
func (r *run) turnDown(ctx context.Context, c *component, e step.Event) {
	if r.apply(ctx, c, step.Event{Kind: step.Begin}); c.is.State == step.Checking {
		r.apply(ctx, c, e)
	}
}

// refuse refuses the whole run where a step was. What takes a new plan, or a
// hand, says so for those that only have to wait.
func (r *run) refuse() {
	for _, kind := range []struct {
		refusal Refusal
		why     string
	}{
		{RefusedStale, "not everything is as the plan expects it, and nothing was written: make a new plan"},
		{RefusedGate, "not every reset that is planned is permitted now, and nothing was written: see to that, and apply the same plan again, or make a new one"},
		{RefusedUnread, "not everything could be compared with the plan, and nothing was written: see to that, and apply the same plan again"},
		{RefusedInUse, "somebody else is using what the plan is about, and nothing was written: wait until they are done, and apply the same plan again"},
	} {
		if r.why == "" &&
			slices.ContainsFunc(r.components, func(c *component) bool { return c.is.Refusal == string(kind.refusal) }) {
			r.refusal, r.why = kind.refusal, kind.why
		}
	}
}

// scan reads enclosures, and leaves all others that the plan knows alone: this run
// has no lock of theirs, or is working on them.
func (r *run) scan(ctx context.Context, enclosures []string) (*inventory.Inventory, error) {
	var others []string
	for _, s := range r.Plan.Steps {
		if !slices.Contains(enclosures, s.Enclosure) {
			others = append(others, s.LUID)
		}
	}
	return scan.Scan(ctx, r.Machine, scan.Options{Except: others, ProbeUse: true})
}

// refusalFor is the kind of a refusal because something cannot be read.
func refusalFor(err error) Refusal {
	if errors.Is(err, transport.ErrBusy) {
		return RefusedInUse
	}
	return RefusedUnread
}

// check reads a component, finds where it stands, and compares it with what its step
// expects. The event is the wave's task if all is as expected; without a wave it has no
// Kind then.
func (r *run) check(ctx context.Context, held *enclosure.Held, c *component, wave *plan.Wave) step.Event {
	memory, err := r.Store.Memory(ctx)
	if err != nil {
		return c.cannot(err)
	}
	e, worse, err := r.readAgain(ctx, held)
	if e == nil {
		return c.cannot(err)
	}
	remember(e, memory)
	_, sub, err := c.in(e)
	if err != nil {
		return c.is.NotAsPlanned(err.Error())
	}
	if err := r.forgetStaged(ctx, c, memory, sub); err != nil {
		return c.cannot(err)
	}
	is := c.is.Place(c.step, sub)
	is.Runs = sub.Revision
	r.set(c, is)
	next := c.next(wave)
	c.download = r.newDownload(held, e, c, cmp.Or(next.Mode, c.is.Mode))
	switch {
	case c.unsure(sub):
		return c.is.NotAsPlanned(
			"the device never said that what it holds staged is complete, so it is not activated; a power cycle would start it")
	case len(worse) > 0:
		return c.is.NotAsPlanned("the enclosure has become worse since the run began: " + strings.Join(worse, "; "))
	}
	seen := step.Seen{Enclosure: e, Sub: sub, Planned: r.Plan.CreatedAt}
	if sent := memory.Sent[c.key]; len(sent) > 0 {
		seen.LastSent = sent[len(sent)-1].SHA256
	}
	if event := c.is.Judge(c.step, seen); event.Kind != "" {
		return event
	}
	return next
}

// readAgain reads an enclosure, and says what of it has become worse since the run began.
func (r *run) readAgain(ctx context.Context, held *enclosure.Held) (e *inventory.Enclosure, worse []string, err error) {
	before := r.baselineOf(held.ID())
	err = enclosure.Retry(ctx, func() (err error) {
		worse = nil
		if e, err = held.Read(ctx); err != nil || before == nil {
			return err
		}
		if worse = before.Decline(e); len(worse) > 0 { // a page that could not be read looks like that too
			return errors.New(strings.Join(worse, "; "))
		}
		return nil
	})
	return e, worse, err
}

// forgetStaged forgets what the store has as staged in a component that does not hold it
// any more.
func (r *run) forgetStaged(ctx context.Context, c *component, m *state.Memory, sub *inventory.Subenclosure) error {
	old, ok := m.Staged[c.key]
	if !ok || sub.Staged != nil || r.id == 0 {
		return nil
	}
	if err := r.Store.Update(ctx, func(tx *state.Tx) { tx.Unstage(c.key) }); err != nil {
		return err
	}
	r.event(c.about(Event{Type: EventNoticed, Reason: fmt.Sprintf(
		"what was staged here on %s is no longer: it ran %s then and runs %s now",
		old.Since.Format(time.DateOnly), old.Running, sub.Revision)}))
	return nil
}

// next is the event of what a wave has to do for a component that is as expected.
func (c *component) next(wave *plan.Wave) step.Event {
	if wave == nil {
		return step.Event{}
	}
	switch c.is.TaskIn(c.step, wave) {
	case step.ToSend:
		return step.Event{Kind: step.Send, Mode: c.is.ModeIn(c.step, wave)}
	case step.ToStart:
		return step.Event{Kind: step.Activate}
	}
	return step.Event{Kind: step.Keep, Reason: c.is.Reason}
}

// unsure reports whether it holds staged what the plan has started now, and what the device
// never said to be complete.
func (c *component) unsure(sub *inventory.Subenclosure) bool {
	hop := c.hop()
	return c.is.Staged() != "" && !c.is.Touched && c.step.Action != plan.Update && hop.ByCommand() &&
		sub.Staged != nil && !sub.Staged.Confirmed && !hop.ActivateUnconfirmed
}

// forbids says why a step's ESP must not be reset now, as a fresh scan shows the
// use of the drives behind it; "" where nothing is against it. Hosts other than
// this one are as the plan saw them.
func (r *run) forbids(c *component, inv *inventory.Inventory) string {
	seen := func(id string) bool {
		return slices.ContainsFunc(inv.Enclosures, func(e inventory.Enclosure) bool { return e.ID() == id })
	}
	domain := append([]string{c.step.Enclosure}, c.step.Neighbours...)
	for _, id := range domain {
		if !seen(id) {
			return "enclosure " + id + " of its fault domain is not in sight: it is unknown whether its drives are in use"
		}
	}
	if why := r.unreadIn(domain, c.step.Host, inv); why != "" {
		return impact.PartUnread + why
	}
	effect := impact.Of([]*inventory.Inventory{inv}, []string{c.step.LUID}, domain, c.step.SeenElsewhere)
	if ok, why := impact.Permits(c.step.Reset, effect); !ok {
		return why
	}
	if effect.Worst == plan.IOInterruption && c.step.Disruption.Worst != plan.IOInterruption &&
		c.step.Selected(r.AcceptDisruption) < 0 {
		return "the plan says that no I/O stops, and now it may: " + effect.Why
	}
	return ""
}

// unreadIn returns what of a fault domain, among the components that the plan knows on a
// host, cannot be read now, and why; "" if all of it can be.
func (r *run) unreadIn(domain []string, host string, inv *inventory.Inventory) string {
	for i := range inv.Problems {
		p := &inv.Problems[i]
		for _, o := range r.Plan.Steps {
			if p.Unread == nil || o.Host != host || !slices.Contains(domain, o.Enclosure) || !p.Unread.Leads(o.LUID) {
				continue
			}
			read := func(e inventory.Enclosure) bool { return e.ESP(o.LUID) != nil }
			if !slices.ContainsFunc(inv.Enclosures, read) { // on another path either
				return fmt.Sprintf("%s (%s): %s", o.Address, p.Path, p.Detail)
			}
		}
	}
	return ""
}

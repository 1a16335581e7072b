package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/internal/baseline"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
)

// preflight compares the preconditions of all steps with the live devices. A precondition
// that does not hold refuses the whole run, unless something was written already.
func (r *run) preflight(ctx context.Context) {
	// The last look is for those that a resumed run has brought to their end.
	steps := slices.DeleteFunc(r.local(), func(c *component) bool { return c.is.Arrived(c.step) })
	if r.why != "" || len(steps) == 0 {
		return
	}
	r.event(result.Event{Type: result.EventChecking, Components: len(steps)})
	why, err := r.unfinished(ctx)
	switch {
	case err != nil:
		r.why = err.Error()
		return
	case why != "":
		r.refusal, r.why = step.RefusedUnfinished, why
		return
	}
	if err := r.recallRefusedModes(ctx); err != nil {
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
		r.stop(schedule.Interrupted, result.RunInterrupted)
		return
	}
	if !r.wrote {
		r.refuse()
	}
}

// compare compares the steps of one enclosure with the live devices, and takes the
// enclosure's baseline.
func (r *run) compare(ctx context.Context, group []*component, inv *inventory.Inventory) {
	held, err := r.hold(r.until, group[0], inv)
	if err == nil {
		defer held.Close()
		err = r.takeBaseline(ctx, held)
	}
	recorded, failure := r.Store.Cautions(r.until)
	all := memory.Cautions(recorded)
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
		if e.Kind == step.Return { // its wave finds that again, and reads it back
			e = step.Event{}
		}
		if e.Kind == "" && !c.is.Dormant(c.step) { // the run does not start a dormant image
			e = c.heed(cautions, r.names.Called)
		}
		if e.Kind == "" && c.step.Waves.Reset != 0 && r.selectsNumber(c.step.Waves.Reset) {
			if why := r.forbids(c, inv); why != "" {
				e = c.refusedByGate(why)
			}
		}
		if r.until.Err() != nil {
			return // the interruption may be why it could not be read
		}
		if c.ready = e.Kind == ""; !c.ready {
			r.endUnbegun(ctx, c, e)
		}
	}
}

// baselineOf returns what an enclosure was like before the run.
func (r *run) baselineOf(id string) *baseline.Baseline {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.baselines[id]
}

// takeBaseline records what an enclosure is like before the run's first effect on it. It
// reports the drives that are not healthy: the run does not wait for those later.
func (r *run) takeBaseline(ctx context.Context, held *enclosure.Held) error {
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
	for _, d := range baseline.DownDrives(e) {
		r.event(result.Event{
			Type: result.EventNoticed, Address: held.ID(),
			Reason: fmt.Sprintf("%s was not healthy before this run, and is not waited for: %s", d.Name, d.Why),
		})
	}
	b := baseline.Take(e)
	r.mu.Lock()
	r.baselines[held.ID()] = b
	r.mu.Unlock()
	if r.id == 0 {
		return nil
	}
	return r.Store.Update(ctx, func(tx *state.Tx) { tx.Baseline(r.id, held.ID(), b.Encode()) })
}

// endUnbegun ends a step that has not begun.
func (r *run) endUnbegun(ctx context.Context, c *component, e step.Event) {
	if r.apply(ctx, c, step.Event{Kind: step.Begin}); c.is.State == step.Checking {
		r.apply(ctx, c, e)
	}
}

// refuse refuses the whole run if a step was refused. Of several reasons it gives the one
// that asks the most of people: a new plan before mending something, and that before waiting.
func (r *run) refuse() {
	for _, kind := range []struct {
		refusal step.Refusal
		why     string
	}{
		{step.RefusedStale, "not everything is as the plan expects it, and nothing was written: make a new plan"},
		{step.RefusedGate, "not every reset that is planned is permitted now, and nothing was written: " +
			"see to that, and apply the same plan again, or make a new one"},
		{step.RefusedUnread, "not everything could be compared with the plan, and nothing was written: " +
			"see to that, and apply the same plan again"},
		{step.RefusedInUse, "someone else is using what the plan is about, and nothing was written: " +
			"wait until they are done, and apply the same plan again"},
	} {
		if r.why == "" &&
			slices.ContainsFunc(r.components, func(c *component) bool { return c.is.Refusal == kind.refusal }) {
			r.refusal, r.why = kind.refusal, kind.why
		}
	}
}

// scan reads enclosures. It leaves alone all others that the plan knows, by a step or as
// left out: this run does not have their locks, or is working on them. Devices that the plan
// does not know are read, because one of them may stand in the place of one that it knows.
func (r *run) scan(ctx context.Context, enclosures []string) (*inventory.Inventory, error) {
	others := slices.Clone(r.Plan.LeftOut)
	for _, s := range r.Plan.Steps {
		if !slices.Contains(enclosures, s.Enclosure) {
			others = append(others, s.LUID)
		}
	}
	return scan.Scan(ctx, r.Machine, scan.Options{Except: others, ProbeUse: true})
}

// refusalFor returns the kind of the refusal that an error in reading a device causes.
func refusalFor(err error) step.Refusal {
	if errors.Is(err, transport.ErrBusy) {
		return step.RefusedInUse
	}
	return step.RefusedUnread
}

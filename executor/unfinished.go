package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// unfinished returns why a run must not begin: an earlier run was killed in the middle of its work at the same
// enclosures, and has to be resumed. An earlier run that left nothing open there ends, and this one takes its place.
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
	if err := r.resolveExchanged(ctx, open); err != nil {
		return "", err
	}
	return r.supersede(ctx, open)
}

// resolveExchanged resolves the open effects on modules that are not there any more.
func (r *run) resolveExchanged(ctx context.Context, open []state.Intent) error {
	return r.Store.Update(ctx, func(tx *state.Tx) {
		for _, i := range open {
			if r.exchanged(i) {
				tx.Resolve(i.ID, "the module was exchanged")
			}
		}
	})
}

// supersede ends the earlier runs at this run's enclosures that have no open effect. They are dead, because this run
// has their locks. It returns why one of them must be resumed instead, "" if none must.
func (r *run) supersede(ctx context.Context, open []state.Intent) (why string, err error) {
	earlier, err := r.Store.Unfinished(ctx)
	if err != nil {
		return "", err
	}
	for _, run := range earlier {
		if run.ID == r.id || slices.ContainsFunc(open, func(i state.Intent) bool { return i.Run == run.ID }) {
			continue
		}
		p, err := memory.Plan(ctx, r.Store, run.ID)
		if err != nil || p == nil || !r.takesPlaceOf(&run, p) {
			continue // resuming it reports what is wrong with it
		}
		owed, err := memory.OwedHooks(ctx, r.Store, run.ID)
		if err != nil {
			return "", err
		}
		if len(owed) > 0 {
			return fmt.Sprintf(
				"run %d was broken off after the command before a reset, and nothing was written: "+
					"fwctl resume runs the one after it",
				run.ID,
			), nil
		}
		if err := r.Store.Update(ctx, func(tx *state.Tx) { tx.EndRun(run.ID, time.Now(), superseded) }); err != nil {
			return "", err
		}
	}
	return "", nil
}

// takesPlaceOf reports whether an earlier run worked on enclosures of this one.
func (r *run) takesPlaceOf(earlier *state.Run, p *plan.Plan) bool {
	ours := r.enclosures()
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool {
		return s.ActsOn(earlier.Host) && slices.Contains(ours, s.Enclosure)
	})
}

// exchanged reports whether the plan has another logical unit at the address of an open
// effect: the module was exchanged since.
func (r *run) exchanged(i state.Intent) bool {
	return slices.ContainsFunc(r.Plan.Steps, func(s plan.Step) bool {
		return s.Address == i.Address && inventory.OtherUnits(s.LUID, i.Key.LUID)
	})
}

// superseded is the outcome of a killed run whose place another run has taken.
const superseded = "superseded"

// recallRefusedModes finds out which components refused mode e in an earlier run of the same
// plan: nothing is left to do for them in their stage wave, and their reset wave begins with
// mode 7.
func (r *run) recallRefusedModes(ctx context.Context) error {
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

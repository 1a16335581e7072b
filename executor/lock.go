package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"fwctl/executor/memory"
	"fwctl/executor/step"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// lock takes the locks of all enclosures that there is work for, and of those that
// share a fault domain with them: no other run may reset anything there. The caller
// releases them.
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
	// They are tried in one order, and the first that is taken ends that: of two runs at the
	// same enclosures one gets through, and the other has not opened any of their nodes.
	for _, enclosure := range r.enclosures() {
		lock, err := r.Machine.Lock(enclosure)
		if err != nil {
			err = r.withHolder(ctx, err, enclosure)
			for _, c := range r.local() {
				if c.step.Enclosure == enclosure {
					r.endUnbegun(ctx, c, c.cannot(err))
				}
			}
			r.refuse()
			if r.why == "" {
				r.refusal, r.why = step.RefusedInUse, err.Error()
			}
			return release
		}
		locks = append(locks, lock)
	}
	lock, err := r.lockResets()
	if err != nil {
		r.refusal, r.why = step.RefusedInUse, r.withHolder(ctx, err, resetsLock).Error()+
			": another run resets ESPs, and an ESP that may share drives with others is not reset beside them"
		return release
	}
	locks = append(locks, lock)
	return release
}

// withHolder adds the run that holds a lock to the error of taking it, if the store knows that run.
func (r *run) withHolder(ctx context.Context, err error, lock string) error {
	if !errors.Is(err, transport.ErrBusy) {
		return err
	}
	if who := memory.Holder(ctx, r.Store, lock, r.Machine.HoldsLock); who != "" {
		return fmt.Errorf("%w: %s", err, who)
	}
	return err
}

// resetsLock is the lock of all runs that reset something. Runs that know the fault
// domains of what they reset share it; one that does not takes it alone.
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

// enclosures returns those that there is work for, and those of their fault domains, sorted.
func (r *run) enclosures() []string {
	var all []string
	for _, c := range r.local() {
		all = append(all, c.step.Domain()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

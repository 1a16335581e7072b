package memory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"fwctl/executor/result"
	"fwctl/internal/image"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// PlanError is the plan of a run that was kept and cannot be read.
type PlanError struct {
	Run int64
	Err error
}

func (e *PlanError) Error() string {
	return fmt.Sprintf("cannot read the plan of run %d: %v", e.Run, e.Err)
}

func (e *PlanError) Unwrap() error { return e.Err }

// Plan returns the plan of a run, nil if none was kept. One that cannot be read is a *PlanError.
func Plan(ctx context.Context, store *state.Store, run int64) (*plan.Plan, error) {
	data, err := store.Kept(ctx, run)
	if err != nil || data == nil {
		return nil, err
	}
	p, err := plan.Parse(data)
	if err != nil {
		return nil, &PlanError{run, err}
	}
	return p, nil
}

// Images returns those images of a plan that are kept beside the store and sound, by SHA-256.
func Images(store *state.Store, p *plan.Plan) map[string]*image.Image {
	images := map[string]*image.Image{}
	for _, ref := range p.ImagesToSend() {
		if data, err := store.Image(ref.SHA256); err == nil {
			images[ref.SHA256] = image.New("the state directory", data)
		}
	}
	return images
}

// HoldsLock reports whether a process has the lock of an enclosure, as transport.Machine.HoldsLock does.
type HoldsLock = func(enclosure string, pid int) (bool, error)

// ProcessOf finds out whether the process of a run is still alive. A run has the locks of all its enclosures from its
// beginning to its end, so any enclosure will do; "" if none is known.
func ProcessOf(pid int, enclosure string, holds HoldsLock) result.Process {
	if enclosure == "" || holds == nil {
		return result.ProcessUnclear
	}
	held, err := holds(enclosure, pid)
	switch {
	case err == nil && held:
		return result.ProcessRunning
	case errors.Is(err, os.ErrProcessDone):
		return result.ProcessGone
	}
	// The run begins or ends, or the id is another process's by now.
	return result.ProcessUnclear
}

// GoesOn reports whether a process is carrying a run out. It returns false if that cannot be found out: another run
// then finds the locks taken.
func GoesOn(run *state.Run, p *plan.Plan, holds HoldsLock) bool {
	i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.ActsOn(run.Host) })
	return i >= 0 && ProcessOf(run.PID, p.Steps[i].Enclosure, holds) == result.ProcessRunning
}

// Resumable returns the run to resume, and its plan; nil if there is none. It is the first resumable run that no
// process carries out; runs without an end come before those that ended. If all of them go on, it is the first.
func Resumable(ctx context.Context, store *state.Store, holds HoldsLock) (*state.Run, *plan.Plan, error) {
	all, err := store.Resumable(ctx)
	if err != nil {
		return nil, nil, err
	}
	// Of those that ended with something open, the one whose end is longest ago comes first: a component that never
	// answers again does not keep the other runs from being resumed.
	slices.SortStableFunc(all, func(a, b state.Run) int { return a.EndedAt.Compare(b.EndedAt) })
	var run *state.Run
	var p *plan.Plan
	for i := range all {
		its, err := Plan(ctx, store, all[i].ID)
		if err != nil {
			return nil, nil, err
		}
		if its == nil {
			continue
		}
		dead := !GoesOn(&all[i], its, holds)
		if run == nil || dead {
			run, p = &all[i], its
		}
		if dead {
			break
		}
	}
	return run, p, nil
}

// Holder names the run whose process has a lock, "" if the store knows none.
func Holder(ctx context.Context, store *state.Store, lock string, holds HoldsLock) string {
	runs, err := resumable(ctx, store)
	if err != nil {
		return ""
	}
	for _, run := range runs {
		if held, err := holds(lock, run.PID); err == nil && held {
			return fmt.Sprintf("%s, is going on (pid %d)", run.title(), run.PID)
		}
	}
	return ""
}

// OwedHooks returns the components of a run, with their hops, for which the command before a reset was run and the one
// after it was not: the run was killed in between.
func OwedHooks(ctx context.Context, store *state.Store, run int64) (map[state.Key]int, error) {
	hooks, err := store.Hooks(ctx, run)
	if err != nil {
		return nil, err
	}
	return owedHooks(hooks), nil
}

func owedHooks(hooks []state.Hook) map[state.Key]int {
	owed := map[state.Key]int{}
	for _, h := range hooks {
		switch {
		case h.Kind == state.BeforeReset:
			owed[h.Key] = h.Hop
		case !h.EndedAt.IsZero():
			delete(owed, h.Key)
		}
	}
	return owed
}

// keptRun is a run that can be resumed, and its plan.
type keptRun struct {
	*state.Run
	plan *plan.Plan
}

// resumable returns the runs that can be resumed, except for those whose plan cannot be read: resuming one reports
// that.
func resumable(ctx context.Context, store *state.Store) ([]keptRun, error) {
	runs, err := store.Resumable(ctx)
	if err != nil {
		return nil, err
	}
	var all []keptRun
	for i := range runs {
		if p, err := Plan(ctx, store, runs[i].ID); err == nil && p != nil {
			all = append(all, keptRun{&runs[i], p})
		}
	}
	return all, nil
}

// title names a run for a person who finds its enclosures in use.
func (r keptRun) title() string {
	return fmt.Sprintf(
		"run %d of plan %s, which %s began %s",
		r.ID, plan.ShortDigest(r.plan.Digest), inventory.Shown(r.By), r.StartedAt.UTC().Format("2006-01-02 15:04 MST"),
	)
}

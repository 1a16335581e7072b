package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/internal/baseline"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Run carries the plan out on this machine. The Result says what became of the components.
// An error means that the run could not begin (a missing image, a store that cannot be
// written), and that nothing was written to a device.
//
// When ctx ends, nothing new is started, and what is under way is brought to its end.
// Config.Withdraw and Config.Leave are for those who cannot wait for that.
func Run(ctx context.Context, c Config) (*result.Result, error) {
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	if sum := r.nothingHere(); sum != nil {
		return sum, nil
	}
	accepted := r.accept()
	ctx = context.WithoutCancel(ctx)
	file, err := c.Plan.Encode()
	if err != nil {
		return nil, err
	}
	started := time.Now()
	r.begin = func(tx *state.Tx) {
		r.id = tx.BeginRun(state.Run{
			PlanDigest: c.Plan.Digest, Host: c.Machine.Hostname(), By: c.By, StartedAt: started,
			Phase: string(c.Phase), Wave: c.Wave,
		})
		tx.Work(r.id, c.Account, started)
		for id, name := range c.Plan.Names(c.Machine.Hostname()) {
			tx.Name(id, name)
		}
		for _, o := range append(accepted, r.ignored()...) {
			tx.Override(r.id, o)
		}
	}
	return r.carryOut(ctx, func() error {
		// Only under its locks: a run on record without a process that holds them is taken for
		// dead, and resumed.
		err := c.Store.Update(ctx, func(tx *state.Tx) {
			r.keep(tx)
			r.begin(tx)
			tx.Keep(r.id, file)
		})
		if err != nil {
			r.id = 0
			return err
		}
		r.begun()
		r.preflight(ctx)
		return nil
	})
}

// Check compares the plan's preconditions with the live devices, under the same
// locks as Run, and sends nothing with an effect. The outcome is done, refused
// or interrupted.
func Check(ctx context.Context, c Config) (*result.Result, error) {
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	if sum := r.nothingHere(); sum != nil {
		return sum, nil
	}
	ctx = context.WithoutCancel(ctx)
	release := r.lock(ctx)
	defer release()
	r.preflight(ctx)
	sum := r.result()
	for i, s := range r.components {
		if s.ready {
			sum.Steps[i].Outcome, sum.Steps[i].Reason, sum.Steps[i].Waits = result.OutcomeReady, "", 0
		}
	}
	return sum, nil
}

// run is one walk through a plan.
type run struct {
	Config
	until      context.Context // at its end nothing new is started
	id         int64           // 0: nothing is recorded
	begin      func(*state.Tx) // records it; nil for one that is resumed, or that only checks
	components []*component
	names      inventory.Names // of the plan's enclosures

	resumed *state.Run // as it was before it was resumed; nil if it was not

	// baselines are what enclosures were like before the run's first effect, by identifier.
	baselines map[string]*baseline.Baseline

	why     string       // why nothing at all is done, "" if the run was not refused
	refusal step.Refusal // the kind of that, if it has one

	observing sync.Mutex // one event at a time

	mu     sync.Mutex // components of several fault domains are worked on at a time
	stops  schedule.Stops
	soaked map[int]bool // waves whose soak is over
	wrote  bool         // to any component
}

// carryOut takes the run's locks, prepares the run, carries it on, and records how it ended.
func (r *run) carryOut(ctx context.Context, prepare func() error) (*result.Result, error) {
	release := r.lock(ctx)
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		if r.why == "" {
			err = prepare()
		}
		if r.why == "" && err == nil {
			r.carryOn(ctx)
		}
	}()
	select {
	case <-done:
	case <-r.Leave:
		// The work goes on, and its locks end with the process.
		return r.leave(), nil
	}
	// Not before the end is recorded: whoever has the locks next finds it.
	defer release()
	if err != nil {
		return nil, err
	}
	sum := r.result()
	r.addCommands(sum)
	// A store that fails now does not change what the devices hold: the result stands.
	if err := r.end(ctx, sum); err != nil {
		sum.Lost = true
		r.event(result.Event{Type: result.EventNoticed, Reason: err.Error()})
	}
	return sum, nil
}

// end records how the run ended, and drops the images that no run needs any more. A run
// that was to be resumed and was refused stays as it was, unless only a new plan can help.
func (r *run) end(ctx context.Context, sum *result.Result) error {
	switch {
	case r.id == 0 && r.begin == nil:
		return nil
	case r.resumed != nil && r.why != "" && r.refusal != step.RefusedStale:
		return r.Store.Update(ctx, func(tx *state.Tx) { tx.EndRun(r.id, r.resumed.EndedAt, r.resumed.Outcome) })
	}
	now := time.Now()
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		if r.id == 0 { // it was refused before it was recorded
			r.begin(tx)
		}
		for i, c := range r.components {
			if r.isHere(c) {
				record := c.record(cmp.Or(c.moved, now))
				record.Outcome, record.Detail = string(sum.Steps[i].Outcome), sum.Steps[i].Reason
				tx.SetStep(r.id, record)
			}
		}
		tx.EndRun(r.id, now, string(sum.Outcome))
	})
	if err != nil {
		return err
	}
	return dropImages(ctx, r.Store)
}

// keep copies the images of a run to the state directory: it can then be resumed even if
// their files are gone.
func (r *run) keep(tx *state.Tx) {
	kept := map[string]bool{}
	for _, c := range r.local() {
		for _, hop := range c.step.Hops {
			sum := hop.Image.SHA256
			// An image that is staged already need not be there.
			if img, ok := r.Images[sum]; ok && !kept[sum] {
				tx.KeepImage(sum, img.Bytes())
				kept[sum] = true
			}
		}
	}
}

// newRun checks what can be checked without a device.
func newRun(ctx context.Context, c Config) (*run, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	r := &run{
		Config: c, until: ctx, names: c.Plan.Names(), soaked: map[int]bool{},
		baselines: map[string]*baseline.Baseline{},
	}
	r.Machine = enclosure.WatchSlow(c.Machine, func(path string, since time.Duration) {
		r.event(result.Event{Type: result.EventNoticed, Reason: fmt.Sprintf(
			"%s has not answered a command for %v: fwctl goes on waiting, because a time-out would have it reset",
			path, plan.Duration(since.Round(time.Second)),
		)})
	})
	for i := range c.Plan.Steps {
		planned := &c.Plan.Steps[i]
		if !planned.Acts() {
			continue
		}
		s := newComponent(planned)
		r.components = append(r.components, s)
		if !r.isHere(s) {
			s.is.Reason = planned.Host + " has to carry this out"
		}
	}
	if c.Plan.Simulated != c.Machine.Simulated() {
		r.refusal = step.RefusedWrongHost
		r.why = "the plan was made for simulated enclosures and this machine is real: plan again here"
		if c.Machine.Simulated() {
			r.why = "the plan was made for real enclosures and this machine is simulated: plan again with --simulate"
		}
	}
	return r, nil
}

// isHere reports whether this machine works on a component.
func (r *run) isHere(c *component) bool { return c.step.Host == r.Machine.Hostname() }

// here returns the components that this machine works on.
func (r *run) here() []*component {
	return slices.DeleteFunc(slices.Clone(r.components), func(c *component) bool { return !r.isHere(c) })
}

// local returns the components that this machine works on and that wait for a wave.
func (r *run) local() []*component {
	return slices.DeleteFunc(r.here(), func(c *component) bool { return !c.is.State.Waits() })
}

// byEnclosure groups components by enclosure, both in the plan's order.
func byEnclosure(steps []*component) [][]*component {
	var groups [][]*component
	for _, c := range steps {
		i := slices.IndexFunc(groups, func(g []*component) bool { return g[0].step.Enclosure == c.step.Enclosure })
		if i < 0 {
			groups = append(groups, []*component{c})
			continue
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

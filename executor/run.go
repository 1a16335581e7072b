package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/internal/baseline"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Run carries the plan out on this machine. What became of the components is in
// the Result; an error means that the run could not begin (a missing image, a
// store that cannot be written), and nothing was written to a device.
//
// When ctx ends nothing new is started and what runs is brought to its end. See
// Config.Withdraw and Config.Leave for those who cannot wait for that.
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
		r.id = tx.BeginRun(
			state.Run{
				PlanDigest: c.Plan.Digest,
				Host:       c.Machine.Hostname(),
				By:         c.By,
				StartedAt:  started,
				Phase:      string(c.Phase),
				Wave:       c.Wave,
			},
		)
		tx.Work(r.id, c.Account, started)
		for id, name := range c.Plan.Names(c.Machine.Hostname()) {
			tx.Name(id, name)
		}
		for _, o := range append(accepted, r.ignored()...) {
			tx.Override(r.id, o)
		}
	}
	return r.carryOut(ctx, func() error {
		// Under its locks, and not before: whoever finds the record of a run without a
		// process that holds them takes it for dead, and goes on with it.
		err := c.Store.Update(ctx, func(tx *state.Tx) {
			r.keep(tx)
			r.begin(tx)
			tx.Keep(r.id, file)
		})
		if err != nil {
			r.id = 0
			return err
		}
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

	resumed *state.Run // as it was before: it was begun earlier

	// By enclosure: what it was like before the run's first effect.
	baselines map[string]*baseline.Baseline

	why     string       // nothing at all is done
	refusal step.Refusal // its kind, where it has one

	telling sync.Mutex // one event at a time

	mu     sync.Mutex // components of several fault domains are worked on at a time
	stops  schedule.Stops
	soaked map[int]bool // waves whose soak is over
	wrote  bool         // to any component
}

// carryOut does what prepare, under the run's locks, leaves to do, and records how it ended.
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
		return r.leave(), nil // its locks end with the process: what is under way goes on
	}
	defer release() // who has them next finds the end of this run
	if err != nil {
		return nil, err
	}
	sum := r.result()
	// The devices are as they are: a store that fails now does not change what is told of them.
	if err := r.end(ctx, sum); err != nil {
		sum.Lost = true
		r.event(result.Event{Type: result.EventNoticed, Reason: err.Error()})
	}
	return sum, nil
}

// end records how the run ended, and lets go of the images that no run needs any more.
// One that was to be resumed and was refused is as it was before, unless only a
// new plan can take it up.
func (r *run) end(ctx context.Context, sum *result.Result) error {
	switch {
	case r.id == 0 && r.begin == nil:
		return nil
	case r.resumed != nil && r.why != "" && r.refusal != step.RefusedStale:
		return r.Store.Update(ctx, func(tx *state.Tx) { tx.EndRun(r.id, r.resumed.EndedAt, r.resumed.Outcome) })
	}
	now := time.Now()
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		if r.id == 0 { // it did not get its locks
			r.begin(tx)
		}
		for i, c := range r.components {
			if c.step.Host == r.Machine.Hostname() {
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

// keep puts the images of a run beside the store, so that it can be resumed
// whatever becomes of their files.
func (r *run) keep(tx *state.Tx) {
	kept := map[string]bool{}
	for _, c := range r.local() {
		for _, hop := range c.step.Hops {
			sum := hop.Image.SHA256
			// One that is staged already is not needed.
			if img, ok := r.Images[sum]; ok && !kept[sum] {
				tx.KeepImage(sum, img.Bytes())
				kept[sum] = true
			}
		}
	}
}

// newRun checks what can be checked without a device.
func newRun(ctx context.Context, c Config) (*run, error) {
	r := &run{Config: c, until: ctx, soaked: map[int]bool{}, baselines: map[string]*baseline.Baseline{}}
	r.Machine = enclosure.WatchSlow(c.Machine, func(path string, since time.Duration) {
		r.event(
			result.Event{
				Type: result.EventNoticed,
				Reason: fmt.Sprintf(
					"%s has not answered a command for %v: it is waited for, because a time-out would have it reset",
					path,
					plan.Duration(since.Round(time.Second)),
				),
			},
		)
	})
	host := c.Machine.Hostname()
	for i := range c.Plan.Steps {
		planned := &c.Plan.Steps[i]
		if !planned.Acts() {
			continue
		}
		s := newComponent(planned)
		r.components = append(r.components, s)
		if planned.Host != host {
			s.is.Reason = "this is for " + planned.Host + " to carry out"
			continue
		}
		if !slices.ContainsFunc(c.Plan.Waves, func(w plan.Wave) bool {
			return w.Kind == plan.StageWave && w.Number == planned.Waves.Stage ||
				w.Kind == plan.ResetWave && w.Number == planned.Waves.Reset
		}) {
			return nil, fmt.Errorf("cannot carry out the plan: no wave of it works on %s", planned.Address)
		}
		for _, hop := range planned.Hops {
			if _, err := hop.ActivationPageBytes(); err != nil {
				return nil, fmt.Errorf("cannot carry out the plan: %w", err)
			}
		}
		if planned.Action == plan.Activate {
			continue
		}
		for _, hop := range planned.Hops {
			if len(hop.Modes) == 0 {
				return nil, fmt.Errorf(
					"cannot carry out the plan: it names no mode to send image %s to %s by",
					hop.Image.Name,
					planned.Address,
				)
			}
			img, ok := c.Images[hop.Image.SHA256]
			if !ok {
				return nil, fmt.Errorf(
					"cannot find image %s (sha256 %s): name the directory that it is in with --images",
					hop.Image.Name,
					hop.Image.SHA256,
				)
			}
			if img.SHA256() != hop.Image.SHA256 || img.Size() != hop.Image.Size {
				return nil, fmt.Errorf("cannot use image %s: its %d bytes have the sha256 %s, and the plan wants %d bytes with %s",
					hop.Image.Name, img.Size(), img.SHA256(), hop.Image.Size, hop.Image.SHA256)
			}
		}
	}
	if r.hasHooks() && c.Command == nil && !c.Machine.Simulated() {
		return nil, errors.New(
			"cannot carry out the plan: it wants commands run around resets, and there is nothing to run them with",
		)
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

// NothingToDo returns the result of a plan that acts on nothing. It is done, unless what
// is staged waits for a power cycle, or a blocked component needs a person, by what this
// host remembers.
func NothingToDo(ctx context.Context, c Config) (*result.Result, error) {
	cautions, err := c.Store.Cautions(ctx)
	if err != nil {
		return nil, err
	}
	sum := &result.Result{Outcome: result.RunDone, Steps: []result.Step{}}
	waiting := 0
	for i := range c.Plan.Steps {
		s := &c.Plan.Steps[i]
		sr := result.Step{Address: s.Address, Revision: s.Current, Reason: strings.Join(s.Reasons, "; ")}
		needs := slices.ContainsFunc(s.Own(memory.Cautions(cautions)), func(c inventory.Caution) bool {
			return c.Address == s.Address && (c.Kind == inventory.NeedsImage || c.Kind == inventory.Unclear)
		})
		switch {
		case s.WaitsForPower:
			sr.Outcome = result.OutcomeStaged
			sum.Outcome = result.Worse(sum.Outcome, result.RunStopped)
			waiting++
		case needs && s.Action == plan.Blocked && s.Host == c.Machine.Hostname():
			sr.Outcome, sr.NeedsPerson = result.OutcomeSkipped, true
			sum.Outcome, sum.Reason = result.RunUnknown, s.Address+" needs a person first"
		default:
			continue
		}
		sum.Steps = append(sum.Steps, sr)
	}
	if sum.Outcome == result.RunStopped {
		sum.Reason = fmt.Sprintf("%d components wait for a power cycle", waiting)
		if waiting == 1 {
			sum.Reason = "1 component waits for a power cycle"
		}
	}
	return sum, nil
}

// NothingHere returns the result of a run of a plan that has work for other hosts alone,
// without a store; nil if there is something to do here.
func NothingHere(ctx context.Context, c Config) (*result.Result, error) {
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	return r.nothingHere(), nil
}

func (r *run) nothingHere() *result.Result {
	if len(r.components) == 0 || len(r.local()) > 0 || r.why != "" {
		return nil
	}
	var hosts []string
	for _, c := range r.components {
		hosts = append(hosts, c.step.Host)
	}
	slices.Sort(hosts)
	sum := r.result()
	sum.Reason = fmt.Sprintf(
		"the plan has nothing for %s to do: apply it on %s",
		r.Machine.Hostname(),
		strings.Join(slices.Compact(hosts), ", "),
	)
	return sum
}

// here are the components that this machine works on.
func (r *run) here() []*component {
	return slices.DeleteFunc(slices.Clone(r.components), func(c *component) bool {
		return c.step.Host != r.Machine.Hostname()
	})
}

// local are the components that this machine works on and that have not ended.
func (r *run) local() []*component {
	var all []*component
	for _, c := range r.components {
		if c.step.Host == r.Machine.Hostname() && c.waits() {
			all = append(all, c)
		}
	}
	return all
}

// byEnclosure groups steps, enclosures and steps in the plan's order.
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

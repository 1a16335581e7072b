package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/internal/backoff"
	"fwctl/internal/enclosure"
	"fwctl/inventory"
	"fwctl/plan"
)

// carryOn does what schedule says, until nothing is left that may be begun, and then looks
// once more at all components.
func (r *run) carryOn(ctx context.Context) {
	noticed, begun := 0, 0 // numbers of waves
	for {
		d := r.next()
		if d.Do == schedule.Finish || r.halted() {
			break
		}
		wave := d.Wave
		if d.Notice != "" && noticed != wave.Number {
			noticed = wave.Number
			r.event(result.Event{Type: result.EventNoticed, Wave: wave.Number, Reason: d.Notice})
		}
		switch d.Do {
		case schedule.Work:
			if begun != wave.Number {
				begun = wave.Number
				r.event(result.Event{Type: result.EventWave, Wave: wave.Number})
			}
			r.workIn(ctx, d)
		case schedule.AwaitWindow:
			r.event(result.Event{Type: result.EventWindow, Wave: wave.Number, Until: &d.Until, Reason: d.Window})
			backoff.Sleep(r.until, time.Until(d.Until))
		case schedule.AwaitPower:
			r.awaitPowerCycle(ctx, wave)
		case schedule.Soak:
			r.soak(ctx, wave)
		case schedule.HoldBack:
			r.holdBack(d)
		case schedule.Fail:
			r.stop(d.Why, result.RunFailed)
		}
	}
	r.reread(ctx, r.recheck(ctx, r.components))
}

// standing returns the run as it stands, for schedule to decide on.
func (r *run) standing() *schedule.Run {
	s := &schedule.Run{Plan: r.Plan, Limits: r.limits(), Soaked: r.soaked}
	for _, c := range r.here() {
		s.Components = append(s.Components, c.scheduled())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Stops = r.stops
	return s
}

func (r *run) next() schedule.Decision { return r.standing().Next(time.Now()) }

// due returns the components that a wave has something to do for.
func (r *run) due(wave plan.Wave) []*component { return r.pick(r.standing().Due(wave)) }

// pick returns components by their indexes in standing.
func (r *run) pick(indexes []int) []*component {
	here := r.here()
	var all []*component
	for _, i := range indexes {
		all = append(all, here[i])
	}
	return all
}

// workIn works on the due components of a wave: those of a fault domain one after the other,
// and as many domains at a time as the plan permits.
func (r *run) workIn(ctx context.Context, d schedule.Decision) {
	inv, err := r.scan(r.until, r.enclosures())
	if err != nil {
		if !r.halted() {
			r.stop(err.Error(), result.RunFailed)
		}
		return
	}
	before := r.lastMoved()
	together, alone := r.standing().Domains(d.Wave, d.Due)
	var g errgroup.Group
	g.SetLimit(max(r.Plan.Rollout.MaxParallel, 1))
	for _, domain := range together {
		g.Go(func() error {
			for _, enclosure := range byEnclosure(r.pick(domain)) {
				r.workOn(ctx, d.Wave, enclosure, inv)
			}
			return nil
		})
	}
	g.Wait()
	for _, enclosure := range alone {
		r.workOn(ctx, d.Wave, r.pick(enclosure), inv)
	}
	due := r.due(d.Wave)
	if len(due) > 0 && !r.halted() && r.lastMoved().Equal(before) { // it would go on like that for ever
		r.holdBack(r.standing().NotDone(d.Wave, due[0].heldBack))
	}
}

// lastMoved returns when a component last came to another state.
func (r *run) lastMoved() (last time.Time) {
	for _, c := range r.components {
		if c.moved.After(last) {
			last = c.moved
		}
	}
	return last
}

// workOn works on the components of one enclosure. In a reset wave, a scan before each reset
// finds out whether the reset is still permitted.
func (r *run) workOn(ctx context.Context, wave plan.Wave, group []*component, inv *inventory.Inventory) {
	if wave.Kind == plan.StageWave {
		r.workHolding(ctx, wave, group, inv)
		return
	}
	for _, c := range group {
		for c.task(wave) != step.Idle && c.is.State.Waits() && r.whyBroken(c) == "" && r.starts(wave, c) {
			if !r.hooked(ctx, wave, c, func() bool { return r.workIfPermitted(ctx, wave, c) }) {
				break
			}
		}
	}
}

// workIfPermitted works on a component of a reset wave if a fresh scan permits the reset. It
// reports whether it did.
func (r *run) workIfPermitted(ctx context.Context, wave plan.Wave, c *component) bool {
	var inv *inventory.Inventory
	why := ""
	err := enclosure.Retry(r.patience(ctx, c), func() (err error) {
		why = ""
		if inv, err = r.scan(r.patience(ctx, c), c.step.Domain()); err != nil {
			return err
		}
		if why = r.forbids(c, inv); why != "" && len(inv.Problems) > 0 { // perhaps because something could not be read
			return errors.New(why)
		}
		return nil
	})
	if err != nil && why == "" {
		if !r.halted() {
			r.endUnbegun(ctx, c, c.cannot(err))
		}
		return false
	}
	if why != "" {
		r.forbid(ctx, c, why)
		return false
	}
	r.workHolding(ctx, wave, []*component{c}, inv)
	return true
}

// forbid leaves a component as it is, because its ESP must not be reset now.
func (r *run) forbid(ctx context.Context, c *component, why string) {
	if !c.is.Touched && c.is.State == step.Pending {
		r.endUnbegun(ctx, c, c.refusedByGate(why))
		return
	}
	c.heldBack = why
	r.breakOff(c, c.step.Called()+" must not be reset now")
}

// workHolding holds an enclosure's nodes while some of its components are worked on.
func (r *run) workHolding(ctx context.Context, wave plan.Wave, group []*component, inv *inventory.Inventory) {
	if r.whyBroken(group[0]) != "" {
		return
	}
	until := r.patience(ctx, group[0])
	held, err := r.hold(until, group[0], inv)
	if err != nil {
		if group[0].is.Halfway() || !r.halted() {
			r.endUnbegun(ctx, group[0], group[0].cannot(err))
		}
		return
	}
	defer held.Close()
	for _, c := range group {
		if r.whyBroken(c) != "" || !r.starts(wave, c) {
			continue
		}
		r.work(ctx, held, wave, c)
	}
}

// hold opens the nodes of a component's enclosure. inv is a recent scan, or nil: if the
// enclosure cannot be held by it, the enclosure is scanned again.
func (r *run) hold(ctx context.Context, c *component, inv *inventory.Inventory) (held *enclosure.Held, err error) {
	id, esps := c.step.Enclosure, c.step.Preconditions.ESPs
	err = enclosure.Retry(ctx, func() error {
		if inv == nil {
			if inv, err = r.scan(ctx, []string{id}); err != nil {
				return err
			}
		}
		held, err = enclosure.Hold(ctx, r.Machine, id, esps, inv)
		inv = nil
		return err
	})
	return held, err
}

// patience returns a context that ends when nothing new may be started. A component that is
// halfway is brought to its end: its context does not end.
func (r *run) patience(ctx context.Context, c *component) context.Context {
	if c.is.Halfway() {
		return ctx
	}
	return r.until
}

// starts reports whether a wave may start or continue with a component at this moment. A
// component that is halfway is brought to its end at any time.
func (r *run) starts(wave plan.Wave, c *component) bool {
	if c.is.Halfway() {
		return true
	}
	if r.halted() {
		return false
	}
	// Not standing, which reads components that other goroutines are moving.
	limits := schedule.Run{Plan: r.Plan, Limits: r.limits()}
	c.heldBack = limits.MayStart(wave, c.scheduled(), time.Now())
	return c.heldBack == ""
}

// soak waits for as long as the plan wants a wave's work to stand before anything else is
// begun, and then looks at that work again.
func (r *run) soak(ctx context.Context, wave plan.Wave) {
	until := time.Now().Add(time.Duration(wave.Soak))
	r.event(result.Event{Type: result.EventSoaking, Wave: wave.Number, Until: &until})
	if !backoff.Sleep(r.until, time.Duration(wave.Soak)) {
		return
	}
	r.soaked[wave.Number] = true
	r.recheck(ctx, slices.DeleteFunc(slices.Clone(r.components), func(c *component) bool { return !c.step.In(wave) }))
}

// awaitPowerCycle asks a person to power-cycle the enclosures of a wave, waits for that if
// the run is to wait, and finds out what the components run then.
func (r *run) awaitPowerCycle(ctx context.Context, wave plan.Wave) {
	asked := false
	for range backoff.Attempts(r.until, backoff.Person) {
		due := r.due(wave)
		if len(due) == 0 || r.halted() {
			return
		}
		if inv, err := r.scan(r.until, r.enclosures()); err == nil {
			started := slices.DeleteFunc(slices.Clone(due), func(c *component) bool { return !runs(inv, c) })
			for _, enclosure := range byEnclosure(started) {
				r.workHolding(ctx, wave, enclosure, inv)
			}
			due = r.due(wave)
		}
		if len(due) == 0 {
			return
		}
		for _, c := range due {
			c.heldBack = "power-cycle " + r.names.Called(c.step.Enclosure) +
				" when its drives are not in use, and run fwctl verify then"
		}
		if !r.Wait {
			r.stop(fmt.Sprintf("wave %d waits for a power cycle", wave.Number), result.RunStopped)
			return
		}
		if !asked {
			asked = true
			r.askForPowerCycle(wave, due)
		}
	}
}

func (r *run) askForPowerCycle(wave plan.Wave, due []*component) {
	var names []string
	for _, c := range due {
		names = append(names, c.step.Enclosure)
	}
	r.event(result.Event{
		Type: result.EventPowerCycle, Wave: wave.Number, Components: len(due),
		Reason: strings.Join(slices.Compact(names), ", "),
	})
}

// runs reports whether a scan shows that a component runs the revision of its hop.
func runs(inv *inventory.Inventory, c *component) bool {
	for i := range inv.Enclosures {
		if inv.Enclosures[i].ID() != c.step.Enclosure {
			continue
		}
		if _, sub, _ := c.in(&inv.Enclosures[i]); sub != nil {
			return sub.Revision == c.hop().To
		}
	}
	return false
}

// stop keeps anything new from being started. ending is how the run ends then.
func (r *run) stop(why string, ending result.RunOutcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = r.stops.Stop(why, ending)
}

// halted reports whether the run must not start anything new.
func (r *run) halted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until.Err() != nil && r.stops.Why == "" {
		r.stops = r.stops.Stop(schedule.Interrupted, result.RunInterrupted)
	}
	return r.stops.Why != "" || r.why != ""
}

// whyBroken returns why nothing of a component's fault domain is touched any more, "" if it may be.
func (r *run) whyBroken(c *component) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stops.Off(c.step)
}

// breakOff keeps anything else of a component's fault domain from being touched.
func (r *run) breakOff(c *component, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = r.stops.BreakOff(c.step, why)
}

package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"fwctl/executor/step"
	"fwctl/internal/backoff"
	"fwctl/internal/enclosure"
	"fwctl/inventory"
	"fwctl/plan"
)

// walkAll walks the waves that the run is for, one after the other. What is not
// done in one keeps the next from being begun.
func (r *run) walkAll(ctx context.Context) {
	for i, wave := range r.Plan.Waves {
		switch later := r.Plan.Waves[i+1:]; {
		case len(r.due(wave)) == 0 && !r.soaks(wave, later):
		case r.Selects(wave) && !r.halted():
			if r.mayFollow(wave) {
				r.walk(ctx, wave, later)
			}
		case !r.Selects(wave) && !r.halted() && r.ahead(later):
			r.comesFirst(wave)
		}
	}
	r.recheck(ctx, r.components)
}

// due are the steps that a wave has something to do for.
func (r *run) due(wave plan.Wave) []*component {
	return slices.DeleteFunc(
		r.local(),
		func(c *component) bool { return c.task(wave) == step.Idle || r.isBroken(c) != "" },
	)
}

// walk carries a wave out. later are those that follow it.
func (r *run) walk(ctx context.Context, wave plan.Wave, later []plan.Wave) {
	if wave.PowerCycle {
		r.powerCycle(ctx, wave, later)
		return
	}
	for first := true; ; first = false {
		due := r.due(wave)
		if len(due) == 0 || r.halted() || !r.opens(wave) {
			break
		}
		if first {
			r.event(Event{Type: EventWave, Wave: wave.Number})
		}
		inv, err := r.scan(r.until, r.enclosures())
		if err != nil {
			if !r.halted() {
				r.stop(err.Error(), RunFailed)
			}
			return
		}
		r.eachDomain(wave, due, func(enclosure []*component) { r.workOn(ctx, wave, enclosure, inv) })
		left := r.due(wave)
		if len(left) == 0 || r.halted() {
			break
		}
		if !r.Wait || len(left) == len(due) && !r.reopens(wave, left) {
			r.holdBack(
				RefusedWindow,
				fmt.Sprintf("wave %d is not done: %s", wave.Number, cmp.Or(left[0].heldBack, "some of it is left")),
				"the same plan goes on from here when there is time for it",
			)
			break
		}
	}
	r.soak(ctx, wave, later)
}

// reopens waits for the next opening of a wave's window, where what does not fit the
// rest of this one fits that.
func (r *run) reopens(wave plan.Wave, left []*component) bool {
	opening, err := r.Plan.Opening(wave, time.Now())
	if err != nil || opening.End.IsZero() {
		return false
	}
	next, err := r.Plan.Opening(wave, opening.End)
	fits := func(c *component) bool { return time.Duration(c.step.WorstIn(wave)) <= next.End.Sub(next.Start) }
	if err != nil || !slices.ContainsFunc(left, fits) {
		return false
	}
	return r.awaitOpening(wave, next)
}

// awaitOpening waits for a window, and tells whether it has opened.
func (r *run) awaitOpening(wave plan.Wave, o plan.Opening) bool {
	r.event(Event{Type: EventWindow, Wave: wave.Number, Until: &o.Start, Reason: o.Window})
	return backoff.Sleep(r.until, time.Until(o.Start))
}

// eachDomain has the work of a wave done, each fault domain's by one after the other,
// and as many domains at a time as the plan permits. In a reset wave what cannot
// be told to belong to one goes by itself.
func (r *run) eachDomain(wave plan.Wave, due []*component, visit func(enclosure []*component)) {
	var domains [][]*component
	var alone [][]*component
	index := map[int]int{}
	for _, enclosure := range byEnclosure(due) {
		domain := enclosure[0].step.FaultDomain
		i, known := index[domain]
		switch {
		case domain == 0 && wave.Kind == plan.ResetWave:
			alone = append(alone, enclosure)
		case domain == 0 || !known:
			index[domain] = len(domains)
			domains = append(domains, enclosure)
		default:
			domains[i] = append(domains[i], enclosure...)
		}
	}
	var g errgroup.Group
	g.SetLimit(max(r.Plan.Rollout.MaxParallel, 1))
	for _, domain := range domains {
		g.Go(func() error {
			for _, enclosure := range byEnclosure(domain) {
				visit(enclosure)
			}
			return nil
		})
	}
	g.Wait()
	for _, enclosure := range alone {
		visit(enclosure)
	}
}

// workOn works on the components of one enclosure. In a reset wave each reset has
// a scan of its own before it, which tells whether it is still permitted.
func (r *run) workOn(ctx context.Context, wave plan.Wave, group []*component, inv *inventory.Inventory) {
	if wave.Kind == plan.StageWave {
		r.workHolding(ctx, wave, group, inv)
		return
	}
	for _, c := range group {
		for c.task(wave) != step.Idle && c.waits() && r.isBroken(c) == "" && r.starts(wave, c) {
			if !r.hooked(ctx, wave, c, func() bool { return r.workIfPermitted(ctx, wave, c) }) {
				break
			}
		}
	}
}

// workIfPermitted works on a component of a reset wave if a fresh scan permits it, and
// tells whether it did.
func (r *run) workIfPermitted(ctx context.Context, wave plan.Wave, c *component) bool {
	var inv *inventory.Inventory
	why := ""
	err := enclosure.Retry(r.patience(ctx, c), func() (err error) {
		why = ""
		if inv, err = r.scan(r.patience(ctx, c), append([]string{c.step.Enclosure}, c.step.Neighbours...)); err != nil {
			return err
		}
		if why = r.forbids(c, inv); why != "" && len(inv.Problems) > 0 { // perhaps because something could not be read
			return errors.New(why)
		}
		return nil
	})
	if err != nil && why == "" {
		if !r.halted() {
			r.turnDown(ctx, c, c.cannot(err))
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
		r.turnDown(ctx, c, refusedByGate(why))
		return
	}
	c.heldBack = why
	r.breakOff(c, c.step.Address+" must not be reset now")
}

// workHolding holds an enclosure's nodes while some of its components are worked on.
func (r *run) workHolding(ctx context.Context, wave plan.Wave, group []*component, inv *inventory.Inventory) {
	if r.isBroken(group[0]) != "" {
		return
	}
	until := r.patience(ctx, group[0])
	held, err := r.hold(until, group[0], inv)
	if err != nil {
		if group[0].is.Halfway() || !r.halted() {
			r.turnDown(ctx, group[0], group[0].cannot(err))
		}
		return
	}
	defer held.Close()
	for _, c := range group {
		if r.isBroken(c) != "" || !r.starts(wave, c) {
			continue
		}
		r.work(ctx, held, wave, c)
	}
}

// hold opens the nodes of a component's enclosure. inv is a scan of the moment before: where that does
// not lead there, or one of its nodes cannot be read, the enclosure is scanned again.
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

// patience ends when nothing new is started, but not for what is halfway.
func (r *run) patience(ctx context.Context, c *component) context.Context {
	if c.is.Halfway() {
		return ctx
	}
	return r.until
}

// starts reports whether a wave may start, or go on with, a step at this moment.
// What was begun is gone on with whatever the time.
func (r *run) starts(wave plan.Wave, c *component) bool {
	if c.is.Halfway() {
		return true
	}
	if r.halted() {
		return false
	}
	c.heldBack = ""
	if r.IgnoreWindow != "" || wave.PowerCycle {
		return true
	}
	now := time.Now()
	opening, err := r.Plan.Opening(wave, now)
	switch worst := time.Duration(c.step.WorstIn(wave)); {
	case err != nil:
		c.heldBack = err.Error()
	case !opening.Now:
		c.heldBack = fmt.Sprintf("the maintenance window of wave %d is closed", wave.Number)
	case !opening.End.IsZero() && now.Add(worst).After(opening.End):
		c.heldBack = fmt.Sprintf(
			"it may take %v, and %s closes in %v",
			plan.Duration(worst),
			opening.Window,
			plan.Duration(opening.End.Sub(now).Truncate(time.Second)),
		)
	}
	return c.heldBack == ""
}

// opens reports whether a wave's window is open, and waits for that where it may.
func (r *run) opens(wave plan.Wave) bool {
	if r.IgnoreWindow != "" {
		return true
	}
	opening, err := r.Plan.Opening(wave, time.Now())
	switch {
	case err != nil:
		r.stop(err.Error(), RunFailed)
	case opening.Now:
		return true
	case !r.Wait || opening.Start.IsZero():
		r.holdBack(
			RefusedWindow,
			fmt.Sprintf("the maintenance window of wave %d is closed", wave.Number),
			"the same plan goes on when it opens",
		)
	default:
		return r.awaitOpening(wave, opening)
	}
	return false
}

// soaks reports whether a wave's work has to stand for a while before that of others is begun.
func (r *run) soaks(wave plan.Wave, later []plan.Wave) bool {
	return wave.Soak > 0 && r.Selects(wave) && r.ahead(later)
}

// soak waits until what a wave did has stood for as long as the plan wants, and
// looks at it again, before anything else is begun.
func (r *run) soak(ctx context.Context, wave plan.Wave, later []plan.Wave) {
	if !r.soaks(wave, later) || r.halted() {
		return
	}
	until := time.Now().Add(time.Duration(wave.Soak))
	r.event(Event{Type: EventSoaking, Wave: wave.Number, Until: &until})
	if !backoff.Sleep(r.until, time.Duration(wave.Soak)) {
		return
	}
	r.recheck(ctx, slices.DeleteFunc(slices.Clone(r.components), func(c *component) bool { return !c.step.In(wave) }))
}

// powerCycle has a person power-cycle the enclosures of a wave, waits for that
// where it may, and finds out what runs then.
func (r *run) powerCycle(ctx context.Context, wave plan.Wave, later []plan.Wave) {
	first := true
	for range backoff.Attempts(r.until, backoff.Person) {
		due := r.due(wave)
		if len(due) == 0 || r.halted() {
			break
		}
		if inv, err := r.scan(r.until, r.enclosures()); err == nil {
			started := slices.DeleteFunc(slices.Clone(due), func(c *component) bool { return !runs(inv, c) })
			for _, enclosure := range byEnclosure(started) {
				r.workHolding(ctx, wave, enclosure, inv)
			}
			due = r.due(wave)
		}
		if len(due) == 0 {
			break
		}
		for _, c := range due {
			c.heldBack = "power-cycle " + c.step.Enclosure + " when its drives are not in use, and run fwctl verify then"
		}
		if !r.Wait {
			r.stop(fmt.Sprintf("wave %d waits for a power cycle", wave.Number), RunStopped)
			return
		}
		if first {
			var names []string
			for _, c := range due {
				names = append(names, c.step.Enclosure)
			}
			r.event(
				Event{
					Type:       EventPowerCycle,
					Wave:       wave.Number,
					Components: len(due),
					Reason:     strings.Join(slices.Compact(names), ", "),
				},
			)
			first = false
		}
	}
	if !r.halted() {
		r.soak(ctx, wave, later)
	}
}

// runs reports whether a scan shows that a step's component runs what its hop brings.
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

// stop keeps anything new from being started. ending is what that makes of the run.
func (r *run) stop(why string, ending RunOutcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == "" {
		r.stopped = why
	}
	r.ending = worse(r.ending, ending)
}

// halted reports whether anything new may not be started.
func (r *run) halted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until.Err() != nil && r.stopped == "" {
		r.stopped, r.ending = interruption, worse(r.ending, RunInterrupted)
	}
	return r.stopped != "" || r.why != ""
}

const interruption = "interrupted"

// isBroken says why nothing of a step's fault domain is touched any more, "" where it may be.
func (r *run) isBroken(c *component) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken[c.step.FaultDomain]
}

// breakOff has nothing else of a step's fault domain touched.
func (r *run) breakOff(c *component, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken[c.step.FaultDomain] = why
	r.ending = worse(r.ending, RunFailed)
}

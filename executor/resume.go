package executor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/baseline"
	"fwctl/internal/download"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Resume continues a run of c.Plan that was killed or interrupted. It looks at the devices
// first, and brings to its end what was under way; nothing is written on the store's word
// alone. What was accepted for the run stays accepted, and the run keeps to the waves that
// it was limited to: c.Phase and c.Wave do not count.
func Resume(ctx context.Context, c Config, run int64) (*result.Result, error) {
	was, err := c.Store.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	c.Phase, c.Wave = plan.WaveKind(was.Phase), was.Wave
	overrides, err := c.Store.Overrides(ctx, run)
	if err != nil {
		return nil, err
	}
	for _, o := range overrides {
		if o.Kind == state.AcceptDisruption {
			c.AcceptDisruption = append(c.AcceptDisruption, inventory.Selector(o.Address))
		}
	}
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	accepted := r.accept()
	ctx = context.WithoutCancel(ctx)
	taken, err := c.Store.Baselines(ctx, run)
	if err != nil {
		return nil, err
	}
	for id, data := range taken {
		if r.baselines[id], err = baseline.Parse(data); err != nil {
			return nil, err
		}
	}
	r.resumed = was
	return r.carryOut(ctx, func() error {
		r.id = run // not before its locks are held: its process may still be alive
		err := c.Store.Update(ctx, func(tx *state.Tx) {
			tx.Resume(r.id, c.By, time.Now())
			tx.Work(r.id, c.Account, time.Now())
			for _, o := range append(accepted, r.ignored()...) {
				tx.Override(r.id, o)
			}
		})
		if err == nil {
			r.begun()
			err = r.recover(ctx)
		}
		if err != nil {
			r.refusal, r.why = refusalFor(err), err.Error()
			return nil
		}
		r.preflight(ctx)
		if err := r.runOwedHooks(ctx); err != nil {
			r.why = err.Error()
		}
		return nil
	})
}

// dropImages deletes all images beside the store but those of runs that can be resumed.
func dropImages(ctx context.Context, store *state.Store) error {
	runs, err := store.Resumable(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, run := range runs {
		p, err := memory.Plan(ctx, store, run.ID)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		for _, ref := range p.ImagesToSend() {
			keep[ref.SHA256] = true
		}
	}
	return store.DropImages(keep)
}

// remains is a component that a killed run was in the middle of.
type remains struct {
	component *component
	was       step.Component // as the store has it
	kind      state.Kind     // of the last effect whose end is open
	at        time.Time      // when that was intended; if nothing is open, when it came to its state
}

// recover takes each component up where the store has it, and asks the device what became of
// the work under way.
func (r *run) recover(ctx context.Context) error {
	all, err := r.restore(ctx)
	if err != nil {
		return err
	}
	var broken []*component
	remain := map[*component]remains{}
	for _, was := range all {
		c := was.component
		is, commands := step.Apply(c.step, was.was, step.Event{Kind: step.Resumed})
		if len(commands) == 0 && !is.Halfway() {
			r.set(c, is)
			r.account(c) // a new plan takes up what is known of one that has failed
			continue
		}
		broken, remain[c] = append(broken, c), was
		was.was.State = step.Pending // until it is looked at: see notLookedAt
		r.set(c, was.was)
	}
	if len(broken) == 0 {
		return nil
	}
	inv, err := r.scan(ctx, r.enclosures())
	if err != nil {
		return err
	}
	groups := byEnclosure(broken)
	var sessions []*enclosure.Held
	for _, group := range groups {
		held, err := r.hold(ctx, group[0], inv)
		if enclosure.MayBeRestarting(err) {
			held, err = enclosure.Absent(r.Machine, group[0].step.Enclosure), nil
		}
		if err != nil {
			return err // all of it stays open, for another resumption
		}
		defer held.Close()
		held.Expect(group[0].step.Preconditions.ESPs...) // ESPs that are away may come back
		sessions = append(sessions, held)
	}
	for i, group := range groups {
		for _, c := range group {
			r.takeUp(ctx, sessions[i], remain[c])
		}
		sessions[i].Close()
	}
	return nil
}

// restore reads the components that the run had got to from the store.
func (r *run) restore(ctx context.Context) ([]remains, error) {
	records, err := r.Store.Steps(ctx, r.id)
	if err != nil {
		return nil, err
	}
	intents, err := r.Store.Intents(ctx, r.id)
	if err != nil {
		return nil, err
	}
	cautions, err := r.Store.Cautions(ctx)
	if err != nil {
		return nil, err
	}
	var all []remains
	for _, c := range r.local() {
		i := slices.IndexFunc(records, func(rec state.Step) bool { return rec.Key == c.key })
		if i < 0 || records[i].Hop >= len(c.step.Hops) {
			continue
		}
		own := slices.DeleteFunc(slices.Clone(intents), func(i state.Intent) bool { return i.Key != c.key })
		was := remains{component: c, at: records[i].At}
		if was.was, err = c.stored(records[i], own, cautions); err != nil {
			return nil, err
		}
		if !c.needsImage(cautions) {
			was.was.Damage = step.Sound // a later run has sent it a whole image
		}
		was.was.Open = nil // a later run may have resolved some
		for _, i := range own {
			if i.Outcome == "" {
				was.was.Open = append(was.was.Open, i.ID)
				was.kind, was.at = i.Kind, i.At
			}
		}
		c.moved = records[i].At
		all = append(all, was)
	}
	return all, nil
}

// needsImage reports whether it is on record that it needs a whole image.
func (c *component) needsImage(cautions []state.CautionRecord) bool {
	return slices.ContainsFunc(cautions, func(known state.CautionRecord) bool {
		return known.Kind == inventory.NeedsImage && known.About(c.key, c.step.Addresses()...)
	})
}

// stored returns a component as the store has it. A run by a fwctl before 1.0 did not record
// it: it is then put together from the record, its effects and the cautions.
func (c *component) stored(
	rec state.Step, intents []state.Intent, cautions []state.CautionRecord,
) (step.Component, error) {
	is := step.New(c.step)
	if rec.Component != "" {
		err := json.Unmarshal([]byte(rec.Component), &is)
		if err == nil && len(is.Downloads) != len(c.step.Hops) {
			err = errors.New("it is about another plan")
		}
		if err != nil {
			return is, fmt.Errorf("cannot read how far the run got with %s: %w", c.step.Address, err)
		}
		return is, nil
	}
	is.State, is.Hop, is.Mode, is.Reason = step.State(rec.State), rec.Hop, plan.Mode(rec.Mode), rec.Detail
	hop := c.step.Hops[is.Hop]
	is.RefusedE = is.Mode == plan.Mode7 && slices.Contains(hop.Modes, plan.ModeE)
	last := state.Kind("")
	for _, i := range intents {
		n := slices.IndexFunc(c.step.Hops, func(h plan.Hop) bool { return h.Image.SHA256 == i.SHA256 })
		if n >= 0 && i.Kind == state.DownloadStart {
			is.Downloads[n] = plan.Mode(i.ModeName())
		}
		if i.Outcome == "" {
			last = i.Kind
		}
	}
	powerOnly := slices.ContainsFunc(cautions, func(known state.CautionRecord) bool {
		return known.Key == c.key && known.Kind == inventory.PowerOnly
	})
	if last == state.Activation || is.State == step.Staged {
		is.Holds = step.Holds{
			Content: step.Whole, Image: hop.Image.SHA256, Confirmed: true,
			PowerOnly: powerOnly && is.State == step.Staged,
		}
		is.Confirmed = is.Holds.PowerOnly // only the device can have said so
	}
	return is, nil
}

// takeUp looks at a component that a killed run was in the middle of, and brings that to an
// end: it waits for a complete image, and discards an incomplete one, so that the wave can
// begin again.
func (r *run) takeUp(ctx context.Context, held *enclosure.Held, was remains) {
	c := was.component
	r.mu.Lock()
	r.wrote = true
	r.mu.Unlock()
	r.set(c, was.was)
	r.apply(ctx, c, step.Event{Kind: step.Resumed})
	if c.is.State == step.Recovering {
		held.SetFlashing(true)
		e := r.lookAt(ctx, held, was)
		found := fmt.Sprintf("the run was broken off when it was %s", was.was.State)
		if was.was.State == step.Unknown {
			found = "the run had lost sight of it"
		}
		r.event(c.about(result.Event{Type: result.EventRecovered, Reason: found + ": " + e.Reason}))
		e.Answers = e.Kind == step.Lose && r.answersResumption(ctx, held, c)
		r.apply(ctx, c, e)
	}
	r.work(ctx, held, r.waveAfter(c), c)
}

// waveAfter returns the wave that works on a component right after a resumption has looked
// at it: if it has half an image by mode 7, which cannot wait for a window, the wave of its
// download.
func (r *run) waveAfter(c *component) plan.Wave {
	number := c.step.Waves.Reset
	if c.hop().Defers(c.is.Mode) {
		number = c.step.Waves.Stage
	}
	i := slices.IndexFunc(r.Plan.Waves, func(w plan.Wave) bool { return w.Number == number })
	if c.is.Damage != step.HalfImage || i < 0 {
		return noWave
	}
	return r.Plan.Waves[i]
}

// answersResumption reports whether a component that was lost answers this resumption:
// another resumption would find out no more.
func (r *run) answersResumption(ctx context.Context, held *enclosure.Held, c *component) bool {
	if r.resumed == nil {
		return false
	}
	_, err := held.Revision(ctx, c.step.LUID, c.step.Subenclosure)
	return err == nil
}

// noWave has nothing to do for any component: what is under way is brought to its end.
var noWave = plan.Wave{Number: -1}

// lookAt finds out how the work ended that a killed run was in the middle of.
func (r *run) lookAt(ctx context.Context, held *enclosure.Held, was remains) step.Event {
	c := was.component
	switch {
	case was.was.State == step.Waiting, was.was.State == step.Verifying, was.kind == "":
		return step.Event{Kind: step.Restart, Reason: "it is waited for again"}
	case was.kind == state.Activation:
		return c.activated(ctx, held, was)
	}
	patience := time.Duration(c.hop().ReturnTimeout)
	e, err := held.Await(ctx, c.step.LUID, c.step.Subenclosure, c.step.Address, patience)
	if err != nil {
		return step.Event{Kind: step.Lose, Reason: err.Error()}
	}
	_, sub, err := c.in(e)
	if err != nil {
		return step.Event{Kind: step.Lose, Reason: err.Error()}
	}
	c.download = r.newDownload(held, e, c, c.is.Mode)
	o := c.download.Recover(ctx, was.kind == state.LastChunk)
	if o.Result == download.PartHeld {
		o = r.discard(ctx, c, o.Reason)
	}
	event := c.event(o, true)
	event.Revision = cmp.Or(event.Revision, sub.Revision)
	return event
}

// activated finds out whether the command that starts the staged image was carried out. A
// device that took it would have left the bus within the settle time. One that answers after
// that, and runs what it ran, did not get the command or did not take it: its wave sends it
// again.
func (c *component) activated(ctx context.Context, held *enclosure.Held, was remains) step.Event {
	hop := c.hop()
	time.Sleep(time.Until(was.at.Add(time.Duration(hop.Settle))))
	revision, err := held.Revision(ctx, c.step.LUID, c.step.Subenclosure)
	switch {
	case err != nil:
		return step.Event{Kind: step.Restart, Reason: err.Error()}
	case arrived(hop, revision):
		return step.Event{Kind: step.Restart, Reason: "it runs " + revision}
	}
	return step.Event{
		Kind: step.Keep, Revision: revision,
		Reason: fmt.Sprintf("it still runs %s, and is started again by its wave", revision),
	}
}

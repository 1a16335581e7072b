package executor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"fwctl/internal/enclosure"
	"fwctl/internal/image"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// Resume goes on with a run of c.Plan that was killed or interrupted. It looks at
// the devices first, and brings to its end what was under way; nothing is written
// because the store says so. What was accepted for the run still is, and it is
// for the waves that it was for, whatever c.Phase and c.Wave.
func Resume(ctx context.Context, c Config, run int64) (*Result, error) {
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
		if r.baselines[id], err = enclosure.ParseBaseline(data); err != nil {
			return nil, err
		}
	}
	r.resumed = was
	return r.carryOut(ctx, func() error {
		r.id = run // and not before its locks are held: it may be going on
		err := c.Store.Update(ctx, func(tx *state.Tx) {
			tx.Resume(r.id, c.By, time.Now())
			tx.Work(r.id, c.Account, time.Now())
			for _, o := range append(accepted, r.ignored()...) {
				tx.Override(r.id, o)
			}
		})
		if err == nil {
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

// Resumable finds the run that Resume goes on with, of those that the store has as
// resumable: the first that has no end, and no process on this machine that carries it
// out, else the one that ended first. Where all of them go on it is the first. nil where there is none. It comes with the plan, and those of its
// images that are kept and sound.
func Resumable(ctx context.Context, store *state.Store, m transport.Machine) (*state.Run, *plan.Plan, map[string]*image.Image, error) {
	all, err := store.Resumable(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	// Of those that ended with something open the one that was looked at least lately:
	// what never answers again is not in the way of the others.
	slices.SortStableFunc(all, func(a, b state.Run) int { return a.EndedAt.Compare(b.EndedAt) })
	var run *state.Run
	var p *plan.Plan
	for i := range all {
		its, err := keptPlan(ctx, store, all[i].ID)
		if err != nil {
			return nil, nil, nil, err
		}
		if its == nil {
			continue
		}
		dead := !GoesOn(m, &all[i], its)
		if run == nil || dead {
			run, p = &all[i], its
		}
		if dead {
			break
		}
	}
	if run == nil {
		return nil, nil, nil, nil
	}
	images := map[string]*image.Image{}
	for sha256 := range imagesOf(p) {
		if data, err := store.Image(sha256); err == nil { // else Resume says which one it lacks
			images[sha256] = image.New("the state directory", data)
		}
	}
	return run, p, images, nil
}

// GoesOn reports whether the process that carries a run out has one of its locks: it
// has all of them from its beginning to its end. False where that cannot be found out:
// whoever takes the locks then finds them taken.
func GoesOn(m transport.Machine, run *state.Run, p *plan.Plan) bool {
	i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Host == run.Host && s.Acts() })
	if i < 0 {
		return false
	}
	held, err := m.HoldsLock(p.Steps[i].Enclosure, run.PID)
	return err == nil && held
}

func keptPlan(ctx context.Context, store *state.Store, run int64) (*plan.Plan, error) {
	data, err := store.Kept(ctx, run)
	if err != nil || data == nil {
		return nil, err
	}
	p, err := plan.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the plan of run %d: %w", run, err)
	}
	return p, nil
}

// imagesOf are the images of a plan that are to be sent, by SHA-256.
func imagesOf(p *plan.Plan) map[string]bool {
	all := map[string]bool{}
	for _, ref := range p.ImagesToSend() {
		all[ref.SHA256] = true
	}
	return all
}

// dropImages lets go of all images but those of runs that can be resumed.
func dropImages(ctx context.Context, store *state.Store) error {
	runs, err := store.Resumable(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, run := range runs {
		p, err := keptPlan(ctx, store, run.ID)
		if err != nil {
			return err
		}
		if p != nil {
			maps.Copy(keep, imagesOf(p))
		}
	}
	return store.DropImages(keep)
}

// remains is a component that a killed run was in the middle of.
type remains struct {
	step  *stepRun
	state State      // as recorded
	kind  state.Kind // of the last effect whose end is open
	at    time.Time  // when that was about to be had
}

// recover takes up each step where the store has it, and finds out on the device
// what became of what was under way.
func (r *run) recover(ctx context.Context) error {
	records, err := r.Store.Steps(ctx, r.id)
	if err != nil {
		return err
	}
	intents, err := r.Store.Intents(ctx, r.id)
	if err != nil {
		return err
	}
	cautions, err := r.Store.Cautions(ctx)
	if err != nil {
		return err
	}
	var broken []*stepRun
	remain := map[*stepRun]remains{}
	for _, s := range r.local() {
		i := slices.IndexFunc(records, func(rec state.Step) bool { return rec.Key == s.key })
		if i < 0 || records[i].Hop >= len(s.step.Hops) {
			continue
		}
		rec := records[i]
		was := remains{step: s, state: State(rec.State), at: rec.At}
		s.hop, s.mode, s.moved = rec.Hop, plan.Mode(rec.Mode), rec.At
		for _, i := range intents {
			if i.Key != s.key {
				continue
			}
			if n := slices.IndexFunc(s.step.Hops, func(h plan.Hop) bool { return h.Image.SHA256 == i.SHA256 }); n >= 0 && i.Kind == state.DownloadStart {
				s.sent[n] = plan.Mode(i.ModeName())
			}
			if i.Outcome == "" {
				s.intents = append(s.intents, i.ID)
				was.kind, was.at = i.Kind, i.At
			}
		}
		if s.mode == plan.Mode7 && slices.Contains(s.current().Modes, plan.ModeE) {
			s.refused = true
		}
		switch {
		case was.state == Failed, was.state == Unknown && len(s.intents) == 0: // a new plan takes up what is known of them
			s.state, s.reason = was.state, rec.Detail
			r.account(s)
		case len(s.intents) > 0, slices.Contains([]State{Waiting, Verifying, Recovering}, was.state):
			broken, remain[s] = append(broken, s), was
		case was.state == Staged && slices.ContainsFunc(cautions, func(c state.Caution) bool {
			return c.Key == s.key && c.Kind == state.PowerOnly
		}):
			s.state, s.reason, s.dormant, s.confirmed = Staged, rec.Detail, true, true // which is the device's own word
		}
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
		held, err := r.hold(ctx, group[0].step.Enclosure, group[0].want.esps, inv)
		if enclosure.MayBeRestarting(err) {
			held, err = enclosure.Absent(r.Machine, group[0].step.Enclosure), nil
		}
		if err != nil {
			return err // with all of it still open
		}
		defer held.Close()
		held.Expect(group[0].want.esps...) // all that it had: those that are away come back
		sessions = append(sessions, held)
	}
	for i, group := range groups {
		for _, s := range group {
			r.takeUp(ctx, sessions[i], remain[s])
		}
		sessions[i].Close()
	}
	return nil
}

// takeUp looks at a component that a killed run was in the middle of, and brings
// that to an end: what is complete is waited for, and what is not is discarded,
// so that its wave can begin again.
func (r *run) takeUp(ctx context.Context, held *enclosure.Held, was remains) {
	s := was.step
	hop := s.current()
	s.wrote = true
	r.mu.Lock()
	r.wrote = true
	r.mu.Unlock()
	s.want = expectation{revision: hop.From, esps: s.want.esps}
	if was.kind == state.Activation {
		s.want.staged = hop.Image.SHA256
	} else {
		s.taken = true // for all that anybody knows
	}
	r.move(ctx, s, Recover, verdict{})
	held.SetFlashing(true)
	v := r.lookAt(ctx, held, was)
	found := fmt.Sprintf("the run was broken off when it was %s", was.state)
	if was.state == Unknown {
		found = "the run had lost sight of it"
	}
	r.event(s.about(Event{Type: EventRecovered, Reason: found + ": " + v.reason}))
	s.met = v.trigger == Lose && r.meets(ctx, held, s)
	s.owing = v.trigger == StartOver && hop.Protocol == plan.WriteBuffer
	s.halved = v.trigger == StartOver && s.overwrites()
	r.move(ctx, s, v.trigger, v)
	wave := noWave
	number := s.step.Waves.Reset
	if hop.Defers(s.mode) {
		number = s.step.Waves.Stage
	}
	if i := slices.IndexFunc(r.Plan.Waves, func(w plan.Wave) bool { return w.Number == number }); s.halved && i >= 0 {
		wave = r.Plan.Waves[i] // at once: it cannot wait for a window
	}
	r.work(ctx, held, wave, s)
}

// meets tells whether a component of which nobody can tell more answers a resumption:
// another one would find out no more.
func (r *run) meets(ctx context.Context, held *enclosure.Held, s *stepRun) bool {
	if r.resumed == nil {
		return false
	}
	_, err := held.Revision(ctx, s.step.LUID, s.step.Subenclosure)
	return err == nil
}

// noWave has nothing to do for any step: what is under way is brought to its end.
var noWave = plan.Wave{Number: -1}

// lookAt finds out what became of what a killed run was in the middle of.
func (r *run) lookAt(ctx context.Context, held *enclosure.Held, was remains) verdict {
	s := was.step
	switch {
	case was.state == Waiting, was.state == Verifying, was.kind == "":
		return verdict{trigger: Restart, reason: "it is waited for again"}
	case was.kind == state.Activation:
		return s.activated(ctx, held, was)
	}
	patience := time.Duration(s.current().ReturnTimeout)
	e, err := held.Await(ctx, s.step.LUID, s.step.Subenclosure, s.step.Address, patience)
	if err != nil {
		return verdict{trigger: Lose, reason: err.Error()}
	}
	_, sub, err := s.componentIn(e)
	if err != nil {
		return verdict{trigger: Lose, reason: err.Error()}
	}
	s.revision = sub.Revision
	s.download = r.newDownload(held, e, s)
	v := verdictOf(s.download.Recover(ctx, was.kind == state.LastChunk))
	if v.trigger == halfTaken {
		if v = r.discard(ctx, s, v.reason); v.trigger == Abort {
			v.trigger = StartOver
		}
	}
	return v
}

// activated finds out whether the command that starts what is staged was carried
// out. A device that answers, past the time in which one that took it would have
// left, and runs what it ran, has not had it, or would not have it: its wave asks again.
func (s *stepRun) activated(ctx context.Context, held *enclosure.Held, was remains) verdict {
	hop := s.current()
	time.Sleep(time.Until(was.at.Add(time.Duration(hop.Settle))))
	revision, err := held.Revision(ctx, s.step.LUID, s.step.Subenclosure)
	switch {
	case err != nil:
		return verdict{trigger: Restart, reason: err.Error()}
	case arrived(hop, revision):
		return verdict{trigger: Restart, reason: "it runs " + revision}
	}
	return verdict{trigger: Keep, revision: revision, reason: fmt.Sprintf("it still runs %s, and is started again by its wave", revision)}
}

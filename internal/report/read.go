package report

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"fwctl/executor/memory"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// readRun reads what the store has of a run.
func readRun(ctx context.Context, store *state.Store, r state.Run) (*Run, error) {
	run := &Run{
		Host: r.Host, ID: r.ID, Plan: r.PlanDigest, By: r.By, Phase: r.Phase, Wave: r.Wave, StartedAt: r.StartedAt,
		Outcome: r.Outcome, PID: r.PID, Resumed: []Resume{}, Overrides: []Override{}, Steps: []Step{},
	}
	if !r.EndedAt.IsZero() {
		run.EndedAt = &r.EndedAt
	}
	resumes, err := store.Resumes(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range resumes {
		run.Resumed = append(run.Resumed, Resume(v))
	}
	overrides, err := store.Overrides(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range overrides {
		run.Overrides = append(run.Overrides, Override{string(v.Kind), v.Address, v.Given})
	}
	accounts, err := store.Accounts(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	for _, v := range accounts {
		run.Accounts = append(run.Accounts, Account(v))
	}
	if err := run.readHooks(ctx, store); err != nil {
		return nil, err
	}
	if err := run.readSteps(ctx, store); err != nil {
		return nil, err
	}
	return run, run.readWaivers(ctx, store)
}

// readHooks reads the commands that were run around resets. One that is "" was not: the policy
// has a command on the other side only.
func (r *Run) readHooks(ctx context.Context, store *state.Store) error {
	hooks, err := store.Hooks(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, v := range hooks {
		if v.Command == "" {
			continue
		}
		h := Hook{
			Kind: string(v.Kind), Address: v.Address, Command: v.Command, At: v.At, Outcome: v.Outcome,
			Output: v.Output,
		}
		if !v.EndedAt.IsZero() {
			h.EndedAt = &v.EndedAt
		}
		r.Hooks = append(r.Hooks, h)
	}
	return nil
}

// readSteps reads how far the run got with its components.
func (r *Run) readSteps(ctx context.Context, store *state.Store) error {
	steps, err := store.Steps(ctx, r.ID)
	if err != nil {
		return err
	}
	intents, err := store.Intents(ctx, r.ID)
	if err != nil {
		return err
	}
	several := false
	for _, v := range steps {
		if r.EndedAt == nil {
			// The run is being resumed, and the outcome is that of its earlier end.
			v.Outcome = ""
		}
		step := Step{
			Address: v.Address, LUID: v.Key.LUID, State: v.State, Outcome: v.Outcome, From: v.From, To: v.To,
			SHA256: v.SHA256, Mode: v.Mode, Reason: v.Detail, At: &v.At,
		}
		step.addHops(intents)
		several = several || len(step.Way()) > 1
		r.Steps = append(r.Steps, step)
	}
	if !several {
		return nil
	}
	p, err := r.kept(ctx, store)
	if p != nil {
		r.addRevisions(p)
	}
	return err
}

// addHops adds the hops with an effect that the run intended.
func (s *Step) addHops(intents []state.Intent) {
	for _, i := range intents {
		if i.Address != s.Address || i.Kind == state.Abort {
			continue
		}
		if n := len(s.Hops); n == 0 || s.Hops[n-1].SHA256 != i.SHA256 {
			s.Hops = append(s.Hops, Hop{SHA256: i.SHA256})
		}
		h := &s.Hops[len(s.Hops)-1]
		h.At = i.At
		if i.Kind == state.DownloadStart {
			h.Mode = i.ModeName()
		}
		if h.SHA256 == s.SHA256 {
			h.From, h.To = s.From, s.To
		}
	}
}

// addRevisions adds the revisions of the hops before the one that a component is at: only the
// plan has them.
func (r *Run) addRevisions(p *plan.Plan) {
	for _, planned := range p.Steps {
		at := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Address == planned.Address })
		if at < 0 {
			continue
		}
		for i := range r.Steps[at].Hops {
			h := &r.Steps[at].Hops[i]
			isIt := func(p plan.Hop) bool { return p.Image.SHA256 == h.SHA256 }
			if n := slices.IndexFunc(planned.Hops, isIt); n >= 0 {
				h.From, h.To = planned.Hops[n].From, planned.Hops[n].To
			}
		}
	}
}

// readWaivers reads what the plan of the run waived. A plan that does not have the word waives
// nothing, and is not parsed: there may be many, and large ones.
func (r *Run) readWaivers(ctx context.Context, store *state.Store) error {
	data, err := store.Kept(ctx, r.ID)
	if err != nil || !bytes.Contains(data, []byte(`"`+plan.Waived+`"`)) {
		return err
	}
	p, err := r.kept(ctx, store)
	if p != nil {
		r.addWaivers(p)
	}
	return err
}

// addWaivers adds what a plan waived for the components of the run.
func (r *Run) addWaivers(p *plan.Plan) {
	steps := map[string]bool{}
	for _, s := range r.Steps {
		steps[s.Address] = true
	}
	r.Waivers = nil
	for _, s := range p.Steps {
		for _, g := range s.Gates {
			if g.Verdict == plan.Waived && steps[s.Address] {
				r.Waivers = append(r.Waivers, Waiver{Gate: string(g.Gate), Address: s.Address, Why: g.Why})
			}
		}
	}
}

// kept returns the plan of the run, nil if none was kept or it cannot be read. A report can do without it, and resuming
// the run reports what is wrong with it.
func (r *Run) kept(ctx context.Context, store *state.Store) (*plan.Plan, error) {
	p, err := memory.Plan(ctx, store, r.ID)
	if unreadable := (*memory.PlanError)(nil); errors.As(err, &unreadable) {
		return nil, nil
	}
	return p, err
}

// addPlanned adds the components of the run's plan that it has not begun.
func (r *Run) addPlanned(p *plan.Plan) {
	begun := map[string]bool{}
	for _, s := range r.Steps {
		begun[s.Address] = true
	}
	for _, s := range p.Steps {
		if !s.ActsOn(r.Host) || begun[s.Address] {
			continue
		}
		first := s.Hops[0]
		r.Steps = append(r.Steps, Step{
			Address: s.Address, LUID: s.LUID, State: "pending", From: first.From, To: first.To,
			SHA256: first.Image.SHA256,
		})
	}
	slices.SortFunc(r.Steps, func(a, b Step) int { return cmp.Compare(a.Address, b.Address) })
}

// remembered lists the components that a store knows, and those of runs that have not come to them, by address.
func remembered(ctx context.Context, store *state.Store, runs []Run) ([]Component, error) {
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	names, err := store.Names(ctx)
	if err != nil {
		return nil, err
	}
	var all []Component
	for _, address := range addresses {
		all = append(all, Component{address, names[inventory.EnclosureOf(address)]})
	}
	for _, r := range runs {
		for _, s := range r.Steps {
			all = append(all, Component{s.Address, names[inventory.EnclosureOf(s.Address)]})
		}
	}
	slices.SortFunc(all, func(a, b Component) int { return cmp.Compare(a.Address, b.Address) })
	return slices.Compact(all), nil
}

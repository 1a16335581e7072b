package memory

import (
	"context"
	"slices"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/plan"
)

// ReadRemaining reads what is left of a run off its store. p is the run's plan.
func ReadRemaining(ctx context.Context, store *state.Store, run *state.Run, p *plan.Plan) (*result.Remaining, error) {
	steps, err := store.Steps(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	intents, err := store.Intents(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	hooks, err := store.Hooks(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	return NewRemaining(run, p, steps, intents, hooks), nil
}

// NewRemaining works out what is left of a run from what its store holds of it.
func NewRemaining(
	run *state.Run, p *plan.Plan, steps []state.Step, intents []state.Intent, hooks []state.Hook,
) *result.Remaining {
	left := *p
	left.Steps = nil
	left.Waves = slices.DeleteFunc(slices.Clone(p.Waves), func(w plan.Wave) bool {
		return !w.Matches(plan.WaveKind(run.Phase), run.Wave)
	})
	r := &result.Remaining{Run: run, Plan: &left}
	owed := owedHooks(hooks)
	for _, s := range p.Steps {
		key := KeyOf(&s)
		if _, ok := owed[key]; ok && s.Hooks != nil && len(s.Hooks.AfterReset) > 0 {
			r.Owed = append(r.Owed, s)
		}
		if !s.ActsOn(run.Host) {
			continue
		}
		c := result.RemainingStep{Step: s}
		if i := slices.IndexFunc(steps, func(r state.Step) bool { return r.Key == key }); i >= 0 {
			c.Record = steps[i]
		}
		for i := range intents {
			if intents[i].Key == key && intents[i].Outcome == "" {
				c.Open = &intents[i] // the last one counts: how the others ended follows from it
			}
		}
		c.Left = leftOf(s, c.Record, c.Open != nil)
		if c.Open == nil {
			c.Left = within(c.Left, left.Waves)
		}
		if len(c.Left.Hops) > 0 {
			left.Steps = append(left.Steps, c.Left)
		}
		r.Components = append(r.Components, c)
	}
	left.Waves = slices.DeleteFunc(left.Waves, func(w plan.Wave) bool {
		return !slices.ContainsFunc(left.Steps, func(s plan.Step) bool { return s.In(w) })
	})
	return r
}

// leftOf returns a step with only what is left to do of it, by the record of its component.
// open: the end of an effect is unknown.
func leftOf(s plan.Step, rec state.Step, open bool) plan.Step {
	if rec.Hop >= len(s.Hops) || rec.State == "" {
		return s
	}
	hop := s.Hops[rec.Hop]
	next := rec.Hop
	switch step.State(rec.State) {
	case step.Failed, step.Unchanged:
		// The outcome is known, and the next step takes a new plan.
		next = len(s.Hops)
	case step.Unknown:
		if !open {
			next = len(s.Hops)
		}
	case step.Waiting, step.Verifying, step.Done:
		next++
	case step.Staged, step.Activating:
		if hop.Activation == plan.Manual {
			next++
		} else {
			hop.Modes = nil
		}
	default:
		if rec.Mode == string(plan.Mode7) {
			hop.Modes = []plan.Mode{plan.Mode7}
			s.Disruption = s.Disruption.AfterRefusal()
		}
	}
	staged := next > 0 || !hop.MayDefer()
	if next > 0 || rec.Mode == string(plan.Mode7) {
		s.ExpectedDuration, s.ExpectedStaging, s.ExpectedFrom = 0, 0, 0
	}
	s.Hops = slices.Clone(s.Hops[next:])
	if next == rec.Hop {
		s.Hops[0] = hop
	}
	if staged && s.Waves.Stage != 0 {
		s.WorstDuration, s.Waves.Stage = s.WorstIn(plan.Wave{Number: s.Waves.Reset}), 0
		s.ExpectedDuration, s.ExpectedStaging = s.ExpectedDuration-s.ExpectedStaging, 0
	}
	switch sure, most := s.CountResets(); {
	case most == 0:
		s = withoutReset(s)
	case sure > 0 && s.Disruption.Expected == plan.NoImpact:
		s.Disruption.Expected = plan.ESPReset
	}
	return s
}

// within returns a step with only what these waves do of it.
func within(s plan.Step, waves []plan.Wave) plan.Step {
	has := func(n int) bool { return slices.ContainsFunc(waves, func(w plan.Wave) bool { return w.Number == n }) }
	switch {
	case has(s.Waves.Reset):
	case has(s.Waves.Stage):
		if s = withoutReset(s); len(s.Hops) > 0 {
			only := s.Hops[0]
			only.Modes, only.Activation = only.Deferring(), plan.Manual
			s.Hops = []plan.Hop{only}
		}
	default:
		s.Hops = nil
	}
	return s
}

// withoutReset returns a step that no longer resets anything.
func withoutReset(s plan.Step) plan.Step {
	s.Disruption.Expected, s.Disruption.Worst, s.Hooks = plan.NoImpact, plan.NoImpact, nil
	return s
}

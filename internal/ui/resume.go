package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/plan"
	"fwctl/plan/build"
)

// resumeView renders what the store knows of a run that did not come to its end,
// and what is left to do of its plan.
func resumeView(run *state.Run, p *plan.Plan, steps []state.Step, intents []state.Intent, hooks []state.Hook, now time.Time, width int, paint paint) string {
	lines := append(wrap(resumeHeading(run, p), width, "", "  "), "")

	left := *p
	left.Steps = nil
	selected := executor.Config{Phase: plan.WaveKind(run.Phase), Wave: run.Wave}
	left.Waves = slices.DeleteFunc(slices.Clone(p.Waves), func(w plan.Wave) bool { return !selected.Selects(w) })
	t := table{columns: []column{{"WAVE", below}, {"ADDRESS", key}, {"NAME", label}, {"STATE", below}, {"TO", below}, {"MODE", below}, {"EFFECT", below}, {"WHY", reason}}}
	for _, s := range p.Steps {
		if s.Host != run.Host || s.Action != plan.Update && s.Action != plan.Activate {
			continue
		}
		var rec state.Step
		if i := slices.IndexFunc(steps, func(r state.Step) bool { return r.Address == s.Address }); i >= 0 {
			rec = steps[i]
		}
		open := slices.IndexFunc(intents, func(i state.Intent) bool { return i.Address == s.Address && i.Outcome == "" })
		rest := leftOf(s, rec, open >= 0)
		if open < 0 {
			rest = within(rest, left.Waves)
		}
		r := row{cells: []string{"-", s.Address, cmp.Or(s.Name, "-"), standing(rec.Outcome, cmp.Or(rec.State, string(executor.Pending))), cmp.Or(rec.To, s.Desired), "-", "-", ""}}
		why := []string{rec.Detail}
		if open >= 0 {
			r.tone = alarm
			why[0] = fmt.Sprintf("%s was intended at %s, and how it ended is not known", intents[open].What(), intents[open].At.Local().Format(time.TimeOnly))
		}
		if len(rest.Hops) > 0 {
			left.Steps = append(left.Steps, rest)
			cells := planRow(rest, left.Waves).cells
			r.cells[0], r.cells[4], r.cells[5], r.cells[6] = cells[0], cells[5], cells[8], cells[9]
			why = append(why, riskOf(rest))
			if rest.Disruption.Worst == plan.IOInterruption {
				r.tone = alarm
			}
		}
		r.cells[7] = strings.Trim(strings.Join(why, "\n"), "\n")
		t.rows = append(t.rows, r)
	}
	rows, _ := t.draw(width, paint)
	lines = append(append(lines, rows...), "")

	left.Waves = slices.DeleteFunc(left.Waves, func(w plan.Wave) bool {
		return !slices.ContainsFunc(left.Steps, func(s plan.Step) bool { return s.Waves.Stage == w.Number || s.Waves.Reset == w.Number })
	})
	says := append([]string{fmt.Sprintf("Left of %s: %s.", components(len(t.rows)), toDo(left.Steps))}, scheduleLines(&left, now)...)
	says = append(append(says, hookLines(&left)...), owedLines(p, hooks)...)
	for _, line := range append(says, "Digest "+p.Digest) {
		lines = append(lines, wrap(line, width, "", "  ")...)
	}
	return strings.Join(lines, "\n") + "\n"
}

func resumeHeading(run *state.Run, p *plan.Plan) string {
	how := "broken off"
	if !run.EndedAt.IsZero() {
		how = run.Outcome + " " + moment(run.EndedAt)
	}
	return fmt.Sprintf("Run %d of plan %s%s, started %s by %s on %s, %s. The store knows this of it, and the devices are asked next:",
		run.ID, shortDigest(p.Digest), limits(run.Phase, run.Wave), moment(run.StartedAt), run.By, run.Host, how)
}

// owedLines say which commands after a reset the run had not got to the end of.
func owedLines(p *plan.Plan, hooks []state.Hook) []string {
	var lines []string
	for _, s := range p.Steps {
		last := -1
		for i, h := range hooks {
			if h.Address == s.Address {
				last = i
			}
		}
		if last >= 0 && s.Hooks != nil && len(s.Hooks.AfterReset) > 0 && (hooks[last].Kind == state.BeforeReset || hooks[last].EndedAt.IsZero()) {
			lines = append(lines, fmt.Sprintf("Owed to %s, and run before the rest: after the reset %s.", s.Address, s.Hooks.AfterReset))
		}
	}
	return lines
}

// leftOf is a step with what is left to do of it, as the store has it. open: the end of
// an effect is not known. Where that
// does not tell, it is what disturbs more.
func leftOf(s plan.Step, rec state.Step, open bool) plan.Step {
	if rec.Hop >= len(s.Hops) || rec.State == "" {
		return s
	}
	hop := s.Hops[rec.Hop]
	next := rec.Hop
	switch executor.State(rec.State) {
	case executor.Failed, executor.Unchanged: // a new plan takes up what is known of them
		next = len(s.Hops)
	case executor.Unknown:
		if !open { // likewise
			next = len(s.Hops)
		}
	case executor.Waiting, executor.Verifying, executor.Done:
		next++
	case executor.Staged, executor.Activating:
		if hop.Activation == plan.Manual {
			next++
		} else {
			hop.Modes = nil
		}
	default:
		if rec.Mode == string(plan.Mode7) {
			hop.Modes = []plan.Mode{plan.Mode7}
			if why, fallback := strings.CutPrefix(s.Disruption.Why, build.IfRefused); fallback {
				s.Disruption.Why = "mode e is refused; " + why
			}
		}
	}
	staged := next > 0 || len(hop.Deferring()) == 0
	s.Hops = slices.Clone(s.Hops[next:])
	if next == rec.Hop {
		s.Hops[0] = hop
	}
	if staged && s.Waves.Stage != 0 {
		s.WorstDuration, s.Waves.Stage = s.WorstIn(plan.Wave{Number: s.Waves.Reset}), 0
	}
	switch sure, most := resetsOf(s); {
	case most == 0:
		s = withoutReset(s)
	case sure > 0 && s.Disruption.Expected == plan.NoImpact:
		s.Disruption.Expected = plan.ESPReset
	}
	return s
}

// within is a step with what is left to do of it in some waves.
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

// withoutReset is a step of which only what resets nothing is left.
func withoutReset(s plan.Step) plan.Step {
	s.Disruption.Expected, s.Disruption.Worst, s.Hooks = plan.NoImpact, plan.NoImpact, nil
	return s
}

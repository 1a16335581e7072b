package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/executor"
	"fwctl/plan"
)

// resultView renders what became of every component of a plan, and what goes on with
// those that wait for that.
func resultView(r *executor.Result, p *plan.Plan, goesOn string, width int, paint paint) string {
	names := map[string]string{}
	for _, s := range p.Steps {
		names[s.Address] = s.Name
	}
	t := table{columns: []column{{"ADDRESS", key}, {"NAME", label}, {"OUTCOME", below}, {"MODE", below}, {"REVISION", below}, {"WHY", reason}}}
	counts, persons := map[executor.Outcome]int{}, 0
	for _, s := range r.Steps {
		counts[s.Outcome]++
		outcome := string(s.Outcome)
		if s.Outcome == executor.OutcomeStaged || s.Outcome == executor.OutcomeUpdated {
			outcome = confirmedOr(outcome, s.Confirmed)
		}
		mode := cmp.Or(hopsCell(s.Modes), string(s.Mode), "-")
		row := row{
			cells: []string{
				s.Address,
				cmp.Or(names[s.Address], "-"),
				outcome,
				mode,
				cmp.Or(s.Revision, "-"),
				oneLine(cmp.Or(s.Reason, "-")),
			},
		}
		if s.NeedsPerson {
			persons++
		}
		if s.NeedsPerson || s.Outcome == executor.OutcomeUnknown || s.Outcome == executor.OutcomeFailed {
			row.tone = alarm
		}
		t.rows = append(t.rows, row)
	}
	lines := []string{""}
	if len(t.rows) > 0 {
		rows, _ := t.draw(width, paint)
		lines = append(append(lines, rows...), "")
	}
	var parts []string
	for _, o := range []executor.Outcome{executor.OutcomeUpdated, executor.OutcomeStaged, executor.OutcomeUnchanged, executor.OutcomeReady,
		executor.OutcomeFailed, executor.OutcomeRefused, executor.OutcomeSkipped, executor.OutcomeUnknown} {
		if n := counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if persons > 0 {
		parts = append(parts, fmt.Sprintf("%d %s a person", persons, plural(persons, "needs", "need")))
	}
	text := cmp.Or(strings.Join(parts, ", "), "nothing to do")
	word := string(r.Outcome)
	lines = append(lines, wrap(strings.ToUpper(word[:1])+word[1:]+": "+text+".", width, "", "  ")...)
	if r.Outcome == executor.RunDone && r.Reason != "" {
		lines = append(lines, wrap(strings.ToUpper(r.Reason[:1])+r.Reason[1:]+".", width, "", "  ")...)
	}
	if goesOn != "" {
		lines = append(lines, wrap(goesOn, width, "", "  ")...)
	}
	for _, line := range turnLines("To go on:", r.Commands, p) {
		lines = append(lines, wrap(line, width, "", "    ")...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// confirmedOr adds to what is told of an image that the device's own word does not
// stand behind it.
func confirmedOr(what string, confirmed bool) string {
	if !confirmed {
		what += ", unconfirmed"
	}
	return what
}

// closing is the last word about a run that did not end well: which component
// stands for it, and why. mine are the addresses that this host works on.
func closing(r *executor.Result) string {
	first := func(is func(executor.StepResult) bool) *executor.StepResult {
		if i := slices.IndexFunc(r.Steps, is); i >= 0 {
			return &r.Steps[i]
		}
		return nil
	}
	ended := func(o executor.Outcome) func(executor.StepResult) bool {
		return func(s executor.StepResult) bool { return s.Outcome == o }
	}
	switch r.Outcome {
	case executor.RunUnknown:
		if s := first(func(s executor.StepResult) bool { return s.NeedsPerson }); s != nil {
			return because(s.Address+" needs a person", s.Reason)
		}
		if s := first(ended(executor.OutcomeUnknown)); s != nil {
			return because("the outcome of "+s.Address+" is unknown", s.Reason)
		}
	case executor.RunFailed:
		if s := first(ended(executor.OutcomeFailed)); s != nil {
			return because(s.Address+" failed", s.Reason)
		}
		if s := first(ended(executor.OutcomeRefused)); s != nil {
			return because(s.Address+" was refused", s.Reason)
		}
	case executor.RunRefused:
		if s := first(ended(executor.OutcomeRefused)); s != nil {
			return because(s.Address+" was refused", s.Reason)
		}
	}
	return r.Reason
}

// hintAfter says what to do after a run that did not end well.
func hintAfter(r *executor.Result, resumed bool, resume string) string {
	again := "apply the same plan"
	if resumed {
		again = "run " + resume + " again"
	}
	for _, s := range r.Steps {
		if s.NeedsPerson && (resumed || s.Outcome != executor.OutcomeUnknown) {
			return "do not reset or power-cycle " + s.Address + ": send it a good image first"
		}
	}
	switch r.Outcome {
	case executor.RunRefused:
		switch r.Refusal {
		case executor.RefusedStale:
			return "nothing was written: look at what differs, then plan again"
		case executor.RefusedInUse:
			return "nothing was written: " + again + " when the others are done"
		case executor.RefusedGate:
			return "nothing was written: see to that and " + again + ", or plan again"
		case executor.RefusedWrongHost, executor.RefusedDisruption, executor.RefusedOrder, executor.RefusedWindow, executor.RefusedUnfinished:
			return "" // the reason says it
		}
		return "nothing was written: put right what the reasons above name, or plan again"
	case executor.RunFailed:
		if r.Lost {
			return "see to the state directory, then run " + resume + ": it finds out what is not on record"
		}
		return "look at the reasons above, then plan again"
	case executor.RunUnknown:
		if r.Left {
			return "run " + resume
		}
		if resumed {
			return "look at the device itself before anything else is written to it or its power is switched"
		}
		return "do not reset or power-cycle it; when it answers again " + resume + " finds out what it holds, and goes on"
	case executor.RunInterrupted:
		return resume + " goes on"
	case executor.RunStopped:
		return "nothing failed: the output says what goes on from here"
	}
	return ""
}

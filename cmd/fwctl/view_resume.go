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
)

// resumeView renders what the store knows of a run that did not come to its end.
func resumeView(run *state.Run, p *plan.Plan, steps []state.Step, intents []state.Intent, width int, paint paint) string {
	how := "broken off"
	if !run.EndedAt.IsZero() {
		how = run.Outcome + " " + moment(run.EndedAt)
	}
	first := fmt.Sprintf("Run %d of plan %s%s, started %s by %s on %s, %s. The store knows this of it, and the devices are asked next:",
		run.ID, shortDigest(p.Digest), limits(run.Phase, run.Wave), moment(run.StartedAt), run.By, run.Host, how)
	lines := append(wrap(first, width, "", "  "), "")
	t := table{columns: []column{{"ADDRESS", key}, {"STATE", below}, {"MODE", below}, {"TO", below}, {"WHY", reason}}}
	for _, s := range p.Steps {
		if s.Host != run.Host || s.Action != plan.Update && s.Action != plan.Activate {
			continue
		}
		i := slices.IndexFunc(steps, func(rec state.Step) bool { return rec.Address == s.Address })
		if i < 0 {
			t.rows = append(t.rows, row{cells: []string{s.Address, string(executor.Pending), "-", s.Desired, "-"}})
			continue
		}
		rec := steps[i]
		r := row{cells: []string{s.Address, standing(rec.Outcome, rec.State), cmp.Or(rec.Mode, "-"), cmp.Or(rec.To, s.Desired), cmp.Or(rec.Detail, "-")}}
		for _, i := range intents {
			if i.Address == s.Address && i.Outcome == "" {
				r.tone = alarm
				r.cells[4] = fmt.Sprintf("%s was intended at %s, and how it ended is not known", i.What(), i.At.Local().Format(time.TimeOnly))
			}
		}
		t.rows = append(t.rows, r)
	}
	rows, _ := t.draw(width, paint)
	lines = append(lines, rows...)
	for _, line := range hookLines(p) {
		lines = append(lines, wrap(line, width, "", "  ")...)
	}
	return strings.Join(lines, "\n") + "\n"
}

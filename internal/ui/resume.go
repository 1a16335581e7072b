package ui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/plan"
)

// Resume draws what the store knows of a run that did not come to its end, and what is left to do
// of its plan.
func (sc Screen) Resume(r *result.Remaining, now time.Time) string {
	t := table{columns: []column{
		{"WAVE", below}, {"ADDRESS", key}, {"NAME", label}, {"STATE", below}, {"TO", below}, {"MODE", below},
		{"EFFECT", below}, {"WHY", reason},
	}}
	for i := range r.Components {
		t.rows = append(t.rows, remainingRow(&r.Components[i], r.Plan.Waves))
	}
	rows, _ := t.draw(sc)
	lines := append(sc.wrap(resumeHeading(r.Run, r.Plan), "", "  "), "")
	lines = append(append(lines, rows...), "")

	says := []string{fmt.Sprintf("Left of %s: %s.", Components(len(r.Components)), toDo(r.Plan.Steps))}
	says = append(append(says, scheduleLines(r.Plan, now)...), commandLines(r.Plan)...)
	for _, s := range r.Owed {
		says = append(says, fmt.Sprintf("Owed to %s, and run before the rest: after the reset %s.",
			s.Address, s.Hooks.AfterReset))
	}
	for _, line := range append(says, "Digest "+r.Plan.Digest) {
		lines = append(lines, sc.wrap(line, "", "  ")...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// remainingRow returns where a component stands, and what is left to do of it.
func remainingRow(c *result.RemainingStep, waves []plan.Wave) row {
	s, rec, left := &c.Step, &c.Record, &c.Left
	var wave, mode, effect string
	to, why := cmp.Or(rec.To, s.Desired), []string{rec.Detail}
	var urgency tone
	if c.Open != nil {
		urgency = alarm
		why[0] = openWords(c.Open)
	}
	if len(left.Hops) > 0 {
		cells := planRow(left, waves, plan.SomeThings).cells
		wave, to, mode, effect = cells[planWave], cells[planTo], cells[planMode], cells[planEffect]
		why = append(why, riskOf(left), left.StakeWords(plan.SomeThings))
		if left.Disruption.Worst == plan.IOInterruption {
			urgency = alarm
		}
	}
	r := row{tone: urgency, cells: []string{
		wave, s.Address, s.Name, standing(rec.Outcome, cmp.Or(rec.State, string(step.Pending))), to, mode, effect,
		strings.Trim(strings.Join(why, "\n"), "\n"),
	}}
	r.fill()
	return r
}

// openWords returns what is known of an effect that has no end on record.
func openWords(i *state.Intent) string {
	at := i.At.Local().Format(time.TimeOnly)
	if i.Kind == state.DownloadStart {
		return fmt.Sprintf("a download by mode %s was about to begin at %s; whether it did is not known", i.ModeName(), at)
	}
	return fmt.Sprintf("%s was intended at %s, and how it ended is not known", i.What(), at)
}

// resumeHeading returns which run this is.
func resumeHeading(run *state.Run, p *plan.Plan) string {
	how := "broken off"
	if !run.EndedAt.IsZero() {
		how = run.Outcome + " " + Moment(run.EndedAt)
	}
	return fmt.Sprintf("Run %d of plan %s%s, started %s by %s on %s, %s. This is what is on record; the devices "+
		"are asked next:",
		run.ID, plan.ShortDigest(p.Digest), limits(run.Phase, run.Wave), Moment(run.StartedAt), run.By, run.Host, how)
}

package ui

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"

	"fwctl/executor/result"
	"fwctl/plan"
)

// Result draws what became of every component of a plan, and what continues with those that wait.
func (sc Screen) Result(r *result.Result, p *plan.Plan, goesOn string) string {
	names := p.Names()
	t := table{columns: []column{
		{"ADDRESS", key}, {"NAME", label}, {"OUTCOME", below}, {"MODE", below}, {"REVISION", below}, {"WHY", reason},
	}}
	counts, persons := map[result.Outcome]int{}, 0
	for _, s := range r.Steps {
		counts[s.Outcome]++
		outcome := string(s.Outcome)
		if s.Outcome == result.OutcomeStaged || s.Outcome == result.OutcomeUpdated {
			outcome = confirmedOr(outcome, s.Confirmed)
		}
		mode := cmp.Or(hopsCell(s.Modes), string(s.Mode), "-")
		row := row{
			cells: []string{
				s.Address,
				nameCell(names, s.Address),
				outcome,
				mode,
				cmp.Or(s.Revision, "-"),
				OneLine(cmp.Or(s.Reason, "-")),
			},
		}
		if s.NeedsPerson {
			persons++
		}
		if s.NeedsPerson || s.Outcome == result.OutcomeUnknown || s.Outcome == result.OutcomeFailed {
			row.tone = alarm
		}
		t.rows = append(t.rows, row)
	}
	lines := []string{""}
	if len(t.rows) > 0 {
		rows, _ := t.draw(sc)
		lines = append(append(lines, rows...), "")
	}
	var parts []string
	for _, o := range []result.Outcome{
		result.OutcomeUpdated, result.OutcomeStaged, result.OutcomeUnchanged, result.OutcomeReady, result.OutcomeFailed,
		result.OutcomeRefused, result.OutcomeSkipped, result.OutcomeUnknown,
	} {
		if n := counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if persons > 0 {
		parts = append(parts, fmt.Sprintf("%d %s a person", persons, english.PluralWord(persons, "needs", "need")))
	}
	text := cmp.Or(strings.Join(parts, ", "), "nothing to do")
	word := string(r.Outcome)
	lines = append(lines, sc.wrap(strings.ToUpper(word[:1])+word[1:]+": "+text+".", "", "  ")...)
	if r.Outcome == result.RunDone && r.Reason != "" {
		lines = append(lines, sc.wrap(strings.ToUpper(r.Reason[:1])+r.Reason[1:]+".", "", "  ")...)
	}
	if goesOn != "" {
		lines = append(lines, sc.wrap(goesOn, "", "  ")...)
	}
	for _, line := range turnLines(turnsTitle(r), r.Commands, p, everything) {
		lines = append(lines, sc.wrap(line, "", "    ")...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// turnsTitle returns the title of the commands that continue a plan.
func turnsTitle(r *result.Result) string {
	title := "To go on"
	if r.Outcome == result.RunDone {
		// It is unknown here how far other hosts are.
		title += ", unless it is done there already"
	}
	if r.Soak > 0 {
		title += ", once this has stood for " + Spell(r.Soak)
	}
	return title + ":"
}

// confirmedOr returns a text about an image, and adds that the device has not confirmed it if it
// has not.
func confirmedOr(what string, confirmed bool) string {
	if !confirmed {
		what += ", unconfirmed"
	}
	return what
}

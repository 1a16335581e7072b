package ui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Verification is what was found after a power cycle, and which components are not as they should be.
type Verification struct {
	*result.Found

	// Astray are the components that are not as a desired state wants them.
	Astray []plan.Step

	// Drift are the components that are not as a saved plan leaves them, of the Planned ones that
	// were compared with it.
	Drift   []plan.Drift
	Planned int

	// Names are those of enclosures.
	Names inventory.Names
}

// Verification draws what was found.
func (sc Screen) Verification(v *Verification) string {
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, sc.wrap(fmt.Sprintf(format, args...), "", "  ")...)
	}
	if len(v.Components) > 0 {
		rows, _ := findings(v.Components, v.Names).draw(sc)
		lines = append(append(lines, rows...), "")
	}
	for _, s := range v.Settled {
		add("SETTLED %s: it was power-cycled or reset, runs %s, and what it may have held is started or gone (%s)",
			v.Names.Called(s.Address), cmp.Or(s.Revision, "?"), s.Reason)
	}
	for _, u := range v.Unsettled {
		add("CAUTION %s: %s", v.Names.Called(u.Address), u.Reason)
	}
	for _, d := range v.Declines {
		add("WORSE %s, since %s: %s", v.Names.Called(d.Enclosure), Moment(d.Since), strings.Join(d.Worse, "; "))
	}
	for _, s := range v.Astray {
		add("%s: runs %s, wanted %s: %s", v.Names.Called(s.Address), s.Current, s.Desired, s.Action)
	}
	for _, d := range v.Drift {
		if d.Revision == "" {
			add("%s: %s", v.Names.Called(d.Address), d.Reason)
		} else {
			add("%s: runs %s, the plan brings %s: %s",
				v.Names.Called(d.Address), d.Revision, cmp.Or(d.Wanted, "another"), d.Reason)
		}
	}
	if v.Planned > 0 {
		add("Compared %s with the plan: %s.", Components(v.Planned), asPlanned(len(v.Drift)))
	}
	switch n := v.Count(); {
	case len(v.Components) == 0 && len(v.Astray) == 0:
		add("Nothing is staged, as far as this host remembers.")
	case n.Absent > 0:
		add("Verified: %d running, %d waiting, %d lost, %d not in sight.", n.Running, n.Waiting, n.Lost, n.Absent)
	case len(v.Components) > 0:
		add("Verified: %d running, %d waiting, %d lost.", n.Running, n.Waiting, n.Lost)
	}
	if len(v.Compared) > 0 {
		add("%s", comparison(v.Found))
	} else {
		add("No apply is remembered here to compare with.")
	}
	return strings.Join(lines, "\n") + "\n"
}

// asPlanned returns how many components are not as the plan leaves them.
func asPlanned(drifted int) string {
	if drifted == 0 {
		return "all are as the plan leaves them"
	}
	return english.Plural(drifted, "is not as the plan leaves it", "are not as the plan leaves them")
}

// findings returns the table of staged images, and what became of them.
func findings(all []result.Finding, names inventory.Names) table {
	t := table{columns: []column{
		{"ADDRESS", key}, {"NAME", label}, {"STAGED", below},
		{"RUNS", below}, {"OUTCOME", below}, {"SINCE", label}, {"WHY", reason},
	}}
	for _, f := range all {
		outcome := string(f.Outcome)
		switch f.Outcome {
		case "":
			outcome = "not in sight"
		case state.Running:
			outcome = confirmedOr(outcome, f.Confirmed)
		}
		r := row{cells: []string{
			f.Address,
			nameCell(names, f.Address),
			cmp.Or(f.Wanted, digestCell(f.SHA256)),
			cmp.Or(f.Revision, "-"),
			outcome,
			f.StagedSince.Local().Format(time.DateOnly) + " by " + f.StagedBy,
			OneLine(cmp.Or(f.Reason, "-")),
		}}
		if f.Outcome == state.Lost || f.Outcome == "" {
			r.tone = alarm
		}
		t.rows = append(t.rows, r)
	}
	return t
}

// comparison returns which enclosures were compared with their baselines, and how many are worse.
func comparison(f *result.Found) string {
	n, esps, drives := len(f.Compared), 0, 0
	for _, c := range f.Compared {
		esps, drives = esps+c.ESPs, drives+c.Drives
	}
	worse := "nothing is"
	if n := len(f.Declines); n > 0 {
		worse = english.Plural(n, "is", "are")
	}
	return fmt.Sprintf("Compared %s (%s, %s) with what %s like before the last apply: %s worse.",
		english.Plural(n, "enclosure", ""), english.Plural(esps, "I/O module", ""), english.Plural(drives, "drive", ""),
		english.PluralWord(n, "it was", "they were"), worse)
}

package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/report"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Again returns another command of fwctl as it is to be typed: about the same rack, with
// the same state directory.
type Again func(args ...string) string

// Status draws a status.
func (sc Screen) Status(s *report.Status, again Again) string {
	lines, names := sc.hostLines(s.Hosts), rememberedNames(s.Components)
	resume := resumeOn(s.Hosts, again)
	for _, r := range s.Runs {
		text := Because(runLine(r), stands(r))
		if r.Resumable {
			text += "; " + resume(r.Host) + " looks at the devices and goes on"
		}
		lines = append(lines, "")
		lines = append(lines, sc.toned(text+".", r.Process == result.ProcessGone)...)
		lines = append(append(lines, sc.runNotes(r, names)...), sc.stepTable(r.Steps, "STATE", names)...)
	}
	for _, t := range []table{stuckTable(s, names, resume), cautionTable(s, names), stagedTable(s, names)} {
		if len(t.rows) > 0 {
			rows, _ := t.draw(sc)
			lines = append(append(lines, ""), rows...)
		}
	}
	lines = append(append(lines, ""), sc.wrap(statusTotal(s), "", "  ")...)
	if len(s.Staged) > 0 {
		lines = append(lines, sc.wrap("What is staged starts at any power loss or hard reset.", "", "  ")...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// resumeOn returns what resumes a run on a host, which is named if there are several.
func resumeOn(hosts []report.Host, again Again) func(host string) string {
	return func(host string) string {
		command := "`" + again("resume") + "`"
		if len(hosts) > 1 {
			command += " on " + host
		}
		return command
	}
}

func stuckTable(s *report.Status, names inventory.Names, resume func(host string) string) table {
	t := table{columns: []column{
		{"STUCK", key}, {"NAME", label}, {"HOST", label},
		{"RUN", below}, {"IMAGE", below}, {"SINCE", below}, {"WHAT TO DO", reason},
	}}
	for i := range s.Stuck {
		v := &s.Stuck[i]
		t.rows = append(t.rows, row{tone: alarm, cells: []string{
			v.Address, nameCell(names, v.Address), hostCell(v.Host, s.Hosts), fmt.Sprint(v.Run), digestCell(v.SHA256),
			Moment(v.Since),
			stuckWords(v, resume(v.Host)),
		}})
	}
	return t
}

// stuckWords says what is known of a component that is stuck, and what to do.
func stuckWords(v *report.Stuck, resume string) string {
	what := state.Intent{Kind: state.Kind(v.Kind), Mode: v.Mode}.What()
	return what + ", and how it ended is not known: any power loss may start the image, or a part of it: " +
		"do not reset or power-cycle it; " + resume + " looks at the device and goes on"
}

// Notes on what is staged, and on what was.
const (
	unconfirmed = "unconfirmed: the device never said that the image is complete"
	lostWords   = "it neither runs nor holds what was staged"
)

func cautionTable(s *report.Status, names inventory.Names) table {
	t := table{columns: []column{{"CAUTION", key}, {"NAME", label}, {"HOST", label}, {"WHAT TO DO", reason}}}
	for _, v := range s.Cautions {
		cells := []string{v.Address, nameCell(names, v.Address), hostCell(v.Host, s.Hosts), v.Words()}
		t.rows = append(t.rows, row{tone: alarm, cells: cells})
	}
	return t
}

func stagedTable(s *report.Status, names inventory.Names) table {
	t := table{columns: []column{
		{"STAGED", key}, {"NAME", label}, {"HOST", label},
		{"RUNS", below}, {"HOLDS", below}, {"IMAGE", below}, {"SINCE", below},
		{"BY", below}, {"NOTES", reason},
	}}
	for _, v := range s.Staged {
		note := "-"
		if !v.Confirmed {
			note = unconfirmed
		}
		t.rows = append(t.rows, row{cells: []string{
			v.Address, nameCell(names, v.Address), hostCell(v.Host, s.Hosts), cmp.Or(v.Running, "-"),
			cmp.Or(v.Revision, "-"), digestCell(v.SHA256),
			Moment(v.Since), cmp.Or(v.By, "-"), note,
		}})
	}
	return t
}

// statusTotal counts what a status lists.
func statusTotal(s *report.Status) string {
	ended := 0
	counts := map[result.Process]int{}
	for _, r := range s.Runs {
		counts[r.Process]++
		if r.EndedAt != nil {
			ended++
		}
	}
	total := fmt.Sprintf("%s, %d broken off, ",
		english.Plural(counts[result.ProcessRunning], "run in progress", "runs in progress"), counts[result.ProcessGone])
	if ended > 0 {
		total += fmt.Sprintf("%d to be resumed, ", ended)
	}
	total += fmt.Sprintf("%d staged, %d stuck.", len(s.Staged), len(s.Stuck))
	if n := counts[result.ProcessUnclear]; n > 0 {
		total += fmt.Sprintf(" Of %d %s it is not clear.", n, english.PluralWord(n, "run", "runs"))
	}
	if n := len(s.Cautions); n > 0 {
		total += fmt.Sprintf(" %d %s.", n, english.PluralWord(n, "caution holds", "cautions hold"))
	}
	return total
}

// History draws a history.
func (sc Screen) History(h *report.History, again Again) string {
	lines, names := sc.hostLines(h.Hosts), rememberedNames(h.Components)
	for _, r := range h.Runs {
		bad := r.EndedAt == nil || r.Outcome == "failed" || r.Outcome == "unknown"
		lines = append(lines, "")
		lines = append(lines, sc.toned(Because(runLine(r), endOf(r, again))+".", bad)...)
		lines = append(append(lines, sc.runNotes(r, names)...), sc.stepTable(r.Steps, "OUTCOME", names)...)
	}
	if len(h.Verified) > 0 {
		t := table{columns: []column{
			{"VERIFIED", key}, {"NAME", label}, {"HOST", label},
			{"FOUND", below}, {"REVISION", below}, {"IMAGE", below}, {"AT", below},
			{"BY", below}, {"NOTES", reason},
		}}
		for _, v := range h.Verified {
			r := row{cells: []string{
				v.Address, nameCell(names, v.Address), hostCell(v.Host, h.Hosts), v.Outcome, cmp.Or(v.Revision, "-"),
				digestCell(v.SHA256),
				Moment(v.At), cmp.Or(v.By, "-"), "-",
			}}
			if v.Outcome == "lost" {
				r.tone, r.cells[8] = alarm, lostWords
			}
			t.rows = append(t.rows, r)
		}
		rows, _ := t.draw(sc)
		lines = append(append(lines, ""), rows...)
	}
	lines = append(lines, "", fmt.Sprintf("%d %s.", len(h.Runs), english.PluralWord(len(h.Runs), "run", "runs")))
	return strings.Join(lines, "\n") + "\n"
}

// endOf says what became of a run of a history.
func endOf(r report.Run, again Again) string {
	if r.EndedAt != nil {
		return stands(r)
	}
	return "no end is recorded; `" + again("status") + "` says whether it goes on"
}

func (sc Screen) hostLines(hosts []report.Host) []string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.Name+" "+Moment(h.TakenAt))
	}
	return sc.wrap("As remembered on "+strings.Join(all, ", ")+"; no device was asked.", "", "  ")
}

// runLine says which run this is.
func runLine(r report.Run) string {
	return fmt.Sprintf("Run %d on %s, plan %s%s, started %s by %s",
		r.ID, r.Host, plan.ShortDigest(r.Plan), limits(r.Phase, r.Wave), Moment(r.StartedAt), r.By)
}

// limits says which waves of its plan a run is for, "" if it is for all.
func limits(phase string, wave int) string {
	switch {
	case wave != 0:
		return fmt.Sprintf(", its wave %d alone", wave)
	case phase != "":
		return fmt.Sprintf(", its %s waves alone", phase)
	}
	return ""
}

// stands says what became of a run of a status, or of one that has ended.
func stands(r report.Run) string {
	switch {
	case r.EndedAt != nil:
		return r.Outcome + " " + Moment(*r.EndedAt)
	case r.Process == result.ProcessRunning:
		return fmt.Sprintf("goes on, pid %d", r.PID)
	case r.Process == result.ProcessGone:
		return "BROKEN OFF, its process is gone"
	case r.PID > 0:
		return fmt.Sprintf("has no end, and whether it goes on is not clear: see whether pid %d is it", r.PID)
	}
	return "has no end, and whether it goes on is not clear"
}

func (sc Screen) runNotes(r report.Run, names inventory.Names) []string {
	var lines []string
	for _, v := range r.Resumed {
		lines = append(lines, sc.wrap(fmt.Sprintf("Resumed %s by %s.", Moment(v.At), v.By), "  ", "    ")...)
	}
	for _, g := range safeguardsOf(r, names) {
		lines = append(lines, sc.wrap(Because(g.What+" at "+strings.Join(g.Where, ", "), g.Why), "  ", "    ")...)
	}
	for _, h := range r.Hooks {
		text := fmt.Sprintf("%s %s of %s: %s", Moment(h.At), state.HookKind(h.Kind).Words(), names.Called(h.Address),
			h.Command)
		lines = append(lines, sc.wrap(text+": "+cmp.Or(h.Outcome, "its end is not known"), "  ", "    ")...)
	}
	return lines
}

// safeguard is one that was set aside for some components: by a person's flag, or by a
// waiver of the plan.
type safeguard struct {
	What, Why string
	// Where has addresses, behind the names that people know them by.
	Where []string
}

// safeguardsOf returns the safeguards that were set aside for a run, those by flags first.
func safeguardsOf(r report.Run, names inventory.Names) []safeguard {
	var all []safeguard
	add := func(what, why, address string) {
		same := func(g safeguard) bool { return g.What == what && g.Why == why }
		at := slices.IndexFunc(all, same)
		if at < 0 {
			at = len(all)
			all = append(all, safeguard{What: what, Why: why})
		}
		all[at].Where = append(all[at].Where, names.Called(address))
	}
	for _, v := range r.Overrides {
		what := "--" + v.Kind
		if v.Given != "" {
			what += fmt.Sprintf(" %q", v.Given)
		}
		add(what, "", v.Address)
	}
	for _, v := range r.Waivers {
		add("Waived: "+v.Gate, v.Why, v.Address)
	}
	return all
}

// stepTable draws the components of a run.
func (sc Screen) stepTable(steps []report.Step, end string, names inventory.Names) []string {
	if len(steps) == 0 {
		return []string{"  No component of it was started."}
	}
	t := table{columns: []column{
		{"ADDRESS", key}, {"NAME", label}, {end, below}, {"MODE", below}, {"FROM", below}, {"TO", below},
		{"IMAGE", below}, {"AT", below}, {"WHY", reason},
	}}
	for _, s := range steps {
		at := "-"
		if s.At != nil {
			at = Moment(*s.At)
		}
		way := s.Way()
		var modes, to, images []string
		for _, h := range way {
			modes, to, images = append(modes, h.Mode), append(to, h.To), append(images, plan.ShortDigest(h.SHA256))
		}
		r := row{
			cells: []string{
				s.Address,
				nameCell(names, s.Address),
				standing(s.Outcome, s.State),
				hopsCell(modes),
				cmp.Or(way[0].From, "-"),
				hopsCell(to),
				hopsCell(images),
				at,
				OneLine(cmp.Or(s.Reason, "-")),
			},
		}
		switch result.Outcome(r.cells[2]) {
		case result.OutcomeFailed, result.OutcomeUnknown:
			r.tone = alarm
		}
		t.rows = append(t.rows, r)
	}
	rows, _ := t.draw(sc)
	return rows
}

// rememberedNames returns what hosts call enclosures: each name once where they differ.
func rememberedNames(components []report.Component) inventory.Names {
	names := inventory.Names{}
	known := map[string][]string{}
	for _, c := range components {
		id := inventory.EnclosureOf(c.Address)
		if c.Name != "" && !slices.Contains(known[id], c.Name) {
			known[id] = append(known[id], c.Name)
			names[id] = strings.Join(known[id], " or ")
		}
	}
	return names
}

// hostCell names a host if there are several.
func hostCell(host string, hosts []report.Host) string {
	if len(hosts) < 2 {
		return "-"
	}
	return host
}

// standing is the word for where a component of a run stands, the same in every
// table: its outcome, once it has one, and the step machine's state before.
func standing(outcome, state string) string {
	return cmp.Or(outcome, string(result.OutcomeOf(step.State(state))), state)
}

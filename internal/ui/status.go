package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/executor"
	"fwctl/internal/journal"
	"fwctl/internal/state"
)

// statusView renders a status as text for people, in at most width columns.
func statusView(s *journal.Status, again again, width int, paint paint) string {
	lines := hostLines(s.Hosts, width)
	resume := func(host string) string {
		command := "`" + again("resume") + "`"
		if len(s.Hosts) > 1 {
			command += " on " + host
		}
		return command
	}
	ended := 0
	counts := map[journal.Process]int{}
	for _, r := range s.Runs {
		counts[r.Process]++
		if r.EndedAt != nil {
			ended++
		}
		text := because(runLine(r), stands(r))
		if r.Resumable {
			text += "; " + resume(r.Host) + " looks at the devices and goes on"
		}
		lines = append(lines, "")
		lines = append(lines, toned(text+".", r.Process == journal.Gone, width, paint)...)
		lines = append(append(lines, runNotes(r, width)...), stepTable(r.Steps, "STATE", width, paint)...)
	}
	if len(s.Stuck) > 0 {
		t := table{columns: []column{{"STUCK", key}, {"HOST", label}, {"RUN", below}, {"IMAGE", below}, {"SINCE", below}, {"WHAT TO DO", reason}}}
		for _, v := range s.Stuck {
			t.rows = append(t.rows, row{tone: alarm, cells: []string{v.Address, hostCell(v.Host, s.Hosts), fmt.Sprint(v.Run), digestCell(v.SHA256), moment(v.Since),
				state.Intent{Kind: state.Kind(v.Kind), Mode: v.Mode}.What() + ", and how it ended is not known: any power loss may start the image, or a part of it: do not reset or power-cycle it; " + resume(v.Host) + " looks at the device and goes on"}})
		}
		rows, _ := t.draw(width, paint)
		lines = append(append(lines, ""), rows...)
	}
	if len(s.Cautions) > 0 {
		t := table{columns: []column{{"CAUTION", key}, {"HOST", label}, {"WHAT TO DO", reason}}}
		for _, v := range s.Cautions {
			t.rows = append(t.rows, row{tone: alarm, cells: []string{v.Address, hostCell(v.Host, s.Hosts), v.Words()}})
		}
		rows, _ := t.draw(width, paint)
		lines = append(append(lines, ""), rows...)
	}
	if len(s.Staged) > 0 {
		t := table{columns: []column{{"STAGED", key}, {"HOST", label}, {"RUNS", below}, {"HOLDS", below}, {"IMAGE", below}, {"SINCE", below}, {"BY", below}, {"NOTES", reason}}}
		for _, v := range s.Staged {
			note := "-"
			if !v.Confirmed {
				note = "unconfirmed: the device never said that the image is complete"
			}
			t.rows = append(t.rows, row{cells: []string{v.Address, hostCell(v.Host, s.Hosts), cmp.Or(v.Running, "-"), cmp.Or(v.Revision, "-"), digestCell(v.SHA256), moment(v.Since), cmp.Or(v.By, "-"), note}})
		}
		rows, _ := t.draw(width, paint)
		lines = append(append(lines, ""), rows...)
	}
	total := fmt.Sprintf("%d %s, %d broken off, ", counts[journal.Running], plural(counts[journal.Running], "run goes on", "runs go on"), counts[journal.Gone])
	if ended > 0 {
		total += fmt.Sprintf("%d to be resumed, ", ended)
	}
	total += fmt.Sprintf("%d staged, %d stuck.", len(s.Staged), len(s.Stuck))
	if n := counts[journal.Unclear]; n > 0 {
		total += fmt.Sprintf(" Of %d %s it is not clear.", n, plural(n, "run", "runs"))
	}
	if n := len(s.Cautions); n > 0 {
		total += fmt.Sprintf(" %d %s to be minded.", n, plural(n, "caution has", "cautions have"))
	}
	lines = append(append(lines, ""), wrap(total, width, "", "  ")...)
	if len(s.Staged) > 0 {
		lines = append(lines, wrap("What is staged starts at any power loss or hard reset.", width, "", "  ")...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// historyView renders a history as text for people, in at most width columns.
func historyView(h *journal.History, again again, width int, paint paint) string {
	lines := hostLines(h.Hosts, width)
	for _, r := range h.Runs {
		bad := r.EndedAt == nil || r.Outcome == "failed" || r.Outcome == "unknown"
		text := "no end is recorded; `" + again("status") + "` says whether it goes on"
		if r.EndedAt != nil {
			text = stands(r)
		}
		lines = append(lines, "")
		lines = append(lines, toned(because(runLine(r), text)+".", bad, width, paint)...)
		lines = append(append(lines, runNotes(r, width)...), stepTable(r.Steps, "OUTCOME", width, paint)...)
	}
	if len(h.Verified) > 0 {
		t := table{columns: []column{{"VERIFIED", key}, {"HOST", label}, {"FOUND", below}, {"REVISION", below}, {"IMAGE", below}, {"AT", below}, {"BY", below}, {"NOTES", reason}}}
		for _, v := range h.Verified {
			r := row{cells: []string{v.Address, hostCell(v.Host, h.Hosts), v.Outcome, cmp.Or(v.Revision, "-"), digestCell(v.SHA256), moment(v.At), cmp.Or(v.By, "-"), "-"}}
			if v.Outcome == "lost" {
				r.tone, r.cells[7] = alarm, "it neither runs nor holds what was staged"
			}
			t.rows = append(t.rows, r)
		}
		rows, _ := t.draw(width, paint)
		lines = append(append(lines, ""), rows...)
	}
	lines = append(lines, "", fmt.Sprintf("%d %s.", len(h.Runs), plural(len(h.Runs), "run", "runs")))
	return strings.Join(lines, "\n") + "\n"
}

func hostLines(hosts []journal.Host, width int) []string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.Name+" "+moment(h.TakenAt))
	}
	return wrap("As remembered on "+strings.Join(all, ", ")+"; no device was asked.", width, "", "  ")
}

// runLine says which run this is.
func runLine(r journal.Run) string {
	return fmt.Sprintf("Run %d on %s, plan %s%s, started %s by %s", r.ID, r.Host, shortDigest(r.Plan), limits(r.Phase, r.Wave), moment(r.StartedAt), r.By)
}

// limits says which waves of its plan a run is for, "" where it is for all.
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
func stands(r journal.Run) string {
	switch {
	case r.EndedAt != nil:
		return r.Outcome + " " + moment(*r.EndedAt)
	case r.Process == journal.Running:
		return fmt.Sprintf("goes on, pid %d", r.PID)
	case r.Process == journal.Gone:
		return "BROKEN OFF, its process is gone"
	case r.PID > 0:
		return fmt.Sprintf("has no end, and whether it goes on is not clear: see whether pid %d is it", r.PID)
	}
	return "has no end, and whether it goes on is not clear"
}

func runNotes(r journal.Run, width int) []string {
	var lines []string
	for _, v := range r.Resumed {
		lines = append(lines, wrap(fmt.Sprintf("Resumed %s by %s.", moment(v.At), v.By), width, "  ", "    ")...)
	}
	for i, v := range r.Overrides {
		same := func(o journal.Override) bool { return o.Kind == v.Kind && o.Given == v.Given }
		if slices.IndexFunc(r.Overrides, same) < i {
			continue // told with the first
		}
		var addresses []string
		for _, o := range r.Overrides {
			if same(o) {
				addresses = append(addresses, o.Address)
			}
		}
		given := ""
		if v.Given != "" {
			given = fmt.Sprintf(" %q", v.Given)
		}
		lines = append(lines, wrap(fmt.Sprintf("--%s%s at %s", v.Kind, given, strings.Join(addresses, ", ")), width, "  ", "    ")...)
	}
	for _, h := range r.Hooks {
		text := fmt.Sprintf("%s %s of %s: %s", moment(h.At), state.HookKind(h.Kind).Words(), h.Address, h.Command)
		lines = append(lines, wrap(text+": "+cmp.Or(h.Outcome, "its end is not known"), width, "  ", "    ")...)
	}
	return lines
}

// stepTable draws the components of a run.
func stepTable(steps []journal.Step, end string, width int, paint paint) []string {
	if len(steps) == 0 {
		return []string{"  No component of it was started."}
	}
	t := table{columns: []column{{"ADDRESS", key}, {end, below}, {"MODE", below}, {"FROM", below}, {"TO", below}, {"IMAGE", below}, {"AT", below}, {"WHY", reason}}}
	for _, s := range steps {
		at := "-"
		if s.At != nil {
			at = moment(*s.At)
		}
		way := s.Way()
		var modes, to, images []string
		for _, h := range way {
			modes, to, images = append(modes, h.Mode), append(to, h.To), append(images, shortDigest(h.SHA256))
		}
		r := row{
			cells: []string{
				s.Address,
				standing(s.Outcome, s.State),
				hopsCell(modes),
				cmp.Or(way[0].From, "-"),
				hopsCell(to),
				hopsCell(images),
				at,
				oneLine(cmp.Or(s.Reason, "-")),
			},
		}
		switch executor.Outcome(r.cells[1]) {
		case executor.OutcomeFailed, executor.OutcomeUnknown:
			r.tone = alarm
		}
		t.rows = append(t.rows, r)
	}
	rows, _ := t.draw(width, paint)
	return rows
}

// hostCell names a host where there are several.
func hostCell(host string, hosts []journal.Host) string {
	if len(hosts) < 2 {
		return "-"
	}
	return host
}

// standing is the word for where a component of a run stands, the same in every
// table: its outcome, once it has one, and the step machine's state before.
func standing(outcome, state string) string {
	return cmp.Or(outcome, string(executor.State(state).Outcome()), state)
}

// hopsCell is what is to be told of each of a component's hops, in their order.
func hopsCell[T ~string](each []T) string {
	var cells []string
	for _, v := range each {
		cells = append(cells, cmp.Or(string(v), "-"))
	}
	return strings.Join(cells, " > ")
}

func digestCell(sha256 string) string { return cmp.Or(shortDigest(sha256), "-") }

// toned breaks a sentence into lines, all of them in the tone of an alarm where it is one.
func toned(text string, isAlarm bool, width int, paint paint) []string {
	lines := wrap(text, width, "", "  ")
	for i := range lines {
		if isAlarm {
			lines[i] = paint.paint(alarm, lines[i])
		}
	}
	return lines
}

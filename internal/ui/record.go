package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/executor/result"
	"fwctl/internal/report"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/group"
)

// recordView is all that the page of a status or of a history shows.
type recordView struct {
	frame

	Hosts   []hostRow
	Several bool

	Needs, Power []needRow
	// NeedsAre and PowerAre say which of them stand together, "" if none do.
	NeedsAre, PowerAre string
	Staged             []stagedRow
	// StagedAre says which of them stand together, "" if none do.
	StagedAre string

	RunsAre, NoRuns string
	// RowsAre names what a row of the runs' tables is.
	RowsAre string
	Runs    []runView
	Kinds   []kindOption

	Verified []verifiedRow
	Images   []recordImage

	names inventory.Names
	words map[string]bool
}

type (
	hostRow struct{ Name, Taken string }
	// componentCell names a component, and its host if there are several.
	componentCell struct{ Name, Address, Host string }
	needRow       struct {
		componentCell
		Count                 int
		Kind, Of, What, Since string
		// Rows with the same one may stand together.
		like string
	}
	stagedRow struct {
		componentCell
		Count                               int
		Runs, Holds, Image, Since, By, Note string
	}
	verifiedRow struct {
		componentCell
		Found, Revision, Image, At, By, Note string
	}
	recordImage struct{ Brings, SHA256 string }
)

// runView is a run, and what became of its components.
type runView struct {
	ID, Head string
	// Word says how it stands, Tone how loud: "", "resets" or "alarm".
	Word, Tone string
	Alarm      bool
	Stands     string
	Command    *resumeCommand

	Short, Started, Ended, By, Counts string

	Facts      []fact
	Safeguards []safeguard
	Hooks      []hookRow
	StepHead   string
	Steps      []runStep
}

type (
	resumeCommand struct{ Host, Text string }
	fact          struct {
		Head string
		// One of them.
		Code string
		Text []string
	}
	hookRow struct{ What, Command, Outcome, Output string }
	// runStep is a component of a run, or several with the same entries.
	runStep struct {
		componentCell
		Count         int
		LUID          string
		Word, Tone    string
		Way           []hopRow
		At, Sort, Why string
	}
	hopRow struct{ Change, How string }
)

// runStepsMost is how many components of its runs a page lists one by one.
const runStepsMost = 5000

// needsMost is how many components that need a person a page lists one by one.
const needsMost = 200

// StatusPage returns a status as a page of HTML.
func StatusPage(s *report.Status, simulated string, now time.Time, again Again) ([]byte, error) {
	view := newRecord("status", s.Hosts, s.Components, simulated, statusTotal(s), now)
	view.RunsAre = "Those that go on, were broken off, or can be resumed."
	view.NoRuns = "No run goes on, and none is left to be resumed."
	view.addNeeds(s, again)
	for _, v := range s.Staged {
		row := stagedRow{
			componentCell: view.component(v.Address, v.Host),
			Runs:          cmp.Or(v.Running, "-"), Holds: cmp.Or(v.Revision, "-"),
			Image: digestCell(v.SHA256), Since: Moment(v.Since), By: cmp.Or(v.By, "-"),
		}
		if !v.Confirmed {
			row.Note = unconfirmed
		}
		view.Staged = append(view.Staged, row)
	}
	if len(view.Staged) > runStepsMost {
		view.StagedAre = together(len(view.Staged))
		view.Staged = joinStaged(view.Staged)
	}
	view.addRuns(s.Runs, "State", func(r *report.Run, v *runView) {
		v.Stands = stands(*r) + "."
		v.Word, v.Tone = runWord(r)
		if r.Resumable {
			v.Command = &resumeCommand{r.Host, again("resume")}
		}
	})
	images := map[string]map[string]bool{}
	for _, v := range s.Staged {
		addImage(images, v.SHA256, v.Revision)
	}
	for _, v := range s.Stuck {
		addImage(images, v.SHA256, "")
	}
	view.addImages(images, s.Runs)
	view.Tiles = statusTiles(s)
	view.addSections()
	return write(recordPage, view)
}

// HistoryPage returns a history as a page of HTML, the latest first.
func HistoryPage(h *report.History, simulated string, now time.Time, again Again) ([]byte, error) {
	outcomes := map[string]int{}
	for i := range h.Runs {
		word, _ := runWord(&h.Runs[i])
		outcomes[word]++
	}
	var counts []string
	for _, word := range slices.Sorted(maps.Keys(outcomes)) {
		counts = append(counts, fmt.Sprintf("%d %s", outcomes[word], runLabels(word)))
	}
	view := newRecord("history", h.Hosts, h.Components, simulated, Because(english.Plural(len(h.Runs), "run", ""),
		strings.Join(counts, ", "))+".", now)
	view.RunsAre, view.NoRuns = "The latest first.", "Nothing was applied."
	runs := slices.Clone(h.Runs)
	slices.SortStableFunc(runs, func(a, b report.Run) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.ID, a.ID))
	})
	view.addRuns(runs, "Outcome", func(r *report.Run, v *runView) {
		v.Stands = endOf(*r, again) + "."
		v.Word, v.Tone = runWord(r)
	})
	images := map[string]map[string]bool{}
	for i := range slices.Backward(h.Verified) {
		v := &h.Verified[i]
		row := verifiedRow{
			componentCell: view.component(v.Address, v.Host), Found: v.Outcome, Revision: cmp.Or(v.Revision, "-"),
			Image: digestCell(v.SHA256), At: Moment(v.At), By: cmp.Or(v.By, "-"),
		}
		if v.Outcome == "lost" {
			row.Note = lostWords
		}
		view.Verified = append(view.Verified, row)
		addImage(images, v.SHA256, "")
	}
	view.addImages(images, runs)
	view.Counted = "Runs and components"
	view.Tiles = historyTiles(h, outcomes)
	view.addSections()
	return write(recordPage, view)
}

func newRecord(
	kind string, hosts []report.Host, components []report.Component, simulated, summary string, now time.Time,
) *recordView {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	title := "Firmware " + kind + " of " + Enumerate(names, 3)
	view := &recordView{
		frame: newFrame(kind, title, simulated, summary), Several: len(hosts) > 1, names: rememberedNames(components),
		words: map[string]bool{},
	}
	view.Foot = madeOf("the "+kind+" of "+english.Plural(len(hosts), "host", ""), now)
	for _, h := range hosts {
		view.Hosts = append(view.Hosts, hostRow{h.Name, Moment(h.TakenAt)})
	}
	return view
}

func (v *recordView) component(address, host string) componentCell {
	cell := componentCell{Name: v.names.Of(address), Address: address}
	if v.Several {
		cell.Host = host
	}
	return cell
}

func (v *recordView) addSections() {
	v.addSection(len(v.Needs) > 0, "person", "Needs a person")
	v.addSection(len(v.Staged)+len(v.Power) > 0, "staged", "Waits for a power cycle")
	v.addSection(true, "runs", "Runs")
	v.addSection(len(v.Verified) > 0, "verified", "Verified")
	v.addSection(len(v.Images) > 0, "images", "Images")
}

// addNeeds lists what a person has to see to, what is stuck first. What waits for a power cycle
// stands by itself.
func (v *recordView) addNeeds(s *report.Status, again Again) {
	for i := range s.Stuck {
		stuck := &s.Stuck[i]
		v.Needs = append(v.Needs, needRow{
			componentCell: v.component(stuck.Address, stuck.Host), Kind: "stuck",
			Of:   fmt.Sprintf("run %d, image %s", stuck.Run, digestCell(stuck.SHA256)),
			What: sentence(stuckWords(stuck, resumeOn(s.Hosts, again)(stuck.Host))) + ".", Since: Moment(stuck.Since),
			like: fmt.Sprintf("%q", []string{stuck.Host, stuck.SHA256, stuck.Kind, stuck.Mode, fmt.Sprint(stuck.Run)}),
		})
	}
	for _, c := range s.Cautions {
		row := needRow{
			componentCell: v.component(c.Address, c.Host), Kind: "caution", What: sentence(c.Words()) + ".",
			Since: Moment(c.Since), like: fmt.Sprintf("%q", []string{c.Host, string(c.Kind), c.Detail}),
		}
		if c.Kind == inventory.PowerOnly {
			v.Power = append(v.Power, row)
			continue
		}
		v.Needs = append(v.Needs, row)
	}
	v.Needs, v.NeedsAre = joinNeeds(v.Needs)
	v.Power, v.PowerAre = joinNeeds(v.Power)
}

// joinNeeds puts components together that need the same, if they are very many, and says so.
func joinNeeds(needs []needRow) (rows []needRow, text string) {
	if len(needs) <= needsMost {
		return needs, ""
	}
	rows = joinRows(needs,
		func(n *needRow) string { return n.like },
		func(n *needRow) *componentCell { return &n.componentCell },
		func(into, n *needRow) { into.Since = min(into.Since, n.Since) },
		func(n *needRow, count int) { n.Count = count })
	return rows, together(len(needs))
}

// runWord is how a run stands in a word or two, and how loud that is.
func runWord(r *report.Run) (word, tone string) {
	switch {
	case r.EndedAt != nil:
		switch r.Outcome {
		case string(result.RunFailed), string(result.RunUnknown), string(result.RunInterrupted):
			tone = "alarm"
		case string(result.RunDone):
			tone = "resets"
		}
		return cmp.Or(r.Outcome, "no outcome"), tone
	case r.Process == result.ProcessRunning:
		return "goes on", "resets"
	case r.Process == result.ProcessGone:
		return "broken off", "alarm"
	}
	if r.Process == "" {
		return "no end", "alarm"
	}
	return "not clear", "alarm"
}

// runLabels puts a word of runWord behind a number of runs.
func runLabels(word string) string {
	if word == "no end" {
		return "without an end"
	}
	return word
}

// addRuns adds runs with their components. If a page has no room for a row each, components with
// the same entries share one.
func (v *recordView) addRuns(runs []report.Run, head string, complete func(*report.Run, *runView)) {
	total := 0
	for i := range runs {
		total += len(runs[i].Steps)
	}
	for i := range runs {
		r := &runs[i]
		view := runView{
			ID: fmt.Sprintf("run-%d", i+1), Head: fmt.Sprintf("Run %d on %s", r.ID, r.Host),
			Short: cmp.Or(plan.ShortDigest(r.Plan), "-"), Started: Moment(r.StartedAt), By: r.By, StepHead: head,
			Facts: runFacts(r), Safeguards: safeguardsOf(*r, v.names), Hooks: hooksOfRun(r, v.names),
			Counts: countSteps(r.Steps),
		}
		if r.EndedAt != nil {
			view.Ended = Moment(*r.EndedAt)
		}
		complete(r, &view)
		view.Alarm = view.Tone == "alarm"
		view.Steps = v.stepsOf(r)
		if total > runStepsMost {
			view.Steps = joinSteps(view.Steps)
		}
		for k := range view.Steps {
			v.words[view.Steps[k].Word] = true
		}
		v.Runs = append(v.Runs, view)
	}
	v.RowsAre = "components"
	if total > runStepsMost {
		v.RowsAre = "groups of components"
		v.RunsAre += together(total)
	}
	v.Kinds = []kindOption{{"", "everything"}}
	for _, word := range slices.Sorted(maps.Keys(v.words)) {
		v.Kinds = append(v.Kinds, kindOption{word, word})
	}
}

// runFacts say who did what, when, and by which plan.
func runFacts(r *report.Run) []fact {
	facts := []fact{
		{Head: "Plan", Code: r.Plan}, {Head: "Started", Text: []string{Moment(r.StartedAt) + " by " + r.By}},
	}
	if limit := limits(r.Phase, r.Wave); limit != "" {
		facts = append(facts, fact{Head: "Limited to", Text: []string{strings.TrimPrefix(limit, ", ")}})
	}
	var lines []string
	for _, v := range r.Resumed {
		lines = append(lines, Moment(v.At)+" by "+v.By)
	}
	if len(lines) > 0 {
		facts = append(facts, fact{Head: "Resumed", Text: lines})
	}
	lines = nil
	for _, a := range r.Accounts {
		line := fmt.Sprintf("%s (uid %d)", a.Login, a.UID)
		if a.SudoUser != "" {
			line += ", through sudo by " + a.SudoUser
		}
		lines = append(lines, line+", "+Moment(a.At))
	}
	if len(lines) > 0 {
		facts = append(facts, fact{Head: "Accounts", Text: lines})
	}
	if r.EndedAt != nil {
		took := Spell(r.EndedAt.Sub(r.StartedAt))
		facts = append(facts, fact{Head: "Ended", Text: []string{Moment(*r.EndedAt) + ", after " + took}})
	}
	return facts
}

func hooksOfRun(r *report.Run, names inventory.Names) []hookRow {
	var rows []hookRow
	for _, h := range r.Hooks {
		rows = append(rows, hookRow{
			What:    Moment(h.At) + " " + state.HookKind(h.Kind).Words() + " of " + names.Called(h.Address),
			Command: h.Command,
			Outcome: cmp.Or(h.Outcome, "its end is not known"), Output: strings.TrimSpace(h.Output),
		})
	}
	return rows
}

// countSteps counts components by how they stand.
func countSteps(steps []report.Step) string {
	if len(steps) == 0 {
		return "none was started"
	}
	counts := map[string]int{}
	for i := range steps {
		counts[standing(steps[i].Outcome, steps[i].State)]++
	}
	var parts []string
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[word], word))
	}
	return strings.Join(parts, ", ")
}

// stepsOf are the components of a run.
func (v *recordView) stepsOf(r *report.Run) []runStep {
	var rows []runStep
	for i := range r.Steps {
		s := &r.Steps[i]
		row := runStep{
			componentCell: v.component(s.Address, ""), LUID: s.LUID,
			Word: standing(s.Outcome, s.State), At: "-", Why: s.Reason,
		}
		switch result.Outcome(row.Word) {
		case result.OutcomeFailed, result.OutcomeUnknown:
			row.Tone = "alarm"
		case result.OutcomeUpdated, result.OutcomeStaged:
			row.Tone = "resets"
		}
		if s.At != nil {
			row.At, row.Sort = Moment(*s.At), s.At.UTC().Format(time.RFC3339)
		}
		way := s.Way()
		for _, h := range way {
			how := []string{"mode " + cmp.Or(h.Mode, "-"), "image " + digestCell(h.SHA256)}
			if len(way) > 1 && !h.At.IsZero() {
				how = append(how, Moment(h.At))
			}
			way := cmp.Or(h.From, "-") + " → " + cmp.Or(h.To, "-")
			row.Way = append(row.Way, hopRow{way, strings.Join(how, ", ")})
		}
		rows = append(rows, row)
	}
	return rows
}

// together returns why components share rows, as a sentence.
func together(components int) string {
	return fmt.Sprintf(" They are about %s: components with the same entries share a row, with each enclosure by name "+
		"and the time of the first; -o json has a row for each.", Components(components))
}

// joinRows puts rows together that have the same key, and counts them. join says what a row
// has of another one that it stands for.
func joinRows[R any](
	rows []R, key func(*R) string, cell func(*R) *componentCell, join func(into, row *R), count func(*R, int),
) []R {
	var joined []R
	var of [][]inventory.Named
	index := map[string]int{}
	for i := range rows {
		row := &rows[i]
		k := key(row)
		at, ok := index[k]
		if !ok {
			at = len(joined)
			index[k] = at
			joined, of = append(joined, *row), append(of, nil)
		}
		join(&joined[at], row)
		of[at] = append(of[at], inventory.Named{Address: cell(row).Address, Name: cell(row).Name})
	}
	for i := range joined {
		places, _ := placesText(group.PlacesOf(of[i]), plainName, everything)
		*cell(&joined[i]) = componentCell{Address: places, Host: cell(&joined[i]).Host}
		count(&joined[i], len(of[i]))
	}
	return joined
}

// joinSteps returns one row for all components of a run that differ in their times alone.
func joinSteps(steps []runStep) []runStep {
	return joinRows(steps,
		func(s *runStep) string { return fmt.Sprint(s.Word, s.Way, s.Why) },
		func(s *runStep) *componentCell { return &s.componentCell },
		func(into, s *runStep) {
			into.LUID = ""
			if s.Sort != "" && (into.Sort == "" || s.Sort < into.Sort) {
				into.At, into.Sort = s.At, s.Sort
			}
		},
		func(s *runStep, n int) { s.Count = n })
}

// joinStaged puts components together that hold the same.
func joinStaged(staged []stagedRow) []stagedRow {
	return joinRows(staged,
		func(s *stagedRow) string {
			return fmt.Sprintf("%q", []string{s.Host, s.Runs, s.Holds, s.Image, s.By, s.Note})
		},
		func(s *stagedRow) *componentCell { return &s.componentCell },
		func(into, s *stagedRow) { into.Since = min(into.Since, s.Since) },
		func(s *stagedRow, n int) { s.Count = n })
}

func addImage(images map[string]map[string]bool, sha256, revision string) {
	if sha256 == "" {
		return
	}
	if images[sha256] == nil {
		images[sha256] = map[string]bool{}
	}
	if revision != "" {
		images[sha256][revision] = true
	}
}

// addImages lists the images that the page names by their first digits, in full.
func (v *recordView) addImages(images map[string]map[string]bool, runs []report.Run) {
	for i := range runs {
		for k := range runs[i].Steps {
			for _, h := range runs[i].Steps[k].Way() {
				addImage(images, h.SHA256, h.To)
			}
		}
	}
	for _, sha256 := range slices.Sorted(maps.Keys(images)) {
		v.Images = append(v.Images, recordImage{
			strings.Join(slices.SortedFunc(maps.Keys(images[sha256]), group.CompareNames), ", "), sha256,
		})
	}
}

func statusTiles(s *report.Status) []tile {
	person, power := map[string]bool{}, 0
	for _, v := range s.Stuck {
		person[v.Host+" "+v.Address] = true
	}
	for _, c := range s.Cautions {
		if c.Kind == inventory.PowerOnly {
			power++
		} else {
			person[c.Host+" "+c.Address] = true
		}
	}
	runs := map[string]int{}
	ended := 0
	for i := range s.Runs {
		if s.Runs[i].EndedAt != nil {
			ended++
			continue
		}
		word, _ := runWord(&s.Runs[i])
		runs[word]++
	}
	tiles := []tile{
		{len(person), english.PluralWord(len(person), "needs a person", "need a person"), len(person) > 0},
		{len(s.Staged), "staged", false},
		{
			runs["broken off"],
			english.PluralWord(runs["broken off"], "run broken off", "runs broken off"),
			runs["broken off"] > 0,
		},
		{runs["goes on"], english.PluralWord(runs["goes on"], "run in progress", "runs in progress"), false},
	}
	for _, t := range []tile{
		{power, english.PluralWord(power, "starts at power on alone", "start at power on alone"), false},
		{ended, english.PluralWord(ended, "ended run to resume", "ended runs to resume"), true},
		{runs["not clear"], english.PluralWord(runs["not clear"], "run is not clear", "runs are not clear"), true},
	} {
		if t.Count > 0 {
			tiles = append(tiles, t)
		}
	}
	return tiles
}

func historyTiles(h *report.History, outcomes map[string]int) []tile {
	var tiles []tile
	for _, word := range slices.Sorted(maps.Keys(outcomes)) {
		n := outcomes[word]
		tiles = append(tiles, tile{
			n, english.PluralWord(n, "run ", "runs ") + runLabels(word),
			word == string(result.RunFailed) || word == string(result.RunUnknown),
		})
	}
	steps := map[string]int{}
	for i := range h.Runs {
		for _, s := range h.Runs[i].Steps {
			steps[standing(s.Outcome, s.State)]++
		}
	}
	for _, word := range slices.Sorted(maps.Keys(steps)) {
		n := steps[word]
		alarming := word == string(result.OutcomeFailed) || word == string(result.OutcomeUnknown)
		tiles = append(tiles, tile{n, english.PluralWord(n, "component ", "components ") + word, alarming})
	}
	return tiles
}

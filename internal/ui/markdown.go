package ui

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fwctl/plan"
)

// markdownLimit is how many characters a pull request or a comment takes.
const markdownLimit = 65_536

// Markdown returns a plan for a pull request: the summary, what stands out,
// what it is made of, then a row a component and what its signs mean. If it is
// too long what a reviewer misses least is left out, and how much of which kind is
// said beside the summary.
func Markdown(p *plan.Plan, simulated string, now time.Time) string {
	head, signs := markdownHead(p, simulated, now), signsOf(p)
	// For what says what is left out, and heads.
	room := markdownLimit - utf8.RuneCountInString(head+signs) - 1000

	lists := []list{
		{title: "Warnings"}, {title: "Policies", items: policyItems(p)}, {title: "Images", items: imageItems(p)},
	}
	for _, w := range p.Warnings {
		lists[0].items = append(lists[0].items, "- "+markdownText(w)+"\n")
	}
	for i := range lists {
		l := &lists[i]
		l.shown = choose(l.items, room/3, func(int) int { return 0 })
		room -= length(l.items, l.shown)
	}
	columns, rows := markdownTable(p)
	table := list{"Components", rows, choose(rows, room, func(i int) int { return missed(p.Steps[i]) })}

	var b strings.Builder
	b.WriteString(head)
	if left := leftOut(p, table.shown, lists); left != "" {
		b.WriteString("\n**Cut to fit:** " + left + " See `fwctl show` for all of it.\n")
	}
	for _, l := range lists {
		l.write(&b, "")
	}
	table.write(&b, columns)
	b.WriteString(signs)
	return b.String()
}

// list is a part of a plan's Markdown, of which some items may have no room.
type list struct {
	title string
	items []string
	shown []bool
}

func (l list) write(b *strings.Builder, above string) {
	if count(l.shown) == 0 {
		return
	}
	b.WriteString("\n### " + l.title + "\n\n" + above)
	for i, item := range l.items {
		if l.shown[i] {
			b.WriteString(item)
		}
	}
}

// leastMissed are the actions whose rows a reviewer misses least, those first.
var leastMissed = []plan.Action{
	plan.Unmanaged, plan.NoOp, plan.Excepted, plan.IsStaged, plan.Blocked, plan.Activate, plan.Update,
}

// missed is how much a reviewer would miss a row: what may stop I/O most, then what
// may reset, then by leastMissed.
func missed(s plan.Step) int {
	rank := slices.Index(leastMissed, s.Action)
	if s.Acts() {
		impacts := []plan.Impact{plan.NoImpact, plan.ESPReset, plan.IOInterruption}
		rank += len(leastMissed) * slices.Index(impacts, s.Disruption.Worst)
	}
	return rank
}

func markdownHead(p *plan.Plan, simulated string, now time.Time) string {
	title := "## Firmware plan " + markdownCode(plan.ShortDigest(p.Digest))
	if p.DesiredState.Name != "" {
		title += " of " + markdownCode(clip(p.DesiredState.Name))
	}
	lines := []string{title, ""}
	if simulated != "" {
		lines = append(lines, "**"+markdownText(clip(strings.TrimSpace(simulated)))+"**", "")
	}
	lines = append(lines, "**"+markdownText(planSummary(p))+"**", "")
	for _, line := range append(scheduleLines(p, now), scanned(p, 10)+".") {
		lines = append(lines, "- "+markdownText(clip(line)))
	}
	for _, line := range append(turnLines("Apply it in this order:", p.Commands, p), hookLines(p)...) {
		// Never shortened: it is what someone approves.
		lines = append(lines, "- "+markdownText(line))
	}
	lines = append(lines, fmt.Sprintf("- Desired state %s, digest to approve %s.",
		markdownCode(plan.ShortDigest(p.DesiredState.SHA256)), markdownCode(p.Digest)))
	return strings.Join(lines, "\n") + "\n"
}

// clip shortens a line that would leave no room for anything else.
func clip(line string) string {
	const most = 500
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return line
}

// markdownColumns are the columns of a plan, those below each other that are read
// together: pages that show Markdown are narrow, and the reasons, which nobody may miss,
// stand last.
var markdownColumns = []struct {
	name  string
	cells []int
}{
	{"Wave", []int{planWave}},
	{"Component, host", []int{planAddress, planName, planHost}},
	{"Now", []int{planNow}},
	{"To, image", []int{planTo, planImage}},
	{"Action, mode", []int{planAction, planMode}},
	{"Effect, time", []int{planEffect, planTime}},
	{"Why", []int{planWhy}},
}

// markdownTable renders the head of the table, and its rows.
func markdownTable(p *plan.Plan) (head string, rows []string) {
	line := func(column func(c int) string) string {
		text := "|"
		for c := range markdownColumns {
			text += " " + column(c) + " |"
		}
		return text + "\n"
	}
	head = line(func(c int) string { return markdownColumns[c].name }) + line(func(int) string { return "---" })
	for i := range p.Steps {
		s := &p.Steps[i]
		r := planRow(s, p.Waves)
		rows = append(rows, line(func(c int) string {
			var parts []string
			for _, cell := range markdownColumns[c].cells {
				if !empty(r.cells[cell]) {
					parts = append(parts, markdownCell(s, r, cell))
				}
			}
			return strings.Join(parts, "<br>")
		}))
	}
	return head, rows
}

// markdownCell writes a cell of planRow: what is alarming in bold, reasons as
// text, the rest as code.
func markdownCell(s *plan.Step, r row, cell int) string {
	switch text := r.cells[cell]; {
	case cell == planWhy:
		return markdownText(text)
	case cell == planAction && s.Action == plan.Blocked, cell == planEffect && r.tone == alarm:
		return "**" + markdownText(text) + "**"
	default:
		return markdownCode(text)
	}
}

// leftOut says which rows, and how many items of the lists, are not shown.
func leftOut(p *plan.Plan, shown []bool, lists []list) string {
	counts := map[plan.Action]int{}
	for i, s := range p.Steps {
		if !shown[i] {
			counts[s.Action]++
		}
	}
	var parts []string
	for _, action := range slices.Backward(leastMissed) {
		if n := counts[action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, action))
		}
	}
	var text []string
	if len(parts) > 0 {
		text = append(text, fmt.Sprintf("%d of %d components are not shown (%s).",
			len(p.Steps)-count(shown), len(p.Steps), strings.Join(parts, ", ")))
	}
	for _, l := range lists {
		if n := len(l.items) - count(l.shown); n > 0 {
			text = append(text, fmt.Sprintf("%d of %d %s are not shown.", n, len(l.items), strings.ToLower(l.title)))
		}
	}
	return strings.Join(text, " ")
}

// choose returns which texts are shown in so many characters: those of the lowest rank are
// left out first, and of one rank the last.
func choose(texts []string, room int, rank func(int) int) []bool {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank(b), rank(a)) })
	shown := make([]bool, len(texts))
	for _, i := range order {
		if room -= utf8.RuneCountInString(texts[i]); room < 0 {
			break
		}
		shown[i] = true
	}
	return shown
}

func length(texts []string, shown []bool) int {
	n := 0
	for i, text := range texts {
		if shown[i] {
			n += utf8.RuneCountInString(text)
		}
	}
	return n
}

func count(shown []bool) int {
	n := 0
	for _, s := range shown {
		if s {
			n++
		}
	}
	return n
}

// harmless is text that means nothing to Markdown within `...`, in a table too.
var harmless = regexp.MustCompile("^[^`|\\pC]+$")

// markdownCode writes a name or a number that a machine made.
func markdownCode(text string) string {
	if !harmless.MatchString(text) {
		return markdownText(text)
	}
	return "`" + text + "`"
}

// markdownText writes text so that it stands as it is: as references of
// characters, since these never begin or end anything, neither a cell nor HTML.
// A mention and a link to an issue are found in the text that is shown; a space
// without width breaks them.
var markdownText = strings.NewReplacer(
	"\n", "<br>", "\r", " ",
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "`", "&#96;", "\\", "&#92;",
	"*", "&#42;", "_", "&#95;", "~", "&#126;", "[", "&#91;", "]", "&#93;", "$", "&#36;",
	"@", "@&#8203;", "#", "#&#8203;", "://", ":&#8203;//", "www.", "www&#8203;.",
).Replace

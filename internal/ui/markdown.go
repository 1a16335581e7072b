package ui

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fwctl/plan"
	"fwctl/plan/group"
)

// markdownLimit is how many characters a pull request or a comment takes.
const markdownLimit = 65_536

// Markdown returns a plan for a pull request: the summary, what stands out, what it is made of,
// then a row for each component, and what its signs mean. A large plan has a row for each group
// of components, unless details are wanted. If it is still too long, details are left out first;
// every enclosure is named as long as the names alone have room.
func Markdown(p *plan.Plan, simulated string, now time.Time, details bool) string {
	head, signs := markdownHead(p, simulated, now), signsOf(p)
	// For what says what is left out, and heads.
	room := markdownLimit - utf8.RuneCountInString(head+signs) - 1000

	lists := []list{
		{title: "Warnings"}, {title: "Policies", items: policyItems(p)}, {title: "Images", items: imageItems(p)},
	}
	var b strings.Builder
	b.WriteString(head)
	parts, left := markdownParts(p, lists, now, room, details)
	if left != "" {
		b.WriteString("\n**Cut to fit:** " + left + " `fwctl show PLAN --details` shows all of it.\n")
	}
	for _, l := range parts {
		l.write(&b)
	}
	b.WriteString(signs)
	return b.String()
}

// markdownParts returns the parts of a plan's Markdown that follow its head, in at most so
// many characters, and what had to be left out.
func markdownParts(p *plan.Plan, lists []list, now time.Time, room int, details bool) (parts []list, left string) {
	ways := []group.Level{group.Fine, group.Alike, group.Coarse}
	if details || !isLarge(p) {
		ways = append([]group.Level{rows}, ways...)
	}
	if details {
		ways = append([]group.Level{fullRows}, ways...)
	}
	var drawn []groupDrawn
	for i, level := range ways {
		lists[0].items = warningItems(p, level)
		if level <= rows {
			parts = rowLists(p, now, thingsNamed(level == fullRows))
		} else {
			drawn = groupRows(p, level)
			parts = groupLists(p, drawn, now, everything)
		}
		parts = append(slices.Clone(lists), parts...)
		switch {
		case i == 0:
		case level == rows:
			left = "of many things at stake the first are named."
		default:
			left = "components stand together that differ in details."
		}
		if lengthOf(parts) <= room {
			return parts, left
		}
	}
	// What names the enclosures comes before what the lists say, and a part of the warnings
	// before both.
	lists[0].cut(room / 4)
	rest := room - lists[0].length()
	components := groupLists(p, drawn, now, everything)
	for names := rest / 2; lengthOf(components) > rest && names > 0; names -= rest / 8 {
		components = groupLists(p, drawn, now, names/len(drawn))
	}
	rest -= lengthOf(components)
	for i := 1; i < len(lists); i++ {
		lists[i].cut(rest / (len(lists) - i))
		rest -= lists[i].length()
	}
	return append(lists, components...), strings.Join(append([]string{left}, leftOut(lists)...), " ")
}

// The levels of a plan whose components each have a row: one that names some of what is at
// stake, or all.
const rows, fullRows = group.Level(-1), group.Level(-2)

// list is a part of a plan's Markdown.
type list struct {
	title string

	// above is the head of a table.
	above string
	items []string

	// left is how many items had no room.
	left int
}

func (l *list) write(b *strings.Builder) {
	if len(l.items) == 0 {
		return
	}
	b.WriteString("\n### " + l.title + "\n\n" + l.above)
	for _, item := range l.items {
		b.WriteString(item)
	}
}

// length counts the characters of a list's items.
func (l *list) length() int {
	n := utf8.RuneCountInString(l.above)
	for _, item := range l.items {
		n += utf8.RuneCountInString(item)
	}
	return n
}

func lengthOf(lists []list) int {
	n := 0
	for i := range lists {
		n += lists[i].length()
	}
	return n
}

// cut leaves out the last items, those that have no room in so many characters.
func (l *list) cut(room int) {
	for i, item := range l.items {
		if room -= utf8.RuneCountInString(item); room < 0 {
			l.items, l.left = l.items[:i], len(l.items)-i
			return
		}
	}
}

// leftOut returns how many items of lists are not shown.
func leftOut(lists []list) []string {
	var text []string
	for _, l := range lists {
		if l.left > 0 {
			text = append(text, fmt.Sprintf("%d of %d %s are not shown.",
				l.left, l.left+len(l.items), strings.ToLower(l.title)))
		}
	}
	return text
}

// rowLists returns the tables of a plan with a row for each component, and its waves if it is
// large.
func rowLists(p *plan.Plan, now time.Time, things int) []list {
	head, items := markdownTable(p, things)
	components := list{title: "Components", above: head, items: items}
	if !isLarge(p) {
		return []list{components}
	}
	return []list{waveList(p, now, len(p.Waves)), components}
}

// groupLists returns the tables of a plan with its waves, and with a row for each group of
// components.
func groupLists(p *plan.Plan, groups []groupDrawn, now time.Time, names int) []list {
	return []list{waveList(p, now, wavesMost), groupList(groups, names)}
}

// waveList lists what runs when, on which host, and in which window.
func waveList(p *plan.Plan, now time.Time, most int) list {
	l := list{
		title: "Waves",
		above: "| Wave | Does | Components | Expected | At most | Where, when |\n" +
			"| --- | --- | --- | --- | --- | --- |\n",
	}
	stretches := wavesOfPlan(p, most)
	for _, s := range stretches[:min(most, len(stretches))] {
		cells := waveRow(s, p, now)
		for i := range cells {
			cells[i] = markdownText(cells[i])
		}
		l.items = append(l.items, "| "+strings.Join(cells, " | ")+" |\n")
	}
	if more := len(stretches) - most; more > 0 {
		l.items = append(l.items, fmt.Sprintf("| and %d more | | | | | |\n", more))
	}
	return l
}

// groupList has a row for each group of components, with so many characters of names at most.
func groupList(groups []groupDrawn, names int) list {
	l := list{
		title: "Components",
		above: "| Wave | Product, policy | Now | To, image | Action, mode | Effect, time | Components, why |\n" +
			"| --- | --- | --- | --- | --- | --- | --- |\n",
	}
	for _, g := range groups {
		r := g.row
		places, _ := placesText(g.places, markdownCode, names)
		why := strings.Join(g.why, "\n")
		code := func(columns ...int) string {
			var parts []string
			for _, c := range columns {
				switch text := r.cells[c]; {
				case empty(text):
				case c == groupAction && g.Steps[0].Action == plan.Blocked, c == groupEffect && r.tone == alarm:
					parts = append(parts, "**"+markdownText(text)+"**")
				default:
					parts = append(parts, markdownCode(text))
				}
			}
			return strings.Join(parts, "<br>")
		}
		count := "**" + Components(len(g.Steps)) + "**: "
		if why != "" {
			why = "<br>" + markdownText(why)
		}
		l.items = append(l.items, "| "+strings.Join([]string{
			code(groupWave), code(groupProduct, groupPolicy), code(groupNow), code(groupTo, groupImage),
			code(groupAction, groupMode), code(groupEffect, groupTime), count + places + why,
		}, " | ")+" |\n")
	}
	return l
}

// warningItems returns a plan's warnings; for a large plan, those that say the same are one.
func warningItems(p *plan.Plan, level group.Level) []string {
	var items []string
	if level <= rows || !isLarge(p) {
		for _, w := range p.Warnings {
			items = append(items, "- "+markdownText(w)+"\n")
		}
		return items
	}
	for _, w := range group.Warnings(p, level) {
		items = append(items, "- "+markdownText(warningText(w, plainName, everything))+"\n")
	}
	return items
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
	schedule := scheduleLines(p, now)
	if isLarge(p) && len(p.Waves) > 0 {
		schedule = append([]string{totalLine(p)}, canaryLines(p)...)
	}
	for _, line := range append(schedule, scanned(p, 10)+".") {
		lines = append(lines, "- "+markdownText(clip(line)))
	}
	for _, line := range append(turnLines("Apply it in this order:", p.Commands, p, everything), commandLines(p)...) {
		// It is never shortened, because people approve it.
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

// markdownColumns are the columns of a plan; those in one list share a column of the table. Pages
// that show Markdown are narrow, and the reasons, which no one may miss, come last.
var markdownColumns = []struct {
	name  string
	cells []int
}{
	{"Wave", []int{planWave}},
	{"Component, host", []int{planAddress, planName, planHost, planProduct}},
	{"Now", []int{planNow}},
	{"To, image", []int{planTo, planImage}},
	{"Action, mode", []int{planAction, planMode}},
	{"Effect, time", []int{planEffect, planTime}},
	{"Why", []int{planWhy}},
}

// markdownTable renders the head of the table, and its rows, which name so many things at stake.
func markdownTable(p *plan.Plan, things int) (head string, rows []string) {
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
		r := planRow(s, p.Waves, things)
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

// harmless matches text that means nothing to Markdown within `...`, in a table too.
var harmless = regexp.MustCompile("^[^`|\\pC]+$")

// markdownCode returns a name or a number that a machine made.
func markdownCode(text string) string {
	if !harmless.MatchString(text) {
		return markdownText(text)
	}
	return "`" + text + "`"
}

// markdownText returns text so that it is shown as it is: special characters become references,
// which end neither a cell nor HTML. Mentions and links to issues are found in the text as shown,
// so a space without width breaks them.
var markdownText = strings.NewReplacer(
	"\n", "<br>", "\r", " ",
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "`", "&#96;", "\\", "&#92;",
	"*", "&#42;", "_", "&#95;", "~", "&#126;", "[", "&#91;", "]", "&#93;", "$", "&#36;",
	"@", "@&#8203;", "#", "#&#8203;", "://", ":&#8203;//", "www.", "www&#8203;.",
).Replace

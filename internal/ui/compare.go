package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/compare"
	"fwctl/plan/group"
)

// Comparison draws how a plan differs from an older one. Components with the same differences
// share a row.
func (sc Screen) Comparison(c *compare.Comparison) string {
	var lines []string
	add := func(line string) { lines = append(lines, sc.wrap(line, "", "  ")...) }
	for _, line := range comparisonHead(c) {
		add(line)
	}
	if len(c.Whole) > 0 {
		lines = append(lines, "", "The plan as a whole:")
		for _, d := range c.Whole {
			lines = append(lines, sc.wrap(OneLine(d), "  ", "    ")...)
		}
	}
	if len(c.Rows) > 0 {
		t := table{columns: []column{{"CHANGE", key}, {"COUNT", below}, {"COMPONENTS, WHAT DIFFERS", reason}}}
		for _, g := range changes(c.Rows) {
			r := row{cells: []string{
				string(g.change), strconv.Itoa(len(g.components)),
				g.where(plainName) + "\n" + strings.Join(g.differences, "\n"),
			}}
			if g.alarming {
				r.tone = alarm
			}
			t.rows = append(t.rows, r)
		}
		drawn, _ := t.draw(sc)
		lines = append(append(lines, ""), drawn...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// comparisonHead returns which plans are compared, how much differs, and whether what was
// approved still holds.
func comparisonHead(c *compare.Comparison) []string {
	old := fmt.Sprintf("plan %s of %s", plan.ShortDigest(c.Old.Digest), Moment(c.Old.CreatedAt))
	var lines []string
	if c.Same {
		lines = append(lines, fmt.Sprintf("Nothing differs from %s: %s as they were.", old, Components(c.Unchanged)))
	} else {
		counts := map[compare.Change]int{}
		for _, r := range c.Rows {
			counts[r.Change]++
		}
		lines = append(lines, fmt.Sprintf("Plan %s differs from %s: %s changed, %d added, %d gone, %d as they were.",
			plan.ShortDigest(c.New.Digest), old, Components(counts[compare.Changed]), counts[compare.Added],
			counts[compare.Gone], c.Unchanged))
	}
	digest := "The digest differs: " + c.New.Digest + ", was " + c.Old.Digest
	switch {
	case c.SameDigest:
		digest = "The digest is the same: " + c.New.Digest
	case c.Same:
		digest = "The digest differs, since the scan is another one: " + c.New.Digest + ", was " + c.Old.Digest
	}
	lines = append(lines, digest)
	const most = 3
	for i, s := range c.Scans {
		if i == most {
			return append(lines, fmt.Sprintf("So were %s more.", english.Plural(len(c.Scans)-i, "host", "")))
		}
		lines = append(lines, OneLine(s)+".")
	}
	return lines
}

// change is components with the same differences.
type change struct {
	change      compare.Change
	components  []inventory.Named
	differences []string
	alarming    bool
}

// where returns which components they are: the address if it is one.
func (g *change) where(name func(string) string) string {
	if len(g.components) == 1 {
		text := name(g.components[0].Address)
		if n := g.components[0].Name; n != "" {
			text += " (" + name(n) + ")"
		}
		return text
	}
	text, _ := placesText(group.PlacesOf(g.components), name, everything)
	return text
}

// changes joins components with the same differences: alarming ones first, then those that
// changed, those that were added, and those that are gone.
func changes(rows []compare.Row) []*change {
	var all []*change
	index := map[string]*change{}
	for i := range rows {
		r := &rows[i]
		key := string(r.Change) + "\x00" + strconv.FormatBool(r.Alarming) + "\x00" + strings.Join(r.Differences, "\x00")
		g := index[key]
		if g == nil {
			g = &change{change: r.Change, alarming: r.Alarming}
			for _, d := range r.Differences {
				g.differences = append(g.differences, OneLine(d))
			}
			index[key] = g
			all = append(all, g)
		}
		g.components = append(g.components, r.Named())
	}
	order := []compare.Change{compare.Changed, compare.Added, compare.Gone}
	slices.SortStableFunc(all, func(a, b *change) int {
		switch {
		case a.alarming && !b.alarming:
			return -1
		case b.alarming && !a.alarming:
			return 1
		}
		return slices.Index(order, a.change) - slices.Index(order, b.change)
	})
	return all
}

// ComparisonMarkdown returns how a plan differs from an older one, for a pull request. If that is
// too long, the least alarming components are only counted.
func ComparisonMarkdown(c *compare.Comparison, simulated string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Firmware plan %s beside %s\n\n", markdownCode(plan.ShortDigest(c.New.Digest)),
		markdownCode(plan.ShortDigest(c.Old.Digest)))
	if simulated != "" {
		b.WriteString("**" + markdownText(clip(strings.TrimSpace(simulated))) + "**\n\n")
	}
	for i, line := range comparisonHead(c) {
		if i == 0 {
			b.WriteString("**" + markdownText(line) + "**\n\n")
			continue
		}
		b.WriteString("- " + markdownText(clip(line)) + "\n")
	}
	whole := list{title: "The plan as a whole"}
	for _, d := range c.Whole {
		whole.items = append(whole.items, "- "+markdownText(d)+"\n")
	}
	components := list{
		title: "Components", above: "| Change | Components | What differs |\n| --- | --- | --- |\n",
	}
	for _, g := range changes(c.Rows) {
		word := string(g.change)
		if g.alarming {
			word = "**" + word + "**"
		}
		components.items = append(components.items, fmt.Sprintf("| %s | **%s**: %s | %s |\n", word,
			Components(len(g.components)), g.where(markdownCode), markdownText(strings.Join(g.differences, "\n"))))
	}
	room := markdownLimit - utf8.RuneCountInString(b.String()) - 1000
	whole.cut(room / 4)
	components.cut(room - whole.length())
	lists := []list{whole, components}
	if left := leftOut(lists); len(left) > 0 {
		b.WriteString("\n**Cut to fit:** " + strings.Join(left, " ") + " `-o json` has all of it.\n")
	}
	for i := range lists {
		lists[i].write(&b)
	}
	return b.String()
}

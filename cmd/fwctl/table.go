package main

import (
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// A table is drawn to a width without ever cutting a cell: what does not fit
// on the row stands on lines of its own below it, and extra columns that do not
// fit are named, so that nobody takes them for empty.
type table struct {
	columns []column
	rows    []row
}

type column struct {
	head string
	fit  fit
}

// fit is what becomes of a column where the table is wider than the terminal.
type fit int

const (
	always fit = iota // never leaves the row
	below             // moves to a line of its own, with its head: the rightmost first
	reason            // likewise, without its head, and before all others
	extra             // is left out and named: the rightmost first
)

type row struct {
	cells []string // one a column, of one or more lines; "" and "-" are no content
	tone  tone
}

// draw returns the lines of the table in at most width columns, except where a
// single cell, or a single word of a line below a row, is wider than that, and the heads of
// the columns that were left out.
func (t table) draw(width int, p paint) (lines, left []string) {
	on := t.onRow(width)
	var drawn strings.Builder
	w := tablewriter.NewTable(&drawn,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleNone),
			Settings: tw.Settings{Lines: tw.LinesNone, Separators: tw.SeparatorsNone},
		})),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithPadding(tw.Padding{Right: " ", Overwrite: true}),
	)
	pick := func(cell func(int) string) []string {
		var cells []string
		for i := range t.columns {
			if on[i] {
				cells = append(cells, cell(i))
			}
		}
		return cells
	}
	w.Header(pick(func(i int) string { return t.columns[i].head }))
	for _, r := range t.rows {
		w.Append(pick(func(i int) string { return onLine(r.cells[i]) }))
	}
	w.Render() // a strings.Builder takes everything

	for i, line := range strings.Split(strings.TrimSuffix(drawn.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if i == 0 {
			lines = append(lines, p.paint(bold, line))
			continue
		}
		r := t.rows[i-1]
		lines = append(lines, p.paint(r.tone, line))
		for c, col := range t.columns {
			if on[c] || col.fit == extra || r.cells[c] == "" || r.cells[c] == "-" {
				continue
			}
			text := r.cells[c]
			if col.fit != reason {
				text = strings.ToLower(col.head) + ": " + text
			}
			for _, note := range strings.Split(text, "\n") {
				lines = append(lines, wrap(note, width, "       ", "         ")...)
			}
		}
	}
	for c, col := range t.columns {
		if !on[c] && col.fit == extra && t.filled(c) {
			left = append(left, strings.ToLower(col.head))
		}
	}
	return lines, left
}

// onRow tells which columns stand on the row at this width.
func (t table) onRow(width int) []bool {
	on, total := make([]bool, len(t.columns)), -1
	widths := make([]int, len(t.columns))
	for c, col := range t.columns {
		widths[c] = twwidth.Width(col.head)
		for _, r := range t.rows {
			widths[c] = max(widths[c], twwidth.Width(onLine(r.cells[c])))
		}
		if col.fit == always || col.fit == below {
			on[c], total = true, total+widths[c]+1
		}
	}
	for c := len(t.columns) - 1; c >= 0 && total > width; c-- {
		if t.columns[c].fit == below {
			on[c], total = false, total-widths[c]-1
		}
	}
	for _, kind := range []fit{extra, reason} {
		for c, col := range t.columns {
			if col.fit == kind && t.filled(c) && total+widths[c]+1 <= width {
				on[c], total = true, total+widths[c]+1
			}
		}
	}
	return on
}

// filled tells whether the column has any content.
func (t table) filled(c int) bool {
	for _, r := range t.rows {
		if r.cells[c] != "" && r.cells[c] != "-" {
			return true
		}
	}
	return false
}

// onLine puts the lines of a cell on one.
func onLine(cell string) string { return strings.ReplaceAll(cell, "\n", "; ") }

// wrap breaks text between words into lines of at most width columns, the first
// one after first, the others after rest. A word is never broken.
func wrap(text string, width int, first, rest string) []string {
	var lines []string
	line, room := first, false
	for word := range strings.FieldsSeq(text) {
		if room && twwidth.Width(line)+1+twwidth.Width(word) > width {
			lines = append(lines, line)
			line, room = rest, false
		}
		if room {
			line += " "
		}
		line += word
		room = true
	}
	return append(lines, line)
}

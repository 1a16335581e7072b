package ui

import (
	"strings"

	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// drawer draws what tablewriter has laid out, with the lines around each row. It has no
// borders, no footer and no lines between rows: the rest of a tw.Renderer is Blueprint's.
type drawer struct {
	*renderer.Blueprint
	sc    Screen
	rows  []lined
	begun int
	lines []string
}

// newDrawer returns a drawer of so many rows.
func newDrawer(sc Screen, rows int) *drawer {
	return &drawer{
		Blueprint: renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleNone),
			Settings: tw.Settings{Lines: tw.LinesNone, Separators: tw.SeparatorsNone},
		}),
		sc:   sc,
		rows: make([]lined, rows),
	}
}

// Header draws the heads.
func (d *drawer) Header(heads [][]string, laid tw.Formatting) {
	d.lines = append(d.lines, d.sc.paint(bold, lineOf(heads[0], laid)))
}

// Row draws a line of a row.
func (d *drawer) Row(cells []string, laid tw.Formatting) {
	line := lineOf(cells, laid)
	if laid.IsSubRow {
		d.lines = append(d.lines, line)
		return
	}
	d.end()
	r := &d.rows[d.begun]
	for _, above := range append(r.above, line) {
		d.lines = append(d.lines, d.sc.paint(r.tone, above))
	}
	d.begun++
}

// end draws what stands below the row that was begun last.
func (d *drawer) end() {
	if d.begun > 0 {
		d.lines = append(d.lines, d.rows[d.begun-1].below...)
	}
}

// Close ends the table.
func (d *drawer) Close() error {
	d.end()
	return nil
}

// lineOf returns cells as one line, each as wide as its column, without trailing blanks.
func lineOf(cells []string, laid tw.Formatting) string {
	var line strings.Builder
	for c, cell := range cells {
		line.WriteString(pad(cell, laid.Row.Widths.Get(c)))
	}
	return strings.TrimRight(line.String(), " ")
}

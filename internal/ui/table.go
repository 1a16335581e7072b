package ui

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
)

// table is drawn to a width without ever cutting a cell.
//
// tablewriter lays it out: the widths of the columns, and the lines of a row whose cells
// have several. Two things it cannot do, so they are here. It has no notion of a column
// that leaves the row if there is no room: a width limit makes its renderers cut cells
// without a word (formatCell), or wraps revisions and addresses in two. So layout decides
// which columns stand on the row. And it has no lines that belong to a row and to no
// column: merged cells come closest, but they merge any neighbours that are equal, and are
// cut to the width of their columns. So drawer is a tw.Renderer that draws the lines of
// each row as they were laid out, pads and never cuts, and puts the others around them.
type table struct {
	columns []column
	rows    []row
}

type column struct {
	head string
	fit  fit
}

// fit is what becomes of a column if the table is too wide.
type fit int

const (
	// The longest cells move to lines of their own above their rows. One column is so.
	key fit = iota
	// The column moves to lines of its own below the row, with its head: the rightmost first.
	below
	// The column moves in front of the reason.
	label
	// The column is left out and named, so that no one takes it for empty: the rightmost first.
	extra
	// As below, and the first to go: all others have their place on the row before it.
	spare
	// The last column: wrapped on the row if there is much room, else on lines of its own.
	reason
)

// The indents of lines below a row, and of those that go on there.
const (
	indent = "       "
	hang   = "         "
)

// row has one cell a column. A reason may have several lines; "" and "-" are no content.
type row struct {
	cells []string
	tone  tone
}

// fill puts - into the cells that have no content.
func (r *row) fill() {
	for i := range r.cells {
		r.cells[i] = cmp.Or(r.cells[i], "-")
	}
}

// leave takes a column out of the table.
func (t *table) leave(column int) {
	t.columns = slices.Delete(t.columns, column, column+1)
	for i := range t.rows {
		t.rows[i].cells = slices.Delete(t.rows[i].cells, column, column+1)
	}
}

// draw returns the table's lines, in at most the screen's width unless a single cell or word
// is wider, and the heads of the columns that were left out.
func (t table) draw(sc Screen) (lines, left []string) {
	t, notes := t.prepared()
	l := t.layout(sc.Width)
	d := newDrawer(sc, len(t.rows))
	w := tablewriter.NewTable(io.Discard,
		tablewriter.WithRenderer(d),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithPadding(tw.Padding{Right: " ", Overwrite: true}),
	)
	heads := make([]string, len(t.columns))
	for c, col := range t.columns {
		heads[c] = col.head
	}
	w.Header(l.pick(heads))
	for i, r := range t.rows {
		var cells []string
		cells, d.rows[i] = t.place(r, l, sc)
		w.Append(cells)
	}
	// Nothing is written, so that nothing fails.
	_ = w.Render()
	lines = d.lines
	for i, note := range notes {
		if i == 0 {
			lines = append(lines, "")
		}
		lines = append(lines, sc.wrap(note, "", "    ")...)
	}
	for c, col := range t.columns {
		if !l.on[c] && col.fit == extra && t.filled(c) {
			left = append(left, strings.ToLower(col.head))
		}
	}
	return lines, left
}

// prepared returns the table with its cells on one line each, and long reasons that many
// rows have as notes.
func (t table) prepared() (table, []string) {
	last := len(t.columns) - 1
	reasons := make([]string, len(t.rows))
	rows := slices.Clone(t.rows)
	for i := range rows {
		rows[i].cells = slices.Clone(rows[i].cells)
		for c := range rows[i].cells {
			if t.columns[c].fit != reason {
				rows[i].cells[c] = OneLine(rows[i].cells[c])
			}
		}
		reasons[i] = rows[i].cells[last]
	}
	t.rows = rows
	if t.columns[last].fit != reason {
		return t, nil
	}
	reasons, notes := once(reasons)
	for i := range rows {
		rows[i].cells[last] = reasons[i]
	}
	return t, notes
}

// once replaces long lines that the reasons of several rows share by a number, and makes a note of
// each.
func once(reasons []string) (short, notes []string) {
	const several, long = 3, 100
	counts, numbers := map[string]int{}, map[string]string{}
	for _, text := range reasons {
		for line := range strings.SplitSeq(text, "\n") {
			counts[line]++
		}
	}
	for _, text := range reasons {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if counts[line] < several || len(line) < long {
				continue
			}
			if numbers[line] == "" {
				numbers[line] = fmt.Sprintf("(%d)", len(notes)+1)
				notes = append(notes, numbers[line]+" "+line)
			}
			lines[i] = numbers[line]
		}
		short = append(short, strings.Join(lines, "\n"))
	}
	return short, notes
}

// lined is the lines of a row that belong to none of its columns.
type lined struct {
	above, below []string
	tone         tone
}

// place returns the cells on the row, and the lines above and below it.
func (t table) place(r row, l layout, sc Screen) (cells []string, around lined) {
	around.tone = r.tone
	all := t.labelled(r.cells, l)
	for c, col := range t.columns {
		cell := all[c]
		switch {
		case empty(cell):
			if col.fit == reason {
				all[c] = ""
			}
		case col.fit == key && width(cell) > l.keyMax:
			around.above = append(around.above, strings.Repeat(" ", l.keyAt)+cell)
			all[c] = ""
		case (col.fit == below || col.fit == spare) && !l.on[c]:
			around.below = append(around.below, sc.wrap(strings.ToLower(col.head)+": "+cell, indent, hang)...)
		case col.fit == reason && l.on[c]:
			all[c] = strings.Join(wrapEach(cell, l.reasonRoom, "", "  "), "\n")
		case col.fit == reason:
			around.below = append(around.below, wrapEach(cell, sc.Width, indent, hang)...)
		}
	}
	return l.pick(all), around
}

// labelled puts labels that have no room on the row in front of its reason, or in its place.
func (t table) labelled(cells []string, l layout) []string {
	last := len(cells) - 1
	cells = slices.Clone(cells)
	for c, col := range t.columns {
		switch {
		case col.fit != label || l.on[c] || empty(cells[c]):
		case empty(cells[last]):
			cells[last] = strings.ToLower(col.head) + ": " + cells[c]
		default:
			cells[last] = cells[c] + ": " + cells[last]
		}
	}
	return cells
}

// empty reports whether a cell has no content.
func empty(cell string) bool { return cell == "" || cell == "-" }

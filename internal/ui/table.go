package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// A table is drawn to a width without ever cutting a cell. What does not fit
// on the row stands on lines of its own above or below it; extra columns that do
// not fit are named, so that nobody takes them for empty. The last column is the
// one of reasons.
type table struct {
	columns []column
	rows    []row
}

type column struct {
	head string
	fit  fit
}

// fit is what becomes of a column where the table is too wide.
type fit int

const (
	key    fit = iota // its longest cells move to lines of their own above their rows
	below             // moves to lines of its own, with its head: the rightmost column first
	label             // moves in front of the reason
	extra             // is left out and named: the rightmost column first
	reason            // the last column: wrapped on the row where that has much room, else on lines of its own
)

// reasonRoom is the least room for reasons on the row.
const reasonRoom = 60

type row struct {
	cells []string // one a column, a reason of one or more lines; "" and "-" are no content
	tone  tone
}

// layout is how a table fits into a width.
type layout struct {
	on     []bool // columns on the row
	keyMax int    // widest key on the row
	keyAt  int    // where keys begin
	offset int    // where reasons begin on the row, 0 where they stand below it
}

// draw returns the table's lines, in at most width columns unless a single cell
// or word is wider, and the heads of the columns that were left out.
func (t table) draw(sc Screen) (lines, left []string) {
	var notes []string
	t.rows = slices.Clone(t.rows)
	for i := range t.rows {
		t.rows[i].cells = slices.Clone(t.rows[i].cells)
		for c := range t.rows[i].cells {
			if t.columns[c].fit != reason {
				t.rows[i].cells[c] = OneLine(t.rows[i].cells[c])
			}
		}
	}
	if last := len(t.columns) - 1; t.columns[last].fit == reason {
		reasons := make([]string, len(t.rows))
		for i, r := range t.rows {
			reasons[i] = r.cells[last]
		}
		reasons, notes = once(reasons)
		for i := range t.rows {
			t.rows[i].cells[last] = reasons[i]
		}
	}
	lines, left = t.drawRows(sc)
	for i, note := range notes {
		if i == 0 {
			lines = append(lines, "")
		}
		lines = append(lines, sc.wrap(note, "", "    ")...)
	}
	return lines, left
}

// once takes out of reasons, of one or more lines each, what is long and told of
// several rows: a number stands there, and what it stands for is a note.
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

func (t table) drawRows(sc Screen) (lines, left []string) {
	l := t.layout(sc.Width)
	for i, text := range t.grid(l) {
		if i == 0 {
			if l.offset > 0 {
				text = pad(text, l.offset) + t.columns[len(t.columns)-1].head
			}
			lines = append(lines, sc.paint(bold, text))
			continue
		}
		r := t.rows[i-1]
		cells := t.labelled(r.cells, l)
		var notes []string
		for c, col := range t.columns {
			switch cell := cells[c]; {
			case empty(cell), l.on[c] && col.fit != key, col.fit == extra, col.fit == label:
			case col.fit == key:
				if twwidth.Width(cell) > l.keyMax {
					lines = append(lines, sc.paint(r.tone, strings.Repeat(" ", l.keyAt)+cell))
				}
			case col.fit == below:
				notes = append(notes, sc.wrap(strings.ToLower(col.head)+": "+cell, "       ", "         ")...)
			case l.offset > 0:
				var why []string
				for _, text := range strings.Split(cell, "\n") {
					why = append(why, sc.wrap(text, strings.Repeat(" ", l.offset), strings.Repeat(" ", l.offset+2))...)
				}
				// Cells that moved below are in notes already, and follow the reason.
				text, notes = pad(text, l.offset)+why[0][l.offset:], append(why[1:], notes...)
			default:
				for _, text := range strings.Split(cell, "\n") {
					notes = append(notes, sc.wrap(text, "       ", "         ")...)
				}
			}
		}
		lines = append(append(lines, sc.paint(r.tone, text)), notes...)
	}
	for c, col := range t.columns {
		if !l.on[c] && col.fit == extra && t.filled(c) {
			left = append(left, strings.ToLower(col.head))
		}
	}
	return lines, left
}

// layout decides what stands where.
func (t table) layout(width int) layout {
	l := layout{on: make([]bool, len(t.columns))}
	widths := make([]int, len(t.columns))
	total, keys := -1, 0
	for c, col := range t.columns {
		widths[c] = twwidth.Width(col.head)
		for _, r := range t.rows {
			widths[c] = max(widths[c], twwidth.Width(r.cells[c]))
		}
		switch col.fit {
		case key:
			l.on[c], keys, l.keyMax, l.keyAt = true, c, widths[c], total+1
			total += widths[c] + 1
		case below:
			l.on[c] = true
			total += widths[c] + 1
		}
	}
	if total > width {
		l.keyMax = max(twwidth.Width(t.columns[keys].head), widths[keys]-(total-width))
		total -= widths[keys] - l.keyMax
	}
	for c := len(t.columns) - 1; c >= 0 && total > width; c-- {
		if t.columns[c].fit == below {
			l.on[c] = false
			total -= widths[c] + 1
		}
	}
	for c, col := range t.columns {
		if col.fit == label && t.filled(c) {
			moved := max(0, total+widths[c]+1-width)
			if l.keyMax-moved >= twwidth.Width(t.columns[keys].head) && t.keysOver(keys, l.keyMax-moved) == t.keysOver(keys, l.keyMax) {
				l.on[c] = true
				l.keyMax -= moved
				total += widths[c] + 1 - moved
			}
		}
	}
	for c, col := range t.columns {
		if col.fit == extra && l.keyMax == widths[keys] && t.filled(c) && total+widths[c]+1 <= width {
			l.on[c] = true
			total += widths[c] + 1
		}
	}
	if last := len(t.columns) - 1; t.columns[last].fit == reason && t.filled(last) && width-total-1 >= reasonRoom {
		l.offset = total + 1
	}
	return l
}

// grid draws the cells on the rows: the head and one line a row, without trailing blanks.
func (t table) grid(l layout) []string {
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
		tablewriter.WithHeaderAutoWrap(tw.WrapNone), // the library's own limits cut cells silently
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithPadding(tw.Padding{Right: " ", Overwrite: true}),
	)
	pick := func(cell func(int) string) []string {
		var cells []string
		for c := range t.columns {
			if l.on[c] {
				cells = append(cells, cell(c))
			}
		}
		return cells
	}
	w.Header(pick(func(c int) string { return t.columns[c].head }))
	for _, r := range t.rows {
		w.Append(pick(func(c int) string {
			if t.columns[c].fit == key && twwidth.Width(r.cells[c]) > l.keyMax {
				return ""
			}
			return r.cells[c]
		}))
	}
	w.Render() // a strings.Builder takes everything
	lines := strings.Split(strings.TrimSuffix(drawn.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// labelled puts labels that have no room on the row in front of its reason.
func (t table) labelled(cells []string, l layout) []string {
	last := len(cells) - 1
	cells = slices.Clone(cells)
	for c, col := range t.columns {
		switch {
		case col.fit != label || l.on[c] || empty(cells[c]):
		case empty(cells[last]):
			cells[last] = cells[c]
		default:
			cells[last] = cells[c] + ": " + cells[last]
		}
	}
	return cells
}

// keysOver counts the keys that have no room in so many columns.
func (t table) keysOver(c, width int) int {
	n := 0
	for _, r := range t.rows {
		if twwidth.Width(r.cells[c]) > width {
			n++
		}
	}
	return n
}

// filled tells whether the column has any content.
func (t table) filled(c int) bool {
	for _, r := range t.rows {
		if !empty(r.cells[c]) {
			return true
		}
	}
	return false
}

func empty(cell string) bool { return cell == "" || cell == "-" }

package ui

import (
	"slices"
)

// reasonRoom is the least room for reasons on the row.
const reasonRoom = 60

// layout is how a table fits into a width.
type layout struct {
	// on says which columns stand on the row.
	on []bool
	// keyMax is the width of the widest key that stands on the row, and keyAt where keys begin.
	keyMax, keyAt int
	// reasonRoom is the room for reasons on the row; 0 if they stand below it.
	reasonRoom int
}

// pick returns the cells of the columns that stand on the row.
func (l *layout) pick(cells []string) []string {
	var picked []string
	for c, cell := range cells {
		if l.on[c] {
			picked = append(picked, cell)
		}
	}
	return picked
}

// layout decides which columns stand on the row.
func (t table) layout(most int) layout {
	l := layout{on: make([]bool, len(t.columns))}
	widths, keys := t.measure()
	total := -1
	take := func(c, more int) {
		l.on[c] = true
		total += more
	}
	for c, col := range t.columns {
		switch col.fit {
		case key:
			l.keyMax, l.keyAt = widths[c], total+1
			take(c, widths[c]+1)
		case below:
			take(c, widths[c]+1)
		}
	}
	head := width(t.columns[keys].head)
	if total > most {
		l.keyMax = max(head, widths[keys]-(total-most))
		total -= widths[keys] - l.keyMax
	}
	for c := len(t.columns) - 1; c >= 0 && total > most; c-- {
		if t.columns[c].fit == below {
			l.on[c] = false
			total -= widths[c] + 1
		}
	}
	for c, col := range t.columns {
		if col.fit != label || !t.filled(c) {
			continue
		}
		// A label may take the room of keys that stand above their rows anyway.
		less := max(0, total+widths[c]+1-most)
		if l.keyMax-less >= head && t.keysOver(keys, l.keyMax-less) == t.keysOver(keys, l.keyMax) {
			l.keyMax -= less
			take(c, widths[c]+1-less)
		}
	}
	for c, col := range t.columns {
		if col.fit == extra && l.keyMax == widths[keys] && t.filled(c) && total+widths[c]+1 <= most {
			take(c, widths[c]+1)
		}
	}
	for c, col := range t.columns {
		if col.fit == spare && l.keyMax == widths[keys] && t.filled(c) && total+widths[c]+1 <= most {
			take(c, widths[c]+1)
		}
	}
	last := len(t.columns) - 1
	if room := most - total - 1; t.columns[last].fit == reason && t.filled(last) && room >= reasonRoom {
		l.on[last], l.reasonRoom = true, room
	}
	return l
}

// measure returns the widths of all columns, and which one is the key.
func (t table) measure() (widths []int, keys int) {
	widths = make([]int, len(t.columns))
	for c, col := range t.columns {
		widths[c] = width(col.head)
		if col.fit == reason {
			continue
		}
		for _, r := range t.rows {
			widths[c] = max(widths[c], width(r.cells[c]))
		}
		if col.fit == key {
			keys = c
		}
	}
	return widths, keys
}

// keysOver counts the keys that have no room in so many columns.
func (t table) keysOver(c, most int) int {
	n := 0
	for _, r := range t.rows {
		if width(r.cells[c]) > most {
			n++
		}
	}
	return n
}

// filled reports whether a column has any content.
func (t table) filled(c int) bool {
	return slices.ContainsFunc(t.rows, func(r row) bool { return !empty(r.cells[c]) })
}

// Package uitest stands in for a terminal in tests. Nothing else imports it.
package uitest

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Shown returns what a terminal shows of what was written to it, without the blanks at the
// end of lines.
func Shown(t testing.TB, written string) string {
	t.Helper()
	var lines [][]rune
	row, column := 0, 0
	for _, part := range regexp.MustCompile("\x1b\\[[0-9]*[A-Za-z]|[^\x1b]").FindAllString(written, -1) {
		for len(lines) <= row {
			lines = append(lines, nil)
		}
		switch {
		case part == "\n":
			// The line discipline adds the return.
			row, column = row+1, 0
		case part == "\r":
			column = 0
		case part == "\x1b[J":
			lines = append(lines[:row:row], lines[row][:min(column, len(lines[row]))])
		case strings.HasSuffix(part, "A") && len(part) > 1:
			n, err := strconv.Atoi(part[2 : len(part)-1])
			if err != nil || n > row {
				t.Fatalf("%q in row %d", part, row)
			}
			row -= n
		case part[0] == 0x1b:
			t.Fatalf("this is not a terminal for %q", part)
		default:
			for len(lines[row]) <= column {
				lines[row] = append(lines[row], ' ')
			}
			lines[row][column] = []rune(part)[0]
			column++
		}
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

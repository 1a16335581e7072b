package ui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// widths are those of terminals and of mails, and one that few terminals have.
var widths = []int{40, 80, 120, 200}

// scripts are letters of one column and of two, with marks that take none.
var scripts = []string{"abcdef0123456789/-", "äßçñΩж", "漢字カナ한글", "e\u0301o\u0308n\u0303", "👩‍🚀🇪🇺"}

// randomWord returns a word whose end tells it from every other.
func randomWord(r *rand.Rand, n int) string {
	letters := []rune(scripts[r.IntN(len(scripts))])
	word := ""
	for range 1 + r.IntN(12) {
		word += string(letters[r.IntN(len(letters))])
	}
	return fmt.Sprintf("%s.%d", word, n)
}

// randomTable returns a table with a column of every fit, and all of its words.
func randomTable(r *rand.Rand) (t table, words, extras []string) {
	t.columns = []column{
		{"WAVE", below}, {"ADDRESS", key}, {"NAME", label}, {"HOST", extra}, {"NOW", below}, {"IMAGE", extra},
		{"EFFECT", below}, {"WHY", reason},
	}
	n := 0
	for range 1 + r.IntN(8) {
		cells := make([]string, len(t.columns))
		for c := range cells {
			if r.IntN(4) == 0 {
				cells[c] = []string{"", "-"}[r.IntN(2)]
				continue
			}
			most := 1
			if t.columns[c].fit == reason {
				most = 30
			}
			var parts []string
			for range 1 + r.IntN(most) {
				n++
				parts = append(parts, randomWord(r, n))
			}
			if t.columns[c].fit == extra {
				extras = append(extras, parts...)
			} else {
				words = append(words, parts...)
			}
			cells[c] = strings.Join(parts, " ")
			if t.columns[c].fit == reason {
				cells[c] = strings.Join(parts, []string{" ", "\n"}[r.IntN(2)])
			}
		}
		t.rows = append(t.rows, row{cells: cells, tone: tone(r.IntN(4))})
	}
	return t, words, extras
}

// No cell is lost or cut at any width, whatever its letters, and no line is wider than the
// screen unless one word is.
func TestTableLosesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		tab, words, extras := randomTable(rand.New(rand.NewPCG(seed, 1)))
		for _, width := range widths {
			lines, left := tab.draw(Screen{Width: width})
			shown := map[string]bool{}
			for _, word := range strings.Fields(strings.Join(lines, "\n")) {
				shown[strings.TrimSuffix(word, ":")] = true
			}
			for _, word := range words {
				if !shown[word] {
					t.Errorf("table %d in %d columns lacks %q:\n%s", seed, width, word, strings.Join(lines, "\n"))
				}
			}
			for _, word := range extras {
				if !shown[word] && len(left) == 0 {
					t.Errorf("table %d in %d columns lacks %q, and names no column that is left out", seed, width, word)
				}
			}
			for _, line := range lines {
				if words := strings.Fields(line); twwidth.Width(line) > width && !wide(words, width) {
					t.Errorf("table %d in %d columns has a line of %d: %q", seed, width, twwidth.Width(line), line)
				}
			}
		}
	}
}

// wide reports whether the words of a line leave no room for an indent, or need more than
// the heads of the columns that always stand on the row.
func wide(words []string, width int) bool {
	return len(words) < 2 || twwidth.Width(strings.Join(words, " ")) > width
}

// Cells of a column begin below each other, however wide their letters are.
func TestTableIsAligned(t *testing.T) {
	t.Parallel()
	tab := table{columns: []column{{"ADDRESS", key}, {"TO", below}, {"WHY", reason}}}
	for _, cell := range []string{"ab", "漢字", "e\u0301o\u0308", "👩‍🚀"} {
		tab.rows = append(tab.rows, row{cells: []string{cell, "to", "why"}})
	}
	lines, _ := tab.draw(Screen{Width: 200})
	for _, line := range lines[1:] {
		before, _, _ := strings.Cut(line, "to why")
		if got := twwidth.Width(before); got != len("ADDRESS ") {
			t.Errorf("%q has its second cell at column %d; want %d", line, got, len("ADDRESS "))
		}
	}
}

// What stands where, at a width that is short by more and more.
func TestTableGivesWay(t *testing.T) {
	t.Parallel()
	tab := table{
		columns: []column{
			{"WAVE", below}, {"ADDRESS", key}, {"NAME", label}, {"HOST", extra}, {"NOW", below}, {"WHY", reason},
		},
		rows: []row{
			{cells: []string{"1", "5000ccab04001000", "r12", "stor1", "1000", "in use"}},
			{cells: []string{"2", "5000", "-", "stor2", "1100", "-"}},
		},
	}
	for width, want := range map[int]string{
		110: "WAVE ADDRESS          NAME HOST  NOW  WHY\n" +
			"1    5000ccab04001000 r12  stor1 1000 in use\n" +
			"2    5000             -    stor2 1100\n",
		40: "WAVE ADDRESS          NAME HOST  NOW\n" +
			"1    5000ccab04001000 r12  stor1 1000\n" +
			"       in use\n" +
			"2    5000             -    stor2 1100\n",
		32: "WAVE ADDRESS          NAME NOW\n" +
			"1    5000ccab04001000 r12  1000\n" +
			"       in use\n" +
			"2    5000             -    1100\n" +
			"left: host\n",
		28: "WAVE ADDRESS          NOW\n" +
			"1    5000ccab04001000 1000\n" +
			"       r12: in use\n" +
			"2    5000             1100\n" +
			"left: host\n",
		17: "WAVE ADDRESS NOW\n" +
			"     5000ccab04001000\n" +
			"1            1000\n" +
			"       r12: in\n" +
			"         use\n" +
			"2    5000    1100\n" +
			"left: host\n",
		14: "WAVE ADDRESS\n" +
			"     5000ccab04001000\n" +
			"1\n" +
			"       now:\n" +
			"         1000\n" +
			"       r12: in\n" +
			"         use\n" +
			"2    5000\n" +
			"       now:\n" +
			"         1100\n" +
			"left: host\n",
	} {
		lines, left := tab.draw(Screen{Width: width})
		if len(left) > 0 {
			lines = append(lines, "left: "+strings.Join(left, ", "))
		}
		if diff := cmp.Diff(want, strings.Join(lines, "\n")+"\n"); diff != "" {
			t.Errorf("in %d columns (-want +got):\n%s", width, diff)
		}
	}
}

// A long reason that many rows have is told once, below them; what is short, or of
// two rows, stands where it belongs.
func TestTableSaysOnce(t *testing.T) {
	t.Parallel()
	long := "the device does not take mode e: error in a field of the control page, data discarded (80h): mode (byte 8)"
	draw := func(reasons ...string) string {
		tab := table{columns: []column{{"ADDRESS", key}, {"WHY", reason}}}
		for i, r := range reasons {
			tab.rows = append(tab.rows, row{cells: []string{fmt.Sprintf("esp%d", i), r}})
		}
		lines, _ := tab.draw(Screen{Width: 80})
		return strings.Join(lines, "\n")
	}
	want := "ADDRESS WHY\nesp0    in use\n        (1)\nesp1    (1)\nesp2    (1)\n        in use\nesp3    in use\n\n" +
		"(1) the device does not take mode e: error in a field of the control page, data\n    discarded (80h): mode (byte 8)"
	if diff := cmp.Diff(want, draw("in use\n"+long, long, long+"\nin use", "in use")); diff != "" {
		t.Errorf("draw (-want +got):\n%s", diff)
	}
	if got := draw(long, long); strings.Contains(got, "(1)") {
		t.Errorf("draw of two rows = %s; want no number", got)
	}
}

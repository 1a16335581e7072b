package ui

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"fwctl/plan"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// Counted returns how many enclosures and I/O modules there are, in words.
func Counted(enclosures, esps int) string {
	return english.Plural(enclosures, "enclosure", "") + ", " + english.Plural(esps, "I/O module", "")
}

// Components returns how many components there are, in words.
func Components(n int) string { return english.Plural(n, "component", "") }

// Enumerate lists at most so many names, and counts the others.
func Enumerate(names []string, most int) string {
	text := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}

// Moment returns a time as the reader's clock shows it.
func Moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// weekday returns a time as clocks at the window show it.
func weekday(t time.Time) string { return t.Format("Mon 2006-01-02 15:04 MST") }

// Spell returns a duration for people, in its two largest units: 58 min, 6 h, 5 d 3 h.
func Spell[D ~int64](d D) string {
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	left, words := time.Duration(d), []string{}
	for _, u := range units {
		if len(words) == 2 {
			break
		}
		n := left / u.size
		left %= u.size
		if n > 0 {
			words = append(words, strconv.FormatInt(int64(n), 10)+" "+u.name)
		} else if len(words) > 0 {
			// 1 d 5 min is 1 d.
			break
		}
	}
	if len(words) == 0 {
		return "0 s"
	}
	return strings.Join(words, " ")
}

// Because joins what happened with why it did; either may be "".
func Because(what, why string) string {
	if what == "" || why == "" {
		return what + why
	}
	return what + ": " + why
}

// size returns a number of bytes in words, as in 4.0 KiB.
func size(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// OneLine escapes the line breaks of a text that names files, or quotes a device, a process or a
// file: text after a line break would look like a line of fwctl's own.
func OneLine(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }

// width returns how many columns a text takes on a terminal.
func width(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return twwidth.Width(text)
		}
	}
	// Nearly all texts are plain ASCII, and tables have hundreds of thousands of them.
	return len(text)
}

// wrap breaks text between words into lines of at most so many columns, the first
// one after first, the others after rest. A word is never broken.
func wrap(text string, columns int, first, rest string) []string {
	var lines []string
	line, at, room := []byte(first), width(first), false
	for word := range strings.FieldsSeq(text) {
		wide := width(word)
		if room && at+1+wide > columns {
			lines = append(lines, string(line))
			line, at, room = append(line[:0], rest...), width(rest), false
		}
		if room {
			line, at = append(line, ' '), at+1
		}
		line, at = append(line, word...), at+wide
		room = true
	}
	return append(lines, string(line))
}

// wrapEach wraps each line of text.
func wrapEach(text string, columns int, first, rest string) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, wrap(line, columns, first, rest)...)
	}
	return lines
}

// pad returns text followed by blanks, as wide as it is to be.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-width(text)))
}

func digestCell(sha256 string) string { return cmp.Or(plan.ShortDigest(sha256), "-") }

// hopsCell joins the texts about a component's hops, in order.
func hopsCell[T ~string](each []T) string {
	var cells []string
	for _, v := range each {
		cells = append(cells, cmp.Or(string(v), "-"))
	}
	return strings.Join(cells, " > ")
}

// toned breaks a sentence into lines, in the tone of an alarm if it is one.
func (sc Screen) toned(text string, isAlarm bool) []string {
	lines := sc.wrap(text, "", "  ")
	for i := range lines {
		if isAlarm {
			lines[i] = sc.paint(alarm, lines[i])
		}
	}
	return lines
}

// Package ui draws values as text: plans, inventories, results, status and history as
// tables and sentences, a plan as Markdown, and the events of a run as lines or bars.
//
// Values go in, text comes out. It opens no device and no store, reads no flag, and
// decides nothing: what it shows has been decided by the package that the value is from.
package ui

import (
	"io"
	"os"
)

// Screen is what text is drawn for. The zero Screen is too narrow for anything.
type Screen struct {
	Width  int
	Colour bool
}

// ScreenOf returns the screen that w writes to: as wide as the terminal, and in colour if
// that is wanted and w is a terminal that can show it.
func ScreenOf(w io.Writer, colour bool) Screen {
	colour = colour && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && IsTerminal(w)
	return Screen{Width: widthOf(w), Colour: colour}
}

// tone is how urgent a piece of text is. Nothing is said by colour alone.
type tone int

const (
	plain tone = iota
	bold
	warning
	alarm
)

// paint returns text in the colour of a tone.
func (sc Screen) paint(t tone, text string) string {
	code := [...]string{plain: "", bold: "1", warning: "33", alarm: "31"}[t]
	if !sc.Colour || code == "" || text == "" {
		return text
	}
	return paintCode(code) + text + paintCode("0")
}

// wrap breaks text between words into the lines of a screen: the first one after first, the
// others after rest.
func (sc Screen) wrap(text, first, rest string) []string { return wrap(text, sc.Width, first, rest) }

// Wrap returns text as lines of a screen, the first one after a word, the others indented.
func (sc Screen) Wrap(word, text string) []string { return sc.wrap(text, word, "  ") }

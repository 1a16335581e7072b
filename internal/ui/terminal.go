package main

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// defaultWidth is what results are drawn to where nothing tells a width: text
// that is piped is read in reviews and mails.
const defaultWidth = 80

// isTerminal tells whether w (or r) is a terminal.
func isTerminal(f any) bool {
	file := fileOf(f)
	return file != nil && term.IsTerminal(int(file.Fd()))
}

// widthOf returns the columns to draw to: the terminal's, else those that
// $COLUMNS exports, else 80.
func widthOf(w io.Writer) int {
	width, _ := sizeOf(w)
	return width
}

// sizeOf returns what widthOf does, and the lines of the terminal: 24 where nothing
// tells.
func sizeOf(w io.Writer) (width, height int) {
	width, height = defaultWidth, 24
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		width = columns
	}
	if file := fileOf(w); file != nil {
		if x, y, err := term.GetSize(int(file.Fd())); err == nil && x > 0 {
			width, height = x, max(y, 2)
		}
	}
	return width, height
}

// tone is how urgent a piece of text is. Nothing is said by colour alone.
type tone int

const (
	plain tone = iota
	bold
	warning
	alarm
)

// paint colours text where that is on.
type paint bool

func (p paint) paint(t tone, text string) string {
	code := [...]string{plain: "", bold: "1", warning: "33", alarm: "31"}[t]
	if !p || code == "" || text == "" {
		return text
	}
	return paintCode(code) + text + paintCode("0")
}

// colours tells whether w takes colour.
func colours(w io.Writer, off bool) paint {
	return paint(!off && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w))
}

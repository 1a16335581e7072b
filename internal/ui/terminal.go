package ui

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// defaultWidth is what results are drawn to if no width is known: text that is piped is
// read in reviews and mails.
const defaultWidth = 80

// IsTerminal reports whether f, which may be an Output, is a terminal.
func IsTerminal(f any) bool {
	file := fileOf(f)
	return file != nil && term.IsTerminal(int(file.Fd()))
}

// takesBars reports whether f is a terminal on which lines can be drawn over.
func takesBars(f any) bool { return IsTerminal(f) && os.Getenv("TERM") != "dumb" }

// widthOf returns the columns to draw to: the terminal's, else those that $COLUMNS
// exports, else 80.
func widthOf(w io.Writer) int {
	width, _ := sizeOf(w)
	return width
}

// sizeOf returns what widthOf does, and the lines of the terminal, 24 if they are unknown.
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

package ui

import (
	"fmt"
	"sync"
)

// From so many inventories, or bytes of them, a terminal shows a bar.
const (
	manyFiles = 10
	// A third of a second.
	manyBytes = 16 << 20
)

// Loading is the bar for inventories that are read, several at a time. Their readers write to it
// what they read.
type Loading struct {
	mu sync.Mutex

	// out is nil if nothing is shown.
	out *Output

	// files counts all files, and begun those that were begun.
	files, begun int

	// size is the bytes of all files, and read how many were read.
	size, read int64

	line string
}

// NewLoading returns the bar of so many files of so many bytes; pipes have no size. It shows
// nothing if it is to be quiet, out is not a terminal, or there is little to read.
func NewLoading(out *Output, files int, size int64, quiet bool) *Loading {
	l := &Loading{files: files, size: size}
	if !quiet && IsTerminal(out) && (files >= manyFiles || size >= manyBytes) {
		l.out = out
	}
	return l
}

// NextFile counts another file as begun.
func (l *Loading) NextFile() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
}

// Write counts bytes that were read, and moves the bar.
func (l *Loading) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read += int64(len(p))
	if l.out == nil {
		return len(p), nil
	}
	percent := int64(100)
	if l.size > 0 {
		percent = min(100, 100*l.read/l.size)
	}
	text := fmt.Sprintf("Reading inventories: %d of %d", l.begun, l.files)
	if line := gauge(text, percent, widthOf(l.out)); line != l.line {
		l.line = line
		l.out.raw("\r" + visible(line))
	}
	return len(p), nil
}

// Close leaves the bar as it is, and begins a new line below it.
func (l *Loading) Close() {
	if l.line != "" {
		fmt.Fprintln(l.out)
	}
}

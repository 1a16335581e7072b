package ui

import (
	"fmt"
	"sync"
	"time"
)

// A scan of fewer devices or drives is shown only if it takes long: on a terminal, and elsewhere.
const (
	manyScanned  = 100
	longScan     = 2 * time.Second
	veryLongScan = 10 * time.Second
)

// Scanning shows how far a scan is that has many devices, or takes long: on a terminal a line that is drawn over and is
// gone in the end, elsewhere one line.
type Scanning struct {
	// out is nil if nothing is shown.
	out *Output
	// terminal: lines can be drawn over.
	terminal bool
	began    time.Time

	mu sync.Mutex
	// what is looked at: done of all.
	what      string
	done, all int
	// line stands on the terminal, or was written; "" for none.
	line string

	ticks *time.Ticker
	ended chan struct{}
}

// NewScanning returns the display of a scan that begins now. It shows nothing if it is to be quiet.
func NewScanning(out *Output, quiet bool) *Scanning {
	return newScanning(out, quiet, takesBars(out))
}

func newScanning(out *Output, quiet, terminal bool) *Scanning {
	s := &Scanning{
		out: out, terminal: terminal, began: time.Now(), ticks: time.NewTicker(time.Second), ended: make(chan struct{}),
	}
	if quiet {
		s.out = nil
	}
	go func() {
		for {
			select {
			case <-s.ended:
				return
			case <-s.ticks.C:
				s.draw()
			}
		}
	}()
	return s
}

// Show takes how many of all devices, or of what else, were looked at.
func (s *Scanning) Show(what string, done, all int) {
	s.mu.Lock()
	s.what, s.done, s.all = what, done, all
	s.mu.Unlock()
	s.draw()
}

// draw shows how far the scan is, if that is to be shown.
func (s *Scanning) draw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	spent := time.Since(s.began)
	switch {
	case s.out == nil || s.all == 0:
	case s.terminal && (s.all >= manyScanned || spent >= longScan || s.line != ""):
		text := fmt.Sprintf("Scanning %s: %d of %d", s.what, s.done, s.all)
		line := meter(text, 100*s.done/s.all, Spell(spent.Truncate(time.Second)), widthOf(s.out))
		if line != s.line {
			s.line = line
			s.out.raw("\r\x1b[J" + visible(line))
		}
	case !s.terminal && s.line == "" && (s.all >= manyScanned || spent >= veryLongScan):
		s.line = fmt.Sprintf("Scanning %d %s.", s.all, s.what)
		fmt.Fprintln(s.out, new(stamps).on(time.Now(), s.line))
	}
}

// Close ends the display: a line on a terminal is gone.
func (s *Scanning) Close() {
	s.ticks.Stop()
	close(s.ended)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal && s.line != "" {
		s.out.raw("\r\x1b[J")
	}
	s.out = nil
}

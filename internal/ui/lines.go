package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"fwctl/executor/result"
)

// patience is the least time between two lines of progress of one component.
const patience = 5 * time.Second

// lull is the time after which a comparison says that it goes on, and the least between two lines
// for the whole.
const lull = 30 * time.Second

// lineDisplay is the display of a run where no terminal shows bars: a line at the start of a
// download, at every tenth but at most every 5 s, and at the end; and one for the whole at the
// start of each wave, when a component comes to its end, and at every tenth, but at most every 30 s.
type lineDisplay struct {
	w      io.Writer
	words  *words
	course *course

	// mu is held because signals are reported from a goroutine of their own.
	mu     sync.Mutex
	stamps stamps

	// whole is when the last line for the whole run was written, and tenth how far it was then.
	whole time.Time
	tenth int

	// last is the last progress that was written, by address.
	last map[string]progress

	// compared is closed when a comparison ends; nil if none goes on.
	compared chan struct{}
}

// progress is how many tenths of an image were taken at a time.
type progress struct {
	at    time.Time
	tenth int64
}

// Show implements Display.
func (l *lineDisplay) Show(e result.Event) {
	if !duringComparison(e) {
		l.Close()
	}
	if e.Type == result.EventChecking {
		l.compared = make(chan struct{})
		go l.stillCompares(e, l.compared)
	}
	if e.Type == result.EventProgress {
		l.course.see(e)
		l.advance(e)
		if !l.course.isOver() && l.course.percent()/10 > l.tenth && e.Time.Sub(l.whole) >= lull {
			l.sayWhole(e.Time)
		}
		return
	}
	l.say(e.Time, l.words.of(e))
	if e.Type == result.EventStarted {
		l.mark(e)
	}
	ends := l.course.see(e) && e.Time.Sub(l.whole) >= lull
	if (e.Type == result.EventWave || ends) && !l.course.isOver() {
		l.sayWhole(e.Time)
	}
}

// sayWhole writes the line for the whole.
func (l *lineDisplay) sayWhole(at time.Time) {
	l.whole, l.tenth = at, l.course.percent()/10
	l.say(at, l.course.line(at))
}

// Say implements Display.
func (l *lineDisplay) Say(text string) { l.say(time.Now(), text) }

// say writes a line of what came to be known at a time.
func (l *lineDisplay) say(at time.Time, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text != "" {
		fmt.Fprintln(l.w, OneLine(l.stamps.on(at, text)))
	}
}

// Close implements Display.
func (l *lineDisplay) Close() {
	if l.compared != nil {
		close(l.compared)
		l.compared = nil
	}
}

// stillCompares says again and again that a comparison goes on, until done is closed.
func (l *lineDisplay) stillCompares(e result.Event, done <-chan struct{}) {
	tick := time.NewTicker(lull)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			l.say(now, fmt.Sprintf("Comparing %s still, for %s.",
				Components(e.Components), Spell(now.Sub(e.Time).Truncate(time.Second))))
		}
	}
}

// advance says how much of an image was taken.
func (l *lineDisplay) advance(e result.Event) {
	percent := int64(100)
	if e.Total > 0 {
		percent = 100 * e.Bytes / e.Total
	}
	last := l.last[e.Address]
	if percent == 100 || percent/10 > last.tenth && e.Time.Sub(last.at) >= patience {
		l.say(e.Time, fmt.Sprintf("%s: %d %% sent", l.words.names.Called(e.Address), percent))
		l.mark(e)
	}
}

// mark remembers what was said of a component's progress last.
func (l *lineDisplay) mark(e result.Event) {
	if l.last == nil {
		l.last = map[string]progress{}
	}
	tenth := int64(0)
	if e.Total > 0 {
		tenth = 10 * e.Bytes / e.Total
	}
	l.last[e.Address] = progress{e.Time, tenth}
}

// gauge adds a bar to text if there is room for it.
func gauge(text string, percent int64, columns int) string {
	room := min(columns-1-width(text)-3, 40)
	if room < 5 {
		return text
	}
	full := int(percent) * room / 100
	return text + " [" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "]"
}

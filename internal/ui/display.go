package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"

	"fwctl/executor/result"
	"fwctl/plan"
)

// Display shows what happens in a run while it happens. Show takes its events, from one
// goroutine at a time; Say takes text of another source, such as a signal's; Close ends it.
type Display interface {
	Show(result.Event)
	Say(text string)
	Close()
}

// Live returns the display of a run for people: bars on a terminal, else lines. part is the part
// of the plan that the run is to carry out on this host, as far as that is known beforehand.
func Live(w *Output, whole, part *plan.Plan) Display {
	v, c := newWords(whole, part), newCourse(part, len(whole.Waves))
	var d Display = &lineDisplay{w: w, words: v, course: c}
	if takesBars(w) {
		d = newBars(w, v, c)
	}
	return &guarded{display: &onceInFull{Display: d}, w: w}
}

// guarded is a display whose faults end nothing but itself: the process that draws it writes
// firmware.
type guarded struct {
	display Display
	w       *Output
	failed  atomic.Bool
}

// Show implements Display.
func (g *guarded) Show(e result.Event) {
	if !g.failed.Load() {
		g.try(func() { g.display.Show(e) })
	}
}

// Say implements Display.
func (g *guarded) Say(text string) {
	if g.failed.Load() {
		fmt.Fprintln(g.w, text)
		return
	}
	g.try(func() { g.display.Say(text) })
}

// Close implements Display.
func (g *guarded) Close() { g.try(g.display.Close) }

// try calls f, and ends the display if that panics.
func (g *guarded) try(f func()) {
	defer func() {
		if cause := recover(); cause != nil && !g.failed.Swap(true) {
			fmt.Fprintf(g.w, "Progress is not shown any more, because of a fault in fwctl (%v). "+
				"The run goes on, and its result follows at its end.\n", cause)
		}
	}()
	f()
}

// Quiet returns a display that shows nothing.
func Quiet() Display { return quiet{} }

type quiet struct{}

func (quiet) Show(result.Event) {}
func (quiet) Say(string)        {}
func (quiet) Close()            {}

// JSONLines returns a display that writes each event as a line of JSON to w, with its times in UTC, and passes
// other text to say.
func JSONLines(w io.Writer, simulated bool, say func(text string)) Display {
	return &jsonLines{out: json.NewEncoder(w), simulated: simulated, say: say}
}

type jsonLines struct {
	out       *json.Encoder
	simulated bool
	say       func(string)
}

func (j *jsonLines) Show(e result.Event) {
	// Logs of hosts in several zones are put together.
	e.Time = e.Time.UTC()
	if e.Until != nil {
		until := e.Until.UTC()
		e.Until = &until
	}
	// A reader that went away must not stop a run.
	_ = j.out.Encode(result.EventLine{Event: e, Simulated: j.simulated})
}

func (j *jsonLines) Say(text string) { j.say(text) }
func (j *jsonLines) Close()          {}

package ui

import (
	"encoding/json"
	"io"

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
	if takesBars(w) {
		return &onceInFull{Display: newBars(w, v, c)}
	}
	return &onceInFull{Display: &lineDisplay{w: w, words: v, course: c}}
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

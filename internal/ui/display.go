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

// Live returns the display of a run for people: bars on a terminal, else lines. The run is
// about so many components of this host; 0: it does nothing to any of them.
func Live(w *Output, p *plan.Plan, components int) Display {
	if takesBars(w) {
		return &onceInFull{Display: newBars(w, p, components)}
	}
	return &onceInFull{Display: &lineDisplay{w: w, plan: p}}
}

// Quiet returns a display that shows nothing.
func Quiet() Display { return quiet{} }

type quiet struct{}

func (quiet) Show(result.Event) {}
func (quiet) Say(string)        {}
func (quiet) Close()            {}

// JSONLines returns a display that writes each event as a line of JSON to w, and passes
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
	// A reader that went away must not stop a run.
	_ = j.out.Encode(struct {
		result.Event
		Simulated bool `json:"simulated"`
	}{e, j.simulated})
}

func (j *jsonLines) Say(text string) { j.say(text) }
func (j *jsonLines) Close()          {}

package ui

import (
	"bytes"
	"strings"
	"testing"

	"fwctl/executor/result"
)

// faulty is a display that panics at a type of event.
type faulty struct {
	at    result.EventType
	shown []result.EventType
	said  []string
}

func (f *faulty) Show(e result.Event) {
	if e.Type == f.at {
		panic("index out of range")
	}
	f.shown = append(f.shown, e.Type)
}

func (f *faulty) Say(text string) { f.said = append(f.said, text) }
func (f *faulty) Close()          { panic("closed twice") }

// A run is not ended by what is shown of it.
func TestFaultyDisplay(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	inner := &faulty{at: result.EventProgress}
	d := &guarded{display: inner, w: NewOutput(&out)}
	d.Say("before")
	for _, e := range []result.EventType{result.EventStarted, result.EventProgress, result.EventStaged} {
		d.Show(result.Event{Type: e})
	}
	d.Say("Stopping after what runs.")
	d.Close()

	if len(inner.shown) != 1 || len(inner.said) != 1 {
		t.Errorf("the display showed %v and said %v; want what came before it failed", inner.shown, inner.said)
	}
	text := out.String()
	if strings.Count(text, "because of a fault in fwctl (index out of range)") != 1 || strings.Contains(text, "closed twice") {
		t.Errorf("output = %q; want the fault once", text)
	}
	if !strings.HasSuffix(text, "Stopping after what runs.\n") {
		t.Errorf("output = %q; want what was said afterwards", text)
	}
}

package ui

import (
	"testing"

	"fwctl/executor/result"
)

// A reader that stands still holds up nobody, and is told the rest once it moves.
func TestQueueNeverWaits(t *testing.T) {
	t.Parallel()
	moves := make(chan struct{})
	var told []result.Event
	queue := NewQueue(func(e result.Event) {
		<-moves
		told = append(told, e)
	})
	queue.Add(result.Event{Type: result.EventStarted, Address: "a"})
	for n := range int64(1000) {
		queue.Add(result.Event{Type: result.EventProgress, Address: "a", Bytes: n})
	}
	queue.Add(result.Event{Type: result.EventStaged, Address: "a"})
	close(moves)
	queue.Close()

	if len(told) < 3 || told[0].Type != result.EventStarted {
		t.Fatalf("events told = %v; want started, progress, staged", told)
	}
	if last := told[len(told)-1]; last.Type != result.EventStaged {
		t.Errorf("last event told = %v; want staged", last)
	}
	if last := told[len(told)-2]; last.Bytes != 999 {
		t.Errorf("last progress told = %v; want byte 999", last)
	}
}

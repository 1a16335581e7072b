package ui

import (
	"testing"

	"fwctl/executor"
)

// A reader that stands still holds up nobody, and is told the rest once it moves.
func TestQueueNeverWaits(t *testing.T) {
	moves := make(chan struct{})
	var told []executor.Event
	queue := NewQueue(func(e executor.Event) {
		<-moves
		told = append(told, e)
	})
	queue.Add(executor.Event{Type: executor.EventStarted, Address: "a"})
	for n := range int64(1000) {
		queue.Add(executor.Event{Type: executor.EventProgress, Address: "a", Bytes: n})
	}
	queue.Add(executor.Event{Type: executor.EventStaged, Address: "a"})
	close(moves)
	queue.Close()

	if len(told) < 3 || told[0].Type != executor.EventStarted {
		t.Fatalf("events told = %v; want started, progress, staged", told)
	}
	if last := told[len(told)-1]; last.Type != executor.EventStaged {
		t.Errorf("last event told = %v; want staged", last)
	}
	if last := told[len(told)-2]; last.Bytes != 999 {
		t.Errorf("last progress told = %v; want byte 999", last)
	}
}

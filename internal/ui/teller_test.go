package main

import (
	"testing"
	"testing/synctest"
	"time"

	"fwctl/executor"
)

// A reader that stands still holds up nobody, and is told the rest once it moves.
func TestTellerNeverWaits(t *testing.T) {
	moves := make(chan struct{})
	var told []executor.Event
	teller := newTeller(func(e executor.Event) {
		<-moves
		told = append(told, e)
	})
	teller.add(executor.Event{Type: executor.EventStarted, Address: "a"})
	for n := range int64(1000) {
		teller.add(executor.Event{Type: executor.EventProgress, Address: "a", Bytes: n})
	}
	teller.add(executor.Event{Type: executor.EventStaged, Address: "a"})
	close(moves)
	teller.close()

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

// Who asks for something is not kept by an output that stands still, and hears of
// it first where it does not.
func TestBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, moves := time.Now(), make(chan struct{})
		briefly(func() { <-moves })
		close(moves)
		told := false
		briefly(func() { time.Sleep(time.Millisecond); told = true })
		if took := time.Since(began); took > 2*time.Second || !told {
			t.Errorf("briefly waited %v, and told: %v; want a second for what stands still, and to wait for what does not", took, told)
		}
	})
}

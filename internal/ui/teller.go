package main

import (
	"sync"

	"fwctl/executor"
)

// teller passes events on from a goroutine of its own. Whoever reads the output
// may stand still (a pager, ^S, a pipe that nobody empties), and a download must
// never wait for that. Progress that newer progress has overtaken is left out.
type teller struct {
	tell func(executor.Event)

	mu     sync.Mutex
	closed bool
	events []executor.Event
	wake   chan struct{}
	done   chan struct{}
}

func newTeller(tell func(executor.Event)) *teller {
	t := &teller{tell: tell, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(t.done)
		for range t.wake {
			for _, e := range t.take() {
				t.tell(e)
			}
		}
	}()
	return t
}

// add takes an event without waiting for anything.
func (t *teller) add(e executor.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	last := len(t.events) - 1
	if last >= 0 && e.Type == executor.EventProgress && t.events[last].Type == e.Type && t.events[last].Address == e.Address {
		t.events[last] = e
	} else {
		t.events = append(t.events, e)
	}
	select {
	case t.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (t *teller) take() []executor.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.events
	t.events = nil
	return events
}

// close waits until everything is told. What is added later is not: a run that was
// left goes on until the process ends.
func (t *teller) close() {
	t.mu.Lock()
	t.closed = true
	close(t.wake)
	t.mu.Unlock()
	<-t.done
}

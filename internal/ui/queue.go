package ui

import (
	"sync"

	"fwctl/executor/result"
)

// Queue passes events on from a goroutine of its own. The output may stand still (a pager, ^S, a
// pipe that no one empties), and a download must never wait for that. Progress that newer progress
// has overtaken is dropped.
type Queue struct {
	show func(result.Event)

	mu     sync.Mutex
	closed bool
	events []result.Event
	wake   chan struct{}
	done   chan struct{}
}

// NewQueue returns a queue that passes events to show, one after the other.
func NewQueue(show func(result.Event)) *Queue {
	q := &Queue{show: show, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(q.done)
		for range q.wake {
			for _, e := range q.take() {
				q.show(e)
			}
		}
	}()
	return q
}

// Add takes an event without waiting for anything.
func (q *Queue) Add(e result.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	last := len(q.events) - 1
	if last >= 0 && overtakes(e, q.events[last]) {
		q.events[last] = e
	} else {
		q.events = append(q.events, e)
	}
	select {
	case q.wake <- struct{}{}:
	default:
		// It is awake already.
	}
}

// overtakes reports whether e is newer progress of the component that last is about.
func overtakes(e, last result.Event) bool {
	return e.Type == result.EventProgress && last.Type == e.Type && last.Address == e.Address
}

func (q *Queue) take() []result.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	events := q.events
	q.events = nil
	return events
}

// Close waits until everything is shown. Events that are added later are not: a run that was left
// goes on until the process ends.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	close(q.wake)
	q.mu.Unlock()
	<-q.done
}

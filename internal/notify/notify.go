// Package notify notifies people of a run: it runs the command that the plan names for that, with
// one of the run's events or its result on standard input.
//
// It follows the events of a run from outside. It never fails a run and never delays one: what the
// command does not take in time is lost, and the last message says how much was. It decides
// nothing about components.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"fwctl/executor/result"
	"fwctl/internal/command"
	"fwctl/plan"
)

// How long the command may take, once for each message. While the run goes on that keeps up
// nothing but other messages. At its end fwctl waits for those that are left, together, and then
// for the last one.
const (
	MessageTime = 30 * time.Second
	BacklogTime = 10 * time.Second
	LastTime    = 10 * time.Second
	// Of a run that somebody left: they wait for nothing.
	leftTime = time.Second
	// What is killed may take a moment to be gone. What is not gone then is waited for no longer.
	graceTime = 3 * time.Second
)

// mostWaiting is how many messages wait while the command runs: what comes after that is lost.
const mostWaiting = 100

// Kind is why people are notified.
type Kind string

const (
	// Start: the run begins, or is resumed.
	Start Kind = "start"
	// Failure: a component failed or was refused, or a command around its reset failed.
	Failure Kind = "failure"
	// Person: the run waits for a power cycle, or a component is in a state that only a person can
	// judge: its outcome is unknown, or a reset could leave nothing that starts.
	Person Kind = "person"
	// End: the run has ended, whatever its outcome.
	End Kind = "end"
)

// kindOf returns what an event is to people who are elsewhere; "" if they need not know before
// the run ends. A run that waits for a window needs nobody: it goes on by itself.
func kindOf(e result.Event) Kind {
	switch e.Type {
	case result.EventBegun:
		return Start
	case result.EventPowerCycle:
		return Person
	case result.EventHookEnded:
		if e.Reason != "" {
			return Failure
		}
	case result.EventFinished:
		switch {
		case e.NeedsPerson, e.Outcome == result.OutcomeUnknown:
			return Person
		case e.Outcome == result.OutcomeFailed, e.Outcome == result.OutcomeRefused:
			return Failure
		}
	}
	return ""
}

// Head is what a message says beside an event or a result.
type Head struct {
	Kind Kind   `json:"notify"`
	Host string `json:"host"`
	// Run is 0 if there is no record of it.
	Run        int64  `json:"run,omitempty"`
	PlanDigest string `json:"plan_digest"`
	// Missed is how many messages the command did not take, or was not run for. Of the last message.
	Missed int `json:"missed,omitempty"`
}

// Config is the run that people are notified of, and how.
type Config struct {
	Plan *plan.Plan
	Host string
	// Run runs the command with a message to read until ctx ends, and returns the end of what it
	// wrote. nil on simulated racks: there nobody is notified.
	Run func(ctx context.Context, argv []string, stdin []byte) ([]byte, error)
	// Warn takes the event of the first message that was not taken. On simulated racks it must not
	// wait.
	Warn func(result.Event)
}

// Notifier has people notified of one run.
type Notifier struct {
	Config

	mu      sync.Mutex
	run     int64
	seen    map[subject]bool
	waiting []message
	ended   *result.Result
	missed  int
	warned  bool

	// wake has a value if there may be something to say, and done is closed after the last message.
	wake, done chan struct{}

	// backlog ends when the time of the messages before the last is over, all when nobody waits
	// for the last one any more.
	backlog, all         context.Context
	endBacklog, stopSoon context.CancelFunc
}

// message is what people are notified of: an event, or at the end the result.
type message struct {
	kind  Kind
	event result.Event
}

// subject is what people are notified of once.
type subject struct {
	kind    Kind
	address string
	wave    int
}

// New returns the notifier of a run. It does nothing if the plan names no command.
func New(c Config) *Notifier {
	n := &Notifier{
		Config: c, seen: map[subject]bool{}, wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	n.all, n.stopSoon = context.WithCancel(context.Background())
	n.backlog, n.endBacklog = context.WithCancel(n.all)
	if n.runs() {
		go n.work()
	}
	return n
}

// runs reports whether there is a command to run.
func (n *Notifier) runs() bool { return len(n.Plan.Notify) > 0 && n.Run != nil }

// Event takes an event of the run, without waiting for anything.
func (n *Notifier) Event(e result.Event) {
	kind := kindOf(e)
	if kind == "" || len(n.Plan.Notify) == 0 {
		return
	}
	if n.Run == nil {
		n.warn("not run, because the rack is simulated")
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	about := subject{kind, e.Address, e.Wave}
	if n.ended != nil || n.seen[about] {
		return
	}
	n.seen[about] = true
	if kind == Start {
		n.run = e.Run
	}
	at := len(n.waiting)
	if kind != Failure {
		// Before failures: there is something to do.
		if i := slices.IndexFunc(n.waiting, func(m message) bool { return m.kind == Failure }); i >= 0 {
			at = i
		}
	}
	n.waiting = slices.Insert(n.waiting, at, message{kind, e})
	if len(n.waiting) > mostWaiting {
		n.waiting = n.waiting[:mostWaiting]
		n.missed++
	}
	n.rouse()
}

// End notifies people of how the run ended. It returns when the command has taken that, when the
// time for it is over, or soon after the end of ctx.
func (n *Notifier) End(ctx context.Context, r *result.Result) {
	if !n.runs() {
		return
	}
	copied := *r
	// Who waits no longer may change it.
	copied.Commands = slices.Clone(r.Commands)
	n.mu.Lock()
	n.ended = &copied
	n.rouse()
	n.mu.Unlock()
	backlog := BacklogTime
	if r.Left {
		backlog = 0
	}
	defer time.AfterFunc(backlog, n.endBacklog).Stop()
	select {
	case <-n.done:
		return
	case <-ctx.Done():
	case <-time.After(backlog + LastTime + graceTime):
	}
	n.stopSoon()
	select {
	case <-n.done:
	case <-time.After(graceTime):
	}
}

func (n *Notifier) rouse() {
	select {
	case n.wake <- struct{}{}:
	default:
		// It is awake already.
	}
}

// work runs the command for one message after the other.
func (n *Notifier) work() {
	defer close(n.done)
	for range n.wake {
		for m, ok := n.next(); ok; m, ok = n.next() {
			n.send(m)
			if m.kind == End {
				return
			}
		}
	}
}

// next returns the message that comes next: that of the end after all others, or when their time
// is over.
func (n *Notifier) next() (m message, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.backlog.Err() != nil {
		n.missed += len(n.waiting)
		n.waiting = nil
	}
	switch {
	case len(n.waiting) > 0:
		m, n.waiting = n.waiting[0], n.waiting[1:]
		return m, true
	case n.ended != nil:
		return message{kind: End}, true
	}
	return m, false
}

// send runs the command for a message. That it failed is said of the first.
func (n *Notifier) send(m message) {
	until, most := n.backlog, MessageTime
	if m.kind == End {
		until, most = n.all, LastTime
		if n.ended.Left {
			most = leftTime
		}
	}
	ctx, cancel := context.WithTimeout(until, most)
	defer cancel()
	text, err := n.encode(m)
	var output []byte
	if err == nil {
		output, err = n.Run(ctx, n.Plan.Notify, text)
	}
	if err == nil {
		return
	}
	why := err.Error()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		why = fmt.Sprintf("it did not end within %v and was killed", plan.Duration(most))
	case ctx.Err() != nil:
		why = "it had not ended by the end of the run and was killed"
	}
	n.mu.Lock()
	n.missed++
	n.mu.Unlock()
	n.warn(fmt.Sprintf("failed: %s%s (the run does not depend on it; further failures are not reported)",
		why, command.LastLine(output)))
}

// encode writes a message as a line of JSON.
func (n *Notifier) encode(m message) ([]byte, error) {
	n.mu.Lock()
	head := Head{Kind: m.kind, Host: n.Host, Run: n.run, PlanDigest: n.Plan.Digest}
	if m.kind == End {
		head.Missed = n.missed
	}
	n.mu.Unlock()
	var whole any = struct {
		Head
		result.EventLine
	}{head, result.EventLine{Event: m.event, Simulated: n.Plan.Simulated}}
	if m.kind == End {
		whole = struct {
			Head
			result.Line
		}{head, n.ended.Line(n.Plan.Simulated)}
	}
	text, err := json.Marshal(whole)
	return append(text, '\n'), err
}

// warn says why people are not notified, the first time.
func (n *Notifier) warn(why string) {
	n.mu.Lock()
	already := n.warned
	n.warned = true
	n.mu.Unlock()
	if already {
		return
	}
	// Not under the lock: nobody may read it.
	n.Warn(result.Event{Time: time.Now(), Type: result.EventNotNotified, Command: n.Plan.Notify, Reason: why})
}

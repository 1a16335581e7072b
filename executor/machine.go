package executor

import (
	"fmt"
	"strings"

	"fwctl/executor/result"
)

// State is where a component's step stands. See Diagram.
type State string

const (
	Pending    State = "pending"    // not begun, or waiting for its reset wave
	Recovering State = "recovering" // a killed run left it in the middle of something: the device is looked at
	Checking   State = "checking"   // its preconditions are compared with the live device
	Sending    State = "sending"    // chunks are on their way
	Sent       State = "sent"       // the device has all of them and has not said how it ended
	Staged     State = "staged"     // the image is dormant in the device
	Activating State = "activating" // the command that starts it is on its way
	Waiting    State = "waiting"    // for the device to come back with a revision
	Verifying  State = "verifying"  // what it runs is compared with what it should
	Done       State = "done"       // it runs the hop's revision
	Refused    State = "refused"    // nothing was sent
	Unchanged  State = "unchanged"  // it was as planned already
	Failed     State = "failed"     // and what it runs is known
	Aborted    State = "aborted"    // the download was withdrawn between two chunks
	Unknown    State = "unknown"    // nobody can tell what it runs or holds
)

// Outcome is how a step has ended that stands in s; "" for one that goes on.
func (s State) Outcome() Outcome { return result.OutcomeOf(string(s)) }

// Trigger is what moves a step from one state to the next.
type Trigger string

const (
	Begin     Trigger = "begin"      // its wave has come
	Recover   Trigger = "recover"    // a killed run was in the middle of it
	StartOver Trigger = "start over" // the device holds nothing of what was sent
	Stale     Trigger = "stale"      // a precondition does not hold
	AsPlanned Trigger = "as planned" // nothing is left to do
	Send      Trigger = "send"       // the image is to be downloaded
	Refuse    Trigger = "refuse"     // the device will not have it, and nothing was sent
	Withdraw  Trigger = "withdraw"   // interrupted before anything was sent
	Keep      Trigger = "keep"       // likewise, and what is staged stays so
	Again     Trigger = "again"      // the device was reset in mid-stream, or the enclosure has changed: once, from the beginning
	Postpone  Trigger = "postpone"   // the mode was refused at the first chunk; its reset wave tries the next one
	SentAll   Trigger = "all sent"   // the last chunk was taken
	Abort     Trigger = "abort"      // asked for between two chunks
	Defer     Trigger = "deferred"   // complete, and dormant
	Start     Trigger = "starts"     // complete, and starting by itself
	Activate  Trigger = "activate"   // what is staged is to be started
	Restart   Trigger = "restart"    // the device took the command that starts it
	Return    Trigger = "return"     // the device answers again
	Confirm   Trigger = "confirmed"  // it runs what it should
	NextHop   Trigger = "next hop"   // the step has another one
	Fail      Trigger = "fail"       // and what the device runs is known
	Lose      Trigger = "lose"       // and nobody can tell
)

// edge is one transition. The table is in the order in which a step goes through it.
type edge struct {
	from State
	on   Trigger
	to   State
}

var edges = []edge{
	{Pending, Begin, Checking},
	{Pending, Recover, Recovering},
	{Recovering, StartOver, Pending},
	{Recovering, SentAll, Sent},
	{Recovering, Start, Waiting},
	{Recovering, Restart, Waiting},
	{Recovering, Keep, Staged},
	{Recovering, Fail, Failed},
	{Recovering, Lose, Unknown},
	{Checking, Stale, Refused},
	{Checking, AsPlanned, Unchanged},
	{Checking, Send, Sending},
	{Checking, Activate, Activating},
	{Checking, Withdraw, Pending},
	{Checking, Keep, Staged},
	{Checking, Return, Verifying},
	{Checking, Fail, Failed},
	{Sending, Refuse, Refused},
	{Sending, Withdraw, Pending},
	{Sending, Again, Checking},
	{Sending, Postpone, Pending},
	{Sending, SentAll, Sent},
	{Sending, Abort, Aborted},
	{Sending, Fail, Failed},
	{Sending, Lose, Unknown},
	{Sent, Defer, Staged},
	{Sent, Start, Waiting},
	{Sent, Fail, Failed},
	{Sent, Lose, Unknown},
	{Staged, Begin, Checking},
	{Activating, Restart, Waiting},
	{Activating, Fail, Failed},
	{Activating, Lose, Unknown},
	{Waiting, Return, Verifying},
	{Waiting, Lose, Unknown},
	{Verifying, Confirm, Done},
	{Verifying, Fail, Failed},
	{Verifying, Lose, Unknown},
	{Done, NextHop, Pending},
	{Done, Fail, Failed},
}

// Next is the step machine: where a step goes from s on t. False where t cannot
// happen in s.
func Next(s State, t Trigger) (State, bool) {
	for _, e := range edges {
		if e.from == s && e.on == t {
			return e.to, true
		}
	}
	return s, false
}

// Diagram draws the step machine as a Mermaid state diagram.
func Diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> pending\n")
	for _, e := range edges {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", e.from, e.to, e.on)
	}
	for _, s := range []State{Staged, Done, Refused, Unchanged, Failed, Aborted, Unknown} {
		fmt.Fprintf(&b, "    %s --> [*]\n", s)
	}
	return b.String()
}

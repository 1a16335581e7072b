package step

import (
	"fmt"
	"strings"

	"fwctl/plan"
)

// Kind says what happened to a component.
type Kind string

const (
	// Begin: its wave has come.
	Begin Kind = "begin"
	// Resumed: the run that it belongs to goes on after it was broken off.
	Resumed Kind = "resumed"
	// HoldsNone: the device holds nothing of what was being sent.
	HoldsNone Kind = "start over"
	// Stale: the device is not as the plan expects it, or cannot be compared. Refusal.
	Stale Kind = "stale"
	// AsPlanned: nothing is left to do.
	AsPlanned Kind = "as planned"
	// Send: the image is to be downloaded by Mode.
	Send Kind = "send"
	// Activate: the staged image is to be started.
	Activate Kind = "activate"
	// Intended: commands with an effect come next; Open are their ids. Begins is set for
	// the start of a download.
	Intended Kind = "intended"
	// Refuse: the device does not take the image, and nothing was sent. Refusal.
	Refuse Kind = "refuse"
	// Withdraw: the run stops before anything was sent.
	Withdraw Kind = "withdraw"
	// Keep: the run leaves staged what is staged.
	Keep Kind = "keep"
	// Again: the device was reset in mid-download, or the enclosure changed, so the download
	// starts over, once. Taken, Device.
	Again Kind = "again"
	// ModeRefused: the device refused the mode at the first chunk.
	ModeRefused Kind = "mode refused"
	// AllSent: the last chunk was taken, or may have been.
	AllSent Kind = "all sent"
	// Abort: the download was withdrawn between two chunks. Taken, Device.
	Abort Kind = "abort"
	// Defer: the image is whole and dormant. Confirmed, PowerOnly.
	Defer Kind = "deferred"
	// Start: the image is whole and starts by itself.
	Start Kind = "starts"
	// Restart: the device took the command that starts the image, or may have.
	Restart Kind = "restart"
	// Return: the device answers again, or something else has started the image.
	Return Kind = "return"
	// Confirm: the device runs what it should. Confirmed: the revision proves it.
	Confirm Kind = "confirmed"
	// NextHop: the step has another hop.
	NextHop Kind = "next hop"
	// Fail: the work has failed, and what the device runs is known. Taken, Device, PowerOnly.
	Fail Kind = "fail"
	// Lose: the work has ended, and what the device runs or holds is unknown. Taken, Device,
	// Answers.
	Lose Kind = "lose"
)

// Device is what a device holds after a download or an activation went wrong, by what it says
// or by its silence.
type Device string

const (
	Unsaid Device = ""
	// Broken: it had a part or all of the image, and that is no good, or discarded.
	Broken Device = "broken"
	// Empty: it holds nothing that could be started.
	Empty Device = "empty"
	// Needy: it says that it needs a whole image, 83h.
	Needy Device = "needs image"
	// Doubtful: it may hold all or a part of the image.
	Doubtful Device = "doubtful"
	// Another: it waits for more of another image, and has something to start from.
	Another Device = "another"
)

// Event is something that happened to a component. The comment of its Kind says which fields
// count, beside Reason and Revision.
type Event struct {
	Kind     Kind
	Reason   string
	Revision string // that was read on the way, "" for none
	Mode     plan.Mode
	Open     []int64
	Begins   bool
	// Taken is set if the device may have a part of this download. In Sent and Recovering that
	// goes without saying.
	Taken     bool
	Device    Device
	Confirmed bool
	PowerOnly bool
	// Answers is set if a resumption loses a device that does answer: another resumption would
	// find out no more.
	Answers bool
	Refusal Refusal
}

// edge is one transition. edges is in the order in which a component goes through it. Resumed
// and Intended are not there: the first may come in every state, and the second leaves the
// state as it is.
type edge struct {
	from State
	on   Kind
	to   State
}

var edges = []edge{
	{Pending, Begin, Checking},
	{Recovering, HoldsNone, Pending},
	{Recovering, AllSent, Sent},
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
	{Sending, ModeRefused, Pending},
	{Sending, AllSent, Sent},
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

func next(from State, on Kind) (to State, ok bool) {
	for _, e := range edges {
		if e.from == from && e.on == on {
			return e.to, true
		}
	}
	return "", false
}

// Diagram draws the state machine as a Mermaid state diagram.
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

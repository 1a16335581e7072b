// Package result is what a run says of itself: events while it goes on, results when it has
// ended, what was found after a power cycle, and what is left after a crash.
//
// It holds values only. Package executor makes them; it opens no device and no store.
package result

import (
	"fwctl/executor/step"
	"fwctl/plan"
)

// Outcome is how a component's step ended.
type Outcome string

const (
	OutcomeStaged    Outcome = "staged"    // the image waits for its activation; Reason says so where the plan was to activate it in this run
	OutcomeUpdated   Outcome = "updated"   // the wanted revision was read back
	OutcomeUnchanged Outcome = "unchanged" // it was as planned already
	OutcomeFailed    Outcome = "failed"    // and what it runs is known
	OutcomeRefused   Outcome = "refused"   // before its first byte
	OutcomeSkipped   Outcome = "skipped"   // not started, because of something else
	OutcomeUnknown   Outcome = "unknown"   // nobody can tell what it runs or holds
	OutcomeReady     Outcome = "ready"     // Check only: Run would start it
)

// OutcomeOf returns how a component has ended that stands in a state; "" for one that goes on.
func OutcomeOf(s step.State) Outcome {
	switch s {
	case step.Staged:
		return OutcomeStaged
	case step.Done:
		return OutcomeUpdated
	case step.Refused:
		return OutcomeRefused
	case step.Unchanged:
		return OutcomeUnchanged
	case step.Failed, step.Aborted:
		return OutcomeFailed
	case step.Unknown:
		return OutcomeUnknown
	}
	return ""
}

// Step is how one component's step ended.
type Step struct {
	Address     string      `json:"address"`
	Outcome     Outcome     `json:"outcome"`
	Confirmed   bool        `json:"confirmed"`              // the device's own word stands behind Outcome
	Mode        plan.Mode   `json:"mode,omitempty"`         // of the last download
	Modes       []plan.Mode `json:"modes,omitempty"`        // of each hop's, in their order, where more than one was begun; "" where it was staged before
	Revision    string      `json:"revision"`               // last read from the device, "" where nothing was
	Reason      string      `json:"reason,omitempty"`       // in words
	Waits       int         `json:"waits,omitempty"`        // number of the wave that goes on with it, where Config.Phase or Config.Wave left that out
	NeedsPerson bool        `json:"needs_person,omitempty"` // status 83h, or half an image by mode 7: a reset or power cycle now could brick it
}

// RunOutcome is how a run ended as a whole. Each has its exit code.
type RunOutcome string

const (
	RunDone        RunOutcome = "done"        // everything that was planned for this host
	RunStopped     RunOutcome = "stopped"     // in order, nothing failed: the rest waits for another host's wave, a window or a power cycle
	RunRefused     RunOutcome = "refused"     // nothing was written
	RunFailed      RunOutcome = "failed"      // some components, and the state of every one is known
	RunUnknown     RunOutcome = "unknown"     // of a component, or one needs a person
	RunInterrupted RunOutcome = "interrupted" // and what had been started was brought to its end
)

// ExitCode is the exit code of a process that has carried a run out.
func (o RunOutcome) ExitCode() int {
	switch o {
	case RunDone:
		return 0
	case RunRefused:
		return 3
	case RunFailed:
		return 4
	case RunStopped:
		return 6
	case RunInterrupted:
		return 130
	}
	return 5
}

// Refusal says what stands in the way of a run that was refused.
type Refusal string

const (
	RefusedStale      Refusal = "stale"      // the devices are not as the plan expects them: it takes a new plan
	RefusedUnread     Refusal = "unread"     // a device could not be compared with the plan: that has to be mended first
	RefusedInUse      Refusal = "in-use"     // somebody else works on it: the same plan can be applied later
	RefusedDisruption Refusal = "disruption" // I/O may stop where nobody accepted it: Config.AcceptDisruption
	RefusedWrongHost  Refusal = "wrong-host" // the plan is for other machines
	RefusedGate       Refusal = "gate"       // a reset that was permitted when the plan was made is not now: the drives' use has changed
	RefusedOrder      Refusal = "order"      // Config.Phase or Config.Wave leave out what has to come first, or another host has to go first
	RefusedWindow     Refusal = "window"     // a maintenance window is closed, or closes too soon: the same plan can be applied later
	RefusedUnfinished Refusal = "unfinished" // an earlier run was killed in the middle of its work there: it is to be resumed
)

// Result is what a run did: a step for each that the plan updates or activates,
// in the plan's order. Where several outcomes fit, the first of unknown, failed,
// interrupted, refused, stopped and done stands for the run.
type Result struct {
	Outcome RunOutcome `json:"outcome"`
	Reason  string     `json:"reason,omitempty"`  // why all of it was refused, or why it stopped
	Left    bool       `json:"left,omitempty"`    // the run was left while it went on: Config.Leave
	Lost    bool       `json:"lost,omitempty"`    // its end is not on record, because the store cannot be written: Resume is to look
	Refusal Refusal    `json:"refusal,omitempty"` // where Outcome is refused, and not by what a device said of an image
	Steps   []Step     `json:"steps"`

	// Commands are what goes on with the plan where Outcome is stopped, in order: on
	// other hosts too, whose progress cannot be seen from here.
	Commands []plan.Turn `json:"commands,omitempty"`
}

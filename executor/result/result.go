// Package result holds what a run reports: events while it goes on, results when it has
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
	// OutcomeStaged: the image waits for its activation. Reason says why if the plan was to
	// activate it in this run.
	OutcomeStaged Outcome = "staged"
	// OutcomeUpdated: the wanted revision was read back.
	OutcomeUpdated Outcome = "updated"
	// OutcomeUnchanged: it was as planned already.
	OutcomeUnchanged Outcome = "unchanged"
	// OutcomeFailed: it failed, and what it runs is known.
	OutcomeFailed Outcome = "failed"
	// OutcomeRefused: it was refused before its first byte.
	OutcomeRefused Outcome = "refused"
	// OutcomeSkipped: it was not started, because of something else.
	OutcomeSkipped Outcome = "skipped"
	// OutcomeUnknown: what it runs or holds is unknown.
	OutcomeUnknown Outcome = "unknown"
	// OutcomeReady: Run would start it. Check only.
	OutcomeReady Outcome = "ready"
)

// OutcomeOf returns how a component in a state has ended; "" if it goes on.
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
	Address string `json:"address"`
	// Name is what people call the enclosure, "" if it has no name.
	Name    string  `json:"name,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Confirmed: the device itself has confirmed Outcome.
	Confirmed bool `json:"confirmed"`
	// Mode is that of the last download.
	Mode plan.Mode `json:"mode,omitempty"`
	// Modes has the mode of each hop, in order, if several were begun; "" if a hop's image had
	// been staged before.
	Modes []plan.Mode `json:"modes,omitempty"`
	// Revision is the last that was read from the device, "" if none was.
	Revision string `json:"revision"`
	Reason   string `json:"reason,omitempty"`
	// Waits is the number of the wave that continues with it, if the run was not for that wave.
	Waits int `json:"waits,omitempty"`
	// NeedsPerson: a reset or power cycle now could brick it. The device said 83h, or holds
	// half an image by mode 7.
	NeedsPerson bool `json:"needs_person,omitempty"`
}

// RunOutcome is how a run ended as a whole. Each has its exit code.
type RunOutcome string

const (
	// RunDone: everything that was planned for this host is done.
	RunDone RunOutcome = "done"
	// RunStopped: it stopped in order, and nothing failed. The rest waits for another host's
	// wave, a window or a power cycle.
	RunStopped RunOutcome = "stopped"
	// RunRefused: nothing was written.
	RunRefused RunOutcome = "refused"
	// RunFailed: some components failed, and the state of every one is known.
	RunFailed RunOutcome = "failed"
	// RunUnknown: the outcome of a component is unknown, or one needs a person.
	RunUnknown RunOutcome = "unknown"
	// RunInterrupted: what had been started was brought to its end.
	RunInterrupted RunOutcome = "interrupted"
)

// ExitCode returns the exit code of a process that has carried a run out.
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

// Result is what a run did: a step for each that the plan updates or activates, in the
// plan's order. If several outcomes fit, the first of unknown, failed, interrupted,
// refused, stopped and done stands for the run.
type Result struct {
	Outcome RunOutcome `json:"outcome"`
	// Reason is why all of it was refused, or why it stopped.
	Reason string `json:"reason,omitempty"`
	// Left: a person left the run while it was going on.
	Left bool `json:"left,omitempty"`
	// Lost: the end of the run is not on record, because the store cannot be written. The run
	// has to be resumed.
	Lost bool `json:"lost,omitempty"`
	// Refusal says what stood in the way if Outcome is refused; "" if a device refused an image.
	Refusal step.Refusal `json:"refusal,omitempty"`
	Steps   []Step       `json:"steps"`

	// Commands continue the plan, in order, on other hosts too, whose progress cannot be seen from
	// here. What was done here has to stand for Soak before the first of them.
	Commands []plan.Turn   `json:"commands,omitempty"`
	Soak     plan.Duration `json:"soak,omitempty"`
}

// Worse returns the one of two outcomes that stands for both.
func Worse(a, b RunOutcome) RunOutcome {
	for _, o := range []RunOutcome{RunUnknown, RunFailed, RunInterrupted, RunRefused, RunStopped} {
		if a == o || b == o {
			return o
		}
	}
	return RunDone
}

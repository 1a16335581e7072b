package result

import (
	"time"

	"fwctl/internal/state"
	"fwctl/plan"
)

// EventType says what happened.
type EventType string

const (
	// EventBegun: the run with the number Run begins, or is resumed, and is about Components of this host.
	EventBegun EventType = "begun"
	// EventRecovered: what a killed run left was looked at. Reason says what was found.
	EventRecovered EventType = "recovered"
	// EventChecking: Components are about to be compared with the plan.
	EventChecking EventType = "checking"
	// EventWave: Wave begins.
	EventWave EventType = "wave"
	// EventWindow: Wave waits for a window, named by Reason, that opens at Until.
	EventWindow EventType = "window"
	// EventSoaking: Wave is done, and no other begins before Until.
	EventSoaking EventType = "soaking"
	// EventPowerCycle: a person is to power-cycle the enclosures that Reason lists, for Components.
	EventPowerCycle EventType = "power-cycle"
	// EventStarted: a download of Total bytes by Mode is about to start.
	EventStarted EventType = "started"
	// EventProgress: Bytes of Total were taken.
	EventProgress EventType = "progress"
	// EventRefusedMode: the device does not take Mode. Reason says what follows.
	EventRefusedMode EventType = "refused-mode"
	// EventHook: Command is run on one side of a reset. With a Reason, it is not run.
	EventHook EventType = "hook"
	// EventHookEnded: the command has ended and wrote Output. With a Reason, it failed.
	EventHookEnded EventType = "hook-ended"
	// EventNotNotified: Command, which notifies people of the run, is not run, or has failed, for a
	// Reason. The first time alone.
	EventNotNotified EventType = "not-notified"
	// EventNoticed: Reason is worth a line in the log.
	EventNoticed EventType = "noticed"
	// EventStaged: the image is downloaded and dormant.
	EventStaged EventType = "staged"
	// EventActivating: the image is being started, and the ESP may reset.
	EventActivating EventType = "activating"
	// EventWaiting: the device is waited for.
	EventWaiting EventType = "waiting"
	// EventVerified: Revision was read back.
	EventVerified EventType = "verified"
	// EventFinished: the component has its Outcome, and Reason says why.
	EventFinished EventType = "finished"
)

// Event is something that happened, one line of apply -o json.
type Event struct {
	Time time.Time `json:"time"`
	Type EventType `json:"type"`

	// Run is the number of the run in the store of its host.
	Run int64 `json:"run,omitempty"`
	// Address is the component's, "" if the event is about the run or a wave.
	Address string `json:"address,omitempty"`
	// Name is what people call the component's enclosure, "" if it has no name.
	Name string `json:"name,omitempty"`
	// Components is how many components the event is about.
	Components int `json:"components,omitempty"`
	// Wave is the number of a wave.
	Wave  int        `json:"wave,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Hop counts from 1 to Hops.
	Hop  int       `json:"hop,omitempty"`
	Hops int       `json:"hops,omitempty"`
	Mode plan.Mode `json:"mode,omitempty"`
	// Bytes were taken of Total, the size of the image.
	Bytes     int64   `json:"bytes,omitempty"`
	Total     int64   `json:"total,omitempty"`
	Revision  string  `json:"revision,omitempty"`
	Confirmed *bool   `json:"confirmed,omitempty"`
	Outcome   Outcome `json:"outcome,omitempty"`
	// NeedsPerson is as in Step.
	NeedsPerson bool   `json:"needs_person,omitempty"`
	Reason      string `json:"reason,omitempty"`

	Hook    state.HookKind `json:"hook,omitempty"`
	Command plan.Command   `json:"command,omitempty"`
	Output  string         `json:"output,omitempty"`
}

// EventLine is an event as it is written for programs: a line of apply -o json.
type EventLine struct {
	Event
	Simulated bool `json:"simulated"`
}

// Line is a result as it is written for programs: the last line of apply -o json.
type Line struct {
	Type     string `json:"type"`
	ExitCode int    `json:"exit_code"`
	*Result
	Simulated bool `json:"simulated"`
}

// Line returns the result as it is written for programs.
func (r *Result) Line(simulated bool) Line {
	return Line{Type: "result", ExitCode: r.Outcome.ExitCode(), Result: r, Simulated: simulated}
}

package result

import (
	"time"

	"fwctl/internal/state"
	"fwctl/plan"
)

// EventType says what happened.
type EventType string

const (
	EventRecovered   EventType = "recovered"    // what a killed run left was looked at: Reason
	EventChecking    EventType = "checking"     // Components are about to be compared with the plan
	EventWave        EventType = "wave"         // Wave
	EventWindow      EventType = "window"       // the Wave waits for a window, whose name is the Reason, to open at Until
	EventSoaking     EventType = "soaking"      // what the Wave did has to stand until Until before another begins
	EventPowerCycle  EventType = "power-cycle"  // a person is to power-cycle the enclosures that Reason names, for Components
	EventStarted     EventType = "started"      // a download of Total bytes by Mode is about to start
	EventProgress    EventType = "progress"     // Bytes of Total were taken
	EventRefusedMode EventType = "refused-mode" // the device does not take Mode; Reason says what follows
	EventHook        EventType = "hook"         // Command is run on one side of a reset; Reason says so where it is not
	EventHookEnded   EventType = "hook-ended"   // it wrote Output; Reason says why it failed, "" where it did not
	EventNoticed     EventType = "noticed"      // Reason is worth a line in the log
	EventStaged      EventType = "staged"       // downloaded and dormant; Confirmed
	EventActivating  EventType = "activating"   // the microcode is being started, and the ESP may reset
	EventWaiting     EventType = "waiting"      // for the device to come back
	EventVerified    EventType = "verified"     // Revision was read back
	EventFinished    EventType = "finished"     // the component's Outcome, and its Reason
)

// Event is something that happened to a component, one line of apply -o json.
type Event struct {
	Time       time.Time  `json:"time"`
	Type       EventType  `json:"type"`
	Address    string     `json:"address,omitempty"`    // of the component; "" for the run or a wave
	Components int        `json:"components,omitempty"` // how many the run is about
	Wave       int        `json:"wave,omitempty"`       // number of the wave
	Until      *time.Time `json:"until,omitempty"`
	Hop        int        `json:"hop,omitempty"` // 1 to Hops
	Hops       int        `json:"hops,omitempty"`
	Mode       plan.Mode  `json:"mode,omitempty"`
	Bytes      int64      `json:"bytes,omitempty"`
	Total      int64      `json:"total,omitempty"` // size of the image in bytes
	Revision   string     `json:"revision,omitempty"`
	Confirmed  *bool      `json:"confirmed,omitempty"`
	Outcome    Outcome    `json:"outcome,omitempty"`
	Reason     string     `json:"reason,omitempty"`

	Hook    state.HookKind `json:"hook,omitempty"`
	Command plan.Command   `json:"command,omitempty"`
	Output  string         `json:"output,omitempty"`
}

// Package executor carries a plan out: it walks the waves, sends images, activates
// them, waits for devices to come back and verifies what they then run.
//
// It decides nothing that the plan could have decided, compares the plan's
// preconditions with the live devices before every first byte, never repeats a
// command with an effect, and never prints: what happens is told to an observer.
package executor

import (
	"context"
	"time"

	"fwctl/internal/image"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// Config is what Run, Resume and Check work with. Machine, Store, Plan, Images and
// By must be set.
type Config struct {
	Machine transport.Machine
	Store   *state.Store
	Plan    *plan.Plan
	Images  map[string]*image.Image // by SHA-256, 64 hex digits: one for every hop that is still to be sent
	By      string                  // who runs it, for the record
	Account state.Account           // whom the system takes them for, likewise

	// AcceptDisruption selects the components at which I/O may stop; inventory.All is
	// every one. Run refuses a plan with another one whose worst disruption is that.
	AcceptDisruption []inventory.Selector

	// Unseen are the enclosures of which this host does not see all ESPs, so that another
	// host may be writing to them. Run refuses them without SoleWriter: somebody's word,
	// for the record, that nobody else writes to them.
	Unseen     []plan.Unseen
	SoleWriter bool

	// IgnoreWindow is why the plan is carried out whether its windows are open or
	// not, for the record; "" where they hold.
	IgnoreWindow string

	// Phase and Wave limit the run to waves of one kind, and to the one with a number;
	// "" and 0 for all of them. What would have to come first is not passed over.
	Phase plan.WaveKind
	Wave  int

	// Wait has the run wait for windows to open, and for a person's power cycle.
	Wait bool

	// Withdraw, once closed, has downloads by mode e broken off between two chunks.
	// Resets, and downloads by mode 7, are seen through. May be nil.
	Withdraw <-chan struct{}

	// Leave, once closed, has Run return at once, whatever is under way: the process
	// is about to end. The run stays open, for Resume. May be nil.
	Leave <-chan struct{}

	// Command runs a command of the plan's hooks, with these variables added to the
	// environment, and returns what it wrote: the end of that, where it is much. It
	// kills the command when ctx ends; nothing else does. nil on simulated racks
	// alone: there hooks are told of, and not run.
	Command func(ctx context.Context, argv, env []string) ([]byte, error)

	Observer func(Event) // told of every event, from one goroutine at a time; may be nil
}

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

// StepResult is how one component's step ended.
type StepResult struct {
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
	Outcome RunOutcome   `json:"outcome"`
	Reason  string       `json:"reason,omitempty"`  // why all of it was refused, or why it stopped
	Left    bool         `json:"left,omitempty"`    // the run was left while it went on: Config.Leave
	Lost    bool         `json:"lost,omitempty"`    // its end is not on record, because the store cannot be written: Resume is to look
	Refusal Refusal      `json:"refusal,omitempty"` // where Outcome is refused, and not by what a device said of an image
	Steps   []StepResult `json:"steps"`

	// Commands are what goes on with the plan where Outcome is stopped, in order: on
	// other hosts too, whose progress cannot be seen from here.
	Commands []plan.Turn `json:"commands,omitempty"`
}

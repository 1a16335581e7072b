// Package executor carries a plan out: it walks the waves, sends images, activates
// them, waits for devices to come back and verifies what they then run.
//
// It decides nothing that the plan could have decided, compares the plan's
// preconditions with the live devices before every first byte, never repeats a
// command with an effect, and never prints: what happens is told to an observer.
package executor

import (
	"context"

	"fwctl/executor/result"
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

	Observer func(result.Event) // told of every event, from one goroutine at a time; may be nil
}

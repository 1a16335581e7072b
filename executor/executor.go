// Package executor carries a plan out: it walks the waves, sends images, activates
// them, waits for devices to come back and verifies what they then run.
//
// It decides nothing that the plan could have decided, compares the plan's
// preconditions with the live devices before every first byte, never repeats a
// command with an effect, and never prints: an observer receives the events.
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
	// Images has, by SHA-256, one for every hop that is still to be sent.
	Images map[string]*image.Image
	// By is who runs it, and Account who that is to the system; both are for the record.
	By      string
	Account state.Account

	// AcceptDisruption selects the components at which I/O may stop; inventory.All selects
	// every one. Run refuses a plan that may stop I/O at any other.
	AcceptDisruption []inventory.Selector

	// Unseen are the enclosures that have ESPs this host does not see: another host may be
	// writing to them. Run refuses them unless SoleWriter is set: a person's word, for the
	// record, that no other host does.
	Unseen     []plan.Unseen
	SoleWriter bool

	// IgnoreWindow is the reason to carry the plan out while its windows are closed, for the
	// record; "" to keep to them.
	IgnoreWindow string

	// Phase and Wave limit the run to waves of one kind, and to the one with a number;
	// "" and 0 for all of them. An earlier wave that is not done is not skipped: the run stops.
	Phase plan.WaveKind
	Wave  int

	// Wait makes the run wait for windows to open, and for a person's power cycle.
	Wait bool

	// Withdraw, once closed, breaks downloads by mode e off between two chunks. Resets, and
	// downloads by mode 7, are brought to their end. May be nil.
	Withdraw <-chan struct{}

	// Leave, once closed, makes Run return at once, whatever is under way: the process
	// is about to end. The run stays open, for Resume. May be nil.
	Leave <-chan struct{}

	// Command runs a command of the plan's hooks, with these variables added to the
	// environment, and returns the end of what it wrote. It kills the command when ctx ends,
	// and only then. nil on simulated racks only: hooks are reported there, and not run.
	Command func(ctx context.Context, argv, env []string) ([]byte, error)

	// Observer receives every event, one at a time; may be nil.
	Observer func(result.Event)
}

// Package step is the state machine of one component: a small value, the events that
// move it, and the commands that follow from them.
//
// It is pure. It knows no device, no store and no clock: package executor asks the device,
// hands over the answer as an Event, commits the Component that comes back and carries out
// the Commands. A test applies every Event to every reachable Component.
package step

import (
	"slices"

	"fwctl/plan"
)

// State is where a component stands. See Diagram.
type State string

const (
	// Pending has not begun, or waits for its next wave.
	Pending State = "pending"
	// Recovering was broken off in the middle of its work; its device is being looked at.
	Recovering State = "recovering"
	// Checking compares the device with the plan.
	Checking State = "checking"
	// Sending sends chunks.
	Sending State = "sending"
	// Sent has sent all chunks and has not heard how that ended.
	Sent State = "sent"
	// Staged holds the image dormant in the device.
	Staged State = "staged"
	// Activating sends the command that starts the staged image.
	Activating State = "activating"
	// Waiting waits for the device to come back with a revision.
	Waiting State = "waiting"
	// Verifying compares what the device runs with what it should run.
	Verifying State = "verifying"
	// Done runs the hop's revision.
	Done State = "done"
	// Refused has ended before its first byte.
	Refused State = "refused"
	// Unchanged was as planned already.
	Unchanged State = "unchanged"
	// Failed has ended, and what it runs is known.
	Failed State = "failed"
	// Aborted was withdrawn between two chunks, on request.
	Aborted State = "aborted"
	// Unknown has ended, and what it runs or holds is unknown.
	Unknown State = "unknown"
)

// ended are the states that no event but Resumed leaves.
var ended = []State{Refused, Unchanged, Failed, Aborted, Unknown}

// Waits reports whether a wave may have something to do: the component has not begun, or is
// between two of its waves.
func (s State) Waits() bool { return s == Pending || s == Staged }

// Ended reports whether nothing follows in this run.
func (s State) Ended() bool { return slices.Contains(ended, s) }

// Content is what a device holds beside what it runs, as far as fwctl knows.
type Content string

const (
	// Nothing is what a device holds unless something says otherwise.
	Nothing Content = ""
	// Part of an image, or all of it if the device has not said so.
	Part Content = "part"
	// Whole is a dormant image.
	Whole Content = "whole"
	// Unclear is all or a part of an image; the device does not say which.
	Unclear Content = "unclear"
)

// Holds is what a device holds beside what it runs.
type Holds struct {
	Content Content `json:"content,omitempty"`
	// Image is the SHA-256 of a Whole image.
	Image string `json:"image,omitempty"`
	// Confirmed is set if the device said that the image is whole.
	Confirmed bool `json:"confirmed,omitempty"`
	// PowerOnly is set if mode 0Fh does not start the image.
	PowerOnly bool `json:"power_only,omitempty"`
}

// Damage is why a device may have nothing sound to start from. Until it has got a whole
// image, a reset or a power loss could brick it.
type Damage string

const (
	Sound Damage = ""
	// HalfImage is a download by mode 7 that did not reach its end.
	HalfImage Damage = "half image"
	// NeedsImage is status 83h.
	NeedsImage Damage = "needs image"
)

// Component is where one component of a plan stands. There is no other state: the store keeps
// it as it is, and a run is resumed by loading it and applying Resumed.
type Component struct {
	State State `json:"state"`
	// Hop is the index of the hop that it is at.
	Hop int `json:"hop"`
	// Mode is that of the hop's download, begun or next; "" before that is known.
	Mode plan.Mode `json:"mode,omitempty"`
	// Downloads has the mode by which each hop was last downloaded, "" for none.
	Downloads []plan.Mode `json:"downloads"`
	// RefusedE is set if the device has refused mode e for this hop.
	RefusedE bool `json:"refused_e,omitempty"`
	// Retried is set if this hop's download has started over.
	Retried bool `json:"retried,omitempty"`
	// Touched is set if this run has tried a command with an effect.
	Touched bool `json:"touched,omitempty"`
	// Restarted is set if it started an image in this run, on command or by itself.
	Restarted bool `json:"restarted,omitempty"`
	// Confirmed is set if State rests on what the device itself said.
	Confirmed bool   `json:"confirmed,omitempty"`
	Holds     Holds  `json:"holds,omitzero"`
	Damage    Damage `json:"damage,omitempty"`
	// Runs is the revision that was last read, "" for none.
	Runs string `json:"runs,omitempty"`
	// Open has the ids of the effects that were intended and whose end is unknown.
	Open []int64 `json:"open,omitempty"`
	// Reason says in words why it is in this state.
	Reason string `json:"reason,omitempty"`
	// Refusal is what stood in the way if it was refused, "" if the device did not take the image.
	Refusal Refusal `json:"refusal,omitempty"`
}

// New returns a component of a plan that nothing has been done with.
func New(s *plan.Step) Component {
	c := Component{State: Pending, Downloads: make([]plan.Mode, len(s.Hops))}
	if image := s.Preconditions.Staged; image != nil && *image != "" {
		// This is the plan's word; Compare finds out what the device said.
		c.Holds = Holds{Content: Whole, Image: *image, Confirmed: true}
	}
	return c
}

func (c Component) clone() Component {
	c.Downloads = slices.Clone(c.Downloads)
	c.Open = slices.Clone(c.Open)
	return c
}

// At returns the hop that a component is at.
func (c Component) At(s *plan.Step) *plan.Hop { return &s.Hops[c.Hop] }

// HoldsHop reports whether it holds the image of its hop dormant.
func (c Component) HoldsHop(s *plan.Step) bool {
	return c.Holds.Content == Whole && c.Holds.Image == c.At(s).Image.SHA256
}

// Staged returns the SHA-256 of the image that it holds dormant, "" for none.
func (c Component) Staged() string {
	if c.Holds.Content != Whole {
		return ""
	}
	return c.Holds.Image
}

// Dormant reports whether it holds the image of its hop, and mode 0Fh does not start that, or
// must not, because the device never said that the image is whole.
func (c Component) Dormant(s *plan.Step) bool {
	return c.HoldsHop(s) && (c.Holds.PowerOnly || !c.Holds.Confirmed && !c.At(s).ActivateUnconfirmed)
}

// Activates reports whether a run starts the image that a hop stages.
func Activates(h *plan.Hop) bool {
	return h.Activation == plan.WithApply && h.ActivateBy == plan.ByModeF
}

// Halfway reports whether it is between two of its hops, or may have lost what it would start
// from. It is then brought to its end, whatever stops the run.
func (c Component) Halfway() bool {
	return c.Touched && c.State == Pending && (c.Hop > 0 || c.Damage == HalfImage)
}

// Arrived reports whether it is where the run brings it: it runs the last revision, or holds the
// last image for a person to start. That is not known of a component whose revision is not on
// record, as in runs of a fwctl before 1.0.
func (c Component) Arrived(s *plan.Step) bool {
	if c.Hop+1 < len(s.Hops) || c.Runs == "" {
		return false
	}
	return c.State == Done || c.State == Staged && c.At(s).Activation == plan.Manual && !c.Holds.PowerOnly
}

// NeedsPerson reports whether it has ended without anything sound to start from.
func (c Component) NeedsPerson() bool {
	switch c.State {
	case Failed, Unknown:
		return c.Damage != Sound
	case Aborted:
		return c.Damage != Sound && c.Touched
	}
	return false
}

// MayBeHalfSent reports whether the device may still wait for more of an image that this run
// sends again: WRITE BUFFER has no abort.
func (c Component) MayBeHalfSent(s *plan.Step) bool {
	return c.Holds.Content == Part && c.At(s).Protocol == plan.WriteBuffer
}

// Begun returns the modes of the hops that were begun, "" for a hop whose image had been
// staged before.
func (c Component) Begun() []plan.Mode {
	n := c.Hop
	if c.Downloads[c.Hop] != "" {
		n++
	}
	return slices.Clone(c.Downloads[:n])
}

package step

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
)

// Task is what a wave has to do for a component.
type Task string

const (
	Idle        Task = ""
	ToSend      Task = "send"
	ToStart     Task = "start"
	AwaitsPower Task = "await power" // until it runs what is staged
)

// TaskIn returns what a wave has to do for a component that waits.
func (c Component) TaskIn(s *plan.Step, w *plan.Wave) Task {
	switch {
	case w.Number != s.Waves.Stage && w.Number != s.Waves.Reset:
		return Idle
	case w.PowerCycle:
		if c.HoldsHop(s) {
			return AwaitsPower
		}
		return Idle
	case c.HoldsHop(s):
		if w.Kind == plan.ResetWave && c.At(s).ByCommand() && !c.Dormant(s) && c.Damage == Sound {
			return ToStart
		}
		return Idle
	case c.ModeIn(s, w) == "":
		return Idle
	}
	return ToSend
}

// ModeIn returns the mode that a wave tries next, "" for none. Mode e comes first, and a mode
// that resets comes only in a reset wave.
func (c Component) ModeIn(s *plan.Step, w *plan.Wave) plan.Mode {
	hop := c.At(s)
	for _, m := range hop.Modes {
		if m == plan.ModeE && c.RefusedE {
			continue
		}
		if hop.Defers(m) || w.Kind == plan.ResetWave {
			return m
		}
	}
	return ""
}

// MayReset reports whether what a wave has to do for a component resets its ESP.
func (c Component) MayReset(s *plan.Step, w *plan.Wave) bool {
	task := c.TaskIn(s, w)
	return task == ToStart || task == ToSend && !c.At(s).Defers(c.ModeIn(s, w))
}

// Seen is a component as it was read, joined with what the store holds about it.
type Seen struct {
	Enclosure *inventory.Enclosure
	Sub       *inventory.Subenclosure
	// LastSent is the SHA-256 of the image that it took last, "" for none.
	LastSent string
	// Planned is when the plan was made.
	Planned time.Time
}

// Place returns a component at the hop that it has come to: where the plan has it, or further
// on, where an earlier apply of the same plan has left it. A component that this run has
// touched stays where it is.
func (c Component) Place(s *plan.Step, sub *inventory.Subenclosure) Component {
	if c.Touched {
		return c
	}
	for i := range s.Hops {
		hop := &s.Hops[i]
		var holds Holds
		switch {
		case sub.Revision != hop.From:
			continue
		case sub.Staged != nil && sub.Staged.SHA256 == hop.Image.SHA256 && hop.MayDefer() &&
			(i > 0 || s.Waves.Stage != 0):
			holds = Holds{
				Content: Whole, Image: hop.Image.SHA256, Confirmed: sub.Staged.Confirmed, PowerOnly: c.Holds.PowerOnly,
			}
		case i == 0, sub.Staged != nil, sub.Sent == nil, sub.Sent.SHA256 != s.Hops[i-1].Image.SHA256:
			continue
		}
		return c.placed(s, i, holds)
	}
	if c.Hop != 0 {
		return c.placed(s, 0, c.Holds)
	}
	return c
}

func (c Component) placed(s *plan.Step, hop int, holds Holds) Component {
	n := c.clone()
	if hop != c.Hop {
		n.Hop, n.Mode, n.RefusedE, n.Retried = hop, "", false, false
	}
	n.Holds = holds
	if n.State == Staged && !n.HoldsHop(s) { // it was started, or replaced, since
		n.State, n.Confirmed = Pending, false
	}
	if n.At(s).ByCommand() && n.Dormant(s) && !n.Holds.PowerOnly {
		n.Reason = "the device never said that what it holds staged is complete, so it is not activated" + ByPowerCycle
	}
	return n
}

// Judge compares a component with what its step expects. If all is as expected, the Event has
// no Kind, and the wave's task comes next.
func (c Component) Judge(s *plan.Step, seen Seen) Event {
	hop := c.At(s)
	atEnd := !c.Touched && c.Damage == Sound && reached(s, seen)
	switch {
	case atEnd && c.HoldsHop(s) && !c.Holds.Confirmed: // it may be writing flash still
		return Event{
			Kind: Keep, Reason: "it holds the image already, and the device has never said that it is complete",
		}
	case atEnd:
		return Event{Kind: AsPlanned, Reason: "it is as planned already"}
	case c.Touched && c.HoldsHop(s) && seen.Sub.Revision == hop.To && hop.From != hop.To:
		return Event{
			Kind: Return, Reason: "something else has started it: the reset of another component, or a power cycle",
		}
	}
	if d := c.differences(s, seen); len(d) > 0 {
		return c.NotAsPlanned("not as planned: " + strings.Join(d, "; "))
	}
	return Event{}
}

// NotAsPlanned returns the event of a component that is not as its step expects.
func (c Component) NotAsPlanned(reason string) Event {
	if c.Touched {
		return Event{Kind: Fail, Reason: reason}
	}
	return Event{Kind: Stale, Refusal: RefusedStale, Reason: reason + ": make a new plan"}
}

// differences names everything in which a component differs from what its step expects.
func (c Component) differences(s *plan.Step, seen Seen) []string {
	var all []string
	differ := func(what, want, got string) {
		if want != got {
			all = append(all, fmt.Sprintf("%s: expected %s, found %s", what, cmp.Or(want, "none"), cmp.Or(got, "none")))
		}
	}
	revision := c.At(s).From
	if !c.Touched && c.Hop == 0 { // an update may change the name that a component reports
		revision = s.Preconditions.Revision
		differ("vendor", s.Vendor, seen.Sub.Vendor)
		differ("product", s.Product, seen.Sub.Product)
	}
	differ("revision", revision, seen.Sub.Revision)
	staged := ""
	if seen.Sub.Staged != nil {
		staged = seen.Sub.Staged.SHA256
	}
	differ("staged image", c.Staged(), staged)
	var esps []string
	for i := range seen.Enclosure.ESPs {
		esps = append(esps, seen.Enclosure.ESPs[i].LUID)
	}
	slices.Sort(esps)
	differ("ESPs", strings.Join(slices.Sorted(slices.Values(s.Preconditions.ESPs)), " "), strings.Join(esps, " "))
	return all
}

// reached reports whether a component is where its step was to bring it: it runs the last
// image, or holds it staged if an apply does not start that. A revision that was also reported
// before the run proves nothing unless the record shows that the image was sent. For a part
// that reports no revision, only an image that was sent since the plan was made counts.
func reached(s *plan.Step, seen Seen) bool {
	last, sub := &s.Hops[len(s.Hops)-1], seen.Sub
	switch {
	case last.Unversioned && sub.Staged == nil:
		behind := sub.Behind(last.BufferID)
		return behind != nil && behind.SHA256 == last.Image.SHA256 && behind.At.After(seen.Planned)
	case sub.Staged != nil:
		return last.Activation == plan.Manual &&
			sub.Staged.SHA256 == last.Image.SHA256 && sub.Revision == last.From
	case sub.Revision != last.To:
		return false
	}
	return s.Preconditions.Revision != last.To || seen.LastSent == last.Image.SHA256
}

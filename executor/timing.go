package executor

import (
	"time"

	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/inventory"
)

// phase is a part of the work on a component that is being timed; the zero value is none. A
// phase that began before a resumption, or that began twice, is not timed.
type phase struct {
	of    inventory.Phase
	mode  string
	began time.Time
}

// timed ends the phase that is being timed if an event ends it well, and begins the next. was
// is the component before the event. It returns how long the phase took, nil if none has
// ended well.
func (c *component) timed(was step.Component, on step.Kind, now time.Time) *state.Timing {
	p := c.phase
	ended := false
	switch mode := string(was.Mode); {
	case was.State == step.Sending && on == step.AllSent:
		c.phase, ended = phase{inventory.FlashPhase, mode, now}, p.of == inventory.DownloadPhase
	case was.State == step.Sent && on == step.Defer:
		c.phase, ended = phase{}, p.of == inventory.FlashPhase
	case was.State == step.Sent && on == step.Start:
		// Only if this process sent the image: a resumption does not know when that ended.
		if ended = p.of == inventory.FlashPhase; ended {
			c.phase = phase{inventory.ReturnPhase, mode, now}
		}
	case was.State == step.Checking && on == step.Activate:
		c.phase = phase{inventory.ReturnPhase, inventory.ActivationMode, now}
	case was.State == step.Activating && on == step.Restart, was.State == step.Waiting && on == step.Return:
	case was.State == step.Verifying && on == step.Confirm:
		c.phase, ended = phase{}, p.of == inventory.ReturnPhase
	default:
		c.phase = phase{}
	}
	if !ended {
		return nil
	}
	hop := was.At(c.step)
	t := &state.Timing{
		TimedWork: inventory.TimedWork{
			Vendor: c.step.Vendor, Product: c.step.Product, Mode: p.mode, Protocol: string(hop.Protocol), Phase: p.of,
		},
		ImageSize: hop.Image.Size, Took: now.Sub(p.began), At: now,
	}
	if p.of == inventory.ReturnPhase {
		t.ImageSize = 0
	}
	return t
}

package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// check reads a component, finds where it stands, and compares it with what its step
// expects. If all is as expected, the event is the wave's task; without a wave it has no
// Kind.
func (r *run) check(ctx context.Context, held *enclosure.Held, c *component, wave *plan.Wave) step.Event {
	remembered, err := r.Store.Memory(ctx)
	if err != nil {
		return c.cannot(err)
	}
	e, worse, err := r.readAgain(ctx, held)
	if e == nil {
		return c.cannot(err)
	}
	memory.AddStaged(e, remembered)
	_, sub, err := c.in(e)
	if err != nil {
		return c.is.NotAsPlanned(err.Error())
	}
	if err := r.forgetStaged(ctx, c, remembered, sub); err != nil {
		return c.cannot(err)
	}
	is := c.is.Place(c.step, sub)
	is.Runs = sub.Revision
	r.set(c, is)
	next := c.next(wave)
	c.download = r.newDownload(held, e, c, cmp.Or(next.Mode, c.is.Mode))
	switch {
	case c.unsure(sub):
		return c.is.NotAsPlanned(
			"the device never said that what it holds staged is complete, so it is not activated; " +
				"a power cycle would start it")
	case len(worse) > 0:
		return c.is.NotAsPlanned("the enclosure has become worse since the run began: " + strings.Join(worse, "; "))
	}
	seen := step.Seen{Enclosure: e, Sub: sub, Planned: r.Plan.CreatedAt}
	if sent := remembered.Sent[c.key]; len(sent) > 0 {
		seen.LastSent = sent[len(sent)-1].SHA256
	}
	if event := c.is.Judge(c.step, seen); event.Kind != "" {
		return event
	}
	return next
}

// readAgain reads an enclosure, and returns what has become worse there since the run began.
func (r *run) readAgain(ctx context.Context, held *enclosure.Held) (e *inventory.Enclosure, worse []string, err error) {
	before := r.baselineOf(held.ID())
	err = enclosure.Retry(ctx, func() (err error) {
		worse = nil
		if e, err = held.Read(ctx); err != nil || before == nil {
			return err
		}
		// An error has it read once more: a page that could not be read looks like a decline.
		if worse = before.Decline(e); len(worse) > 0 {
			return errors.New(strings.Join(worse, "; "))
		}
		return nil
	})
	return e, worse, err
}

// forgetStaged deletes the record of a staged image that a component no longer holds.
func (r *run) forgetStaged(ctx context.Context, c *component, m *state.Memory, sub *inventory.Subenclosure) error {
	old, ok := m.Staged[c.key]
	if !ok || sub.Staged != nil || r.id == 0 {
		return nil
	}
	if err := r.Store.Update(ctx, func(tx *state.Tx) { tx.Unstage(c.key) }); err != nil {
		return err
	}
	r.event(c.about(result.Event{Type: result.EventNoticed, Reason: fmt.Sprintf(
		"what was staged here on %s is no longer: it ran %s then and runs %s now",
		old.Since.Format(time.DateOnly), old.Running, sub.Revision)}))
	return nil
}

// next returns the event of a wave's task for a component that is as expected.
func (c *component) next(wave *plan.Wave) step.Event {
	if wave == nil {
		return step.Event{}
	}
	switch c.is.TaskIn(c.step, wave) {
	case step.ToSend:
		return step.Event{Kind: step.Send, Mode: c.is.ModeIn(c.step, wave)}
	case step.ToStart:
		return step.Event{Kind: step.Activate}
	}
	if c.is.HoldsHop(c.step) {
		return step.Event{Kind: step.Keep, Reason: c.is.Reason}
	}
	return step.Event{Kind: step.Withdraw, Reason: c.is.Reason}
}

// unsure reports whether it holds an image that the plan wants started now, though the
// device never said that the image is complete.
func (c *component) unsure(sub *inventory.Subenclosure) bool {
	hop := c.hop()
	return c.is.Staged() != "" && !c.is.Touched && c.step.Action != plan.Update && hop.ByCommand() &&
		sub.Staged != nil && !sub.Staged.Confirmed && !hop.ActivateUnconfirmed
}

package executor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/internal/download"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// component is one component of the plan on its way through its step. Only the goroutine
// that works on its fault domain uses it.
type component struct {
	step *plan.Step
	key  state.Key

	// is is all that is known of where it stands. Only apply changes it, and set after a look
	// that has no effect.
	is    step.Component
	moved time.Time   // when it came to its state; zero if it never left the first
	seen  result.Step // as of its last event; guarded by run.mu

	download *download.Download // under way
	phase    phase              // being timed
	heldBack string             // why its wave left it as it was
	ready    bool               // the preflight found it as the plan expects it
}

func newComponent(s *plan.Step) *component {
	c := &component{step: s, key: memory.KeyOf(s), is: step.New(s)}
	c.seen = c.result()
	return c
}

func (c *component) hop() *plan.Hop { return c.is.At(c.step) }

func (c *component) task(wave plan.Wave) step.Task { return c.is.TaskIn(c.step, &wave) }

// scheduled returns it as package schedule has components.
func (c *component) scheduled() schedule.Component { return schedule.Component{Step: c.step, Is: c.is} }

// in finds it in an enclosure, at its address.
func (c *component) in(e *inventory.Enclosure) (*inventory.ESP, *inventory.Subenclosure, error) {
	return e.ComponentAt(c.step.LUID, c.step.Subenclosure, c.step.Address)
}

// revisionIn returns what it runs by a look at its enclosure, "" if that did not show it.
func (c *component) revisionIn(e *inventory.Enclosure) string {
	if e != nil {
		if _, sub, _ := c.in(e); sub != nil {
			return sub.Revision
		}
	}
	return ""
}

// record returns where it stands, for the store.
func (c *component) record(at time.Time) state.Step {
	hop := c.hop()
	value, err := json.Marshal(c.is)
	if err != nil {
		panic(err) // strings, numbers and booleans
	}
	return state.Step{
		Address: c.step.Address, Key: c.key, Hop: c.is.Hop, SHA256: hop.Image.SHA256, From: hop.From, To: hop.To,
		State: string(c.is.State), Mode: string(c.is.Mode), Detail: c.is.Reason, At: at, Component: string(value),
	}
}

// set changes a component to what a look at its device has shown. It records nothing.
func (r *run) set(c *component, is step.Component) {
	c.is = is
	r.mu.Lock()
	defer r.mu.Unlock()
	c.seen = c.result()
}

// apply moves a component by an event, and commits its new value with all that follows. If
// that cannot be committed, no effect comes next: the component fails.
func (r *run) apply(ctx context.Context, c *component, e step.Event) {
	was := c.is
	is, commands := step.Apply(c.step, was, e)
	c.is, c.moved = is, time.Now()
	if err := r.commit(ctx, c, commands, c.timed(was, e.Kind, c.moved)); err != nil {
		r.unrecorded(c, err)
		if is.State == step.Sending || is.State == step.Activating {
			c.is, _ = step.Apply(c.step, is, step.Event{Kind: step.Fail, Reason: err.Error()})
		}
	}
	r.set(c, c.is)
	r.report(c, e.Kind)
	r.account(c)
}

// commit records a component, carries out the commands that are for the store, and records
// how long a phase took if took is not nil. Check records nothing.
func (r *run) commit(ctx context.Context, c *component, commands []step.Command, took *state.Timing) error {
	if r.id == 0 {
		return nil
	}
	return r.Store.Update(ctx, func(tx *state.Tx) {
		tx.SetStep(r.id, c.record(c.moved))
		for _, cmd := range commands {
			c.carryOut(tx, cmd, c.moved, r.By)
		}
		if took != nil {
			took.Run = r.id
			tx.Time(*took)
		}
	})
}

func (c *component) carryOut(tx *state.Tx, cmd step.Command, now time.Time, by string) {
	hop := c.hop()
	caution := func(kind inventory.CautionKind) {
		tx.Caution(state.CautionRecord{Key: c.key, Caution: inventory.Caution{
			Kind: kind, Address: c.step.Address, Detail: cmd.Reason, Since: now,
		}})
	}
	switch cmd.Do {
	case step.Stage:
		tx.Stage(c.key, state.StagedRecord{
			SHA256: hop.Image.SHA256, Revision: hop.To, Running: c.is.Runs, Since: now, By: by,
			Confirmed: c.is.Confirmed,
		})
	case step.Unstage:
		tx.Unstage(c.key)
	case step.RecordSent:
		if hop.Unversioned {
			tx.Beside(c.key, state.Beside{BufferID: hop.BufferID, SHA256: hop.Image.SHA256, At: now})
			break
		}
		tx.Sent(c.key, state.Sent{SHA256: hop.Image.SHA256, Revision: hop.To, At: now})
	case step.Settle: // whichever of its addresses they were recorded by
		for _, address := range c.step.Addresses() {
			tx.Settle(c.key, address, inventory.NeedsImage)
			tx.Settle(c.key, address, inventory.Unclear)
		}
	case step.CautionNeedsImage:
		tx.NeedsImage(c.key, c.step.Address, cmd.Reason, now)
	case step.CautionUnclear:
		caution(inventory.Unclear)
	case step.CautionPowerOnly:
		caution(inventory.PowerOnly)
	case step.Resolve:
		for _, id := range cmd.Open {
			tx.Resolve(id, cmd.Reason)
		}
	}
}

// intend commits effects before they are tried, with the value that the component has then.
func (r *run) intend(ctx context.Context, c *component, mode byte, kinds ...state.Kind) error {
	if len(kinds) == 0 {
		return nil
	}
	was := c.is
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		intended := step.Event{Kind: step.Intended, Begins: kinds[0] == state.DownloadStart}
		for _, kind := range kinds {
			intended.Open = append(intended.Open, tx.Intend(state.Intent{
				Run: r.id, Address: c.step.Address, Key: c.key, Kind: kind, Mode: fmt.Sprintf("%02x", mode),
				SHA256: c.hop().Image.SHA256, At: time.Now(),
			}))
		}
		c.is, _ = step.Apply(c.step, was, intended)
		tx.SetStep(r.id, c.record(c.moved))
	})
	if err != nil {
		c.is = was
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrote = true
	return nil
}

// unrecorded reports that the store cannot be written, after which nothing new is started.
func (r *run) unrecorded(c *component, err error) {
	r.stop(err.Error(), result.RunFailed)
	r.event(c.about(result.Event{Type: result.EventNoticed, Reason: err.Error()}))
}

// holding says that it holds its hop's image staged, as the end of a reason; "" if it does not.
func (c *component) holding() string {
	if !c.is.HoldsHop(c.step) {
		return ""
	}
	return fmt.Sprintf("; it holds %s staged, which a power cycle would start", cmp.Or(c.hop().To, "the image"))
}

// cannot returns the event of an error that came before a component's next byte; none if
// there is no error.
func (c *component) cannot(err error) step.Event {
	switch {
	case err == nil:
		return step.Event{}
	case c.is.Touched:
		return step.Event{Kind: step.Fail, Reason: err.Error() + c.holding()}
	}
	refusal := refusalFor(err)
	reason := err.Error()
	if refusal == step.RefusedInUse {
		reason = "it is in use: " + reason
	}
	return step.Event{Kind: step.Stale, Refusal: refusal, Reason: reason}
}

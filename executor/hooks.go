package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/internal/command"
	"fwctl/internal/state"
	"fwctl/plan"
)

// hooked works on a component. If a reset may follow, it runs the step's commands before
// and after that. It returns what work returns.
func (r *run) hooked(ctx context.Context, wave plan.Wave, c *component, work func() bool) bool {
	if c.step.Hooks == nil || !c.is.MayReset(c.step, &wave) {
		return work()
	}
	hop, goesOn := c.is.Hop, false
	if why := r.hook(ctx, c, hop, state.BeforeReset, ""); why != "" {
		c.heldBack = why
		r.hookFailed(c, state.BeforeReset)
	} else {
		goesOn = work()
	}
	r.afterReset(ctx, c, hop)
	return goesOn
}

// afterReset runs the command after a reset, however the reset ended: it undoes what the
// command before the reset did.
func (r *run) afterReset(ctx context.Context, c *component, hop int) {
	became := outcomeOf(c.is.State)
	if c.is.Hop > hop {
		became = result.OutcomeUpdated
	}
	if why := r.hook(ctx, c, hop, state.AfterReset, became); why != "" {
		c.is.Reason = joined(c.is.Reason, why)
		r.hookFailed(c, state.AfterReset)
	}
}

// hookFailed counts a command that failed as its component's failure.
func (r *run) hookFailed(c *component, kind state.HookKind) {
	why := fmt.Sprintf("the command %s of %s failed", kind.Words(), c.step.Called())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = r.stops.WentWrong(r.Plan, c.scheduled(), why).BreakOff(c.step, why)
}

// hook runs the command on one side of a reset, and returns why it failed; "" if it did
// not. Its start is recorded before it is started: see runOwedHooks.
func (r *run) hook(
	ctx context.Context, c *component, hop int, kind state.HookKind, became result.Outcome,
) (failure string) {
	argv := c.step.Hooks.BeforeReset
	if kind == state.AfterReset {
		argv = c.step.Hooks.AfterReset
	}
	event := result.Event{Type: result.EventHook, Hook: kind, Command: argv}
	if r.Command == nil {
		if len(argv) > 0 {
			event.Reason = "not run, because the rack is simulated"
			r.event(c.about(event))
		}
		return ""
	}
	failed := func(why string) string {
		return fmt.Sprintf("the command %s failed: %s: %s", kind.Words(), argv, why)
	}
	var id int64
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		id = tx.BeginHook(state.Hook{
			Run: r.id, Address: c.step.Address, Key: c.key, Hop: hop, Kind: kind, Command: argv.String(),
			At: time.Now(),
		})
	})
	if err != nil {
		r.unrecorded(c, err)
		if kind == state.BeforeReset {
			return failed("it was not started: " + err.Error())
		}
	}
	var output []byte
	if len(argv) > 0 {
		r.event(c.about(event))
		limited, cancel := context.WithTimeout(ctx, time.Duration(c.step.Hooks.Timeout))
		output, err = r.Command(limited, argv, r.environment(c, became))
		if errors.Is(limited.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("it did not end within %v and was killed", c.step.Hooks.Timeout)
		}
		cancel()
		if err != nil {
			failure = failed(err.Error() + command.LastLine(output))
		}
		event.Type, event.Reason = result.EventHookEnded, failure
		event.Output = strings.ToValidUTF8(string(output), "\uFFFD")
		r.event(c.about(event))
	}
	ended := func(tx *state.Tx) {
		tx.EndHook(id, time.Now(), cmp.Or(failure, "done"), event.Output)
	}
	if err := r.Store.Update(ctx, ended); err != nil {
		r.unrecorded(c, err)
	}
	return failure
}

// environment returns the variables that say to a command what it is run for.
func (r *run) environment(c *component, became result.Outcome) []string {
	env := []string{
		"FWCTL_ADDRESS=" + c.step.Address,
		"FWCTL_ENCLOSURE=" + c.step.Enclosure,
		"FWCTL_HOST=" + c.step.Host,
		"FWCTL_WAVE=" + strconv.Itoa(c.step.Waves.Reset),
		"FWCTL_RUN=" + strconv.FormatInt(r.id, 10),
	}
	if became != "" {
		env = append(env, "FWCTL_OUTCOME="+string(became))
	}
	return env
}

// runOwedHooks runs the commands after resets that a killed run did not get to, or whose
// end it did not see.
func (r *run) runOwedHooks(ctx context.Context) error {
	owed, err := memory.OwedHooks(ctx, r.Store, r.id)
	if err != nil {
		return err
	}
	for _, c := range r.components {
		if hop, ok := owed[c.key]; ok && c.step.Hooks != nil {
			r.afterReset(ctx, c, hop)
		}
	}
	return nil
}

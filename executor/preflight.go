package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

// begin takes the locks of all enclosures that there is work for, and compares
// the plan with the devices. The locks are kept until release.
func (r *run) begin(ctx context.Context) (release func()) {
	var locks []io.Closer
	release = func() {
		for _, l := range locks {
			l.Close()
		}
	}
	if r.why != "" {
		return release
	}
	// Sorted, and no further than the first that is taken: of two runs at the same
	// enclosures one gets through, and the other has not opened a node of theirs.
	groups := byEnclosure(r.local())
	slices.SortFunc(groups, func(a, b []*stepRun) int { return cmp.Compare(a[0].step.Enclosure, b[0].step.Enclosure) })
	for _, group := range groups {
		lock, err := r.Machine.Lock(group[0].step.Enclosure)
		if err != nil {
			for _, s := range group {
				r.turnDown(ctx, s, s.cannot(err))
			}
			r.refuse()
			return release
		}
		locks = append(locks, lock)
	}
	r.preflight(ctx)
	return release
}

// preflight compares the preconditions of all steps with the live devices. One
// that does not hold refuses the whole run: nothing has been written yet.
func (r *run) preflight(ctx context.Context) {
	steps := r.local()
	if len(steps) == 0 {
		return
	}
	r.event(Event{Type: EventChecking, Components: len(steps)})
	inv, err := r.scan()
	if err != nil && r.until.Err() == nil {
		r.why = err.Error()
		return
	}
	for _, group := range byEnclosure(steps) {
		if r.until.Err() != nil {
			break
		}
		held, err := hold(r.until, r.Machine, group[0].step.Enclosure, group[0].step.Preconditions.ESPs, inv)
		for _, s := range group {
			v := s.cannot(err)
			if err == nil {
				v = r.check(r.until, held, s, "")
			}
			if r.until.Err() != nil {
				break // what was not read is no reason
			}
			if s.ready = v.trigger == ""; !s.ready {
				r.turnDown(ctx, s, v)
			}
		}
		if err == nil {
			held.close()
		}
	}
	if r.until.Err() != nil {
		r.stopped = interruption
		return
	}
	r.refuse()
}

// turnDown ends a step that has not begun.
func (r *run) turnDown(ctx context.Context, s *stepRun, v verdict) {
	if r.move(ctx, s, Begin, verdict{}); s.state == Checking {
		r.move(ctx, s, v.trigger, v)
	}
}

// refuse refuses the whole run where a step was. What takes a new plan, or a
// hand, says so for those that only have to wait.
func (r *run) refuse() {
	for _, kind := range []struct {
		refusal Refusal
		why     string
	}{
		{RefusedStale, "not everything is as the plan expects it, and nothing was written: make a new plan"},
		{RefusedUnread, "not everything could be compared with the plan, and nothing was written: see to that, and apply the same plan again"},
		{RefusedInUse, "somebody else is using what the plan is about, and nothing was written: wait until they are done, and apply the same plan again"},
	} {
		if r.why == "" && slices.ContainsFunc(r.steps, func(s *stepRun) bool { return s.refusal == kind.refusal }) {
			r.refusal, r.why = kind.refusal, kind.why
		}
	}
}

// scan reads all enclosures but those that the plan knows and this run has no
// work for, and so no lock: somebody else may be at work there.
func (r *run) scan() (*inventory.Inventory, error) {
	ours := map[string]bool{}
	for _, s := range r.steps {
		if s.step.Host == r.Machine.Hostname() {
			ours[s.step.Enclosure] = true
		}
	}
	var others []string
	for _, s := range r.Plan.Steps {
		if !ours[s.Enclosure] {
			others = append(others, s.LUID)
		}
	}
	return scan.Scan(r.until, r.Machine, scan.Options{Except: others, ProbeUse: true})
}

// cannot says what an error before a step's next byte means to it.
func (s *stepRun) cannot(err error) verdict {
	switch {
	case err == nil:
		return verdict{}
	case s.wrote:
		return verdict{trigger: Fail, reason: err.Error()}
	case errors.Is(err, transport.ErrBusy):
		return verdict{trigger: Stale, refusal: RefusedInUse, reason: "it is in use: " + err.Error()}
	}
	return verdict{trigger: Stale, refusal: RefusedUnread, reason: err.Error()}
}

// stale says what it means to a step that its component is otherwise than expected.
func (s *stepRun) stale(reason string) verdict {
	if s.wrote {
		return verdict{trigger: Fail, reason: reason}
	}
	return verdict{trigger: Stale, refusal: RefusedStale, reason: reason + ": make a new plan"}
}

// check reads a component and compares it with what its step expects. task is
// what follows where everything is as expected.
func (r *run) check(ctx context.Context, held *session, s *stepRun, task Trigger) verdict {
	staged, err := r.Store.Staged(ctx)
	if err != nil {
		return s.cannot(err)
	}
	sent, err := r.Store.Sent(ctx)
	if err != nil {
		return s.cannot(err)
	}
	e, err := held.read(ctx)
	if err != nil {
		return s.cannot(err)
	}
	remember(e, staged, sent)
	esp, sub, reason := component(e, s.step)
	if reason != "" {
		return s.stale(reason)
	}
	if old, ok := staged[s.key]; ok && sub.Staged == nil && r.id != 0 {
		if err := r.Store.Update(ctx, func(tx *state.Tx) { tx.Unstage(s.key) }); err != nil {
			return s.cannot(err)
		}
		r.event(s.about(Event{Type: EventNoticed, Reason: fmt.Sprintf("what was staged here on %s is no longer: it ran %s then and runs %s now",
			old.Since.Format(time.DateOnly), old.Running, sub.Revision)}))
	}
	s.revision = sub.Revision
	s.baseline = e.Health.Failures
	s.download = newDownload(target{
		session: held, luID: s.step.LUID, subenclosure: s.step.Subenclosure, address: sub.Address, esps: e.ESPs,
		hop: s.current(), mode: s.mode, hasPage: esp.Download.SESPage || s.current().Protocol == plan.SES,
		notice: func(reason string) { r.event(s.about(Event{Type: EventNoticed, Reason: reason})) },
	})
	if s.step.Action == plan.Activate && sub.Staged != nil && !sub.Staged.Confirmed {
		return s.stale("the device never said that what it holds staged is complete, so it is not activated; a power cycle would start it")
	}
	return judge(s, e, sub, sent[s.key], task)
}

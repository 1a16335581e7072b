package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/internal/state"
	"fwctl/plan"
)

// move takes a step to its next state, and commits that with all that follows
// from it. Where it cannot be committed the step fails, and nothing more is sent.
// Nor is anything sent to a component of which the step machine has lost track.
func (r *run) move(ctx context.Context, s *stepRun, t Trigger, v verdict) {
	from := s.state
	to, ok := Next(from, t)
	if !ok {
		bug := fmt.Sprintf("this is a bug of fwctl, please report it: %q cannot happen to a component that is %s", t, s.state)
		v = verdict{reason: strings.TrimSuffix(bug+"; look at the device before anything else is written to it; "+v.reason, "; ")}
		to, t = Unknown, Lose
	}
	if t == Lose && s.met { // nobody looks again: what is not known stays on record
		v.unclear = true
		v.needsPerson = v.needsPerson || s.overwrites() && slices.Contains([]State{Sending, Sent, Recovering}, from)
	}
	if ended := slices.Contains([]State{Failed, Aborted, Refused, Unknown}, to); ended && !v.needsPerson &&
		(s.halved || s.needsImage && s.wrote) {
		v.needsPerson = true
		if s.halved {
			v.reason += halfAnImage
		} else {
			v.reason += "; it still needs a whole image: do not power-cycle or reset it before it has got one"
		}
	}
	s.state, s.moved, s.reason = to, time.Now(), v.reason
	s.restarted = s.restarted || to == Waiting || to == Verifying
	s.revision = cmp.Or(v.revision, s.revision)
	hop := s.current()
	now := time.Now()
	var more func(*state.Tx)
	switch t {
	case Defer:
		s.halved, s.owing, s.needsImage = false, false, false
		s.want.staged, s.confirmed = hop.Image.SHA256, v.confirmed
		s.dormant = v.powerOnly || !v.confirmed && !hop.ActivateUnconfirmed
		s.reason = v.reason + s.leftOut()
		more = func(tx *state.Tx) {
			sent(tx, s.key, hop, now)
			s.relieve(tx)
			tx.Stage(s.key, state.Staged{SHA256: hop.Image.SHA256, Revision: hop.To, Running: s.revision, Since: now, By: r.By, Confirmed: v.confirmed})
			if v.powerOnly {
				s.powerOnly(tx, v.reason, now)
			}
		}
	case Start:
		s.halved, s.owing, s.needsImage = false, false, false
		more = func(tx *state.Tx) {
			s.relieve(tx)
			sent(tx, s.key, hop, now)
		}
	case Confirm:
		s.confirmed = v.confirmed
		s.want = expectation{revision: s.revision, esps: s.want.esps}
		more = func(tx *state.Tx) { tx.Unstage(s.key) }
	case AsPlanned: // so that it holds nothing of what was sent to get there
		more = s.relieve
	case NextHop:
		s.hop++
		s.mode = "" // a mode belongs to a hop
		s.refused, s.confirmed, s.dormant, s.again = false, false, false, false
	case Postpone:
		s.refused = true
		s.mode = plan.Mode7
	case Stale, Refuse:
		s.refusal = v.refusal
	case Fail, Lose:
		s.confirmed = false
		switch {
		case v.unstaged:
			more = func(tx *state.Tx) { tx.Unstage(s.key) }
		case v.powerOnly:
			more = func(tx *state.Tx) { s.powerOnly(tx, v.reason, now) }
		}
	}
	switch {
	case v.needsPerson:
		more = func(tx *state.Tx) { tx.NeedsImage(s.key, s.step.Address, v.reason, now) }
	case v.unclear && (t == Fail || t == Abort || s.met):
		more = func(tx *state.Tx) {
			tx.Caution(state.Caution{Key: s.key, Kind: state.Unclear, Address: s.step.Address, Detail: v.reason, Since: now})
		}
	}
	s.needsPerson = s.needsPerson || v.needsPerson

	if err := r.commit(ctx, s, from, t, v, more); err != nil {
		r.unrecorded(s, err)
		if to == Sending || to == Activating { // an effect comes next
			s.state, _ = Next(to, Fail)
			s.reason = err.Error()
		}
	}
	r.mu.Lock()
	s.seen = s.result()
	r.mu.Unlock()
	r.report(s, t)
	r.account(s)
}

// commit records a step's new state, and what the device's answer says of the
// effects that were intended. Check records nothing.
func (r *run) commit(ctx context.Context, s *stepRun, from State, t Trigger, v verdict, more func(*state.Tx)) error {
	if r.id == 0 {
		return nil
	}
	// A first chunk that was refused has overwritten nothing: what was staged before
	// still is. Where nobody can tell, it counts as gone.
	downloading := len(s.intents) > 0 && s.want.staged == "" && slices.Contains([]State{Sending, Sent, Recovering}, from)
	overwritten := downloading && (s.taken || t == Lose)
	if downloading && !overwritten && t != SentAll {
		s.want.staged = s.overwriting
	}
	open := slices.Contains([]Trigger{Recover, SentAll, Start, Restart, Return}, t) || // no answer yet
		t == Lose && !s.met // nor will there be one before a resumption meets it
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		tx.SetStep(r.id, s.record(s.moved))
		if overwritten && t != SentAll {
			tx.Unstage(s.key)
		}
		if more != nil {
			more(tx)
		}
		if !open {
			for _, id := range s.intents {
				tx.Resolve(id, strings.TrimSuffix(string(t)+": "+v.reason, ": "))
			}
		}
	})
	if err == nil && !open {
		s.intents = nil
	}
	return err
}

// record is where a step stands, for the store.
func (s *stepRun) record(at time.Time) state.Step {
	hop := s.current()
	return state.Step{
		Address: s.step.Address, Key: s.key, Hop: s.hop, SHA256: hop.Image.SHA256, From: hop.From, To: hop.To,
		State: string(s.state), Mode: string(s.mode), Detail: s.reason, At: at,
	}
}

// intend commits effects before they are tried.
func (r *run) intend(ctx context.Context, s *stepRun, mode byte, kinds ...state.Kind) error {
	if len(kinds) == 0 {
		return nil
	}
	var ids []int64
	err := r.Store.Update(ctx, func(tx *state.Tx) {
		for _, kind := range kinds {
			ids = append(ids, tx.Intend(state.Intent{
				Run: r.id, Address: s.step.Address, Key: s.key, Kind: kind, Mode: fmt.Sprintf("%02x", mode), SHA256: s.current().Image.SHA256, At: time.Now(),
			}))
		}
	})
	if err != nil {
		return err
	}
	s.intents = append(s.intents, ids...)
	if slices.Contains(kinds, state.DownloadStart) {
		s.overwriting, s.want.staged, s.taken = s.want.staged, "", false
		s.sent[s.hop] = s.mode
	}
	s.wrote = true
	r.mu.Lock()
	r.wrote = true
	r.mu.Unlock()
	return nil
}

// unrecorded tells that the store cannot be written, after which nothing new is started.
func (r *run) unrecorded(s *stepRun, err error) {
	r.stop(err.Error(), RunFailed)
	r.event(s.about(Event{Type: EventNoticed, Reason: err.Error()}))
}

// sent records that a component, or the part beside it, took the whole image of a hop.
func sent(tx *state.Tx, k state.Key, hop plan.Hop, now time.Time) {
	if hop.Unversioned {
		tx.Beside(k, state.Beside{BufferID: hop.BufferID, SHA256: hop.Image.SHA256, At: now})
		return
	}
	tx.Sent(k, state.Sent{SHA256: hop.Image.SHA256, Revision: hop.To, At: now})
}

// relieve forgets that the component needs a whole image, or holds what is not known, by
// whichever of its addresses that was recorded.
func (s *stepRun) relieve(tx *state.Tx) {
	for _, address := range append([]string{s.step.Address}, s.step.Aliases...) {
		tx.Relieve(s.key, address, state.NeedsImage)
		tx.Relieve(s.key, address, state.Unclear)
	}
}

// powerOnly records that mode 0Fh does not start what the component holds staged.
func (s *stepRun) powerOnly(tx *state.Tx, why string, now time.Time) {
	tx.Caution(state.Caution{Key: s.key, Kind: state.PowerOnly, Address: s.step.Address, Detail: why, Since: now})
}

package executor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/internal/state"
	"fwctl/plan"
)

// work takes one component through the step machine as far as a wave lets it.
// It is the one place where states meet devices.
func (r *run) work(ctx context.Context, held *session, wave plan.Wave, s *stepRun) {
	before, started := *s, false
	for {
		held.flashing.Store(s.state == Sending || s.state == Sent)
		var v verdict
		switch s.state {
		case Pending, Staged:
			if s.task(wave) == "" || r.halted() {
				return
			}
			v = verdict{trigger: Begin}
		case Checking:
			task := s.task(wave)
			if task == Send {
				s.mode = s.nextMode(wave)
			}
			if started {
				v = r.check(ctx, held, s, task)
				break
			}
			v = r.check(r.until, held, s, task)
			if r.until.Err() != nil {
				s.mode = before.mode
				v = verdict{trigger: map[State]Trigger{Pending: Withdraw, Staged: Keep}[before.state], reason: before.reason}
			}
			started = true
		case Sending:
			v = r.send(ctx, wave, s)
		case Sent:
			v = s.download.finish(ctx)
		case Activating:
			v = r.activate(ctx, wave, s)
		case Waiting:
			v = r.await(ctx, held, s)
		case Verifying:
			v = r.verify(ctx, held, s)
		case Done:
			if s.hop+1 == len(s.step.Hops) {
				return
			}
			v = verdict{trigger: NextHop}
		default:
			return
		}
		r.move(ctx, s, v.trigger, v)
	}
}

// send sends the image of the current hop.
func (r *run) send(ctx context.Context, wave plan.Wave, s *stepRun) verdict {
	data := r.Images[s.current().Image.SHA256].Bytes()
	heard, v := r.unheard(ctx, wave, s)
	if v.trigger == "" {
		v = s.download.prepare(ctx)
	}
	if v.trigger != "" {
		if v.revision != "" { // reading the status has started an earlier image, and so ended its download
			s.intents = append(s.intents, heard...)
		}
		if s.wrote {
			return v.inFlight()
		}
		return v
	}
	r.event(s.about(Event{Type: EventStarted, Mode: s.mode, Total: int64(len(data))}))
	size := s.download.chunkSize()
	for offset := 0; offset < len(data); offset += size {
		end := min(offset+size, len(data))
		err := r.intend(ctx, s, code(s.mode), intents(s.mode, offset == 0, end == len(data))...)
		switch {
		case err != nil && offset == 0:
			return verdict{trigger: Fail, reason: err.Error()}
		case err != nil: // half an image can be worse than one that nobody knows of
			r.unrecorded(s, err)
		}
		v := s.download.chunk(ctx, offset, data[offset:end])
		if v.trigger == modeRefused {
			return fallBack(s, wave, v.reason)
		}
		if v.trigger != "" {
			return v
		}
		s.taken = true
		r.event(s.about(Event{Type: EventProgress, Mode: s.mode, Bytes: int64(end), Total: int64(len(data))}))
	}
	return verdict{trigger: SentAll}
}

// intents are what has to be committed before a chunk. By mode 7 all of it is
// before the first one: from there on there is no way back, whatever the store says.
func intents(mode plan.Mode, first, last bool) []state.Kind {
	switch {
	case first && (last || mode == plan.Mode7):
		return []state.Kind{state.DownloadStart, state.LastChunk}
	case first:
		return []state.Kind{state.DownloadStart}
	case last && mode == plan.ModeE:
		return []state.Kind{state.LastChunk}
	}
	return nil
}

// fallBack says what follows where the device does not take a mode: 7 after e,
// where the plan permits it, and never before the reset wave.
func fallBack(s *stepRun, wave plan.Wave, why string) verdict {
	refused := fmt.Sprintf("the device does not take mode %s: %s", s.mode, why)
	switch {
	case s.mode != plan.ModeE || !slices.Contains(s.current().Modes, plan.Mode7) || s.step.Waves.Reset == 0:
		return verdict{trigger: Fail, reason: refused + "; the plan permits no other mode"}
	case wave.Kind == plan.ResetWave:
		return verdict{trigger: FallBack, reason: refused + "; mode 7 follows"}
	}
	return verdict{trigger: Postpone, reason: fmt.Sprintf("%s; mode 7 follows in wave %d", refused, s.step.Waves.Reset)}
}

func (r *run) activate(ctx context.Context, wave plan.Wave, s *stepRun) verdict {
	if _, v := r.unheard(ctx, wave, s); v.trigger != "" {
		return v.inFlight()
	}
	if err := r.intend(ctx, s, 0x0f, state.Activation); err != nil {
		return verdict{trigger: Fail, reason: err.Error()}
	}
	r.event(s.about(Event{Type: EventActivating}))
	return s.download.activate(ctx)
}

// await leaves a restarting device alone for a while, and then asks what it runs
// until that is what it should, or until it has been away for too long.
func (r *run) await(ctx context.Context, held *session, s *stepRun) verdict {
	hop := s.current()
	r.event(s.about(Event{Type: EventWaiting, Reason: s.reason}))
	time.Sleep(time.Duration(hop.Settle))
	deadline := time.Now().Add(time.Duration(hop.ReturnTimeout))
	for wait := firstPoll; ; wait = min(2*wait, slowPoll) {
		revision, err := held.revision(ctx, s.step.LUID, s.step.Subenclosure)
		if err == nil {
			s.revision = revision
			if revision == hop.To {
				return verdict{trigger: Return}
			}
		}
		if !time.Now().Before(deadline) {
			if err != nil {
				return verdict{trigger: Lose, reason: fmt.Sprintf("it has not come back for %v: %v", hop.ReturnTimeout, err)}
			}
			return verdict{trigger: Return}
		}
		time.Sleep(wait)
	}
}

// verify reads back what the component runs, and waits until the enclosure is
// no worse than it was before.
func (r *run) verify(ctx context.Context, held *session, s *stepRun) verdict {
	hop := s.current()
	deadline := time.Now().Add(time.Duration(hop.ReturnTimeout))
	for wait := firstPoll; ; wait = min(2*wait, slowPoll) {
		worse := ""
		e, err := held.read(ctx)
		if err != nil {
			worse = err.Error()
		} else {
			_, sub, reason := component(e, s.step)
			if sub != nil {
				s.revision = sub.Revision
			}
			switch {
			case sub != nil && sub.Revision == hop.From && hop.From != hop.To:
				return verdict{trigger: Fail, reason: fmt.Sprintf("it still runs %s, and should run %s", sub.Revision, hop.To)}
			case sub != nil && sub.Revision != hop.To:
				return verdict{trigger: Fail, reason: fmt.Sprintf("it runs %s, which is neither what it ran (%s) nor what it should run (%s)", sub.Revision, hop.From, hop.To)}
			case sub == nil:
				worse = reason
			default:
				worse = strings.Join(decline(s, e), "; ")
			}
		}
		if worse == "" {
			v := verdict{trigger: Confirm, confirmed: hop.From != hop.To}
			if !v.confirmed {
				v.reason = fmt.Sprintf("it reported %s before and does after: the revision cannot tell which image it runs", hop.To)
			}
			return v
		}
		if !time.Now().Before(deadline) {
			if _, err := held.revision(ctx, s.step.LUID, s.step.Subenclosure); err != nil {
				return verdict{trigger: Lose, reason: worse}
			}
			return verdict{trigger: Fail, reason: fmt.Sprintf("it runs %s, but the enclosure is worse than before: %s", s.revision, worse)}
		}
		time.Sleep(wait)
	}
}

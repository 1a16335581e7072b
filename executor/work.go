package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/internal/backoff"
	"fwctl/internal/download"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// work takes one component through the step machine as far as a wave lets it.
// It is the one place where states meet devices.
func (r *run) work(ctx context.Context, held *enclosure.Held, wave plan.Wave, s *stepRun) {
	before, begun := *s, false
	until := r.patience(ctx, s)
	for {
		held.SetFlashing(s.state == Sending || s.state == Sent)
		var v verdict
		switch s.state {
		case Pending, Staged:
			if begun || s.task(wave) == "" {
				return
			}
			v = verdict{trigger: Begin}
		case Checking:
			task := s.task(wave)
			if task == Send {
				s.mode = s.nextMode(wave)
			}
			if begun { // it starts over
				until = ctx
			}
			v = r.check(until, held, s, task)
			if until == r.until && r.halted() { // meanwhile, in another fault domain perhaps
				v = verdict{trigger: map[State]Trigger{Pending: Withdraw, Staged: Keep}[before.state], reason: before.reason}
			}
			begun = true
		case Sending:
			v = r.send(ctx, until, wave, s)
		case Sent:
			if v = s.overwritten(verdictOf(s.download.Finish(ctx))); v.half {
				if v = r.brokenOff(ctx, s, v); v.trigger == SentAll {
					v = s.overwritten(verdictOf(s.download.Finish(ctx)))
				}
			}
		case Activating:
			v = r.activate(ctx, s)
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
		if v.trigger == Withdraw || v.trigger == Keep {
			s.mode = before.mode
		}
		s.met = v.trigger == Lose && r.meets(ctx, held, s)
		r.move(ctx, s, v.trigger, v)
	}
}

// send sends the image of the current hop. It is not begun where it would be new, and
// nothing new is started since until ended.
func (r *run) send(ctx, until context.Context, wave plan.Wave, s *stepRun) verdict {
	data := r.Images[s.current().Image.SHA256].Bytes()
	v := verdictOf(s.download.Agree(until))
	if v.trigger == "" {
		v = verdictOf(s.download.Prepare(ctx))
	}
	if v.trigger == halfTaken {
		switch v = r.discard(ctx, s, v.reason); {
		case v.trigger == Abort:
			v = verdictOf(s.download.Prepare(ctx))
		case v.trigger == Fail && v.unclear:
			r.event(s.about(Event{Type: EventNoticed, Reason: v.reason + ": a whole image is sent all the same"}))
			v = verdict{}
		}
		if v.trigger == "" && !r.starts(wave, s) { // which the abort has taken too long for
			return verdict{trigger: Withdraw}
		}
	}
	switch {
	case v.trigger != "" && s.wrote:
		return v.inFlight()
	case v.trigger != "":
		return v
	case until == r.until && r.halted():
		return verdict{trigger: Withdraw}
	}
	r.event(s.about(Event{Type: EventStarted, Mode: s.mode, Total: int64(len(data))}))
	taken := 0
	steps := download.Steps{
		Before: func(first, last bool) error {
			err := r.intend(ctx, s, byte(modeOf(s.mode)), intents(first, last)...)
			if err != nil && !first { // half an image can be worse than one that nobody knows of
				r.unrecorded(s, err)
				return nil
			}
			return err
		},
		Taken: r.progress(s, &taken, len(data)),
	}
	if s.mode == plan.ModeE {
		steps.Withdraw = r.withdraws
	}
	switch o := s.download.Send(ctx, data, steps); o.Result {
	case download.Sent:
		return verdictOf(o)
	case download.ModeRefused:
		return fallBack(s, wave, o.Reason)
	case download.Disturbed:
		return r.again(ctx, s, o.Reason)
	case download.Withdrawn:
		return r.withdrawn(ctx, s, taken)
	default:
		return r.brokenOff(ctx, s, verdictOf(o))
	}
}

// progressEvery is how often a download's progress is reported at most.
const progressEvery = 100 * time.Millisecond

// progress notes what a component has taken of an image of total bytes, and reports it
// now and then, the end always.
func (r *run) progress(s *stepRun, taken *int, total int) func(end int) {
	var reported time.Time
	return func(end int) {
		s.taken, *taken = true, end
		if now := time.Now(); end == total || now.Sub(reported) >= progressEvery {
			reported = now
			r.event(s.about(Event{Type: EventProgress, Mode: s.mode, Bytes: int64(end), Total: int64(total)}))
		}
	}
}

// again starts a download over that something has disturbed, once.
func (r *run) again(ctx context.Context, s *stepRun, why string) verdict {
	if s.again {
		s.taken = true // for all that anybody knows
		return r.brokenOff(ctx, s, verdict{trigger: Fail, half: true, reason: why + ", for the second time"})
	}
	s.again = true
	if aborted := r.discard(ctx, s, why); aborted.trigger != Abort {
		return aborted
	}
	r.event(s.about(Event{Type: EventNoticed, Reason: why + ": the download starts over"}))
	s.halved = s.halved || s.overwrites() && s.taken
	s.owing = s.owing || s.current().Protocol == plan.WriteBuffer && s.taken
	return verdict{trigger: Again, reason: why}
}

// intents are what has to be committed before a chunk.
func intents(first, last bool) []state.Kind {
	switch {
	case first && last:
		return []state.Kind{state.DownloadStart, state.LastChunk}
	case first:
		return []state.Kind{state.DownloadStart}
	case last:
		return []state.Kind{state.LastChunk}
	}
	return nil
}

// withdrawn breaks a download off, as somebody has asked.
func (r *run) withdrawn(ctx context.Context, s *stepRun, sent int) verdict {
	if sent == 0 {
		s.withdrawn = true
		return verdict{trigger: Abort, reason: "withdrawn on request before its first byte"}
	}
	v := r.discard(ctx, s, fmt.Sprintf("withdrawn on request after byte %d of %d", sent, s.current().Image.Size))
	s.withdrawn = v.trigger == Abort
	return v
}

// withdraws tells whether somebody wants downloads withdrawn.
func (r *run) withdraws() bool {
	select {
	case <-r.Withdraw:
		return true
	default:
		return false
	}
}

// discard has the device forget a download that is broken off: Abort if it says that it
// holds nothing of that any more.
func (r *run) discard(ctx context.Context, s *stepRun, why string) verdict {
	if err := r.intend(ctx, s, 0xff, state.Abort); err != nil {
		r.unrecorded(s, err) // half an image is no better for that
	}
	v := verdictOf(s.download.Abort(ctx))
	v.reason = why + ": " + v.reason
	if v.trigger == Abort && !v.unclear {
		settled := func(tx *state.Tx) { tx.Relieve(s.key, s.step.Address, state.Unclear) }
		if err := r.Store.Update(ctx, settled); err != nil {
			r.unrecorded(s, err)
		}
	}
	v.discarded = v.discarded || v.unclear && s.taken
	return s.overwritten(v)
}

// brokenOff is the verdict on a download that failed at a chunk. What the device
// still waits for is discarded, where it is this download's.
func (r *run) brokenOff(ctx context.Context, s *stepRun, v verdict) verdict {
	s.taken = s.taken || v.inDoubt
	if !s.taken {
		return v
	}
	if !v.half {
		return s.overwritten(v)
	}
	discarded := r.discard(ctx, s, v.reason)
	if discarded.trigger != Abort {
		discarded.needsPerson = discarded.needsPerson || v.needsPerson
		return discarded
	}
	v.half, v.discarded, v.unclear, v.reason = false, true, discarded.unclear, discarded.reason
	return s.overwritten(v)
}

// overwrites reports whether the download's mode may overwrite what the device would start
// from. A model that says of mode 7 that it does not can be wrong.
func (s *stepRun) overwrites() bool { return s.mode == plan.Mode7 }

// overwritten is a verdict on a download of which the device has had some. By mode 7
// that may have overwritten what the device would start from, unless it says otherwise.
func (s *stepRun) overwritten(v verdict) verdict {
	if v.discarded && s.overwrites() {
		v.needsPerson = true
		v.reason += halfAnImage
	}
	return v
}

const halfAnImage = "; mode 7 may have overwritten what it would start from: do not power-cycle or reset it before it has got a whole image"

// fallBack says what follows where the device does not take a mode: 7 after e,
// where the plan permits it, and never before the reset wave.
func fallBack(s *stepRun, wave plan.Wave, why string) verdict {
	refused := fmt.Sprintf("the device does not take mode %s: %s", s.mode, why)
	switch {
	case s.mode != plan.ModeE || !slices.Contains(s.current().Modes, plan.Mode7) || s.step.Waves.Reset == 0:
		return verdict{trigger: Fail, reason: refused + "; the plan permits no other mode"}
	case wave.Kind == plan.ResetWave:
		return verdict{trigger: Postpone, reason: refused + "; mode 7 follows"}
	}
	return verdict{trigger: Postpone, reason: fmt.Sprintf("%s; mode 7 follows in wave %d", refused, s.step.Waves.Reset)}
}

func (r *run) activate(ctx context.Context, s *stepRun) verdict {
	if err := r.intend(ctx, s, 0x0f, state.Activation); err != nil {
		return verdict{trigger: Fail, reason: err.Error()}
	}
	r.event(s.about(Event{Type: EventActivating}))
	v := verdictOf(s.download.Activate(ctx))
	if v.trigger == Fail && !v.unstaged && !v.needsPerson {
		v.reason += s.holding()
	}
	return v
}

// holding says that a component holds the hop's image staged, as an end of a reason;
// "" if it does not.
func (s *stepRun) holding() string {
	hop := s.current()
	if s.want.staged != hop.Image.SHA256 {
		return ""
	}
	return fmt.Sprintf("; it holds %s staged, which a power cycle would start", cmp.Or(hop.To, "the image"))
}

// await leaves a restarting device alone for a while, and then asks what it runs
// until that is what it should, or until it has been away for too long. What was
// asked in time counts, however long the answer took: only a later question ends it.
func (r *run) await(ctx context.Context, held *enclosure.Held, s *stepRun) verdict {
	hop := s.current()
	r.event(s.about(Event{Type: EventWaiting, Reason: s.reason}))
	time.Sleep(time.Duration(hop.Settle))
	var failure error
	for range backoff.Within(ctx, time.Duration(hop.ReturnTimeout), backoff.Device) {
		revision, err := held.Revision(ctx, s.step.LUID, s.step.Subenclosure)
		if failure = err; err != nil {
			continue
		}
		s.revision = revision
		if collected := r.collected(ctx, held, s); collected && arrived(hop, revision) {
			break
		}
	}
	if failure != nil {
		return verdict{trigger: Lose, reason: fmt.Sprintf("it has not come back for %v: %v", hop.ReturnTimeout, failure)}
	}
	return verdict{trigger: Return}
}

// collected reports whether a component that answers has told all that its restart has
// left to tell.
func (r *run) collected(ctx context.Context, held *enclosure.Held, s *stepRun) bool {
	if s.download == nil { // a resumption waits for it
		e, err := held.Read(ctx)
		if err != nil {
			return false
		}
		if _, _, err := s.componentIn(e); err != nil {
			return true // verify tells
		}
		s.download = r.newDownload(held, e, s)
	}
	return s.download.Collect(ctx)
}

// verify reads back what the component runs, and waits until the enclosure is
// no worse than it was before the run, and its ESPs are at rest.
func (r *run) verify(ctx context.Context, held *enclosure.Held, s *stepRun) verdict {
	hop := s.current()
	var peers enclosure.PeerSync
	ran := "" // what it should, at an earlier look
	worse := ""
	for range backoff.Within(ctx, time.Duration(hop.ReturnTimeout), backoff.Device) {
		worse = ""
		e, err := held.Read(ctx)
		if err != nil {
			worse = err.Error()
		} else {
			_, sub, err := s.componentIn(e)
			if sub != nil {
				s.revision = sub.Revision
			}
			switch {
			case sub == nil:
				worse = err.Error()
			case !arrived(hop, sub.Revision) && ran != "":
				return verdict{trigger: Fail, reason: changed(ran, sub.Revision)}
			case !arrived(hop, sub.Revision) && hop.To != "":
				return s.missed(ctx, notArrived(hop, sub.Revision))
			default:
				ran = sub.Revision
				worse = strings.Join(r.baselineOf(held.ID()).Decline(e), "; ")
			}
		}
		if atRest := peers.Over(e, time.Duration(hop.Settle)); worse == "" && atRest {
			return confirm(hop, s.revision)
		}
	}
	if _, err := held.Revision(ctx, s.step.LUID, s.step.Subenclosure); err != nil {
		return verdict{trigger: Lose, reason: worse}
	}
	worse = cmp.Or(worse, "what its ESPs run goes on changing")
	return verdict{
		trigger: Fail, reason: fmt.Sprintf("it runs %s, but the enclosure is worse than before: %s", s.revision, worse),
	}
}

func changed(was, is string) string {
	return fmt.Sprintf("it ran %s when it was verified, and runs %s now: do the modules synchronise each other?", was, is)
}

// missed is the verdict on an image that was to start, and does not run.
func (s *stepRun) missed(ctx context.Context, reason string) verdict {
	v := verdict{trigger: Fail, reason: reason}
	if s.download == nil { // a resumption has waited for the restart alone
		return v
	}
	if said := verdictOf(s.download.Failure(ctx)); said.trigger != "" {
		v.reason += "; " + said.reason
		v.needsPerson, v.unstaged, v.discarded = said.needsPerson, said.unstaged, said.discarded
	}
	return s.overwritten(v)
}

// confirm says what a revision that was read back proves of a hop.
func confirm(hop plan.Hop, revision string) verdict {
	if hop.Unversioned {
		return verdict{
			trigger: Confirm,
			reason: fmt.Sprintf(
				"the part behind buffer %d reports no revision: what it runs is known by what was sent alone",
				hop.BufferID,
			),
		}
	}
	v := verdict{trigger: Confirm, confirmed: revision != hop.From}
	if !v.confirmed {
		v.reason = fmt.Sprintf("it reported %s before and does after: the revision cannot tell which image it runs", revision)
	}
	return v
}

func notArrived(hop plan.Hop, revision string) string {
	if revision == hop.From {
		return fmt.Sprintf("it still runs %s, and should run %s", revision, hop.To)
	}
	return fmt.Sprintf("it runs %s, which is neither what it ran (%s) nor what it should run (%s)", revision, hop.From, hop.To)
}

// recheck looks once more at everything that was done, by steps of the run, and
// at what is beside it: modules synchronise each other up and down of their own accord.
func (r *run) recheck(ctx context.Context, steps []*stepRun) {
	restarted := slices.DeleteFunc(slices.Clone(steps), func(s *stepRun) bool { return !s.restarted })
	for _, group := range byEnclosure(restarted) {
		first := group[0]
		done := slices.DeleteFunc(group, func(s *stepRun) bool { return s.state != Done })
		e, err := r.lookAgain(ctx, first, done)
		for _, s := range done {
			before := r.baselineOf(s.step.Enclosure)
			if slices.ContainsFunc(steps, func(beside *stepRun) bool {
				return beside.step.Enclosure == s.step.Enclosure && (beside.state == Failed || beside.state == Unknown)
			}) {
				before = nil // the component that failed has the reason
			}
			if reason := stillWell(s, before, e, err); reason != "" {
				r.move(ctx, s, Fail, verdict{reason: reason, revision: s.revisionIn(e)})
			}
		}
		for _, s := range steps {
			switch {
			case err != nil || s.step.Enclosure != first.step.Enclosure:
			case s.state == Staged:
				r.stillStaged(ctx, s, e)
			case s.state == Failed: // its peer may have brought it to another revision since
				s.revision = cmp.Or(s.revisionIn(e), s.revision)
				r.mu.Lock()
				s.seen = s.result()
				r.mu.Unlock()
			}
		}
	}
}

// lookAgain reads a step's enclosure, of which steps were done earlier in the run.
// Where it is not as it was, it is read until its ESPs are at rest.
func (r *run) lookAgain(ctx context.Context, s *stepRun, done []*stepRun) (e *inventory.Enclosure, err error) {
	hop, before := s.current(), r.baselineOf(s.step.Enclosure)
	var peers enclosure.PeerSync
	for range backoff.Within(ctx, time.Duration(hop.ReturnTimeout), backoff.Device) {
		e, err = r.lookOnce(ctx, s)
		well := err == nil && !slices.ContainsFunc(done, func(s *stepRun) bool { return stillWell(s, before, e, err) != "" })
		atRest := peers.Over(e, time.Duration(hop.Settle))
		if well || atRest && len(before.Decline(e)) == 0 {
			break
		}
	}
	return e, err
}

func (r *run) lookOnce(ctx context.Context, s *stepRun) (*inventory.Enclosure, error) {
	inv, err := r.scan(ctx, []string{s.step.Enclosure})
	if err != nil {
		return nil, err
	}
	held, err := r.hold(ctx, s.step.Enclosure, s.want.esps, inv)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	return held.Read(ctx)
}

// stillWell says what is no longer as it was when a step was done; "" where all is.
func stillWell(s *stepRun, before *enclosure.Baseline, e *inventory.Enclosure, err error) string {
	if err != nil {
		return "it was verified, and cannot be read any more: " + err.Error()
	}
	_, sub, err := s.componentIn(e)
	if err != nil {
		return "it was verified, and then: " + err.Error()
	}
	if sub.Revision != s.revision {
		return changed(s.revision, sub.Revision)
	}
	if before == nil {
		return ""
	}
	if worse := before.Decline(e); len(worse) > 0 {
		return "it was verified, and the enclosure has become worse since: " + strings.Join(worse, "; ")
	}
	return ""
}

// stillStaged finds out that what a step has left staged was started, or replaced,
// by something else.
func (r *run) stillStaged(ctx context.Context, s *stepRun, e *inventory.Enclosure) {
	hop := s.current()
	_, sub, _ := s.componentIn(e)
	if sub == nil || sub.Revision == s.revision {
		return
	}
	was := s.revision
	r.move(ctx, s, Begin, verdict{})
	if !arrived(hop, sub.Revision) {
		r.move(ctx, s, Fail, verdict{revision: sub.Revision, unstaged: true, reason: fmt.Sprintf("it ran %s when %s was staged, and runs %s now: do the modules synchronise each other?", was, hop.To, sub.Revision)})
		return
	}
	r.move(ctx, s, Return, verdict{revision: sub.Revision, reason: "something else has started it: the module beside it, or a power cycle"})
	r.move(ctx, s, Confirm, confirm(hop, sub.Revision))
	if s.hop+1 < len(s.step.Hops) {
		r.move(ctx, s, NextHop, verdict{reason: "something else has started " + hop.To})
	}
}

// revisionIn returns what the component runs by a look at its enclosure, "" if that did
// not show it.
func (s *stepRun) revisionIn(e *inventory.Enclosure) string {
	if e != nil {
		if _, sub, _ := s.componentIn(e); sub != nil {
			return sub.Revision
		}
	}
	return ""
}

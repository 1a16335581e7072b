package executor

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/backoff"
	"fwctl/internal/download"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// work takes one component as far as a wave lets it: it does what the component's state asks
// for, and applies the event that comes of it. It is the one place where states meet devices.
func (r *run) work(ctx context.Context, held *enclosure.Held, wave plan.Wave, c *component) {
	before, begun := c.is, false
	until := r.patience(ctx, c)
	for {
		held.SetFlashing(c.is.State == step.Sending || c.is.State == step.Sent)
		var e step.Event
		switch c.is.State {
		case step.Pending, step.Staged:
			if begun || c.task(wave) == step.Idle {
				return
			}
			e = step.Event{Kind: step.Begin}
		case step.Checking:
			if begun { // its download starts over, and is brought to its end
				until = ctx
			}
			e = r.check(until, held, c, &wave)
			// Another fault domain may have stopped the run meanwhile, or the window have closed.
			if until == r.until && (r.halted() || e.Kind == step.Activate && !r.starts(wave, c)) {
				e = unbegun(before)
			}
			begun = true
		case step.Sending:
			e = r.send(ctx, until, wave, c)
		case step.Sent:
			e = r.listen(ctx, c)
		case step.Activating:
			e = r.activate(ctx, c)
		case step.Waiting:
			e = r.await(ctx, held, c)
		case step.Verifying:
			e = r.verify(ctx, held, c)
		case step.Done:
			if c.is.Hop+1 == len(c.step.Hops) {
				return
			}
			e = step.Event{Kind: step.NextHop}
		default:
			return
		}
		e.Answers = e.Kind == step.Lose && r.answersResumption(ctx, held, c)
		r.apply(ctx, c, e)
	}
}

// unbegun returns the event that leaves a component as it was.
func unbegun(before step.Component) step.Event {
	if before.State == step.Staged {
		return step.Event{Kind: step.Keep, Reason: before.Reason}
	}
	return step.Event{Kind: step.Withdraw, Reason: before.Reason}
}

// send sends the image of the current hop. A new download is not begun once until has ended.
func (r *run) send(ctx, until context.Context, wave plan.Wave, c *component) step.Event {
	data := r.Images[c.hop().Image.SHA256].Bytes()
	o := c.download.Agree(until)
	if o.Result == download.GoOn {
		o = c.download.Prepare(ctx)
	}
	begun := until != r.until
	if o.Result == download.PartHeld {
		o, begun = r.forget(ctx, c, o.Reason), false
	}
	switch {
	case o.Result != download.GoOn:
		return c.event(o, false)
	case !begun && !r.starts(wave, c): // what came before it took so long that the window has no time left
		return step.Event{Kind: step.Withdraw}
	}
	r.event(c.about(result.Event{Type: result.EventStarted, Mode: c.is.Mode, Total: int64(len(data))}))
	if !c.is.Retried {
		c.phase = phase{inventory.DownloadPhase, string(c.is.Mode), time.Now()}
	}
	taken := 0
	steps := download.Steps{
		Before: func(first, last bool) error {
			err := r.intend(ctx, c, byte(modeOf(c.is.Mode)), intents(first, last)...)
			if err != nil && !first { // half an image can be worse than a missing record
				r.unrecorded(c, err)
				return nil
			}
			return err
		},
		Taken: r.progress(c, &taken, len(data)),
	}
	if c.is.Mode == plan.ModeE {
		steps.Withdraw = r.withdraws
	}
	switch o := c.download.Send(ctx, data, steps); o.Result {
	case download.ModeRefused:
		return step.Event{Kind: step.ModeRefused, Reason: o.Reason}
	case download.Disturbed:
		return r.again(ctx, c, o.Reason, taken > 0)
	case download.Withdrawn:
		return r.withdrawn(ctx, c, taken)
	default:
		return r.brokenOff(ctx, c, o, taken > 0)
	}
}

// forget makes a device discard what an earlier run left in it. A device that does not say
// that it has done so gets a whole image all the same.
func (r *run) forget(ctx context.Context, c *component, why string) download.Outcome {
	o := r.discard(ctx, c, why)
	switch {
	case o.Result == download.Discarded:
		return c.download.Prepare(ctx)
	case o.Result == download.Failed && (o.Holds == download.Unclear || o.Holds == download.Another):
		r.event(c.about(result.Event{
			Type: result.EventNoticed, Reason: o.Reason + ": a whole image is sent all the same",
		}))
		return download.Outcome{}
	}
	return o
}

// progressEvery is how often a download's progress is reported at most.
const progressEvery = 100 * time.Millisecond

// progress returns a function that notes how much of an image of total bytes a component has
// taken, and reports it now and then, and always at the end.
func (r *run) progress(c *component, taken *int, total int) func(end int) {
	var reported time.Time
	return func(end int) {
		*taken = end
		if now := time.Now(); end == total || now.Sub(reported) >= progressEvery {
			reported = now
			r.event(c.about(result.Event{
				Type: result.EventProgress, Mode: c.is.Mode, Bytes: int64(end), Total: int64(total),
			}))
		}
	}
}

// intents returns the effects to commit before a chunk.
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

// again starts over, once, a download that something has disturbed.
func (r *run) again(ctx context.Context, c *component, why string, taken bool) step.Event {
	if c.is.Retried { // the device may hold a part of this one too
		twice := download.Outcome{Result: download.Failed, Holds: download.Part, Reason: why + ", for the second time"}
		return r.brokenOff(ctx, c, twice, true)
	}
	if o := r.discard(ctx, c, why); o.Result != download.Discarded {
		// It may have taken the chunk that it was disturbed at.
		return c.event(o, taken || o.Holds == download.Unclear || o.Holds == download.Another)
	}
	r.event(c.about(result.Event{Type: result.EventNoticed, Reason: why + ": the download starts over"}))
	return step.Event{Kind: step.Again, Reason: why, Taken: taken}
}

// withdrawn breaks a download off on request, after sent bytes.
func (r *run) withdrawn(ctx context.Context, c *component, sent int) step.Event {
	if sent == 0 {
		return step.Event{Kind: step.Abort, Reason: "withdrawn on request before its first byte"}
	}
	o := r.discard(ctx, c, fmt.Sprintf("withdrawn on request after byte %d of %d", sent, c.hop().Image.Size))
	e := c.event(o, true)
	if o.Result == download.Discarded {
		e.Kind = step.Abort
	}
	return e
}

// withdraws reports whether downloads are to be withdrawn.
func (r *run) withdraws() bool {
	select {
	case <-r.Withdraw:
		return true
	default:
		return false
	}
}

// brokenOff returns the event of a download that ended at a chunk. If the device still waits
// for more of the image, it is made to discard what it has.
func (r *run) brokenOff(ctx context.Context, c *component, o download.Outcome, taken bool) step.Event {
	e := c.event(o, taken)
	if !e.Taken || o.Holds != download.Part {
		return e
	}
	discarded := r.discard(ctx, c, o.Reason)
	e = c.event(discarded, true)
	if discarded.Result == download.Discarded {
		e.Kind = step.Fail
		if e.Device == step.Unsaid {
			e.Device = step.Broken
		}
	}
	return e
}

// discard makes the device forget a download that was broken off. The result is Discarded if
// the device says that it holds nothing of the image any more, or has no abort command.
func (r *run) discard(ctx context.Context, c *component, why string) download.Outcome {
	if err := r.intend(ctx, c, 0xff, state.Abort); err != nil {
		r.unrecorded(c, err) // keeping half an image would be worse than a missing record
	}
	o := c.download.Abort(ctx)
	o.Reason = why + ": " + o.Reason
	if o.Result == download.Discarded && o.Holds == download.NotSaid {
		settled := func(tx *state.Tx) { tx.Settle(c.key, c.step.Address, inventory.Unclear) }
		if err := r.Store.Update(ctx, settled); err != nil {
			r.unrecorded(c, err)
		}
	}
	return o
}

// listen waits until the device says what became of an image that was sent. A device that
// lost the last chunk has to discard the rest, and may say then that it has all of the image:
// it is asked once more.
func (r *run) listen(ctx context.Context, c *component) step.Event {
	e := r.brokenOff(ctx, c, c.download.Finish(ctx), true)
	if e.Kind == step.AllSent {
		e = c.event(c.download.Finish(ctx), true)
	}
	return e
}

func (r *run) activate(ctx context.Context, c *component) step.Event {
	if err := r.intend(ctx, c, 0x0f, state.Activation); err != nil {
		return step.Event{Kind: step.Fail, Reason: err.Error()}
	}
	r.event(c.about(result.Event{Type: result.EventActivating}))
	e := c.event(c.download.Activate(ctx), false)
	if e.Kind == step.Fail && e.Device != step.Empty && e.Device != step.Needy {
		e.Reason += c.holding()
	}
	return e
}

// await leaves a restarting device alone for a while. Then it asks what the device runs,
// until that is what it should run, or until the device has been away for too long. A
// question that was asked in time counts, however long its answer took.
func (r *run) await(ctx context.Context, held *enclosure.Held, c *component) step.Event {
	hop := c.hop()
	r.event(c.about(result.Event{Type: result.EventWaiting, Reason: c.is.Reason}))
	time.Sleep(time.Duration(hop.Settle))
	revision := ""
	var failure error
	for range backoff.Within(ctx, time.Duration(hop.ReturnTimeout), backoff.Device) {
		runs, err := held.Revision(ctx, c.step.LUID, c.step.Subenclosure)
		if failure = err; err != nil {
			continue
		}
		revision = runs
		if collected := r.collected(ctx, held, c); collected && arrived(hop, revision) {
			break
		}
	}
	if failure != nil {
		return step.Event{
			Kind: step.Lose, Revision: revision,
			Reason: fmt.Sprintf("it has not come back for %v: %v", hop.ReturnTimeout, failure),
		}
	}
	return step.Event{Kind: step.Return, Revision: revision}
}

// collected reports whether a component that answers has reported all that its restart left
// for it to report.
func (r *run) collected(ctx context.Context, held *enclosure.Held, c *component) bool {
	if c.download == nil { // a resumption that only waits has none yet
		e, err := held.Read(ctx)
		if err != nil {
			return false
		}
		if _, _, err := c.in(e); err != nil {
			return true // verify says so
		}
		c.download = r.newDownload(held, e, c, c.is.Mode)
	}
	return c.download.Collect(ctx)
}

// verify reads back what the component runs, and waits until the enclosure is no worse than
// it was before the run and its ESPs are at rest.
func (r *run) verify(ctx context.Context, held *enclosure.Held, c *component) step.Event {
	hop := c.hop()
	var peers enclosure.PeerSync
	ran := ""  // the revision that it had arrived at, at an earlier look
	runs := "" // the revision at the last look
	worse := ""
	event := func(e step.Event) step.Event {
		e.Revision = runs
		return e
	}
	for range backoff.Within(ctx, time.Duration(hop.ReturnTimeout), backoff.Device) {
		worse = ""
		e, err := held.Read(ctx)
		if err != nil {
			worse = err.Error()
		} else {
			_, sub, err := c.in(e)
			if sub != nil {
				runs = sub.Revision
			}
			switch {
			case sub == nil:
				worse = err.Error()
			case !arrived(hop, runs) && ran != "":
				return event(step.Event{Kind: step.Fail, Reason: changed(ran, runs)})
			case !arrived(hop, runs) && hop.To != "":
				return event(c.missed(ctx, notArrived(hop, runs)))
			default:
				ran = runs
				worse = strings.Join(r.baselineOf(held.ID()).Decline(e), "; ")
			}
		}
		if atRest := peers.Over(e, time.Duration(hop.Settle)); worse == "" && atRest {
			return confirm(hop, runs)
		}
	}
	if _, err := held.Revision(ctx, c.step.LUID, c.step.Subenclosure); err != nil {
		return event(step.Event{Kind: step.Lose, Reason: worse})
	}
	runs = cmp.Or(runs, c.is.Runs)
	worse = cmp.Or(worse, "the revisions that its ESPs run keep changing")
	return event(step.Event{
		Kind: step.Fail, Reason: fmt.Sprintf("it runs %s, but the enclosure is worse than before: %s", runs, worse),
	})
}

// missed returns the event of an image that was to start, and does not run.
func (c *component) missed(ctx context.Context, reason string) step.Event {
	e := step.Event{Kind: step.Fail, Reason: reason}
	if c.download == nil { // a resumption that only waited has none
		return e
	}
	if said := c.download.Failure(ctx); said.Result != download.GoOn {
		e.Reason += "; " + said.Reason
		e.Device = devices[said.Holds]
	}
	return e
}

// confirm returns the event of a hop's revision that was read back.
func confirm(hop *plan.Hop, revision string) step.Event {
	e := step.Event{Kind: step.Confirm, Revision: revision}
	switch e.Confirmed = !hop.Unversioned && revision != hop.From; {
	case hop.Unversioned:
		e.Reason = fmt.Sprintf(
			"the part behind buffer %d reports no revision: only the image that was sent says what it runs",
			hop.BufferID)
	case !e.Confirmed:
		e.Reason = fmt.Sprintf(
			"it reports %s, as it did before: the revision does not show which image it runs", revision)
	}
	return e
}

func notArrived(hop *plan.Hop, revision string) string {
	if revision == hop.From {
		return fmt.Sprintf("it still runs %s, and should run %s", revision, hop.To)
	}
	return fmt.Sprintf(
		"it runs %s, which is neither what it ran (%s) nor what it should run (%s)", revision, hop.From, hop.To)
}

func changed(was, is string) string {
	return fmt.Sprintf(
		"it ran %s when it was verified, and runs %s now: do the modules synchronise each other?", was, is)
}

package download

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fwctl/internal/duration"
	"fwctl/internal/scsi"
	"fwctl/internal/ses"
	"fwctl/internal/transport"
)

// pageDownload is a download through the download microcode page, 0Eh.
type pageDownload struct {
	*target
	bufferID byte

	// early is the answer to the last chunk, which chunk has read and finish judges.
	early *answered

	// lastSent: the last chunk was sent, or may have been by a killed run.
	lastSent       bool
	lastUnanswered bool
	// away: the last chunk was answered with an error or not at all, or the device did not
	// answer or was reset after it.
	away bool
	// missedStatus: a status that did not arrive, or that a killed run did not record, may
	// have said what became of the image.
	missedStatus bool
}

// answered is a status, or why there is none.
type answered struct {
	status ses.DownloadStatus
	err    error
}

func (d *pageDownload) prepare(ctx context.Context) Outcome {
	s, o := d.drain(ctx, false)
	if o.Result != GoOn {
		return o
	}
	if limit := int64(s.MaximumSize); limit != 0 && d.spec.Size > limit {
		return refused("the image has %d bytes and the device takes %d at most: is it the image for this model?",
			d.spec.Size, limit)
	}
	d.bufferID = byte(d.spec.BufferID)
	// FFh has been seen where 00h is meant.
	if d.bufferID == 0 && s.ExpectedBufferID != 0xff {
		d.bufferID = s.ExpectedBufferID
	}
	// It is ours: drain has seen to that.
	if partial(s) {
		return Outcome{
			Result: PartHeld,
			Reason: fmt.Sprintf("it holds a part of an image that an earlier run has sent (%v)", s),
		}
	}
	return Outcome{}
}

func (d *pageDownload) chunkSize() int { return min(d.spec.ChunkSize, ses.MaxChunk) &^ 3 }

func (d *pageDownload) send(ctx context.Context, page ses.DownloadMicrocodeControl) error {
	way, err := d.held.Transport(d.spec.LUID)
	if err != nil {
		return err
	}
	page.SubenclosureID = uint8(d.spec.Subenclosure)
	page.ExpectedGenerationCode = d.generation
	page.BufferID = d.bufferID
	return ses.Send(ctx, way, &page)
}

func (d *pageDownload) chunk(ctx context.Context, offset int, data []byte) Outcome {
	end := offset + len(data)
	last := end == int(d.spec.Size)
	d.lastSent = last
	err := d.send(ctx, ses.DownloadMicrocodeControl{
		Mode: ses.DownloadMode(d.spec.Mode), BufferOffset: uint32(offset), ImageLength: uint32(d.spec.Size), Data: data,
	})
	switch {
	case offset == 0 && d.saysModeRefused(err):
		return Outcome{Result: ModeRefused, Reason: err.Error()}
	case scsi.WasReset(err):
		o, _ := d.disturbance(err)
		return o
	case scsi.Transient(err):
		return d.notTaken(ctx, offset, end, err)
	case scsi.Refused(err):
		return d.refusedChunk(ctx, offset, err)
	case err != nil && !last:
		return d.look(ctx, offset, end, err)
	case err != nil:
		// What the device says next is the outcome.
		d.away, d.lastUnanswered = true, transport.Unanswered(err)
		return Outcome{}
	case last:
		return d.afterLast(ctx, offset)
	case d.spec.SkipMidwayStatus:
		return Outcome{}
	}
	return d.afterChunk(ctx, offset, end)
}

// afterLast reads the status after the last chunk, which finish judges: the device reports it once.
func (d *pageDownload) afterLast(ctx context.Context, offset int) Outcome {
	if d.spec.SkipLastStatus {
		return Outcome{}
	}
	s, err := d.status(ctx)
	if err == nil && statusRefusesMode(s, offset) {
		return Outcome{Result: ModeRefused, Reason: s.String()}
	}
	d.early = &answered{s, err}
	return Outcome{}
}

// afterChunk waits until the status says that the device took a chunk, and awaits more.
func (d *pageDownload) afterChunk(ctx context.Context, offset, end int) Outcome {
	o := poll(ctx, d.spec.FlashTimeout, func() sight {
		s, err := d.status(ctx)
		switch {
		case transport.Unanswered(err):
			return over(d.look(ctx, offset, end, err))
		case scsi.Transient(err) && !scsi.WasReset(err):
			return sight{said: err.Error()}
		case err != nil:
			if o, is := d.disturbance(err); is {
				return over(o)
			}
			return over(d.brokenOff(end, err))
		}
		if done, o := midway(s, offset, end, int(d.spec.Size)); done {
			return over(o)
		}
		return sight{said: s.String(), stage: stageOf(s)}
	}, func(said string) Outcome {
		return d.brokenOff(end, "nothing moves any more: "+said)
	})
	// It took the chunk, whatever it says of itself.
	o.MayHaveTaken = o.MayHaveTaken || o.Holds == Part
	return o
}

// refusedChunk returns the outcome on a chunk that the device refuses. A changed generation
// code is one reason for a refusal, even if the sense data do not point at it.
func (d *pageDownload) refusedChunk(ctx context.Context, offset int, cause error) Outcome {
	s, err := d.ask(ctx)
	if o, is := d.disturbance(err); is {
		o.Reason = fmt.Sprintf("%v; %s", cause, o.Reason)
		return o
	}
	o := d.brokenOff(offset, cause)
	if err == nil && s.Code == ses.DownloadNeedsImage {
		// It may still wait for more of this image.
		d.caller.NeedsImage(d.spec.Component, s.String())
		o.Reason = fmt.Sprintf("%s; %v", o.Reason, s)
	}
	return o
}

// notTaken returns the outcome on a chunk that the device did not carry out, for a reason
// that passes. Before the chunk is sent again, the status says which byte the device waits
// for. The status after the last chunk is not read here: the device reports it only once.
func (d *pageDownload) notTaken(ctx context.Context, offset, end int, cause error) Outcome {
	again := Outcome{Result: NotTaken, Reason: cause.Error()}
	if offset == 0 || end == int(d.spec.Size) || d.spec.SkipMidwayStatus {
		return again
	}
	s, err := d.status(ctx)
	switch {
	case err == nil && s.Code.Failed():
		return failedWith(s)
	case err == nil && s.ExpectedBufferOffset == uint32(end):
		// It did take the chunk.
		return Outcome{}
	case err == nil && s.ExpectedBufferOffset != uint32(offset) && s.ExpectedBufferOffset != ses.AnyOffset:
		o := d.brokenOff(offset, fmt.Sprintf("%v, and it waits for byte %d", cause, s.ExpectedBufferOffset))
		o.Holds = Spoiled
		return o
	case err != nil && !scsi.Transient(err):
		return d.brokenOff(offset, err)
	}
	return again
}

// saysModeRefused reports whether sense data say that the device does not take the mode of the
// control page. Without a field pointer they can mean anything, unless a quirk says what they
// mean.
func (d *pageDownload) saysModeRefused(err error) bool {
	var e *scsi.Error
	if !errors.As(err, &e) || e.Sense == nil {
		return false
	}
	if f := e.Sense.Field; f != nil {
		return e.Sense.Key == scsi.IllegalRequest && e.Sense.ASC == scsi.InvalidFieldInParameterList &&
			!f.InCDB && f.Byte == uint16(ses.ModeField)
	}
	return d.refusesMode(e.Sense)
}

// statusRefusesMode reports whether the status after the first chunk says that the device does
// not take the mode.
func statusRefusesMode(s ses.DownloadStatus, offset int) bool {
	field, ok := s.RefusedField()
	return ok && field == ses.ModeField && offset == 0
}

// midway judges the status after a chunk that is not the last. If it is not done, the status
// is to be read again.
func midway(s ses.DownloadStatus, offset, end, size int) (done bool, o Outcome) {
	switch {
	case statusRefusesMode(s, offset):
		return true, Outcome{Result: ModeRefused, Reason: s.String()}
	case s.Code.Failed():
		return true, failedWith(s)
	case s.Code.Complete():
		return true, lost("after byte %d of %d it says: %v", end, size, s)
	case s.Code > ses.DownloadInProgress:
		// Some devices say between chunks that they write flash.
		return false, Outcome{}
	case s.ExpectedBufferOffset != uint32(end) && s.ExpectedBufferOffset != ses.AnyOffset:
		return true, failed(Spoiled, "after byte %d it waits for byte %d: a chunk was lost or doubled, "+
			"the device was reset, or someone else is writing to it", end, s.ExpectedBufferOffset)
	}
	return true, Outcome{}
}

// failedWith returns the outcome on an error status.
func failedWith(s ses.DownloadStatus) Outcome {
	switch s.Code {
	case ses.DownloadNeedsImage:
		return failed(NeedsImage, "%v", s)
	case ses.DownloadNothingToActivate:
		return failed(Nothing, "%v", s)
	case ses.DownloadInternalError:
		// After this code a reset is safe.
		return failed(NotSaid, "%v", s)
	case ses.DownloadImageError:
		return failed(Spoiled, "%v: the device refuses the image; is it the one for this model?", s)
	}
	return failed(Spoiled, "%v", s)
}

// finish waits for the device's word on the image. A device that does not answer for a while
// may be restarting, or only its path may be gone. Its status shows which; if the status says
// nothing, what it runs does. Only a reset proves that it has stopped writing flash.
func (d *pageDownload) finish(ctx context.Context) Outcome {
	if d.spec.SkipLastStatus {
		// This is then a download without a status page.
		blind := *d.target
		blind.hasPage = false
		return (&bufferDownload{target: &blind, away: d.away}).finish(ctx)
	}
	left := false
	// The revision that it ran at the last look, if its status was 00h.
	idle := ""
	return poll(ctx, d.patience(), func() sight {
		idle = ""
		s, err := d.next(ctx)
		switch {
		case transport.Unanswered(err), scsi.WasReset(err):
			d.away = true
			var e *transport.Error
			d.missedStatus = d.missedStatus || errors.As(err, &e) && !e.NotSent
			if d.starts() && !left {
				left = true
				time.Sleep(d.spec.Settle)
			}
			d.findAgain(ctx)
			if d.starts() {
				return sight{said: err.Error(), stage: leaving}
			}
			return sight{said: err.Error()}
		case err != nil:
			return sight{said: err.Error()}
		}
		if d.answersAbort(s) {
			return over(lost("after the last byte it has answered an abort that came late, "+
				"and its word on the image is lost (%v)", s))
		}
		if done, o := ended(s, d.starts()); done {
			return over(o)
		}
		if d.away && d.waitsForMore(s) {
			return over(failed(Part, "the last of the image was lost: it waits for byte %d of %d (%v)",
				s.ExpectedBufferOffset, d.spec.Size, s))
		}
		if s.Code != ses.DownloadIdle || !d.starts() && !d.away {
			return sight{said: s.String(), stage: stageOf(s)}
		}
		// The code may have been lost. The revision then shows what happened, if it changes.
		revision, err := d.revision(ctx)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case d.spec.Proves(revision):
			return over(Outcome{Result: Starting, Reason: "it has restarted"})
		case d.starts() && d.wasReset():
			return over(Outcome{Result: Starting, Reason: "it has been reset"})
		case !d.starts() && (d.lastUnanswered || d.missedStatus || d.wasReset()):
			return over(lost(unsaidAway, revision))
		}
		idle = revision
		return sight{said: fmt.Sprintf("%v, and it runs %s", s, revision)}
	}, func(said string) Outcome { return d.noWord(idle, said) })
}

// answersAbort reports whether a status after the last chunk is the answer to an abort of an
// earlier download: the status after the first chunk has shown that the device takes the mode.
func (d *pageDownload) answersAbort(s ses.DownloadStatus) bool {
	field, ok := s.RefusedField()
	return ok && field == ses.ModeField && d.spec.Size > int64(d.chunkSize()) && !d.spec.SkipMidwayStatus
}

// noWord returns the outcome on an image if the device has not said what became of it. idle
// is the revision that the device runs, if it says that no download goes on.
func (d *pageDownload) noWord(idle, said string) Outcome {
	switch {
	case idle != "" && d.starts() && d.spec.Invisible():
		return Outcome{Result: Starting, Reason: "it says nothing of the image any more"}
	case idle != "" && d.away && !d.missedStatus && d.spec.Protocol == ByPage:
		o := failed(Spoiled, "it did not answer for a while after the last byte, and the image is lost: "+
			"for %v it has said %s",
			duration.String(d.patience()), said)
		o.Revision = idle
		return o
	}
	return lost("it has all of the image, and for %v has said no more than: %s; do not power-cycle it",
		duration.String(d.patience()), said)
}

// waitsForMore reports whether a device has not got the last of the image.
func (d *pageDownload) waitsForMore(s ses.DownloadStatus) bool {
	return partial(s) && int64(s.ExpectedBufferOffset) < d.spec.Size
}

// next returns the status that chunk has read already, once, and then fresh ones.
func (d *pageDownload) next(ctx context.Context) (ses.DownloadStatus, error) {
	if a := d.early; a != nil {
		d.early = nil
		return a.status, a.err
	}
	return d.freshStatus(ctx)
}

// ended judges a status after the last chunk. The first code that ends the download counts,
// because the device reports each once. If it is not done, the status is to be read again.
func ended(s ses.DownloadStatus, starts bool) (done bool, o Outcome) {
	switch {
	case s.Code.Failed():
		return true, failedWith(s)
	case s.Code == ses.DownloadDoneStartsNow:
		return true, complete(Starting, s.String())
	case s.Code == ses.DownloadDoneAfterReset, s.Code == ses.DownloadDoneAfterPowerOn:
		o := complete(Deferred, s.String())
		o.StartsByPower = true
		return true, o
	case s.Code == ses.DownloadDoneDeferred, s.Code.Complete() && !starts:
		return true, complete(Deferred, s.String())
	case s.Code.Complete():
		return true, complete(Starting, s.String())
	}
	return false, Outcome{}
}

// abort sends the page's abort, with the current generation code, and reads the status until
// the device holds no part of an image. It reads on past the code that the abort leaves (80h,
// seen with the mode's field), which the next download would take for its own. A device that
// was busy, or had something else to report first, did not carry the abort out and gets it
// again.
func (d *pageDownload) abort(ctx context.Context) Outcome {
	// with is the generation code of the abort.
	sent, with := false, uint32(0)
	var answer error
	return poll(ctx, d.spec.FlashTimeout, func() sight {
		s, err := d.freshStatus(ctx)
		switch {
		case err != nil:
			d.findAgain(ctx)
			return sight{said: err.Error()}
		case s.Code == ses.DownloadNeedsImage:
			return over(failedWith(s))
		case s.Code.Complete() && d.lastSent:
			// The code is reported once: finish must get it.
			d.early = &answered{status: s}
			return over(Outcome{Result: Sent, Reason: s.String()})
		case sent && (s.Code.Failed() || s.Code.Complete()):
			// The code is reported once: the next status counts.
			return sight{said: s.String()}
		case sent && s.Code == ses.DownloadIdle && !d.waitsForMore(s):
			return over(Outcome{Result: Discarded, Reason: "the device has discarded it"})
		case sent && scsi.Refused(answer) && d.generation == with:
			return over(failed(Unclear, "the device does not take the abort: %v; %v", answer, s))
		case !sent, scsi.Transient(answer), scsi.Refused(answer):
			answer = d.send(ctx, ses.DownloadMicrocodeControl{Mode: ses.AbortDownload})
			sent, with = true, d.generation
		}
		if answer != nil {
			return sight{said: fmt.Sprintf("%v; %v", s, answer)}
		}
		return sight{said: s.String()}
	}, func(said string) Outcome {
		if !sent || !d.answers(ctx) {
			o := lost("what it holds is unknown: it has not answered since: %s", said)
			o.Holds = Unclear
			return o
		}
		return failed(Unclear, "after the abort it goes on saying: %s", said)
	})
}

// answers reports whether the device's status can be read.
func (d *pageDownload) answers(ctx context.Context) bool {
	_, err := d.freshStatus(ctx)
	return err == nil
}

func (d *pageDownload) failure(ctx context.Context) Outcome {
	if d.spec.SkipLastStatus {
		return Outcome{}
	}
	d.collect(ctx)
	if d.failed != nil {
		return failedWith(*d.failed)
	}
	return Outcome{}
}

func (d *pageDownload) recover(ctx context.Context, last bool) Outcome {
	d.away, d.missedStatus, d.lastSent = true, true, last
	return poll(ctx, d.patience(), func() sight {
		s, err := d.freshStatus(ctx)
		if err != nil {
			d.findAgain(ctx)
			return sight{said: err.Error()}
		}
		switch {
		case s.Code == ses.DownloadNeedsImage:
			return over(failedWith(s))
		case s.Code.Failed():
			return over(Outcome{Result: StartOver, Reason: s.String()})
		case s.Code.Complete():
			d.early = &answered{status: s}
			return over(Outcome{Result: Sent, Reason: s.String()})
		case d.waitsForMore(s):
			return over(Outcome{
				Result: PartHeld,
				Reason: fmt.Sprintf("it waits for byte %d of %d", s.ExpectedBufferOffset, d.spec.Size),
			})
		case s.Code != ses.DownloadIdle && !last:
			// Some devices say between chunks that they write flash.
			return sight{said: s.String(), stage: stageOf(s)}
		case s.Code != ses.DownloadIdle, last && d.starts():
			return over(Outcome{Result: Sent, Reason: s.String()})
		}
		return over(d.runs(ctx))
	}, func(said string) Outcome { return lost("what it holds is unknown: %s", said) })
}

func (d *pageDownload) activate(ctx context.Context) Outcome {
	if o := d.readyToActivate(ctx); o.Result != GoOn {
		return o
	}
	if d.spec.ActivationPage != nil {
		return d.sendActivationPage(ctx)
	}
	d.bufferID = byte(d.spec.BufferID)
	err := d.send(ctx, ses.DownloadMicrocodeControl{Mode: ses.ActivateDeferredMicrocode})
	if scsi.Refused(err) {
		// The generation code may have changed since it was read.
		with := d.generation
		d.bound = false
		if _, failure := d.ask(ctx); failure == nil && d.generation != with {
			err = d.send(ctx, ses.DownloadMicrocodeControl{Mode: ses.ActivateDeferredMicrocode})
		}
	}
	if d.saysModeRefused(err) {
		return neverActivates(err)
	}
	if err != nil {
		return activated(err)
	}
	// Only the status shows 85h, and some devices start microcode at 10h when it is read.
	d.collect(ctx)
	switch {
	case d.failed != nil && statusRefusesMode(*d.failed, 0):
		return neverActivates(d.failed)
	case d.failed != nil:
		return failedWith(*d.failed)
	}
	return Outcome{Result: Restarting}
}

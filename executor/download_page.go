package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/ses"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// pageDownload is a download through the download microcode page, 0Eh.
type pageDownload struct {
	target
	bufferID byte

	early *answered // to the last chunk, which chunk has read and finish judges
	// away: the last chunk was answered with an error or not at all, or the device did not
	// answer or was reset after it.
	away  bool
	lost  bool // the last chunk was not answered
	whole bool // the last chunk was sent, or may have been by a killed run

	untold bool // a status that nobody heard, or that a killed run has not recorded, may have been the word on the image
}

// answered is a status, or why there is none.
type answered struct {
	status ses.DownloadStatus
	err    error
}

func (d *pageDownload) prepare(ctx context.Context) verdict {
	s, v := d.drain(ctx, false)
	if v.trigger != "" {
		return v
	}
	if limit := int64(s.MaximumSize); limit != 0 && d.hop.Image.Size > limit {
		return verdict{trigger: Refuse, reason: fmt.Sprintf("the image has %d bytes and the device takes %d at most: is it the image for this model?", d.hop.Image.Size, limit)}
	}
	d.bufferID = byte(d.hop.BufferID)
	if d.bufferID == 0 && s.ExpectedBufferID != 0xff { // FFh is seen where 00h is meant
		d.bufferID = s.ExpectedBufferID
	}
	if partial(s) { // drain has found it to be ours
		return verdict{
			trigger: halfTaken,
			reason:  fmt.Sprintf("it holds a part of an image that an earlier run has sent (%v)", s),
		}
	}
	return verdict{}
}

func (d *pageDownload) chunkSize() int { return min(d.hop.ChunkSize, ses.MaxChunk) &^ 3 }

func (d *pageDownload) send(ctx context.Context, page ses.DownloadMicrocodeControl) error {
	node, err := d.session.Transport(d.luID)
	if err != nil {
		return err
	}
	page.SubenclosureID = uint8(d.subenclosure)
	page.ExpectedGenerationCode = d.generation
	page.BufferID = d.bufferID
	return ses.Send(ctx, node, &page)
}

func (d *pageDownload) chunk(ctx context.Context, offset int, data []byte) verdict {
	size := int(d.hop.Image.Size)
	end := offset + len(data)
	d.whole = end == size
	err := d.send(ctx, ses.DownloadMicrocodeControl{
		Mode: ses.DownloadMode(code(d.mode)), BufferOffset: uint32(offset), ImageLength: uint32(size), Data: data,
	})
	switch {
	case offset == 0 && d.saysModeRefused(err):
		return verdict{trigger: modeRefused, reason: err.Error()}
	case scsi.Transient(err) && !scsi.WasReset(err):
		return d.notTaken(ctx, offset, end, err)
	case scsi.WasReset(err):
		v, _ := d.disturbance(err)
		return v
	case scsi.Refused(err):
		return d.refusedChunk(ctx, offset, err)
	case err != nil && end < size:
		return d.look(ctx, offset, end, err)
	case err != nil: // what the device says next is the outcome
		d.away, d.lost = true, transport.Unanswered(err)
		return verdict{}
	case d.skips(plan.MidwayStatus) && end < size, d.skips(plan.LastStatus) && end == size:
		return verdict{}
	}

	v := poll(ctx, d.flashTimeout(), func() sight {
		s, err := d.status(ctx)
		switch {
		case end == size && err == nil && tellsModeRefused(s, offset):
			return over(verdict{trigger: modeRefused, reason: s.String()})
		case end == size:
			d.early = &answered{s, err}
			return over(verdict{})
		case transport.Unanswered(err):
			return over(d.look(ctx, offset, end, err))
		case scsi.Transient(err) && !scsi.WasReset(err):
			return sight{said: err.Error()}
		case err != nil:
			if v, is := d.disturbance(err); is {
				return over(v)
			}
			return over(d.brokenOff(end, err))
		}
		if done, v := midway(s, offset, end, size); done {
			return over(v)
		}
		return sight{said: s.String(), stage: stageOf(s)}
	}, func(said string) verdict {
		return d.brokenOff(end, "nothing moves any more: "+said)
	})
	v.inDoubt = v.inDoubt || v.half // it took the chunk, whatever it says of itself
	return v
}

// refusedChunk is the verdict on a chunk that the device refuses. A generation code
// that is not the download's any more is one reason for that, even if the sense data
// do not point at it.
func (d *pageDownload) refusedChunk(ctx context.Context, offset int, cause error) verdict {
	s, err := d.ask(ctx)
	if v, is := d.disturbance(err); is {
		v.reason = fmt.Sprintf("%v; %s", cause, v.reason)
		return v
	}
	v := d.brokenOff(offset, cause)
	if err == nil && s.Code == ses.DownloadNeedsImage {
		v.needsPerson = true
		v.reason = fmt.Sprintf("%s; %v", v.reason, s)
	}
	return v
}

// notTaken is the verdict on a chunk that the device did not carry out, for a reason
// that passes. Before it is sent again the device says what it waits for; but for
// the last one, after which the status is told once.
func (d *pageDownload) notTaken(ctx context.Context, offset, end int, cause error) verdict {
	v := verdict{trigger: notTaken, reason: cause.Error()}
	if offset == 0 || end == int(d.hop.Image.Size) || d.skips(plan.MidwayStatus) {
		return v
	}
	s, err := d.status(ctx)
	switch {
	case err == nil && s.Code.Failed():
		return failed(s)
	case err == nil && s.ExpectedBufferOffset == uint32(end):
		return verdict{} // it took it all the same
	case err == nil && s.ExpectedBufferOffset != uint32(offset) && s.ExpectedBufferOffset != ses.AnyOffset:
		foreign := d.brokenOff(offset, fmt.Sprintf("%v, and it waits for byte %d", cause, s.ExpectedBufferOffset))
		foreign.half, foreign.discarded = false, true
		return foreign
	case err != nil && !scsi.Transient(err):
		return d.brokenOff(offset, err)
	}
	return v
}

// saysModeRefused tells whether sense data say that the device does not take the
// mode of the control page. Without the pointer they can mean anything, unless the
// plan knows what they mean.
func (d *pageDownload) saysModeRefused(err error) bool {
	var e *scsi.Error
	if !errors.As(err, &e) || e.Sense == nil {
		return false
	}
	if f := e.Sense.Field; f != nil {
		return e.Sense.Key == scsi.IllegalRequest && e.Sense.ASC == scsi.InvalidFieldInParameterList && !f.InCDB && f.Byte == uint16(ses.ModeField)
	}
	return d.refusesMode(e.Sense)
}

func tellsModeRefused(s ses.DownloadStatus, offset int) bool {
	field, ok := s.RefusedField()
	return ok && field == ses.ModeField && offset == 0
}

func stageOf(s ses.DownloadStatus) stage {
	switch {
	case s.Code == ses.DownloadInProgress:
		return receiving
	case s.Code.InProgress():
		return writing
	}
	return silent
}

// midway judges the status after a chunk that is not the last. Not done: ask again.
func midway(s ses.DownloadStatus, offset, end, size int) (done bool, v verdict) {
	switch {
	case tellsModeRefused(s, offset):
		return true, verdict{trigger: modeRefused, reason: s.String()}
	case s.Code.Failed():
		return true, failed(s)
	case s.Code.Complete():
		return true, verdict{trigger: Lose, reason: fmt.Sprintf("after byte %d of %d it says: %v", end, size, s)}
	case s.Code > ses.DownloadInProgress:
		return false, verdict{} // some say between chunks that they write flash
	case s.ExpectedBufferOffset != uint32(end) && s.ExpectedBufferOffset != ses.AnyOffset:
		return true, verdict{trigger: Fail, discarded: true, reason: fmt.Sprintf(
			"after byte %d it waits for byte %d: a chunk was lost or doubled, the device was reset, or somebody else is writing to it", end, s.ExpectedBufferOffset)}
	}
	return true, verdict{}
}

// failed says what an error status means to the person who has to act on it.
func failed(s ses.DownloadStatus) verdict {
	v := verdict{trigger: Fail, reason: s.String()}
	switch s.Code {
	case ses.DownloadNeedsImage:
		v.needsPerson = true
	case ses.DownloadNothingToActivate:
		v.unstaged = true
	case ses.DownloadImageError:
		v.reason += ": the device refuses the image; is it the one for this model?"
	}
	v.discarded = s.Code != ses.DownloadNeedsImage && s.Code != ses.DownloadInternalError
	return v
}

// finish listens for the word on the image. A device that does not answer for a
// while may be restarting, or only its path has gone: its status tells which,
// what it runs where the status says nothing, and nothing but that it has been
// reset proves that it writes no flash any more.
func (d *pageDownload) finish(ctx context.Context) verdict {
	if d.skips(plan.LastStatus) { // what is left is what a download without a status page has
		blind := bufferDownload{target: d.target, away: d.away}
		blind.hasPage = false
		return blind.finish(ctx)
	}
	left := false
	idle := "" // the revision that it ran at the last look, where its status was 00h
	return poll(ctx, d.patience(), func() sight {
		idle = ""
		s, err := d.next(ctx)
		switch {
		case transport.Unanswered(err), scsi.WasReset(err):
			d.away = true
			var lost *transport.Error
			d.untold = d.untold || errors.As(err, &lost) && !lost.NotSent
			if d.starts() && !left {
				left = true
				time.Sleep(time.Duration(d.hop.Settle))
			}
			d.session.Revision(ctx, d.luID, d.subenclosure) // finds it again if it has moved
			if d.starts() {
				return sight{said: err.Error(), stage: leaving}
			}
			return sight{said: err.Error()}
		case err != nil:
			return sight{said: err.Error()}
		}
		if done, v := ended(s, d.starts()); done {
			return over(v)
		}
		if d.away && d.waitsForMore(s) {
			return over(verdict{trigger: Fail, half: true, reason: fmt.Sprintf(
				"the last of the image was lost: it waits for byte %d of %d (%v)", s.ExpectedBufferOffset, d.hop.Image.Size, s)})
		}
		if s.Code != ses.DownloadIdle || !d.starts() && !d.away {
			return sight{said: s.String(), stage: stageOf(s)}
		}
		// The code may have been told to nobody. The revision tells, if it changes at all.
		revision, err := d.session.Revision(ctx, d.luID, d.subenclosure)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case d.runsImage(revision):
			return over(verdict{trigger: Start, reason: "it has restarted"})
		case d.starts() && d.session.WasReset(d.luID):
			return over(verdict{trigger: Start, reason: "it has been reset"})
		case !d.starts() && (d.lost || d.untold || d.session.WasReset(d.luID)):
			return over(verdict{trigger: Lose, reason: fmt.Sprintf("it was away after the last byte, runs %s, and does not say what became of the image", revision)})
		}
		idle = revision
		return sight{said: fmt.Sprintf("%v, and it runs %s", s, revision)}
	}, func(said string) verdict {
		switch {
		case idle != "" && d.starts() && d.provesNothing():
			return verdict{trigger: Start, reason: "it says nothing of the image any more"}
		case idle != "" && d.away && !d.untold && d.hop.Protocol == plan.SES:
			return verdict{trigger: Fail, revision: idle, discarded: true, reason: fmt.Sprintf("it did not answer for a while after the last byte, and the image is lost: for %v it has said %s", plan.Duration(d.patience()), said)}
		}
		return verdict{trigger: Lose, reason: fmt.Sprintf("it has all of the image, and for %v has said no more than: %s; do not power-cycle it", plan.Duration(d.patience()), said)}
	})
}

// waitsForMore tells whether a device has not got the last of the image. Some
// say 00h while they download, and tell it by the offset alone.
func (d *pageDownload) waitsForMore(s ses.DownloadStatus) bool {
	return partial(s) && int64(s.ExpectedBufferOffset) < d.hop.Image.Size
}

// next is the status that chunk has read already, once, and then a new one.
func (d *pageDownload) next(ctx context.Context) (ses.DownloadStatus, error) {
	if a := d.early; a != nil {
		d.early = nil
		return a.status, a.err
	}
	d.bound = false // a device that has restarted may have another generation
	return d.status(ctx)
}

// ended judges a status after the last chunk. The first code that ends the
// download counts: codes are told once. Not done: ask again.
func ended(s ses.DownloadStatus, starts bool) (done bool, v verdict) {
	switch {
	case s.Code.Failed():
		return true, failed(s)
	case s.Code == ses.DownloadDoneStartsNow:
		return true, verdict{trigger: Start, reason: s.String(), confirmed: true}
	case s.Code == ses.DownloadDoneAfterReset, s.Code == ses.DownloadDoneAfterPowerOn:
		return true, verdict{trigger: Defer, reason: s.String(), confirmed: true, powerOnly: true}
	case s.Code == ses.DownloadDoneDeferred, s.Code.Complete() && !starts:
		return true, verdict{trigger: Defer, reason: s.String(), confirmed: true}
	case s.Code.Complete():
		return true, verdict{trigger: Start, reason: s.String(), confirmed: true}
	}
	return false, verdict{}
}

// abort sends the page's abort, with the generation code that holds now, and reads the
// status until the device holds no part of an image. The code that the abort leaves
// there (80h, seen with the mode's field) would be taken for the word on the next
// download. A device that was busy, or had something else to say first, did not carry
// the abort out and gets it again.
func (d *pageDownload) abort(ctx context.Context) verdict {
	sent, with := false, uint32(0) // the generation code of the abort
	var answer error
	return poll(ctx, d.flashTimeout(), func() sight {
		d.bound = false
		s, err := d.status(ctx)
		switch {
		case err != nil:
			d.session.Revision(ctx, d.luID, d.subenclosure) // finds it again if it has moved
			return sight{said: err.Error()}
		case s.Code == ses.DownloadNeedsImage:
			return over(failed(s))
		case s.Code.Complete() && d.whole: // reported once, and the outcome wherever it is read
			d.early = &answered{status: s}
			return over(verdict{trigger: SentAll, reason: s.String()})
		case sent && (s.Code.Failed() || s.Code.Complete()):
			return sight{said: s.String()} // reported once: the next status is the one that counts
		case sent && s.Code == ses.DownloadIdle && !d.waitsForMore(s):
			return over(verdict{trigger: Abort, reason: "the device has discarded it"})
		case sent && scsi.Refused(answer) && d.generation == with:
			return over(
				verdict{trigger: Fail, unclear: true, reason: fmt.Sprintf("the device does not take the abort: %v; %v", answer, s)},
			)
		case !sent, scsi.Transient(answer), scsi.Refused(answer):
			answer = d.send(ctx, ses.DownloadMicrocodeControl{Mode: ses.AbortDownload})
			sent, with = true, d.generation
		}
		if answer != nil {
			return sight{said: fmt.Sprintf("%v; %v", s, answer)}
		}
		return sight{said: s.String()}
	}, func(said string) verdict {
		if !sent || !d.answers(ctx) {
			return verdict{trigger: Lose, unclear: true, reason: "what it holds is unknown: it has not answered since: " + said}
		}
		return verdict{trigger: Fail, unclear: true, reason: "after the abort it goes on saying: " + said}
	})
}

// answers reports whether the device's status can be read.
func (d *pageDownload) answers(ctx context.Context) bool {
	d.bound = false
	_, err := d.status(ctx)
	return err == nil
}

func (d *pageDownload) failure(ctx context.Context) verdict {
	if d.skips(plan.LastStatus) {
		return verdict{}
	}
	d.collect(ctx)
	if d.failed != nil {
		return failed(*d.failed)
	}
	return verdict{}
}

func (d *pageDownload) recover(ctx context.Context, last bool) verdict {
	d.away, d.untold, d.whole = true, true, last
	return poll(ctx, d.patience(), func() sight {
		d.bound = false
		s, err := d.status(ctx)
		if err != nil {
			d.session.Revision(ctx, d.luID, d.subenclosure) // finds it again if it has moved
			return sight{said: err.Error()}
		}
		switch {
		case s.Code == ses.DownloadNeedsImage:
			return over(failed(s))
		case s.Code.Failed():
			return over(verdict{trigger: StartOver, reason: s.String()})
		case s.Code.Complete():
			d.early = &answered{status: s}
			return over(verdict{trigger: SentAll, reason: s.String()})
		case d.waitsForMore(s):
			return over(verdict{trigger: halfTaken, reason: fmt.Sprintf("it waits for byte %d of %d", s.ExpectedBufferOffset, d.hop.Image.Size)})
		case s.Code != ses.DownloadIdle && !last:
			return sight{said: s.String(), stage: stageOf(s)} // some say between chunks that they write flash
		case s.Code != ses.DownloadIdle, last && d.starts():
			return over(verdict{trigger: SentAll, reason: s.String()})
		}
		return over(d.runs(ctx))
	}, func(said string) verdict {
		return verdict{trigger: Lose, reason: "nobody can tell what it holds: " + said}
	})
}

func (d *pageDownload) activate(ctx context.Context) verdict {
	if v := d.ready(ctx); v.trigger != "" {
		return v
	}
	if d.hop.ActivationPage != "" {
		return d.sendActivationPage(ctx)
	}
	d.bufferID = byte(d.hop.BufferID)
	err := d.send(ctx, ses.DownloadMicrocodeControl{Mode: ses.ActivateDeferredMicrocode})
	if scsi.Refused(err) { // perhaps for a generation code that has changed since it was read
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
		return restarting(err)
	}
	// 85h stands in the status alone, and microcode at 10h starts when it is read.
	d.collect(ctx)
	switch {
	case d.failed != nil && tellsModeRefused(*d.failed, 0):
		return neverActivates(d.failed)
	case d.failed != nil:
		return failed(*d.failed)
	}
	return verdict{trigger: Restart}
}

package executor

import (
	"context"
	"errors"
	"fmt"

	"fwctl/internal/scsi"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// bufferDownload is a download by WRITE BUFFER commands with offsets. No status
// page belongs to it, and nothing aborts it.
type bufferDownload struct {
	target
	step int  // chunk size, on the device's offset boundary
	away bool // the last chunk was not answered
}

// maxBufferImage is how far the 24-bit offsets of WRITE BUFFER reach.
const maxBufferImage = 1 << 24

func (d *bufferDownload) prepare(ctx context.Context) verdict {
	if _, v := d.drain(ctx, false); v.trigger != "" {
		return v
	}
	size := d.hop.Image.Size
	if size > maxBufferImage {
		return refuse("the image has %d bytes and WRITE BUFFER reaches %d at most", size, maxBufferImage)
	}
	b, err := d.do(ctx, scsi.ReadBuffer{Mode: scsi.ReadBufferDescriptor, BufferID: byte(d.hop.BufferID), AllocationLength: 4})
	if e := (*scsi.Error)(nil); errors.As(err, &e) {
		return verdict{} // it does not tell: many do not
	}
	if err != nil {
		return refuse("%v", err)
	}
	descriptor, err := scsi.ParseBufferDescriptor(b)
	if err != nil {
		return refuse("%v", err)
	}
	if c := int64(descriptor.Capacity); c != 0 && size > c {
		return refuse("the image has %d bytes and buffer %d of the device %d: is it the image for this model?", size, d.hop.BufferID, c)
	}
	if descriptor.OffsetBoundary > 16 {
		if size > int64(d.step) {
			return refuse("the device takes an image in one command only, and this one would have %d bytes", size)
		}
		return verdict{}
	}
	boundary := 1 << descriptor.OffsetBoundary
	d.step = (d.step + boundary - 1) / boundary * boundary
	return verdict{}
}

func (d *bufferDownload) chunkSize() int { return d.step }

func (d *bufferDownload) chunk(ctx context.Context, offset int, data []byte) verdict {
	_, err := d.do(ctx, scsi.WriteBuffer{
		Mode: scsi.WriteBufferMode(code(d.mode)), BufferID: byte(d.hop.BufferID), BufferOffset: uint32(offset), Data: data,
	})
	end := offset + len(data)
	last := end == int(d.hop.Image.Size)
	switch {
	case err == nil:
		return verdict{}
	case offset == 0 && d.saysModeRefused(ctx, err):
		return verdict{trigger: modeRefused, reason: err.Error()}
	case scsi.Transient(err) && !scsi.WasReset(err):
		return verdict{trigger: notTaken, reason: err.Error()}
	case scsi.WasReset(err):
		v, _ := d.disturbance(err)
		return v
	case scsi.Refused(err):
		return d.brokenOff(offset, err)
	case last:
		d.away = true
		return verdict{} // it may be restarting: what it says or runs afterwards decides
	}
	return d.look(ctx, offset, end, err)
}

// saysModeRefused tells whether a refused first chunk was refused for its mode:
// invalid field in CDB means that only where the device points at it, or says
// elsewhere that it does not support the mode. What the plan takes for a refused
// mode is one unless the device says elsewhere that it supports the mode.
func (d *bufferDownload) saysModeRefused(ctx context.Context, err error) bool {
	var e *scsi.Error
	if !errors.As(err, &e) || e.Sense == nil {
		return false
	}
	known := d.refusesMode(e.Sense)
	if !known && (e.Sense.Key != scsi.IllegalRequest || e.Sense.ASC != scsi.InvalidFieldInCDB) {
		return false
	}
	if f := e.Sense.Field; f != nil {
		return f.InCDB && f.Byte == 1
	}
	b, err := d.do(ctx, scsi.ReportSupportedOperationCodes{
		ReportingOptions: scsi.OneCommandWithService, RequestedOperationCode: 0x3b, RequestedServiceAction: uint16(code(d.mode)), AllocationLength: 512,
	})
	if err != nil {
		return known
	}
	support, err := scsi.ParseCommandSupport(b)
	if err != nil {
		return known
	}
	return support.Support == scsi.NotSupported || known && support.Support == scsi.SupportUnknown
}

// finish listens for a word for as long as the device may be writing flash.
func (d *bufferDownload) finish(ctx context.Context) verdict {
	switch {
	case d.starts() && d.hasPage:
		page := pageDownload{target: d.target, away: d.away}
		return page.finish(ctx)
	case d.starts():
		return d.awaitRevision(ctx)
	}
	busy, reset := false, false
	return poll(ctx, d.patience(), func() sight {
		v, err := d.word(ctx)
		reset = reset || transport.Unanswered(err) || scsi.WasReset(err) || d.session.WasReset(d.luID)
		if v.trigger != "" {
			return over(v)
		}
		if err != nil {
			busy = scsi.Transient(err) || errors.Is(err, errWriting)
			return sight{said: err.Error()}
		}
		busy = false
		if !reset {
			return sight{}
		}
		revision, err := d.session.Revision(ctx, d.luID, d.subenclosure)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case d.runsImage(revision):
			return over(verdict{trigger: Start, reason: "it has restarted"})
		}
		return over(verdict{trigger: Lose, reason: fmt.Sprintf("it was away after the last byte, runs %s, and does not say what became of the image", revision)})
	}, func(said string) verdict {
		if busy || reset {
			return verdict{trigger: Lose, reason: fmt.Sprintf("it has all of the image, and for %v has said no more than: %s; do not power-cycle it", plan.Duration(d.patience()), said)}
		}
		if d.away {
			return verdict{
				trigger: Lose,
				unclear: true,
				reason:  "the last of the image was not answered as taken, and the device has no word for whether it is complete",
			}
		}
		return verdict{trigger: Defer, reason: "all of the image was taken, and the device has no word for whether it is complete: the revision after its activation will tell"}
	})
}

// awaitRevision waits for a device that starts the image by itself to run it, or
// to have been reset. One that is merely back may be writing flash all the while. One
// that took all of the image, and is back under another node, has left the bus to restart.
func (d *bufferDownload) awaitRevision(ctx context.Context) verdict {
	start := verdict{trigger: Start, reason: "it has all of the image"}
	return poll(ctx, d.patience(), func() sight {
		revision, err := d.session.Revision(ctx, d.luID, d.subenclosure)
		switch {
		case err != nil:
			return sight{said: err.Error(), stage: leaving}
		case d.runsImage(revision), d.session.WasReset(d.luID), !d.away && d.session.HasMoved(d.luID):
			return over(start)
		}
		return sight{said: "it runs " + revision}
	}, func(said string) verdict {
		if d.provesNothing() {
			return start
		}
		has := "it has"
		if d.away {
			has = "it may have"
		}
		return verdict{trigger: Lose, reason: fmt.Sprintf("%s all of the image, and after %v nobody can tell whether it is still writing flash: %s; do not power-cycle it", has, plan.Duration(d.patience()), said)}
	})
}

// errWriting is a device that has all of an image and is not done with it.
var errWriting = errors.New("it is writing flash")

// word asks everything that could say that deferred microcode is complete.
func (d *bufferDownload) word(ctx context.Context) (verdict, error) {
	_, err := d.do(ctx, scsi.TestUnitReady{})
	said := &scsi.Error{}
	if err != nil && !errors.As(err, &said) {
		if transport.Unanswered(err) {
			d.session.Revision(ctx, d.luID, d.subenclosure) // finds it again where it has left
		}
		return verdict{}, err
	}
	if err == nil && d.hasPage && !d.skips(plan.LastStatus) {
		if s, err := d.status(ctx); err == nil {
			switch done, v := ended(s, d.starts()); {
			case done:
				return v, nil
			case stageOf(s) == writing:
				return verdict{}, fmt.Errorf("%w: %v", errWriting, s)
			}
		}
	}
	if err == nil {
		said = &scsi.Error{Command: scsi.RequestSense{}.String(), Status: scsi.CheckCondition, Sense: d.sense(ctx)}
	}
	const pending = "the device says that deferred microcode is pending"
	switch {
	case said.Sense != nil && said.Sense.ASC.StartsByPower():
		return verdict{trigger: Defer, reason: fmt.Sprintf("%s: %v", pending, said.Sense.ASC), confirmed: true, powerOnly: true}, nil
	case said.Sense != nil && said.Sense.ASC.DefersMicrocode():
		return verdict{trigger: Defer, reason: pending, confirmed: true}, nil
	case err != nil, scsi.Transient(said):
		return verdict{}, said
	}
	return verdict{}, nil
}

// sense is what REQUEST SENSE says, nil where it says nothing.
func (d *bufferDownload) sense(ctx context.Context) *scsi.Sense {
	b, err := d.do(ctx, scsi.RequestSense{AllocationLength: 252})
	if err != nil {
		return nil
	}
	s, err := scsi.ParseSense(b)
	if err != nil {
		return nil
	}
	return s
}

func (d *bufferDownload) abort(ctx context.Context) verdict {
	v := verdict{
		trigger: Abort,
		reason:  "WRITE BUFFER has no abort, so nothing more is sent: the next download starts over",
	}
	if d.hasPage && !d.skips(plan.MidwayStatus) {
		d.bound = false
		s, err := d.ask(ctx)
		v.unclear = err == nil && partial(s)
	}
	return v
}

func (d *bufferDownload) recover(ctx context.Context, last bool) verdict {
	d.away = true
	if last && d.starts() {
		return verdict{trigger: SentAll, reason: "all of the image may have been sent"}
	}
	return poll(ctx, d.patience(), func() sight {
		v, err := d.word(ctx)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case v.trigger != "":
			return over(verdict{trigger: SentAll, reason: v.reason})
		}
		return over(d.runs(ctx))
	}, func(said string) verdict {
		return verdict{trigger: Lose, reason: "nobody can tell what it holds: " + said}
	})
}

// failure: WRITE BUFFER has no status page.
func (d *bufferDownload) failure(context.Context) verdict { return verdict{} }

func (d *bufferDownload) activate(ctx context.Context) verdict {
	if v := d.ready(ctx); v.trigger != "" {
		return v
	}
	if d.hop.ActivationPage != "" {
		return d.sendActivationPage(ctx)
	}
	_, err := d.do(ctx, scsi.WriteBuffer{Mode: scsi.WriteActivateDeferredMicrocode, BufferID: byte(d.hop.BufferID)})
	v := restarting(err)
	if v.unstaged { // 2Ch; but some hold what only power starts
		if waits, _ := d.word(ctx); waits.trigger == Defer {
			return verdict{
				trigger:   Fail,
				powerOnly: true,
				reason: fmt.Sprintf(
					"mode 0Fh does not start what it holds (%v; and %s): power-cycle the enclosure when its drives are not in use",
					err,
					waits.reason,
				),
			}
		}
	}
	return v
}

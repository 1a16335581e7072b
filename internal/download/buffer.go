package download

import (
	"context"
	"errors"
	"fmt"

	"fwctl/internal/duration"
	"fwctl/internal/scsi"
	"fwctl/internal/transport"
)

// bufferDownload is a download by WRITE BUFFER commands with offsets. It has no status page
// of its own, and cannot be aborted.
type bufferDownload struct {
	*target
	// step is the chunk size, on the device's offset boundary.
	step int
	// away: the last chunk was not answered.
	away bool
	// moved: it counts as restarted for coming back under another node alone.
	moved bool
}

// maxBufferImage is the size that the 24-bit offsets of WRITE BUFFER reach.
const maxBufferImage = 1 << 24

func (d *bufferDownload) prepare(ctx context.Context) Outcome {
	if _, o := d.drain(ctx, false); o.Result != GoOn {
		return o
	}
	size := d.spec.Size
	if size > maxBufferImage {
		return refused("the image has %d bytes and WRITE BUFFER reaches %d at most", size, maxBufferImage)
	}
	b, err := d.do(ctx, scsi.ReadBuffer{
		Mode: scsi.ReadBufferDescriptor, BufferID: byte(d.spec.BufferID), AllocationLength: 4,
	})
	if e := (*scsi.Error)(nil); errors.As(err, &e) {
		// Many devices do not support the mode.
		return Outcome{}
	}
	if err != nil {
		return refused("%v", err)
	}
	descriptor, err := scsi.ParseBufferDescriptor(b)
	if err != nil {
		return refused("%v", err)
	}
	if c := int64(descriptor.Capacity); c != 0 && size > c {
		return refused("the image has %d bytes and buffer %d of the device %d: is it the image for this model?",
			size, d.spec.BufferID, c)
	}
	if descriptor.OffsetBoundary > 16 {
		if size > int64(d.step) {
			return refused("the device takes an image in one command only, and this one would have %d bytes", size)
		}
		return Outcome{}
	}
	boundary := 1 << descriptor.OffsetBoundary
	d.step = (d.step + boundary - 1) / boundary * boundary
	return Outcome{}
}

func (d *bufferDownload) chunkSize() int { return d.step }

func (d *bufferDownload) chunk(ctx context.Context, offset int, data []byte) Outcome {
	_, err := d.do(ctx, scsi.WriteBuffer{
		Mode:     scsi.WriteBufferMode(d.spec.Mode),
		BufferID: byte(d.spec.BufferID), BufferOffset: uint32(offset), Data: data,
	})
	end := offset + len(data)
	last := end == int(d.spec.Size)
	switch {
	case err == nil:
		return Outcome{}
	case offset == 0 && d.saysModeRefused(ctx, err):
		return Outcome{Result: ModeRefused, Reason: err.Error()}
	case scsi.WasReset(err):
		o, _ := d.disturbance(err)
		return o
	case scsi.Transient(err):
		return Outcome{Result: NotTaken, Reason: err.Error()}
	case scsi.Refused(err):
		return d.brokenOff(offset, err)
	case last:
		// The device may be restarting: what it says or runs afterwards decides.
		d.away = true
		return Outcome{}
	}
	return d.look(ctx, offset, end, err)
}

// saysModeRefused reports whether a refused first chunk was refused for its mode. Invalid
// field in CDB means that only if the field pointer points at the mode, or if REPORT SUPPORTED
// OPERATION CODES denies the mode. Sense data that a quirk gives as meaning a refused mode
// mean it, unless that command says that the mode is supported.
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
		ReportingOptions: scsi.OneCommandWithService, RequestedOperationCode: 0x3b,
		RequestedServiceAction: uint16(d.spec.Mode), AllocationLength: 512,
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

// finish waits for the device's word for as long as it may be writing flash.
func (d *bufferDownload) finish(ctx context.Context) Outcome {
	switch {
	case d.starts() && d.hasPage:
		return (&pageDownload{target: d.target, away: d.away}).finish(ctx)
	case d.starts():
		return d.awaitRevision(ctx)
	}
	busy, reset := false, false
	return poll(ctx, d.patience(), func() sight {
		o, err := d.word(ctx)
		reset = reset || transport.Unanswered(err) || scsi.WasReset(err) || d.wasReset()
		if o.Result != GoOn {
			return over(o)
		}
		if err != nil {
			busy = scsi.Transient(err) || errors.Is(err, errWriting)
			return sight{said: err.Error()}
		}
		busy = false
		if !reset {
			return sight{}
		}
		revision, err := d.revision(ctx)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case d.spec.Proves(revision):
			return over(Outcome{Result: Starting, Reason: "it has restarted"})
		}
		return over(lost(unsaidAway, revision))
	}, func(said string) Outcome {
		switch {
		case busy || reset:
			return lost("it has all of the image, and for %v has said no more than: %s; do not power-cycle it",
				duration.String(d.patience()), said)
		case d.away:
			return lost("the device did not answer that it took the last of the image, " +
				"and does not say whether the image is complete")
		}
		return Outcome{Result: Deferred, Reason: "all of the image was taken, and the device does not say " +
			"whether it is complete: the revision after its activation will show it"}
	})
}

// unsaidAway is the reason of Lost for a device that was away and says nothing of the image.
const unsaidAway = "it was away after the last byte, runs %s, and does not say what became of the image"

// awaitRevision waits until a device that starts the image by itself runs it, or was reset. A
// device that merely answers again may be writing flash all the while. A device that took all
// of the image, and is back under another node, has left the bus to restart.
func (d *bufferDownload) awaitRevision(ctx context.Context) Outcome {
	start := Outcome{Result: Starting, Reason: "it has all of the image"}
	return poll(ctx, d.patience(), func() sight {
		revision, err := d.revision(ctx)
		switch {
		case err != nil:
			return sight{said: err.Error(), stage: leaving}
		case d.spec.Proves(revision), d.wasReset():
			return over(start)
		case !d.away && d.held.HasMoved(d.spec.LUID):
			d.moved = true
			return over(start)
		}
		return sight{said: "it runs " + revision}
	}, func(said string) Outcome {
		if d.spec.Invisible() {
			return start
		}
		has := "it has"
		if d.away {
			has = "it may have"
		}
		return lost("%s all of the image, and after %v it is unknown whether it still writes flash: %s; "+
			"do not power-cycle it", has, duration.String(d.patience()), said)
	})
}

// errWriting says that a device has all of an image and is still writing it.
var errWriting = errors.New("it is writing flash")

// word asks the device in every way that could say that deferred microcode is complete.
func (d *bufferDownload) word(ctx context.Context) (Outcome, error) {
	_, err := d.do(ctx, scsi.TestUnitReady{})
	said := &scsi.Error{}
	if err != nil && !errors.As(err, &said) {
		if transport.Unanswered(err) {
			d.findAgain(ctx)
		}
		return Outcome{}, err
	}
	if err == nil && d.hasPage && !d.spec.SkipLastStatus {
		if s, err := d.status(ctx); err == nil {
			switch done, o := ended(s, d.starts()); {
			case done:
				return o, nil
			case stageOf(s) == writing:
				return Outcome{}, fmt.Errorf("%w: %v", errWriting, s)
			}
		}
	}
	if err == nil {
		said = &scsi.Error{Command: scsi.RequestSense{}.String(), Status: scsi.CheckCondition, Sense: d.sense(ctx)}
	}
	if said.Sense != nil && said.Sense.ASC.DefersMicrocode() {
		o := complete(Deferred, "the device says that deferred microcode is pending")
		if o.StartsByPower = said.Sense.ASC.StartsByPower(); o.StartsByPower {
			o.Reason += fmt.Sprintf(": %v", said.Sense.ASC)
		}
		return o, nil
	}
	if err != nil || scsi.Transient(said) {
		return Outcome{}, said
	}
	return Outcome{}, nil
}

// sense returns what REQUEST SENSE says, nil if it says nothing.
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

func (d *bufferDownload) abort(ctx context.Context) Outcome {
	o := Outcome{
		Result: Discarded,
		Reason: "WRITE BUFFER has no abort, so nothing more is sent: the next download starts over",
	}
	if !d.hasPage || d.spec.SkipMidwayStatus {
		return o
	}
	d.bound = false
	if s, err := d.ask(ctx); err == nil && partial(s) {
		o.Holds = Unclear
	}
	return o
}

func (d *bufferDownload) recover(ctx context.Context, last bool) Outcome {
	d.away = true
	if last && d.starts() {
		return Outcome{Result: Sent, Reason: "all of the image may have been sent"}
	}
	return poll(ctx, d.patience(), func() sight {
		o, err := d.word(ctx)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case o.Result != GoOn:
			return over(Outcome{Result: Sent, Reason: o.Reason})
		}
		if d.hasPage && !d.spec.SkipMidwayStatus {
			if s, err := d.ask(ctx); err == nil && partial(s) {
				return over(Outcome{Result: PartHeld, Reason: fmt.Sprintf("it waits for more of the image (%v)", s)})
			}
		}
		return over(d.runs(ctx))
	}, func(said string) Outcome { return lost("what it holds is unknown: %s", said) })
}

// failure has no status page to ask. It warns where the restart may have been one of the path
// alone.
func (d *bufferDownload) failure(context.Context) Outcome {
	if !d.moved || d.wasReset() {
		return Outcome{}
	}
	return failed(NotSaid, "it left the bus and came back without a word that it was reset, so it may still be "+
		"writing flash: do not power-cycle it within %s", duration.String(d.patience()))
}

func (d *bufferDownload) activate(ctx context.Context) Outcome {
	if o := d.readyToActivate(ctx); o.Result != GoOn {
		return o
	}
	if d.spec.ActivationPage != nil {
		return d.sendActivationPage(ctx)
	}
	_, err := d.do(ctx, scsi.WriteBuffer{
		Mode: scsi.WriteActivateDeferredMicrocode, BufferID: byte(d.spec.BufferID),
	})
	o := activated(err)
	if o.Holds != Nothing {
		return o
	}
	// It answered 2Ch, nothing to activate; but some devices hold what only power on starts.
	waits, _ := d.word(ctx)
	if waits.Result != Deferred {
		return o
	}
	o = failed(NotSaid, "mode 0Fh does not start what it holds (%v; and %s): "+
		"power-cycle the enclosure when its drives are not in use", err, waits.Reason)
	o.StartsByPower = true
	return o
}

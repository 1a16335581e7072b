package executor

import (
	"context"
	"errors"
	"fmt"

	"fwctl/internal/scsi"
	"fwctl/internal/ses"
	"fwctl/plan"
)

// pageDownload is a download through the download microcode page, 0Eh.
type pageDownload struct {
	target
	bufferID byte

	early *answer // to the last chunk, which chunk has read and finish judges
	reset bool    // the device was reset after the last chunk
}

// answer is a status, or why there is none.
type answer struct {
	status ses.DownloadStatus
	err    error
}

func (d *pageDownload) prepare(ctx context.Context) verdict {
	s, v := d.drain(ctx)
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
	return verdict{}
}

func (d *pageDownload) chunkSize() int { return min(d.hop.ChunkSize, ses.MaxChunk) &^ 3 }

func (d *pageDownload) send(ctx context.Context, page ses.DownloadMicrocodeControl) error {
	node, err := d.session.to(d.luID)
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
	err := d.send(ctx, ses.DownloadMicrocodeControl{
		Mode: ses.DownloadMode(code(d.mode)), BufferOffset: uint32(offset), ImageLength: uint32(size), Data: data,
	})
	switch {
	case offset == 0 && pointsAtMode(err):
		return verdict{trigger: modeRefused, reason: err.Error()}
	case unanswered(err) && end < size:
		return d.look(ctx, end, err)
	case unanswered(err):
		d.early = &answer{err: err}
		return verdict{}
	case err != nil:
		return d.brokenOff(offset, err)
	}

	return poll(d.flashTimeout(), func() (string, bool, verdict) {
		s, err := d.status(ctx)
		switch {
		case end == size && err == nil && refusesMode(s, offset):
			return "", true, verdict{trigger: modeRefused, reason: s.String()}
		case end == size:
			d.early = &answer{s, err}
			return "", true, verdict{}
		case unanswered(err):
			return "", true, d.look(ctx, end, err)
		case transient(err) && !wasReset(err):
			return err.Error(), false, verdict{}
		case err != nil:
			return "", true, d.brokenOff(end, err)
		}
		done, v := midway(s, offset, end, size)
		return s.String(), done, v
	}, func(saw string) verdict {
		return d.brokenOff(end, "nothing moves any more: "+saw)
	})
}

// pointsAtMode tells whether sense data say that the device does not take the
// mode of the control page. Without the pointer they can mean anything.
func pointsAtMode(err error) bool {
	var e *scsi.Error
	if !errors.As(err, &e) || e.Sense == nil || e.Sense.Field == nil {
		return false
	}
	return e.Sense.Key == scsi.IllegalRequest && e.Sense.ASC == scsi.ASC{0x26, 0x00} &&
		!e.Sense.Field.InCDB && e.Sense.Field.Byte == uint16(ses.ModeField)
}

func refusesMode(s ses.DownloadStatus, offset int) bool {
	field, ok := s.RefusedField()
	return ok && field == ses.ModeField && offset == 0
}

// midway judges the status after a chunk that is not the last. Not done: ask again.
func midway(s ses.DownloadStatus, offset, end, size int) (done bool, v verdict) {
	switch {
	case refusesMode(s, offset):
		return true, verdict{trigger: modeRefused, reason: s.String()}
	case s.Code.Failed():
		return true, failed(s)
	case s.Code.Complete():
		return true, verdict{trigger: Lose, reason: fmt.Sprintf("after byte %d of %d it says: %v", end, size, s)}
	case s.Code > ses.DownloadInProgress:
		return false, verdict{} // some say between chunks that they write flash
	case s.ExpectedBufferOffset != uint32(end) && s.ExpectedBufferOffset != ses.AnyOffset:
		return true, verdict{trigger: Fail, reason: fmt.Sprintf(
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
	return v
}

func (d *pageDownload) finish(ctx context.Context) verdict {
	return poll(d.flashTimeout(), func() (string, bool, verdict) {
		s, err := d.next(ctx)
		lost := unanswered(err) || wasReset(err)
		switch {
		case lost && d.mode == plan.Mode7:
			return "", true, verdict{trigger: Start, reason: "it restarts"}
		case lost:
			d.reset, d.bound = true, false
			d.session.revision(ctx, d.luID, d.subenclosure) // finds it again where it has left
			return err.Error(), false, verdict{}
		case err != nil:
			return err.Error(), false, verdict{}
		}
		if done, v := ended(s, d.mode); done {
			return "", true, v
		}
		if s.Code == ses.DownloadIdle && (d.mode == plan.Mode7 || d.reset) {
			// The code may have been told to nobody. The revision tells, if it changes at all.
			revision, err := d.session.revision(ctx, d.luID, d.subenclosure)
			if err == nil && revision == d.hop.To && revision != d.hop.From {
				return "", true, verdict{trigger: Start, reason: "it has restarted"}
			}
			if err == nil && d.reset {
				return "", true, verdict{trigger: Lose, reason: fmt.Sprintf("it was reset after the last byte, runs %s, and does not say what became of the image", revision)}
			}
		}
		return s.String(), false, verdict{}
	}, func(saw string) verdict {
		return verdict{trigger: Lose, reason: fmt.Sprintf("it has all of the image, and for %v has said no more than: %s; do not power-cycle it", d.hop.FlashTimeout, saw)}
	})
}

// next is the status that chunk has read already, once, and then a new one.
func (d *pageDownload) next(ctx context.Context) (ses.DownloadStatus, error) {
	if a := d.early; a != nil {
		d.early = nil
		return a.status, a.err
	}
	return d.status(ctx)
}

// ended judges a status after the last chunk. The first code that ends the
// download counts: codes are told once. Not done: ask again.
func ended(s ses.DownloadStatus, mode plan.Mode) (done bool, v verdict) {
	switch {
	case s.Code.Failed():
		return true, failed(s)
	case s.Code == ses.DownloadDoneStartsNow:
		return true, verdict{trigger: Start, reason: s.String(), confirmed: true}
	case s.Code == ses.DownloadDoneAfterReset, s.Code == ses.DownloadDoneAfterPowerOn:
		return true, verdict{trigger: Defer, reason: s.String(), confirmed: true, powerOnly: true}
	case s.Code == ses.DownloadDoneDeferred, s.Code.Complete() && mode == plan.ModeE:
		return true, verdict{trigger: Defer, reason: s.String(), confirmed: true}
	case s.Code.Complete():
		return true, verdict{trigger: Start, reason: s.String(), confirmed: true}
	}
	return false, verdict{}
}

func (d *pageDownload) activate(ctx context.Context) verdict {
	if _, v := d.drain(ctx); v.trigger != "" {
		return verdict{trigger: Fail, reason: v.reason}
	}
	d.bufferID = byte(d.hop.BufferID)
	err := d.send(ctx, ses.DownloadMicrocodeControl{Mode: ses.ActivateDeferredMicrocode})
	if err != nil {
		return restarting(err)
	}
	// 85h stands in the status alone, and microcode at 10h starts when it is read.
	if s, err := d.status(ctx); err == nil && s.Code.Failed() {
		return failed(s)
	}
	return verdict{trigger: Restart}
}

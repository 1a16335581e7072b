package download

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fwctl/internal/backoff"
	"fwctl/internal/enclosure"
	"fwctl/internal/scsi"
	"fwctl/internal/ses"
	"fwctl/internal/transport"
	"fwctl/inventory"
)

// target is the component that an image is for, with what both protocols share.
type target struct {
	held    *enclosure.Held
	reading *inventory.Enclosure // of the moment before
	spec    Spec
	caller  Caller
	hasPage bool // the ESP has page 0Eh

	// generation is the generation code of the first status, which all chunks of the download
	// carry, once bound is set.
	generation uint32
	bound      bool

	// failed is an error status that collect has read: the device does not report it again.
	failed *ses.DownloadStatus
}

// starts reports whether the device starts the image by itself once it has all of it, and
// overwrites the microcode that it runs for that.
func (t *target) starts() bool { return !t.spec.Defers }

func (t *target) do(ctx context.Context, cmd scsi.Command) ([]byte, error) {
	way, err := t.held.Transport(t.spec.LUID)
	if err != nil {
		return nil, err
	}
	return scsi.Do(ctx, way, cmd)
}

// patience returns how long a device may stay in one stage after the last byte: a device that
// starts the image by itself may be writing flash, or be away.
func (t *target) patience() time.Duration {
	if t.starts() {
		return max(t.spec.FlashTimeout, t.spec.ReturnTimeout)
	}
	return t.spec.FlashTimeout
}

// refusesMode reports whether sense data without a field pointer mean, by a quirk, that the
// device does not take the mode.
func (t *target) refusesMode(s *scsi.Sense) bool {
	code := fmt.Sprintf("%02X/%02X/%02X", byte(s.Key), s.ASC[0], s.ASC[1])
	return code == t.spec.RefusedMode
}

// revision reads what the component runs.
func (t *target) revision(ctx context.Context) (string, error) {
	return t.held.Revision(ctx, t.spec.LUID, t.spec.Subenclosure)
}

// findAgain looks for the component's ESP if it has left the bus.
func (t *target) findAgain(ctx context.Context) { t.held.FindAgain(ctx, t.spec.LUID) }

// wasReset reports whether the component's ESP has said that it was reset.
func (t *target) wasReset() bool { return t.held.WasReset(t.spec.LUID) }

// agree does what Download.Agree says.
func (t *target) agree(ctx context.Context) Outcome {
	if t.spec.PeerSync == 0 {
		return Outcome{}
	}
	return poll(ctx, t.spec.PeerSync, func() sight {
		own, err := t.revision(ctx)
		switch {
		case ctx.Err() != nil:
			return over(Outcome{})
		case err != nil:
			return sight{said: err.Error()}
		case own != t.spec.From:
			return over(Outcome{Result: Stale, Revision: own, Reason: fmt.Sprintf(
				"it ran %s and runs %s now: its peer has brought it there", t.spec.From, own)})
		}
		for _, esp := range t.reading.ESPs {
			if esp.LUID == t.spec.LUID || !serves(esp, t.spec.Subenclosure) {
				continue
			}
			if peer, err := t.held.Revision(ctx, esp.LUID, t.spec.Subenclosure); err != nil || peer != own {
				return sight{said: fmt.Sprintf("%s runs %s: %v", esp.LUID, peer, err)}
			}
		}
		return over(Outcome{})
	}, func(string) Outcome { return Outcome{} })
}

func serves(esp inventory.ESP, subenclosure int) bool {
	return slices.ContainsFunc(esp.Subenclosures, func(s inventory.Subenclosure) bool { return s.ID == subenclosure })
}

// settle collects pending unit attentions, which would otherwise be the answer to
// the first command with an effect.
func (t *target) settle(ctx context.Context, luID string) error {
	return enclosure.Retry(ctx, func() error {
		way, err := t.held.Transport(luID)
		if err == nil {
			_, err = scsi.Do(ctx, way, scsi.TestUnitReady{})
		}
		if e := (*scsi.Error)(nil); errors.As(err, &e) {
			// It is not ready, or does not know the command: the download itself finds out.
			return nil
		}
		if err != nil {
			t.held.FindAgain(ctx, luID)
		}
		return err
	})
}

// page reads an ESP's download status page. Reading it clears the completion codes of all
// subenclosures that the ESP serves, and starts microcode that stands at 10h.
func (t *target) page(ctx context.Context, luID string) (*ses.DownloadMicrocodeStatus, error) {
	way, err := t.held.Transport(luID)
	if err != nil {
		return nil, err
	}
	b, err := ses.Receive(ctx, way, ses.PageDownloadMicrocode)
	if err != nil {
		return nil, err
	}
	return ses.ParseDownloadMicrocodeStatus(b)
}

// status reads the component's download status.
func (t *target) status(ctx context.Context) (ses.DownloadStatus, error) {
	page, err := t.page(ctx, t.spec.LUID)
	if err != nil {
		return ses.DownloadStatus{}, err
	}
	return t.own(page)
}

// freshStatus reads the component's download status under the generation code that the
// enclosure has now: after a restart it may be another one.
func (t *target) freshStatus(ctx context.Context) (ses.DownloadStatus, error) {
	t.bound = false
	return t.status(ctx)
}

// changedError reports that the enclosure's configuration has changed since the download began.
type changedError struct{ was, is uint32 }

func (e *changedError) Error() string {
	return fmt.Sprintf("the enclosure changed in between: its generation code was %d and is %d now", e.was, e.is)
}

// own returns the component's part of its ESP's status page.
func (t *target) own(page *ses.DownloadMicrocodeStatus) (ses.DownloadStatus, error) {
	if !t.bound {
		t.generation, t.bound = page.GenerationCode, true
	}
	status, ok := page.Subenclosure(uint8(t.spec.Subenclosure))
	if !ok {
		return status, fmt.Errorf(
			"subenclosure %d is missing from page 0Eh: the ESP takes no microcode for it", t.spec.Subenclosure)
	}
	// 83h matters more than a changed generation code.
	if page.GenerationCode != t.generation && status.Code != ses.DownloadNeedsImage {
		return ses.DownloadStatus{}, &changedError{t.generation, page.GenerationCode}
	}
	return status, nil
}

// ask reads the component's download status, and reads again while that fails, because one
// failed read means nothing. A status under another generation code is an answer.
func (t *target) ask(ctx context.Context) (s ses.DownloadStatus, err error) {
	for range backoff.Within(ctx, t.spec.ReturnTimeout, backoff.Device) {
		var changed *changedError
		if s, err = t.status(ctx); err == nil || errors.As(err, &changed) {
			break
		}
		t.findAgain(ctx)
	}
	return s, err
}

// partial reports whether a device waits for more of an image. Some devices say 00h while they
// download, and only the offset shows it.
func partial(s ses.DownloadStatus) bool {
	return s.Code == ses.DownloadInProgress ||
		s.Code == ses.DownloadIdle && s.ExpectedBufferOffset != 0 && s.ExpectedBufferOffset != ses.AnyOffset
}

// look finds out what a device holds after a chunk, bytes from to end in the middle of an
// image, that was not answered, or answered with an error that leaves open whether it was
// carried out. The download is broken off either way. Unless the device has restarted since,
// or says that a reset is safe, it may have nothing to start from.
func (t *target) look(ctx context.Context, from, end int, cause error) Outcome {
	broke := fmt.Sprintf("the download broke off near byte %d of %d: %v", end, t.spec.Size, cause)
	o := poll(ctx, t.spec.ReturnTimeout, func() sight {
		revision, err := t.revision(ctx)
		if err != nil {
			return sight{}
		}
		o := failed(Spoiled, "%s; it answers again and runs %s", broke, revision)
		o.Revision = revision
		if t.hasPage {
			s, err := t.freshStatus(ctx)
			if err != nil {
				return sight{}
			}
			o.Reason += fmt.Sprintf(", its download status is: %v", s)
			o.Holds = t.holds(s, from, end)
		}
		if t.wasReset() {
			o.Holds = sinceReset(o.Holds)
		}
		return over(o)
	}, func(string) Outcome {
		return Outcome{Result: Lost, Holds: Spoiled, Reason: broke + "; it has not answered since"}
	})
	o.MayHaveTaken = true
	return o
}

// holds returns what a status says the device holds, after a chunk whose end is open. A device
// that waits for an offset that is not this download's may wait for more of someone else's.
func (t *target) holds(s ses.DownloadStatus, from, end int) Holding {
	own := []uint32{uint32(from), uint32(end), 0, ses.AnyOffset}
	switch {
	case s.Code == ses.DownloadNeedsImage:
		return NeedsImage
	case s.Code == ses.DownloadInternalError:
		// After this code a reset is safe.
		return NotSaid
	case !partial(s):
		return Spoiled
	case slices.Contains(own, s.ExpectedBufferOffset):
		return Part
	}
	return Unclear
}

// sinceReset returns what a device holds that has restarted in mid-download: it had something
// to start from.
func sinceReset(h Holding) Holding {
	switch h {
	case Spoiled:
		return NotSaid
	case Unclear:
		return Another
	}
	return h
}

// collect reads the status that an activation, or a restart into new microcode, has left. It
// reports whether nothing more is to come. Some ESPs keep 10h there until it is read, and
// start only then. An error code is kept for failure, because the device reports it once.
func (t *target) collect(ctx context.Context) bool {
	if !t.hasPage || t.spec.SkipLastStatus {
		return true
	}
	s, err := t.freshStatus(ctx)
	if err != nil {
		return false
	}
	if s.Code.Failed() {
		t.failed = &s
	}
	return s.Code != ses.DownloadDoneStartsNow && !s.Code.InProgress()
}

// runs returns the outcome on a device that says nothing of the image that a killed run was
// sending. At worst, sending it again overwrites the same image.
func (t *target) runs(ctx context.Context) Outcome {
	revision, err := t.revision(ctx)
	switch {
	case err != nil:
		return lost("%v", err)
	case t.spec.Proves(revision):
		return Outcome{Result: Starting, Reason: "it has restarted", Revision: revision}
	}
	return Outcome{
		Result: StartOver, Revision: revision,
		Reason: "it reports nothing of the image, and is sent all of it again",
	}
}

// brokenOff returns the outcome on a chunk that the device did not take.
func (t *target) brokenOff(offset int, why any) Outcome {
	return failed(Part, "the device did not take the image at byte %d of %d: %v", offset, t.spec.Size, why)
}

// disturbance returns the outcome on an error, in answer to a chunk or to the status read
// after it, after which the download can start over; false on other errors.
func (t *target) disturbance(err error) (Outcome, bool) {
	var changed *changedError
	switch {
	case scsi.WasReset(err):
		reason := fmt.Sprintf("the device was reset in mid-download: %v", err)
		return Outcome{Result: Disturbed, Reason: reason}, true
	case errors.As(err, &changed):
		return Outcome{Result: Disturbed, Reason: err.Error()}, true
	}
	return Outcome{}, false
}

// readyToActivate makes sure that nothing stands in the way of an activation. A component that
// its peer has brought to the image's revision meanwhile needs none.
func (t *target) readyToActivate(ctx context.Context) Outcome {
	o := t.agree(ctx)
	if o.Result == Stale && t.spec.Proves(o.Revision) {
		return Outcome{Result: Restarting, Reason: o.Reason}
	}
	if o.Result == GoOn {
		_, o = t.drain(ctx, true)
	}
	return o.inFlight()
}

// sendActivationPage sends the page that takes the place of mode 0Fh for some vendors.
func (t *target) sendActivationPage(ctx context.Context) Outcome {
	_, err := t.do(ctx, scsi.SendDiagnostic{ParameterList: t.spec.ActivationPage})
	return activated(err)
}

// neverActivates returns the outcome on a device that does not take mode 0Fh: only power on
// starts the image that it holds.
func neverActivates(why any) Outcome {
	o := failed(NotSaid,
		"the device does not take mode 0Fh, which starts what it holds (%v): power-cycle the enclosure when its "+
			"drives are not in use; `activation: {by: power-cycle}` says so of a model", why)
	o.StartsByPower = true
	return o
}

// activated returns the outcome on the command that activates. A device that does not answer,
// or that answers with an error that leaves open whether it was carried out, may be restarting:
// what it runs afterwards decides.
func activated(err error) Outcome {
	switch {
	case err == nil, transport.Unanswered(err), scsi.WasReset(err):
		return Outcome{Result: Restarting}
	case errors.Is(err, scsi.CommandSequenceError):
		return failed(Nothing, "it holds no deferred microcode any more: %v", err)
	case errors.Is(err, scsi.IllegalRequest), scsi.Transient(err):
		return failed(NotSaid, "it did not activate: %v", err)
	}
	return Outcome{Result: Restarting, Reason: fmt.Sprintf("the activation was answered with %v", err)}
}

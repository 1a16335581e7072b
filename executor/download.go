package executor

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
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// download is one of the two ways in which an ESP takes microcode: prepare, then
// chunk until the image is sent, then finish; or activate alone.
//
// A verdict without a trigger means: go on. Whatever a device answers, or does
// not answer, a command that changes it is sent once.
type download interface {
	// agree waits, until ctx ends, where its peers are busy bringing each other to one revision.
	agree(ctx context.Context) verdict
	// prepare makes sure that nobody else is writing and that the image fits.
	prepare(ctx context.Context) verdict
	// chunkSize is how many bytes of the image go into one chunk, once prepared.
	chunkSize() int
	// chunk sends the bytes of the image from offset on, and hears whether they were taken.
	chunk(ctx context.Context, offset int, data []byte) verdict
	// finish waits for the word that the image is complete.
	finish(ctx context.Context) verdict
	// abort breaks a download off. Abort if the device then holds no part of it, or
	// cannot be told; SentAll if it turns out to have all of it, which finish then judges.
	// Anything else settles nothing: the device may hold a part still.
	abort(ctx context.Context) verdict
	// recover finds out what became of a download that a killed run has left. last: all
	// of it may have been sent. StartOver where the device holds no part of it, SentAll
	// where finish is to wait, halfTaken where it is to be aborted first.
	recover(ctx context.Context, last bool) verdict
	// activate starts what is deferred.
	activate(ctx context.Context) verdict
	// collect reads what the start of an image has left in the device's status, so that
	// it is not read later as the answer to something else. It reports whether it has read all.
	collect(ctx context.Context) bool
	// failure is what the device says of an image that it was to start and does not
	// run; no trigger where it says nothing.
	failure(ctx context.Context) verdict
}

// verdict is what the device's answers mean to a step.
type verdict struct {
	trigger     Trigger
	reason      string
	confirmed   bool    // the device's own word
	powerOnly   bool    // mode 0Fh does not start what is staged
	needsPerson bool    // it must not lose power now
	unstaged    bool    // it holds nothing staged
	half        bool    // it has a part of this download, and waits for more
	inDoubt     bool    // the chunk was not answered, or with an error, so that it may have been taken
	unclear     bool    // it may hold all or a part of an image, and does not say which
	discarded   bool    // it had a part or all of this download, and says no more than that it is not good
	revision    string  // that was read on the way, "" where none was
	refusal     Refusal // with Stale and Refuse
}

// modeRefused is the verdict on a first chunk whose mode the device does not
// take. What follows is for plan and wave to say, so the step machine never sees it.
const modeRefused Trigger = "mode refused"

// notTaken is the verdict on a chunk that the device did not carry out for a reason
// that passes: the same chunk follows. disturbed: all of the download is lost or
// in doubt, because the device was reset or the enclosure has changed.
const (
	notTaken  Trigger = "not taken"
	disturbed Trigger = "disturbed"
)

// halfTaken is the verdict on a download that a killed run has left half done.
const halfTaken Trigger = "half taken"

// target is what a download is for: one hop of one component, in one mode.
type target struct {
	session      *enclosure.Held
	luID         string
	subenclosure int
	address      string
	esps         []inventory.ESP // of the enclosure
	hop          plan.Hop
	mode         plan.Mode
	hasPage      bool // the ESP has page 0Eh
	owing        bool // it may wait for more of an image that this run has left
	// ours reports whether a component may hold a part of an image that fwctl has sent.
	ours       func(k state.Key, address string) bool
	acted      func(k state.Key) bool // reports whether this run has started an image there
	notice     func(reason string)
	needsImage func(k state.Key, address, detail string) // has it remembered that a component told of 83h

	generation uint32 // as the first status had it: it binds all chunks of this download
	bound      bool

	failed *ses.DownloadStatus // that collect has read, and that will not be told again
}

func newDownload(t target) download {
	if t.hop.Protocol == plan.WriteBuffer {
		return &bufferDownload{target: t, step: t.hop.ChunkSize}
	}
	return &pageDownload{target: t}
}

// code is the mode as commands and pages have it.
func code(m plan.Mode) byte {
	if m == plan.Mode7 {
		return 0x07
	}
	return 0x0e
}

// stage is how far a device has got with an image, as far as it tells. poll
// waits longer for each new one, so that there must be few of them.
type stage int

const (
	silent    stage = iota // it has not told
	receiving              // it awaits more data
	writing                // it has all of it and writes flash
	leaving                // it answers no more, or not yet again, after an image that it starts by itself
)

// sight is what asking a device once came to: an end, or what it said and how far
// it is.
type sight struct {
	end   *verdict
	said  string
	stage stage
}

func over(v verdict) sight { return sight{end: &v} }

// poll asks, ever more seldom, until there is an end. Patience is how long a
// device may stay in one stage. A stage that it falls back into, or is in for a
// second time, gives it no more: after patience for each of them it is over.
func poll(ctx context.Context, patience time.Duration, ask func() sight, late func(said string) verdict) verdict {
	furthest, since := silent, time.Now()
	said := ""
	for range backoff.Attempts(ctx, backoff.Device) {
		asked := time.Now()
		saw := ask()
		if saw.end != nil {
			return *saw.end
		}
		said = saw.said
		if saw.stage > furthest {
			furthest, since = saw.stage, time.Now()
		}
		if asked.Sub(since) >= patience {
			break
		}
	}
	return late(said)
}

// starts reports whether the device starts the image by itself once it has all of it,
// and overwrites what it runs to get there.
func (t *target) starts() bool { return !t.hop.Defers(t.mode) }

func (t *target) flashTimeout() time.Duration { return time.Duration(t.hop.FlashTimeout) }

func (t *target) do(ctx context.Context, cmd scsi.Command) ([]byte, error) {
	node, err := t.session.Transport(t.luID)
	if err != nil {
		return nil, err
	}
	return scsi.Do(ctx, node, cmd)
}

// patience is how long a device may stay in one stage after the last byte: one
// that starts the image by itself may be writing flash, or be away.
func (t *target) patience() time.Duration {
	if t.starts() {
		return max(t.flashTimeout(), time.Duration(t.hop.ReturnTimeout))
	}
	return t.flashTimeout()
}

// runsImage tells whether a revision is the one that the hop brings, and no other
// image was there before it.
func (t *target) runsImage(revision string) bool {
	return revision != t.hop.From && arrived(t.hop, revision)
}

// provesNothing tells whether the revision that it ran before may be what the hop
// brings.
func (t *target) provesNothing() bool { return t.hop.To == "" || t.hop.From == t.hop.To }

// refusesMode tells whether sense data, which must point at no field, mean as the
// plan has it that the device does not take the mode.
func (t *target) refusesMode(s *scsi.Sense) bool {
	return t.hop.RefusedMode != "" && fmt.Sprintf("%02X/%02X/%02X", byte(s.Key), s.ASC[0], s.ASC[1]) == string(t.hop.RefusedMode)
}

// skips tells whether the download status is not read at a moment.
func (t *target) skips(read plan.StatusRead) bool { return slices.Contains(t.hop.SkipStatus, read) }

// agree waits where the enclosure's ESPs run different revisions and bring each
// other to one by themselves: they take no microcode meanwhile. Those that go on
// differing for all of that time do not do so. A component that another revision
// came upon is not touched.
func (t *target) agree(ctx context.Context) verdict {
	if t.hop.PeerSync == 0 {
		return verdict{}
	}
	return poll(ctx, time.Duration(t.hop.PeerSync), func() sight {
		own, err := t.session.Revision(ctx, t.luID, t.subenclosure)
		switch {
		case ctx.Err() != nil:
			return over(verdict{})
		case err != nil:
			return sight{said: err.Error()}
		case own != t.hop.From:
			return over(verdict{trigger: Refuse, revision: own, refusal: RefusedStale, reason: fmt.Sprintf("it ran %s and runs %s now: its peer has brought it there", t.hop.From, own)})
		}
		for _, esp := range t.esps {
			if esp.LUID == t.luID || !slices.ContainsFunc(esp.Subenclosures, func(sub inventory.Subenclosure) bool { return sub.ID == t.subenclosure }) {
				continue
			}
			if peer, err := t.session.Revision(ctx, esp.LUID, t.subenclosure); err != nil || peer != own {
				return sight{said: fmt.Sprintf("%s runs %s: %v", esp.LUID, peer, err)}
			}
		}
		return over(verdict{})
	}, func(string) verdict { return verdict{} })
}

// settle collects pending unit attentions, which would otherwise be the answer to
// the first command with an effect.
func (t *target) settle(ctx context.Context, luID string) error {
	return enclosure.Retry(ctx, func() error {
		node, err := t.session.Transport(luID)
		if err == nil {
			_, err = scsi.Do(ctx, node, scsi.TestUnitReady{})
		}
		if e := (*scsi.Error)(nil); errors.As(err, &e) {
			return nil // not ready, or no command that it knows: the download itself will tell
		}
		if err != nil {
			t.session.Revision(ctx, luID, t.subenclosure) // finds it again if it has moved
		}
		return err
	})
}

// page reads an ESP's download status page. That eats the completion codes of
// all that it serves, and starts what stands at 10h.
func (t *target) page(ctx context.Context, luID string) (*ses.DownloadMicrocodeStatus, error) {
	node, err := t.session.Transport(luID)
	if err != nil {
		return nil, err
	}
	b, err := ses.Receive(ctx, node, ses.PageDownloadMicrocode)
	if err != nil {
		return nil, err
	}
	return ses.ParseDownloadMicrocodeStatus(b)
}

// status reads the component's download status.
func (t *target) status(ctx context.Context) (ses.DownloadStatus, error) {
	page, err := t.page(ctx, t.luID)
	if err != nil {
		return ses.DownloadStatus{}, err
	}
	return t.own(page)
}

// changedError is an enclosure whose configuration is another than at the download's start.
type changedError struct{ was, is uint32 }

func (e *changedError) Error() string {
	return fmt.Sprintf("the enclosure changed in between: its generation code was %d and is %d now", e.was, e.is)
}

// own is the component's part of its ESP's status page.
func (t *target) own(page *ses.DownloadMicrocodeStatus) (ses.DownloadStatus, error) {
	if !t.bound {
		t.generation, t.bound = page.GenerationCode, true
	}
	status, ok := page.Subenclosure(uint8(t.subenclosure))
	if !ok {
		return status, fmt.Errorf("subenclosure %d is missing from page 0Eh: the ESP takes no microcode for it", t.subenclosure)
	}
	if page.GenerationCode != t.generation && status.Code != ses.DownloadNeedsImage { // that comes first
		return ses.DownloadStatus{}, &changedError{t.generation, page.GenerationCode}
	}
	return status, nil
}

// ask reads the component's download status, again for as long as that fails: one
// failed read says nothing. A status under another generation code is an answer.
func (t *target) ask(ctx context.Context) (s ses.DownloadStatus, err error) {
	poll(ctx, time.Duration(t.hop.ReturnTimeout), func() sight {
		var changed *changedError
		if s, err = t.status(ctx); err == nil || errors.As(err, &changed) {
			return over(verdict{})
		}
		t.session.Revision(ctx, t.luID, t.subenclosure) // finds it again if it has moved
		return sight{}
	}, func(string) verdict { return verdict{} })
	return s, err
}

// look finds out what a device is like after a chunk that was not answered, or with an
// error that does not say that it was not carried out: bytes from to end, in the middle
// of an image. The download is broken off either way.
// Where it has not started anew since, and does not say that a reset is safe, it may
// have nothing to start from.
func (t *target) look(ctx context.Context, from, end int, cause error) verdict {
	broke := fmt.Sprintf("the download broke off near byte %d of %d: %v", end, t.hop.Image.Size, cause)
	return poll(ctx, time.Duration(t.hop.ReturnTimeout), func() sight {
		revision, err := t.session.Revision(ctx, t.luID, t.subenclosure)
		if err != nil {
			return sight{}
		}
		v := verdict{trigger: Fail, revision: revision, inDoubt: true, reason: fmt.Sprintf("%s; it answers again and runs %s", broke, revision)}
		v.discarded = !t.session.WasReset(t.luID) // else it has started since
		if !t.hasPage {
			return over(v)
		}
		t.bound = false // the generation may be another after a restart
		s, err := t.status(ctx)
		if err != nil {
			return sight{}
		}
		v.reason += fmt.Sprintf(", its download status is: %v", s)
		v.needsPerson = s.Code == ses.DownloadNeedsImage
		v.discarded = v.discarded && s.Code != ses.DownloadInternalError // a reset is safe then
		// At another offset it may be somebody else's download that it waits for more of.
		own := []uint32{uint32(from), uint32(end), 0, ses.AnyOffset}
		v.half = partial(s) && slices.Contains(own, s.ExpectedBufferOffset)
		v.unclear = partial(s) && !v.half
		return over(v)
	}, func(string) verdict {
		return verdict{trigger: Lose, discarded: true, inDoubt: true, reason: broke + "; it has not answered since"}
	})
}

// collect reads the status that an activation, or a restart into new microcode, has left.
// Some ESPs keep 10h there until somebody reads it, and start when that is done. An
// error code that it finds is kept for failure: the device reports it once.
func (t *target) collect(ctx context.Context) bool {
	if !t.hasPage || t.skips(plan.LastStatus) {
		return true
	}
	t.bound = false // a device that has restarted may have another generation code
	s, err := t.status(ctx)
	if err != nil {
		return false
	}
	if s.Code.Failed() {
		t.failed = &s
	}
	return s.Code != ses.DownloadDoneStartsNow && !s.Code.InProgress()
}

// runs is the verdict on a device that says nothing of the image that a killed run
// was sending. To send it again overwrites at worst the same.
func (t *target) runs(ctx context.Context) verdict {
	revision, err := t.session.Revision(ctx, t.luID, t.subenclosure)
	switch {
	case err != nil:
		return verdict{trigger: Lose, reason: err.Error()}
	case t.runsImage(revision):
		return verdict{trigger: Start, reason: "it has restarted", revision: revision}
	}
	return verdict{trigger: StartOver, reason: "it holds nothing of the image that it tells of, and is sent all of it again", revision: revision}
}

// brokenOff is the verdict on a chunk that the device did not take.
func (t *target) brokenOff(offset int, why any) verdict {
	return verdict{trigger: Fail, half: true, reason: fmt.Sprintf("the device did not take the image at byte %d of %d: %v", offset, t.hop.Image.Size, why)}
}

// disturbance is the verdict on a chunk, or on the status after it, that was answered
// with an error which does not end the download; none where it does.
func (t *target) disturbance(err error) (v verdict, is bool) {
	var changed *changedError
	switch {
	case scsi.WasReset(err):
		return verdict{trigger: disturbed, reason: fmt.Sprintf("the device was reset in mid-download: %v", err)}, true
	case errors.As(err, &changed):
		return verdict{trigger: disturbed, reason: err.Error()}, true
	}
	return verdict{}, false
}

// ready makes sure that nothing stands in the way of an activation. One that its
// peer has brought to the image's revision meanwhile needs none.
func (t *target) ready(ctx context.Context) verdict {
	v := t.agree(ctx)
	if v.trigger != "" && t.runsImage(v.revision) {
		return verdict{trigger: Restart, reason: v.reason}
	}
	if v.trigger == "" {
		_, v = t.drain(ctx, true)
	}
	return v.inFlight()
}

// sendActivationPage sends the page that a vendor has in place of mode 0Fh.
func (t *target) sendActivationPage(ctx context.Context) verdict {
	page, err := t.hop.ActivationPageBytes()
	if err != nil {
		return verdict{trigger: Fail, reason: err.Error()}
	}
	_, err = t.do(ctx, scsi.SendDiagnostic{ParameterList: page})
	return restarting(err)
}

// neverActivates is the verdict on a device that does not take mode 0Fh. What it holds
// starts with the power.
func neverActivates(why any) verdict {
	return verdict{trigger: Fail, powerOnly: true, reason: fmt.Sprintf(
		"the device does not take mode 0Fh, which starts what it holds (%v): power-cycle the enclosure when its "+
			"drives are not in use; `activation: {by: power-cycle}` says so of a model",
		why,
	)}
}

// restarting is the verdict on the command that activates. A device that does not
// answer it, or with an error that does not say that it was not carried out, may be
// restarting: what it runs afterwards decides.
func restarting(err error) verdict {
	switch {
	case err == nil, transport.Unanswered(err), scsi.WasReset(err):
		return verdict{trigger: Restart}
	case errors.Is(err, scsi.CommandSequenceError):
		return verdict{trigger: Fail, unstaged: true, reason: fmt.Sprintf("it holds no deferred microcode any more: %v", err)}
	case errors.Is(err, scsi.IllegalRequest), scsi.Transient(err):
		return verdict{trigger: Fail, reason: fmt.Sprintf("it did not activate: %v", err)}
	}
	return verdict{trigger: Restart, reason: fmt.Sprintf("the activation was answered with %v", err)}
}

// Package download brings one image to one component: by the download microcode page, 0Eh, or
// by WRITE BUFFER. It also starts deferred microcode, breaks a download off, and finds out
// what became of one that was broken off.
//
// A command that changes a device is sent once, whatever the device answers. The answers end
// in an Outcome, and the caller decides what follows: this package knows no plan, no store and
// no wave.
package download

import (
	"context"
	"time"

	"fwctl/internal/backoff"
	"fwctl/internal/enclosure"
	"fwctl/inventory"
)

// Mode is how a device takes an image. The values are those of the control page and
// of WRITE BUFFER.
type Mode byte

const (
	// Mode7 saves the image, and starts it.
	Mode7 Mode = 0x07
	// ModeE saves the image, and defers its activation.
	ModeE Mode = 0x0e
)

// Protocol is the command that carries an image.
type Protocol int

const (
	// ByPage is the download microcode control page, 0Eh.
	ByPage Protocol = iota
	// ByWriteBuffer is the WRITE BUFFER command with offsets.
	ByWriteBuffer
)

// Component is what takes an image: a subenclosure, through the ESP that serves it.
type Component struct {
	LUID         string
	Subenclosure int
	Address      string
}

// Change is what an image does to the revision that a component reports.
type Change struct {
	From string
	// To is "" if unknown: any revision but From then shows the image, unless Unversioned.
	To string
	// Unversioned: the image is for a part that reports no revision. From is that of the
	// component beside the part.
	Unversioned bool
}

// Made reports whether a component that reports a revision runs the image, as far as the
// revision shows.
func (c Change) Made(revision string) bool {
	switch {
	case c.Unversioned:
		return revision == c.From
	case c.To == "":
		return revision != c.From
	}
	return revision == c.To
}

// Proves reports whether a revision shows that the component runs the image, and ran
// something else before.
func (c Change) Proves(revision string) bool { return revision != c.From && c.Made(revision) }

// Invisible reports whether the component may report the same revision before and after.
func (c Change) Invisible() bool { return c.To == "" || c.From == c.To }

// Spec is one image for one component, and how the component takes it. A time of zero is not
// waited for.
type Spec struct {
	Component
	Change
	Protocol  Protocol
	Mode      Mode
	Defers    bool  // the mode leaves the image dormant
	Size      int64 // of the image, in bytes
	ChunkSize int   // bytes, a multiple of 4
	BufferID  int

	FlashTimeout  time.Duration // how long the device may write flash without saying that it is done
	Settle        time.Duration // how long to leave it alone after a reset
	ReturnTimeout time.Duration // how long it may stay away after a reset
	PeerSync      time.Duration // how long ESPs that differ may take to bring each other to one revision

	SkipMidwayStatus bool // the status between chunks is not read
	SkipLastStatus   bool // the status after the last chunk is not read
	// RefusedMode are sense data that mean a refused mode if they point at no field: key, ASC
	// and ASCQ in hex, as in 05/26/00; "" for none.
	RefusedMode string
	// ActivationPage is sent in place of mode 0Fh, from its page code on; nil if there is none.
	ActivationPage []byte

	// Resends: the device may still wait for more of this image, from an earlier attempt.
	Resends bool
}

// Caller is what a download asks its caller, and reports to it, about components of the
// enclosure.
type Caller struct {
	// Notice takes a sentence that is worth a line in the log.
	Notice func(reason string)
	// MayHold reports whether a component may hold a part of an image that fwctl has sent.
	MayHold func(Component) bool
	// HasStarted reports whether this run has started an image there.
	HasStarted func(Component) bool
	// NeedsImage remembers that a component has said that it needs a whole image (83h).
	NeedsImage func(c Component, detail string)
}

// Download is one image on its way to one component: Agree, Prepare, Send, Finish; or
// Activate alone.
type Download struct {
	spec   *Spec
	target *target
	via    protocol
}

// protocol is one of the two ways in which an ESP takes an image.
type protocol interface {
	prepare(ctx context.Context) Outcome
	chunkSize() int
	// chunk sends the bytes of the image from offset on. Its outcome says whether the device
	// took them.
	chunk(ctx context.Context, offset int, data []byte) Outcome
	finish(ctx context.Context) Outcome
	abort(ctx context.Context) Outcome
	recover(ctx context.Context, last bool) Outcome
	activate(ctx context.Context) Outcome
	failure(ctx context.Context) Outcome
}

// New returns a download to a component of an enclosure that is held. e is a fresh reading of
// the enclosure, and has the component.
func New(held *enclosure.Held, e *inventory.Enclosure, spec Spec, caller Caller) *Download {
	t := &target{held: held, reading: e, spec: spec, caller: caller, hasPage: spec.Protocol == ByPage}
	if esp, _ := e.Component(spec.LUID, spec.Subenclosure); esp != nil && esp.Download.SESPage {
		t.hasPage = true
	}
	d := &Download{spec: &t.spec, target: t}
	if spec.Protocol == ByWriteBuffer {
		d.via = &bufferDownload{target: t, step: spec.ChunkSize}
	} else {
		d.via = &pageDownload{target: t}
	}
	return d
}

// Agree waits while the enclosure's ESPs bring each other to one revision by themselves: they
// take no microcode meanwhile. If they still differ after Spec.PeerSync, they do not do so, and
// the download goes on. The result is Stale if the component's revision has changed. It ends
// with ctx.
func (d *Download) Agree(ctx context.Context) Outcome { return d.target.agree(ctx) }

// Prepare makes sure that no one else is writing and that the image fits. The result is
// PartHeld if the device must discard an earlier download first.
func (d *Download) Prepare(ctx context.Context) Outcome { return d.via.prepare(ctx) }

// Steps are what the caller of Send does on the way.
type Steps struct {
	// Before is called before the first and the last chunk. If it returns an error, the chunk is
	// not sent, and the result is Failed.
	Before func(first, last bool) error
	// Withdraw reports, between chunks, whether the download is to be broken off; nil if
	// it never is.
	Withdraw func() bool
	// Taken is called after each chunk that the device took, with the bytes that it has now.
	Taken func(end int)
}

// Send sends the image chunk by chunk, after Prepare. The result is Sent if the device took
// all of it, else that of the chunk that it did not take.
func (d *Download) Send(ctx context.Context, image []byte, steps Steps) Outcome {
	size := d.via.chunkSize()
	for offset := 0; offset < len(image); offset += size {
		end := min(offset+size, len(image))
		if steps.withdraw() {
			return Outcome{Result: Withdrawn}
		}
		first, last := offset == 0, end == len(image)
		if first || last {
			if err := steps.Before(first, last); err != nil {
				return failed(NotSaid, "%v", err)
			}
		}
		if o := d.sendChunk(ctx, image, offset, end, steps); o.Result != GoOn {
			return o
		}
		steps.Taken(end)
	}
	return Outcome{Result: Sent}
}

// sendChunk sends a chunk until the device takes it, or says that it never will.
func (d *Download) sendChunk(ctx context.Context, image []byte, offset, end int, steps Steps) (o Outcome) {
	for n := range backoff.Within(ctx, d.spec.FlashTimeout, backoff.Device) {
		if n > 1 && offset > 0 && steps.withdraw() {
			return Outcome{Result: Withdrawn}
		}
		if o = d.via.chunk(ctx, offset, image[offset:end]); o.Result != NotTaken {
			return o
		}
	}
	return failed(Part, "the device did not take the image at byte %d of %d: %s", offset, len(image), o.Reason)
}

func (s Steps) withdraw() bool { return s.Withdraw != nil && s.Withdraw() }

// Finish waits until the device says what became of an image that was sent.
func (d *Download) Finish(ctx context.Context) Outcome { return d.via.finish(ctx) }

// Abort breaks a download off. The result is Discarded if the device then holds no part of it,
// or has no abort command, and Sent if it turns out to have all of it, which Finish then
// judges. After any other result the device may still hold a part.
func (d *Download) Abort(ctx context.Context) Outcome { return d.via.abort(ctx) }

// Recover finds out what became of a download whose end is unknown. last: all of it may have
// been sent. The result is StartOver if the device holds no part of it, Sent if Finish is to
// wait, and PartHeld if it has to be aborted first.
func (d *Download) Recover(ctx context.Context, last bool) Outcome { return d.via.recover(ctx, last) }

// Activate starts deferred microcode.
func (d *Download) Activate(ctx context.Context) Outcome { return d.via.activate(ctx) }

// Collect reads what the start of an image has left in the device's status, so that it is not
// taken later for the answer to something else. It reports whether nothing more is to come.
func (d *Download) Collect(ctx context.Context) bool { return d.target.collect(ctx) }

// Failure returns what the device says of an image that it was to start and does not run; the
// zero Outcome if it says nothing.
func (d *Download) Failure(ctx context.Context) Outcome { return d.via.failure(ctx) }

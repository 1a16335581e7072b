package download

import (
	"context"
	"fmt"
	"time"

	"fwctl/internal/duration"
	"fwctl/internal/enclosure"
	"fwctl/internal/ses"
	"fwctl/internal/transport"
)

// drain reads the status page of every ESP of the enclosure that has one, before the first
// chunk or an activation. It refuses if anyone is writing to the enclosure, or if another
// component there needs an image. What an earlier download left in the component's own status
// is read until it is gone: it would be taken for the word on this one.
//
// The status is the component's own, empty if its ESP has no such page.
func (t *target) drain(ctx context.Context, activating bool) (ses.DownloadStatus, Outcome) {
	var none ses.DownloadStatus
	for _, esp := range t.reading.ESPs {
		if esp.LUID == t.spec.LUID || !esp.Download.SESPage {
			continue
		}
		if err := t.settle(ctx, esp.LUID); err != nil {
			return none, refused("%v", err)
		}
		page, err := t.firmPage(ctx, esp.LUID)
		if err != nil {
			return none, refused("cannot find out whether anyone is writing to the other ESP %s: %v", esp.LUID, err)
		}
		if o := t.judge(ctx, esp.LUID, page, activating); o.Result != GoOn {
			return none, o
		}
	}
	if err := t.settle(ctx, t.spec.LUID); err != nil {
		return none, refused("%v", err)
	}
	// A reset that is reported from here on is a new one.
	t.held.ForgetResets(t.spec.LUID)
	if !t.hasPage {
		return none, Outcome{}
	}
	var s ses.DownloadStatus
	for range 2 {
		page, err := t.firmPage(ctx, t.spec.LUID)
		if err != nil {
			return none, refused("%v", err)
		}
		if o := t.judge(ctx, t.spec.LUID, page, activating); o.Result != GoOn {
			return none, o
		}
		s, err = t.own(page)
		switch {
		case err != nil:
			return s, refused("%v", err)
		case s.Code == ses.DownloadIdle:
			return s, Outcome{}
		}
	}
	// 83h stays until the component gets an image.
	if s.Code.Failed() && s.Code != ses.DownloadNeedsImage {
		return s, refused("it keeps reporting an earlier download: %v", s)
	}
	return s, Outcome{}
}

// judge judges all lines of an ESP's status page. It reports what reading them has cleared.
func (t *target) judge(
	ctx context.Context, luID string, page *ses.DownloadMicrocodeStatus, activating bool,
) Outcome {
	var stop, started Outcome
	for _, s := range page.Subenclosures {
		c := t.component(luID, int(s.SubenclosureID))
		if s.Code == ses.DownloadDoneStartsNow {
			started = t.started(ctx, c)
			continue
		}
		if o := t.judgeStatus(c, s, activating); o.Result != GoOn {
			stop = o
		}
	}
	if started.Result != GoOn {
		return started
	}
	return stop
}

// judgeStatus judges the status of one component, other than 10h.
func (t *target) judgeStatus(c Component, s ses.DownloadStatus, activating bool) Outcome {
	own := c.Address == t.spec.Address
	switch {
	case own && t.spec.Resends && s.Code == ses.DownloadInProgress:
	case partial(s) && t.caller.MayHold(c):
		if !own {
			t.notice("%s holds a part of an image that an earlier run has sent: %v", c.Address, s)
		}
	case s.Code.InProgress() && t.caller.MayHold(c):
		return inUse("%s is still writing an image that an earlier run has sent (%v): "+
			"wait until it is done, and do not power-cycle it", c.Address, s)
	case s.Code.InProgress():
		return inUse("someone else is writing to %s: %v", c.Address, s)
	case partial(s):
		return inUse("someone else is writing to %s: it waits for byte %d of an image",
			c.Address, s.ExpectedBufferOffset)
	case s.Code == ses.DownloadNeedsImage:
		t.caller.NeedsImage(c, s.String())
		if own && !activating {
			return Outcome{}
		}
		o := refused("%s needs a whole image before anything else of its fault domain is touched: "+
			"do not power-cycle or reset it: %v", c.Address, s)
		if own {
			o.Holds = NeedsImage
		}
		return o
	case s.Code.Complete(), s.Code.Failed() && !own:
		t.notice("no one had read how an earlier download to %s ended, and the device does not report it again: %v",
			c.Address, s)
	}
	return Outcome{}
}

func (t *target) notice(format string, args ...any) { t.caller.Notice(fmt.Sprintf(format, args...)) }

// firmPage reads an ESP's download status page, again if one read fails.
func (t *target) firmPage(ctx context.Context, luID string) (page *ses.DownloadMicrocodeStatus, err error) {
	err = enclosure.Retry(ctx, func() error {
		if _, failure := t.held.Transport(luID); failure != nil {
			t.held.FindAgain(ctx, luID)
		}
		page, err = t.page(ctx, luID)
		if transport.Unanswered(err) {
			t.held.FindAgain(ctx, luID)
		}
		return err
	})
	return page, err
}

// started waits for a component whose microcode stood at 10h: reading that has started it. If
// this run has started an image there, 10h is the answer to that; else something was started
// that the plan does not know of, and the step fails.
func (t *target) started(ctx context.Context, c Component) Outcome {
	ours := t.caller.HasStarted(c)
	reason := fmt.Sprintf("an earlier download to %s had ended without its status being read, "+
		"and reading it has started that microcode", c.Address)
	if ours {
		reason = fmt.Sprintf("%s had more to report of the image that this run has started there, "+
			"and may have started it once more", c.Address)
	}
	t.caller.Notice(reason)
	time.Sleep(t.spec.Settle)
	return poll(ctx, t.spec.ReturnTimeout, func() sight {
		revision, err := t.held.Revision(ctx, c.LUID, c.Subenclosure)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case ours:
			return over(Outcome{})
		}
		o := failed(NotSaid, "%s: it runs %s now, and nothing else was done: make a new plan", reason, revision)
		if c.Address == t.spec.Address {
			o.Revision, o.Holds = revision, Nothing
		}
		return over(o)
	}, func(said string) Outcome {
		return lost("%s: it has not come back for %v: %s", reason, duration.String(t.spec.ReturnTimeout), said)
	})
}

// component returns the component that a line of an ESP's status page is about.
func (t *target) component(luID string, subenclosure int) Component {
	c := Component{luID, subenclosure, fmt.Sprintf("subenclosure %d of ESP %s", subenclosure, luID)}
	if _, sub := t.reading.Component(luID, subenclosure); sub != nil {
		c.Address = sub.Address
	}
	return c
}

package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fwctl/internal/enclosure"
	"fwctl/internal/ses"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
)

// drain reads the status page of every ESP of the enclosure that has one, before
// the first chunk or an activation. Nobody may be writing to anything in the
// enclosure, and nothing else in it may be in need of an image. What an earlier download left on the component itself is read until it
// is gone: it would be taken for the word on this one.
//
// The status is the component's own, empty where its ESP has no such page.
func (t *target) drain(ctx context.Context, activating bool) (ses.DownloadStatus, verdict) {
	var none ses.DownloadStatus
	for _, esp := range t.esps {
		if esp.LUID == t.luID || !esp.Download.SESPage {
			continue
		}
		if err := t.settle(ctx, esp.LUID); err != nil {
			return none, refuse("%v", err)
		}
		page, err := t.firmPage(ctx, esp.LUID)
		if err != nil {
			return none, refuse("cannot find out whether somebody writes to the other ESP %s: %v", esp.LUID, err)
		}
		if v := t.judge(ctx, esp.LUID, page, activating); v.trigger != "" {
			return none, v
		}
	}
	if err := t.settle(ctx, t.luID); err != nil {
		return none, refuse("%v", err)
	}
	t.session.ForgetResets(t.luID) // from here on it would be a new one
	if !t.hasPage {
		return none, verdict{}
	}
	var s ses.DownloadStatus
	for range 2 {
		page, err := t.firmPage(ctx, t.luID)
		if err != nil {
			return none, refuse("%v", err)
		}
		if v := t.judge(ctx, t.luID, page, activating); v.trigger != "" {
			return none, v
		}
		s, err = t.own(page)
		switch {
		case err != nil:
			return s, refuse("%v", err)
		case s.Code == ses.DownloadIdle:
			return s, verdict{}
		}
	}
	if s.Code.Failed() && s.Code != ses.DownloadNeedsImage { // 83h stays until it gets an image
		return s, refuse("it goes on reporting an earlier download: %v", s)
	}
	return s, verdict{}
}

// judge goes through all that an ESP's status page says, and tells what has been
// eaten by reading it.
func (t *target) judge(ctx context.Context, luID string, page *ses.DownloadMicrocodeStatus, activating bool) verdict {
	var v, started verdict
	for _, s := range page.Subenclosures {
		address := t.addressOf(luID, int(s.SubenclosureID))
		own := address == t.address
		key := state.Key{LUID: luID, Subenclosure: int(s.SubenclosureID)}
		switch {
		case s.Code == ses.DownloadDoneStartsNow:
			started = t.started(ctx, key, address)
		case own && t.owing && s.Code == ses.DownloadInProgress:
		case partial(s) && t.ours(key, address):
			if !own {
				t.notice(fmt.Sprintf("%s holds a part of an image that an earlier run has sent: %v", address, s))
			}
		case s.Code.InProgress() && t.ours(key, address):
			v = refuse(
				"%s is still writing an image that an earlier run has sent (%v): wait until it is done, and do not power-cycle it",
				address,
				s,
			)
			v.refusal = RefusedInUse
		case s.Code.InProgress():
			v = refuse("somebody else is writing to %s: %v", address, s)
			v.refusal = RefusedInUse
		case partial(s):
			v = refuse("somebody else is writing to %s: it waits for byte %d of an image", address, s.ExpectedBufferOffset)
			v.refusal = RefusedInUse
		case s.Code == ses.DownloadNeedsImage:
			t.needsImage(key, address, s.String())
			if !own || activating {
				v = refuse("%s needs a whole image before anything else of its fault domain is touched: do not power-cycle or reset it: %v", address, s)
				v.needsPerson = own
			}
		case s.Code.Complete(), s.Code.Failed() && !own:
			t.notice(fmt.Sprintf("an earlier download to %s had not been asked how it ended, and will not say it again: %v", address, s))
		}
	}
	if started.trigger != "" {
		return started
	}
	return v
}

// firmPage reads an ESP's download status page, again if one read fails.
func (t *target) firmPage(ctx context.Context, luID string) (page *ses.DownloadMicrocodeStatus, err error) {
	err = enclosure.Retry(ctx, func() error {
		if _, failure := t.session.Transport(luID); failure != nil {
			t.session.Revision(ctx, luID, t.subenclosure) // finds it again if it has moved
		}
		page, err = t.page(ctx, luID)
		if transport.Unanswered(err) {
			t.session.Revision(ctx, luID, t.subenclosure)
		}
		return err
	})
	return page, err
}

// partial reports whether a device waits for more of an image. Some say 00h while they
// download, and tell it by the offset alone.
func partial(s ses.DownloadStatus) bool {
	return s.Code == ses.DownloadInProgress ||
		s.Code == ses.DownloadIdle && s.ExpectedBufferOffset != 0 && s.ExpectedBufferOffset != ses.AnyOffset
}

// started waits for a component whose microcode stood at 10h, and has been started by
// the reading of that. If this run has started an image there, 10h is the answer to
// that; else it was not this step's to start.
func (t *target) started(ctx context.Context, key state.Key, address string) verdict {
	ours := t.acted(key)
	reason := fmt.Sprintf("an earlier download to %s had ended without its status being read, and reading it has started that microcode", address)
	if ours {
		reason = fmt.Sprintf(
			"%s had more to say of the image that this run has started there, and may have started it once more",
			address,
		)
	}
	t.notice(reason)
	time.Sleep(time.Duration(t.hop.Settle))
	return poll(ctx, time.Duration(t.hop.ReturnTimeout), func() sight {
		revision, err := t.session.Revision(ctx, key.LUID, key.Subenclosure)
		switch {
		case err != nil:
			return sight{said: err.Error()}
		case ours:
			return over(verdict{})
		}
		v := verdict{trigger: Fail, reason: fmt.Sprintf("%s: it runs %s now, and nothing else was done: make a new plan", reason, revision)}
		if address == t.address {
			v.revision, v.unstaged = revision, true
		}
		return over(v)
	}, func(said string) verdict {
		return verdict{trigger: Lose, reason: fmt.Sprintf("%s: it has not come back for %v: %s", reason, t.hop.ReturnTimeout, said)}
	})
}

// addressOf names what an ESP's status page has a line for.
func (t *target) addressOf(luID string, subenclosure int) string {
	for _, esp := range t.esps {
		i := slices.IndexFunc(esp.Subenclosures, func(sub inventory.Subenclosure) bool { return sub.ID == subenclosure })
		if esp.LUID == luID && i >= 0 {
			return esp.Subenclosures[i].Address
		}
	}
	return fmt.Sprintf("subenclosure %d of ESP %s", subenclosure, luID)
}

func refuse(format string, args ...any) verdict {
	return verdict{trigger: Refuse, reason: fmt.Sprintf(format, args...)}
}

// inFlight is a verdict on a step that cannot be refused any more.
func (v verdict) inFlight() verdict {
	if v.trigger == Refuse {
		v.trigger = Fail
	}
	return v
}

package download

import (
	"context"
	"time"

	"fwctl/internal/backoff"
	"fwctl/internal/ses"
)

// stage is how far a device says it has got with an image. poll waits longer for each new
// stage, so there must be few of them.
type stage int

const (
	// silent: it has not said.
	silent stage = iota
	// receiving: it awaits more data.
	receiving
	// writing: it has all of the image and writes flash.
	writing
	// leaving: it does not answer, after an image that it starts by itself.
	leaving
)

func stageOf(s ses.DownloadStatus) stage {
	switch {
	case s.Code == ses.DownloadInProgress:
		return receiving
	case s.Code.InProgress():
		return writing
	}
	return silent
}

// sight is the result of asking a device once: an end, or what it said and how far it is.
type sight struct {
	end   *Outcome
	said  string
	stage stage
}

func over(o Outcome) sight { return sight{end: &o} }

// poll asks, less and less often, until there is an end. patience is how long a device may
// stay in one stage. Falling back to an earlier stage, or coming to one again, gives it no
// more time, so poll always ends: with late, if there was no end in time.
func poll(
	ctx context.Context, patience time.Duration, ask func() sight, late func(said string) Outcome,
) Outcome {
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

package download

import (
	"context"
	"time"

	"fwctl/internal/backoff"
	"fwctl/internal/ses"
)

// stage is how far a device has got with an image, as far as it says. poll
// waits longer for each new stage, so there must be few of them.
type stage int

const (
	silent    stage = iota // it has not said
	receiving              // it awaits more data
	writing                // it has all of it and writes flash
	leaving                // it answers no more, or not yet again, after an image that it starts by itself
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

// sight is what asking a device once came to: an end, or what it said and how far
// it is.
type sight struct {
	end   *Outcome
	said  string
	stage stage
}

func over(o Outcome) sight { return sight{end: &o} }

// poll asks, ever more seldom, until there is an end. Patience is how long a
// device may stay in one stage. A stage that it falls back into, or is in for a
// second time, gives it no more: after patience for each of them poll ends.
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

// Package backoff spaces the attempts at something that takes a device or a person a
// while: the longer it takes, the longer the waits.
//
// It never makes an attempt itself: the caller's loop does.
package backoff

import (
	"context"
	"iter"
	"time"
)

// How long to wait: First before the second attempt, then twice as long each time,
// up to what the caller allows.
const (
	First  = 250 * time.Millisecond
	Brief  = time.Second     // for what succeeds at once or not at all
	Device = 5 * time.Second // for a device that writes flash or restarts
	Person = time.Minute     // for what a person does: each attempt reads whole enclosures
)

// Attempts yields 1, 2, 3 and so on, and waits in between, for up to longest. It
// ends with ctx, but not before the first.
func Attempts(ctx context.Context, longest time.Duration) iter.Seq[int] {
	return func(yield func(int) bool) {
		wait := First
		for n := 1; yield(n) && Sleep(ctx, wait); n++ {
			wait = min(2*wait, longest)
		}
	}
}

// Within yields like Attempts until patience is over. The last attempt is the first one
// that begins when patience is over. An answer counts however long it takes.
func Within(ctx context.Context, patience, longest time.Duration) iter.Seq[int] {
	return func(yield func(int) bool) {
		deadline := time.Now().Add(patience)
		for n := range Attempts(ctx, longest) {
			late := !time.Now().Before(deadline)
			if !yield(n) || late {
				return
			}
		}
	}
}

// Sleep waits, and reports whether ctx is still alive.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

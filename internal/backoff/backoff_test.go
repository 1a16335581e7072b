package backoff_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/backoff"
)

func TestAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		var at []time.Duration
		for range backoff.Attempts(ctx, backoff.Brief) {
			at = append(at, time.Since(began))
			if len(at) == 5 {
				time.Sleep(7 * time.Second)
			}
		}
		second := time.Second
		want := []time.Duration{0, second / 4, 3 * second / 4, 7 * second / 4, 11 * second / 4}
		if !slices.Equal(at, want) || time.Since(began) != 11*second/4+7*second {
			t.Errorf("attempts at %v, ended after %v; want %v, and no wait once the context has ended",
				at, time.Since(began), want)
		}
	})
}

// An ended context does not keep the first attempt from being made.
func TestAttemptsWithoutTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := slices.Collect(backoff.Attempts(ctx, backoff.Device)); !slices.Equal(got, []int{1}) {
		t.Errorf("attempts = %v; want the first alone", got)
	}
}

// An attempt that began in time is not the last, even if it took too long.
func TestWithin(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes, patience time.Duration
		want            []time.Duration
	}{
		"quick answers": {0, time.Second, []time.Duration{
			0, 250 * time.Millisecond, 750 * time.Millisecond, 1750 * time.Millisecond,
		}},
		"slow answers": {time.Minute, time.Second, []time.Duration{0, time.Minute + 250*time.Millisecond}},
		"no patience":  {0, 0, []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var at []time.Duration
				for range backoff.Within(t.Context(), tt.patience, backoff.Device) {
					at = append(at, time.Since(began))
					time.Sleep(tt.takes)
				}
				if !slices.Equal(at, tt.want) {
					t.Errorf("attempts at %v; want %v", at, tt.want)
				}
			})
		})
	}
}

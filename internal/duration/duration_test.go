package duration_test

import (
	"testing"
	"time"

	"fwctl/internal/duration"
)

func TestString(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                         "0s",
		30 * time.Second:          "30s",
		15 * time.Minute:          "15m",
		90 * time.Second:          "1m30s",
		2 * time.Hour:             "2h",
		2*time.Hour + time.Second: "2h0m1s",
		150 * time.Minute:         "2h30m",
	} {
		if got := duration.String(d); got != want {
			t.Errorf("String(%d) = %q; want %q", d, got, want)
		}
	}
}

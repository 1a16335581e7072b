// Package duration writes durations as people do. It is for plan files and for messages alike, and does no more.
package duration

import (
	"strings"
	"time"
)

// String writes a duration without the zeros at its end: 45m, not 45m0s.
func String(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

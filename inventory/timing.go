package inventory

import (
	"cmp"
	"fmt"
	"time"
)

// Phase is a part of the work on a component whose time is known from earlier runs.
type Phase string

const (
	DownloadPhase Phase = "download" // from before the first chunk until all of the image was taken
	FlashPhase    Phase = "flash"    // from then until the device says what became of it
	ReturnPhase   Phase = "return"   // from the reset until the component was verified
)

// ActivationMode is the mode of a Timing of what an activation takes: the image was staged before.
const ActivationMode = "f"

// TimedWork is what the time of a phase depends on.
type TimedWork struct {
	Vendor   string `json:"vendor"` // of the component
	Product  string `json:"product"`
	Mode     string `json:"mode"`     // "e", "7" or ActivationMode
	Protocol string `json:"protocol"` // as plans name it
	Phase    Phase  `json:"phase"`
}

// Timing sums up how long a phase took on a host. Phases that failed or were interrupted do not
// count.
type Timing struct {
	TimedWork
	// ImageSize is in bytes; 0 in the phase "return", whose time does not depend on it.
	ImageSize int64 `json:"image_size,omitempty"`
	// Runs is how many runs it was seen in.
	Runs int `json:"runs"`
	// Count is how often it was seen, and MedianMS the median of these times, in
	// milliseconds.
	Count    int   `json:"count"`
	MedianMS int64 `json:"median_ms"`
}

// Median returns the median of how long the phase took.
func (t *Timing) Median() time.Duration { return time.Duration(t.MedianMS) * time.Millisecond }

// CompareTimings orders timings by what they are of.
func CompareTimings(a, b Timing) int {
	return cmp.Or(
		cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Product, b.Product), cmp.Compare(a.Mode, b.Mode),
		cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.ImageSize, b.ImageSize),
	)
}

// flaw returns what is wrong with a timing that came from a file, or "".
func (t *Timing) flaw() string {
	const longest = 365 * 24 * time.Hour
	switch {
	case t.ImageSize < 0 || t.ImageSize == 0 && t.Phase != ReturnPhase:
		return fmt.Sprintf("its image_size is %d", t.ImageSize)
	case t.Runs < 1 || t.Count < t.Runs:
		return fmt.Sprintf("it was seen %d times in %d runs", t.Count, t.Runs)
	case t.MedianMS < 0 || t.MedianMS > longest.Milliseconds():
		return fmt.Sprintf("its median is %d ms", t.MedianMS)
	}
	return odd(t.Vendor, t.Product, t.Mode, t.Protocol, string(t.Phase))
}

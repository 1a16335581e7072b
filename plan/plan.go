// Package plan is the plan itself: its types, its file format and digest, and the questions
// that all others ask a step: whether it acts, in which wave, what resets it.
//
// A plan leaves no choice to the executor. This package does not make plans (plan/build does),
// and never reaches a device, a clock or an image.
package plan

import (
	"slices"
	"strings"
	"time"

	"fwctl/internal/window"
)

// FormatVersion is the version of the plan file format that this package writes.
const FormatVersion = "1.0"

// Plan is a saved plan, self-contained: with the images, it is all that the
// executor needs.
type Plan struct {
	FormatVersion string `json:"format_version"`
	// Kind is "Plan".
	Kind string `json:"kind"`
	// Digest is "sha256:" and 64 hex digits over everything but digest, created_at and image_hints.
	Digest string `json:"digest"`
	// CreatedAt is in UTC.
	CreatedAt time.Time `json:"created_at"`
	// ImageHints has the absolute paths that images had when the plan was made, by SHA-256. The
	// digest does not cover it.
	ImageHints   map[string]string `json:"image_hints,omitempty"`
	Simulated    bool              `json:"simulated"`
	DesiredState Source            `json:"desired_state"`
	// Scans are sorted by host.
	Scans []Scan `json:"scans"`
	// Steps are sorted by address.
	Steps []Step `json:"steps"`
	// LeftOut has the lu_ids, sorted, of enclosures that were found and that neither a step nor
	// the fault domain of one includes. An apply leaves them alone.
	LeftOut []string `json:"left_out,omitempty"`
	// Waves are in the order in which they are carried out, by ascending numbers.
	Waves []Wave `json:"waves"`
	// ExpectedDuration is how long all waves and the soaks between them are expected to take,
	// without waiting for windows and people, and ExpectedFrom how many runs that rests on; 0 if
	// unknown.
	ExpectedDuration Duration `json:"expected_duration,omitempty"`
	ExpectedFrom     int      `json:"expected_from,omitempty"`
	// Commands carry the plan out, in order. There are none if one command on one host does all
	// of it.
	Commands []Turn `json:"commands,omitempty"`
	// Windows are those that waves name.
	Windows map[string]window.Window `json:"windows"`
	// Quirks has the sources of the rows of the quirk table that steps name, by name of the row.
	Quirks  map[string]string `json:"quirks,omitempty"`
	Rollout Rollout           `json:"rollout"`
	// Notify notifies people of each run, on its host and without a shell, with the event as JSON
	// on standard input. If it is empty, nobody is notified.
	Notify   Command  `json:"notify,omitempty"`
	Warnings []string `json:"warnings"`
	// Unread are the devices that could not be read, by host and path.
	Unread  []Unread `json:"unread,omitempty"`
	Summary Summary  `json:"summary"`
}

// Source names the desired state that a plan was made from.
type Source struct {
	Name   string `json:"name"`   // metadata.name, "" if it has none
	SHA256 string `json:"sha256"` // of the file, 64 hex digits
}

// Scan is one inventory that went into a plan.
type Scan struct {
	Host       string    `json:"host"`
	ScannedAt  time.Time `json:"scanned_at"`
	Enclosures int       `json:"enclosures"`
	ESPs       int       `json:"esps"`
}

// Rollout limits how much is worked on, and how much may fail.
type Rollout struct {
	// Canary is how many enclosures of each model go through all of their waves first.
	Canary int `json:"canary,omitempty" yaml:"canary"`
	// Soak is how long the canaries must have run well before the rest begins.
	Soak Duration `json:"soak,omitempty" yaml:"soak"`
	// MaxParallel is how many fault domains each host works on at a time.
	MaxParallel int `json:"max_parallel" yaml:"maxParallel"`
	// MaxFailures is how many components may fail without stopping the rest.
	MaxFailures int `json:"max_failures" yaml:"maxFailures"`
}

// Summary counts steps by action.
type Summary struct {
	Update    int `json:"update"`
	Activate  int `json:"activate"`
	Staged    int `json:"staged"`
	NoOp      int `json:"no-op"`
	Blocked   int `json:"blocked"`
	Excepted  int `json:"excepted"`
	Unmanaged int `json:"unmanaged"`
	Unread    int `json:"unread,omitempty"` // devices that could not be read
}

// Unread is a device that the scan of a host could not read: nothing is known of the components
// behind it.
type Unread struct {
	Host string `json:"host"`
	Path string `json:"path"`
	LUID string `json:"lu_id,omitempty"`
	Why  string `json:"why"`
	// Components are addresses, as the host remembers them or reads them on another path.
	Components []string `json:"components,omitempty"`

	// Wanted: a want may be about it, as far as is known without reading it.
	Wanted bool `json:"wanted"`
}

func (p *Plan) Summarize() Summary {
	sum := Summary{Unread: len(p.Unread)}
	counts := map[Action]*int{
		Update: &sum.Update, Activate: &sum.Activate, IsStaged: &sum.Staged, NoOp: &sum.NoOp,
		Blocked: &sum.Blocked, Excepted: &sum.Excepted, Unmanaged: &sum.Unmanaged,
	}
	for _, s := range p.Steps {
		if n := counts[s.Action]; n != nil {
			*n++
		}
	}
	return sum
}

// Acts reports whether an apply of the plan does anything.
func (s Summary) Acts() bool { return s.Update+s.Activate > 0 }

// Pending reports whether anything differs from the desired state, or may: components that are
// staged or blocked, and devices that could not be read, count too.
func (s Summary) Pending() bool { return s.Update+s.Activate+s.Staged+s.Blocked+s.Unread > 0 }

// Astray returns the steps of components that are not as the desired state wants them.
func (p *Plan) Astray() []Step {
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return s.AsWanted() })
}

// UnreadWanted returns the devices that could not be read and that the desired state may be
// about. If there are any, having nothing to do is not a success.
func (p *Plan) UnreadWanted() []Unread {
	return slices.DeleteFunc(slices.Clone(p.Unread), func(u Unread) bool { return !u.Wanted })
}

// Unseen is an enclosure that a plan works on though some of its ESPs are not in sight: another
// host may be writing to it.
type Unseen struct {
	// Enclosure is the first part of its addresses, Name "" if it has none.
	Enclosure, Name string

	// Seen and Expected count ESPs.
	Seen, Expected int
}

// ShortDigest returns the beginning of a SHA-256, with or without its prefix: enough for people to distinguish two.
func ShortDigest(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(8, len(digest))]
}

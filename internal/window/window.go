// Package window says when maintenance windows are open: a start, a duration, a
// time zone, a recurrence rule (RFC 5545) and dates that are left out.
//
// It is pure: what time it is, the caller says.
package window

import "time"

// Window is a maintenance window as a desired state and a plan write it.
type Window struct {
	Start    string   `json:"start" yaml:"start"`                         // local time of the first opening, "2006-01-02T15:04"
	Timezone string   `json:"timezone" yaml:"timezone"`                   // IANA name, "Europe/Berlin"; "" is UTC
	Duration string   `json:"duration" yaml:"duration"`                   // "6h", elapsed time: an hour lost or won by daylight saving does not change it
	RRule    string   `json:"rrule,omitempty" yaml:"rrule,omitempty"`     // RFC 5545, "FREQ=WEEKLY;BYDAY=SA"; "": once
	Exclude  []string `json:"exclude,omitempty" yaml:"exclude,omitempty"` // local dates of openings that are left out, "2006-01-02"
}

// Interval is one opening: from Start up to, and not including, End.
type Interval struct{ Start, End time.Time }

package result

import (
	"time"

	"fwctl/internal/state"
)

// Finding is what became of microcode that was staged.
type Finding struct {
	Address     string        `json:"address"`
	Outcome     state.Verdict `json:"outcome"`
	SHA256      string        `json:"sha256"`   // of the image that was staged
	Wanted      string        `json:"wanted"`   // the revision that it brings
	Revision    string        `json:"revision"` // that the component reports, "" where it is not in sight
	StagedSince time.Time     `json:"staged_since"`
	StagedBy    string        `json:"staged_by"`
	Confirmed   bool          `json:"confirmed"` // the revision tells that the image runs
	Reason      string        `json:"reason"`
}

// Comparison is an enclosure that was compared with what it was like when the last run
// that touched it began.
type Comparison struct {
	Enclosure string    `json:"enclosure"`
	Since     time.Time `json:"since"`
	ESPs      int       `json:"esps"`   // that it had then
	Drives    int       `json:"drives"` // likewise; 0 where nobody could tell
}

// Decline is what an enclosure lacks that it had, or that has become worse, since
// the last run that touched it began.
type Decline struct {
	Enclosure string    `json:"enclosure"`
	Since     time.Time `json:"since"`
	Worse     []string  `json:"worse"` // in words
}

// Unsettled is a component of which nobody knows what it holds, or that must not lose
// power, as an earlier run has left it.
type Unsettled struct {
	Address string `json:"address"`
	Reason  string `json:"reason"` // and what to do
}

// Settled is a component that held something unknown, and that has been
// power-cycled or reset since: it holds nothing any more that waits.
type Settled struct {
	Address  string `json:"address"`
	Revision string `json:"revision"` // that it reports
	Reason   string `json:"reason"`   // why it was in doubt
}

// Found is what Verify found.
type Found struct {
	Settled    []Settled    `json:"settled,omitempty"` // by address
	Unsettled  []Unsettled  `json:"unsettled"`         // by address
	Components []Finding    `json:"components"`        // by address
	Compared   []Comparison `json:"compared"`          // by enclosure
	Declines   []Decline    `json:"declines"`          // those that are worse, likewise
}

// FoundCount counts components by what became of what was staged on them.
type FoundCount struct{ Running, Waiting, Lost, Absent int }

// Count counts the components by what was found.
func (f *Found) Count() FoundCount {
	var n FoundCount
	for _, c := range f.Components {
		switch c.Outcome {
		case state.Running:
			n.Running++
		case state.Waiting:
			n.Waiting++
		case state.Lost:
			n.Lost++
		default:
			n.Absent++
		}
	}
	return n
}

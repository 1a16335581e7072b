package result

import (
	"time"

	"fwctl/internal/state"
	"fwctl/inventory"
)

// Finding is what became of a staged image. Its Outcome is "" if the component is not in
// sight.
type Finding struct {
	Address string `json:"address"`
	// Name is what people call the enclosure, "" if it has no name.
	Name    string        `json:"name,omitempty"`
	Outcome state.Verdict `json:"outcome"`
	// SHA256 is that of the image, and Wanted the revision that it brings.
	SHA256 string `json:"sha256"`
	Wanted string `json:"wanted"`
	// Revision is what the component reports, "" if it is not in sight.
	Revision    string    `json:"revision"`
	StagedSince time.Time `json:"staged_since"`
	StagedBy    string    `json:"staged_by"`
	// Confirmed: the revision shows that the image runs.
	Confirmed bool   `json:"confirmed"`
	Reason    string `json:"reason"`
}

// Comparison is an enclosure that was compared with what it was like when the last run
// that touched it began.
type Comparison struct {
	Enclosure string `json:"enclosure"`
	// Name is what people call the enclosure, "" if it has no name.
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since"`
	// ESPs and Drives count what it had then. Drives is 0 if that was unknown.
	ESPs   int `json:"esps"`
	Drives int `json:"drives"`
}

// Decline is what has become worse in an enclosure, or is missing there, since the last run
// that touched it began.
type Decline struct {
	Enclosure string `json:"enclosure"`
	// Name is what people call the enclosure, "" if it has no name.
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since"`
	Worse []string  `json:"worse"`
}

// Unsettled is a component that an earlier run left with unknown content, or that must not
// lose power. Reason says what to do, too.
type Unsettled struct {
	Address string `json:"address"`
	// Name is what people call the enclosure, "" if it has no name.
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason"`
}

// Settled is a component whose content was unknown, and that was power-cycled or reset since:
// nothing waits there any more. Reason says why it was in doubt.
type Settled struct {
	Address string `json:"address"`
	// Name is what people call the enclosure, "" if it has no name.
	Name     string `json:"name,omitempty"`
	Revision string `json:"revision"`
	Reason   string `json:"reason"`
}

// Found is what was found after a power cycle, each list by address or enclosure.
type Found struct {
	Settled    []Settled    `json:"settled,omitempty"`
	Unsettled  []Unsettled  `json:"unsettled"`
	Components []Finding    `json:"components"`
	Compared   []Comparison `json:"compared"`
	Declines   []Decline    `json:"declines"`
}

// SetNames sets the names of the enclosures that were found.
func (f *Found) SetNames(names inventory.Names) {
	for i := range f.Settled {
		f.Settled[i].Name = names.Of(f.Settled[i].Address)
	}
	for i := range f.Unsettled {
		f.Unsettled[i].Name = names.Of(f.Unsettled[i].Address)
	}
	for i := range f.Components {
		f.Components[i].Name = names.Of(f.Components[i].Address)
	}
	for i := range f.Compared {
		f.Compared[i].Name = names.Of(f.Compared[i].Enclosure)
	}
	for i := range f.Declines {
		f.Declines[i].Name = names.Of(f.Declines[i].Enclosure)
	}
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

// Package report reads the stores of one or several hosts. It has two reports: the status,
// which is what goes on, what is staged and what is stuck; and the history of what was done.
//
// It goes by the store and by who holds a lock. It opens no device, and says nothing about
// what a device is like now.
package report

import (
	"slices"
	"time"

	"fwctl/executor/result"
)

// Host is a host whose store was read.
type Host struct {
	Name      string    `json:"host"`
	TakenAt   time.Time `json:"taken_at"`
	Simulated bool      `json:"simulated"`
}

// Component is one that a host has worked on. Selectors select among them.
type Component struct {
	Address string `json:"address"`
	// Name is what the last plan called its enclosure.
	Name string `json:"name,omitempty"`
}

// Run is one apply.
type Run struct {
	Host string `json:"host"`
	ID   int64  `json:"run"`
	// Plan is the digest of its plan.
	Plan string `json:"plan"`
	By   string `json:"by"`
	// Phase is the kind of the waves that the run is limited to, and Wave the number of the one
	// wave; "" and 0 if it is not limited.
	Phase     string    `json:"phase,omitempty"`
	Wave      int       `json:"wave,omitempty"`
	StartedAt time.Time `json:"started_at"`
	// EndedAt is nil, and Outcome "", if the run has no end.
	EndedAt *time.Time `json:"ended_at"`
	Outcome string     `json:"outcome"`
	// Process is set in a status, if the run has no end.
	Process result.Process `json:"process,omitempty"`
	// Resumable, in a status: no process is seen to carry the run out, and its plan was kept.
	Resumable bool `json:"resumable,omitempty"`
	// PID is that of the process that carries the run out, or did so last.
	PID       int        `json:"pid,omitempty"`
	Resumed   []Resume   `json:"resumed"`
	Overrides []Override `json:"overrides"`
	// Waivers are those of the plan that the components of Steps needed.
	Waivers []Waiver `json:"waivers,omitempty"`
	// Accounts are those of the people who started the run and resumed it, in order.
	Accounts []Account `json:"accounts,omitempty"`
	// Hooks are in the order in which they were run, Steps by address.
	Hooks []Hook `json:"hooks,omitempty"`
	Steps []Step `json:"steps"`
}

// Resume is a person who resumed a run.
type Resume struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Account is the system's account of a person who worked on a run.
type Account struct {
	// UID is the real one.
	UID   int    `json:"uid"`
	Login string `json:"login"`
	// SudoUser is $SUDO_USER: only a claim if UID is not 0.
	SudoUser string    `json:"sudo_user,omitempty"`
	At       time.Time `json:"at"`
}

// Hook is a command that was run around a reset.
type Hook struct {
	// Kind is before-reset or after-reset.
	Kind    string    `json:"kind"`
	Address string    `json:"address"`
	Command string    `json:"command"`
	At      time.Time `json:"at"`
	// EndedAt is nil, and Outcome "", if its end is unknown. Outcome is done, or why it failed.
	EndedAt *time.Time `json:"ended_at"`
	Outcome string     `json:"outcome"`
	// Output is the end of what it wrote.
	Output string `json:"output"`
}

// Override is a safeguard that a person overrode for one component. Given is what they gave
// for it: a pattern, or a reason.
type Override struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
	Given   string `json:"given"`
}

// Waiver is a safeguard that the desired state of a plan set aside for one component.
type Waiver struct {
	// Gate is that of the policy.
	Gate    string `json:"gate"`
	Address string `json:"address"`
	// Why says what would have failed, and who waived it until when.
	Why string `json:"why"`
}

// Step is how far a run got with one component. Revisions, image and mode are those of the hop
// that the component is at; "" if they were not recorded.
type Step struct {
	Address string `json:"address"`
	// LUID is the designator of the ESP's logical unit: a module that is exchanged keeps its
	// address.
	LUID string `json:"lu_id"`
	// State is that of the step machine, Outcome "" if the step has not ended.
	State   string `json:"state"`
	Outcome string `json:"outcome"`
	// From and To are revisions, SHA256 is that of the image, and Mode "" if nothing was sent.
	From   string `json:"from"`
	To     string `json:"to"`
	SHA256 string `json:"sha256"`
	Mode   string `json:"mode"`
	Reason string `json:"reason"`
	// At is nil if the step has not begun.
	At *time.Time `json:"at"`

	// Hops are those that were begun, in order.
	Hops []Hop `json:"hops,omitempty"`
}

// Hop is an image that a run sent to a component, or commanded it to start.
type Hop struct {
	// From and To are revisions, "" if they were not recorded.
	From   string `json:"from"`
	To     string `json:"to"`
	SHA256 string `json:"sha256"`
	// Mode is the one by which it was sent last, "" if it was staged before.
	Mode string `json:"mode"`
	// At is when its last effect was about to be tried.
	At time.Time `json:"at"`
}

// Way returns the hops from the first that was begun to the one that the component is at,
// whether that was begun or not. SHA256 is "" in steps of an earlier fwctl.
func (s *Step) Way() []Hop {
	if n := len(s.Hops); n > 0 && (s.SHA256 == s.Hops[n-1].SHA256 || s.SHA256 == "") {
		return s.Hops
	}
	return append(slices.Clone(s.Hops), Hop{From: s.From, To: s.To, SHA256: s.SHA256, Mode: s.Mode})
}

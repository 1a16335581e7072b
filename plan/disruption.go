package plan

import (
	"slices"
)

// Impact is what a step does to those who use the enclosure, from nothing to the worst.
type Impact string

const (
	NoImpact       Impact = "none"
	ESPReset       Impact = "esp-reset"
	IOInterruption Impact = "io-interruption"
)

// Disruption is the impact that is expected, and the worst of what the step permits.
type Disruption struct {
	Expected Impact `json:"expected"`
	Worst    Impact `json:"worst"`
	Why      string `json:"why"`
}

// IfRefused begins Disruption.Why if only a fallback to mode 7 resets anything.
const IfRefused = "mode e resets nothing; if it is refused, "

// Reset says whether an ESP may be reset.
type Reset string

const (
	ResetNever     Reset = "never"
	ResetIdle      Reset = "idle"      // if no drive of the fault domain is in use on any host of the plan
	ResetRedundant Reset = "redundant" // if every drive in use keeps a live path that its user really uses
	ResetAlways    Reset = "always"    // permitted at review
)

// rank orders impacts from nothing to the worst; it is negative for what is none.
func (i Impact) rank() int { return slices.Index([]Impact{NoImpact, ESPReset, IOInterruption}, i) }

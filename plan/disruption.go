package plan

import (
	"slices"
	"strings"
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

// ifRefused begins Disruption.Why of a step in which only a fallback to mode 7 resets anything.
const ifRefused = "mode e resets nothing; if it is refused, "

// IfRefused returns Disruption.Why of a step in which only the fallback to mode 7 resets anything. what says what that
// resets.
func IfRefused(what string) string { return ifRefused + what }

// AfterRefusal returns the disruption after the device has refused mode e: the fallback is then sure.
func (d Disruption) AfterRefusal() Disruption {
	if what, found := strings.CutPrefix(d.Why, ifRefused); found {
		d.Why = "mode e is refused; " + what
	}
	return d
}

// Reset says whether an ESP may be reset.
type Reset string

const (
	ResetNever     Reset = "never"
	ResetIdle      Reset = "idle"      // if no drive of the fault domain is in use on any host of the plan
	ResetRedundant Reset = "redundant" // if every drive in use keeps a live path that its user really uses
	ResetAlways    Reset = "always"    // permitted at review
)

// rank orders impacts from nothing to the worst; it is negative for an unknown one.
func (i Impact) rank() int { return slices.Index([]Impact{NoImpact, ESPReset, IOInterruption}, i) }

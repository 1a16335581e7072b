package plan

// Gate is a safeguard of a policy, by its key in the desired state.
type Gate string

const (
	GateAllESPs   Gate = "requireAllESPs"
	GateHealthy   Gate = "requireHealthy"
	GateSignature Gate = "requireSignature"
	GateDowngrade Gate = "downgrade"
	GateReset     Gate = "reset"    // failed: nothing is planned that resets; that alone blocks nothing
	GateActivate  Gate = "activate" // asked if the policy, or --activate, wants what is deferred to be started
)

// Gates are all gates, in the order in which they are listed. The windows of a policy are no
// gate: Plan.Opening says when a wave may run.
var Gates = []Gate{GateAllESPs, GateHealthy, GateSignature, GateDowngrade, GateReset, GateActivate}

// Verdict is what a gate that was asked said.
type Verdict string

const (
	Passed Verdict = "passed"
	Failed Verdict = "failed"
	Waived Verdict = "waived" // it would have failed, but for a waiver of the policy
)

// GateResult is what a gate said of a step, and why.
type GateResult struct {
	Gate    Gate    `json:"gate"`
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"` // in words; if the gate blocks the step, one of its reasons
}

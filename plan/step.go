package plan

import (
	"slices"

	"fwctl/inventory"
)

// Action is what a plan does with a component.
type Action string

const (
	Update    Action = "update"
	Activate  Action = "activate"  // the wanted image is staged and will be activated
	IsStaged  Action = "staged"    // the wanted image is staged and waits
	NoOp      Action = "no-op"     // up to date
	Blocked   Action = "blocked"   // always with reasons
	Excepted  Action = "excepted"  // left out by an exception of the desired state
	Unmanaged Action = "unmanaged" // no want matches it
)

// Step is one component and what the plan does with it.
type Step struct {
	Address string `json:"address"`
	// Aliases are its other addresses, sorted: several ESPs can serve it.
	Aliases []string `json:"aliases,omitempty"`
	// Name is the enclosure's, "" if it has none.
	Name string `json:"name"`
	// Host carries the step out.
	Host      string `json:"host"`
	Enclosure string `json:"enclosure"`
	// LUID is the designator of the ESP's logical unit.
	LUID string `json:"lu_id"`
	// Subenclosure is its id, 0 to 255.
	Subenclosure int    `json:"subenclosure"`
	Vendor       string `json:"vendor"`
	Product      string `json:"product"`
	Current      string `json:"current"`
	// Desired is the revision that is wanted, "" for unmanaged components.
	Desired string `json:"desired"`
	// Model is that of the want that matches it, "" for unmanaged components.
	Model string `json:"model"`
	// Image is the name of the wanted image, "" for unmanaged components.
	Image string `json:"image"`
	// Quirk is the name of the row of the quirk table that fits the device.
	Quirk string `json:"quirk,omitempty"`
	// Policy is the name of the policy, "" for the defaults.
	Policy string `json:"policy"`
	Action Action `json:"action"`
	// Hops are what one apply does, in order; empty unless Action is Update or Activate.
	Hops []Hop `json:"hops"`
	// Later is what is left to do once a power cycle has started the last of Hops, or the staged
	// image. It takes another plan.
	Later []Hop `json:"later,omitempty"`
	// Waves are those in which the step is worked on.
	Waves StepWaves `json:"waves"`
	// Hooks are commands around each of its resets; nil for none.
	Hooks *Hooks `json:"hooks,omitempty"`
	// Reset is when the policy permits a reset. It is checked again before each one.
	Reset Reset `json:"reset"`
	// FaultDomain is a number: steps with the same one are never reset together. It is 0 if
	// unknown, and then the step is never reset together with any other.
	FaultDomain int `json:"fault_domain"`
	// Neighbours are the other enclosures of its fault domain that its host sees, whether or not
	// the plan has steps of them.
	Neighbours []string   `json:"neighbours,omitempty"`
	Disruption Disruption `json:"disruption"`
	// Evidence is Effect.Evidence of its reset.
	Evidence []string `json:"evidence,omitempty"`
	// AtStake is what uses the drives behind what it takes down, if it may reset anything; sorted
	// by CompareStakes.
	AtStake []Stake `json:"at_stake,omitempty"`
	// SeenElsewhere are drives of its fault domain that another host of the plan sees and its host does not.
	SeenElsewhere []string `json:"seen_elsewhere,omitempty"`
	WorstDuration Duration `json:"worst_duration"`
	// ExpectedDuration is how long all hops are expected to take, judging by earlier runs, without
	// the commands around resets; 0 if unknown.
	ExpectedDuration Duration `json:"expected_duration,omitempty"`
	// ExpectedStaging is the part of ExpectedDuration that the stage wave takes.
	ExpectedStaging Duration `json:"expected_staging,omitempty"`
	// ExpectedFrom is how many runs ExpectedDuration rests on: the fewest of any of its phases.
	ExpectedFrom int `json:"expected_from,omitempty"`
	// ExpectedScaled: no run has sent an image of this size, and ExpectedDuration is scaled from
	// other sizes.
	ExpectedScaled bool `json:"expected_scaled,omitempty"`
	// Rollback is the name of the image that brings Current back, "" if there is none.
	Rollback string `json:"rollback"`
	// WaitsForPower: the policy wants the staged image started, and only a power cycle may do
	// that, because it is unknown whether the image is complete.
	WaitsForPower bool `json:"waits_for_power,omitempty"`
	// Gates are those of the policy that were asked; none if nothing is to be done.
	Gates         []GateResult  `json:"gates"`
	Reasons       []string      `json:"reasons"`
	Preconditions Preconditions `json:"preconditions"`
}

// Preconditions must hold on the live device before a step's first byte.
type Preconditions struct {
	Revision string `json:"revision"`
	// Staged is the SHA-256 of the image that Step.Host remembers as staged; nil for none.
	Staged *string `json:"staged"`
	// ESPs are the lu_ids of the enclosure's ESPs that Step.Host sees, sorted. Other hosts cannot
	// be asked when the step is carried out.
	ESPs []string `json:"esps"`
}

// Acts reports whether an apply does something with the step.
func (s *Step) Acts() bool { return s.Action == Update || s.Action == Activate }

// ActsOn reports whether an apply on a host does something with the step.
func (s *Step) ActsOn(host string) bool { return s.Host == host && s.Acts() }

// Domain returns the enclosures of the step's fault domain that its host sees, its own first.
func (s *Step) Domain() []string { return append([]string{s.Enclosure}, s.Neighbours...) }

// Addresses returns the addresses that the step's component has on its host, the plan's first.
func (s *Step) Addresses() []string { return append([]string{s.Address}, s.Aliases...) }

// AsWanted reports whether the step's component is as the desired state wants it.
func (s *Step) AsWanted() bool {
	return s.Action == NoOp || s.Action == Excepted || s.Action == Unmanaged
}

// MayStopIO reports whether an apply of the step may interrupt I/O.
func (s *Step) MayStopIO() bool { return s.Acts() && s.Disruption.Worst == IOInterruption }

// Resets reports whether the step may reset an ESP in an apply.
func (s *Step) Resets() bool {
	return slices.ContainsFunc(s.Hops, func(h Hop) bool { return h.Resets() })
}

// CountResets counts the resets of the step's hops: those that are sure, and all, if each
// fallback to mode 7 is taken.
func (s *Step) CountResets() (sure, most int) {
	for i := range s.Hops {
		h := &s.Hops[i]
		switch {
		case h.Activation == WithApply, !h.MayDefer():
			sure++
			most++
		case h.MayReset():
			most++
		}
	}
	return sure, most
}

// LeavesStaged reports whether the step leaves its last image staged.
func (s *Step) LeavesStaged() bool {
	return s.Action == Update && s.Last().Activation == Manual && s.Last().MayDefer()
}

func (s *Step) Last() *Hop { return &s.Hops[len(s.Hops)-1] }

// Own returns cautions with the step's address in place of its aliases: a caution holds
// for the component under whichever of its addresses it was recorded.
func (s *Step) Own(cautions []inventory.Caution) []inventory.Caution {
	own := slices.Clone(cautions)
	for i := range own {
		if slices.Contains(s.Aliases, own[i].Address) {
			own[i].Address = s.Address
		}
	}
	return own
}

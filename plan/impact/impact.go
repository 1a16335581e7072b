// Package impact judges what a reset does to those who use the drives behind an enclosure, and
// whether it is permitted: when a plan is made, and again right before a reset. It is the only
// place that judges disruption: which enclosures form a fault domain, which drives are behind
// an ESP, and which cautions of earlier runs forbid a reset.
//
// It is pure, and never makes or changes a plan.
package impact

import (
	"cmp"
	"slices"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
)

// Effect is what a reset does to those who use the drives behind what is reset.
type Effect struct {
	Expected plan.Impact // ESPReset or IOInterruption
	Worst    plan.Impact // likewise, if drives of unknown use count as in use
	Busy     string      // what in the fault domain is in use, or may be, in words; "" if nothing is
	Why      string      // which drives are in use and how they go on, in words

	// Evidence says where drives were looked for, and then of each drive that may be
	// cut off why it counts.
	Evidence []string

	// AtStake is what uses the drives behind what is reset, sorted.
	AtStake []plan.Stake
}

// Of returns the effect of resetting ESPs, by lu_id, at once, by the inventories of one or
// several hosts. A drive in use goes on if its user really has another live path, known to lead
// neither through one of the ESPs nor through anything behind them. A drive that the
// inventories say nothing of counts as in use and as cut off.
//
// domain holds the enclosures, by the first part of their addresses, that belong to the fault
// domain beyond what the inventories show; Effect.Busy is about all of it. elsewhere holds the
// drives that the inventories list without a path and that another host sees:
// Step.SeenElsewhere. The inventories should be those of all hosts that are attached. names are those of enclosures.
func Of(inventories []*inventory.Inventory, luIDs, domain, elsewhere []string, names inventory.Names) Effect {
	f := fleet.Merge(inventories)
	for i := range f.Enclosures {
		f.Enclosures[i].Name = names[f.Enclosures[i].ID]
	}
	var together []*fleet.Enclosure
	for _, id := range domain {
		if e := f.Enclosure(id); e != nil {
			together = append(together, e)
		}
	}
	sv := NewSurvey(f, [][]*fleet.Enclosure{together})
	sv.elsewhere = map[string]bool{}
	for _, key := range elsewhere {
		sv.elsewhere[key] = true
	}
	e := sv.Effect(luIDs)
	e.Busy = "the enclosure was not scanned"
	if first, ok := sv.ESPs[luIDs[0]]; ok {
		e.Busy = sv.Domain(first.Of).InUse(sv)
	}
	return e
}

// Permits reports whether a policy permits a reset, and if not, why.
func Permits(reset plan.Reset, e Effect) (ok bool, why string) {
	switch {
	case reset == plan.ResetAlways, reset == plan.ResetIdle && e.Busy == "",
		reset == plan.ResetRedundant && e.Worst != plan.IOInterruption:
		return true, ""
	case reset == plan.ResetIdle:
		return false, "the policy says reset: idle: " + e.Busy
	case reset == plan.ResetRedundant:
		return false, "the policy says reset: redundant: " + e.Why
	}
	return false, "the policy says reset: never"
}

// Effect returns the effect of resetting ESPs, by lu_id, at once, as Of does, but without Busy.
func (sv *Survey) Effect(luIDs []string) Effect {
	enclosures, unknown := sv.behind(luIDs)
	found := sv.findings(enclosures, luIDs)
	e := Effect{Expected: plan.ESPReset, Worst: plan.ESPReset}
	for _, f := range found {
		switch f.fate {
		case cutOff, noMultipath, useUnknown, unseen:
			e.Expected, e.Worst = plan.IOInterruption, plan.IOInterruption
		case pathsUnknown:
			e.Worst = plan.IOInterruption
		}
	}
	if len(unknown) > 0 {
		e.Expected, e.Worst = plan.IOInterruption, plan.IOInterruption
	}
	e.Evidence = sv.evidence(enclosures, found)
	var home *fleet.Enclosure
	if first, ok := sv.ESPs[luIDs[0]]; ok {
		home = first.Of
	}
	e.Why = sv.describe(found, luIDs, unknown, home)
	e.AtStake = sv.atStake(enclosures, luIDs, home)
	return e
}

// behind returns the enclosures that a reset of ESPs cuts off, in whole or in part, and why
// the drives of some are unknown.
func (sv *Survey) behind(luIDs []string) (enclosures []*fleet.Enclosure, unknown []string) {
	scanned := true
	for _, luID := range luIDs {
		if in, ok := sv.ESPs[luID]; ok {
			enclosures = append(append(enclosures, in.Of), sv.below[luID]...)
		} else {
			scanned = false
		}
	}
	slices.SortFunc(enclosures, func(a, b *fleet.Enclosure) int { return cmp.Compare(a.Index, b.Index) })
	enclosures = slices.Compact(enclosures)
	for _, e := range enclosures {
		if why := e.DrivesUnknown(); why != "" && !slices.Contains(unknown, why) {
			unknown = append(unknown, why)
		}
	}
	if !scanned {
		unknown = append(unknown,
			"a module that is reset was not scanned, so what is behind it counts as in use without another path")
	}
	return enclosures, unknown
}

// findings returns what becomes of each drive of enclosures, by place. The result is good
// until the next call.
func (sv *Survey) findings(enclosures []*fleet.Enclosure, luIDs []string) []finding {
	found := sv.found[:0]
	for _, e := range enclosures {
		first := len(found)
		for k := range e.Views {
			v := &e.Views[k]
			for i := range v.Drives {
				f := newFinding(e, &v.Drives[i])
				f.fate, f.through = sv.fate(e, v, f.drive, luIDs)
				// Hosts list them alike, so that few are left to sort.
				if k > 0 && i < len(e.Views[0].Drives) && found[first+i].same(f) {
					if f.compare(found[first+i]) < 0 {
						found[first+i] = f
					}
					continue
				}
				found = append(found, f)
			}
		}
	}
	sv.found = found
	return worstOfEach(found)
}

package main

import (
	"fmt"

	"fwctl/plan"
)

// refuseLater refuses a plan that asks of an apply what this version of fwctl does
// not carry out: ignoring it would do more than what was reviewed.
func refuseLater(p *plan.Plan) error {
	later := func(what string) error {
		return refused("cannot apply this plan: "+what+" not supported yet", "nothing was written: this version plans them, and applies only plans without")
	}
	for _, w := range p.Waves {
		switch {
		case w.Canary || w.Soak > 0:
			return later(fmt.Sprintf("wave %d is for canaries, and they are", w.Number))
		case w.PowerCycle:
			return later(fmt.Sprintf("wave %d waits for a power cycle, and such waves are", w.Number))
		}
	}
	for _, s := range p.Steps {
		if s.Waves.Reset > 0 && (s.Reset == plan.ResetIdle || s.Reset == plan.ResetRedundant) {
			return later(fmt.Sprintf("%s may only be reset where it is %s, and these looks before a reset are", s.Address, s.Reset))
		}
	}
	return nil
}

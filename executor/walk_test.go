package executor_test

import (
	"context"
	"strings"
	"testing"

	"fwctl/executor"
	"fwctl/plan"
)

// Where one fails nothing else of its fault domain is touched, and the others are.
func TestFailureInAResetWaveLeavesTheRestOfItsDomain(t *testing.T) {
	rack := acme("") + "    faults: [{when: {opcode: '1d', offset: 8192}, do: {status: '84'}}]\n" + strings.ReplaceAll(acme(""), enc1, other)
	onRack(t, rack, func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		c := b.config(b.step(esp1, reset, hop), b.step(esp2, reset, hop), b.step(other+"/esp1/sub0", reset, hop))
		c.Plan.Rollout.MaxFailures = 1
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, executor.RunFailed, "failed unconfirmed 7 1000", "skipped unconfirmed  1000", "updated confirmed 7 1100")
	})
}

// An enclosure that becomes worse by itself, between two waves, is touched no more.
func TestNothingIsStartedWhereItHasBecomeWorse(t *testing.T) {
	onRack(t, acme("")+"    elements: [{type: power-supply, count: 2}]\n", func(b *bench) {
		m := &worseMachine{Machine: b.machine}
		b.machine = m
		hop := b.hop("1100", plan.ModeE)
		b.onEvent = func(e executor.Event) {
			if e.Type == executor.EventStaged {
				m.worse = func(n worseNode, cdb, in []byte) error {
					if cdb[0] == 0x1c && cdb[2] == 0x02 {
						in[12] = 2 // the first element behind the overall one: critical
					}
					return nil
				}
			}
		}
		r := b.run(b.step(esp1, stage, hop), b.step(esp2, stage, hop))
		b.ended(r, executor.RunFailed, "staged confirmed e 1000", "refused unconfirmed e 1000")
		b.reason(r, 1, "has become worse since the run began", "critical")
		b.arrived(hop.Image)
	})
}

package executor_test

import (
	"strings"
	"testing"
	"time"

	"fwctl/executor/result"
	"fwctl/plan"
)

// swapping is a second enclosure whose two nodes come back with each other's
// names after a power cycle.
const swapping = `
  - logicalID: 5000ccab04002000
    vendor: ACME
    product: JBOD-60
    revision: "1000"
    download: {rebootTime: 1s}
    esps:
      - {paths: {stor1: [10]}, download: {returnNode: "11"}}
      - {paths: {stor1: [11]}, download: {returnNode: "10"}}
`

// Nodes change their names while something else is worked on: the image goes where the plan
// says, not where the node's name led to.
func TestNodesThatSwapTheirNames(t *testing.T) {
	t.Parallel()
	const second = "5000ccab04002000/esp1/sub0"
	for _, mode := range []plan.Mode{plan.ModeE, plan.Mode7} {
		t.Run(string(mode), func(t *testing.T) {
			onRack(t, acme("")+swapping, func(b *bench) {
				waves, after, outcome := stage, result.EventStaged, "staged confirmed e 1000"
				if mode == plan.Mode7 {
					waves, after, outcome = reset, result.EventVerified, "updated confirmed 7 1100"
				}
				b.onEvent = func(e result.Event) {
					if e.Type == after && strings.HasPrefix(e.Address, enc1) {
						b.rack.PowerCycle("5000ccab04002000")
						time.Sleep(10 * time.Second)
					}
				}
				first, step := b.step(esp1, waves, b.hop("1100", mode)), b.step(second, waves, b.hop("1100", mode))
				b.ended(b.run(first, step), result.RunDone, outcome, outcome)
				for _, l := range b.trace() {
					if strings.HasPrefix(l.CDB, "1d") && l.LU != first.LUID && l.LU != step.LUID {
						t.Errorf("SEND DIAGNOSTIC to %s; want only %s and %s", l.LU, first.LUID, step.LUID)
					}
				}
			})
		})
	}
}

// A plan whose address and logical unit do not belong together writes to neither.
func TestAddressOfAnotherModule(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		step.Address = esp2
		r := b.run(step)
		b.ended(r, result.RunRefused, "refused unconfirmed  ")
		b.reason(r, 0, "have modules changed places?")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// All paths to an ESP are held, and must report the same: otherwise nothing is written to it.
func TestNodeThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(in []byte) error
		words string
	}{
		"it reports another revision": {func(in []byte) error { copy(in[44:48], "1001"); return nil }, "reports other subenclosures on another path"},
		"it cannot be read":           {func(in []byte) error { in[0] = 0xff; return nil }, "/dev/sg1 leads to this enclosure too"},
	} {
		t.Run(name, func(t *testing.T) {
			rack := strings.Replace(acme(""), "{}, {}", "{paths: {stor1: [0, 1]}}, {paths: {stor1: [2]}}", 1)
			onRack(t, rack, func(b *bench) {
				step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
				b.machine = &worseMachine{Machine: b.machine, worse: func(n worseNode, cdb, in []byte) error {
					if n.path == "/dev/sg1" && cdb[0] == 0x1c && cdb[2] == 0x01 {
						return tt.spoil(in)
					}
					return nil
				}}
				r := b.run(step)
				if r.Outcome != result.RunRefused || b.effects() != 0 {
					t.Errorf("Run = %+v with %d effects; want it refused, with none", r, b.effects())
				}
				b.reason(r, 0, tt.words)
			})
		})
	}
}

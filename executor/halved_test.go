package executor_test

import (
	"context"
	"testing"

	"fwctl/executor/result"
	"fwctl/inventory"
	"fwctl/plan"
)

// A download by mode 7 that starts over has erased what the device would start from: if it is
// not sent again, the device needs a person, and that is remembered.
func TestHalfAnImageByMode7IsNeverLeftWithoutAWord(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults string
		reason string
	}{
		"the module is another before it is sent again": {"{when: {opcode: '1d', offset: 4096}, do: {bumpGeneration: true, lieRevision: '1001'}}", "1001"},
		"it is refused when it is sent again": {
			"{when: {opcode: '1d', offset: 4096}, do: {bumpGeneration: true}}, {when: {opcode: '1d', nth: 4, times: 99}, do: {sense: '05/24/00'}}", "24h/00h"},
		"its first chunk was taken, and its status cannot be read": {
			"{when: {state: downloading}, do: {page08: true}}", "its short status"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("singleBank: true, generationMismatch: status")+"    faults: ["+tt.faults+"]\n", func(b *bench) {
				r := b.run(b.step(esp1, reset, b.hop("1100", plan.Mode7)))
				if r.Outcome != result.RunUnknown || !r.Steps[0].NeedsPerson {
					t.Errorf("run = %s, %+v; want a step that needs a person", r.Outcome, r.Steps[0])
				}
				b.reason(r, 0, tt.reason, "do not power-cycle or reset it")
				b.needs(esp1)
			})
		})
	}
}

// needs checks that a component is remembered as one in need of an image.
func (b *bench) needs(address string) {
	b.Helper()
	cautions, err := b.store.Cautions(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	if len(cautions) != 1 || cautions[0].Address != address || cautions[0].Kind != inventory.NeedsImage {
		b.Errorf("cautions = %+v; want that %s needs an image", cautions, address)
	}
}

// activated is a step that stages 1100 in three chunks, and starts it by a fourth command.
func (b *bench) activated() *result.Result {
	hop := b.hop("1100", plan.ModeE)
	hop.Activation = plan.WithApply
	return b.run(b.step(esp1, both, hop))
}

// 83h that an activation has brought about stands in the status alone.
func TestNeedsAnImageAfterItsActivation(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', nth: 4}, do: {status: '83'}}]\n", func(b *bench) {
		r := b.activated()
		if r.Outcome != result.RunUnknown || !r.Steps[0].NeedsPerson {
			t.Errorf("run = %s, %+v; want a step that needs a person", r.Outcome, r.Steps[0])
		}
		b.reason(r, 0, "83h")
		b.needs(esp1)
	})
}

// An activation that was answered with an error, and carried out all the same, is
// waited for: what the device runs decides.
func TestActivationThatIsAnsweredWithAnError(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', nth: 4}, do: {sense: '04/44/00', carriedOut: true}}]\n",
		func(b *bench) {
			b.ended(b.activated(), result.RunDone, "updated confirmed e 1100")
		})
}

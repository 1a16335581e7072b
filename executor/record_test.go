package executor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// A first chunk that the device refuses has overwritten nothing: what was staged
// before still is, and a power cycle would start it.
func TestRefusedChunkKeepsStaged(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 0, nth: 2}, do: {sense: 05/26/00}}]\n", func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		b.ended(b.run(b.step(esp1, stage, hop)), result.RunDone, "staged confirmed e 1000")
		second := b.step(esp1, stage, b.hop("1200", plan.ModeE))
		second.Action = plan.Update
		b.ended(b.run(second), result.RunFailed, "failed unconfirmed e 1000")
		if got := b.stored()[state.Key{LUID: second.LUID}]; got.SHA256 != hop.Image.SHA256 {
			t.Errorf("staged = %+v; want image %s still", got, hop.Image.SHA256)
		}
	})
}

// If it is unknown whether it took the first chunk, what was staged counts as gone.
func TestALostFirstChunkLeavesNothingRemembered(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 0, nth: 2}, do: {die: true}}]\n", func(b *bench) {
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		second := b.step(esp1, stage, b.hop("1200", plan.ModeE))
		second.Action = plan.Update
		b.ended(b.run(second), result.RunUnknown, "unknown unconfirmed e 1000")
		if got := b.stored(); len(got) != 0 {
			t.Errorf("staged = %v; want nothing", got)
		}
	})
}

// What needs a whole image before its next reset is not reset to start what it holds,
// nor is anybody asked to power-cycle it.
func TestNeedsImageIsNotActivated(t *testing.T) {
	t.Parallel()
	for _, by := range []plan.ActivateBy{plan.ByModeF, plan.ByPowerCycle} {
		t.Run(string(by), func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				b.ended(b.run(b.step(esp1, stage, hop)), result.RunDone, "staged confirmed e 1000")
				hop.Modes, hop.Activation, hop.ActivateBy = []plan.Mode{}, plan.WithApply, by
				step, before := b.step(esp1, reset, hop), len(b.writes())
				err := b.store.Update(context.Background(), func(tx *state.Tx) {
					tx.Caution(state.CautionRecord{Key: state.Key{LUID: step.LUID}, Caution: inventory.Caution{Kind: inventory.NeedsImage, Address: esp1,
						Detail: "83h"}})
				})
				if err != nil {
					t.Fatal(err)
				}
				c := b.config(step)
				c.Plan.Waves[1].PowerCycle = by == plan.ByPowerCycle
				r, err := executor.Run(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				b.ended(r, result.RunRefused, "refused unconfirmed  1000")
				b.reason(r, 0, "it needs a whole image before it is reset")
				if got := len(b.writes()); got != before {
					t.Errorf("writes = %d; want none", got-before)
				}
			})
		})
	}
}

// Two components of one ESP that are both activated: the reset for the first
// starts the second too, which is what was planned.
func TestOneResetStartsTwoComponents(t *testing.T) {
	t.Parallel()
	rack := acme("") + "    subenclosures: [{id: 3, product: PSU, revision: '2000', esps: [1]}]\n"
	onRack(t, rack, func(b *bench) {
		iom := b.hop("1100", plan.ModeE)
		psu := b.hop("3000", plan.ModeE)
		psu.From, psu.Image = "2000", b.imageFor("PSU", "3000", 9000)
		iom.Activation, psu.Activation = plan.WithApply, plan.WithApply
		r := b.run(b.step(esp1, both, iom), b.step(enc1+"/esp1/sub3", both, psu))
		b.ended(r, result.RunDone, "updated confirmed e 1100", "updated confirmed e 3000")
		if got := b.stored(); len(got) != 0 {
			t.Errorf("staged = %v; want nothing", got)
		}
	})
}

// A step that no wave works on, or that has no mode to send by, is no plan.
func TestPlansThatCannotBeCarriedOut(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*plan.Plan)
		want   string
	}{
		"no waves":       {func(p *plan.Plan) { p.Waves = nil }, "no wave of it works on"},
		"the wrong kind": {func(p *plan.Plan) { p.Waves[0].Kind = plan.ResetWave }, "no wave of it works on"},
		"no mode":        {func(p *plan.Plan) { p.Steps[0].Hops[0].Modes = nil }, "it names no mode"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				c := b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
				tt.change(c.Plan)
				if r, err := executor.Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Run = %+v, %v; want an error that says %q", r, err, tt.want)
				}
			})
		})
	}
}

// Every inventory lists what a killed run left under way.
func TestOpenEffectIsAProblem(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		err := b.store.Update(context.Background(), func(tx *state.Tx) {
			run := tx.BeginRun(state.Run{})
			tx.Intend(state.Intent{Run: run, Address: esp1, Key: state.Key{LUID: step.LUID}, Kind: state.DownloadStart,
				Mode: "0e", SHA256: "5891b5b5"})
		})
		if err != nil {
			t.Fatal(err)
		}
		problems := b.scan().Problems
		if len(problems) != 1 || !strings.Contains(problems[0].Summary, esp1) ||
			!strings.Contains(problems[0].Detail, "do not reset or power-cycle") {
			t.Errorf("problems = %+v; want one that names %s", problems, esp1)
		}
	})
}

// A mode that is refused has overwritten nothing: the reset wave goes on with what
// was staged before as the plan knows it.
func TestRefusedModeKeepsStaged(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 0, nth: 2}, do: {sense: 05/26/00}}]\n", func(b *bench) {
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		hop := b.hop("1200", plan.ModeE, plan.Mode7)
		hop.RefusedMode = "05/26/00"
		second := b.step(esp1, both, hop)
		second.Action = plan.Update
		b.ended(b.run(second), result.RunDone, "updated confirmed 7 1200")
	})
}

// watchful holds, at every command, that the effects whose end is not known are open
// in the store.
type watchful struct {
	transport.Machine
	b *bench
}

func (m watchful) Open(path string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(path, access)
	return watchfulNode{n, m.b}, err
}

type watchfulNode struct {
	transport.Node
	b *bench
}

func (n watchfulNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	steps, err := n.b.store.Steps(ctx, 1)
	if err != nil {
		panic(err)
	}
	open, err := n.b.store.Open(ctx)
	if err != nil {
		panic(err)
	}
	if len(steps) == 1 && len(open) == 0 &&
		slices.Contains([]step.State{step.Sent, step.Waiting, step.Verifying}, step.State(steps[0].State)) {
		n.b.Errorf("no effect is open of a component that is %s", steps[0].State)
	}
	return n.Node.Do(ctx, req)
}

// While a component restarts, or is not verified, other runs find that work is under way there
// and do not touch it, even if its run was killed.
func TestWorkUnderWayIsOpen(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]plan.Mode{"mode 7": plan.Mode7, "activated": plan.ModeE} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("flashTime: 2m, rebootTime: 5m, vanish: true"), func(b *bench) {
				b.machine = watchful{b.machine, b}
				hop := b.hop("1100", mode)
				hop.Activation = plan.WithApply
				b.ended(b.run(b.step(esp1, both, hop)), result.RunDone, "updated confirmed "+string(mode)+" 1100")
			})
		})
	}
}

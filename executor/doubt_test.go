//go:build doubt

package executor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/plan"
)

// What the executor does not come to yet, each with the right outcome. A row that
// holds goes to doubts, and with the last of them the build tag.
// failsOnce are the ways in which one command fails, and the next one does not.
var failsOnce = []string{"busy: true", "sense: 06/29/00", "sense: 0b/00/00", "noAnswer: true", "offline: true"}

var undecided = []doubtful{
	// The generation code of every control page.
	{fault: fault{device: "checks the generation code of every control page, and it changes",
		does: "aborts with the new code, and starts the download over, once", todo: "nothing",
		faults: "{when: {act: middle-chunk}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 6}, stored: "staged"},
	{fault: fault{device: "checks the generation code, does not say which field is wrong, and the code changes",
		does: "reads the code again, aborts with it, and starts the download over, once", todo: "nothing",
		download: "sksv: false", faults: "{when: {act: middle-chunk}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 6}, stored: "staged"},
	{fault: fault{device: "the generation code changes after a chunk was taken",
		does: "aborts with the new code, and starts the download over, once", todo: "nothing",
		faults: "{when: {opcode: '1c', page: '0e', state: downloading}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 5}, stored: "staged"},
	{fault: fault{device: "checks the generation code of every control page, and it changes twice", does: "breaks off",
		todo:   "find out what changes in the enclosure, then plan again",
		faults: "{when: {act: middle-chunk, times: 2}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: executor.RunFailed, step: "failed unconfirmed e 1000",
		words: []string{"generation", "for the second time"}, writes: 6}},
	{fault: fault{device: "checks the generation code of mode 0Fh, and it changes before that",
		does: "activates with the code that holds then", todo: "nothing",
		faults: "{when: {act: activate}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "updated confirmed e 1100", writes: 5}, apply: true},
	// What mode 0Fh leaves behind.
	{fault: fault{device: "leaves unit attentions and 10h after mode 0Fh, on both modules",
		does: "collects the code as a part of the activation, through the unit attentions", todo: "nothing",
		download: "activated: {attentions: [29/00, 3f/01, 2a/09], status: '10'}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "updated confirmed e 1100", writes: 8}, pair: true, apply: true, resets: 2},
	{fault: fault{device: "leaves unit attentions and 10h after mode 0Fh, and stays on the bus",
		does: "collects the code as a part of the activation, through the unit attentions", todo: "nothing",
		download: "activated: {attentions: [29/00, 3f/01], status: '10'}, vanish: false, rebootTime: 0s",
		mode:     plan.ModeE,
		outcome:  executor.RunDone, step: "updated confirmed e 1100", writes: 8}, pair: true, apply: true, resets: 2},
	{fault: fault{device: "starts after mode 0Fh when its 10h is read, and a unit attention eats that read",
		does: "reads the status until it is told", todo: "nothing",
		download: "activated: {attentions: [3f/01], starts: read}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "updated confirmed e 1100", writes: 8}, pair: true, apply: true, resets: 2},
	// One protocol skips a fact of the model.
	{fault: fault{device: "writes the inactive bank by WRITE BUFFER and mode 7, and starts it at power on",
		does: "leaves it staged, unconfirmed: the model says that a power cycle starts it", todo: todoPower,
		download: inactiveBank, mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: executor.RunStopped, step: "staged unconfirmed 7 1000", words: []string{"power-cycle"}, writes: 3},
		power: true, stored: "staged", within: 30 * time.Minute},
	// It comes back elsewhere, with the same revision.
	{fault: fault{device: "comes back with the old revision, by WRITE BUFFER and mode 7, without a unit attention",
		does:     "takes the return for a restart, and fails",
		todo:     "see that the image brings that revision, then plan again",
		download: "protocol: write-buffer, quietReturn: true",
		faults:   "{when: {act: last-chunk}, do: {bootFails: true}}", mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: executor.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"still runs 1000"}, writes: 3},
		resets: 1, within: 30 * time.Minute},
	// A component in need of an image stays that until it has one.
	{fault: fault{device: "83h, and the next download is refused at its first chunk",
		does: "says both times that it needs an image", todo: todoImage,
		faults:  "{when: {act: last-chunk}, do: {status: '83'}}, {when: {act: first-chunk, nth: 2}, do: {sense: 05/24/00}}",
		mode:    plan.ModeE,
		outcome: executor.RunUnknown, step: "failed unconfirmed e 1000", words: []string{"do not power-cycle"},
		writes: 3}, stored: "needs an image",
		again: "failed unconfirmed e 1000", againOutcome: executor.RunUnknown,
		againWords: []string{"do not power-cycle"}, againStored: "needs an image"},
	{fault: fault{device: "83h, and the next download breaks off", does: "says both times that it needs an image",
		todo:    todoImage,
		faults:  "{when: {act: last-chunk}, do: {status: '83'}}, {when: {act: middle-chunk, nth: 2}, do: {sense: 0b/00/00}}",
		mode:    plan.ModeE,
		outcome: executor.RunUnknown, step: "failed unconfirmed e 1000", words: []string{"do not power-cycle"},
		writes: 3}, stored: "needs an image",
		again: "failed unconfirmed e 1000", againOutcome: executor.RunUnknown,
		againWords: []string{"do not power-cycle"}, againStored: "needs an image"},
	// Aborts by mode e: half an image in a bank that is not running.
	{fault: fault{device: "an abort that is refused",
		does:    "fails; knows half an image there for its own, and has it discarded when it is applied again",
		todo:    todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {sense: 05/24/00}}",
		mode:    plan.ModeE,
		outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"does not take the abort"},
		writes: -1},
		again: "staged confirmed e 1000", againOutcome: executor.RunDone, againStored: "staged"},
	{fault: fault{device: "an abort that is lost",
		does:    "fails; knows half an image there for its own, and has it discarded when it is applied again",
		todo:    todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {ignored: true}}",
		mode:    plan.ModeE,
		outcome: executor.RunFailed, step: "failed unconfirmed e 1000", writes: -1},
		again: "staged confirmed e 1000", againOutcome: executor.RunDone, againStored: "staged"},
	{fault: fault{device: "an abort that is answered with BUSY", does: "sends it again: it was not carried out",
		todo:    todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort, times: 2}, do: {busy: true}}",
		mode:    plan.ModeE,
		outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 5}},
	{fault: fault{device: "an abort that is answered with a unit attention",
		does: "sends it again: it was not carried out", todo: todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort, times: 2}, do: {sense: 06/2a/01}}",
		mode:    plan.ModeE,
		outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 5}},
	{fault: fault{device: "an abort that is answered with an error and comes late",
		does: "reads the status until the device holds nothing", todo: todoAgain,
		faults: "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, " +
			"{when: {act: abort}, do: {sense: 04/44/00, late: {time: 40s}}}",
		mode:    plan.ModeE,
		outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: -1}},
	{fault: fault{device: "never answers again after the abort",
		does: "says that it is unknown, and keeps that on record", todo: todoWait,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {mute: true}}",
		mode:    plan.ModeE,
		outcome: executor.RunUnknown, step: "unknown unconfirmed e 1000", writes: 3}, stored: "doubt"},
	{fault: fault{device: "leaves for ever with the abort", does: "says that it is unknown, and keeps that on record",
		todo:    todoWait,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {die: true}}",
		mode:    plan.ModeE,
		outcome: executor.RunUnknown, step: "unknown unconfirmed e 1000", writes: 3}, stored: "doubt"},
	{fault: fault{device: "half an image by mode 7, and never answers again after the abort",
		does: "says that it is unknown, and keeps that on record", todo: todoWait,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {mute: true}}",
		mode:    plan.Mode7,
		outcome: executor.RunUnknown, step: "unknown unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: 3}, stored: "needs an image"},
	// The last chunk.
	{fault: fault{device: "a last chunk by WRITE BUFFER and mode 7 that is answered with an error and taken",
		does: "waits for it to restart: what it runs decides", todo: "nothing",
		download: "protocol: write-buffer",
		faults:   "{when: {act: last-chunk}, do: {sense: 04/44/00, carriedOut: true}}", mode: plan.Mode7,
		protocol: plan.WriteBuffer,
		outcome:  executor.RunDone, step: "updated confirmed 7 1100", writes: 3}, resets: 1},
	{fault: fault{device: "a last chunk by WRITE BUFFER and mode e that is answered with an error and taken",
		does: "asks by REQUEST SENSE, which tells that it is pending", todo: "nothing",
		download: "protocol: write-buffer",
		faults:   "{when: {act: last-chunk}, do: {sense: 0b/00/00, carriedOut: true}}", mode: plan.ModeE,
		protocol: plan.WriteBuffer,
		outcome:  executor.RunDone, step: "staged confirmed e 1000", writes: 3}, stored: "staged"},
	{fault: fault{device: "a last chunk by WRITE BUFFER, answered with an error, and nothing tells whether it was taken",
		does: "says that it is unknown, and keeps that on record", todo: todoWait,
		download: "protocol: write-buffer, confirm: none",
		faults:   "{when: {act: last-chunk}, do: {sense: 0b/00/00, carriedOut: true}}", mode: plan.ModeE,
		protocol: plan.WriteBuffer,
		outcome:  executor.RunUnknown, step: "unknown unconfirmed e 1000", writes: 3}, stored: "doubt"},
	{fault: fault{device: "a first chunk by mode 7 that is answered with an error, and has erased the one bank",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true", faults: "{when: {act: first-chunk}, do: {%s, erases: true}}", mode: plan.Mode7,
		outcome: executor.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: -1}, stored: "needs an image",
		variants: errorsOfDoubt},
	{fault: fault{device: "a first chunk by mode 7 that is answered with an error and taken",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true", faults: "{when: {act: first-chunk}, do: {%s, carriedOut: true}}",
		mode:    plan.Mode7,
		outcome: executor.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: -1}, stored: "needs an image",
		variants: errorsOfDoubt},
	{fault: fault{device: "a first chunk by WRITE BUFFER that is answered with an error, and has erased the one bank",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true, protocol: write-buffer",
		faults:   "{when: {act: first-chunk}, do: {%s, erases: true}}", mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: executor.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: 1}, stored: "needs an image",
		variants: errorsOfDoubt},
	{fault: fault{device: "a first chunk by mode e that is answered with an error and taken",
		does: "has what the device holds of the image discarded", todo: todoAgain,
		faults: "{when: {act: first-chunk}, do: {%s, carriedOut: true}}", mode: plan.ModeE,
		outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 2},
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk that is answered with an error and taken",
		does:     "reads the status, which tells that it is writing flash, and then that the image is complete",
		todo:     "nothing",
		download: "flashTime: 5m", faults: "{when: {act: last-chunk}, do: {%s, carriedOut: true}}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3}, stored: "staged",
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk that is answered with an error and taken, and 12h after that",
		does: "leaves it staged: power on starts it", todo: todoPower,
		download: "flashTime: 5m, completion: {e: '12'}",
		faults:   "{when: {act: last-chunk}, do: {%s, carriedOut: true}}", mode: plan.ModeE,
		outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3}, stored: "staged",
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk by mode 7 that is answered with an error and taken",
		does: "reads the status, which starts it: it is reset once", todo: "nothing",
		faults: "{when: {act: last-chunk}, do: {%s, carriedOut: true}}", mode: plan.Mode7,
		outcome: executor.RunDone, step: "updated confirmed 7 1100", writes: 3}, resets: 1,
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk, answered with an error and taken, and it reboots before its status is read",
		does: "takes the new revision for the word", todo: "nothing",
		download: "rebootsBeforeStatus: true", faults: "{when: {act: last-chunk}, do: {%s, carriedOut: true}}",
		mode:    plan.Mode7,
		outcome: executor.RunDone, step: "updated confirmed 7 1100", writes: 3}, resets: 1,
		variants: errorsOfDoubt},
}

func TestUndecided(t *testing.T) {
	t.Parallel()
	testDoubts(t, undecided)
}

// One command that fails once is no verdict on anything, wherever it comes in a run:
// after a power cycle, after a restart, and before an activation.
func TestOneFailedReadIsNoVerdict(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"after: power", "after: reset", "state: staged"} {
		for _, command := range []string{"opcode: '12'", "opcode: '1c', page: '01'", "opcode: '1c', page: '02'",
			"opcode: '1c', page: '0a'", "opcode: '1c', page: '0e'", "opcode: '00'"} {
			t.Run(moment+" "+command, func(t *testing.T) {
				t.Parallel()
				for _, failure := range failsOnce {
					for nth := range 9 {
						row := doubtful{power: moment == "after: power", apply: moment == "state: staged"}
						row.mode, row.step = plan.ModeE, "updated confirmed e 1100"
						if moment == "after: reset" {
							row.mode, row.step = plan.Mode7, "updated confirmed 7 1100"
						}
						row.faults = fmt.Sprintf("{when: {%s, %s, nth: %d}, do: {%s}}", moment, command, nth+1, failure)
						onRack(t, row.rack(""), func(b *bench) {
							c := row.config(b)
							b.onEvent = b.powers
							if r := b.runConfig(context.Background(), c); r.Outcome != executor.RunDone {
								t.Errorf("number %d, %s: the run is %s; %+v", nth+1, failure, r.Outcome, r.Steps[0])
							}
						})
					}
				}
			})
		}
	}
}

// Half an image by mode 7 needs a person after a resumption too whose abort goes
// wrong, and is remembered.
func TestResumptionWhoseAbortGoesWrong(t *testing.T) {
	t.Parallel()
	for _, abort := range []string{"sense: 05/24/00", "sense: 05/26/00", "ignored: true", "mute: true", "die: true"} {
		t.Run(abort, func(t *testing.T) {
			faults := "    faults: [{when: {act: abort, every: true}, do: {" + abort + "}}, " +
				"{when: {act: first-chunk, nth: 2, every: true}, do: {sense: 05/24/00}}]\n"
			afterCrash(t, acme("singleBank: true")+faults,
				func(b *bench) []plan.Step { return []plan.Step{b.step(esp1, reset, b.hop("1100", plan.Mode7))} },
				func(int) int { return 4 }, // a chunk, and its status, behind what is read before
				func(b *bench, c executor.Config) {
					r := b.resume(c)
					if r.Outcome != executor.RunUnknown || !r.Steps[0].NeedsPerson && r.Steps[0].Outcome != executor.OutcomeUnknown {
						t.Errorf("run = %s, %+v; want a step that is unknown or needs a person", r.Outcome, r.Steps[0])
					}
					b.reason(r, 0, "do not power-cycle")
					b.inMemory()
				})
		})
	}
}

// inMemory checks that the first module is on record as unknown, or in need of an image.
func (b *bench) inMemory() {
	b.Helper()
	m, err := b.store.Memory(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	if len(m.Open)+len(m.Cautions) == 0 {
		b.Errorf("memory = %+v; want an open intent, or a caution", m)
	}
}

// What is unknown stays on record when a resumption has ended unknown again.
func TestUnknownAfterAResumptionIsRemembered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		protocol plan.Protocol
		mode     plan.Mode
		fault    string
	}{
		{plan.SES, plan.ModeE, "die: true, carriedOut: true"},
		{plan.SES, plan.Mode7, "die: true"},
		{plan.SES, plan.Mode7, "mute: true, carriedOut: true"},
		{plan.WriteBuffer, plan.ModeE, "mute: true, carriedOut: true"},
		{plan.WriteBuffer, plan.ModeE, "noAnswer: true, carriedOut: true"},
		{plan.WriteBuffer, plan.ModeE, "noAnswer: true"},
		{plan.WriteBuffer, plan.Mode7, "noAnswer: true"},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			rack := acme("flashTime: 2m, confirm: none, protocol: " + string(tt.protocol))
			onRack(t, rack+"    faults: [{when: {act: last-chunk}, do: {"+tt.fault+"}}]\n", func(b *bench) {
				hop := b.hop("1100", tt.mode)
				hop.Protocol = tt.protocol
				c := b.config(b.step(esp1, map[plan.Mode]plan.StepWaves{plan.ModeE: stage, plan.Mode7: reset}[tt.mode], hop))
				for _, run := range []func() *executor.Result{
					func() *executor.Result { return b.runConfig(context.Background(), c) },
					func() *executor.Result { return b.resume(c) },
				} {
					if r := run(); r.Outcome != executor.RunUnknown {
						t.Errorf("run = %s, %+v; want it unknown", r.Outcome, r.Steps[0])
					}
					b.inMemory()
				}
			})
		})
	}
}

// What the run's own power cycle has started is not told to be staged.
func TestStagedThatTheRunsPowerCycleStarts(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"11", "12", "13"} {
		t.Run(code+"h", func(t *testing.T) {
			onRack(t, acme("completion: {e: '"+code+"'}"), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				powered := hop
				powered.Activation, powered.ActivateBy = plan.WithApply, plan.ByPowerCycle
				c := b.config(b.step(esp1, stage, hop), b.step(esp2, both, powered))
				c.Plan.Waves[1].PowerCycle, c.Wait = true, true
				b.onEvent = b.powers
				const updated = "updated confirmed e 1100"
				b.ended(b.runConfig(context.Background(), c), executor.RunDone, updated, updated)
				b.onRecord("")
			})
		})
	}
}

// Nor what the module beside it has replaced, where one read at the last look fails.
func TestStagedThatThePeerReplacesAndOneReadFails(t *testing.T) {
	t.Parallel()
	for _, failure := range failsOnce {
		for n := range 24 {
			command := []string{"opcode: '12'", "opcode: '1c', page: '01'"}[n%2]
			t.Run(fmt.Sprintf("%s %s number %d", failure, command, n/2+1), func(t *testing.T) {
				rack := acme("") + "    peerSync: up\n    peerSyncTime: 70s\n" +
					fmt.Sprintf("    faults: [{when: {after: peer, %s, nth: %d}, do: {%s}}]\n", command, n/2+1, failure)
				onRack(t, rack, func(b *bench) {
					hop := b.hop("1100", plan.ModeE)
					activated := hop
					activated.Activation = plan.WithApply
					const updated = "updated confirmed e 1100"
					r := b.run(b.step(esp1, both, activated), b.step(esp2, stage, hop))
					b.ended(r, executor.RunDone, updated, updated)
					b.onRecord("")
				})
			})
		}
	}
}

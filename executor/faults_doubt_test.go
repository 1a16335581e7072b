package executor_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/plan"
)

// doubtful is a fault whose answers say nothing of what was done, or which more than
// one run has to do with: a test, and a row of docs/faults.md.
type doubtful struct {
	fault

	variants []string // each of them stands for %s in the faults

	pair  bool   // both modules of the enclosure are updated, one after the other
	first string // how the step of the first one ends, if not as that of the second, which the row is about
	apply bool   // what is staged is activated in the same run
	power bool   // by a power cycle, which somebody gives when the run asks for it
	adapt func(*bench, *executor.Config)

	without []string // words that the reason does not have
	stored  string   // what the store has on record afterwards: "staged", "needs an image", "unclear", "doubt"
	resets  int      // of the ESPs, -1: not looked at
	within  time.Duration

	again        string // the step of a second run of the same plan; "" for none
	againOutcome result.RunOutcome
	againWords   []string
	againStored  string
}

const (
	todoImage = "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan " +
		"--target`), and apply that"
	todoAgain = "find out why, then plan and apply again"
	todoWait  = "do not power-cycle it; wait, look at it with `fwctl inventory`, then plan again"
	todoPower = "power-cycle the enclosure when its drives are not in use, then `fwctl verify`"

	inactiveBank = "protocol: write-buffer, modes: ['07'], activation: power-cycle, confirm: none" // as a Dell MD1200
)

// errorsOfDoubt are answers that say nothing of whether the command was carried out.
var errorsOfDoubt = []string{"sense: 0b/00/00", "sense: 0b/4b/00", "sense: 04/44/00", "sense: 04/3e/01",
	"transportError: true"}

// What is in doubt, and what a run comes to then.
var doubts = []doubtful{
	{fault: fault{device: "WRITE BUFFER and mode e without a word, to be activated in the same run",
		does: "leaves it staged: mode 0Fh is not sent for an image that was never said to be complete", todo: todoPower,
		download: "protocol: write-buffer, confirm: none", mode: plan.ModeE, protocol: plan.WriteBuffer,
		outcome: result.RunStopped, step: "staged unconfirmed e 1000", words: []string{"power-cycle"}, writes: 3},
		apply: true, stored: "staged"},
	{fault: fault{device: "comes back under another name with the old revision, by WRITE BUFFER and mode 7",
		does:     "takes the return for a restart, and fails",
		todo:     "see that the image brings that revision, then plan again",
		download: "protocol: write-buffer", faults: "{when: {act: last-chunk}, do: {bootFails: true}}",
		mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"still runs 1000"}, writes: 3},
		without: []string{"writing flash"}, resets: 1, within: 30 * time.Minute},
	{fault: fault{device: "comes back with the old revision after mode 0Fh", does: "fails",
		todo:   "see that the image brings that revision, then plan again",
		faults: "{when: {act: activate}, do: {bootFails: true}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"still runs 1000"}, writes: 4},
		apply: true, stored: "staged", resets: 1},
	{
		fault: fault{
			device:  "a middle chunk that is answered with BUSY, and the status says 83h",
			does:    "says that it needs an image",
			todo:    todoImage,
			faults:  "{when: {act: middle-chunk}, do: {status: '83'}}, {when: {act: middle-chunk}, do: {busy: true}}",
			mode:    plan.ModeE,
			outcome: result.RunUnknown,
			step:    "failed unconfirmed e 1000",
			words:   []string{"83h"},
			writes:  -1,
		},
		stored: "needs an image",
	},
	{fault: fault{device: "83h, and the next download is taken", does: "has it made whole", todo: "nothing",
		faults: "{when: {act: last-chunk}, do: {status: '83'}}", mode: plan.ModeE,
		outcome: result.RunUnknown, step: "failed unconfirmed e 1000", writes: 3}, stored: "needs an image",
		again: "staged confirmed e 1000", againOutcome: result.RunDone, againStored: "staged"},
	{fault: fault{device: "an abort after which it says 13h, of an image that was not sent to its end",
		does: "does not take that for the image", todo: todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {status: '13'}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: -1}},
	{fault: fault{device: "a reset right after the first chunk, and aborts that are answered with errors",
		does: "says that it may hold a part of the image", todo: todoAgain,
		faults: "{when: {opcode: '1d', page: '0e', nth: 2, times: 4}, do: {sense: 04/44/00}}, " +
			"{when: {state: downloading}, do: {sense: 06/29/00}}",
		mode: plan.ModeE, outcome: result.RunFailed, step: "failed unconfirmed e 1000",
		words: []string{"after the abort it goes on saying"}, writes: -1}, stored: "unclear"},
	{fault: fault{device: "an abort that comes late", does: "reads the status until the device holds nothing",
		todo:    todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {late: {commands: 3}}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 3}},
	{fault: fault{device: "a last chunk by mode 7 that is answered with an error and was not taken",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		faults: "{when: {act: last-chunk}, do: {sense: 04/44/00}}", mode: plan.Mode7,
		outcome: result.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: 4}, stored: "needs an image"},
	{fault: fault{device: "a last chunk that is answered with an error and was not taken",
		does: "has what the device holds of the image discarded", todo: todoAgain,
		faults: "{when: {act: last-chunk}, do: {sense: 04/44/00}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 4}},
	{fault: fault{device: "half an image by mode 7, and the abort goes wrong",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true",
		faults:   "{when: {act: middle-chunk}, do: {sense: 05/24/00}}, {when: {act: abort}, do: {%s}}", mode: plan.Mode7,
		outcome: result.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: -1}, stored: "needs an image",
		variants: []string{"sense: 05/24/00", "sense: 05/26/00", "busy: true", "sense: 06/29/00", "ignored: true",
			"late: {time: 40s}", "sense: 04/44/00", "sense: 04/44/00, carriedOut: true"}},
	{fault: fault{device: "the generation code changes in a download by mode 7, and the abort goes wrong",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true",
		faults:   "{when: {act: middle-chunk}, do: {bumpGeneration: true}}, {when: {act: abort, times: 9}, do: {%s}}",
		mode:     plan.Mode7,
		outcome:  result.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: -1}, stored: "needs an image",
		variants: []string{"sense: 05/24/00", "sense: 05/26/00", "ignored: true"}},
	{fault: fault{device: "a first chunk by mode 7 that is refused",
		does: "fails: that it was refused proves that nothing was written", todo: todoAgain,
		download: "singleBank: true", faults: "{when: {act: first-chunk}, do: {%s}}", mode: plan.Mode7,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000", writes: -1},
		variants: []string{"sense: 05/24/00", "sense: 05/26/00"}},
	{fault: fault{device: "mode 0Fh that is answered with an error and carried out", does: "what it runs decides",
		todo:   "nothing",
		faults: "{when: {act: activate}, do: {%s, carriedOut: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "updated confirmed e 1100", writes: 4}, apply: true, resets: 1,
		variants: errorsOfDoubt},
	{fault: fault{device: "mode 0Fh that is answered with an error and not carried out",
		does: "fails, and knows the image staged", todo: todoAgain,
		faults: "{when: {act: activate}, do: {%s}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", writes: 4}, apply: true, stored: "staged",
		variants: errorsOfDoubt},
	// The generation code of every control page.
	{fault: fault{device: "checks the generation code of every control page, and it changes",
		does: "aborts with the new code, and starts the download over, once", todo: "nothing",
		faults: "{when: {act: middle-chunk}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 6}, stored: "staged"},
	{fault: fault{device: "checks the generation code, does not say which field is wrong, and the code changes",
		does: "reads the code again, aborts with it, and starts the download over, once", todo: "nothing",
		download: "sksv: false", faults: "{when: {act: middle-chunk}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 6}, stored: "staged"},
	{fault: fault{device: "the generation code changes after a chunk was taken",
		does: "aborts with the new code, and starts the download over, once", todo: "nothing",
		faults: "{when: {opcode: '1c', page: '0e', state: downloading}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 5}, stored: "staged"},
	{fault: fault{device: "checks the generation code of every control page, and it changes twice", does: "breaks off",
		todo:   "find out what changes in the enclosure, then plan again",
		faults: "{when: {act: middle-chunk, times: 2}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000",
		words: []string{"generation", "for the second time"}, writes: 6}},
	{fault: fault{device: "checks the generation code of mode 0Fh, and it changes before that",
		does: "activates with the code that holds then", todo: "nothing",
		faults: "{when: {act: activate}, do: {bumpGeneration: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "updated confirmed e 1100", writes: 5}, apply: true},
	// What mode 0Fh leaves behind.
	{fault: fault{device: "leaves unit attentions and 10h after mode 0Fh, on both modules",
		does: "collects the code as a part of the activation, through the unit attentions", todo: "nothing",
		download: "activated: {attentions: [29/00, 3f/01, 2a/09], status: '10'}", mode: plan.ModeE,
		outcome: result.RunDone, step: "updated confirmed e 1100", writes: 8}, pair: true, apply: true, resets: 2},
	{fault: fault{device: "leaves unit attentions and 10h after mode 0Fh, and stays on the bus",
		does: "collects the code as a part of the activation, through the unit attentions", todo: "nothing",
		download: "activated: {attentions: [29/00, 3f/01], status: '10'}, vanish: false, rebootTime: 0s",
		mode:     plan.ModeE,
		outcome:  result.RunDone, step: "updated confirmed e 1100", writes: 8}, pair: true, apply: true, resets: 2},
	{fault: fault{device: "starts after mode 0Fh when its 10h is read, and a unit attention eats that read",
		does: "reads the status until the device reports it", todo: "nothing",
		download: "activated: {attentions: [3f/01], starts: read}", mode: plan.ModeE,
		outcome: result.RunDone, step: "updated confirmed e 1100", writes: 8}, pair: true, apply: true, resets: 2},
	// One protocol skips a fact of the model.
	{fault: fault{device: "writes the inactive bank by WRITE BUFFER and mode 7, and starts it at power on",
		does: "leaves it staged, unconfirmed: the model says that a power cycle starts it", todo: todoPower,
		download: inactiveBank, mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: result.RunStopped, step: "staged unconfirmed 7 1000", words: []string{"power-cycle"}, writes: 3},
		power: true, stored: "staged"},
	// It comes back elsewhere, with the same revision.
	{fault: fault{device: "comes back with the old revision, by WRITE BUFFER and mode 7, without a unit attention",
		does:     "takes the return for a restart, and fails",
		todo:     "see that the image brings that revision, then plan again",
		download: "protocol: write-buffer, quietReturn: true",
		faults:   "{when: {act: last-chunk}, do: {bootFails: true}}", mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"still runs 1000"}, writes: 3},
		resets: 1},
	{fault: fault{device: "loses its path while it writes flash, by WRITE BUFFER and mode 7, and returns",
		does:     "takes the return for a restart, and fails; warns that it may still be writing flash",
		todo:     "do not power-cycle it for 45 minutes; look at it with `fwctl inventory`, then plan again",
		download: "protocol: write-buffer, flashTime: 20m", faults: "{when: {state: flashing}, do: {vanish: 20s}}",
		mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000",
		words: []string{"may still be writing flash: do not power-cycle it within 45m"}, writes: 3}},
	// An image that was never said to be complete, staged by an earlier run of the same plan.
	{fault: fault{device: "an earlier run has staged, without a word of completion, what only power starts",
		does: "leaves it staged, and says that it waits for a power cycle", todo: todoPower,
		download: "protocol: write-buffer, confirm: none", mode: plan.ModeE, protocol: plan.WriteBuffer,
		outcome: result.RunStopped, step: "staged unconfirmed  1000", words: []string{"power-cycle"}, writes: 3},
		apply: true, adapt: afterStaging, stored: "staged"},
	{fault: fault{device: "an earlier run has staged, without a word of completion, what a quirk permits to start",
		does: "sends nothing again, and starts it", todo: "nothing",
		download: "protocol: write-buffer, confirm: none", mode: plan.ModeE, protocol: plan.WriteBuffer,
		outcome: result.RunDone, step: "updated confirmed  1100", writes: 4},
		apply: true, adapt: func(b *bench, c *executor.Config) {
			c.Plan.Steps[0].Hops[0].ActivateUnconfirmed = true
			afterStaging(b, c)
		}, resets: 1},
	// What is staged when the run ends.
	{fault: fault{device: "the module beside it starts what is staged, and then does not answer any more",
		does:  "reads its enclosure through the nodes that do answer: what it runs decides",
		todo:  "look at the module that does not answer; do not power-cycle it",
		shelf: "peerSync: up\n    peerSyncTime: 70s",
		faults: "{when: {after: reset, act: middle-chunk}, do: {sense: 0b/00/00}}, " +
			"{when: {act: abort, times: 3}, do: {mute: true}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown, step: "updated confirmed e 1050", writes: -1},
		pair: true, first: "unknown unconfirmed e 1050", adapt: func(b *bench, c *executor.Config) {
			first, second := b.hop("1050", plan.ModeE), b.hop("1100", plan.ModeE)
			c.Plan.Steps[1] = b.step(esp2, stage, first)
			first.Activation, second.From = plan.WithApply, "1050"
			c.Plan.Steps[0] = b.step(esp1, both, first, second)
		}, stored: "doubt"},
	{fault: fault{device: "is dead after the power cycle that the run waited for; the module beside it has failed for that reason",
		does:     "says that it is unknown, and not that it is staged, and remembers the doubt",
		todo:     "look at the ESP, then `fwctl verify --power-cycled`",
		download: "protocol: write-buffer, confirm: none, singleBank: true, flashTime: 20m",
		mode:     plan.ModeE, protocol: plan.WriteBuffer,
		outcome: result.RunUnknown, step: "unknown unconfirmed e 1000", words: []string{"does not answer any more"},
		writes: 6},
		pair: true, first: "failed unconfirmed e 1100", apply: true, power: true,
		adapt: func(b *bench, c *executor.Config) {
			for i := range c.Plan.Steps {
				c.Plan.Steps[i].Waves = both
				c.Plan.Steps[i].Hops[0].FlashTimeout = plan.Duration(11 * time.Minute)
			}
			c.Plan.Rollout.MaxFailures = 2
		}, stored: "staged, unclear"},
	// The maintenance window.
	{fault: fault{device: "answers hours late before the first byte, when the maintenance window has closed",
		does: "sends nothing: looks at the window again right before it starts", todo: "apply again in the next window",
		faults: "{when: {opcode: '1c', page: '0e'}, do: {noAnswer: true}}", mode: plan.ModeE,
		outcome: result.RunRefused, step: "skipped unconfirmed  1000",
		words: []string{"the maintenance window of wave 1 is closed"}, writes: 0},
		adapt: func(b *bench, c *executor.Config) {
			night := window.Window{Start: "2000-01-01T00:00", Timezone: "UTC", Duration: "1h"}
			c.Plan.Waves[0].Windows, c.Plan.Windows = []string{"night"}, map[string]window.Window{"night": night}
		}},
	// A component in need of an image stays that until it has one.
	{fault: fault{device: "83h, and the next download is refused at its first chunk",
		does: "says both times that it needs an image", todo: todoImage,
		faults:  "{when: {act: last-chunk}, do: {status: '83'}}, {when: {act: first-chunk, nth: 2}, do: {sense: 05/24/00}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown, step: "failed unconfirmed e 1000", words: []string{"do not power-cycle"},
		writes: 3}, stored: "needs an image",
		again: "failed unconfirmed e 1000", againOutcome: result.RunUnknown,
		againWords: []string{"do not power-cycle"}, againStored: "needs an image"},
	{fault: fault{device: "83h, and the next download breaks off", does: "says both times that it needs an image",
		todo:    todoImage,
		faults:  "{when: {act: last-chunk}, do: {status: '83'}}, {when: {act: middle-chunk, nth: 2}, do: {sense: 0b/00/00}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown, step: "failed unconfirmed e 1000", words: []string{"do not power-cycle"},
		writes: 3}, stored: "needs an image",
		again: "failed unconfirmed e 1000", againOutcome: result.RunUnknown,
		againWords: []string{"do not power-cycle"}, againStored: "needs an image"},
	// Aborts by mode e: half an image in a bank that is not running.
	{fault: fault{device: "an abort that is refused",
		does:    "fails; knows half an image there for its own, and has it discarded when it is applied again",
		todo:    todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {sense: 05/24/00}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"does not take the abort"},
		writes: -1},
		again: "staged confirmed e 1000", againOutcome: result.RunDone, againStored: "staged"},
	{fault: fault{device: "an abort that is lost",
		does:    "fails; knows half an image there for its own, and has it discarded when it is applied again",
		todo:    todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {ignored: true}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", writes: -1},
		again: "staged confirmed e 1000", againOutcome: result.RunDone, againStored: "staged"},
	{fault: fault{device: "an abort that is answered with BUSY", does: "sends it again: it was not carried out",
		todo:    todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort, times: 2}, do: {busy: true}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 5}},
	{fault: fault{device: "an abort that is answered with a unit attention",
		does: "sends it again: it was not carried out", todo: todoAgain,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort, times: 2}, do: {sense: 06/2a/01}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 5}},
	{fault: fault{device: "an abort that is answered with an error and comes late",
		does: "reads the status until the device holds nothing", todo: todoAgain,
		faults: "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, " +
			"{when: {act: abort}, do: {sense: 04/44/00, late: {time: 40s}}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: -1}},
	{fault: fault{device: "never answers again after the abort",
		does: "says that it is unknown, and keeps that on record", todo: todoWait,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {mute: true}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown, step: "unknown unconfirmed e 1000", writes: 3}, stored: "doubt"},
	{fault: fault{device: "leaves for ever with the abort", does: "says that it is unknown, and keeps that on record",
		todo:    todoWait,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {die: true}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown, step: "unknown unconfirmed e 1000", writes: 3}, stored: "doubt"},
	{fault: fault{device: "half an image by mode 7, and never answers again after the abort",
		does: "says that it is unknown, and keeps that on record", todo: todoWait,
		faults:  "{when: {act: middle-chunk}, do: {sense: 0b/00/00}}, {when: {act: abort}, do: {mute: true}}",
		mode:    plan.Mode7,
		outcome: result.RunUnknown, step: "unknown unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: 3}, stored: "needs an image"},
	// The last chunk.
	{fault: fault{device: "a last chunk by WRITE BUFFER and mode 7 that is answered with an error and taken",
		does: "waits for it to restart: what it runs decides", todo: "nothing",
		download: "protocol: write-buffer",
		faults:   "{when: {act: last-chunk}, do: {sense: 04/44/00, carriedOut: true}}", mode: plan.Mode7,
		protocol: plan.WriteBuffer,
		outcome:  result.RunDone, step: "updated confirmed 7 1100", writes: 3}, resets: 1},
	{fault: fault{device: "a last chunk by WRITE BUFFER and mode e that is answered with an error and taken",
		does: "asks by REQUEST SENSE, which says that it is pending", todo: "nothing",
		download: "protocol: write-buffer",
		faults:   "{when: {act: last-chunk}, do: {sense: 0b/00/00, carriedOut: true}}", mode: plan.ModeE,
		protocol: plan.WriteBuffer,
		outcome:  result.RunDone, step: "staged confirmed e 1000", writes: 3}, stored: "staged"},
	{fault: fault{device: "a last chunk by WRITE BUFFER, answered with an error, and it is unknown whether it was taken",
		does: "says that it is unknown, and keeps that on record", todo: todoWait,
		download: "protocol: write-buffer, confirm: none",
		faults:   "{when: {act: last-chunk}, do: {sense: 0b/00/00, carriedOut: true}}", mode: plan.ModeE,
		protocol: plan.WriteBuffer,
		outcome:  result.RunUnknown, step: "unknown unconfirmed e 1000", writes: 3}, stored: "doubt"},
	{fault: fault{device: "a first chunk by mode 7 that is answered with an error, and has erased the one bank",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true", faults: "{when: {act: first-chunk}, do: {%s, erases: true}}", mode: plan.Mode7,
		outcome: result.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: -1}, stored: "needs an image",
		variants: errorsOfDoubt},
	{fault: fault{device: "a first chunk by mode 7 that is answered with an error and taken",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true", faults: "{when: {act: first-chunk}, do: {%s, carriedOut: true}}",
		mode:    plan.Mode7,
		outcome: result.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: -1}, stored: "needs an image",
		variants: errorsOfDoubt},
	{fault: fault{device: "a first chunk by WRITE BUFFER that is answered with an error, and has erased the one bank",
		does: "says that mode 7 may have overwritten what the device would start from", todo: todoImage,
		download: "singleBank: true, protocol: write-buffer",
		faults:   "{when: {act: first-chunk}, do: {%s, erases: true}}", mode: plan.Mode7, protocol: plan.WriteBuffer,
		outcome: result.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"},
		writes: 1}, stored: "needs an image",
		variants: errorsOfDoubt},
	{fault: fault{device: "a first chunk by mode e that is answered with an error and taken",
		does: "has what the device holds of the image discarded", todo: todoAgain,
		faults: "{when: {act: first-chunk}, do: {%s, carriedOut: true}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"the device has discarded it"},
		writes: 2},
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk that is answered with an error and taken",
		does:     "reads the status, which says that it is writing flash, and then that the image is complete",
		todo:     "nothing",
		download: "flashTime: 5m", faults: "{when: {act: last-chunk}, do: {%s, carriedOut: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3}, stored: "staged",
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk that is answered with an error and taken, and 12h after that",
		does: "leaves it staged: power on starts it", todo: todoPower,
		download: "flashTime: 5m, completion: {e: '12'}",
		faults:   "{when: {act: last-chunk}, do: {%s, carriedOut: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3}, stored: "staged",
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk by mode 7 that is answered with an error and taken",
		does: "reads the status, which starts it: it is reset once", todo: "nothing",
		faults: "{when: {act: last-chunk}, do: {%s, carriedOut: true}}", mode: plan.Mode7,
		outcome: result.RunDone, step: "updated confirmed 7 1100", writes: 3}, resets: 1,
		variants: errorsOfDoubt},
	{fault: fault{device: "a last chunk, answered with an error and taken, and it reboots before its status is read",
		does: "takes the new revision for the word", todo: "nothing",
		download: "rebootsBeforeStatus: true", faults: "{when: {act: last-chunk}, do: {%s, carriedOut: true}}",
		mode:    plan.Mode7,
		outcome: result.RunDone, step: "updated confirmed 7 1100", writes: 3}, resets: 1,
		variants: errorsOfDoubt},
}

func TestDoubts(t *testing.T) {
	t.Parallel()
	for _, tt := range doubts {
		variants := tt.variants
		if variants == nil {
			variants = []string{""}
		}
		for _, variant := range variants {
			t.Run(strings.TrimSpace(tt.device+" "+variant), func(t *testing.T) {
				onRack(t, tt.rack(variant), func(b *bench) {
					c, ends := tt.config(b), map[string]int{}
					b.onEvent = func(e result.Event) {
						if e.Type == result.EventFinished {
							ends[e.Address]++
						}
						b.powers(e)
					}
					started := time.Now()
					r := b.runConfig(context.Background(), c)
					var want []string
					if tt.pair {
						want = append(want, cmp.Or(tt.first, tt.step))
					}
					b.ended(r, tt.outcome, append(want, tt.step)...)
					b.reason(r, len(want), tt.words...)
					for _, w := range tt.without {
						if reason := r.Steps[len(want)].Reason; strings.Contains(reason, w) {
							t.Errorf("reason = %q; want it not to have %q", reason, w)
						}
					}
					b.onRecord(tt.stored)
					if got := len(b.writes()); got != tt.writes && tt.writes >= 0 {
						t.Errorf("writes = %d; want %d: %q", got, tt.writes, b.writes())
					}
					if took := time.Since(started); tt.within > 0 && took > tt.within {
						t.Errorf("the run took %v; want %v at most", took, tt.within)
					}
					if got := b.resets(); tt.resets > 0 && got != tt.resets {
						t.Errorf("resets = %d; want %d", got, tt.resets)
					}
					for address, n := range ends {
						if n > 1 {
							t.Errorf("%s has ended %d times", address, n)
						}
					}
					if tt.again == "" {
						return
					}
					r = b.runConfig(context.Background(), tt.config(b))
					b.ended(r, tt.againOutcome, tt.again)
					b.reason(r, 0, tt.againWords...)
					b.onRecord(tt.againStored)
				})
			})
		}
	}
}

// powers gives the power cycle that a run asks for.
func (b *bench) powers(e result.Event) {
	if e.Type == result.EventPowerCycle {
		time.AfterFunc(time.Minute, func() { b.rack.PowerCycle(enc1) })
	}
}

func (tt *doubtful) rack(variant string) string {
	rack := acme(tt.download)
	if tt.shelf != "" {
		rack += "    " + tt.shelf + "\n"
	}
	if tt.faults != "" {
		rack += "    faults: [" + strings.ReplaceAll(tt.faults, "%s", variant) + "]\n"
	}
	return rack
}

func (tt *doubtful) config(b *bench) executor.Config {
	hop := b.hop("1100", tt.mode)
	if tt.protocol != "" {
		hop.Protocol = tt.protocol
	}
	waves := reset
	if tt.mode == plan.ModeE || tt.power {
		waves = stage
	}
	if tt.apply || tt.power {
		hop.Activation = plan.WithApply
		waves.Reset = 2
	}
	if tt.power {
		hop.ActivateBy, hop.Mode7Defers = plan.ByPowerCycle, tt.mode == plan.Mode7
	}
	steps := []plan.Step{b.step(esp1, waves, hop)}
	steps[0].Action = plan.Update
	if tt.pair {
		waves.Reset = 3
		steps = append(steps, b.step(esp2, waves, hop))
	}
	c := b.config(steps...)
	c.Wait = tt.power && tt.mode == plan.ModeE
	c.Plan.Waves[1].PowerCycle = tt.power
	if tt.adapt != nil {
		tt.adapt(b, &c)
	}
	return c
}

// afterStaging has an earlier run of the plan do its stage wave.
func afterStaging(b *bench, c *executor.Config) {
	stage := *c
	stage.Phase = plan.StageWave
	b.runConfig(context.Background(), stage)
}

// onRecord checks what the store has of the first module.
func (b *bench) onRecord(want string) {
	b.Helper()
	m, err := b.store.Memory(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	var got []string
	if len(m.Staged) > 0 {
		got = append(got, "staged")
	}
	if slices.ContainsFunc(m.Cautions, func(c state.CautionRecord) bool { return c.Kind == inventory.NeedsImage }) {
		got = append(got, "needs an image")
	}
	unclear := func(c state.CautionRecord) bool { return c.Kind == inventory.Unclear }
	if strings.Contains(want, "unclear") && slices.ContainsFunc(m.Cautions, unclear) {
		got = append(got, "unclear")
	}
	if len(m.Open) > 0 && want != "needs an image" {
		got = append(got, "doubt")
	}
	if strings.Join(got, ", ") != want {
		b.Errorf("the store has on record %q (%+v); want %q", got, m, want)
	}
}

// resets counts the restarts of ESPs that no power cycle brought.
func (b *bench) resets() int {
	b.Helper()
	data, err := b.rack.State()
	if err != nil {
		b.Fatal(err)
	}
	return strings.Count(string(data), `"why":"reset"`)
}

package executor_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor/result"
	"fwctl/plan"
)

var update = flag.Bool("update", false, "write docs/faults.md anew")

// fault is something that goes wrong with a download: a test, and a row of docs/faults.md.
type fault struct {
	device string // what it does
	does   string // what fwctl does
	todo   string // what is left to a person

	download string // of the enclosure: download section, more of it, paths of the first ESP, faults
	shelf    string
	paths    string
	faults   string
	spoil    func(page []byte) // what its status page says
	during   func(*bench)      // when the download starts
	mode     plan.Mode
	fallback bool // mode 7 is permitted too
	protocol plan.Protocol
	activate bool // after a power cycle that comes between the waves

	outcome result.RunOutcome
	step    string
	words   []string
	writes  int // -1: not looked at
}

// What goes wrong, and what a download comes to then.
var faults = []fault{
	{
		device:   "image larger than the device takes",
		does:     "refuses before the first byte",
		todo:     "see that the image is the one for this model",
		download: "maxImage: 8192",
		mode:     plan.ModeE,
		outcome:  result.RunRefused,
		step:     "refused unconfirmed e 1000",
		words:    []string{"10001 bytes", "8192 at most"},
	},
	{
		device:   "image larger than the buffer",
		does:     "refuses before the first byte, by READ BUFFER's descriptor",
		todo:     "see that the image is the one for this model",
		download: "protocol: write-buffer, maxImage: 8192",
		mode:     plan.ModeE,
		protocol: plan.WriteBuffer,
		outcome:  result.RunRefused,
		step:     "refused unconfirmed e 1000",
		words:    []string{"10001 bytes", "8192"},
	},
	{
		device:  "a chunk that times out",
		does:    "looks at the device; has what it holds of the image discarded; sends no chunk twice",
		todo:    "find out why, then plan and apply again",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed,
		step:    "failed unconfirmed e 1000",
		words:   []string{"broke off", "runs 1000", "awaiting more data"},
		writes:  3,
	},
	{
		device:  "a chunk that was taken, and times out",
		does:    "the same: an answer that is missing is no answer",
		todo:    "find out why, then plan and apply again",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true, carriedOut: true}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed,
		step:    "failed unconfirmed e 1000",
		words:   []string{"broke off"},
		writes:  3,
	},
	{
		device:  "a last chunk that was taken, and times out",
		does:    "asks for the status, which says that the image is complete",
		todo:    "nothing",
		faults:  "{when: {opcode: '1d', offset: 8192}, do: {noAnswer: true, carriedOut: true}}",
		mode:    plan.ModeE,
		outcome: result.RunDone,
		step:    "staged confirmed e 1000",
		writes:  3,
	},
	{
		device:  "a last chunk that is lost",
		does:    "asks for the status, which waits for more; has what it holds discarded",
		todo:    "find out why, then plan and apply again",
		faults:  "{when: {opcode: '1d', offset: 8192}, do: {noAnswer: true}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed,
		step:    "failed unconfirmed e 1000",
		words:   []string{"awaiting more data", "the device has discarded it"},
		writes:  4,
	},
	{
		device:   "a last chunk by WRITE BUFFER that is lost",
		does:     "no status says whether it is complete, and it is not sent again",
		todo:     "do not power-cycle it; wait, look at it with `fwctl inventory`, then plan again",
		download: "protocol: write-buffer",
		faults:   "{when: {opcode: '3b', offset: 8192}, do: {noAnswer: true}}",
		mode:     plan.ModeE,
		protocol: plan.WriteBuffer,
		outcome:  result.RunUnknown,
		step:     "unknown unconfirmed e 1000",
		writes:   3,
	},
	{
		device:  "the path leaves in mid-download, and returns",
		does:    "finds the ESP again by its identity; breaks the download off",
		todo:    "find out why, then plan and apply again",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {vanish: 5m}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed,
		step:    "failed unconfirmed e 1000",
		words:   []string{"broke off", "runs 1000"},
		writes:  3,
	},
	{
		device:  "the ESP leaves for ever in mid-download",
		does:    "waits for the return time-out",
		todo:    "look at the ESP; do not power-cycle it if it shows any life",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {die: true}}",
		mode:    plan.Mode7,
		outcome: result.RunUnknown,
		step:    "unknown unconfirmed 7 1000",
		words:   []string{"has not answered since"},
		writes:  2,
	},
	{device: "never comes back", does: "waits for the return time-out", todo: "look at the ESP, then `fwctl verify`",
		download: "rebootTime: 1h", mode: plan.Mode7,
		outcome: result.RunUnknown, step: "unknown unconfirmed 7 1000", words: []string{"has not come back for 15m"},
		writes: 3},
	{device: "comes back after a while", does: "waits, finds it again by its identity under whatever name, reads back what it runs", todo: "nothing",
		download: "rebootTime: 14m", mode: plan.Mode7, outcome: result.RunDone, step: "updated confirmed 7 1100", writes: 3},
	{device: "comes back with the old revision", does: "waits for the return time-out, fails", todo: "see that the image brings that revision, then plan again",
		faults: "{when: {opcode: '1d', offset: 8192}, do: {carriedOut: true, lieRevision: '1000'}}", mode: plan.Mode7,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"still runs 1000"}, writes: 3},
	{device: "comes back with a third revision", does: "fails, and names it", todo: "see what image that is, then plan again",
		faults: "{when: {opcode: '1d', offset: 8192}, do: {carriedOut: true, lieRevision: '0950'}}", mode: plan.Mode7,
		outcome: result.RunFailed, step: "failed unconfirmed 7 0950", words: []string{"runs 0950, which is neither"},
		writes: 3},
	{device: "reboots before its status is read", does: "takes the new revision for the word", todo: "nothing",
		download: "rebootsBeforeStatus: true", mode: plan.Mode7, outcome: result.RunDone, step: "updated confirmed 7 1100",
		writes: 3},
	{device: "reports 00h while it downloads", does: "goes by the expected offset", todo: "nothing",
		download: "reportsIdle: true", mode: plan.ModeE, outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{device: "a buffer id of its own", does: "uses the buffer id that the status expects", todo: "nothing",
		download: "bufferID: 4", mode: plan.ModeE, outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{device: "takes any offset", does: "takes FFFFFFFFh for any offset", todo: "nothing",
		download: "chunk: {anyOffset: true}", mode: plan.ModeE, outcome: result.RunDone, step: "staged confirmed e 1000",
		writes: 3},
	{
		device:   "a status read resets its download engine",
		does:     "breaks off: the offset is not the one just reached",
		todo:     "it wants a quirk: no status reads between chunks",
		download: "statusReadResets: true",
		mode:     plan.ModeE,
		outcome:  result.RunFailed,
		step:     "failed unconfirmed e 1000",
		writes:   3,
	},
	{
		device:   "writes flash for longer than it may",
		does:     "stops waiting; leaves the device alone",
		todo:     "do not power-cycle it; wait, look at it with `fwctl inventory`, then plan again",
		download: "flashTime: 2h",
		mode:     plan.ModeE,
		outcome:  result.RunUnknown,
		step:     "unknown unconfirmed e 1000",
		words:    []string{"for 45m", "writing flash", "do not power-cycle"},
		writes:   3,
	},
	{
		device:   "81h at the end, for an image of another model",
		does:     "fails; does not fall back",
		todo:     "see that the image is the one for this model",
		download: "accepts: {product: OTHER}",
		mode:     plan.ModeE,
		outcome:  result.RunFailed,
		step:     "failed unconfirmed e 1000",
		words:    []string{"error in the image", "is it the one for this model"},
		writes:   3,
	},
	{
		device: "83h",
		does:   "stops the run; nothing else of the fault domain is touched until the component has got a whole image",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults:  "{when: {opcode: '1d', offset: 8192}, do: {status: '83'}}",
		mode:    plan.Mode7,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed 7 1000",
		words:   []string{"do not power-cycle"},
		writes:  3,
	},
	{device: "84h", does: "fails", todo: "plan and apply again; resets are safe",
		faults: "{when: {opcode: '1d', offset: 8192}, do: {status: '84'}}", mode: plan.Mode7,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"power on are safe"}, writes: 3},
	{device: "a generation code that changes", does: "aborts, and starts the download over, once", todo: "nothing",
		download: "generationMismatch: status",
		faults:   "{when: {opcode: '1d', offset: 4096}, do: {bumpGeneration: true, carriedOut: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 6},
	{
		device:   "a generation code that changes again",
		does:     "breaks off",
		todo:     "find out what changes in the enclosure, then plan again",
		download: "generationMismatch: status",
		faults:   "{when: {opcode: '1d', offset: 4096, times: 2}, do: {bumpGeneration: true, carriedOut: true}}",
		mode:     plan.ModeE,
		outcome:  result.RunFailed,
		step:     "failed unconfirmed e 1000",
		words:    []string{"generation", "for the second time"},
		writes:   6,
	},
	{device: "busy when its status is read", does: "asks again, ever more seldom", todo: "nothing",
		faults: "{when: {opcode: '1c', page: '0e', nth: 2, times: 3}, do: {busy: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{device: "page 09h when its status is read", does: "asks again, ever more seldom", todo: "nothing",
		faults: "{when: {opcode: '1c', page: '0e', nth: 2, times: 3}, do: {page09: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{device: "a unit attention before the first chunk", does: "collects it with TEST UNIT READY, before anything that has an effect", todo: "nothing",
		faults: "{when: {opcode: '00'}, do: {sense: 06/29/00}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{device: "85h when it is to activate: a power cycle has lost what was staged", does: "forgets what was staged, fails", todo: "plan and apply again",
		download: "powerLoss: loses", mode: plan.ModeE, activate: true,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"no microcode is deferred"}, writes: 4},
	{device: "a reset in mid-download", does: "aborts, and starts the download over, once", todo: "nothing",
		faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/29/00}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 6},
	{device: "new microcode in mid-download, and again", does: "breaks off", todo: "find out who resets it, then plan again",
		faults: "{when: {opcode: '1d', offset: 4096, times: 2}, do: {sense: 06/3f/01}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000",
		words: []string{"reset in mid-download", "for the second time"}, writes: 6},
	{device: "a reset in mid-download by WRITE BUFFER", does: "starts the download over, once", todo: "nothing",
		download: "protocol: write-buffer", faults: "{when: {opcode: '3b', offset: 4096}, do: {sense: 06/29/00}}",
		mode: plan.ModeE, protocol: plan.WriteBuffer,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 5},
	{device: "another unit attention in mid-download", does: "sends the same chunk, if the expected offset says that it was not taken", todo: "nothing",
		faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/2a/01}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 4},
	{device: "a unit attention after a chunk that was taken", does: "sends the next chunk, because the expected offset says that it was taken", todo: "nothing",
		faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/2a/01, carriedOut: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{device: "busy in mid-download", does: "sends the same chunk, ever more seldom, if the expected offset says that it was not taken", todo: "nothing",
		faults: "{when: {opcode: '1d', offset: 4096, times: 3}, do: {busy: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 6},
	{device: "task set full at the first chunk", does: "sends it again, ever more seldom", todo: "nothing",
		faults: "{when: {opcode: '1d', offset: 0, times: 2}, do: {taskSetFull: true}}", mode: plan.Mode7,
		outcome: result.RunDone, step: "updated confirmed 7 1100", writes: 5},
	{device: "busy for ever", does: "breaks off after the flash time-out", todo: "find out why, then plan and apply again",
		faults: "{when: {opcode: '1d', offset: 4096, every: true}, do: {busy: true}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"byte 4096", "busy"}, writes: -1},
	{device: "a chunk that is refused", does: "aborts; sends nothing more", todo: "find out why, then plan and apply again",
		faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 05/26/00}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"byte 4096", "26h/00h"}, writes: 3},
	{device: "page 09h, then busy, in mid-download", does: "asks again, ever more seldom", todo: "nothing",
		faults: "{when: {opcode: '1c', page: '0e', nth: 2}, do: {page09: true}}, {when: {opcode: '1c', page: '0e', nth: " +
			"2}, do: {busy: true}}", mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{
		device:  "page 08h in place of the status for ever",
		does:    "breaks off; the device does not say what it holds",
		todo:    "do not power-cycle it; wait, look at it with `fwctl inventory`, then plan again",
		faults:  "{when: {opcode: '1c', page: '0e', nth: 2, every: true}, do: {page08: true}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown,
		step:    "unknown unconfirmed e 1000",
		writes:  -1,
	},
	{
		device:   "80h at the end, for a field other than the mode",
		does:     "fails; does not fall back",
		todo:     "find out why, then plan and apply again",
		faults:   "{when: {opcode: '1d', offset: 8192}, do: {status: '80'}}",
		mode:     plan.ModeE,
		fallback: true,
		outcome:  result.RunFailed,
		step:     "failed unconfirmed e 1000",
		writes:   3,
	},
	{device: "81h at the end", does: "fails; does not fall back", todo: "see that the image is the one for this model",
		faults: "{when: {opcode: '1d', offset: 8192}, do: {status: '81'}}", mode: plan.ModeE, fallback: true,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"error in the image"}, writes: 3},
	{device: "82h at the end", does: "fails; does not fall back", todo: "find out why, then plan and apply again",
		faults: "{when: {opcode: '1d', offset: 8192}, do: {status: '82'}}", mode: plan.ModeE, fallback: true,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"timed out"}, writes: 3},
	{
		device: "81h at the end of a download by mode 7",
		does:   "says that mode 7 may have overwritten what the device would start from",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults:  "{when: {opcode: '1d', offset: 8192}, do: {status: '81'}}",
		mode:    plan.Mode7,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed 7 1000",
		words:   []string{"do not power-cycle"},
		writes:  3,
	},
	{
		device: "83h that shows when the download is aborted",
		does:   "stops the run, as for any 83h",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {sense: 05/24/00, status: '83'}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed e 1000",
		words:   []string{"do not power-cycle"},
		writes:  3,
	},
	{
		device: "83h that the abort brings about",
		does:   "stops the run, as for any 83h",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 05/26/00}}, {when: {opcode: '1d', offset: 0, nth: 2}, " +
			"do: {status: '83'}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed e 1000",
		words:   []string{"do not power-cycle"},
		writes:  3,
	},
	{
		device: "83h beside a refused first chunk",
		does:   "stops the run, as for any 83h",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults:  "{when: {opcode: '1d', offset: 0}, do: {sense: 05/24/00, status: '83'}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed e 1000",
		words:   []string{"do not power-cycle"},
		writes:  1,
	},
	{
		device: "83h that shows after a chunk that times out",
		does:   "stops the run, as for any 83h",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true, status: '83'}}",
		mode:    plan.ModeE,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed e 1000",
		words:   []string{"broke off", "do not power-cycle"},
		writes:  2,
	},
	{
		device: "loses in mid-download what it had of an image by mode 7",
		does:   "breaks off; says that mode 7 may have overwritten what the device would start from",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		spoil: func(page []byte) {
			if page[10] == 1 && page[22] == 0x20 {
				page[22] = 0
			}
		},
		mode:    plan.Mode7,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed 7 1000",
		words:   []string{"it waits for byte 0", "do not power-cycle"},
		writes:  2,
	},
	{
		device: "a chunk by mode 7 that times out",
		does:   "likewise, once it answers again",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true}}",
		mode:    plan.Mode7,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed 7 1000",
		words:   []string{"broke off", "do not power-cycle"},
		writes:  3,
	},
	{
		device: "a chunk by mode 7 and WRITE BUFFER that times out",
		does:   "the same",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan " +
			"--target`), and apply that",
		download: "protocol: write-buffer",
		faults:   "{when: {opcode: '3b', offset: 4096}, do: {noAnswer: true}}",
		mode:     plan.Mode7,
		protocol: plan.WriteBuffer,
		outcome:  result.RunUnknown,
		step:     "failed unconfirmed 7 1000",
		words:    []string{"broke off", "do not power-cycle"},
		writes:   2,
	},
	{
		device:  "a chunk that times out, and a generation code that changes",
		does:    "looks at the device, with whatever code it has then; sends nothing more",
		todo:    "find out what changes in the enclosure, then plan again",
		faults:  "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true, bumpGeneration: true}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed,
		step:    "failed unconfirmed e 1000",
		words:   []string{"broke off"},
		writes:  3,
	},
	{
		device:  "a path that leaves when the status is read in mid-download",
		does:    "finds the ESP again by its identity; breaks the download off",
		todo:    "find out why, then plan and apply again",
		faults:  "{when: {opcode: '1c', page: '0e', nth: 2}, do: {vanish: 5m}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed,
		step:    "failed unconfirmed e 1000",
		words:   []string{"broke off", "runs 1000"},
		writes:  2,
	},
	{
		device: "80h for the mode in mid-stream",
		does:   "fails; does not fall back: a mode is refused at the first chunk or not at all",
		todo:   "find out why, then plan and apply again",
		spoil: func(page []byte) {
			if page[10] == 1 && page[22] == 0x20 {
				page[10], page[11] = 0x80, 8
			}
		}, mode: plan.ModeE, fallback: true,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"mode (byte 8)"}, writes: 2},
	{device: "a vendor's code without an error at the end", does: "takes it for the word that the image is complete", todo: "nothing",
		spoil: func(page []byte) {
			if page[10] == 0x13 {
				page[10] = 0x70
			}
		}, mode: plan.ModeE,
		outcome: result.RunDone, step: "staged confirmed e 1000", words: []string{"70h"}, writes: 3},
	{device: "loses power while it writes flash", does: "finds it again; says that it is unknown what became of the image", todo: "look at it with `fwctl inventory`, then plan again",
		download: "flashTime: 20m", during: func(b *bench) {
			time.AfterFunc(time.Minute, func() {
				if err := b.rack.PowerCycle(enc1); err != nil {
					b.Error(err)
				}
			})
		}, mode: plan.ModeE,
		outcome: result.RunUnknown, step: "unknown unconfirmed e 1000", words: []string{"was away after the last byte"},
		writes: 3},
	{device: "84h after a chunk by mode 7 that timed out", does: "fails: it says that a reset is safe", todo: "plan and apply again",
		faults: "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true, status: '84'}}", mode: plan.Mode7,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"broke off", "power on are safe"},
		writes: 2},
	{device: "a path that blinks in mid-download by mode 7, and the device was reset", does: "breaks off: what it runs has started since", todo: "find out who resets it, then plan and apply again",
		faults: "{when: {opcode: '1d', offset: 4096}, do: {vanish: 5m}}", during: func(b *bench) {
			time.AfterFunc(time.Minute, func() {
				if err := b.rack.PowerCycle(enc1); err != nil {
					b.Error(err)
				}
			})
		},
		mode:    plan.Mode7,
		outcome: result.RunFailed,
		step:    "failed unconfirmed 7 1000",
		words:   []string{"broke off"},
		writes:  2,
	},
	{
		device:  "a first chunk that was taken, and times out",
		does:    "looks at the device; has what it holds of the image discarded",
		todo:    "find out why, then plan and apply again",
		faults:  "{when: {opcode: '1d', offset: 0}, do: {noAnswer: true, carriedOut: true}}",
		mode:    plan.ModeE,
		outcome: result.RunFailed,
		step:    "failed unconfirmed e 1000",
		words:   []string{"broke off", "the device has discarded it"},
		writes:  2,
	},
	{
		device: "a first chunk by mode 7 that times out",
		does:   "says that mode 7 may have overwritten what the device would start from",
		todo: "do not power-cycle or reset it; look at it, and plan a whole image for it alone (`fwctl plan --target`), " +
			"and apply that",
		faults:  "{when: {opcode: '1d', offset: 0}, do: {noAnswer: true}}",
		mode:    plan.Mode7,
		outcome: result.RunUnknown,
		step:    "failed unconfirmed 7 1000",
		words:   []string{"broke off", "do not power-cycle"},
		writes:  1,
	},
	{
		device: "01h that turns to 00h and never to 1xh",
		does:   "waits for the flash time-out, as nothing says that the image is complete",
		todo:   "do not power-cycle it; wait, look at it with `fwctl inventory`, then plan again",
		spoil: func(page []byte) {
			if page[10] == 0x13 {
				page[10] = 0
			}
		}, mode: plan.ModeE,
		outcome: result.RunUnknown, step: "unknown unconfirmed e 1000", words: []string{"do not power-cycle"}, writes: 3},
	{device: "11h after mode 7", does: "leaves it staged: a hard reset or power on starts it", todo: "power-cycle the enclosure when its drives are not in use, then `fwctl verify`",
		download: "completion: {'7': '11'}", mode: plan.Mode7,
		outcome: result.RunDone, step: "staged confirmed 7 1000", words: []string{"power-cycle"}, writes: 3},
	{device: "12h after mode 7", does: "leaves it staged: power on starts it", todo: "power-cycle the enclosure when its drives are not in use, then `fwctl verify`",
		download: "completion: {'7': '12'}", mode: plan.Mode7,
		outcome: result.RunDone, step: "staged confirmed 7 1000", words: []string{"power-cycle"}, writes: 3},
	{device: "writes flash for 20 minutes", does: "asks for the status, ever more seldom, and says that it waits", todo: "nothing",
		download: "flashTime: 20m", mode: plan.ModeE, outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
	{device: "the modules synchronise each other up", does: "reads both until they are at rest; the other one's step finds it as planned already", todo: "nothing",
		shelf: "peerSync: up\n    peerSyncTime: 70s", mode: plan.Mode7, outcome: result.RunDone,
		step: "updated confirmed 7 1100", writes: 3},
	{device: "the modules synchronise each other down", does: "reads both until they are at rest, and fails", todo: "switch the synchronisation off, or follow the vendor's order, then plan again",
		shelf: "peerSync: down\n    peerSyncTime: 70s", mode: plan.Mode7,
		outcome: result.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"synchronise each other"}, writes: 3},
	{device: "a path that dies in mid-download while another lives", does: "does not go on over the other; breaks off, and has the device discard the rest", todo: "find out why, then plan and apply again",
		paths: "{stor1: [3, 4]}", faults: "{when: {opcode: '1d', offset: 4096}, do: {vanish: 20h}}", mode: plan.ModeE,
		outcome: result.RunFailed, step: "failed unconfirmed e 1000", words: []string{"broke off"}, writes: 3},
	{device: "the image file is replaced while it is sent", does: "sends what it had read and hashed before", todo: "nothing",
		during: func(b *bench) {
			if err := os.WriteFile(filepath.Join(filepath.Dir(b.file), "JBOD-60-1100-10001.bin"), []byte("another"),
				0o644); err != nil {
				b.Error(err)
			}
		}, mode: plan.ModeE, outcome: result.RunDone, step: "staged confirmed e 1000", writes: 3},
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range faults {
		t.Run(tt.device, func(t *testing.T) {
			rack := acme(tt.download)
			if tt.shelf != "" {
				rack += "    " + tt.shelf + "\n"
			}
			if tt.paths != "" {
				rack = strings.Replace(rack, "{}, {}", "{paths: "+tt.paths+"}, {}", 1)
			}
			if tt.faults != "" {
				rack += "    faults: [" + tt.faults + "]\n"
			}
			onRack(t, rack, func(b *bench) {
				hop := b.hop("1100", tt.mode)
				if tt.protocol != "" {
					hop.Protocol = tt.protocol
				}
				waves := reset
				if tt.mode == plan.ModeE {
					waves = stage
				}
				if tt.fallback {
					waves, hop.Modes = both, []plan.Mode{plan.ModeE, plan.Mode7}
				}
				if tt.activate {
					waves, hop.Activation = both, plan.WithApply
				}
				step := b.step(esp1, waves, hop)
				b.onEvent = func(e result.Event) {
					switch {
					case e.Type == result.EventStaged && tt.activate:
						b.rack.PowerCycle(enc1)
						time.Sleep(time.Minute)
					case e.Type == result.EventStarted && tt.during != nil:
						tt.during(b)
					}
				}
				if tt.spoil != nil {
					b.machine = &worseMachine{Machine: b.machine, worse: func(n worseNode, cdb, in []byte) error {
						if cdb[0] == 0x1c && cdb[2] == 0x0e {
							tt.spoil(in)
						}
						return nil
					}}
				}
				r := b.run(step)
				b.ended(r, tt.outcome, tt.step)
				b.reason(r, 0, tt.words...)
				if staged := len(b.stored()) == 1; staged != strings.HasPrefix(tt.step, "staged") {
					t.Errorf("the store remembers something staged: %v; want it to say what the outcome says", staged)
				}
				if got := len(b.writes()); got != tt.writes && tt.writes >= 0 {
					t.Errorf("writes = %d; want %d: %q", got, tt.writes, b.writes())
				}
			})
		})
	}
}

// What an inventory does not say, and what a plan does then: rows of docs/faults.md, each with
// a golden plan of its name.
var unread = []struct {
	golden string
	does   string
	words  string // of the table
}{
	{"a host that could read nothing of an enclosure may use its drives",
		"counts them as in use without another path: `reset: idle` and `reset: redundant` are not permitted",
		"could not read it, so what it uses behind it is unknown"},
	{"a drive of unknown use counts as in use", "says that I/O stops, and which slots are of unknown use",
		"of unknown use: no host of the plan sees them, which counts as in use"},
	{"health that cannot be read is not healthy", "blocks the component, unless the policy says `requireHealthy: false`",
		"its health is unknown"},
	{"a module that cannot be read is blocked, and nothing beside it is reset",
		"blocks the module, and leaves what is sent to the one beside it staged",
		"nothing in a fault domain is reset while part of it cannot be read"},
	{"nothing in a fault domain is reset while what may be an enclosure of it cannot be read",
		"leaves staged what is sent to the fault domain",
		"could not be read, which may be it"},
	{"a component that a broken-off run left open blocks its fault domain",
		"blocks each component of the fault domain, until that run is resumed",
		"`fwctl resume` finds out what it holds"},
}

func TestPlansOfWhatIsUnread(t *testing.T) {
	t.Parallel()
	for _, u := range unread {
		table, err := os.ReadFile(filepath.Join("..", "plan", "build", "testdata", u.golden, "table.txt"))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(strings.Fields(string(table)), " "); !strings.Contains(text, u.words) {
			t.Errorf("%s = %s; want it to say %q", u.golden, table, u.words)
		}
	}
}

// docs/faults.md is the tables that TestFaults, TestDoubts and TestPlansOfWhatIsUnread go by. -update writes it.
func TestFaultsAreDocumented(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# What goes wrong, and what fwctl does

Written by a test from the tables that it runs on simulated racks (` + "`go test ./executor -run TestFaults -update`" + `).
None of it was seen on hardware.

The revision that a component is at before is 1000, and 1100 is wanted.

| the device, or what happens to it | what fwctl does | the step | the run | exit | what is left to do |
|---|---|---|---|---|---|
`)
	rows := slices.Clone(faults)
	for _, d := range doubts {
		rows = append(rows, d.fault)
	}
	for _, f := range rows {
		step := strings.Fields(f.step)
		outcome := step[0] + ", runs " + step[len(step)-1]
		if f.outcome == result.RunUnknown && step[0] == "failed" {
			outcome += ", needs a person"
		}
		fmt.Fprintf(&b, "| %s (mode %s) | %s | %s | %s | %d | %s |\n", f.device, f.mode, f.does, outcome, f.outcome,
			f.outcome.ExitCode(), f.todo)
	}
	b.WriteString(`
## What a plan does not know

A plan is made from inventories. Each row is a golden plan in plan/build/testdata, by its name.

| what is not known | what the plan does |
|---|---|
`)
	for _, u := range unread {
		fmt.Fprintf(&b, "| %s | %s |\n", u.golden, u.does)
	}
	file := filepath.Join("..", "docs", "faults.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(have)); diff != "" {
		t.Errorf("%s is not the table that the test runs; -update writes it (-want +got):\n%s", file, diff)
	}
}

package executor_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// What a device does, and what a download to it comes to.
func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		download string
		faults   string
		mode     plan.Mode
		protocol plan.Protocol
		activate bool // after a power cycle that comes between the waves
		outcome  executor.RunOutcome
		step     string
		words    []string
		writes   int // -1: not looked at
	}{
		"image larger than the device takes": {
			download: "maxImage: 8192", mode: plan.ModeE, outcome: executor.RunRefused, step: "refused unconfirmed e 1000", words: []string{"10001 bytes", "8192 at most"}},
		"image larger than the buffer": {
			download: "protocol: write-buffer, maxImage: 8192", mode: plan.ModeE, protocol: plan.WriteBuffer,
			outcome: executor.RunRefused, step: "refused unconfirmed e 1000", words: []string{"10001 bytes", "8192"}},
		"a chunk that times out": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true}}", mode: plan.ModeE,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"broke off", "runs 1000", "awaiting more data"}, writes: 3},
		"a chunk that was taken, and times out": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true, carriedOut: true}}", mode: plan.ModeE,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"broke off"}, writes: 3},
		"a last chunk that was taken, and times out": {
			faults: "{when: {opcode: '1d', offset: 8192}, do: {noAnswer: true, carriedOut: true}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"a last chunk that is lost": {
			faults: "{when: {opcode: '1d', offset: 8192}, do: {noAnswer: true}}", mode: plan.ModeE,
			outcome: executor.RunUnknown, step: "unknown unconfirmed e 1000", words: []string{"awaiting more data", "do not power-cycle"}, writes: 3},
		"a last chunk by WRITE BUFFER that is lost": {
			download: "protocol: write-buffer", faults: "{when: {opcode: '3b', offset: 8192}, do: {noAnswer: true}}", mode: plan.ModeE, protocol: plan.WriteBuffer,
			outcome: executor.RunUnknown, step: "unknown unconfirmed e 1000", writes: 3},
		"the path leaves in mid-download, and returns": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {vanish: 5m}}", mode: plan.ModeE,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"broke off", "runs 1000"}, writes: 3},
		"the ESP leaves for ever in mid-download": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {die: true}}", mode: plan.Mode7,
			outcome: executor.RunUnknown, step: "unknown unconfirmed 7 1000", words: []string{"has not answered since"}, writes: 2},
		"never comes back": {
			download: "rebootTime: 1h", mode: plan.Mode7,
			outcome: executor.RunUnknown, step: "unknown unconfirmed 7 1000", words: []string{"has not come back for 15m"}, writes: 3},
		"comes back after a while": {
			download: "rebootTime: 14m", mode: plan.Mode7, outcome: executor.RunDone, step: "updated confirmed 7 1100", writes: 3},
		"comes back with the old revision": {
			faults: "{when: {opcode: '1d', offset: 8192}, do: {carriedOut: true, lieRevision: '1000'}}", mode: plan.Mode7,
			outcome: executor.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"still runs 1000"}, writes: 3},
		"comes back with a third revision": {
			faults: "{when: {opcode: '1d', offset: 8192}, do: {carriedOut: true, lieRevision: '0950'}}", mode: plan.Mode7,
			outcome: executor.RunFailed, step: "failed unconfirmed 7 0950", words: []string{"runs 0950, which is neither"}, writes: 3},
		"reboots before its status is read": {
			download: "rebootsBeforeStatus: true", mode: plan.Mode7, outcome: executor.RunDone, step: "updated confirmed 7 1100", writes: 3},
		"reports 00h while it downloads": {
			download: "reportsIdle: true", mode: plan.ModeE, outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"a buffer id of its own": {
			download: "bufferID: 4", mode: plan.ModeE, outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"takes any offset": {
			download: "chunk: {anyOffset: true}", mode: plan.ModeE, outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"a status read resets its download engine": {
			download: "statusReadResets: true", mode: plan.ModeE, outcome: executor.RunFailed, step: "failed unconfirmed e 1000", writes: 3},
		"writes flash for longer than it may": {
			download: "flashTime: 2h", mode: plan.ModeE, outcome: executor.RunUnknown, step: "unknown unconfirmed e 1000",
			words: []string{"for 45m", "writing flash", "do not power-cycle"}, writes: 3},
		"the image is refused at the end": {
			download: "accepts: {product: OTHER}", mode: plan.ModeE, outcome: executor.RunFailed, step: "failed unconfirmed e 1000",
			words: []string{"error in the image", "is it the one for this model"}, writes: 3},
		"83h": {
			faults: "{when: {opcode: '1d', offset: 8192}, do: {status: '83'}}", mode: plan.Mode7,
			outcome: executor.RunUnknown, step: "failed unconfirmed 7 1000", words: []string{"do not power-cycle"}, writes: 3},
		"84h": {
			faults: "{when: {opcode: '1d', offset: 8192}, do: {status: '84'}}", mode: plan.Mode7,
			outcome: executor.RunFailed, step: "failed unconfirmed 7 1000", words: []string{"power on are safe"}, writes: 3},
		"a generation code that changes": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {bumpGeneration: true, carriedOut: true}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 6},
		"a generation code that changes again": {
			faults: "{when: {opcode: '1d', offset: 4096, times: 2}, do: {bumpGeneration: true, carriedOut: true}}", mode: plan.ModeE,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"generation", "for the second time"}, writes: 5},
		"busy when its status is read": {
			faults: "{when: {opcode: '1c', page: '0e', nth: 2, times: 3}, do: {busy: true}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"page 09h when its status is read": {
			faults: "{when: {opcode: '1c', page: '0e', nth: 2, times: 3}, do: {page09: true}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"a unit attention before the first chunk": {
			faults: "{when: {opcode: '00'}, do: {sense: 06/29/00}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"nothing is deferred any more": {
			download: "powerLoss: loses", mode: plan.ModeE, activate: true,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"no microcode is deferred"}, writes: 4},
		"a reset in mid-download": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/29/00}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 6},
		"new microcode in mid-download, and again": {
			faults: "{when: {opcode: '1d', offset: 4096, times: 2}, do: {sense: 06/3f/01}}", mode: plan.ModeE,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"reset in mid-download", "for the second time"}, writes: 5},
		"a reset in mid-download by WRITE BUFFER": {
			download: "protocol: write-buffer", faults: "{when: {opcode: '3b', offset: 4096}, do: {sense: 06/29/00}}", mode: plan.ModeE, protocol: plan.WriteBuffer,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 5},
		"another unit attention in mid-download": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/2a/01}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 4},
		"a unit attention after a chunk that was taken": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/2a/01, carriedOut: true}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 3},
		"busy in mid-download": {
			faults: "{when: {opcode: '1d', offset: 4096, times: 3}, do: {busy: true}}", mode: plan.ModeE,
			outcome: executor.RunDone, step: "staged confirmed e 1000", writes: 6},
		"task set full at the first chunk": {
			faults: "{when: {opcode: '1d', offset: 0, times: 2}, do: {taskSetFull: true}}", mode: plan.Mode7,
			outcome: executor.RunDone, step: "updated confirmed 7 1100", writes: 5},
		"busy for ever": {
			faults: "{when: {opcode: '1d', offset: 4096, every: true}, do: {busy: true}}", mode: plan.ModeE,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"byte 4096", "busy"}, writes: -1},
		"a chunk that is refused": {
			faults: "{when: {opcode: '1d', offset: 4096}, do: {sense: 05/26/00}}", mode: plan.ModeE,
			outcome: executor.RunFailed, step: "failed unconfirmed e 1000", words: []string{"byte 4096", "26h/00h"}, writes: 3},
	} {
		t.Run(name, func(t *testing.T) {
			rack := acme(tt.download)
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
				if tt.activate {
					waves, hop.Activation = both, plan.WithApply
					b.onEvent = func(e executor.Event) {
						if e.Type == executor.EventStaged {
							b.rack.PowerCycle(enc1)
							time.Sleep(time.Minute)
						}
					}
				}
				r := b.run(b.step(esp1, waves, hop))
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

// A code that an earlier download left behind is no word on this one, and a
// download that is under way is somebody else's.
func TestWhatAnEarlierDownloadLeftBehind(t *testing.T) {
	for name, tt := range map[string]struct {
		mode    byte // of a first chunk that somebody sent
		outcome executor.RunOutcome
		step    string
	}{
		"80h for a mode that was refused": {0xaa, executor.RunDone, "staged confirmed e 1000"},
		"01h, a download is under way":    {0x0e, executor.RunRefused, "refused unconfirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				node, err := b.machine.Open(b.scan().Enclosures[0].ESPs[0].Paths[0], transport.ReadWrite)
				if err != nil {
					t.Fatal(err)
				}
				chunk := append([]byte{0x0e, 0, 0, 24, 0, 0, 0, 1, tt.mode, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 4}, "fwct"...)
				if _, err := node.Do(context.Background(), &transport.Request{CDB: []byte{0x1d, 0x10, 0, 0, byte(len(chunk)), 0}, Out: chunk, Effect: true}); err != nil {
					t.Fatal(err)
				}
				node.Close()
				hop := b.hop("1100", plan.ModeE)
				r := b.run(b.step(esp1, stage, hop))
				b.ended(r, tt.outcome, tt.step)
				if tt.outcome == executor.RunRefused {
					b.reason(r, 0, "somebody else is writing")
					if got := b.writes(); len(got) != 1 {
						t.Errorf("writes = %q; want the other's alone", got)
					}
				}
			})
		})
	}
}

// After ^C what runs is brought to its end, and nothing new is started.
func TestInterrupt(t *testing.T) {
	onRack(t, acme("flashTime: 10m"), func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		b.onEvent = func(e executor.Event) {
			if e.Type == executor.EventProgress {
				cancel()
			}
		}
		hop := b.hop("1100", plan.ModeE)
		r := b.runContext(ctx, b.step(esp1, stage, hop), b.step(esp2, stage, hop))
		b.ended(r, executor.RunInterrupted, "staged confirmed e 1000", "skipped unconfirmed  1000")
		b.reason(r, 1, "interrupted before it was started")
		if want := "interrupted: 1 component was not started"; r.Reason != want {
			t.Errorf("Reason = %q; want %q", r.Reason, want)
		}
		b.arrived(hop.Image)
	})
}

func TestInterruptThatComesTooLateChangesNothing(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		b.onEvent = func(e executor.Event) {
			if e.Type == executor.EventStaged {
				cancel()
			}
		}
		r := b.runContext(ctx, b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		b.ended(r, executor.RunDone, "staged confirmed e 1000")
	})
}

func TestFailuresStopTheRun(t *testing.T) {
	rack := acme("maxImage: 16384, accepts: {product: OTHER}") + strings.ReplaceAll(acme(""), enc1, other)
	for _, tt := range []struct {
		max  int
		last string
	}{{0, "skipped unconfirmed  1000"}, {1, "staged confirmed e 1000"}} {
		onRack(t, rack, func(b *bench) {
			hop := b.hop("1100", plan.ModeE)
			c := b.config(b.step(esp1, stage, hop), b.step(esp2, stage, hop), b.step(other+"/esp1/sub0", stage, hop))
			c.Plan.Rollout.MaxFailures = tt.max
			r, err := executor.Run(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			b.ended(r, executor.RunFailed, "failed unconfirmed e 1000", "skipped unconfirmed  1000", tt.last)
		})
	}
}

// Refused means that nothing was written, to any component.
func TestRefusalAfterAWriteIsAFailure(t *testing.T) {
	rack := acme("") + strings.ReplaceAll(acme("maxImage: 8192"), enc1, other)
	onRack(t, rack, func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		r := b.run(b.step(esp1, stage, hop), b.step(other+"/esp1/sub0", stage, hop))
		b.ended(r, executor.RunFailed, "staged confirmed e 1000", "refused unconfirmed e 1000")
	})
}

// A chunk is not sent where the store could not be written: it would not be known of.
func TestNothingIsSentThatCannotBeRecorded(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		b.onEvent = func(e executor.Event) {
			if e.Type == executor.EventStarted {
				b.store.Close()
			}
		}
		r := b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, stage, b.hop("1100", plan.ModeE)))
		b.ended(r, executor.RunFailed, "failed unconfirmed e 1000", "skipped unconfirmed  1000")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// Not even the status is read, which would eat a completion code.
func TestNothingHasAnEffectThatCannotBeRecorded(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		m := &worseMachine{Machine: b.machine}
		b.machine = m
		b.onEvent = func(e executor.Event) {
			if e.Type != executor.EventWave {
				return
			}
			m.worse = func(n worseNode, cdb, in []byte) error {
				if n.access == transport.Exclusive && cdb[0] == 0xa3 { // the end of reading: the component is being checked
					b.store.Close()
				}
				return nil
			}
		}
		b.ended(b.run(step), executor.RunFailed, "failed unconfirmed e 1000")
		if n := b.effects(); n != 0 {
			t.Errorf("commands with an effect = %d; want 0", n)
		}
	})
}

// What the status says after a chunk stops the download before the next one,
// whether or not the device would take that.
func TestStatusAfterAChunk(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(page []byte)
		words string
	}{
		"a foreign offset":      {func(page []byte) { page[22] = 0x20 }, "it waits for byte 8192"},
		"a buffer at its start": {func(page []byte) { page[22] = 0 }, "it waits for byte 0"},
		"complete too early":    {func(page []byte) { page[10] = 0x13 }, "after byte 4096 of 10001 it says: complete"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
				b.machine = &worseMachine{Machine: b.machine, worse: func(n worseNode, cdb, in []byte) error {
					if cdb[0] == 0x1c && cdb[2] == 0x0e && in[10] == 0x01 {
						tt.spoil(in)
					}
					return nil
				}}
				b.reason(b.run(step), 0, tt.words)
				if got := b.writes(); len(got) != 1 {
					t.Errorf("writes = %q; want the first chunk alone", got)
				}
			})
		})
	}
}

func TestIntentsAreCommittedBeforeTheirEffect(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		b.ended(b.run(b.step(esp1, both, hop)), executor.RunDone, "updated confirmed e 1100")
		runs, err := b.store.Runs(context.Background())
		if err != nil || len(runs) != 1 || runs[0].Outcome != "done" || runs[0].By != "anna" {
			t.Fatalf("Runs = %+v, %v; want one, done, by anna", runs, err)
		}
		intents, err := b.store.Intents(context.Background(), runs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range intents {
			word, _, _ := strings.Cut(i.Outcome, ":")
			got = append(got, string(i.Kind)+" "+i.Mode+" "+word)
			if i.SHA256 != hop.Image.SHA256 {
				t.Errorf("intent %s is about image %s; want %s", i.Kind, i.SHA256, hop.Image.SHA256)
			}
		}
		if want := []string{"download-start 0e deferred", "last-chunk 0e deferred", "activation 0f confirmed"}; !slices.Equal(got, want) {
			t.Errorf("intents = %q; want %q", got, want)
		}
	})
}

// A download overwrites what was staged, so that the record goes before the first chunk.
func TestFailedDownloadLeavesNothingRememberedAsStaged(t *testing.T) {
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 4096, nth: 2}, do: {sense: 05/26/00}}]\n", func(b *bench) {
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), executor.RunDone, "staged confirmed e 1000")
		again := b.step(esp1, stage, b.hop("1200", plan.ModeE))
		again.Action = plan.Update
		b.ended(b.run(again), executor.RunFailed, "failed unconfirmed e 1000")
		if got := b.stored(); len(got) != 0 {
			t.Errorf("staged after the failed download = %v; want nothing", got)
		}
	})
}

// The revision is right and something else is not any more: that is no success.
func TestWhatIsWorseThanBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		worse func(n worseNode, cdb, in []byte) error
		words []string
	}{
		"an element": {func(n worseNode, cdb, in []byte) error {
			if cdb[0] == 0x1c && cdb[2] == 0x02 {
				in[12] = 2 // the first element behind the overall one: critical
			}
			return nil
		}, []string{"it runs 1100", "critical"}},
		"the other ESP": {func(n worseNode, cdb, in []byte) error {
			if n.path == "/dev/sg1" {
				return transport.ErrGone
			}
			return nil
		}, []string{"it runs 1100", "5000ccab04001002 does not answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("")+"    elements: [{type: power-supply, count: 2}]\n", func(b *bench) {
				step := b.step(esp1, reset, b.hop("1100", plan.Mode7))
				m := &worseMachine{Machine: b.machine}
				b.machine = m
				b.onEvent = func(e executor.Event) {
					if e.Type == executor.EventWaiting {
						m.worse = tt.worse
					}
				}
				r := b.run(step)
				b.ended(r, executor.RunFailed, "failed unconfirmed 7 1100")
				b.reason(r, 0, tt.words...)
			})
		})
	}
}

// worseMachine spoils what its devices answer, once worse is set.
type worseMachine struct {
	transport.Machine
	worse func(n worseNode, cdb, in []byte) error

	mu sync.Mutex // a scan asks several devices at once
}

func (m *worseMachine) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return worseNode{n, m, node, access}, err
}

type worseNode struct {
	transport.Node
	machine *worseMachine
	path    string
	access  transport.Access
}

func (n worseNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	resp, err := n.Node.Do(ctx, req)
	if err == nil && n.machine.worse != nil {
		n.machine.mu.Lock()
		err := n.machine.worse(n, req.CDB, req.In)
		n.machine.mu.Unlock()
		if err != nil {
			return nil, &transport.Error{Op: "send a command to", Path: n.path, NotSent: true, Err: err}
		}
	}
	return resp, err
}

func TestBadConfigurations(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		step := b.step(esp1, stage, hop)

		c := b.config(step)
		c.Images = nil
		if _, err := executor.Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "--images") {
			t.Errorf("Run without the image = %v; want an error that names --images", err)
		}

		other := step
		other.Hops = slices.Clone(step.Hops)
		other.Hops[0].Image.Size++
		if _, err := executor.Run(context.Background(), b.config(other)); err == nil {
			t.Error("Run with an image of another size = nil; want an error")
		}

		c = b.config(step)
		c.Plan.Simulated = false
		refused(t, c, "made for real enclosures")

		elsewhere := step
		elsewhere.Host = "stor9"
		refused(t, b.config(elsewhere), "apply it on stor9")

		c = b.config(step)
		c.Store.Close()
		if _, err := executor.Run(context.Background(), c); err == nil {
			t.Error("Run with a closed store = nil; want an error")
		}
		if n := b.effects(); n != 0 {
			t.Errorf("commands with an effect = %d; want 0", n)
		}
	})
}

func refused(t *testing.T, c executor.Config, words string) {
	t.Helper()
	r, err := executor.Run(context.Background(), c)
	if err != nil || r.Outcome != executor.RunRefused || !strings.Contains(r.Reason, words) {
		t.Errorf("Run = %+v, %v; want it refused, with %q", r, err, words)
	}
}

// Readers see the run as it goes, from a store of their own.
func TestStoreIsReadWhileARunWrites(t *testing.T) {
	onRack(t, acme(""), func(b *bench) {
		seen := ""
		b.onEvent = func(e executor.Event) {
			if e.Type != executor.EventProgress {
				return
			}
			r, err := state.OpenReadOnly(filepath.Join(filepath.Dir(b.file), "state"))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			steps, err := r.Steps(context.Background(), 1)
			if err != nil || len(steps) != 1 {
				t.Fatalf("Steps in mid-download = %v, %v; want one", steps, err)
			}
			seen = steps[0].State + " " + steps[0].Mode
		}
		b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		if seen != "sending e" {
			t.Errorf("a reader in mid-download sees %q; want sending e", seen)
		}
	})
}

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
	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// A code that an earlier download left behind says nothing of this one, and a download that is
// under way is someone else's.
func TestLeftoversOfEarlierDownloads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode    byte // of a first chunk that somebody sent
		outcome result.RunOutcome
		step    string
	}{
		"80h for a mode that was refused": {0xaa, result.RunDone, "staged confirmed e 1000"},
		"01h, a download is under way":    {0x0e, result.RunRefused, "refused unconfirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				node, err := b.machine.Open(b.scan().Enclosures[0].ESPs[0].Paths[0], transport.ReadWrite)
				if err != nil {
					t.Fatal(err)
				}
				chunk := append([]byte{0x0e, 0, 0, 24, 0, 0, 0, 1, tt.mode, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 4},
					"fwct"...)
				if _, err := node.Do(context.Background(),
					&transport.Request{CDB: []byte{0x1d, 0x10, 0, 0, byte(len(chunk)), 0}, Out: chunk, Effect: true}); err != nil {
					t.Fatal(err)
				}
				node.Close()
				hop := b.hop("1100", plan.ModeE)
				r := b.run(b.step(esp1, stage, hop))
				b.ended(r, tt.outcome, tt.step)
				if tt.outcome == result.RunRefused {
					b.reason(r, 0, "someone else is writing")
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
	t.Parallel()
	onRack(t, acme("flashTime: 10m"), func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventProgress {
				cancel()
			}
		}
		hop := b.hop("1100", plan.ModeE)
		r := b.runContext(ctx, b.step(esp1, stage, hop), b.step(esp2, stage, hop))
		b.ended(r, result.RunInterrupted, "staged confirmed e 1000", "skipped unconfirmed  1000")
		b.reason(r, 1, "interrupted before it was started")
		if want := "interrupted: 1 component was not started"; r.Reason != want {
			t.Errorf("Reason = %q; want %q", r.Reason, want)
		}
		b.arrived(hop.Image)
	})
}

func TestInterruptThatComesTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventStaged {
				cancel()
			}
		}
		r := b.runContext(ctx, b.step(esp1, stage, b.hop("1100", plan.ModeE)))
		b.ended(r, result.RunDone, "staged confirmed e 1000")
	})
}

func TestFailuresStopTheRun(t *testing.T) {
	t.Parallel()
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
			b.ended(r, result.RunFailed, "failed unconfirmed e 1000", "skipped unconfirmed  1000", tt.last)
		})
	}
}

// What has not come back from its reset may still be in it: nothing is reset beside
// it that may be part of the same fault domain.
func TestUnknownStopsUngroupedResets(t *testing.T) {
	t.Parallel()
	rack := acme("rebootTime: 1h") + strings.ReplaceAll(acme(""), enc1, other)
	for _, domains := range [][2]int{{0, 1}, {1, 0}} {
		onRack(t, rack, func(b *bench) {
			gone, next := b.step(esp1, reset, b.hop("1100", plan.Mode7)),
				b.step(other+"/esp1/sub0", otherReset, b.hop("1100", plan.Mode7))
			gone.FaultDomain, next.FaultDomain = domains[0], domains[1]
			c := b.config(gone, next)
			c.Plan.Rollout.MaxFailures = 5
			r, err := executor.Run(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			b.ended(r, result.RunUnknown, "unknown unconfirmed 7 1000", "skipped unconfirmed  1000")
		})
	}
}

// 83h locks a fault domain beyond the run that met it: nothing in it is touched but
// to bring the component a whole image.
func TestNeedsImageLocksItsFaultDomain(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 8192}, do: {status: '83'}}]\n", func(b *bench) {
		first, beside := b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, stage, b.hop("1100", plan.ModeE))
		beside.FaultDomain = first.FaultDomain
		b.ended(b.run(first, beside), result.RunUnknown, "failed unconfirmed e 1000", "skipped unconfirmed  1000")
		written := len(b.writes())
		for _, mode := range []plan.Mode{plan.ModeE, plan.Mode7} {
			other := b.step(esp2, both, b.hop("1100", mode))
			r := b.run(other)
			b.ended(r, result.RunRefused, "refused unconfirmed  1000")
			b.reason(r, 0, esp1+" needs a whole image", "do not power-cycle")
		}
		if n := len(b.writes()); n != written {
			t.Errorf("writes while the domain is locked = %d; want none", n-written)
		}
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		r := b.run(b.step(esp2, stage, b.hop("1100", plan.ModeE)))
		if r.Steps[0].Outcome == result.OutcomeRefused {
			t.Errorf("esp2 = %+v; want it to be worked on, now that esp1 has a whole image", r.Steps[0])
		}
	})
}

// A component that needs an image is sent one even if it reports the wanted revision, and the
// image that it held before must not start.
func TestNeedsImageIsSentOneAtAnyRevision(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 0, nth: 3}, do: {status: '83'}}]\n", func(b *bench) {
		b.ended(b.run(b.step(esp1, reset, b.hop("1100", plan.Mode7))), result.RunDone, "updated confirmed 7 1100")
		again, other := b.hop("1100", plan.Mode7), b.hop("1200", plan.ModeE)
		again.From, other.From = "1100", "1100"
		b.ended(b.run(b.step(esp1, reset, again)), result.RunDone, "unchanged unconfirmed  1100")
		b.ended(b.run(b.step(esp1, stage, other)), result.RunDone, "staged confirmed e 1100")
		b.ended(b.run(b.step(esp1, stage,
			func() plan.Hop {
				h := other
				h.Image = b.imageFor("JBOD-60", "1300",
					9000)
				return h
			}())), result.RunUnknown, "failed unconfirmed e 1100")
		if staged := b.stored(); len(staged) != 0 {
			t.Errorf("staged = %v; want nothing of what needs an image", staged)
		}
		b.ended(b.run(b.step(esp1, reset, again)), result.RunDone, "updated unconfirmed 7 1100")
	})
}

// A fault domain is more than one enclosure: what needs an image in one of them locks
// the others.
func TestNeedsImageLocksItsNeighbours(t *testing.T) {
	t.Parallel()
	onRack(t, twoEnclosures(), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		err := b.store.Update(context.Background(), func(tx *state.Tx) {
			tx.Caution(state.CautionRecord{Key: state.Key{LUID: "5000ccab04002001"}, Caution: inventory.Caution{Kind: inventory.NeedsImage,
				Address: other + "/esp1/sub0", Detail: "83h", Since: time.Now()}})
		})
		if err != nil {
			t.Fatal(err)
		}
		beside := step
		beside.Neighbours = []string{other}
		r := b.run(beside)
		b.ended(r, result.RunRefused, "refused unconfirmed  1000")
		b.reason(r, 0, other+"/esp1/sub0 needs a whole image")
		b.ended(b.run(step), result.RunDone, "staged confirmed e 1000")
	})
}

// A module that was exchanged is at the address of the one that needed an image,
// and gets it in its place.
func TestNeedsImageAndIsExchanged(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		err := b.store.Update(context.Background(), func(tx *state.Tx) {
			tx.Caution(state.CautionRecord{Key: state.Key{LUID: "5000ccab0400100f"}, Caution: inventory.Caution{Kind: inventory.NeedsImage, Address: esp1,
				Detail: "83h", Since: time.Now()}})
		})
		if err != nil {
			t.Fatal(err)
		}
		b.ended(b.run(b.step(esp2, stage, b.hop("1100", plan.ModeE))), result.RunRefused, "refused unconfirmed  1000")
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		b.ended(b.run(b.step(esp2, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
	})
}

// What starts at power on alone is not asked to start by a command, and is not
// forgotten for that.
func TestPowerOnlyIsRemembered(t *testing.T) {
	t.Parallel()
	onRack(t, acme("completion: {e: '12'}"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		first := b.step(esp1, stage, hop)
		b.ended(b.run(first), result.RunDone, "staged confirmed e 1000")
		hop.Modes, hop.Activation = []plan.Mode{}, plan.WithApply
		before := len(b.writes())
		r := b.run(b.step(esp1, reset, hop))
		b.ended(r, result.RunRefused, "refused unconfirmed  1000")
		b.reason(r, 0, "starts at power on", "power-cycle")
		if got := len(b.writes()); got != before || len(b.stored()) != 1 {
			t.Errorf("writes = %d, staged %v; want none, and it remembered", got-before, b.stored())
		}
		// It is as one plan wants it, and another may have it power-cycled.
		b.ended(b.run(first), result.RunDone, "unchanged unconfirmed  1000")
		hop.ActivateBy = plan.ByPowerCycle
		c := b.config(b.step(esp1, reset, hop))
		c.Plan.Waves[1].PowerCycle = true
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunStopped, "skipped unconfirmed  1000")
		b.reason(r, 0, "power-cycle "+enc1)
	})
}

// WRITE BUFFER has no code for that: what still says that it is pending is not forgotten.
func TestPendingAfterARefusedActivation(t *testing.T) {
	t.Parallel()
	onRack(t, acme("protocol: write-buffer, completion: {e: '12'}"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Protocol, hop.Activation = plan.WriteBuffer, plan.WithApply
		r := b.run(b.step(esp1, both, hop))
		b.ended(r, result.RunFailed, "failed unconfirmed e 1000")
		b.reason(r, 0, "mode 0Fh does not start", "power-cycle")
		if len(b.stored()) != 1 {
			t.Error("the store has forgotten what is still pending")
		}
	})
}

// An image that the module beside it has started is no longer reported as staged.
func TestStagedThatThePeerReplaces(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    peerSync: up\n    peerSyncTime: 70s\n", func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		activated := hop
		activated.Activation = plan.WithApply
		r := b.run(b.step(esp1, both, activated), b.step(esp2, stage, hop))
		b.ended(r, result.RunDone, "updated confirmed e 1100", "updated confirmed e 1100")
		if len(b.stored()) != 0 {
			t.Errorf("staged = %v; want nothing", b.stored())
		}
	})
}

// The result of a component that failed says what it runs when the run ends: the module
// beside it may bring it to another revision until then.
func TestFailedThatThePeerReplaces(t *testing.T) {
	t.Parallel()
	slow := strings.ReplaceAll(acme("flashTime: 9m"), enc1, other)
	onRack(t, acme("")+"    peerSync: up\n    peerSyncTime: 4m\n"+slow, func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		b.ended(b.run(b.step(esp1, reset, hop)), result.RunDone, "updated confirmed 7 1100")
		beside := b.hop("1100", plan.ModeE)
		c := b.config(b.step(esp2, stage, beside), b.step(strings.ReplaceAll(esp1, enc1, other), stage, beside))
		c.Plan.Rollout.MaxFailures = 2
		b.ended(b.runConfig(context.Background(), c), result.RunFailed,
			"failed unconfirmed e 1100", "staged confirmed e 1000")
	})
}

// If the step has more hops, it is not done then.
func TestFirstHopThatThePeerStarts(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    peerSync: up\n    peerSyncTime: 70s\n", func(b *bench) {
		first, second := b.hop("1050", plan.ModeE), b.hop("1100", plan.Mode7)
		first.Activation, second.From = plan.WithApply, "1050"
		only := first
		other := b.step(esp2, plan.StepWaves{Stage: 1, Reset: 3}, first, second)
		c := b.config(b.step(esp1, both, only), other)
		c.Wave = 2
		stage := c
		stage.Wave = 1
		if _, err := executor.Run(context.Background(), stage); err != nil {
			t.Fatal(err)
		}
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if s := r.Steps[1]; s.Outcome == result.OutcomeUpdated || s.Revision == "1100" {
			t.Errorf("esp2 = %+v; want it not to be reported as updated: it runs the first hop of two", s)
		}
	})
}

// If a reset goes wrong, the other components of its enclosure in the same wave are left alone,
// even if the plan allows failures.
func TestNothingElseOfAnEnclosureInTheSameWave(t *testing.T) {
	t.Parallel()
	onRack(t, acme("modes: ['0e']")+"    subenclosures: [{id: 3, product: PSU-9, revision: '0100'}]\n", func(b *bench) {
		psu := b.hop("0200", plan.Mode7)
		psu.From, psu.Image = "0100", b.imageFor("PSU-9", "0200", 10001)
		c := b.config(b.step(esp1, reset, b.hop("1100", plan.Mode7)), b.step(enc1+"/esp1/sub3", reset, psu))
		c.Plan.Rollout.MaxFailures = 5
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunFailed, "failed unconfirmed 7 1000", "skipped unconfirmed  0100")
	})
}

// Refused means that nothing was written, to any component.
func TestRefusalAfterAWriteIsAFailure(t *testing.T) {
	t.Parallel()
	rack := acme("") + strings.ReplaceAll(acme("maxImage: 8192"), enc1, other)
	onRack(t, rack, func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		r := b.run(b.step(esp1, stage, hop), b.step(other+"/esp1/sub0", stage, hop))
		b.ended(r, result.RunFailed, "staged confirmed e 1000", "refused unconfirmed e 1000")
	})
}

// A chunk is not sent if the store could not be written: nothing would remember it.
func TestNothingIsSentThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventStarted {
				b.store.Close()
			}
		}
		r := b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, stage, b.hop("1100", plan.ModeE)))
		b.ended(r, result.RunFailed, "failed unconfirmed e 1000", "skipped unconfirmed  1000")
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// Not even the status is read, which would eat a completion code.
func TestNothingHasAnEffectThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		m := &worseMachine{Machine: b.machine}
		b.machine = m
		b.onEvent = func(e result.Event) {
			if e.Type != result.EventWave {
				return
			}
			m.spoil(func(n worseNode, cdb, in []byte) error {
				if n.access == transport.Exclusive && cdb[0] == 0xa3 { // the end of reading: the component is being checked
					b.store.Close()
				}
				return nil
			})
		}
		b.ended(b.run(step), result.RunFailed, "failed unconfirmed e 1000")
		if n := b.effects(); n != 0 {
			t.Errorf("commands with an effect = %d; want 0", n)
		}
	})
}

// What the status says after a chunk stops the download before the next one,
// whether or not the device would take that.
func TestStatusAfterAChunk(t *testing.T) {
	t.Parallel()
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

// A device that did not carry a chunk out, or did not answer it, and waits for one of another
// image: that download is someone else's, and is not aborted.
func TestForeignOffsetAfterAChunkThatWasNotTaken(t *testing.T) {
	t.Parallel()
	for fault, words := range map[string]string{"sense: 06/2a/01": "it waits for byte 12288",
		"noAnswer: true": "awaiting more data"} {
		for mode, want := range map[plan.Mode]result.RunOutcome{plan.ModeE: result.RunFailed, plan.Mode7: result.RunUnknown} {
			t.Run(fault+" mode "+string(mode), func(t *testing.T) {
				onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 4096}, do: {"+fault+"}}]\n", func(b *bench) {
					waves := stage
					if mode == plan.Mode7 {
						waves = reset
					}
					step, reads := b.step(esp1, waves, b.hop("1100", mode)), 0
					b.machine = &worseMachine{Machine: b.machine, worse: func(n worseNode, cdb, in []byte) error {
						if cdb[0] == 0x1c && cdb[2] == 0x0e && in[10] == 0x01 {
							if reads++; reads == 2 {
								in[22] = 0x30
							}
						}
						return nil
					}}
					r := b.run(step)
					b.ended(r, want, "failed unconfirmed "+string(mode)+" 1000")
					b.reason(r, 0, words)
					if got := b.writes(); len(got) != 2 {
						t.Errorf("writes = %q; want two chunks, and no abort", got)
					}
				})
			})
		}
	}
}

func TestIntentsAreCommittedBeforeTheirEffect(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		b.ended(b.run(b.step(esp1, both, hop)), result.RunDone, "updated confirmed e 1100")
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
		if want := []string{"download-start 0e deferred", "last-chunk 0e deferred",
			"activation 0f confirmed"}; !slices.Equal(got, want) {
			t.Errorf("intents = %q; want %q", got, want)
		}
	})
}

// A download overwrites what was staged, so that the record goes before the first chunk.
func TestFailedDownloadLeavesNothingRememberedAsStaged(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+"    faults: [{when: {opcode: '1d', offset: 4096, nth: 2}, do: {sense: 05/26/00}}]\n",
		func(b *bench) {
			b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
			again := b.step(esp1, stage, b.hop("1200", plan.ModeE))
			again.Action = plan.Update
			b.ended(b.run(again), result.RunFailed, "failed unconfirmed e 1000")
			if got := b.stored(); len(got) != 0 {
				t.Errorf("staged after the failed download = %v; want nothing", got)
			}
		})
}

// The revision is right and something else is not any more: that is no success.
func TestEnclosureBecomesWorse(t *testing.T) {
	t.Parallel()
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
				b.onEvent = func(e result.Event) {
					if e.Type == result.EventWaiting {
						m.spoil(tt.worse)
					}
				}
				r := b.run(step)
				b.ended(r, result.RunFailed, "failed unconfirmed 7 1100")
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

// spoil sets worse while devices are being asked.
func (m *worseMachine) spoil(worse func(n worseNode, cdb, in []byte) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.worse = worse
}

// spoilt is what worse makes of an answer.
func (m *worseMachine) spoilt(n worseNode, cdb, in []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.worse == nil {
		return nil
	}
	return m.worse(n, cdb, in)
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
	if err == nil {
		if err := n.machine.spoilt(n, req.CDB, req.In); err != nil {
			return nil, &transport.Error{Op: "send a command to", Path: n.path, NotSent: true, Err: err}
		}
	}
	return resp, err
}

func TestBadConfigurations(t *testing.T) {
	t.Parallel()
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
		b.ended(b.runConfig(context.Background(), b.config(elsewhere)), result.RunDone, "skipped unconfirmed  ")

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
	if err != nil || r.Outcome != result.RunRefused || !strings.Contains(r.Reason, words) {
		t.Errorf("Run = %+v, %v; want it refused, with %q", r, err, words)
	}
}

// Readers see the run as it goes, from a store of their own.
func TestStoreIsReadWhileARunWrites(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		seen := ""
		b.onEvent = func(e result.Event) {
			if e.Type != result.EventProgress {
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

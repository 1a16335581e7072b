package executor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/verify"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

func (b *bench) verify(powerCycled ...inventory.Selector) *result.Found {
	b.Helper()
	effects := b.effects()
	found, err := verify.Run(context.Background(),
		verify.Config{Machine: b.machine, Store: b.store, By: "anna", PowerCycled: powerCycled})
	if err != nil {
		b.Fatalf("Verify = %v", err)
	}
	if got := b.effects(); got != effects {
		b.Errorf("Verify had %d effects; want none", got-effects)
	}
	return found
}

// fwctl verify after a power cycle: staged → running, or lost, or still waiting.
func TestVerify(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rack    string
		to      string
		cycle   bool
		said    []inventory.Selector // of --power-cycled
		outcome state.Verdict
		words   string
		staged  bool // by the store's word, afterwards
	}{
		"running":                               {acme(""), "1100", true, nil, state.Running, "", false},
		"still waiting":                         {acme(""), "1100", false, nil, state.Waiting, "still runs 1000", true},
		"lost":                                  {acme("powerLoss: loses"), "1100", true, nil, state.Lost, "still runs 1000", false},
		"lost, by a person's word":              {acme("powerLoss: loses"), "1100", false, []inventory.Selector{enc1 + "/*"}, state.Lost, "still runs 1000", false},
		"the same revision, and no power cycle": {acme(""), "1000", false, nil, state.Waiting, "nothing shows a power cycle", true},
		"the same revision before and after":    {acme(""), "1000", true, nil, state.Running, "does not show", false},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, tt.rack, func(b *bench) {
				b.ended(b.run(b.step(esp1, stage, b.hop(tt.to, plan.ModeE))), result.RunDone, "staged confirmed e 1000")
				if tt.cycle {
					if err := b.rack.PowerCycle(enc1); err != nil {
						t.Fatal(err)
					}
					time.Sleep(10 * time.Minute)
				}
				found := b.verify(tt.said...)
				if len(found.Components) != 1 || found.Components[0].Outcome != tt.outcome ||
					!strings.Contains(found.Components[0].Reason, tt.words) || len(found.Declines) != 0 {
					t.Errorf("Verify = %+v; want %s, for a reason with %q", found, tt.outcome, tt.words)
				}
				if got := len(b.stored()) == 1; got != tt.staged {
					t.Errorf("the store remembers it as staged: %v; want %v", got, tt.staged)
				}
			})
		})
	}
}

// An image of unknown revision runs if the revision has changed. If the image's revision is
// known, a third revision is someone else's update.
func TestVerifyOfAnotherRevision(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		to      string // "" where nobody has said
		outcome state.Verdict
		words   string
	}{
		"a third one":               {"1100", state.Lost, "someone else has updated it"},
		"one that nobody had named": {"", state.Running, ""},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.To = tt.to
				b.ended(b.run(b.step(esp1, stage, hop)), result.RunDone, "staged confirmed e 1000")
				b.machine = &worseMachine{Machine: b.machine, worse: func(_ worseNode, cdb, in []byte) error {
					if cdb[0] == 0x1c && cdb[2] == 0x01 {
						copy(in[44:48], "0950") // the revision of the primary subenclosure
					}
					return nil
				}}
				found := b.verify().Components
				if len(found) != 1 || found[0].Outcome != tt.outcome || found[0].Revision != "0950" ||
					!strings.Contains(found[0].Reason, tt.words) {
					t.Errorf("Verify = %+v; want %s, for a reason with %q", found, tt.outcome, tt.words)
				}
				if len(b.stored()) != 0 {
					t.Error("the store remembers it as staged; want it forgotten")
				}
			})
		})
	}
}

// Is everything there that was there before?
func TestVerifyReportsMissing(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		if err := b.rack.PowerCycle(enc1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		gone := b.scan().Enclosures[0].ESPs[1]
		b.machine = &watched{Machine: b.machine, busy: func(node string, _ transport.Access) bool {
			return slices.Contains(gone.Paths, node)
		}}
		found := b.verify()
		if len(found.Declines) != 1 || !slices.Contains(found.Declines[0].Worse, "ESP "+gone.LUID+" is missing") {
			t.Errorf("Verify finds worse %+v; want ESP %s missing", found.Declines, gone.LUID)
		}
		if found.Components[0].Outcome != state.Running {
			t.Errorf("Verify finds %+v; want it running", found.Components)
		}
	})
}

// So it does if nothing is staged, or no longer: a person who mends a cable asks again.
func TestVerifyReportsMissingWithNothingStaged(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+strings.ReplaceAll(acme(""), enc1, other), func(b *bench) {
		b.ended(b.run(b.step(other+"/esp1/sub0", reset, b.hop("1100", plan.Mode7))), result.RunDone,
			"updated confirmed 7 1100")
		b.ended(b.run(b.step(esp1, reset, b.hop("1100", plan.Mode7))), result.RunDone, "updated confirmed 7 1100")
		if found := b.verify(); len(found.Components)+len(found.Declines) != 0 || len(found.Compared) != 1 ||
			found.Compared[0].Enclosure != enc1 || found.Compared[0].ESPs != 2 {
			t.Errorf("Verify = %+v; want the last run's enclosure compared, of two ESPs, and nothing that is worse", found)
		}
		gone := slices.Concat(b.scan().Enclosures[0].ESPs[1].Paths, b.scan().Enclosures[1].ESPs[1].Paths)
		m := b.machine
		b.machine = &watched{Machine: m, busy: func(node string, _ transport.Access) bool {
			return slices.Contains(gone, node)
		}}
		found := b.verify()
		if len(found.Declines) != 1 || found.Declines[0].Enclosure != enc1 ||
			!slices.Contains(found.Declines[0].Worse, "ESP "+lu2+" is missing") {
			t.Errorf("Verify finds worse %+v; want ESP %s missing of the last run's enclosure, and nothing of another's",
				found.Declines, lu2)
		}
		b.machine = &watched{Machine: m, busy: func(string, transport.Access) bool { return true }}
		if found := b.verify(); len(found.Declines) != 1 || !strings.Contains(found.Declines[0].Worse[0], "not in sight") {
			t.Errorf("Verify finds worse %+v; want the enclosure not in sight", found.Declines)
		}
	})
}

// A component that is not in sight is neither running nor lost, and stays remembered.
func TestVerifyNotInSight(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		gone := b.scan().Enclosures[0].ESPs[0]
		b.machine = &watched{Machine: b.machine, busy: func(node string, _ transport.Access) bool {
			return slices.Contains(gone.Paths, node)
		}}
		found := b.verify("all")
		if len(found.Components) != 1 || found.Components[0].Outcome != "" ||
			!strings.Contains(found.Components[0].Reason, "not in sight") {
			t.Errorf("Verify = %+v; want it not in sight", found.Components)
		}
		if len(b.stored()) != 1 {
			t.Error("the store has forgotten it; want it remembered")
		}
	})
}

// A device that reports deferred microcode has not lost it, even if a person says that it was
// power-cycled.
func TestVerifyDeviceSaysPending(t *testing.T) {
	t.Parallel()
	for _, asc := range [][2]byte{{0x00, 0x22}, {0x04, 0x1e}, {0x04, 0x21}, {0x04, 0x22}} {
		onRack(t, acme(""), func(b *bench) {
			b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
			b.machine = &worseMachine{Machine: b.machine, worse: func(_ worseNode, cdb, in []byte) error {
				if cdb[0] == 0x03 {
					in[0], in[2], in[7], in[12], in[13] = 0x70, 0x02, 10, asc[0], asc[1]
				}
				return nil
			}}
			found := b.verify("all").Components
			if len(found) != 1 || found[0].Outcome != state.Waiting ||
				!strings.Contains(found[0].Reason, "deferred microcode waits") || len(b.stored()) != 1 {
				t.Errorf("Verify where the device says %02Xh/%02Xh = %+v, with %d remembered as staged; want it waiting, and "+
					"remembered", asc[0], asc[1], found, len(b.stored()))
			}
		})
	}
}

// What an ESP holds for another subenclosure is judged by that.
func TestVerifyOfASubenclosure(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+withPSU, func(b *bench) {
		hop := b.hop("3000", plan.ModeE)
		hop.From, hop.Image = "2000", b.imageFor("PSU", "3000", whole)
		b.ended(b.run(b.step(sub3, stage, hop)), result.RunDone, "staged confirmed e 2000")
		if found := b.verify().Components; len(found) != 1 || found[0].Address != sub3 || found[0].Revision != "2000" ||
			found[0].Outcome != state.Waiting {
			t.Errorf("Verify = %+v; want %s waiting at 2000", found, sub3)
		}
	})
}

// Nothing is judged, or forgotten, while a run is working there.
func TestVerifyBesideARun(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		b.ended(b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE))), result.RunDone, "staged confirmed e 1000")
		lock, err := b.machine.Lock(enc1)
		if err != nil {
			t.Fatal(err)
		}
		look := verify.Config{Machine: b.machine, Store: b.store, By: "anna", PowerCycled: []inventory.Selector{"all"}}
		if found, err := verify.Run(context.Background(), look); !errors.Is(err, transport.ErrBusy) || len(b.stored()) != 1 {
			t.Errorf("Verify = %+v, %v; want it refused as in use, and all remembered", found, err)
		}
		lock.Close()
		if found := b.verify("all").Components; len(found) != 1 || found[0].Outcome != state.Lost {
			t.Errorf("Verify = %+v; want it lost", found)
		}
	})
}

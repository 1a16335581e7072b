package executor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

func TestModeEIsStaged(t *testing.T) {
	t.Parallel()
	onRack(t, acme("flashTime: 20m"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		r := b.run(b.step(esp1, stage, hop))
		b.ended(r, result.RunDone, "staged confirmed e 1000")
		b.arrived(hop.Image)
		want := []result.EventType{result.EventBegun, result.EventChecking, result.EventWave, result.EventStarted, result.EventStaged,
			result.EventFinished}
		if diff := cmp.Diff(want, b.types()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		sub := b.scan().Enclosures[0].ESPs[0].Subenclosures[0]
		if sub.Staged == nil || sub.Staged.SHA256 != hop.Image.SHA256 || sub.Staged.By != "anna" || !sub.Staged.Confirmed {
			t.Errorf("staged in the next scan = %+v; want image %s, confirmed, by anna", sub.Staged, hop.Image.SHA256)
		}
	})
}

func TestPlanThatIsCarriedOutAlreadyIsUnchanged(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		staged, updated := b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, reset, b.hop("1100", plan.Mode7))
		b.run(staged, updated)
		before := b.effects()
		b.ended(b.run(staged, updated), result.RunDone, "unchanged unconfirmed  1000", "unchanged unconfirmed  1100")
		if got := b.effects(); got != before {
			t.Errorf("commands with an effect in the second run = %d; want none", got-before)
		}
	})
}

// A component that is at the wanted revision already is as planned, however it got there.
func TestUpdatedByOthersIsUnchanged(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		c := b.config(b.step(esp1, reset, b.hop("1100", plan.Mode7)))
		b.ended(b.run(c.Plan.Steps...), result.RunDone, "updated confirmed 7 1100")
		c.Store = b.otherStore("second") // which remembers nothing of it
		r, err := executor.Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunDone, "unchanged unconfirmed  1100")
	})
}

// A revision that is the same before and after proves nothing: what counts is which
// image was sent, and what is staged is started all the same.
func TestImagesOfTheSameRevision(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		first, second := b.hop("1000", plan.Mode7), b.hop("1000", plan.ModeE)
		second.Image, second.Activation = b.imageFor("JBOD-60", "1000", 9000), plan.WithApply
		plain := b.step(esp1, reset, first)
		b.ended(b.run(plain), result.RunDone, "updated unconfirmed 7 1000")
		b.ended(b.run(plain), result.RunDone, "unchanged unconfirmed  1000")
		c := b.config(b.step(esp1, both, second))
		for _, phase := range []plan.WaveKind{plan.StageWave, ""} {
			c.Phase = phase
			r, err := executor.Run(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			want := map[plan.WaveKind]string{plan.StageWave: "staged confirmed e 1000", "": "updated unconfirmed  1000"}[phase]
			b.ended(r, result.RunDone, want)
		}
		b.arrived(first.Image, second.Image)
		again := b.hop("1000", plan.ModeE)
		again.Image, again.Activation = b.imageFor("JBOD-60", "1000", 8000), plan.WithApply
		b.ended(b.run(b.step(esp1, both, again)), result.RunDone, "updated unconfirmed e 1000")
		if got := strings.Count(strings.Join(b.writes(), "\n"), " 0f@"); got != 2 {
			t.Errorf("activations = %d in %q; want one of each image that was staged", got, b.writes())
		}
	})
}

func TestStagedMicrocodeThatAPowerCycleStarted(t *testing.T) {
	t.Parallel()
	onRack(t, acme("activation: power-cycle"), func(b *bench) {
		first := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		b.ended(b.run(first), result.RunDone, "staged confirmed e 1000")
		if err := b.rack.PowerCycle(enc1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		sub := b.scan().Enclosures[0].ESPs[0].Subenclosures[0]
		if sub.Revision != "1100" || sub.Staged != nil {
			t.Errorf("after the power cycle: revision %s, staged %v; want 1100 and nothing", sub.Revision, sub.Staged)
		}
		if _, err := executor.Check(context.Background(), b.config(first)); err != nil || len(b.stored()) != 1 {
			t.Errorf("the store remembers %v after Check = %v; want it as it was", b.stored(), err)
		}
		b.ended(b.run(first), result.RunDone, "unchanged unconfirmed  1100")
		if got := b.stored(); len(got) != 0 {
			t.Errorf("the store still remembers %v; want what was observed: nothing", got)
		}
	})
}

func TestRefusedModeEFallsBackTo7InTheResetWave(t *testing.T) {
	t.Parallel()
	for _, refuse := range []string{"status", "sense"} {
		t.Run(refuse, func(t *testing.T) {
			onRack(t, acme("modes: ['07'], rebootTime: 40s, refuse: "+refuse), func(b *bench) {
				hop := b.hop("1100", plan.ModeE, plan.Mode7)
				node := b.scan().Enclosures[0].ESPs[0].Paths[0]
				b.ended(b.run(b.step(esp1, both, hop)), result.RunDone, "updated confirmed 7 1100")
				b.arrived(hop.Image)
				if now := b.scan().Enclosures[0].ESPs[0].Paths[0]; now == node {
					t.Errorf("the node is %s before and after; want the rack to return it under another name", now)
				}
				lu := enc1[:15] + "1"
				want := []string{lu + " 0e 0e@00000000", lu + " 0e 07@00000000", lu + " 0e 07@00001000", lu + " 0e 07@00002000"}
				if diff := cmp.Diff(want, b.writes()); diff != "" {
					t.Errorf("writes (-want +got):\n%s", diff)
				}
				types := []result.EventType{result.EventBegun, result.EventChecking, result.EventWave, result.EventStarted, result.EventRefusedMode,
					result.EventWave,
					result.EventStarted, result.EventWaiting, result.EventVerified, result.EventFinished}
				if diff := cmp.Diff(types, b.types()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestFallbackWithinAResetWave(t *testing.T) {
	t.Parallel()
	onRack(t, acme("modes: ['07']"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE, plan.Mode7)
		b.ended(b.run(b.step(esp1, reset, hop)), result.RunDone, "updated confirmed 7 1100")
		b.arrived(hop.Image)
	})
}

func TestRefusedModeEWithoutPermissionFailsAndStopsTheRun(t *testing.T) {
	t.Parallel()
	onRack(t, acme("modes: ['07']"), func(b *bench) {
		r := b.run(b.step(esp1, stage, b.hop("1100", plan.ModeE)), b.step(esp2, stage, b.hop("1100", plan.ModeE)))
		b.ended(r, result.RunFailed, "failed unconfirmed e 1000", "skipped unconfirmed  1000")
		b.reason(r, 0, "does not take mode e", "permits no other mode")
		b.reason(r, 1, "not started", esp1)
		if got := b.writes(); len(got) != 1 {
			t.Errorf("writes = %q; want the one that was refused", got)
		}
	})
}

func TestNoModeIsLeft(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		download string
		modes    []plan.Mode
		waves    plan.StepWaves
		want     string
	}{
		"mode 7 is refused":             {"modes: ['0e']", []plan.Mode{plan.Mode7}, reset, "failed unconfirmed 7 1000"},
		"both are refused":              {"modes: ['0f']", []plan.Mode{plan.ModeE, plan.Mode7}, both, "failed unconfirmed 7 1000"},
		"no wave is there for mode 7":   {"modes: ['07']", []plan.Mode{plan.ModeE, plan.Mode7}, stage, "failed unconfirmed e 1000"},
		"mode 7 is not the image's own": {"modes: ['07']", []plan.Mode{plan.ModeE}, both, "failed unconfirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download), func(b *bench) {
				r := b.run(b.step(esp1, tt.waves, b.hop("1100", tt.modes...)))
				b.ended(r, result.RunFailed, tt.want)
				b.reason(r, 0, "permits no other mode")
				b.arrived()
			})
		})
	}
}

// A power cycle between two waves: the image that was to be started runs, and is verified.
func TestPowerCycleBetweenTheWaves(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventStaged {
				if err := b.rack.PowerCycle(enc1); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
			}
		}
		hop := b.hop("1100", plan.ModeE)
		hop.Activation = plan.WithApply
		r := b.run(b.step(esp1, both, hop))
		b.ended(r, result.RunDone, "updated confirmed e 1100")
	})
}

// 05/26/00 without a pointer can mean anything, and a refused image is no refused mode.
func TestNoFallbackButOnARefusedMode(t *testing.T) {
	t.Parallel()
	for name, download := range map[string]string{
		"sense without pointer":          "modes: ['07'], refuse: sense, sksv: false",
		"image refused at first chunk":   "accepts: {product: OTHER, refuse: first}",
		"image refused at last chunk":    "accepts: {product: OTHER}",
		"write-buffer without a pointer": "protocol: write-buffer, modes: ['07'], sksv: false",
	} {
		t.Run(name, func(t *testing.T) {
			rack := acme(download)
			if strings.Contains(name, "write-buffer") {
				rack = strings.ReplaceAll(rack, "{}, {}", "{rsoc: false}, {rsoc: false}")
			}
			onRack(t, rack, func(b *bench) {
				hop := b.hop("1100", plan.ModeE, plan.Mode7)
				if strings.Contains(name, "write-buffer") {
					hop.Protocol = plan.WriteBuffer
				}
				b.ended(b.run(b.step(esp1, both, hop)), result.RunFailed, "failed unconfirmed e 1000")
				for _, w := range b.writes() {
					if strings.Contains(w, "07@") {
						t.Errorf("write %q; want no mode 7", w)
					}
				}
			})
		})
	}
}

func TestWriteBuffer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		download string
		modes    []plan.Mode
		waves    plan.StepWaves
		want     string
	}{
		"mode e, confirmed by sense":     {"", []plan.Mode{plan.ModeE}, stage, "staged confirmed e 1000"},
		"mode e, without a word":         {"confirm: none", []plan.Mode{plan.ModeE}, stage, "staged unconfirmed e 1000"},
		"mode 7":                         {"rebootTime: 40s", []plan.Mode{plan.Mode7}, reset, "updated confirmed 7 1100"},
		"mode e refused, 7 follows":      {"modes: ['07']", []plan.Mode{plan.ModeE, plan.Mode7}, both, "updated confirmed 7 1100"},
		"refused without pointer, RSOC":  {"modes: ['07'], sksv: false", []plan.Mode{plan.ModeE, plan.Mode7}, both, "updated confirmed 7 1100"},
		"chunks that the device rounds":  {"chunk: {max: 65536, multipleOf: 8192}", []plan.Mode{plan.ModeE}, stage, "staged confirmed e 1000"},
		"flash takes a quarter of hour":  {"flashTime: 15m", []plan.Mode{plan.ModeE}, stage, "staged confirmed e 1000"},
		"both ways, and the page's word": {"protocol: both, confirm: none", []plan.Mode{plan.ModeE}, stage, "staged confirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			download := "protocol: write-buffer, " + tt.download
			if strings.Contains(tt.download, "protocol") {
				download = tt.download
			}
			onRack(t, acme(strings.TrimSuffix(download, ", ")), func(b *bench) {
				hop := b.hop("1100", tt.modes...)
				hop.Protocol = plan.WriteBuffer
				b.ended(b.run(b.step(esp1, tt.waves, hop)), result.RunDone, tt.want)
				b.arrived(hop.Image)
			})
		})
	}
}

func TestActivation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		protocol plan.Protocol
		download string
		want     string
		outcome  result.RunOutcome
		words    string // on what was planned and did not happen
	}{
		"page":                        {plan.SES, "rebootTime: 40s", "updated confirmed e 1100", result.RunDone, ""},
		"page, without vanishing":     {plan.SES, "vanish: false", "updated confirmed e 1100", result.RunDone, ""},
		"write-buffer":                {plan.WriteBuffer, "protocol: write-buffer", "updated confirmed e 1100", result.RunDone, ""},
		"write-buffer, unconfirmed":   {plan.WriteBuffer, "protocol: write-buffer, confirm: none", "staged unconfirmed e 1000", result.RunStopped, "its activation was planned and is left out, because the image may be incomplete: power-cycle"},
		"starts at power on only":     {plan.SES, "completion: {e: '12'}", "staged confirmed e 1000", result.RunDone, "mode 0Fh does not start it: power-cycle"},
		"mode 7 that needs a reset":   {plan.SES, "completion: {'7': '11'}", "staged confirmed 7 1000", result.RunDone, "mode 0Fh does not start it: power-cycle"},
		"mode 7 that is deferred":     {plan.SES, "completion: {'7': '13'}, modes: ['07']", "staged confirmed 7 1000", result.RunDone, "the device waits for a command: power-cycle"},
		"mode 7 that needs the power": {plan.SES, "completion: {'7': '12'}", "staged confirmed 7 1000", result.RunDone, "mode 0Fh does not start it: power-cycle"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				waves := both
				if strings.Contains(name, "mode 7") {
					hop.Modes, waves = []plan.Mode{plan.Mode7}, reset
				}
				hop.Protocol, hop.Activation = tt.protocol, plan.WithApply
				if strings.Contains(name, "deferred") {
					hop.Activation = plan.Manual
				}
				r := b.run(b.step(esp1, waves, hop))
				b.ended(r, tt.outcome, tt.want)
				b.reason(r, 0, tt.words)
				b.arrived(hop.Image)
				activated := false
				for _, w := range b.writes() {
					activated = activated || strings.Contains(w, " 0f@")
				}
				if want := strings.HasPrefix(tt.want, "updated"); activated != want {
					t.Errorf("a command with mode 0Fh was sent: %v; want %v", activated, want)
				}
				if got, want := len(b.stored()) == 1, strings.HasPrefix(tt.want, "staged"); got != want {
					t.Errorf("the store remembers something staged: %v; want %v", got, want)
				}
			})
		})
	}
}

// What an earlier run staged is activated by a plan of its own.
func TestActivatePlan(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		b.run(b.step(esp1, stage, hop))
		hop.Modes, hop.Activation = []plan.Mode{}, plan.WithApply
		b.images = nil // none is needed any more
		b.ended(b.run(b.step(esp1, reset, hop)), result.RunDone, "updated confirmed  1100")
		if got := b.stored(); len(got) != 0 {
			t.Errorf("staged after the activation = %v; want nothing", got)
		}
	})
}

func TestUnconfirmedImageIsNotActivatedByALaterPlan(t *testing.T) {
	t.Parallel()
	onRack(t, acme("protocol: write-buffer, confirm: none"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Protocol = plan.WriteBuffer
		b.run(b.step(esp1, stage, hop))
		hop.Modes, hop.Activation = []plan.Mode{}, plan.WithApply
		r := b.run(b.step(esp1, reset, hop))
		b.ended(r, result.RunRefused, "refused unconfirmed  1000")
		b.reason(r, 0, "never said")

		instead := b.hop("1200", plan.ModeE)
		instead.Protocol = plan.WriteBuffer
		replaces := b.step(esp1, stage, instead)
		replaces.Action = plan.Update
		b.ended(b.run(replaces), result.RunDone, "staged unconfirmed e 1000")
	})
}

func TestSteppingStones(t *testing.T) {
	t.Parallel()
	onRack(t, acme("modes: [{mode: '07'}, {mode: '0e', from: '1050'}, {mode: '0f', from: '1050'}]"), func(b *bench) {
		first, second := b.hop("1050", plan.Mode7), b.hop("1100", plan.ModeE)
		second.From, second.Activation = "1050", plan.WithApply
		b.ended(b.run(b.step(esp1, reset, first, second)), result.RunDone, "updated confirmed e 1100")
		b.arrived(first.Image, second.Image)
	})
}

// A plan goes on behind a stepping stone that it has brought itself, and not behind
// another image of the same revision.
func TestPlanGoesOnFromItsOwnSteppingStone(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		onRack(t, acme(""), func(b *bench) {
			first, second := b.hop("1050", plan.Mode7), b.hop("1100", plan.Mode7)
			second.From = "1050"
			both, sent := b.step(esp1, reset, first, second), first
			if !own {
				sent.Image = b.imageFor("JBOD-60", "1050", 9000)
			}
			b.ended(b.run(b.step(esp1, reset, sent)), result.RunDone, "updated confirmed 7 1050")
			r := b.run(both)
			if own {
				b.ended(r, result.RunDone, "updated confirmed 7 1100")
				b.arrived(first.Image, second.Image)
				return
			}
			b.ended(r, result.RunRefused, "refused unconfirmed  1050")
			b.reason(r, 0, "revision: expected 1000, found 1050")
			b.arrived(sent.Image)
		})
	}
}

func TestSubenclosure(t *testing.T) {
	t.Parallel()
	onRack(t, acme("")+`    subenclosures: [{id: 3, vendor: ACME, product: PSU-9, revision: "0100", logicalID: 5000ccab04001003}]
`, func(b *bench) {
		address := enc1 + "/esp1/sub3"
		hop := b.hop("0200", plan.ModeE)
		hop.From, hop.Activation = "0100", plan.WithApply
		hop.Image = b.imageFor("PSU-9", "0200", 9001)
		b.ended(b.run(b.step(address, both, hop)), result.RunDone, "updated confirmed e 0200")
		b.arrived(hop.Image)
	})
}

// What is remembered of a component by its address through another ESP holds for it, and
// is forgotten once it holds a whole image.
func TestCautionsByAnotherAddress(t *testing.T) {
	t.Parallel()
	rack := acme("") +
		`    subenclosures: [{id: 3, vendor: ACME, product: PSU-9, revision: "0100"}]
`
	onRack(t, rack, func(b *bench) {
		address, alias := enc1+"/esp1/sub3", enc1+"/esp2/sub3"
		recorded := func(kind inventory.CautionKind) {
			key := state.Key{LUID: b.step(enc1+"/esp2/sub0", stage, b.hop("1100", plan.ModeE)).LUID, Subenclosure: 3}
			err := b.store.Update(context.Background(), func(tx *state.Tx) {
				tx.Caution(state.CautionRecord{Key: key, Caution: inventory.Caution{Kind: kind, Address: alias, Detail: "as it said", Since: time.Now()}})
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		planned := func(waves plan.StepWaves, hop plan.Hop) plan.Step {
			s := b.step(address, waves, hop)
			s.Aliases = []string{alias}
			return s
		}
		hop := b.hop("0200", plan.ModeE)
		hop.From, hop.Image = "0100", b.imageFor("PSU-9", "0200", 9001)
		recorded(inventory.NeedsImage)
		b.ended(b.run(planned(stage, hop)), result.RunDone, "staged confirmed e 0100")
		cautions, err := b.store.Cautions(context.Background())
		if err != nil || len(cautions) != 0 {
			t.Errorf("cautions = %+v, %v; want none, it holds a whole image", cautions, err)
		}
		recorded(inventory.PowerOnly)
		hop.Modes, hop.Activation = []plan.Mode{}, plan.WithApply
		r := b.run(planned(reset, hop))
		b.ended(r, result.RunRefused, "refused unconfirmed  0100")
		b.reason(r, 0, "starts at power on")
	})
}

func TestTwoESPsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	onRack(t, acme("rebootTime: 3m"), func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		b.ended(b.run(b.step(esp1, reset, hop), b.step(esp2, otherReset, hop)), result.RunDone, "updated confirmed 7 1100",
			"updated confirmed 7 1100")
		b.arrived(hop.Image, hop.Image)
		var order []string
		for _, e := range b.events {
			if e.Type == result.EventStarted || e.Type == result.EventVerified {
				order = append(order, string(e.Type)+" "+e.Address)
			}
		}
		want := []string{"started " + esp1, "verified " + esp1, "started " + esp2, "verified " + esp2}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestStalePlanSendsNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*plan.Step)
		words  []string
	}{
		"revision":  {func(s *plan.Step) { s.Preconditions.Revision = "0990" }, []string{"revision: expected 0990, found 1000"}},
		"staged":    {func(s *plan.Step) { sha := "abc"; s.Preconditions.Staged = &sha }, []string{"staged image: expected abc, found none"}},
		"ESPs":      {func(s *plan.Step) { s.Preconditions.ESPs = append(s.Preconditions.ESPs, "5000") }, []string{"ESPs: expected 5000", "found 5000ccab"}},
		"product":   {func(s *plan.Step) { s.Product = "JBOD-24" }, []string{"product: expected JBOD-24, found JBOD-60"}},
		"ESP":       {func(s *plan.Step) { s.LUID = "5000ccab0400ffff" }, []string{"logical unit 5000ccab0400ffff"}},
		"enclosure": {func(s *plan.Step) { s.Enclosure = "5000ccab0400ff00" }, []string{"not in sight"}},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				good, stale := b.step(esp1, stage, hop), b.step(esp2, stage, hop)
				tt.change(&stale)
				for verb, f := range map[string]func(context.Context, executor.Config) (*result.Result,
					error){"Check": executor.Check, "Run": executor.Run} {
					r, err := f(context.Background(), b.config(good, stale))
					if err != nil {
						t.Fatalf("%s = %v", verb, err)
					}
					if r.Outcome != result.RunRefused || r.Steps[1].Outcome != result.OutcomeRefused {
						t.Errorf("%s = %+v; want it refused", verb, r)
					}
					b.reason(r, 1, tt.words...)
				}
				if n := b.effects(); n != 0 {
					t.Errorf("commands with an effect = %d; want 0", n)
				}
			})
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		r, err := executor.Check(context.Background(), b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE))))
		if err != nil {
			t.Fatal(err)
		}
		b.ended(r, result.RunDone, "ready unconfirmed  1000")
		if n := b.effects(); n != 0 {
			t.Errorf("commands with an effect = %d; want 0", n)
		}
		runs, err := b.store.Runs(context.Background())
		if len(runs) != 0 || err != nil {
			t.Errorf("Runs after Check = %v, %v; want none", runs, err)
		}
	})
}

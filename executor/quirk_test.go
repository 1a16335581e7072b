package executor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fwctl/executor/result"
	"fwctl/plan"
)

const nebulaReset = "10 00 00 09 00 01 72 65 73 65 74 20 31"

// Devices that need a row of the quirk table: with what it puts into the hop they
// are updated, and without it they are not.
func TestQuirks(t *testing.T) {
	t.Parallel()
	noRSOC := func(rack string) string { return strings.ReplaceAll(rack, "{}, {}", "{rsoc: false}, {rsoc: false}") }
	for name, tt := range map[string]struct {
		download string
		quirk    func(*plan.Hop)
		modes    []plan.Mode
		with     string
		without  string
	}{
		"a status read in mid-download resets the engine": {
			"statusReadResets: true", func(h *plan.Hop) { h.SkipStatus = []plan.StatusRead{plan.MidwayStatus} }, []plan.Mode{plan.ModeE},
			"staged confirmed e 1000", "failed unconfirmed e 1000"},
		"everything is refused with 05/26/00": {
			"modes: ['07'], refuse: all, sksv: false", func(h *plan.Hop) { h.RefusedMode = "05/26/00" }, []plan.Mode{plan.ModeE, plan.Mode7},
			"updated confirmed 7 1100", "failed unconfirmed e 1000"},
		"likewise by WRITE BUFFER": {
			"protocol: write-buffer, modes: ['07'], refuse: all, sksv: false", func(h *plan.Hop) { h.RefusedMode = "05/26/00" }, []plan.Mode{plan.ModeE, plan.Mode7},
			"updated confirmed 7 1100", "failed unconfirmed e 1000"},
		"a vendor's page in place of 0Fh": {
			"modes: ['0e'], resetPage: '" + nebulaReset + "'", func(h *plan.Hop) { h.Activation, h.ActivationPage = plan.WithApply, nebulaReset }, []plan.Mode{plan.ModeE},
			"updated confirmed e 1100", "staged confirmed e 1000"},
		"likewise by WRITE BUFFER, from a device that does not vanish": {
			"protocol: write-buffer, modes: ['0e'], vanish: false, resetPage: '" + nebulaReset + "'", func(h *plan.Hop) { h.Activation, h.ActivationPage = plan.WithApply, nebulaReset }, []plan.Mode{plan.ModeE},
			"updated confirmed e 1100", "staged confirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, quirky := range []bool{true, false} {
				onRack(t, noRSOC(acme(tt.download)), func(b *bench) {
					hop, want := b.hop("1100", tt.modes...), tt.without
					if strings.Contains(tt.download, "write-buffer") {
						hop.Protocol = plan.WriteBuffer
					}
					if quirky {
						tt.quirk(&hop)
						want = tt.with
					}
					outcome := result.RunDone
					if strings.HasPrefix(want, "failed") {
						outcome = result.RunFailed
					}
					waves := both
					if want == tt.without && !strings.HasPrefix(want, "failed") {
						waves = stage
					}
					b.ended(b.run(b.step(esp1, waves, hop)), outcome, want)
					if !strings.HasPrefix(want, "failed") {
						b.arrived(hop.Image)
					}
				})
			}
		})
	}
}

// What the row says of sense data without a pointer holds at the first chunk
// alone, and for no other sense data; and a device that says elsewhere that it
// takes the mode refuses something else.
func TestRefusedModeByQuirkIsNothingElse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ download, esp, refusedMode string }{
		"other sense data":          {"modes: ['07'], refuse: all, sksv: false", "{}", "05/24/00"},
		"a pointer to elsewhere":    {"refuse: all, maxImage: 4096", "{}", "05/26/00"},
		"in mid-stream":             {"refuse: all, sksv: false, statusReadResets: true", "{}", "05/26/00"},
		"the device takes the mode": {"protocol: write-buffer, refuse: all, sksv: false, accepts: {product: OTHER, refuse: first}", "{}", "05/26/00"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download), func(b *bench) {
				hop := b.hop("1100", plan.ModeE, plan.Mode7)
				hop.RefusedMode = plan.SenseCode(tt.refusedMode)
				if strings.Contains(tt.download, "write-buffer") {
					hop.Protocol = plan.WriteBuffer
				}
				r := b.run(b.step(esp1, both, hop))
				if got := r.Steps[0]; got.Mode == plan.Mode7 || got.Outcome == result.OutcomeUpdated {
					t.Errorf("outcome = %s by mode %s; want no mode 7", got.Outcome, got.Mode)
				}
				for _, w := range b.writes() {
					if strings.Contains(w, "07@") {
						t.Errorf("write %q; want no mode 7", w)
					}
				}
			})
		})
	}
}

// If no status is read between chunks, a mode that the status refuses is seen only after the
// last chunk: too late to distinguish it from the code that an abort leaves.
func TestRefusedModeThatIsHeardTooLate(t *testing.T) {
	t.Parallel()
	onRack(t, acme("modes: ['07']"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE, plan.Mode7)
		hop.SkipStatus = []plan.StatusRead{plan.MidwayStatus}
		r := b.run(b.step(esp1, both, hop))
		b.ended(r, result.RunFailed, "failed unconfirmed e 1000")
		b.reason(r, 0, "mode (byte 8)")
	})
}

// The statuses that a row leaves out are not read; the one before the first chunk is.
func TestStatusIsReadWhereTheQuirkLetsIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		skip  []plan.StatusRead
		mode  plan.Mode
		want  string // of what is sent: a chunk is c, a reading of page 0Eh s
		ended string
	}{
		"all are read":              {nil, plan.Mode7, "ss c s c s c s", "updated confirmed 7 1100"},
		"none between chunks":       {[]plan.StatusRead{plan.MidwayStatus}, plan.Mode7, "ss c c c s", "updated confirmed 7 1100"},
		"none after the last":       {[]plan.StatusRead{plan.LastStatus}, plan.Mode7, "ss c s c s c", "updated confirmed 7 1100"},
		"none at all":               {[]plan.StatusRead{plan.MidwayStatus, plan.LastStatus}, plan.Mode7, "ss c c c", "updated confirmed 7 1100"},
		"none at all, by mode e":    {[]plan.StatusRead{plan.MidwayStatus, plan.LastStatus}, plan.ModeE, "ss c c c", "staged unconfirmed e 1000"},
		"none after the last, by e": {[]plan.StatusRead{plan.LastStatus}, plan.ModeE, "ss c s c s c", "staged unconfirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("rebootsBeforeStatus: true"), func(b *bench) {
				hop := b.hop("1100", tt.mode)
				hop.SkipStatus = tt.skip
				waves := reset
				if tt.mode == plan.ModeE {
					waves = stage
				}
				b.ended(b.run(b.step(esp1, waves, hop)), result.RunDone, tt.ended)
				b.arrived(hop.Image)
				var sent []string
				for _, l := range b.trace() {
					switch {
					case strings.HasPrefix(l.CDB, "1d"):
						sent = append(sent, "c")
					case strings.HasPrefix(l.CDB, "1c010e"):
						sent = append(sent, "s")
					}
				}
				want := strings.Split(strings.ReplaceAll(tt.want, "ss", "s s"), " ")
				if !slices.Contains(tt.skip, plan.LastStatus) {
					sent = sent[:min(len(sent), len(want))] // it goes on asking until the device has restarted
				}
				if !slices.Equal(sent, want) {
					t.Errorf("chunks (c) and readings of the status (s) = %v; want %v", sent, want)
				}
			})
		})
	}
}

// A vendor's page goes out once, as it is, and only in place of mode 0Fh.
func TestActivationPageIsSentOnce(t *testing.T) {
	t.Parallel()
	onRack(t, acme("resetPage: '"+nebulaReset+"'"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation, hop.ActivationPage = plan.WithApply, nebulaReset
		b.ended(b.run(b.step(esp1, both, hop)), result.RunDone, "updated confirmed e 1100")
		var pages []string
		for _, l := range b.trace() {
			if strings.HasPrefix(l.CDB, "1d") && (!strings.HasPrefix(l.Out, "0e") || l.Out[16:18] == "0f") {
				pages = append(pages, l.CDB+" "+l.Out)
			}
		}
		if want := []string{"1d1000000d00 " + strings.ReplaceAll(nebulaReset, " ", "")}; !slices.Equal(pages, want) {
			t.Errorf("what was sent to activate = %q; want %q", pages, want)
		}
	})
}

// Modules that bring each other to one revision are left alone until they are done.
func TestPeersThatSynchronise(t *testing.T) {
	t.Parallel()
	rack := func(first, second, sync string) string {
		r := strings.Replace(acme("rebootTime: 10s"), "esps: [{}, {}]",
			fmt.Sprintf("esps: [{revision: %q}, {revision: %q}]", first, second), 1)
		return r + "    peerSync: " + sync + "\n    peerSyncTime: 5m\n"
	}
	staged := func(b *bench, address string) plan.Step {
		hop := b.hop("1100", plan.ModeE)
		hop.Activation, hop.PeerSync, hop.Settle = plan.WithApply, plan.Duration(15*time.Minute),
			plan.Duration(15*time.Minute)
		waves := both
		if address == esp2 {
			waves = plan.StepWaves{Stage: 1, Reset: 3}
		}
		return b.step(address, waves, hop)
	}
	t.Run("the second is brought up by the first", func(t *testing.T) {
		onRack(t, rack("1000", "1000", "up"), func(b *bench) {
			r := b.run(staged(b, esp1), staged(b, esp2))
			if r.Outcome != result.RunDone || r.Steps[0].Revision != "1100" || r.Steps[1].Revision != "1100" {
				t.Errorf("Run = %+v; want both at 1100", r)
			}
			for _, w := range b.writes() {
				if strings.HasPrefix(w, enc1[:15]+"2 0e 0f") {
					t.Errorf("write %q; want no activation of the second, which its peer has updated", w)
				}
			}
		})
	})
	t.Run("the first is brought down again", func(t *testing.T) {
		onRack(t, rack("1000", "1000", "down"), func(b *bench) {
			r := b.run(staged(b, esp1))
			b.ended(r, result.RunFailed, "failed unconfirmed e 1000")
			b.reason(r, 0, "still runs 1000")
		})
	})
	t.Run("they differ and are left alone for as long as it may take", func(t *testing.T) {
		onRack(t, rack("1000", "1050", "none"), func(b *bench) {
			began := time.Now()
			step := staged(b, esp1)
			step.Waves = stage
			step.Hops[0].Activation = plan.Manual
			b.ended(b.run(step), result.RunDone, "staged confirmed e 1000")
			if waited := time.Since(began); waited < 15*time.Minute {
				t.Errorf("the first byte came after %v; want the 15 minutes first", waited)
			}
		})
	})
	t.Run("one is brought to another revision while it is waited for", func(t *testing.T) {
		onRack(t, rack("1000", "1050", "none")+"    faults: [{when: {page: '01', nth: 60}, do: {lieRevision: '1050'}}]\n",
			func(b *bench) {
				r := b.run(staged(b, esp1))
				b.ended(r, result.RunRefused, "refused unconfirmed e 1050")
				b.reason(r, 0, "its peer has brought it there")
			})
	})
	t.Run("one is brought to the image's revision before it is activated", func(t *testing.T) {
		onRack(t, rack("1100", "1000", "none")+"    faults: [{when: {page: '01', nth: 280}, do: {lieRevision: '1100'}}]\n",
			func(b *bench) {
				b.ended(b.run(staged(b, esp2)), result.RunDone, "updated confirmed e 1100")
				for _, w := range b.writes() {
					if strings.Contains(w, " 0f@") {
						t.Errorf("write %q; want no activation: its peer has updated it", w)
					}
				}
			})
	})
}

// ^C while it waits for its peers: it was not begun.
func TestInterruptedWhilePeersDiffer(t *testing.T) {
	t.Parallel()
	onRack(t, strings.Replace(acme(""), "esps: [{}, {}]", "esps: [{}, {revision: '0900'}]", 1), func(b *bench) {
		hop := b.hop("1100", plan.Mode7)
		hop.PeerSync = plan.Duration(time.Hour)
		ctx, interrupt := context.WithCancel(context.Background())
		time.AfterFunc(10*time.Minute, interrupt)
		begun := time.Now()
		b.ended(b.runContext(ctx, b.step(esp1, reset, hop)), result.RunInterrupted, "skipped unconfirmed  1000")
		if waited := time.Since(begun); waited >= time.Hour {
			t.Errorf("it waited for %v; want until it was interrupted", waited)
		}
		if got := b.writes(); len(got) != 0 {
			t.Errorf("writes = %q; want none", got)
		}
	})
}

// An image that the device never said to be complete is started if a quirk permits it: in the
// run that staged it, and in a later one.
func TestUnconfirmedImageIsActivatedByQuirk(t *testing.T) {
	t.Parallel()
	onRack(t, acme("protocol: write-buffer, confirm: none"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Protocol, hop.ActivateUnconfirmed = plan.WriteBuffer, true
		b.run(b.step(esp1, stage, hop))
		later := hop
		later.Modes, later.Activation = []plan.Mode{}, plan.WithApply
		b.ended(b.run(b.step(esp1, reset, later)), result.RunDone, "updated confirmed  1100")
		hop.Activation = plan.WithApply
		b.ended(b.run(b.step(esp2, both, hop)), result.RunDone, "updated confirmed e 1100")
	})
}

// A device that never said that an image is complete may be writing it still: an apply that
// finds it there says so, and not that all is as planned.
func TestUnconfirmedImageIsStagedStill(t *testing.T) {
	t.Parallel()
	onRack(t, acme("protocol: write-buffer, confirm: none"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Protocol = plan.WriteBuffer
		c := b.config(b.step(esp1, stage, hop))
		b.ended(b.runConfig(context.Background(), c), result.RunDone, "staged unconfirmed e 1000")
		before := len(b.writes())
		b.ended(b.runConfig(context.Background(), c), result.RunDone, "staged unconfirmed  1000")
		if more := b.writes()[before:]; len(more) > 0 {
			t.Errorf("the second run wrote %q; want nothing", more)
		}
	})
}

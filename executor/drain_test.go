package executor_test

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// lu1 and lu2 are the logical units of the ESPs of enc1.
const lu1, lu2 = "5000ccab04001001", "5000ccab04001002"

// foreign sends a chunk of an image as another program would, by a control page of its own.
func (b *bench) foreign(node string, subenclosure, mode byte, total int, data []byte) {
	b.Helper()
	page := append([]byte{0x0e, subenclosure, 0, 0, 0, 0, 0, 1, mode, 0, 0, 0}, 0, 0, 0, 0)
	page = binary.BigEndian.AppendUint32(page, uint32(total))
	page = binary.BigEndian.AppendUint32(page, uint32(len(data)))
	page = append(page, data...)
	for len(page)%4 != 0 {
		page = append(page, 0)
	}
	binary.BigEndian.PutUint16(page[2:], uint16(len(page)-4))
	n, err := b.machine.Open(node, transport.ReadWrite)
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	cdb := []byte{0x1d, 0x10, 0, byte(len(page) >> 8), byte(len(page)), 0}
	if resp, err := n.Do(context.Background(), &transport.Request{CDB: cdb, Out: page, Effect: true}); err != nil ||
		resp.Status != 0 {
		b.Fatalf("a foreign chunk = %+v, %v; want it taken", resp, err)
	}
}

func (b *bench) noticed() string {
	var all []string
	for _, e := range b.events {
		if e.Type == result.EventNoticed {
			all = append(all, e.Reason)
		}
	}
	return strings.Join(all, "\n")
}

// statusReads are the logical units that page 0Eh was asked for, in their order.
func (b *bench) statusReads() []string {
	var all []string
	for _, l := range b.trace() {
		if strings.HasPrefix(l.CDB, "1c010e") {
			all = append(all, l.LU)
		}
	}
	return all
}

const (
	sub3     = enc1 + "/esp1/sub3"
	withPSU  = "    subenclosures: [{id: 3, product: PSU, revision: '2000', esps: [1]}]\n"
	whole    = 9000
	nodeESP1 = "/dev/sg0"
)

// What goes on anywhere in the enclosure stands against a first chunk to any of it.
func TestEnclosureInUse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rack         string
		subenclosure byte
		mode         byte // of what somebody has sent
		sent         int  // bytes
		after        time.Duration
		to           string // the component that is updated
		by           plan.Mode
		protocol     plan.Protocol
		outcome      result.RunOutcome
		step         string
		words        string
		noticed      string
	}{
		"the other ESP waits for more": {"", 0, 0x0e, 4, 0, esp2, plan.ModeE, plan.SES,
			result.RunRefused, "refused unconfirmed e 1000", "someone else is writing to " + esp1, ""},
		"the other ESP waits for more, as only its offset shows": {"reportsIdle: true", 0, 0x0e, 4, 0, esp2, plan.ModeE, plan.SES,
			result.RunRefused, "refused unconfirmed e 1000", "someone else is writing to " + esp1 + ": it waits for byte 4",
			""},
		"this one waits for more, as only its offset shows": {"reportsIdle: true", 0, 0x0e, 4, 0, esp1, plan.ModeE, plan.SES,
			result.RunRefused, "refused unconfirmed e 1000", "someone else is writing to " + esp1 + ": it waits for byte 4",
			""},
		"the other ESP writes flash": {"flashTime: 20m", 0, 0x07, whole, time.Minute, esp2, plan.Mode7, plan.SES,
			result.RunRefused, "refused unconfirmed 7 1000", "someone else is writing to " + esp1, ""},
		"the other ESP writes flash, and this takes WRITE BUFFER": {"flashTime: 20m, protocol: both", 0, 0x07, whole, time.Minute, esp2, plan.Mode7, plan.WriteBuffer,
			result.RunRefused, "refused unconfirmed 7 1000", "someone else is writing to " + esp1, ""},
		"another subenclosure writes flash": {"flashTime: 20m", 3, 0x07, whole, time.Minute, esp1, plan.Mode7, plan.SES,
			result.RunRefused, "refused unconfirmed 7 1000", "someone else is writing to " + sub3, ""},
		"the other ESP has ended a download": {"", 0, 0x0e, whole, time.Minute, esp2, plan.ModeE, plan.SES,
			result.RunDone, "staged confirmed e 1000", "", "an earlier download to " + esp1 + " ended"},
		"another subenclosure has ended a download": {"", 3, 0x0e, whole, time.Minute, esp1, plan.ModeE, plan.SES,
			result.RunDone, "staged confirmed e 1000", "", "an earlier download to " + sub3 + " ended"},
		"this one has ended a download": {"", 0, 0x0e, whole, time.Minute, esp1, plan.ModeE, plan.SES,
			result.RunDone, "staged confirmed e 1000", "", "an earlier download to " + esp1 + " ended"},
		"the other ESP starts what is asked for": {"", 0, 0x07, whole, time.Minute, esp2, plan.ModeE, plan.SES,
			result.RunFailed, "failed unconfirmed e 1000", esp1 + " had ended without its status being read",
			"has started that microcode"},
		"this one starts what is asked for": {"", 0, 0x07, whole, time.Minute, esp1, plan.ModeE, plan.SES,
			result.RunFailed, "failed unconfirmed e 1100", "it runs 1100 now, and nothing else was done",
			"has started that microcode"},
		"this one starts what is asked for and does not return": {"rebootTime: 1h", 0, 0x07, whole, time.Minute, esp1, plan.ModeE, plan.SES,
			result.RunUnknown, "unknown unconfirmed e 1000", "has not come back for 15m", "has started that microcode"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.rack)+withPSU, func(b *bench) {
				hop := b.hop("1100", tt.by)
				hop.Protocol = tt.protocol
				planned := b.step(tt.to, both, hop)
				img := b.imageFor("JBOD-60", "1100", whole)
				if tt.subenclosure == 3 {
					img = b.imageFor("PSU", "3000", whole)
				}
				b.foreign(nodeESP1, tt.subenclosure, tt.mode, whole, b.images[img.SHA256].Bytes()[:tt.sent])
				time.Sleep(tt.after)
				r := b.run(planned)
				b.ended(r, tt.outcome, tt.step)
				b.reason(r, 0, tt.words)
				if !strings.Contains(b.noticed(), tt.noticed) || tt.noticed == "" && b.noticed() != "" {
					t.Errorf("noticed = %q; want %q", b.noticed(), tt.noticed)
				}
				if tt.outcome == result.RunRefused && r.Refusal != step.RefusedInUse {
					t.Errorf("Refusal = %q; want %q", r.Refusal, step.RefusedInUse)
				}
				if sent := len(b.writes()) > 1; sent != (tt.outcome == result.RunDone) {
					t.Errorf("writes = %q; want the other's alone unless it was staged", b.writes())
				}
			})
		})
	}
}

// 83h: a component that needs an image before the next reset comes first, and that is
// remembered, whatever program caused it. The download that is its remedy is permitted.
func TestNeedsImageStopsAllElse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		broken   string
		to       string
		by       plan.Mode
		activate bool
		outcome  result.RunOutcome
		step     string
	}{
		"mode 7 beside it":  {esp1, esp2, plan.Mode7, false, result.RunRefused, "refused unconfirmed 7 1000"},
		"mode e beside it":  {esp1, esp2, plan.ModeE, false, result.RunRefused, "refused unconfirmed e 1000"},
		"mode 7 to it":      {esp1, esp1, plan.Mode7, false, result.RunDone, "updated confirmed 7 1100"},
		"0Fh beside it":     {esp1, esp2, plan.ModeE, true, result.RunFailed, "failed unconfirmed e 1000"},
		"0Fh to the broken": {esp1, esp1, plan.ModeE, true, result.RunUnknown, "failed unconfirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				hop := b.hop("1100", tt.by)
				waves := stage
				if tt.by == plan.Mode7 {
					waves = reset
				}
				broken := !tt.activate
				if tt.activate {
					waves, hop.Activation = both, plan.WithApply
				}
				b.onEvent = func(e result.Event) { broken = broken || e.Type == result.EventStaged }
				step := b.step(tt.to, waves, hop)
				sent := false
				b.machine = &worseMachine{Machine: b.machine, worse: func(n worseNode, cdb, in []byte) error {
					sent = sent || cdb[0] == 0x1d
					itself := tt.broken == tt.to && sent && !tt.activate
					if broken && !itself && n.path == nodeESP1 && cdb[0] == 0x1c && cdb[2] == 0x0e {
						in[10] = 0x83
					}
					return nil
				}}
				r := b.run(step)
				b.ended(r, tt.outcome, tt.step)
				if tt.outcome != result.RunDone {
					b.reason(r, 0, tt.broken+" needs a whole image", "do not power-cycle or reset it", "83h")
				}
				cautions, err := b.store.Cautions(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if relieved := tt.outcome == result.RunDone; relieved != (len(cautions) == 0) || !relieved &&
					(cautions[0].Address != tt.broken || cautions[0].Kind != inventory.NeedsImage) {
					t.Errorf("cautions = %+v; want that %s needs an image, unless it has got one: %v", cautions, tt.broken, relieved)
				}
				for _, w := range b.writes() {
					if strings.Contains(w, " 0f@") {
						t.Errorf("writes = %q; want no activation", b.writes())
					}
				}
			})
		})
	}
}

// Reading the status has effects: it is read once of each ESP, and not of one
// that has no such page.
func TestStatusIsReadOnceBeforeTheFirstChunk(t *testing.T) {
	t.Parallel()
	onRack(t, acme("flashTime: 20m"), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		var before []string
		b.onEvent = func(e result.Event) {
			if e.Type == result.EventStarted {
				before = b.statusReads()
			}
		}
		b.run(step)
		if want := []string{lu2, lu1}; !slices.Equal(before, want) {
			t.Errorf("status reads before the first chunk = %q; want %q", before, want)
		}
	})
	onRack(t, acme("protocol: write-buffer"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		hop.Protocol = plan.WriteBuffer
		b.ended(b.run(b.step(esp1, stage, hop)), result.RunDone, "staged confirmed e 1000")
		if got := b.statusReads(); len(got) != 0 {
			t.Errorf("status reads = %q; want none", got)
		}
	})
}

// forgotten records what a run leaves behind that was killed after the last
// chunk of an image by mode 7.
func (b *bench) forgotten(luID string) {
	b.Helper()
	err := b.store.Update(context.Background(), func(tx *state.Tx) {
		run := tx.BeginRun(state.Run{Host: b.machine.Hostname(), By: "anna", StartedAt: time.Now()})
		for _, kind := range []state.Kind{state.DownloadStart, state.LastChunk} {
			tx.Intend(state.Intent{Run: run, Address: enc1 + "/" + luID, Key: state.Key{LUID: luID}, Kind: kind, Mode: "07",
				At: time.Now()})
		}
	})
	if err != nil {
		b.Fatal(err)
	}
}

// What a killed run has left open on any ESP of an enclosure is for a resume to look
// at first: even asking how it ended can start an image.
func TestOpenEffectStopsNewRuns(t *testing.T) {
	t.Parallel()
	for _, of := range []string{lu1, lu2} {
		t.Run(of, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				planned := b.step(esp1, stage, b.hop("1100", plan.ModeE))
				b.forgotten(of)
				r := b.run(planned)
				b.ended(r, result.RunRefused, "skipped unconfirmed  ")
				if r.Refusal != step.RefusedUnfinished || !strings.Contains(r.Reason, of) ||
					!strings.Contains(r.Reason, "fwctl resume") {
					t.Errorf("Run = %s, %q; want it to name %s and the way out", r.Refusal, r.Reason, of)
				}
				if got := b.statusReads(); len(got) != 0 {
					t.Errorf("status reads = %q; want none", got)
				}
			})
		})
	}
}

// What cannot be recorded any more does not stop an image that is on its way:
// half of one can leave nothing to boot.
func TestStoreThatFailsInMidDownload(t *testing.T) {
	t.Parallel()
	for mode, step := range map[plan.Mode]string{plan.ModeE: "staged confirmed e 1000",
		plan.Mode7: "updated confirmed 7 1100"} {
		t.Run(string(mode), func(t *testing.T) {
			onRack(t, acme("singleBank: true"), func(b *bench) {
				hop := b.hop("1100", mode)
				waves := stage
				if mode == plan.Mode7 {
					waves = reset
				}
				var intents []state.Intent
				b.onEvent = func(e result.Event) {
					if e.Type == result.EventProgress && intents == nil {
						intents, _ = b.store.Intents(context.Background(), 1)
						b.store.Close()
					}
				}
				r := b.run(b.step(esp1, waves, hop), b.step(esp2, waves, hop))
				b.ended(r, result.RunFailed, step, "skipped unconfirmed  1000")
				b.arrived(hop.Image)
				if !strings.Contains(b.noticed(), "cannot write to state") {
					t.Errorf("noticed = %q; want a notice that the store fails", b.noticed())
				}
				if len(intents) != 1 || intents[0].Kind != state.DownloadStart {
					t.Errorf("intents before the second chunk = %+v; want the download's start alone", intents)
				}
			})
		})
	}
}

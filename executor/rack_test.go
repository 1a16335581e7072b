package executor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/executor"
	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/internal/enclosure"
	"fwctl/internal/image"
	"fwctl/internal/sim"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

const (
	enc1 = "5000ccab04001000" // every rack's first enclosure: ACME JBOD-60, 1000
	esp1 = enc1 + "/esp1/sub0"
	esp2 = enc1 + "/esp2/sub0"
)

// bench is a simulated rack with a store, in a bubble: its hours take no time.
type bench struct {
	*testing.T
	rack    *sim.Rack
	file    string
	machine transport.Machine
	store   *state.Store
	images  map[string]*image.Image
	events  []result.Event
	onEvent func(result.Event)
}

func TestMain(m *testing.M) {
	// Every test makes many small racks: memory is cheaper than collecting it.
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// emptyStore is the file of a store with nothing in it. To copy it is faster than
// to have each made anew.
var emptyStore = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "fwctl")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := state.Open(dir)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		panic(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, state.FileName))
	if err != nil {
		panic(err)
	}
	return data
})

// putEmptyStore makes the directory of an empty store, unless it is there.
func putEmptyStore(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, state.FileName), emptyStore(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// onRack runs f on a rack with the enclosures given in YAML.
func onRack(t *testing.T, enclosures string, f func(*bench)) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "rack.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: fwctl/v1\nkind: Rack\ntrace: trace.jsonl\nenclosures:\n"+enclosures),
		0o644); err != nil {
		t.Fatal(err)
	}
	putEmptyStore(t, filepath.Join(dir, "state"))
	synctest.Test(t, func(t *testing.T) {
		rack, err := sim.OpenPrivate(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := rack.Machine("")
		if err != nil {
			t.Fatal(err)
		}
		store, err := state.Open(filepath.Join(dir, "state"))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		f(&bench{T: t, rack: rack, file: file, machine: m, store: store, images: map[string]*image.Image{}})
	})
}

// acme is the first enclosure, two ESPs at 1000, with a download section.
func acme(download string) string {
	return fmt.Sprintf(`
  - logicalID: %s
    vendor: ACME
    product: JBOD-60
    revision: "1000"
    download: {%s}
    esps: [{}, {}]
`, enc1, download)
}

// imageFor makes a simulated image of some size and loads it.
func (b *bench) imageFor(product, revision string, size int) plan.ImageRef {
	b.Helper()
	path := filepath.Join(filepath.Dir(b.file), fmt.Sprintf("%s-%s-%d.bin", product, revision, size))
	if err := os.WriteFile(path, sim.Image("ACME", product, revision, size), 0o644); err != nil {
		b.Fatal(err)
	}
	img, err := image.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	b.images[img.SHA256()] = img
	return plan.ImageRef{Name: "iom-" + revision, SHA256: img.SHA256(), Size: img.Size()}
}

// hop is a download to a component at 1000, with the house's patience.
func (b *bench) hop(revision string, modes ...plan.Mode) plan.Hop {
	return plan.Hop{
		From: "1000", To: revision, Image: b.imageFor("JBOD-60", revision, 10001), Modes: modes, Protocol: plan.SES,
		ChunkSize:  4096,
		Activation: plan.Manual, ActivateBy: plan.ByModeF,
		FlashTimeout: plan.Duration(45 * time.Minute), Settle: plan.Duration(60 * time.Second),
		ReturnTimeout: plan.Duration(15 * time.Minute),
	}
}

// hostOf returns what memory.Join asks a machine.
func hostOf(m transport.Machine) memory.Host {
	return memory.Host{
		HoldsLock: m.HoldsLock,
		Users:     func(node string) string { return enclosure.Users(m.FS(), node) },
	}
}

func (b *bench) scan() *inventory.Inventory {
	b.Helper()
	inv, err := scan.Scan(context.Background(), b.machine, scan.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := memory.Join(context.Background(), inv, b.store, hostOf(b.machine)); err != nil {
		b.Fatal(err)
	}
	return inv
}

// step plans hops for a component, as it is now.
func (b *bench) step(address string, waves plan.StepWaves, hops ...plan.Hop) plan.Step {
	b.Helper()
	for i, e := range b.scan().Enclosures {
		var esps []string
		for _, esp := range e.ESPs {
			esps = append(esps, esp.LUID)
		}
		for _, esp := range e.ESPs {
			for _, sub := range esp.Subenclosures {
				if sub.Address != address {
					continue
				}
				s := plan.Step{
					Address: address, Host: b.machine.Hostname(), Enclosure: e.ID(), LUID: esp.LUID, Subenclosure: sub.ID,
					Vendor: sub.Vendor, Product: sub.Product, Current: sub.Revision, Desired: hops[len(hops)-1].To,
					Action: plan.Update, Hops: hops, Waves: waves, Reset: plan.ResetAlways, FaultDomain: i + 1, Reasons: []string{},
					Disruption:    plan.Disruption{Expected: plan.ESPReset, Worst: plan.ESPReset},
					Preconditions: plan.Preconditions{Revision: sub.Revision, ESPs: esps},
				}
				if sub.Staged != nil {
					s.Preconditions.Staged = &sub.Staged.SHA256
					s.Action = plan.Activate
				}
				return s
			}
		}
	}
	b.Fatalf("no component %s in the rack", address)
	return plan.Step{}
}

var (
	stage      = plan.StepWaves{Stage: 1}
	reset      = plan.StepWaves{Reset: 2}
	otherReset = plan.StepWaves{Reset: 3}
	both       = plan.StepWaves{Stage: 1, Reset: 2}
)

func (b *bench) config(steps ...plan.Step) executor.Config {
	for i := range steps {
		steps[i].WorstDuration = steps[i].Worst()
	}
	return executor.Config{
		Machine: b.machine, Store: b.store, Images: b.images, By: "anna",
		Plan: &plan.Plan{
			FormatVersion: plan.FormatVersion, Kind: "Plan", Digest: "sha256:00", Simulated: true, Steps: steps,
			DesiredState: plan.Source{SHA256: strings.Repeat("0", 64)}, Scans: []plan.Scan{},
			Windows: map[string]window.Window{}, Warnings: []string{},
			Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave, Windows: []string{}},
				{Number: 2, Kind: plan.ResetWave, Windows: []string{}}, {Number: 3, Kind: plan.ResetWave, Windows: []string{}}},
			Rollout: plan.Rollout{MaxParallel: 1}, Summary: plan.Summary{Update: len(steps)},
		},
		Observer: func(e result.Event) {
			b.events = append(b.events, e)
			if b.onEvent != nil {
				b.onEvent(e)
			}
		},
	}
}

func (b *bench) run(steps ...plan.Step) *result.Result {
	b.Helper()
	return b.runContext(context.Background(), steps...)
}

func (b *bench) runContext(ctx context.Context, steps ...plan.Step) *result.Result {
	b.Helper()
	return b.runConfig(ctx, b.config(steps...))
}

func (b *bench) runConfig(ctx context.Context, c executor.Config) *result.Result {
	b.Helper()
	r, err := executor.Run(ctx, c)
	if err != nil {
		b.Fatalf("Run = %v", err)
	}
	return r
}

// ended checks the outcome of a run and, as "outcome confirmed mode revision",
// of its steps.
func (b *bench) ended(r *result.Result, outcome result.RunOutcome, steps ...string) {
	b.Helper()
	var got []string
	for _, s := range r.Steps {
		confirmed := "unconfirmed"
		if s.Confirmed {
			confirmed = "confirmed"
		}
		got = append(got, strings.Join([]string{string(s.Outcome), confirmed, string(s.Mode), s.Revision}, " "))
	}
	if diff := cmp.Diff(steps, got); diff != "" || r.Outcome != outcome {
		reasons, _ := json.MarshalIndent(r, "", "  ")
		b.Errorf("Run = %s; want %s; steps (-want +got):\n%s%s", r.Outcome, outcome, diff, reasons)
	}
}

// reason checks that a step's reason has all of the words.
func (b *bench) reason(r *result.Result, step int, words ...string) {
	b.Helper()
	for _, w := range words {
		if !strings.Contains(r.Steps[step].Reason, w) {
			b.Errorf("reason of %s = %q; want it to have %q", r.Steps[step].Address, r.Steps[step].Reason, w)
		}
	}
}

type line struct {
	LU     string `json:"lu"`
	Node   string `json:"node"`
	CDB    string `json:"cdb"`
	Out    string `json:"out"`
	Effect bool   `json:"effect"`
}

// trace is what the rack was sent since the bench began.
func (b *bench) trace() []line {
	b.Helper()
	var all []line
	for d := json.NewDecoder(bytes.NewReader(b.rack.Trace())); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			b.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// writes are the writing commands of the trace in short: "lu control mode@offset".
func (b *bench) writes() []string {
	b.Helper()
	var all []string
	for _, l := range b.trace() {
		switch {
		case strings.HasPrefix(l.CDB, "1d"): // SEND DIAGNOSTIC of page 0Eh
			all = append(all, fmt.Sprintf("%s 0e %s@%s", l.LU, l.Out[16:18], l.Out[24:32]))
		case strings.HasPrefix(l.CDB, "3b"): // WRITE BUFFER
			all = append(all, fmt.Sprintf("%s wb %s@%s", l.LU, l.CDB[2:4], l.CDB[6:12]))
		}
	}
	return all
}

// effects counts commands with an effect, readings of page 0Eh included.
func (b *bench) effects() int {
	b.Helper()
	n := 0
	for _, l := range b.trace() {
		if l.Effect {
			n++
		}
	}
	return n
}

// received returns the images that arrived whole, by SHA-256, at any component.
func (b *bench) received() []string {
	b.Helper()
	data, err := b.rack.State()
	if err != nil {
		b.Fatal(err)
	}
	var s struct {
		Parts map[string]struct {
			Received []struct {
				SHA256        string `json:"sha256"`
				Gaps, Doubles int
			} `json:"received"`
		} `json:"parts"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		b.Fatal(err)
	}
	var all []string
	for _, p := range s.Parts {
		for _, r := range p.Received {
			if r.Gaps != 0 || r.Doubles != 0 {
				b.Errorf("the rack received an image with %d gaps and %d doubled chunks; want none", r.Gaps, r.Doubles)
			}
			all = append(all, r.SHA256)
		}
	}
	return all
}

// arrived checks that images arrived whole, byte by byte, and nothing else did.
func (b *bench) arrived(images ...plan.ImageRef) {
	b.Helper()
	var want []string
	for _, i := range images {
		want = append(want, i.SHA256)
	}
	slices.Sort(want)
	got := b.received()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("images that arrived whole (-want +got):\n%s", diff)
	}
}

// stored is what the store remembers as staged.
func (b *bench) stored() map[state.Key]state.StagedRecord {
	b.Helper()
	staged, err := b.store.Staged(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return staged
}

func (b *bench) types() []result.EventType {
	var all []result.EventType
	for _, e := range b.events {
		if e.Type != result.EventProgress {
			all = append(all, e.Type)
		}
	}
	return all
}

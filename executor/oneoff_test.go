package executor_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/image"
	"fwctl/internal/sim"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
)

// flash runs a one-off plan for an image of a revision to all that is at enc1.
func (b *bench) flash(mode plan.Mode, revision, said string) *result.Result {
	b.Helper()
	path := filepath.Join(filepath.Dir(b.file), revision+".bin")
	if err := os.WriteFile(path, sim.Image("ACME", "JBOD-60", revision, 10001), 0o644); err != nil {
		b.Fatal(err)
	}
	img, err := image.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	inv := b.scan()
	var devices []string
	for _, esp := range inv.Enclosures[0].ESPs {
		devices = append(devices, esp.Paths...)
	}
	p, err := build.OneOff(build.Flash{Inventory: inv, Devices: devices, Image: img, Mode: mode, Revision: said})
	if err != nil {
		b.Fatal(err)
	}
	c := b.config()
	c.Plan, c.Images = p, map[string]*image.Image{img.SHA256(): img}
	c.AcceptDisruption, c.Unseen, c.SoleWriter = []inventory.Selector{"all"}, []plan.Unseen{{Enclosure: enc1}}, true
	r, err := executor.Run(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// What a one-off plan comes to, whether the revision was said or not.
func TestOneOffPlans(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		download       string
		mode           plan.Mode
		revision, said string
		outcome        result.RunOutcome
		steps          string // of each module
		words          string
	}{
		"mode 7, and the revision changed":           {"", plan.Mode7, "1100", "", result.RunDone, "updated confirmed 7 1100", ""},
		"mode 7, and the revision is the same":       {"", plan.Mode7, "1000", "", result.RunDone, "updated unconfirmed 7 1000", "the revision does not show which image it runs"},
		"mode 7, and the revision that was said":     {"", plan.Mode7, "1100", "1100", result.RunDone, "updated confirmed 7 1100", ""},
		"mode 7, and another revision than was said": {"", plan.Mode7, "1100", "1200", result.RunFailed, "failed unconfirmed 7 1100", "neither what it ran (1000) nor what it should run (1200)"},
		"mode 7 by WRITE BUFFER":                     {"protocol: write-buffer", plan.Mode7, "1100", "", result.RunDone, "updated confirmed 7 1100", ""},
		"likewise, and the revision is the same":     {"protocol: write-buffer, vanish: false", plan.Mode7, "1000", "", result.RunDone, "updated unconfirmed 7 1000", "the revision does not show"},
		"mode e, staged":                             {"", plan.ModeE, "1100", "", result.RunDone, "staged confirmed e 1000", ""},
		"mode e is refused, and 7 does not follow":   {"modes: ['07']", plan.ModeE, "1100", "1100", result.RunFailed, "failed unconfirmed e 1000", "permits no other mode"},
		"mode 7 is refused, and e does not follow":   {"modes: ['0e', '0f']", plan.Mode7, "1100", "", result.RunFailed, "failed unconfirmed 7 1000", "permits no other mode"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download), func(b *bench) {
				r := b.flash(tt.mode, tt.revision, tt.said)
				second := tt.steps
				if strings.HasPrefix(tt.steps, "failed") {
					second = "skipped unconfirmed  1000"
				}
				b.ended(r, tt.outcome, tt.steps, second)
				b.reason(r, 0, tt.words)
				lu := ""
				for _, w := range b.writes() { // one module after the other
					if now, _, _ := strings.Cut(w, " "); now < lu {
						t.Errorf("writes = %q; want those of one module after those of the other", b.writes())
					} else {
						lu = now
					}
				}
			})
		})
	}
}

// To save and start what is saved already is to start it.
func TestOneOffMode7StartsStaged(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		b.ended(b.flash(plan.ModeE, "1100", ""), result.RunDone, "staged confirmed e 1000", "staged confirmed e 1000")
		before := len(b.writes())
		b.ended(b.flash(plan.Mode7, "1100", ""), result.RunDone, "updated confirmed  1100", "updated confirmed  1100")
		for _, w := range b.writes()[before:] {
			if !strings.Contains(w, " 0f@") {
				t.Errorf("write %q; want the activations alone", w)
			}
		}
	})
}

// A person's word that no other host writes is recorded, for the enclosures that it was given
// for.
func TestSoleWriterIsRecorded(t *testing.T) {
	t.Parallel()
	onRack(t, twoEnclosures(), func(b *bench) {
		hop := b.hop("1100", plan.ModeE)
		c := b.config(b.step(esp1, stage, hop), b.step(esp2, stage, hop), b.step(other+"/esp1/sub0", stage, hop))
		c.Unseen = []plan.Unseen{{Enclosure: enc1, Seen: 1, Expected: 2}}
		if r, err := executor.Run(b.Context(), c); err != nil || r.Refusal != step.RefusedInUse {
			t.Fatalf("Run without anybody's word = %+v, %v; want it refused", r, err)
		}
		c.SoleWriter = true
		if r, err := executor.Run(b.Context(), c); err != nil || r.Outcome != result.RunDone {
			t.Fatalf("Run = %+v, %v; want it done", r, err)
		}
		want := []state.Override{{Kind: state.SoleWriter, Address: esp1}, {Kind: state.SoleWriter, Address: esp2}}
		if got, err := b.store.Overrides(b.Context(), 2); err != nil || !slices.Equal(got, want) {
			t.Errorf("overrides = %v, %v; want %v", got, err, want)
		}
	})
}

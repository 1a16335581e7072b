package build_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/internal/image"
	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
)

// shelves is an inventory of enclosures with two ESPs each: ACME at /dev/sg1 and
// 2, CELESTIC at 3 and 4.
func shelves(t *testing.T) *inventory.Inventory {
	t.Helper()
	var inv inventory.Inventory
	if err := json.Unmarshal(read(t,
		"testdata/chunkSize from the desired state, else from the quirk table, else 4096/inventory.json"), &inv); err != nil {
		t.Fatal(err)
	}
	for i := range inv.Enclosures {
		for j := range inv.Enclosures[i].ESPs {
			inv.Enclosures[i].ESPs[j].Paths = []string{fmt.Sprintf("/dev/sg%d", 2*i+j+1)}
		}
	}
	return &inv
}

var acmeImage = image.New("/tmp/iom-1100.bin", []byte("\x00\x01\x02\x03ACME    JBOD-60         1100\x00\x00\x00\x00"))

// The name of a file that a plan could not be read again with is refused at once.
func TestOneOffNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a\nb.bin", "a\tb.bin", "a\u202eb.bin"} {
		_, err := build.OneOff(
			build.Flash{
				Inventory: shelves(t),
				Devices:   []string{"/dev/sg1"},
				Image:     image.New("/tmp/"+name, []byte{1, 2, 3, 4}),
				Mode:      plan.ModeE,
			},
		)
		if err == nil || !strings.Contains(err.Error(), "characters that cannot be shown") {
			t.Errorf("OneOff of image %q = %v; want that its name cannot be shown", name, err)
		}
	}
}

func flash(t *testing.T, inv *inventory.Inventory, mode plan.Mode, revision string, devices ...string) *plan.Plan {
	t.Helper()
	p, err := build.OneOff(build.Flash{Inventory: inv, Devices: devices, Image: acmeImage, Mode: mode, Revision: revision})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rows are a plan's steps in short.
func rows(p *plan.Plan) []string {
	var all []string
	for _, s := range p.Steps {
		row := []string{s.Address, string(s.Action), string(s.Reset), string(s.Disruption.Worst)}
		for _, h := range s.Hops {
			row = append(row, h.From+">"+h.To)
			for _, m := range h.Modes { // none where it is staged
				row = append(row, string(m))
			}
			row = append(row, h.Image.Name)
		}
		all = append(all, strings.Join(append(row, s.Reasons...), " "))
	}
	return all
}

func TestOneOff(t *testing.T) {
	const a1, a2 = "5000ccab04001000/esp1/sub0", "5000ccab04001000/esp2/sub0"
	other := "5000ccab04001000: esp2 was not named, and runs 1000"
	exposed := "5000ccab04001000: any power loss or hard reset starts image 49e7bb2b on esp1 while esp2 stays on 1000."
	for _, tt := range []struct {
		name     string
		change   func(*inventory.Inventory)
		mode     plan.Mode
		revision string
		devices  []string
		rows     []string
		waves    []plan.WaveKind
		warnings []string
	}{
		{"mode e resets nothing, and no revision is made up", nil, plan.ModeE, "", []string{"/dev/sg1"},
			[]string{a1 + " update never none 1000> e iom-1100.bin"}, []plan.WaveKind{plan.StageWave}, []string{other, exposed}},
		{"mode 7 has no fallback, and resets one module of an enclosure after the other", nil, plan.Mode7, "1100", []string{"/dev/sg2", "/dev/sg1"},
			[]string{a1 + " update always io-interruption 1000>1100 7 iom-1100.bin",
				a2 + " update always io-interruption 1000>1100 7 iom-1100.bin"},
			[]plan.WaveKind{plan.ResetWave, plan.ResetWave}, nil},
		{"several nodes of one module are one", func(inv *inventory.Inventory) {
			inv.Enclosures[0].ESPs[0].Paths = []string{"/dev/sg1", "/dev/sg9"}
		}, plan.ModeE, "1100", []string{"/dev/sg1", "/dev/sg9", "/dev/sg2"},
			[]string{a1 + " update never none 1000>1100 e iom-1100.bin", a2 + " update never none 1000>1100 e iom-1100.bin"},
			[]plan.WaveKind{plan.StageWave}, nil},
		{"health is warned of", func(inv *inventory.Inventory) {
			inv.Enclosures[0].Health = inventory.Health{Critical: true, Failures: []string{"Fan 2: critical"}}
		}, plan.ModeE, "", []string{"/dev/sg1"}, []string{a1 +
			" update never none 1000> e iom-1100.bin"}, []plan.WaveKind{plan.StageWave},
			[]string{"5000ccab04001000: the enclosure reports a critical condition: Fan 2: critical", other, exposed}},
		{"a revision that runs already", nil, plan.ModeE, "1000", []string{"/dev/sg1"}, []string{a1 + " no-op never none it reports 1000 already: to send the image all the same, leave out --revision"}, []plan.WaveKind{}, []string{other}},
		{"mode 7 of what is staged", func(inv *inventory.Inventory) {
			inv.Enclosures[0].ESPs[0].Subenclosures[0].Staged = &inventory.Staged{SHA256: acmeImage.SHA256(),
				Since: inv.ScannedAt, By: "anna", Confirmed: true}
		}, plan.Mode7, "", []string{"/dev/sg1",
			"/dev/sg2"}, []string{a1 + " activate always io-interruption 1000> iom-1100.bin",
			a2 + " update always io-interruption 1000> 7 iom-1100.bin"},
			[]plan.WaveKind{plan.ResetWave, plan.ResetWave}, nil},
		{"a device that reports no revision", func(inv *inventory.Inventory) {
			inv.Enclosures[0].ESPs[0].Subenclosures[0].Revision = ""
		}, plan.Mode7, "", []string{"/dev/sg1"}, []string{a1 +
			" update always io-interruption > 7 iom-1100.bin"}, []plan.WaveKind{plan.ResetWave},
			[]string{other, "5000ccab04001000: after this plan esp1 runs image 49e7bb2b and esp2 stays on 1000 (not in this " +
				"plan)."}},
		{"what the device does not take is blocked", func(inv *inventory.Inventory) {
			inv.Enclosures[0].ESPs[0].Download = inventory.Download{WriteBufferModes: []string{"07"}}
		}, plan.ModeE, "", []string{"/dev/sg1"},
			[]string{a1 + " blocked never none the ESP does not take WRITE BUFFER mode e, and image iom-1100.bin supports no " +
				"other"}, []plan.WaveKind{}, []string{other}},
		{"an image that reads like another product", nil, plan.ModeE, "", []string{"/dev/sg3", "/dev/sg4"},
			[]string{"5000ccab04002000/esp1/sub0 update never none 1000> e iom-1100.bin",
				"5000ccab04002000/esp2/sub0 update never none 1000> e iom-1100.bin"},
			[]plan.WaveKind{plan.StageWave},
			[]string{"image iom-1100.bin: no text in it reads like X2012; packed or encrypted images have none, else it may " +
				"be the wrong file: compare it with the release notes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inv := shelves(t)
			for i := range inv.Enclosures[1].ESPs {
				inv.Enclosures[1].ESPs[i].Subenclosures[0].Product = "X2012"
			}
			if tt.change != nil {
				tt.change(inv)
			}
			p := flash(t, inv, tt.mode, tt.revision, tt.devices...)
			if diff := cmp.Diff(tt.rows, rows(p)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			kinds := []plan.WaveKind{}
			for _, w := range p.Waves {
				kinds = append(kinds, w.Kind)
			}
			if diff := cmp.Diff(tt.waves, kinds); diff != "" {
				t.Errorf("waves (-want +got):\n%s", diff)
			}
			if !slices.Equal(p.Warnings, tt.warnings) {
				t.Errorf("warnings (-want +got):\n%s", cmp.Diff(tt.warnings, p.Warnings))
			}
			p.CreatedAt = time.Date(2026, 11, 22, 10, 5, 0, 0, time.UTC)
			data, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := plan.Parse(data); err != nil {
				t.Errorf("Parse(a one-off plan) = %v; want a plan like any other", err)
			}
		})
	}
}

func TestOneOffOfDevicesThatAreNone(t *testing.T) {
	inv := shelves(t)
	inv.Problems = []inventory.Problem{{Path: "/dev/sg8", Summary: "it does not answer page 01h", Detail: "05/24/00"}}
	_, err := build.OneOff(build.Flash{Inventory: inv, Devices: []string{"/dev/sg1", "/dev/sg3", "/dev/sg8", "/dev/sg99"},
		Image: acmeImage, Mode: plan.ModeE})
	for _, want := range []string{
		"/dev/sg3: it is CELESTIC R0904, and the first device is ACME JBOD-60: one image is for one product",
		"/dev/sg8: it does not answer page 01h (05/24/00)",
		"/dev/sg99: it is not an enclosure that could be read",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OneOff = %v; want %q", err, want)
		}
	}
}

func TestUnseen(t *testing.T) {
	inv := shelves(t)
	inv.Enclosures[0].ESPs = inv.Enclosures[0].ESPs[:1] // it says itself that it has two
	inv.Enclosures[2].ESPs = inv.Enclosures[2].ESPs[:1]
	inv.Enclosures[2].ExpectedESPs = nil
	all := []*inventory.Inventory{inv}
	first := plan.Unseen{Enclosure: "5000ccab04001000", Seen: 1, Expected: 2}
	third := plan.Unseen{Enclosure: "5000ccab04003000", Seen: 1, Expected: 2}
	set := flash(t, inv, plan.ModeE, "", "/dev/sg5")
	for _, tt := range []struct {
		name   string
		p      *plan.Plan
		models map[string]desired.Model
		want   []plan.Unseen
	}{
		{"it says so itself", flash(t, inv, plan.ModeE, "", "/dev/sg1"), nil, []plan.Unseen{first}},
		{"all are in sight", flash(t, inv, plan.ModeE, "", "/dev/sg3"), nil, nil},
		{"nobody knows", set, nil, nil},
		{"the model says so", set, map[string]desired.Model{"flash": {ESPs: 2}}, []plan.Unseen{third}},
		{"nothing is done there", flash(t, inv, plan.ModeE, "1000", "/dev/sg1"), nil, nil},
	} {
		if diff := cmp.Diff(tt.want, build.UnseenESPs(tt.p, tt.models, all)); diff != "" {
			t.Errorf("Unseen where %s (-want +got):\n%s", tt.name, diff)
		}
	}
}

package build_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
	"fwctl/schemas"
)

var update = flag.Bool("update", false, "write the golden files")

// scenario is a folder of testdata, which is named by the sentence that it shows.
type scenario struct {
	desired     *desired.State
	inventories []*inventory.Inventory
	activate    bool
	targets     []inventory.Selector
	size        int64 // of every image
	signedBy    map[string][]string
}

func load(t *testing.T, dir string) scenario {
	t.Helper()
	s := scenario{size: 1 << 20, signedBy: map[string][]string{}}
	var err error
	if s.desired, err = desired.Parse("desired-state.yaml", read(t, dir, "desired-state.yaml")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "inventory*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no inventory in %s", dir)
	}
	for _, f := range files {
		var inv inventory.Inventory
		if err := json.Unmarshal(read(t, f), &inv); err != nil {
			t.Fatal(err)
		}
		s.inventories = append(s.inventories, &inv)
	}
	if _, err := os.Stat(filepath.Join(dir, "args")); err == nil {
		for line := range strings.Lines(string(read(t, dir, "args"))) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch key {
			case "activate":
				s.activate = true
			case "target":
				s.targets = append(s.targets, inventory.Selector(value))
			case "signed":
				image, key, _ := strings.Cut(value, " ")
				for _, m := range s.desired.Models {
					s.signedBy[m.Images[image].SHA256] = append(s.signedBy[m.Images[image].SHA256], key)
				}
			case "size":
				if _, err := fmt.Sscan(value, &s.size); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("unknown line %q in args", line)
			}
		}
	}
	return s
}

func (s scenario) input() build.Input {
	sizes := map[string]int64{}
	for _, m := range s.desired.Models {
		for _, i := range m.Images {
			sizes[i.SHA256] = s.size
		}
	}
	return build.Input{Desired: s.desired, Inventories: s.inventories, ImageSizes: sizes, SignedBy: s.signedBy,
		Activate: s.activate, Targets: s.targets}
}

// encode builds and encodes a plan.
func (s scenario) encode(t *testing.T) []byte {
	t.Helper()
	p, err := build.Plan(s.input())
	if err != nil {
		t.Fatal(err)
	}
	p.CreatedAt = time.Date(2026, 11, 22, 10, 5, 0, 0, time.UTC)
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func scenarios(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/*/desired-state.yaml")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no scenarios in testdata")
	}
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
	}
	return dirs
}

func TestBuild(t *testing.T) {
	for _, dir := range scenarios(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := load(t, dir).encode(t)
			golden := filepath.Join(dir, "plan.json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), string(got)); diff != "" {
				t.Errorf("Build (-want +got):\n%s", diff)
			}
			if _, problems := schemas.Check("plan", golden, got); len(problems) > 0 {
				t.Errorf("the plan does not fit its schema: %v", problems)
			}
			p, err := plan.Parse(got)
			if err != nil {
				t.Fatalf("Parse(Encode) = %v; want no error", err)
			}
			again, err := p.Encode()
			if err != nil || string(again) != string(got) {
				t.Errorf("Encode(Parse(Encode)) = other bytes, %v; want the same", err)
			}
		})
	}
}

// The same input in another order gives the same bytes, and is left as it was.
func TestBuildIsDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, dir := range scenarios(t) {
		want := read(t, dir, "plan.json")
		for range 5 {
			s := load(t, dir)
			shuffle(r, s.inventories)
			for _, inv := range s.inventories {
				shuffle(r, inv.Enclosures)
				shuffle(r, inv.Problems)
				for _, e := range inv.Enclosures {
					shuffle(r, e.ESPs)
					shuffle(r, e.Drives)
					shuffle(r, e.MissingESPs)
					shuffle(r, e.Health.Failures)
					shuffle(r, e.Cautions)
					for _, d := range e.Drives {
						shuffle(r, d.InUse)
						shuffle(r, d.Paths)
					}
					for _, esp := range e.ESPs { // paths are how, never what
						shuffle(r, esp.Expanders)
						shuffle(r, esp.Upstream)
						shuffle(r, esp.Download.WriteBufferModes)
						shuffle(r, esp.Subenclosures)
						for k := range esp.Paths {
							esp.Paths[k] = fmt.Sprintf("/dev/sg%d", r.IntN(1000))
						}
					}
				}
			}
			given, err := json.Marshal(s.inventories)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(s.encode(t))); diff != "" {
				t.Fatalf("%s: Build of shuffled input (-want +got):\n%s", dir, diff)
			}
			if kept, err := json.Marshal(s.inventories); err != nil || string(kept) != string(given) {
				t.Fatalf("%s: Build has changed its input, %v:\n%s", dir, err, cmp.Diff(string(given), string(kept)))
			}
		}
	}
}

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// Promises that hold for every plan.
func TestBuildPromises(t *testing.T) {
	for _, dir := range scenarios(t) {
		p, err := build.Plan(load(t, dir).input())
		if err != nil {
			t.Fatal(err)
		}
		used := map[int]bool{}
		resetBy := map[string]string{} // wave and enclosure: ESP
		for _, s := range p.Steps {
			acts := s.Acts()
			if acts != (len(s.Hops) > 0) || acts != (s.Waves != plan.StepWaves{}) {
				t.Errorf("%s: %s: %s with %d hops in waves %v", dir, s.Address, s.Action, len(s.Hops), s.Waves)
			}
			if (s.Action == plan.Blocked) && len(s.Reasons) == 0 {
				t.Errorf("%s: %s is blocked without a reason", dir, s.Address)
			}
			for _, g := range s.Gates {
				if g.Why == "" || g.Verdict != plan.Failed && s.Action == plan.Blocked && slices.Contains(s.Reasons, g.Why) {
					t.Errorf("%s: %s: its gate %s has %s: %q; its reasons are %q", dir, s.Address, g.Gate, g.Verdict, g.Why, s.Reasons)
				}
			}
			if nothing := !acts && s.Action != plan.Blocked && s.Action != plan.IsStaged; nothing && len(s.Gates) > 0 || acts &&
				len(s.Gates) == 0 {
				t.Errorf("%s: %s: %s, and its gates said %v", dir, s.Address, s.Action, s.Gates)
			}
			if s.Waves.Reset == 0 && s.Disruption.Worst != plan.NoImpact {
				t.Errorf("%s: %s resets in no wave, and its worst is %s", dir, s.Address, s.Disruption.Worst)
			}
			if acts && (s.Disruption.Why == "" || s.WorstDuration <= 0) {
				t.Errorf("%s: %s has no reason or no duration: %+v", dir, s.Address, s)
			}
			used[s.Waves.Stage], used[s.Waves.Reset] = true, true
			if s.Waves.Reset > 0 && !p.Waves[s.Waves.Reset-1].PowerCycle {
				key := fmt.Sprint(s.Waves.Reset, s.Enclosure)
				if other, ok := resetBy[key]; ok && other != s.LUID {
					t.Errorf("%s: wave %d resets %s and %s of one enclosure", dir, s.Waves.Reset, other, s.LUID)
				}
				resetBy[key] = s.LUID
			}
		}
		for i, w := range p.Waves {
			if w.Number != i+1 || !used[w.Number] {
				t.Errorf("%s: wave %d stands at %d, used %v", dir, w.Number, i, used[w.Number])
			}
		}
	}
}

func TestBuildErrors(t *testing.T) {
	dir := filepath.Join("testdata", "Mode e resets nothing by itself")
	for _, tt := range []struct {
		name   string
		change func(*scenario)
		want   string
	}{
		{"a target that matches nothing", func(s *scenario) { s.targets = []inventory.Selector{"5000*", "nothing"} },
			"cannot use --target nothing: it selects nothing in these enclosures"},
		{"two wants on one component", func(s *scenario) {
			s.desired.Want = append(s.desired.Want, desired.Want{Model: "acme60", Image: "iom-1000"})
		},
			"want 1 (acme60, iom-1100) and want 2 (acme60, iom-1000) both match 5000ccab04001000/esp1/sub0 and 1 more (narrow one of them down with enclosures, or take it out)"},
		{"simulated and real", func(s *scenario) {
			s.inventories = append(s.inventories, &inventory.Inventory{Host: "other", Simulated: true})
		}, "cannot plan simulated and real inventories together: make a plan of each"},
		{"one host twice", func(s *scenario) { s.inventories = append(s.inventories, s.inventories[0]) },
			"cannot plan with two inventories of host stor1: leave the older one out"},
	} {
		s := load(t, dir)
		tt.change(&s)
		_, err := build.Plan(s.input())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Build = %v; want %q", tt.name, err, tt.want)
		}
	}
	s := load(t, dir)
	in := s.input()
	in.ImageSizes = nil
	if _, err := build.Plan(in); err == nil || !strings.Contains(err.Error(), "cannot plan without image iom-1100") {
		t.Errorf("Build without the image = %v; want an error that names it", err)
	}
}

// Targets leave out of the plan what they do not mean, and nothing else.
func TestBuildTargets(t *testing.T) {
	dir := filepath.Join("testdata", "globs on identifier or name")
	for pattern, want := range map[inventory.Selector][]string{
		"5000ccab04001000":           {"5000ccab04001000/esp1/sub0", "5000ccab04001000/esp2/sub0"},
		"*/esp2":                     {"5000ccab04001000/esp2/sub0", "5000ccab04002000/esp2/sub0"},
		"r12*":                       {"5000ccab04002000/esp1/sub0", "5000ccab04002000/esp2/sub0"},
		"5000CCAB04001000":           {"5000ccab04001000/esp1/sub0", "5000ccab04001000/esp2/sub0"},
		"5000CCAB0400?000/esp1":      {"5000ccab04001000/esp1/sub0", "5000ccab04002000/esp1/sub0"},
		"r12*/esp2":                  {"5000ccab04002000/esp2/sub0"},
		"5000ccab0400?000/esp1/sub0": {"5000ccab04001000/esp1/sub0", "5000ccab04002000/esp1/sub0"},
	} {
		s := load(t, dir)
		s.targets = []inventory.Selector{pattern}
		p, err := build.Plan(s.input())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, step := range p.Steps {
			got = append(got, step.Address)
		}
		if !slices.Equal(got, want) {
			t.Errorf("--target %s plans %v; want %v", pattern, got, want)
		}
	}
}

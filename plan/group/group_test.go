package group_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/plan"
	"fwctl/plan/group"
)

// randomPlan is a plan whose components have few of everything, so that some are alike.
func randomPlan(r *rand.Rand) *plan.Plan {
	actions := []plan.Action{
		plan.Update, plan.Activate, plan.IsStaged, plan.NoOp, plan.Blocked, plan.Excepted, plan.Unmanaged,
	}
	impacts := []plan.Impact{plan.NoImpact, plan.ESPReset, plan.IOInterruption}
	p := &plan.Plan{}
	for n := range 6 {
		kind := []plan.WaveKind{plan.StageWave, plan.ResetWave}[n%2]
		p.Waves = append(p.Waves, plan.Wave{Number: n + 1, Kind: kind, Canary: n < 2})
	}
	for e := range 1 + r.IntN(30) {
		for side := range 1 + r.IntN(3) {
			s := plan.Step{
				Enclosure: fmt.Sprintf("5000ccab%08x", e), Host: fmt.Sprintf("stor%d", r.IntN(3)),
				Product: fmt.Sprint("JBOD", r.IntN(2)), Current: fmt.Sprint(1000 + r.IntN(2)),
				Action: actions[r.IntN(len(actions))], Waves: plan.StepWaves{Stage: r.IntN(4), Reset: r.IntN(7)},
				Disruption: plan.Disruption{
					Worst: impacts[r.IntN(3)], Why: fmt.Sprintf("%d drives in use behind esp%d", r.IntN(3), side),
				},
			}
			s.Address = fmt.Sprintf("%s/esp%d/sub0", s.Enclosure, side+1)
			if e%3 > 0 {
				s.Name = fmt.Sprintf("r%du%d", e/10, e%10)
			}
			for range r.IntN(2) {
				s.Reasons = append(s.Reasons, fmt.Sprintf("slot %d", r.IntN(3)))
			}
			p.Steps = append(p.Steps, s)
			if r.IntN(3) == 0 {
				about := []string{s.Address, s.Enclosure, "stor1"}[r.IntN(3)]
				p.Warnings = append(p.Warnings, fmt.Sprintf("%s: it is %d", about, r.IntN(2)))
			}
		}
	}
	return p
}

// Every component of a plan is in one group and in one place, at each level.
func TestEveryComponentIsInOneGroup(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		p := randomPlan(rand.New(rand.NewPCG(seed, 1)))
		parts := map[string][]string{} // of an enclosure, by what people call it
		for i := range p.Steps {
			s := &p.Steps[i]
			parts[group.Label(s)] = append(parts[group.Label(s)], strings.TrimPrefix(s.Address, s.Enclosure+"/"))
		}
		groups := -1
		for _, level := range []group.Level{group.Coarse, group.Alike, group.Fine} {
			steps, placed := map[*plan.Step]int{}, map[string]int{}
			of := group.Of(p, level)
			if len(of) < groups {
				t.Errorf("plan %d: level %d has %d groups, a coarser one %d", seed, level, len(of), groups)
			}
			groups = len(of)
			for _, g := range of {
				for _, s := range g.Steps {
					steps[s]++
				}
				enclosures := 0
				for _, place := range g.Places() {
					enclosures += len(place.Enclosures)
					if !slices.IsSortedFunc(place.Enclosures, group.CompareNames) {
						t.Errorf("plan %d: %v is not in the order of names", seed, place.Enclosures)
					}
					for _, e := range place.Enclosures {
						components := place.Components
						if components == nil {
							components = parts[e]
						}
						for _, c := range components {
							placed[e+"/"+c]++
						}
					}
				}
				if enclosures != g.Enclosures() {
					t.Errorf("plan %d: a group of %d enclosures is in %d", seed, g.Enclosures(), enclosures)
				}
			}
			if len(steps) != len(p.Steps) || len(placed) != len(p.Steps) {
				t.Errorf("plan %d, level %d: %d components in groups, %d in places; want %d",
					seed, level, len(steps), len(placed), len(p.Steps))
			}
			for s, n := range steps {
				at := placed[group.Label(s)+"/"+strings.TrimPrefix(s.Address, s.Enclosure+"/")]
				if n != 1 || at != 1 {
					t.Errorf("plan %d, level %d: %s is in %d groups and %d places", seed, level, s.Address, n, at)
				}
			}
		}
	}
}

// What is blocked comes first, then the waves in their order, in each what stops I/O first,
// and what nothing is done with comes last.
func TestOrderOfGroups(t *testing.T) {
	t.Parallel()
	step := func(name string, action plan.Action, wave int, worst plan.Impact) plan.Step {
		return plan.Step{
			Address: name + "/esp1/sub0", Enclosure: name, Action: action, Waves: plan.StepWaves{Reset: wave},
			Disruption: plan.Disruption{Expected: worst, Worst: worst},
		}
	}
	p := &plan.Plan{Steps: []plan.Step{
		step("a", plan.NoOp, 0, ""), step("b", plan.Update, 2, plan.ESPReset),
		step("c", plan.Update, 2, plan.IOInterruption), step("d", plan.Unmanaged, 0, ""),
		step("e", plan.Update, 1, plan.NoImpact), step("f", plan.IsStaged, 0, ""), step("g", plan.Blocked, 0, ""),
	}}
	got := ""
	for _, g := range group.Of(p, group.Fine) {
		got += g.Steps[0].Enclosure
	}
	if want := "gecbfad"; got != want {
		t.Errorf("groups in the order %s; want %s", got, want)
	}
}

// Reasons that differ in a number are one if no I/O stops, and never if some may.
func TestFineGroupsAreExactWhereItMatters(t *testing.T) {
	t.Parallel()
	for worst, want := range map[plan.Impact]int{plan.ESPReset: 1, plan.IOInterruption: 2} {
		p := &plan.Plan{}
		for i := range 2 {
			p.Steps = append(p.Steps, plan.Step{
				Enclosure: fmt.Sprint(i), Address: fmt.Sprintf("%d/esp1/sub0", i), Action: plan.Update,
				Disruption: plan.Disruption{Expected: worst, Worst: worst, Why: fmt.Sprintf("%d drives in use", i+2)},
			})
		}
		if got := len(group.Of(p, group.Fine)); got != want {
			t.Errorf("two components that differ in a number, at worst %s, are %d groups; want %d", worst, got, want)
		}
	}
}

// A range is every name from its first to its last, and each was given.
func TestRanges(t *testing.T) {
	t.Parallel()
	nines, zeros := strings.Repeat("9", 39), strings.Repeat("0", 39)
	for _, tt := range []struct{ names, want string }{
		{"r1u01 r1u02 r1u03 r1u04", "r1u01-r1u04"},
		{"r1u01 r1u02 r1u03", "r1u01 r1u02 r1u03"},
		{"r1u01 r1u02 r1u04 r1u05 r1u06 r1u07", "r1u01 r1u02 r1u04-r1u07"},
		{"r1u8 r1u9 r1u10 r1u11", "r1u8-r1u11"},
		{"r1u07 r1u08 r1u09 r1u10", "r1u07-r1u10"},
		{"r1u97 r1u98 r1u99 r1u100", "r1u97-r1u100"},
		{"r1u097 r1u098 r1u099 r1u100", "r1u097-r1u100"},
		{"r1u1 r1u01 r1u2 r1u3 r1u4", "r1u01 r1u1-r1u4"},
		{"a1b a2b a3b a4b", "a1b-a4b"},
		{"a1b a2c a3b a4b", "a1b a2c a3b a4b"},
		{"8 9 10 11", "8-11"},
		{"ä1 ä2 ä3 ä4", "ä1-ä4"},
		{"alpha beta gamma", "alpha beta gamma"},
		// What lies between two of them is for hexadecimal digits to say.
		{"5000ccab04001000 5000ccab04001001 5000ccab04001002 5000ccab04001003",
			"5000ccab04001000 5000ccab04001001 5000ccab04001002 5000ccab04001003"},
		{"lu-1 lu-2 lu-3 lu-4", "lu-1 lu-2 lu-3 lu-4"},
		// More digits than any number of a machine's.
		{"x" + nines + "8 x" + nines + "9 x1" + zeros + "0 x1" + zeros + "1", "x" + nines + "8-x1" + zeros + "1"},
	} {
		names := strings.Fields(tt.names)
		slices.SortFunc(names, group.CompareNames)
		var got []string
		count := 0
		for _, r := range group.Ranges(names) {
			count += r.Count
			if r.Count == 1 {
				got = append(got, r.First)
			} else {
				got = append(got, r.First+"-"+r.Last)
			}
		}
		if strings.Join(got, " ") != tt.want || count != len(names) {
			t.Errorf("Ranges(%s) = %s, %d names; want %s", tt.names, got, count, tt.want)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		texts []string
		want  []group.Reason
	}{
		{"one", []string{"3 drives in use"}, []group.Reason{{Text: "3 drives in use", Components: 1}}},
		{"none", []string{"", ""}, nil},
		{"counts", []string{"mode 7 resets esp1; 3 drives in use", "mode 7 resets esp1; 12 drives in use"},
			[]group.Reason{{Text: "mode 7 resets esp1; 3 to 12 drives in use", Components: 2}}},
		{"lists", []string{"slots 7, 11 in use, SATA", "slots 7 in use, SATA"},
			[]group.Reason{{Text: "slots ... in use, SATA", Components: 2}}},
		{"revisions are no counts", []string{"no image starts at 0990", "no image starts at 1000"},
			[]group.Reason{{Text: "no image starts at ...", Components: 2}}},
		{"the most first, line by line", []string{"cold", "hot at 9\nfan 1", "hot at 9\nfan 2"},
			[]group.Reason{{Text: "hot at 9\nfan ...", Components: 2}, {Text: "cold", Components: 1}}},
	} {
		if diff := cmp.Diff(tt.want, group.Reasons(tt.texts)); diff != "" {
			t.Errorf("%s: Reasons (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Warnings that say the same are one, and each is counted.
func TestWarnings(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{
		Steps: []plan.Step{
			{Address: "5000ccab04001000/esp1/sub0", Enclosure: "5000ccab04001000", Name: "r1u1"},
			{Address: "5000ccab04002000/esp1/sub0", Enclosure: "5000ccab04002000", Name: "r1u2"},
		},
		Warnings: []string{
			"5000ccab04002000/esp1/sub0: starts 1100", "5000ccab04001000/esp1/sub0: starts 1100",
			"5000ccab04001000: starts 1200",
			"stor1: /dev/sg1 could not be read", "stor2: /dev/sg1 could not be read", "a want matches nothing",
		},
	}
	sides := []group.Place{{Components: []string{"esp1/sub0"}, Enclosures: []string{"r1u1", "r1u2"}}}
	hosts := []group.Place{{Enclosures: []string{"stor1", "stor2"}}}
	for level, want := range map[group.Level][]group.Warning{
		group.Fine: {
			{Text: "starts 1100", Places: sides, Count: 2},
			{Text: "5000ccab04001000: starts 1200", Count: 1},
			{Text: "/dev/sg1 could not be read", Places: hosts, Count: 2},
			{Text: "a want matches nothing", Count: 1},
		},
		group.Alike: {
			{Text: "starts ...", Places: sides, Count: 3},
			{Text: "/dev/sg1 could not be read", Places: hosts, Count: 2},
			{Text: "a want matches nothing", Count: 1},
		},
	} {
		if diff := cmp.Diff(want, group.Warnings(p, level)); diff != "" {
			t.Errorf("Warnings at level %d (-want +got):\n%s", level, diff)
		}
	}
	for seed := range uint64(100) {
		p := randomPlan(rand.New(rand.NewPCG(seed, 2)))
		for _, level := range []group.Level{group.Fine, group.Alike} {
			n := 0
			for _, w := range group.Warnings(p, level) {
				n += w.Count
			}
			if n != len(p.Warnings) {
				t.Errorf("plan %d has %d warnings in groups; want %d", seed, n, len(p.Warnings))
			}
		}
	}
}

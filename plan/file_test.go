package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"fwctl/plan"
)

// golden reads the plan that plan/build makes of a scenario.
func golden(t *testing.T, scenario string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("build", "testdata", scenario, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func savedPlan(t *testing.T) []byte {
	t.Helper()
	return golden(t, "A revision is text")
}

// Whatever byte of a saved plan is flipped, it is found; but for the time of its
// creation, which the digest does not cover.
func TestParseFindsFlippedBytes(t *testing.T) {
	t.Parallel()
	data := savedPlan(t)
	start := bytes.Index(data, []byte(`"created_at": "`)) + len(`"created_at": "`)
	end := start + bytes.IndexByte(data[start:], '"')
	for i := range data {
		if start <= i && i < end || raceDetector && i%8 != 0 { // make test tries all, without the race detector
			continue
		}
		for _, mask := range []byte{0x01, 0x20} { // 0x20: the other case of a letter, to which encoding/json is blind
			if mask == 0x20 && !unicode.IsLetter(rune(data[i])) {
				continue
			}
			data[i] ^= mask
			p, err := plan.Parse(data)
			var damaged *plan.DamagedError
			if p != nil || !errors.As(err, &damaged) {
				t.Errorf("Parse with byte %d flipped to %q = %v; want a *DamagedError", i, data[i], err)
			}
			data[i] ^= mask
		}
	}
	if _, err := plan.Parse(data); err != nil {
		t.Errorf("Parse of the plan itself = %v; want no error", err)
	}
}

// Another creation time and another layout are the same plan.
func TestDigestCoversThePlan(t *testing.T) {
	p := must(plan.Parse(savedPlan(t)))
	before := p.Digest
	p.CreatedAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	data := must(p.Encode())
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		t.Fatal(err)
	}
	q, err := plan.Parse(compact.Bytes())
	if err != nil || q.Digest != before {
		t.Errorf("Parse of the compact plan = %v; want the digest that it had", err)
	}
}

func TestParseErrors(t *testing.T) {
	saved := string(savedPlan(t))
	for _, tt := range []struct{ name, data, want string }{
		{"empty", "", "it is not valid JSON"},
		{"cut", saved[:len(saved)/2], "it is not valid JSON"},
		{"a YAML file", "kind: DesiredState\n", "it is not valid JSON"},
		{"an inventory", `{"format_version": "1.0", "kind": "Inventory"}`, `it is of kind "Inventory", not Plan`},
		{"a later format", strings.Replace(saved, `"format_version": "1.0"`, `"format_version": "2.0"`, 1), `its format is version "2.0", and this fwctl reads 1.0`},
		{"a key of another version", strings.Replace(saved, `"simulated"`, `"virtual": true, "simulated"`, 1), `plan:6:3: unknown key "virtual"`},
		{"a chunk that is not a multiple of 4", strings.Replace(saved, `"chunk_size": 4096`, `"chunk_size": 4095`, 1), `chunk_size is 4095; it must be a multiple of 4`},
		{"another host", strings.ReplaceAll(saved, `"stor1"`, `"stor2"`), "it was changed after it was written: its digest is sha256:"},
	} {
		p, err := plan.Parse([]byte(tt.data))
		var damaged *plan.DamagedError
		if p != nil || !errors.As(err, &damaged) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse of %s = %v; want a *DamagedError with %q", tt.name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range must(filepath.Glob("build/testdata/*/plan.json")) {
		f.Add(must(os.ReadFile(file)))
	}
	check := func(t *testing.T, data []byte) {
		p, err := plan.Parse(data)
		if err != nil {
			var damaged *plan.DamagedError
			if p != nil || !errors.As(err, &damaged) {
				t.Fatalf("Parse = %v, %v; want no plan and a *DamagedError", p, err)
			}
			return
		}
		digest := p.Digest
		if q := must(plan.Parse(must(p.Encode()))); q.Digest != digest {
			t.Errorf("Parse(Encode(p)) has digest %s; want %s", q.Digest, digest)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
		// Changed by somebody who knows how to make a digest: what is behind the
		// digest is looked at too.
		var p plan.Plan
		if json.Unmarshal(data, &p) != nil {
			return
		}
		if signed, err := p.Encode(); err == nil {
			check(t, signed)
		}
	})
}

// A plan made by hand, with a digest that fits, is refused if the executor could not carry it
// out as it is.
func TestParseRefusesContradictions(t *testing.T) {
	saved := golden(t, "the shortest chain by from is planned")
	const address = "5000ccab04001000/esp1/sub0: "
	for _, tt := range []struct {
		name   string
		change func(*plan.Plan)
		want   string
	}{
		{"a line break in a revision", func(p *plan.Plan) { p.Steps[0].Hops[0].To, p.Steps[0].Hops[1].From = "10\n50", "10\n50" }, "more than a line"},
		{"a line break in the name of a policy", func(p *plan.Plan) { p.Steps[0].Policy = "a\nb" }, "more than a line"},
		{"a line break in the name of the desired state", func(p *plan.Plan) { p.DesiredState.Name = "a\nb" }, "more than a line"},
		{"less time than its hops take", func(p *plan.Plan) { p.Steps[0].WorstDuration = plan.Duration(time.Minute) }, "it says that it takes up to 1m"},
		{"a disruption that nobody expects", func(p *plan.Plan) { p.Steps[0].Disruption.Expected = plan.NoImpact }, "expects no disruption"},
		{"too many at a time", func(p *plan.Plan) { p.Rollout.MaxParallel = 1 << 28 }, "at most 100000"},
		{"a soak of years", func(p *plan.Plan) { p.Rollout.Soak = plan.Duration(100000 * time.Hour) }, "its rollout is"},
		{"a tab in a name", func(p *plan.Plan) { p.Steps[0].Name = "r12\tu20" }, "more than a line"},
		{"no time to write flash", func(p *plan.Plan) { p.Steps[0].Hops[0].FlashTimeout = 0 }, "no time to write flash"},
		{"a time of years", func(p *plan.Plan) { p.Steps[0].Hops[0].Settle = plan.Duration(100000 * time.Hour) }, "longer than"},
		{"a page of the standard", func(p *plan.Plan) { p.Steps[0].Hops[0].ActivationPage = "0e 00 00 00" }, "0Eh, is not a vendor's page"},
		{"a page of another length", func(p *plan.Plan) { p.Steps[0].Hops[0].ActivationPage = "10 00 00 09" }, "the length that it says"},
		{"two fault domains in one enclosure", func(p *plan.Plan) {
			p.Steps[1].Enclosure, p.Steps[1].FaultDomain = p.Steps[0].Enclosure, p.Steps[0].FaultDomain+1
		}, "another fault domain"},
		{"a wave that is not there", func(p *plan.Plan) { p.Steps[0].Waves.Reset = 99 }, address + "its waves, stage 1 and reset 99, do not exist"},
		{"a wave of the other kind", func(p *plan.Plan) { p.Steps[0].Waves.Stage, p.Steps[0].Waves.Reset = 2, 1 }, "do not exist or do not suit its hops"},
		{"no wave", func(p *plan.Plan) { p.Steps[0].Waves = plan.StepWaves{} }, "do not exist or do not suit its hops"},
		{"a wave twice", func(p *plan.Plan) { p.Waves[1].Number = 1 }, "wave 1 stands where wave 2 should"},
		{"a wave for a window that is not there", func(p *plan.Plan) { p.Waves[0].Windows = []string{"w"} }, `wave 1 is for window "w"`},
		{"a hop without a mode", func(p *plan.Plan) { p.Steps[0].Hops[1].Modes = []plan.Mode{} }, address + "hop 2 has no mode"},
		{"a first hop without a mode", func(p *plan.Plan) { p.Steps[0].Hops[0].Modes = []plan.Mode{} }, address + "hop 1 has no mode"},
		{"mode 7 before e", func(p *plan.Plan) { p.Steps[0].Hops[0].Modes = []plan.Mode{"7", "e"} }, address + "hop 1: its modes are [7 e]"},
		{"a hop that nothing starts", func(p *plan.Plan) { p.Steps[0].Hops[0].Activation = plan.Manual }, address + "nothing starts hop 1 before the next"},
		{"hops that do not follow", func(p *plan.Plan) { p.Steps[0].Hops[1].From = "1000" }, address + "hop 2 starts at 1000, and 1050 runs then"},
		{"hops that start elsewhere", func(p *plan.Plan) { p.Steps[0].Current = "0990" }, "that is not where its hops start"},
		{"an activation of what is not staged", func(p *plan.Plan) {
			s := &p.Steps[0]
			s.Action, s.Hops, s.Waves.Stage = plan.Activate, s.Hops[:1], 0
			s.Hops[0].Modes = []plan.Mode{}
			p.Summary.Update, p.Summary.Activate = p.Summary.Update-1, 1
		}, address + "it activates what is not staged"},
		{"a reset where none is permitted", func(p *plan.Plan) { p.Steps[0].Reset = plan.ResetNever }, "it resets, and says reset: never"},
		{"a reset that disturbs nobody", func(p *plan.Plan) { p.Steps[0].Disruption.Worst = plan.NoImpact }, "Worst:none"},
		{"another enclosure", func(p *plan.Plan) { p.Steps[0].Enclosure = "5000ccab04002000" }, address + "its address is not that of"},
		{"another subenclosure", func(p *plan.Plan) { p.Steps[0].Subenclosure = 3 }, address + "its address is not that of"},
		{"no logical unit", func(p *plan.Plan) { p.Steps[0].LUID = "" }, address + "a value is missing"},
		{"one component twice", func(p *plan.Plan) { p.Steps[1].LUID = p.Steps[0].LUID }, "it is the same component as 5000ccab04001000/esp1/sub0"},
		{"one address twice", func(p *plan.Plan) { p.Steps[1].Address = p.Steps[0].Address }, "it is listed twice, or out of order"},
		{"both sides at once", func(p *plan.Plan) { p.Steps[1].Waves.Reset = p.Steps[0].Waves.Reset }, "resets another ESP of its fault domain too"},
		{"an unknown fault domain reset beside others", func(p *plan.Plan) {
			p.Rollout.MaxParallel = 8
			p.Steps[0].FaultDomain, p.Steps[1].FaultDomain = 0, 0
			p.Steps[1].Waves.Reset = p.Steps[0].Waves.Reset
		}, "the fault domain of one of them is unknown"},
		{"an unknown fault domain before others", func(p *plan.Plan) {
			moveTo(&p.Steps[1], "5000ccab04001800", 7)
			p.Steps[0].FaultDomain = 0
			p.Steps[1].Waves.Reset = p.Steps[0].Waves.Reset
		}, "the fault domain of one of them is unknown"},
		{"an unknown fault domain after others", func(p *plan.Plan) {
			moveTo(&p.Steps[1], "5000ccab04001800", 0)
			p.Steps[1].Waves.Reset = p.Steps[0].Waves.Reset
		}, "the fault domain of one of them is unknown"},
		{"another address of subenclosure 0", func(p *plan.Plan) { p.Steps[0].Aliases = []string{"5000ccab04001000/esp3/sub0"} }, "are not other addresses"},
		{"another address in another enclosure", func(p *plan.Plan) { p.Steps[0].Aliases = []string{"5000ccab04002000/esp3/sub3"} }, "are not other addresses"},
		{"another address behind the same ESP", func(p *plan.Plan) { p.Steps[0].Aliases = []string{"5000ccab04001000/esp1/sub3"} }, "are not other addresses"},
		{"another address that is none", func(p *plan.Plan) { p.Steps[0].Aliases = []string{"all"} }, "are not other addresses"},
		{"an update that does nothing", func(p *plan.Plan) { p.Steps[0].Hops, p.Steps[0].Waves = []plan.Hop{}, plan.StepWaves{} }, "its action is update, and it has 0 hops"},
		{"a wait for power of what is not staged", func(p *plan.Plan) { p.Steps[0].WaitsForPower = true }, address + "it waits for a power cycle, and nothing is staged"},
		{"a no-op that does something", func(p *plan.Plan) {
			p.Steps[0].Action = plan.NoOp
			p.Summary.Update, p.Summary.NoOp = p.Summary.Update-1, 1
		}, "its action is no-op, and it has 2 hops"},
		{"a wave for a person", func(p *plan.Plan) { p.Waves[1].PowerCycle = true }, "do not agree on who resets it"},
		{"a summary of something else", func(p *plan.Plan) { p.Summary.Update = 0 }, "its summary says"},
		{"odd chunks", func(p *plan.Plan) { p.Steps[0].Hops[0].ChunkSize = 4095 }, "must be a multiple of 4"},
		{"a gate that is none", func(p *plan.Plan) { p.Steps[0].Gates[0].Gate = "requireLuck" }, `gate is "requireLuck"; it must be one of`},
		{"a verdict that is none", func(p *plan.Plan) { p.Steps[0].Gates[0].Verdict = "perhaps" }, `verdict is "perhaps"; it must be one of`},
		{"a gate that failed and does not block", func(p *plan.Plan) { p.Steps[0].Gates[0].Verdict = plan.Failed }, address + "its gate requireAllESPs has failed, and it is not blocked"},
		{"a reset that its gate did not let pass", func(p *plan.Plan) {
			i := slices.IndexFunc(p.Steps[0].Gates, func(g plan.GateResult) bool { return g.Gate == plan.GateReset })
			p.Steps[0].Gates[i].Verdict = plan.Failed
		}, address + "its gate reset has failed"},
		{"a chunk that fits no page", func(p *plan.Plan) { p.Steps[0].Hops[0].ChunkSize = 65512 }, "must be at most 65508"},
		{"a block without a reason", func(p *plan.Plan) {
			s := &p.Steps[0]
			s.Action, s.Hops, s.Waves = plan.Blocked, []plan.Hop{}, plan.StepWaves{}
			p.Summary.Update, p.Summary.Blocked = p.Summary.Update-1, 1
		}, address + "it is blocked without a reason"},
		{"a download after the reset", func(p *plan.Plan) {
			p.Waves = append(p.Waves, plan.Wave{Number: len(p.Waves) + 1, Kind: plan.StageWave, Windows: []string{}})
			p.Steps[0].Waves.Stage = len(p.Waves)
		}, address + "it is staged in wave"},
		{"a power cycle in a wave that stages", func(p *plan.Plan) { p.Waves[0].PowerCycle = true }, "wave 1 stages, and waits for a power cycle"},
		{"a power cycle among other hops", func(p *plan.Plan) {
			p.Steps[0].Hops[1].Activation, p.Steps[0].Hops[1].ActivateBy = plan.WithApply, plan.ByPowerCycle
		}, address + "hop 2 waits for a power cycle among others"},
		{"what a terminal obeys", func(p *plan.Plan) { p.Steps[0].Reasons = []string{"a\nb", "\x1b[2J"} }, "cannot be shown: U+001B"},
		{"what turns the writing round", func(p *plan.Plan) { p.Steps[0].Name = "\u00fc\u202e" }, "cannot be shown: U+202E"},
		{"what deletes", func(p *plan.Plan) { p.Warnings = []string{"\x7f"} }, "control characters are not allowed"},
		{"another impact", func(p *plan.Plan) { p.Steps[0].Disruption.Worst = "much" }, "worst"},
	} {
		p := must(plan.Parse(saved))
		tt.change(p)
		data := must(p.Encode())
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{data, compact.Bytes()} {
			_, err := plan.Parse(data)
			var damaged *plan.DamagedError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse of a plan with %s = %v; want a *DamagedError with %q", tt.name, err, tt.want)
			}
		}
	}
}

// moveTo makes a step one of esp2 of another enclosure and fault domain.
func moveTo(s *plan.Step, enclosure string, domain int) {
	s.Enclosure, s.Address, s.FaultDomain = enclosure, enclosure+"/esp2/sub0", domain
}

// Two enclosures of one fault domain, or of an unknown one, are not power-cycled at once.
func TestParseKeepsPowerCyclesApart(t *testing.T) {
	t.Parallel()
	saved := golden(t, "a person power-cycles one enclosure of a fault domain in a wave")
	for _, unknown := range []bool{false, true} {
		p := must(plan.Parse([]byte(saved)))
		cycles := func(s *plan.Step) bool { return s.Waves.Reset > 0 && p.Waves[s.Waves.Reset-1].PowerCycle }
		first := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return cycles(&s) })
		moved := false
		for i := range p.Steps {
			s := &p.Steps[i]
			if unknown {
				s.FaultDomain = 0
			}
			if cycles(s) && s.Waves.Reset != p.Steps[first].Waves.Reset {
				s.Waves.Reset, moved = p.Steps[first].Waves.Reset, true
			}
		}
		_, err := plan.Parse(must(p.Encode()))
		if !moved || err == nil || !strings.Contains(err.Error(), "resets another enclosure") {
			t.Errorf(
				"Parse with power cycles in one wave (fault domain unknown: %t) = %v; want that they are apart",
				unknown,
				err,
			)
		}
	}
}

// A max_parallel far above the number of components does not cost memory.
func TestWorstOfMany(t *testing.T) {
	p := must(plan.Parse([]byte(golden(t, "the shortest chain by from is planned"))))
	p.Rollout.MaxParallel = 1000
	want := p.Worst()
	p.Rollout.MaxParallel = 1 << 40 // more than any memory
	if got := p.Worst(); !slices.Equal(got, want) {
		t.Errorf("Worst with any number at a time = %v; want %v", got, want)
	}
}

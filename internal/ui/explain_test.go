package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/plan"
)

// What explain says of every kind of step, as a golden file.
func TestExplainView(t *testing.T) {
	t.Parallel()
	p := examplePlan()
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Vendor, s.Product, s.Reset, s.FaultDomain = "ACME", "JBOD-60", plan.ResetRedundant, i/2
		if s.Action != plan.Unmanaged {
			s.Model, s.Image = "acme60", "iom-"+s.Desired
		}
		s.Preconditions = plan.Preconditions{Revision: s.Current, ESPs: []string{s.LUID}}
	}
	const census = "1 of 2 I/O modules are in sight, not esp1: plan with an inventory of each host that is attached, or " +
		"see why it is gone"
	p.Steps[1].Reasons = append(p.Steps[1].Reasons, census)
	p.Steps[1].Gates = []plan.GateResult{
		{Gate: plan.GateAllESPs, Verdict: plan.Failed, Why: census}, {Gate: plan.GateHealthy, Verdict: plan.Waived, Why: "Power Supply 2: critical, waived until 2027-01-31: bay is empty by design"},
		{Gate: plan.GateReset, Verdict: plan.Passed, Why: "12 drives in use, all with a live path through esp1"},
	}
	p.Steps[2].Gates = []plan.GateResult{{Gate: plan.GateReset, Verdict: plan.Failed, Why: "the policy says reset: never"}}
	p.Steps[0].Later = p.Steps[4].Hops
	for _, width := range []int{80, 200} {
		var got strings.Builder
		for i := range p.Steps {
			got.WriteString((Screen{Width: width}).Explain(p, &p.Steps[i], noon) + "\n")
		}
		golden := filepath.Join("testdata", "view", fmt.Sprintf("explain-%d.txt", width))
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("Explain at %d columns (-want +got):\n%s", width, diff)
		}
	}
}

func TestSpell(t *testing.T) {
	t.Parallel()
	for d, want := range map[string]string{
		"0s": "0 s", "59s": "59 s", "60s": "1 min", "90s": "1 min 30 s", "58m": "58 min", "6h": "6 h", "1h15m": "1 h 15 min",
		"24h": "1 d", "24h5m": "1 d", "123h59m": "5 d 3 h", "1h0m30s": "1 h",
	} {
		var v plan.Duration
		if err := v.UnmarshalJSON([]byte(`"` + d + `"`)); err != nil {
			t.Fatal(err)
		}
		if got := Spell(v); got != want {
			t.Errorf("Spell(%s) = %s; want %s", d, got, want)
		}
	}
}

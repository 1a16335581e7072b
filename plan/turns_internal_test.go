package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// takesTurns is quick, and Before says the same step by step.
func TestTakesTurnsAsBefore(t *testing.T) {
	t.Parallel()
	yes := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := &Plan{}
		for n := range 1 + r.IntN(4) {
			kind := StageWave
			if r.IntN(2) == 0 {
				kind = ResetWave
			}
			p.Waves = append(p.Waves, Wave{Number: n + 1, Kind: kind, Canary: r.IntN(4) == 0})
		}
		for range 1 + r.IntN(5) {
			s := Step{
				Host: fmt.Sprintf("stor%d", r.IntN(3)), Action: Update, FaultDomain: r.IntN(3),
				Waves: StepWaves{Stage: r.IntN(len(p.Waves) + 1), Reset: r.IntN(len(p.Waves) + 1)},
			}
			p.Steps = append(p.Steps, s)
		}
		work := map[string]map[int][]*Step{}
		for i := range p.Steps {
			s := &p.Steps[i]
			for _, w := range p.WavesOf(s) {
				if work[s.Host] == nil {
					work[s.Host] = map[int][]*Step{}
				}
				work[s.Host][w.Number] = append(work[s.Host][w.Number], s)
			}
		}
		want := false
		for host, waves := range work {
			for _, w := range p.Waves {
				domains := map[int]bool{}
				for _, s := range waves[w.Number] {
					domains[s.FaultDomain] = true
				}
				if number, _ := p.Before(w, host, domains); number != 0 && len(domains) > 0 {
					want = true
				}
			}
		}
		if want {
			yes++
		}
		if got := p.takesTurns(work); got != want {
			t.Fatalf("seed %d: takesTurns = %v; Before says %v, of\n%+v\n%+v", seed, got, want, p.Waves, p.Steps)
		}
	}
	if yes < 1000 || yes > 19_000 {
		t.Errorf("%d of 20000 plans take turns; want some that do and some that do not", yes)
	}
}

package build

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"fwctl/plan"
	"fwctl/plan/impact"
)

// place is where a draft comes in the order of waves. Drafts of one place share a wave.
type place struct {
	// rest: it follows the canaries.
	rest  bool
	phase phase
	// side is that of resets: 0, all A sides, comes first.
	side int
	// rank counts resets of its fault domain on that side, from 1, so that each has a wave of its
	// own.
	rank int
	// alone is the enclosure of resets in an unknown fault domain: nothing else shares its wave.
	alone string
	// primary: resets of subenclosure 0 follow the others, because they start what these have
	// staged.
	primary bool
	// windows are names, joined by line feeds.
	windows string
}

// phase is the order of what is done to enclosures.
type phase int

const (
	staging     phase = iota
	resetting         // by commands
	cycling           // by a person who power-cycles
	lateStaging       // of what none of the resets may start
)

func (p place) compare(q place) int {
	return cmp.Or(
		compareBool(p.rest, q.rest), cmp.Compare(p.phase, q.phase), cmp.Compare(p.side, q.side),
		cmp.Compare(p.rank, q.rank),
		strings.Compare(p.alone, q.alone), compareBool(p.primary, q.primary), strings.Compare(p.windows, q.windows),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// wave returns the wave of a place, without its number.
func (p place) wave() plan.Wave {
	w := plan.Wave{Kind: plan.ResetWave, Windows: []string{}, Canary: !p.rest, PowerCycle: p.phase == cycling}
	if p.phase == staging || p.phase == lateStaging {
		w.Kind = plan.StageWave
	}
	if p.windows != "" {
		w.Windows = strings.Split(p.windows, "\n")
	}
	return w
}

// assignWaves puts drafts into waves and returns these. Stage waves come first, then reset
// waves, with at most one ESP of a fault domain in a wave, and all A sides before any B side.
// The canaries go through all of that first. An ESP whose fault domain is unknown is alone in
// its reset wave. Components whose policies name different windows are in different waves.
func assignWaves(drafts []*draft, rollout plan.Rollout) []plan.Wave {
	work := slices.DeleteFunc(slices.Clone(drafts), func(d *draft) bool { return len(d.step.Hops) == 0 })
	canaries := pickCanaries(work, rollout.Canary)
	ranks := rankResets(work)

	at := map[place]*plan.Wave{}
	waveAt := func(p place) *plan.Wave {
		if at[p] == nil {
			w := p.wave()
			at[p] = &w
		}
		return at[p]
	}
	for _, d := range work {
		rest := !canaries[d.e]
		if d.step.Hops[0].MayDefer() {
			p := place{rest: rest, phase: staging, windows: d.want.stageWindows}
			if d.late {
				p.phase = lateStaging
			}
			d.stage = waveAt(p)
		}
		if d.step.Resets() {
			p := place{rest: rest, phase: resetting, side: d.ESP.Side, rank: ranks[d.resetBy()],
				primary: d.Sub.ID == 0, windows: d.want.resetWindows}
			if d.step.Last().ByPerson() {
				p.phase, p.side, p.primary = cycling, 0, true
			}
			if d.step.FaultDomain == 0 {
				p.alone = d.step.LUID
				if p.phase == cycling {
					p.alone = d.e.ID
				}
			}
			d.reset = waveAt(p)
		}
	}
	waves := []plan.Wave{}
	for _, p := range slices.SortedFunc(maps.Keys(at), place.compare) {
		w := at[p]
		w.Number = len(waves) + 1
		if last := len(waves) - 1; last >= 0 && waves[last].Canary && !w.Canary {
			waves[last].Soak = rollout.Soak
		}
		waves = append(waves, *w)
	}
	for _, d := range work {
		if d.stage != nil {
			d.step.Waves.Stage = d.stage.Number
		}
		if d.reset != nil {
			d.step.Waves.Reset = d.reset.Number
		}
	}
	return waves
}

func joinWindows(names []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), "\n")
}

// resetBy returns what a draft's reset takes down: an ESP by a command, an enclosure by a person.
func (d *draft) resetBy() target {
	if d.step.Last().ByPerson() {
		return target{enclosure: d.e}
	}
	return target{esp: d.ESP}
}

// rankResets numbers the resets of each fault domain and side, from 1.
func rankResets(work []*draft) map[target]int {
	type group struct {
		domain *impact.Domain // all of it goes with the canaries, or with the rest
		person bool
		side   int
	}
	count, ranks := map[group]int{}, map[target]int{}
	for _, d := range work { // by address
		if !d.step.Resets() || ranks[d.resetBy()] != 0 {
			continue
		}
		g := group{domain: d.domain, person: d.step.Last().ByPerson()}
		if !g.person {
			g.side = d.ESP.Side
		}
		count[g]++
		ranks[d.resetBy()] = count[g]
	}
	return ranks
}

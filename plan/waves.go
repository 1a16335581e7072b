package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// place is where in the order of waves a job is worked on. Jobs of one place
// share a wave.
type place struct {
	rest    bool // what follows the canaries
	turn    turn
	side    int    // of resets: 0, all A sides, comes first
	rank    int    // of resets: which of the ESPs of its fault domain on that side, so that each has a wave of its own
	primary bool   // of resets: subenclosure 0 follows the others, because its reset starts what they have staged
	windows string // names, joined by line feeds
}

// turn is the order of what is done to enclosures.
type turn int

const (
	staging     turn = iota
	resetting        // by commands
	cycling          // by a person who power-cycles
	lateStaging      // of what none of the resets may start
)

func (p place) compare(q place) int {
	return cmp.Or(
		compareBool(p.rest, q.rest), cmp.Compare(p.turn, q.turn), cmp.Compare(p.side, q.side), cmp.Compare(p.rank, q.rank),
		compareBool(p.primary, q.primary), strings.Compare(p.windows, q.windows),
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

// wave is the wave of a place, without its number.
func (p place) wave() Wave {
	w := Wave{Kind: ResetWave, Windows: []string{}, Canary: !p.rest, PowerCycle: p.turn == cycling}
	if p.turn == staging || p.turn == lateStaging {
		w.Kind = StageWave
	}
	if p.windows != "" {
		w.Windows = strings.Split(p.windows, "\n")
	}
	return w
}

// assignWaves numbers the waves that jobs are worked on in, and returns them:
// what stages first, then what resets, at most one ESP of a fault domain in a
// wave and all A sides before any B side; all of it for the canaries first.
// Components whose policies name different windows are in different waves.
func assignWaves(jobs []*job, sv *survey, rollout Rollout) []Wave {
	work := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return len(j.step.Hops) == 0 })
	canaries := pickCanaries(work, sv, rollout.Canary)
	ranks := rankResets(work, sv)

	numbers := map[place]int{}
	at := make([]struct{ stage, reset *place }, len(work))
	for n, j := range work {
		rest := !canaries[j.e.id]
		if slices.Contains(j.step.Hops[0].Modes, ModeE) {
			p := place{rest: rest, turn: staging, windows: joinWindows(j.want.policy.Windows.Stage)}
			if j.late {
				p.turn = lateStaging
			}
			at[n].stage, numbers[p] = &p, 0
		}
		if j.step.resets() {
			p := place{rest: rest, turn: resetting, side: j.esp.side, rank: ranks[j.resetKey()], primary: j.sub.ID == 0, windows: joinWindows(j.want.policy.Windows.Reset)}
			if j.step.last().byPerson() {
				p.turn, p.side, p.primary = cycling, 0, true
			}
			at[n].reset, numbers[p] = &p, 0
		}
	}
	waves := []Wave{}
	for _, p := range slices.SortedFunc(maps.Keys(numbers), place.compare) {
		w := p.wave()
		w.Number = len(waves) + 1
		if last := len(waves) - 1; last >= 0 && waves[last].Canary && !w.Canary {
			waves[last].Soak = rollout.Soak
		}
		numbers[p] = w.Number
		waves = append(waves, w)
	}
	for n, j := range work {
		if p := at[n].stage; p != nil {
			j.step.Waves.Stage = numbers[*p]
		}
		if p := at[n].reset; p != nil {
			j.step.Waves.Reset = numbers[*p]
		}
	}
	return waves
}

func joinWindows(names []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), "\n")
}

// resetKey is what is reset at once: an ESP by a command, an enclosure by a person.
type resetKey struct {
	e   *enclosure
	esp *esp // nil for all of them
}

func (j *job) resetKey() resetKey {
	if j.step.last().byPerson() {
		return resetKey{e: j.e}
	}
	return resetKey{j.e, j.esp}
}

// rankResets counts, for everything that is reset, what is reset before it of the
// same fault domain and on the same side.
func rankResets(work []*job, sv *survey) map[resetKey]int {
	type group struct {
		domain *faultDomain // all of it goes with the canaries, or with the rest
		person bool
		side   int
	}
	count := map[group]int{}
	ranks := map[resetKey]int{}
	for _, j := range work { // by address
		if !j.step.resets() {
			continue
		}
		key := j.resetKey()
		if _, ok := ranks[key]; ok {
			continue
		}
		g := group{domain: sv.domains[j.e.id], person: key.esp == nil}
		if !g.person {
			g.side = j.esp.side
		}
		ranks[key] = count[g]
		count[g]++
	}
	return ranks
}

// pickCanaries chooses enclosures of each model, as many as are asked for, those
// of small fault domains first. All of a fault domain goes together: else the B
// side of one enclosure would be reset before the A side of another.
func pickCanaries(work []*job, sv *survey, most int) map[string]bool {
	models := map[string][]string{} // enclosures with work, by model
	busy := map[string]bool{}
	for _, j := range work {
		if !slices.Contains(models[j.step.Model][max(0, len(models[j.step.Model])-1):], j.e.id) { // sorted: the last is the only one that can be it
			models[j.step.Model] = append(models[j.step.Model], j.e.id)
		}
		busy[j.e.id] = true
	}
	size := func(id string) int { return len(sv.domains[id].enclosures) }
	chosen := map[string]bool{}
	for _, model := range slices.Sorted(maps.Keys(models)) {
		all := models[model]
		slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(size(a), size(b)) })
		for n := 0; n < len(all) && n < most; n++ {
			for _, id := range sv.domains[all[n]].enclosures {
				if busy[id] {
					chosen[id] = true
				}
			}
		}
	}
	return chosen
}

// tellWaves tells, in the row of what another component's reset starts, of which
// and when.
func (j *job) tellWaves() {
	for _, by := range j.startedBy {
		j.step.Reasons = append(j.step.Reasons, fmt.Sprintf("the reset of %s in wave %d starts what is staged here too", by.label(), by.step.Waves.Reset))
	}
}

// label is how a component is called within its enclosure: esp1, or esp1/sub3.
func (j *job) label() string {
	return strings.TrimSuffix(strings.TrimPrefix(j.address, j.e.id+"/"), "/sub0")
}

// stagedWarnings tells what a power loss would start, now or once the plan is
// carried out.
func stagedWarnings(enclosure string, jobs []*job) []string {
	var warnings []string
	for _, j := range jobs {
		if j.esp.disputed[j.sub.ID] != "" {
			warnings = append(warnings, j.address+": any power loss or hard reset starts what is staged; its row tells what is remembered of it.")
			continue
		}
		staged := j.sub.Staged
		if staged == nil || j.step.Action == IsStaged || j.step.Action == Activate {
			continue
		}
		w := fmt.Sprintf("%s: any power loss or hard reset starts %s", j.address, staged.Label())
		if j.want == nil || staged.SHA256 != j.want.image.SHA256 {
			w += ", which is not the wanted image"
		}
		w += ". " + j.stagedBy()
		if j.replaced() {
			w += " This plan replaces it."
		}
		warnings = append(warnings, w)
	}
	for i, j := range jobs {
		pending, after := j.afterPowerLoss()
		if !pending {
			continue
		}
		for k, other := range jobs {
			waits, revision := other.afterPowerLoss()
			if other.step.Subenclosure != j.step.Subenclosure || revision == after || waits && k < i {
				continue // nothing to tell, or told already
			}
			w := fmt.Sprintf("%s: any power loss or hard reset starts %s on %s while %s stays on %s.", enclosure, after, j.label(), other.label(), revision)
			if waits {
				w = fmt.Sprintf("%s: any power loss or hard reset starts %s on %s and %s on %s.", enclosure, after, j.label(), revision, other.label())
			}
			if j.sub.Staged != nil && !j.replaced() {
				w += " " + j.stagedBy()
			}
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// afterPowerLoss is the revision that a component has once the plan was carried
// out and then the power was lost, and whether it waits for that.
func (j *job) afterPowerLoss() (pending bool, revision string) {
	switch {
	case j.targeted && len(j.step.Hops) > 0:
		return j.step.left(), j.step.last().Goal()
	case j.sub.Staged != nil:
		return true, j.sub.Staged.Label()
	}
	return false, j.step.Current
}

// replaced tells whether the plan puts another image in the place of what is staged.
func (j *job) replaced() bool { return j.targeted && j.step.Action == Update }

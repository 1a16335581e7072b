package build

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/impact"
)

// place is where in the order of waves a job is worked on. Jobs of one place
// share a wave.
type place struct {
	rest    bool // what follows the canaries
	turn    turn
	side    int    // of resets: 0, all A sides, comes first
	rank    int    // of resets: among those of its fault domain on that side, from 1, so that each has a wave of its own
	alone   string // of resets in an unknown fault domain: its enclosure, so that nothing else shares its wave
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

// wave is the wave of a place, without its number.
func (p place) wave() plan.Wave {
	w := plan.Wave{Kind: plan.ResetWave, Windows: []string{}, Canary: !p.rest, PowerCycle: p.turn == cycling}
	if p.turn == staging || p.turn == lateStaging {
		w.Kind = plan.StageWave
	}
	if p.windows != "" {
		w.Windows = strings.Split(p.windows, "\n")
	}
	return w
}

// assignWaves numbers the waves that jobs are worked on in, and returns them:
// what stages first, then what resets, at most one ESP of a fault domain in a
// wave and all A sides before any B side; all of it for the canaries first. An ESP
// whose fault domain is unknown is alone in its reset wave.
// Components whose policies name different windows are in different waves.
func assignWaves(jobs []*job, rollout plan.Rollout) []plan.Wave {
	work := slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool { return len(j.step.Hops) == 0 })
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
	for _, j := range work {
		rest := !canaries[j.e]
		if len(j.step.Hops[0].Deferring()) > 0 {
			p := place{rest: rest, turn: staging, windows: j.want.stageWindows}
			if j.late {
				p.turn = lateStaging
			}
			j.stage = waveAt(p)
		}
		if j.step.Resets() {
			p := place{rest: rest, turn: resetting, side: j.ESP.Side, rank: ranks[j.resetBy()], primary: j.Sub.ID == 0, windows: j.want.resetWindows}
			if j.step.Last().ByPerson() {
				p.turn, p.side, p.primary = cycling, 0, true
			}
			if j.step.FaultDomain == 0 {
				p.alone = j.step.LUID
				if p.turn == cycling {
					p.alone = j.e.ID
				}
			}
			j.reset = waveAt(p)
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
	for _, j := range work {
		if j.stage != nil {
			j.step.Waves.Stage = j.stage.Number
		}
		if j.reset != nil {
			j.step.Waves.Reset = j.reset.Number
		}
	}
	return waves
}

func joinWindows(names []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), "\n")
}

// resetBy is what a job's reset takes down: an ESP by a command, an enclosure by a person.
func (j *job) resetBy() target {
	if j.step.Last().ByPerson() {
		return target{enclosure: j.e}
	}
	return target{esp: j.ESP}
}

// rankResets counts, for everything that is reset, what is reset before it of the
// same fault domain and on the same side, from 1.
func rankResets(work []*job) map[target]int {
	type group struct {
		domain *impact.Domain // all of it goes with the canaries, or with the rest
		person bool
		side   int
	}
	count, ranks := map[group]int{}, map[target]int{}
	for _, j := range work { // by address
		if !j.step.Resets() || ranks[j.resetBy()] != 0 {
			continue
		}
		g := group{domain: j.domain, person: j.step.Last().ByPerson()}
		if !g.person {
			g.side = j.ESP.Side
		}
		count[g]++
		ranks[j.resetBy()] = count[g]
	}
	return ranks
}

// pickCanaries chooses enclosures of each model, as many as are asked for, those
// of small fault domains first. All of a fault domain goes together: else the B
// side of one enclosure would be reset before the A side of another. What comes
// along so counts too.
func pickCanaries(work []*job, most int) map[*fleet.Enclosure]bool {
	chosen := map[*fleet.Enclosure]bool{}
	if most == 0 {
		return chosen
	}
	models := map[string][]*fleet.Enclosure{} // those with work, by model
	busy := map[*fleet.Enclosure]*impact.Domain{}
	for _, j := range work {
		if all := models[j.step.Model]; len(all) == 0 || all[len(all)-1] != j.e { // sorted: the last is the only one that can be it
			models[j.step.Model] = append(all, j.e)
		}
		busy[j.e] = j.domain
	}
	size := func(e *fleet.Enclosure) int { return len(busy[e].Enclosures) }
	for _, model := range slices.Sorted(maps.Keys(models)) {
		all := models[model]
		slices.SortStableFunc(all, func(a, b *fleet.Enclosure) int { return cmp.Compare(size(a), size(b)) })
		picked := func() (n int) {
			for _, e := range all {
				if chosen[e] {
					n++
				}
			}
			return n
		}
		for n := 0; n < len(all) && picked() < most; n++ {
			for _, e := range busy[all[n]].Enclosures {
				if busy[e] != nil {
					chosen[e] = true
				}
			}
		}
	}
	return chosen
}

// tellWaves tells, in the row of what another component's reset starts or takes down, of
// which and when.
func (j *job) tellWaves() {
	for _, by := range j.downBy {
		reset := "reset of " + by.label()
		if by.step.Hops[len(by.step.Hops)-1].ByPerson() {
			reset = "power cycle for " + by.label()
		}
		j.step.Reasons = append(
			j.step.Reasons,
			fmt.Sprintf("the %s in wave %d takes it down all the same", reset, by.step.Waves.Reset),
		)
	}
	for _, by := range j.startedBy {
		j.step.Reasons = append(j.step.Reasons, fmt.Sprintf("the reset of %s in wave %d starts what is staged here too", by.label(), by.step.Waves.Reset))
	}
}

// label is how a component is called within its enclosure: esp1, or esp1/sub3.
func (j *job) label() string {
	return strings.TrimSuffix(strings.TrimPrefix(j.Address, j.e.ID+"/"), "/sub0")
}

// stagedWarnings tells what a power loss would start, now or once the plan is
// carried out, and which components differ then without one.
func stagedWarnings(enclosure string, jobs []*job) []string {
	var warnings []string
	for _, j := range jobs {
		if j.ESP.Disputed[j.Sub.ID] != "" {
			warnings = append(warnings, j.Address+": any power loss or hard reset starts what is staged; its row tells what is remembered of it.")
			continue
		}
		staged := j.Sub.Staged
		if staged == nil || j.step.Action == plan.IsStaged || j.step.Action == plan.Activate {
			continue
		}
		w := fmt.Sprintf("%s: any power loss or hard reset starts %s", j.Address, staged.Label())
		if j.want == nil || staged.SHA256 != j.want.image.SHA256 {
			w += ", which is not the wanted image"
		}
		w += ". " + j.stagedBy()
		if j.replaced() {
			w += " This plan replaces it."
		}
		warnings = append(warnings, w)
	}
	var told []int // subenclosures that a power loss would leave on different revisions
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
			if j.Sub.Staged != nil && !j.replaced() {
				w += " " + j.stagedBy()
			}
			warnings = append(warnings, w)
			told = append(told, j.Sub.ID)
		}
	}
	return append(warnings, mixedWarnings(enclosure, jobs, told)...)
}

// mixedWarnings tells which components of an enclosure, of those that one want
// means to bring to one revision, differ once the plan is carried out. Those that
// differ already are told too, unless it is told what a power loss makes of them.
func mixedWarnings(enclosure string, jobs []*job, told []int) []string {
	var warnings []string
	for i, j := range jobs {
		if slices.ContainsFunc(jobs[:i], j.twin) {
			continue // told with that one
		}
		revision := j.afterPlan()
		if !slices.ContainsFunc(jobs[i+1:], func(o *job) bool { return j.twin(o) && o.afterPlan() != revision }) {
			continue
		}
		var run, stay []string
		planned, changes, sync := false, false, false
		for _, o := range jobs[i:] {
			if !j.twin(o) {
				continue
			}
			planned = planned || o.targeted
			after := o.afterPlan()
			if moves := after != o.step.Current; moves || o.step.Action == plan.NoOp {
				w := fmt.Sprintf("%s runs %s", o.label(), after)
				if o.targeted && o.step.LeavesStaged() {
					w += " (" + o.whyItStays() + ")"
				}
				run = append(run, w)
				changes = changes || moves
				sync = sync || moves && len(o.step.Hops) > 0 && o.step.Last().PeerSync > 0
				continue
			}
			stay = append(stay, fmt.Sprintf("%s stays on %s (%s)", o.label(), after, o.whyItStays()))
		}
		if !planned || !changes && slices.Contains(told, j.Sub.ID) {
			continue
		}
		w := fmt.Sprintf("%s: after this plan %s.", enclosure, strings.Join(append(run, stay...), " and "))
		if sync {
			w += " Such modules may bring each other to one revision then."
		}
		warnings = append(warnings, w)
	}
	return warnings
}

// twin tells whether one want means two components to run the same, or a component itself.
func (j *job) twin(o *job) bool {
	return j.want != nil && o.want != nil && o.want.goal == j.want.goal && o.Sub.ID == j.Sub.ID
}

// afterPlan is the revision that a component runs once the plan was carried out.
func (j *job) afterPlan() string {
	switch {
	case len(j.startedBy) > 0:
		_, revision := j.afterPowerLoss()
		return revision
	case !j.targeted || len(j.step.Hops) == 0:
		return j.step.Current
	case j.step.LeavesStaged():
		return j.step.Last().From
	}
	return j.step.Last().Reports()
}

// whyItStays is why the plan leaves a component on the revision that it runs.
func (j *job) whyItStays() string {
	switch {
	case !j.targeted:
		return "not in this plan"
	case j.step.Action == plan.Update:
		return j.step.Last().Goal() + " is left staged"
	}
	return string(j.step.Action)
}

// afterPowerLoss is the revision that a component has once the plan was carried
// out and then the power was lost, and whether it waits for that.
func (j *job) afterPowerLoss() (pending bool, revision string) {
	switch {
	case j.targeted && len(j.step.Hops) > 0:
		return j.step.LeavesStaged(), j.step.Last().Reports()
	case j.Sub.Staged != nil:
		return true, j.Sub.Staged.Label()
	}
	return false, j.step.Current
}

// replaced tells whether the plan puts another image in the place of what is staged.
func (j *job) replaced() bool { return j.targeted && j.step.Action == plan.Update }

// windowWarnings are about waves that may not be done within one opening.
func windowWarnings(p *plan.Plan) []string {
	var warnings []string
	worst := p.Worst()
	for i, w := range p.Waves {
		longest, name := plan.Duration(0), ""
		for _, n := range slices.Sorted(slices.Values(w.Windows)) {
			if d, err := time.ParseDuration(p.Windows[n].Duration); err == nil && plan.Duration(d) > longest {
				longest, name = plan.Duration(d), n
			}
		}
		if name != "" && worst[i] > longest {
			warnings = append(warnings, fmt.Sprintf("wave %d may need %s, and %s is open for %s: what has not been started when it closes waits for the next opening", w.Number, worst[i], name, longest))
		}
	}
	return warnings
}

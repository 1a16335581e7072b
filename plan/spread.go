package plan

import (
	"maps"
	"slices"
)

// Worst bounds the time of each wave, without soaks, in the order of Waves.
func (p *Plan) Worst() []Duration {
	return p.spread(func(s *Step, w Wave) Duration { return s.WorstIn(w) })
}

// spread returns how long each wave takes, in the order of Waves, if takes returns the time for each of its steps.
//
// The hosts of a wave work side by side, and the next wave begins when the last of them is done. Those that work on one
// fault domain do so one after the other, and a host that resets components of an unknown one does so while no other
// host works on the wave.
func (p *Plan) spread(takes func(*Step, Wave) Duration) []Duration {
	all, work := make([]Duration, len(p.Waves)), p.work()
	for i, w := range p.Waves {
		var inTurn, sideBySide Duration
		for _, hosts := range hostsOf(w, work[i]) {
			var needs Duration
			alone := false
			for _, steps := range hosts {
				time, lonely := p.onHost(w, steps, takes)
				needs, alone = needs+time, alone || lonely
			}
			if alone {
				inTurn += needs
			} else {
				sideBySide = max(sideBySide, needs)
			}
		}
		all[i] = inTurn + sideBySide
	}
	return all
}

// HostsSideBySide reports whether hosts work side by side in some wave.
func (p *Plan) HostsSideBySide() bool {
	work := p.work()
	for i, w := range p.Waves {
		if len(hostsOf(w, work[i])) > 1 {
			return true
		}
	}
	return false
}

// work returns the steps of each wave, in the order of Waves.
func (p *Plan) work() [][]*Step {
	index := map[int]int{}
	for i, w := range p.Waves {
		index[w.Number] = i
	}
	work := make([][]*Step, len(p.Waves))
	for k := range p.Steps {
		s := &p.Steps[k]
		for _, number := range slices.Compact([]int{s.Waves.Stage, s.Waves.Reset}) {
			if i, ok := index[number]; ok {
				work[i] = append(work[i], s)
			}
		}
	}
	return work
}

// hostsOf returns the steps of a wave by host. Hosts that work on one fault domain are in one group.
func hostsOf(w Wave, steps []*Step) [][][]*Step {
	byHost, hosts := map[string][]*Step{}, []string{}
	for _, s := range steps {
		if byHost[s.Host] == nil {
			hosts = append(hosts, s.Host)
		}
		byHost[s.Host] = append(byHost[s.Host], s)
	}
	if len(hosts) < 2 {
		return [][][]*Step{{steps}}
	}
	// Which host each host follows: the first of its group follows itself.
	follows := map[string]string{}
	for _, host := range hosts {
		follows[host] = host
	}
	first := func(host string) string {
		for follows[host] != host {
			follows[host] = follows[follows[host]]
			host = follows[host]
		}
		return host
	}
	together, _ := SideBySide(w, steps)
	for _, group := range together {
		for _, k := range group[1:] {
			follows[first(steps[k].Host)] = first(steps[group[0]].Host)
		}
	}
	groups := map[string][][]*Step{}
	for _, host := range hosts {
		groups[first(host)] = append(groups[first(host)], byHost[host])
	}
	return slices.Collect(maps.Values(groups))
}

// onHost returns how long a host works on its steps of a wave, and whether no other host may work on it meanwhile. As
// many fault domains are worked on at a time as the rollout permits to each host.
func (p *Plan) onHost(w Wave, steps []*Step, takes func(*Step, Wave) Duration) (needs Duration, inTurn bool) {
	together, alone := SideBySide(w, steps)
	sum := func(group []int) (all Duration) {
		for _, i := range group {
			all += takes(steps[i], w)
		}
		return all
	}
	// When each of the workers is free: there are no more of them than groups.
	ends := make([]Duration, max(min(p.Rollout.MaxParallel, len(together)), 1))
	for _, group := range together {
		first := slices.Index(ends, slices.Min(ends))
		ends[first] += sum(group)
	}
	needs = slices.Max(ends)
	for _, group := range alone {
		needs += sum(group)
	}
	return needs, len(alone) > 0
}

// SideBySide groups a host's steps of a wave, by their indexes, by what may be worked on at the same time. Within a
// group, steps go one after the other. The groups of together may go on side by side. Those of alone go one after the
// other when nothing else goes on: in a reset wave, they are the steps that belong to no known fault domain. In a stage
// wave such a step only shares a group with its own enclosure, and with those that a declared fault domain ties to it.
func SideBySide(w Wave, steps []*Step) (together, alone [][]int) {
	at, lonely := map[tie]int{}, map[tie]int{}
	for i, s := range steps {
		if s.FaultDomain == 0 && w.Kind == ResetWave {
			alone = addTo(alone, i, lonely, tie{enclosure: s.Enclosure})
			continue
		}
		ties := make([]tie, 0, 4)
		for _, enclosure := range s.Domain() {
			ties = append(ties, tie{enclosure: enclosure})
		}
		if s.FaultDomain != 0 {
			ties = append(ties, tie{domain: s.FaultDomain})
		}
		together = addTo(together, i, at, ties...)
	}
	return together, alone
}

// tie is what steps of one group share: an enclosure, or the number of a fault domain.
type tie struct {
	enclosure string
	domain    int
}

// addTo adds a step to the group that shares one of its ties, or to a new group. at has the index of the group of
// each tie.
func addTo(groups [][]int, i int, at map[tie]int, ties ...tie) [][]int {
	n := len(groups)
	for _, t := range ties {
		if known, ok := at[t]; ok {
			n = known
			break
		}
	}
	if n == len(groups) {
		groups = append(groups, nil)
	}
	groups[n] = append(groups[n], i)
	for _, t := range ties {
		at[t] = n
	}
	return groups
}

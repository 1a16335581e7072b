package plan

import (
	"cmp"
	"slices"
	"strconv"
)

// Turn is one of the commands that carry a plan out: on a host, after all turns before it.
type Turn struct {
	Host       string   `json:"host"`
	Command    Command  `json:"command"`               // fwctl apply PLAN, where PLAN stands for the file
	Waves      []int    `json:"waves"`                 // numbers of the waves that it works on
	PowerCycle []string `json:"power_cycle,omitempty"` // enclosures that a person power-cycles before it, by identifier
	Soak       Duration `json:"soak,omitempty"`        // how long its work has to stand before the next turn
}

// applyPlan is the command of a turn that is not limited to one wave.
var applyPlan = Command{"fwctl", "apply", "PLAN"}

// NewTurn returns the turn that carries out all that a host can do of waves.
func NewTurn(host string, waves ...int) Turn {
	return Turn{Host: host, Command: slices.Clone(applyPlan), Waves: waves}
}

// Limit returns the flags that limit the command to one wave.
func (t *Turn) Limit() []string { return t.Command[len(applyPlan):] }

// turns returns the commands that carry the plan out, in order; nil if one command does.
func (p *Plan) turns() []Turn {
	work := map[string]map[int][]*Step{} // steps by host and wave
	var hosts []string
	for i := range p.Steps {
		s := &p.Steps[i]
		for _, w := range p.Waves {
			if !s.In(w) {
				continue
			}
			if work[s.Host] == nil {
				work[s.Host] = map[int][]*Step{}
				hosts = append(hosts, s.Host)
			}
			work[s.Host][w.Number] = append(work[s.Host][w.Number], s)
		}
	}
	slices.Sort(hosts)
	var turns []Turn
	if p.takesTurns(work) {
		for _, w := range p.Waves {
			for _, host := range hosts {
				if steps := work[host][w.Number]; len(steps) > 0 {
					turns = append(turns, newTurn(host, w, steps, true))
				}
			}
			if n := len(turns); n > 0 {
				turns[n-1].Soak = cmp.Or(turns[n-1].Soak, p.soakAfter(w))
			}
		}
		return turns
	}
	for _, host := range hosts {
		for i, w := range p.Waves {
			steps := work[host][w.Number]
			switch n := len(turns) - 1; {
			case len(steps) == 0:
			case n < 0 || turns[n].Host != host || w.PowerCycle:
				turns = append(turns, newTurn(host, p.Waves[i], steps, false))
			default:
				turns[n].Waves = append(turns[n].Waves, w.Number)
			}
		}
	}
	if len(turns) == 1 && turns[0].PowerCycle == nil {
		return nil
	}
	return turns
}

// soakAfter returns how long a wave's work has to stand before the next wave begins. If each
// wave has a command of its own, no command waits for that.
func (p *Plan) soakAfter(w Wave) Duration {
	if w.Number == len(p.Waves) {
		return 0
	}
	return w.Soak
}

// takesTurns reports whether some wave of a host has to wait for one of another host. It gives
// the answers of Before for all of them in one pass over the steps.
func (p *Plan) takesTurns(work map[string]map[int][]*Step) bool {
	var canaries, earlier, ungrouped twoHosts // of earlier waves
	domains := map[int]*twoHosts{}
	for _, w := range p.Waves {
		var now, ungroupedNow twoHosts
		for host, waves := range work {
			for _, s := range waves[w.Number] {
				now.add(host)
				if s.FaultDomain == 0 {
					ungroupedNow.add(host)
				}
			}
		}
		for host, waves := range work {
			for _, s := range waves[w.Number] {
				alone := s.FaultDomain == 0 && (earlier.other(host) || now.other(host)) ||
					ungrouped.other(host) || ungroupedNow.other(host)
				switch {
				case !w.Canary && canaries.other(host),
					w.Kind == ResetWave && (alone || domains[s.FaultDomain].other(host)):
					return true
				}
			}
		}
		for host, waves := range work {
			for _, s := range waves[w.Number] {
				earlier.add(host)
				if w.Canary {
					canaries.add(host)
				}
				if s.FaultDomain == 0 {
					ungrouped.add(host)
				}
				if domains[s.FaultDomain] == nil {
					domains[s.FaultDomain] = &twoHosts{}
				}
				domains[s.FaultDomain].add(host)
			}
		}
	}
	return false
}

// twoHosts are the first two of some hosts: enough to know whether there is another one beside
// a given host.
type twoHosts [2]string

func (t *twoHosts) add(host string) {
	switch {
	case t[0] == "":
		t[0] = host
	case t[0] != host && t[1] == "":
		t[1] = host
	}
}

func (t *twoHosts) other(host string) bool {
	return t != nil && (t[0] != "" && t[0] != host || t[1] != "" && t[1] != host)
}

func newTurn(host string, w Wave, steps []*Step, limited bool) Turn {
	t := NewTurn(host, w.Number)
	if limited {
		t.Command = append(t.Command, "--wave", strconv.Itoa(w.Number))
	}
	if w.PowerCycle {
		for _, s := range steps {
			if !slices.Contains(t.PowerCycle, s.Enclosure) {
				t.PowerCycle = append(t.PowerCycle, s.Enclosure)
			}
		}
	}
	return t
}

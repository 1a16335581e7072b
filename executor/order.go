package executor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/plan"
)

// Selects reports whether the run works on a wave: Config.Phase and Config.Wave.
func (c *Config) Selects(w plan.Wave) bool {
	return (c.Phase == "" || c.Phase == w.Kind) && (c.Wave == 0 || c.Wave == w.Number)
}

// SelectsAny reports whether the plan has no waves, or the run is for one of them.
func (c *Config) SelectsAny() bool {
	return len(c.Plan.Waves) == 0 || slices.ContainsFunc(c.Plan.Waves, c.Selects)
}

// Local returns the steps that this host acts on.
func (c *Config) Local() []*plan.Step {
	var all []*plan.Step
	for i := range c.Plan.Steps {
		if s := &c.Plan.Steps[i]; s.Host == c.Machine.Hostname() && s.Acts() {
			all = append(all, s)
		}
	}
	return all
}

// Closed returns the waves that the run is for, in which this host sends something, and of
// which no window is open.
func (c *Config) Closed(now time.Time) ([]plan.Wave, error) {
	var closed []plan.Wave
	local := c.Local()
	for _, w := range c.Plan.Waves {
		if w.PowerCycle || !c.Selects(w) || !slices.ContainsFunc(local, func(s *plan.Step) bool { return s.In(w) }) {
			continue
		}
		o, err := c.Plan.Opening(w, now)
		if err != nil {
			return nil, err
		}
		if !o.Now {
			closed = append(closed, w)
		}
	}
	return closed, nil
}

func (c *Config) selectsNumber(n int) bool {
	return slices.ContainsFunc(c.Plan.Waves, func(w plan.Wave) bool { return w.Number == n && c.Selects(w) })
}

// ahead reports whether there is work in any of the waves that the run is for.
func (r *run) ahead(waves []plan.Wave) bool {
	return slices.ContainsFunc(waves, func(w plan.Wave) bool { return r.Selects(w) && len(r.due(w)) > 0 })
}

// comesFirst stops a run that was not asked to do a wave that comes before its own.
func (r *run) comesFirst(wave plan.Wave) {
	r.holdBack(
		RefusedOrder,
		fmt.Sprintf("wave %d (%s) comes first and is not done", wave.Number, wave.Kind),
		"carry it out before, or leave out --phase and --wave",
	)
}

// holdBack stops a run whose next wave may not begin, or refuses it where nothing was written.
func (r *run) holdBack(refusal Refusal, why, todo string) {
	if !r.wrote {
		r.refusal, r.why = refusal, why+", and nothing was written: "+todo
		return
	}
	r.stop(why+": "+todo, RunStopped)
}

// mayFollow reports whether a wave may be begun as far as other hosts are concerned,
// and stops the run where it may not. What they have done cannot be seen from here:
// whoever says Config.Wave says that it is done.
func (r *run) mayFollow(wave plan.Wave) bool {
	domains := map[int]bool{}
	for _, c := range r.due(wave) {
		domains[c.step.FaultDomain] = true
	}
	number, hosts := r.Plan.Before(wave, r.Machine.Hostname(), domains)
	there := strings.Join(hosts, ", ")
	why, todo := fmt.Sprintf(
		"wave %d follows wave %d of %s, which cannot be seen from here",
		wave.Number,
		number,
		there,
	), "when that is done"
	if number == wave.Number {
		why, todo = fmt.Sprintf(
			"wave %d must not go on here and on %s at the same time",
			number,
			there,
		), "unless it goes on there"
	}
	switch {
	case number == 0:
		return true
	case r.Wave != 0:
		r.event(
			Event{Type: EventNoticed, Wave: wave.Number, Reason: why + ": --wave is taken for the word that all is well there"},
		)
		return true
	}
	r.holdBack(RefusedOrder, why, fmt.Sprintf("%s, go on with --wave %d", todo, wave.Number))
	return false
}

// commandsLeft are those of the plan's commands that go on from here: all but those
// of this host that have nothing left to do.
func (r *run) commandsLeft() []plan.Turn {
	here := r.Machine.Hostname()
	var left []int
	for _, w := range r.Plan.Waves {
		if len(r.due(w)) > 0 {
			left = append(left, w.Number)
		}
	}
	switch {
	case len(left) == 0:
		return nil
	case len(r.Plan.Commands) == 0:
		return []plan.Turn{plan.NewTurn(here, left...)}
	}
	return slices.DeleteFunc(slices.Clone(r.Plan.Commands), func(t plan.Turn) bool {
		return t.Host == here && !slices.ContainsFunc(t.Waves, func(n int) bool { return slices.Contains(left, n) })
	})
}

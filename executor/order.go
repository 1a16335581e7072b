package executor

import (
	"cmp"
	"slices"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/schedule"
	"fwctl/executor/step"
	"fwctl/plan"
)

// Selects reports whether the run works on a wave, as Phase and Wave say.
func (c *Config) Selects(w plan.Wave) bool {
	return c.limits().Selects(w)
}

// limits returns what the run is limited to.
func (c *Config) limits() schedule.Limits {
	l := schedule.Limits{Phase: c.Phase, Wave: c.Wave, Wait: c.Wait, IgnoreWindows: c.IgnoreWindow != ""}
	if c.Machine != nil {
		l.Host = c.Machine.Hostname()
	}
	return l
}

// SelectsAny reports whether the plan has no waves, or the run is for one of them.
func (c *Config) SelectsAny() bool {
	return len(c.Plan.Waves) == 0 || slices.ContainsFunc(c.Plan.Waves, c.Selects)
}

// Local returns the steps that this host acts on.
func (c *Config) Local() []*plan.Step {
	var all []*plan.Step
	for i := range c.Plan.Steps {
		if s := &c.Plan.Steps[i]; s.ActsOn(c.Machine.Hostname()) {
			all = append(all, s)
		}
	}
	return all
}

// Closed returns the waves that the run is for, that this host has a part in, and whose
// windows are closed.
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

// Ahead returns the part of the plan that the run will carry out, as far as that is known before
// it begins: the steps of this host, in the waves up to the first that waits for another host, or
// for a person if the run does not wait; without the windows that it ignores. begun: a part of
// that was done before, so how long the rest takes is unknown.
func (c *Config) Ahead(begun bool) *plan.Plan {
	local := c.Local()
	stops := func(w plan.Wave) bool {
		domains := map[int]bool{}
		for _, s := range local {
			if s.In(w) {
				domains[s.FaultDomain] = true
			}
		}
		other, _ := c.Plan.Before(w, c.Machine.Hostname(), domains)
		return len(domains) > 0 && c.Selects(w) && (c.Wave == 0 && other != 0 || w.PowerCycle && !c.Wait)
	}
	end := len(c.Plan.Waves) + 1
	if i := slices.IndexFunc(c.Plan.Waves, stops); i >= 0 {
		end = c.Plan.Waves[i].Number
	}
	part := c.Plan.Part(c.Machine.Hostname(), func(w plan.Wave) bool { return c.Selects(w) && w.Number < end }, begun)
	for i := range part.Waves {
		if c.IgnoreWindow != "" {
			part.Waves[i].Windows = nil
		}
	}
	return part
}

func (c *Config) selectsNumber(n int) bool {
	return slices.ContainsFunc(c.Plan.Waves, func(w plan.Wave) bool { return w.Number == n && c.Selects(w) })
}

// holdBack stops a run whose next wave may not begin, or refuses it if nothing was written.
func (r *run) holdBack(d schedule.Decision) {
	if d.Refusal == step.RefusedWindow {
		for _, c := range r.pick(d.Due) {
			c.heldBack = cmp.Or(c.heldBack, r.standing().MayStart(d.Wave, c.scheduled(), time.Now()))
		}
	}
	if !r.wrote {
		r.refusal, r.why = d.Refusal, d.Why+", and nothing was written: "+d.Todo
		return
	}
	r.stop(d.Why+": "+d.Todo, result.RunStopped)
}

// addCommands adds to a result the commands that continue the plan: this host's, if they have
// something left to do, and those of other hosts that do not come before what was done here.
func (r *run) addCommands(sum *result.Result) {
	ordered := sum.Outcome == result.RunRefused && r.refusal == step.RefusedOrder
	if sum.Outcome != result.RunStopped && sum.Outcome != result.RunDone && !ordered {
		return
	}
	here := r.Machine.Hostname()
	var left []int
	// The last wave that is done here.
	last := 0
	for _, w := range r.Plan.Waves {
		switch {
		case len(r.due(w)) > 0:
			left = append(left, w.Number)
		case slices.ContainsFunc(r.here(), func(c *component) bool { return c.step.In(w) }):
			last = w.Number
		}
	}
	if len(r.Plan.Commands) == 0 && len(left) > 0 && sum.Outcome == result.RunStopped {
		sum.Commands = []plan.Turn{plan.NewTurn(here, left...)}
		return
	}
	for _, t := range r.Plan.Commands {
		isLeft := slices.ContainsFunc(t.Waves, func(n int) bool { return slices.Contains(left, n) })
		past := len(t.Limit()) > 0 && t.Waves[0] < last
		if t.Host == here && isLeft || t.Host != here && !past {
			sum.Commands = append(sum.Commands, t)
			continue
		}
		if t.Soak == 0 || t.Waves[0] != last || r.soaked[last] {
			continue
		}
		// What has to stand is done here, and what comes next waits for that.
		if n := len(sum.Commands); n > 0 {
			sum.Commands[n-1].Soak = max(sum.Commands[n-1].Soak, t.Soak)
		} else {
			sum.Soak = t.Soak
		}
	}
	if len(sum.Commands) == 0 {
		sum.Soak = 0
	}
}

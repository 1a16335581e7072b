package executor

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/executor/step"
	"fwctl/internal/state"
	"fwctl/plan"
)

// accept refuses the run if another host may be writing to its enclosures, or if I/O may
// stop at a component and no one accepted that. It returns what was accepted, for the
// record.
func (r *run) accept() []state.Override {
	refusal, why := step.RefusedDisruption, r.Unaccepted()
	if others := r.OtherWriters(); len(others) > 0 {
		refusal, why = step.RefusedInUse, "another host may be writing to "+others[0].Enclosure
	}
	var accepted []state.Override
	for _, c := range r.local() {
		if r.SoleWriter &&
			slices.ContainsFunc(r.Unseen, func(u plan.Unseen) bool { return u.Enclosure == c.step.Enclosure }) {
			accepted = append(accepted, state.Override{Kind: state.SoleWriter, Address: c.step.Address})
		}
		if !r.stopsIO(c.step) {
			continue
		}
		i := c.step.Selected(r.AcceptDisruption)
		if i < 0 {
			c.is.Reason = "I/O may stop here, and nobody accepted that"
			continue
		}
		accepted = append(accepted, state.Override{
			Kind: state.AcceptDisruption, Address: c.step.Address, Given: string(r.AcceptDisruption[i]),
		})
	}
	if why == "" || r.why != "" {
		return accepted
	}
	r.refusal, r.why = refusal, why
	return nil
}

// OtherWriters returns the enclosures to which another host may be writing: those that have
// I/O modules this host does not see, unless a person says that no other host writes.
func (c *Config) OtherWriters() []plan.Unseen {
	if c.SoleWriter {
		return nil
	}
	return c.Unseen
}

// Unaccepted says at which components I/O may stop, in the waves that the run is for, though
// no one accepted that, and what to do; "" if there are none.
func (c *Config) Unaccepted() string {
	var addresses []string
	for _, s := range c.Local() {
		if c.stopsIO(s) && s.Selected(c.AcceptDisruption) < 0 {
			addresses = append(addresses, s.Called())
		}
	}
	if len(addresses) == 0 {
		return ""
	}
	return fmt.Sprintf(
		"I/O may stop at %s, and nobody accepted that: nothing was written; "+
			"accept it with --accept-disruption ADDRESS for each of them, or with --accept-disruption all",
		strings.Join(addresses, ", "),
	)
}

// Resetting returns the steps in which this host may reset something, in the waves that the
// run is for.
func (c *Config) Resetting() []*plan.Step {
	return slices.DeleteFunc(c.Local(), func(s *plan.Step) bool {
		return !s.Resets() || !c.selectsNumber(s.Waves.Reset)
	})
}

// stopsIO reports whether a step may stop I/O in the waves that the run is for.
func (c *Config) stopsIO(s *plan.Step) bool {
	return s.MayStopIO() && c.selectsNumber(s.Waves.Reset)
}

// ignored returns the windows that a person overrode, for the record.
func (r *run) ignored() []state.Override {
	var all []state.Override
	for _, c := range r.local() {
		waits := func(w plan.Wave) bool { return len(w.Windows) > 0 && c.step.In(w) }
		if r.IgnoreWindow != "" && slices.ContainsFunc(r.Plan.Waves, waits) {
			all = append(all, state.Override{Kind: state.IgnoreWindow, Address: c.step.Address, Given: r.IgnoreWindow})
		}
	}
	return all
}

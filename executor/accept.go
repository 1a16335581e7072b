package executor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"fwctl/internal/state"
	"fwctl/plan"
)

// accept refuses the run where I/O may stop at a component for which nobody
// accepted that, and returns what somebody took upon himself, for the record.
func (r *run) accept() ([]state.Override, error) {
	why, err := r.Unaccepted()
	if err != nil {
		return nil, err
	}
	var accepted []state.Override
	for _, s := range r.local() {
		if slices.Contains(r.SoleWriter, s.step.Enclosure) {
			accepted = append(accepted, state.Override{Kind: state.SoleWriter, Address: s.step.Address})
		}
		if !r.stopsIO(s.step) {
			continue
		}
		switch i, err := covers(r.AcceptDisruption, s.step.Address); {
		case err != nil:
			return nil, err
		case i < 0:
			s.reason = "I/O may stop here, and nobody accepted that"
		default:
			accepted = append(accepted, state.Override{Kind: state.AcceptDisruption, Address: s.step.Address, Given: r.AcceptDisruption[i]})
		}
	}
	if why == "" || r.why != "" {
		return accepted, nil
	}
	r.refusal, r.why = RefusedDisruption, why
	return nil, nil
}

// Unaccepted says at which components I/O may stop in the waves that the run is for
// without anybody having accepted that, and what to do about it; "" where there is none.
func (c *Config) Unaccepted() (string, error) {
	var addresses []string
	for i := range c.Plan.Steps {
		s := &c.Plan.Steps[i]
		if s.Host != c.Machine.Hostname() || !c.stopsIO(s) {
			continue
		}
		accepted, err := covers(c.AcceptDisruption, s.Address)
		if err != nil {
			return "", err
		}
		if accepted < 0 {
			addresses = append(addresses, s.Address)
		}
	}
	if len(addresses) == 0 {
		return "", nil
	}
	return fmt.Sprintf("I/O may stop at %s, and nobody accepted that: nothing was written; accept it with --accept-disruption ADDRESS for each of them, or with --accept-disruption all",
		strings.Join(addresses, ", ")), nil
}

// stopsIO tells whether what is to be done with a component may stop I/O.
func (c *Config) stopsIO(s *plan.Step) bool {
	return (s.Action == plan.Update || s.Action == plan.Activate) && s.Disruption.Worst == plan.IOInterruption && c.selectsNumber(s.Waves.Reset)
}

// covers finds the first pattern that is all or matches an address, -1 for none.
// In patterns / is a character like any other: an enclosure's identifier and *
// cover all of it.
func covers(patterns []string, address string) (int, error) {
	plain := func(s string) string { return strings.ReplaceAll(s, "/", "|") }
	for i, p := range patterns {
		ok, err := path.Match(plain(p), plain(address))
		if err != nil {
			return -1, fmt.Errorf("cannot accept a disruption at %q: it is no pattern", p)
		}
		if ok || p == "all" {
			return i, nil
		}
	}
	return -1, nil
}

// ignored are the windows that a person put aside, for the record.
func (r *run) ignored() []state.Override {
	var all []state.Override
	for _, s := range r.local() {
		waits := func(w plan.Wave) bool {
			return len(w.Windows) > 0 && (w.Number == s.step.Waves.Stage || w.Number == s.step.Waves.Reset)
		}
		if r.IgnoreWindow != "" && slices.ContainsFunc(r.Plan.Waves, waits) {
			all = append(all, state.Override{Kind: state.IgnoreWindow, Address: s.step.Address, Given: r.IgnoreWindow})
		}
	}
	return all
}

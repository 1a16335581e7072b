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
	var accepted []state.Override
	var open []*stepRun
	for _, s := range r.local() {
		if slices.Contains(r.SoleWriter, s.step.Enclosure) {
			accepted = append(accepted, state.Override{Kind: state.SoleWriter, Address: s.step.Address})
		}
		if s.step.Disruption.Worst != plan.IOInterruption || !r.selectsNumber(s.step.Waves.Reset) {
			continue
		}
		i, err := covers(r.AcceptDisruption, s.step.Address)
		switch {
		case err != nil:
			return nil, err
		case i < 0:
			open = append(open, s)
		default:
			accepted = append(accepted, state.Override{Kind: state.AcceptDisruption, Address: s.step.Address, Given: r.AcceptDisruption[i]})
		}
	}
	if len(open) == 0 || r.why != "" {
		return accepted, nil
	}
	var addresses []string
	for _, s := range open {
		s.reason = "I/O may stop here, and nobody accepted that"
		addresses = append(addresses, s.step.Address)
	}
	r.refusal = RefusedDisruption
	r.why = fmt.Sprintf("I/O may stop at %s, and nobody accepted that: nothing was written; accept it with --accept-disruption ADDRESS for each of them, or with --accept-disruption all",
		strings.Join(addresses, ", "))
	return nil, nil
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

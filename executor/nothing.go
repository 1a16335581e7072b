package executor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/inventory"
	"fwctl/plan"
)

// NothingToDo returns the result of a plan that acts on nothing. It is done, unless a staged
// image waits for a power cycle, or this host remembers that a blocked component needs a
// person.
func NothingToDo(ctx context.Context, c Config) (*result.Result, error) {
	cautions, err := c.Store.Cautions(ctx)
	if err != nil {
		return nil, err
	}
	sum := &result.Result{Outcome: result.RunDone, Steps: []result.Step{}}
	waiting := 0
	for i := range c.Plan.Steps {
		s := &c.Plan.Steps[i]
		sr := result.Step{Address: s.Address, Revision: s.Current, Reason: strings.Join(s.Reasons, "; ")}
		needs := slices.ContainsFunc(s.Own(memory.Cautions(cautions)), func(c inventory.Caution) bool {
			return c.Address == s.Address && c.Kind.NeedsPerson()
		})
		switch {
		case s.WaitsForPower:
			sr.Outcome = result.OutcomeStaged
			sum.Outcome = result.Worse(sum.Outcome, result.RunStopped)
			waiting++
		case needs && s.Action == plan.Blocked && s.Host == c.Machine.Hostname():
			sr.Outcome, sr.NeedsPerson = result.OutcomeSkipped, true
			sum.Outcome, sum.Reason = result.RunUnknown, s.Address+" needs a person first"
		default:
			continue
		}
		sum.Steps = append(sum.Steps, sr)
	}
	if sum.Outcome == result.RunStopped {
		sum.Reason = fmt.Sprintf("%d components wait for a power cycle", waiting)
		if waiting == 1 {
			sum.Reason = "1 component waits for a power cycle"
		}
	}
	return sum, nil
}

// NothingHere returns the result of a run of a plan that has work only for other hosts; nil
// if this host has something to do. It needs no store.
func NothingHere(ctx context.Context, c Config) (*result.Result, error) {
	r, err := newRun(ctx, c)
	if err != nil {
		return nil, err
	}
	return r.nothingHere(), nil
}

func (r *run) nothingHere() *result.Result {
	if len(r.components) == 0 || len(r.local()) > 0 || r.why != "" {
		return nil
	}
	var hosts []string
	for _, c := range r.components {
		hosts = append(hosts, c.step.Host)
	}
	slices.Sort(hosts)
	sum := r.result()
	sum.Reason = fmt.Sprintf(
		"the plan has nothing for %s to do: apply it on %s",
		r.Machine.Hostname(),
		strings.Join(slices.Compact(hosts), ", "),
	)
	r.addCommands(sum)
	return sum
}

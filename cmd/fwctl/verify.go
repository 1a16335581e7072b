package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

func (a *app) verifyCommand() *cobra.Command {
	var (
		file   string
		saved  string
		output string
		cycled []string
	)
	cmd := &cobra.Command{
		Use:   "verify [-f FILE] [--plan PLAN]",
		Short: "after somebody power-cycled: does what was staged run, is everything there",
		Long: `Looks, after somebody power-cycled enclosures, whether what was staged runs now,
and whether every ESP, drive, path and element is there and well that was before
the last apply. It sends nothing with an effect.

What runs, or is lost, is not remembered as staged any more. Few devices tell
whether they were power-cycled: --power-cycled is a person's word for it.

Exit code 0: all of it runs, and nothing is missing. 4: something waits still, is
lost, or has become worse. 5: a component is not in sight, or what a run has left in
it is not known.

With -f, a component that is not as the desired state wants it counts as well. With
--plan, one that is not as the plan brings it, its power cycles included: those that
this host works on have to be in sight, and of the other hosts' those that it sees
are compared.`,
		Example: `  fwctl verify
  fwctl verify --power-cycled r12u20
  fwctl verify -f dc1.yaml
  fwctl verify --plan rack-12.plan`,
		Args: args(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			powerCycled, err := selectors("--power-cycled", cycled)
			if err != nil {
				return err
			}
			return a.verify(cmd.Context(), file, saved, output == "json", powerCycled)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "compare with the desired state in `FILE` too")
	cmd.Flags().StringVar(&saved, "plan", "", "compare with what the saved plan in `FILE` brings too")
	cmd.Flags().StringArrayVar(&cycled, "power-cycled", nil, "what `SELECTOR` selects, or all, was power-cycled since it was staged (repeatable)")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func (a *app) verify(ctx context.Context, file, saved string, asJSON bool, cycled []inventory.Selector) error {
	machine, err := a.machine()
	if err != nil {
		return err
	}
	var approved *plan.Plan
	if saved != "" {
		if approved, _, err = loadPlan(saved); err != nil {
			return err
		}
		if approved.Simulated != machine.Simulated() {
			return refused(
				fmt.Sprintf("cannot compare with %s: one of it and this machine is a simulated rack, and the other is not", saved),
				"name the rack with --simulate, or leave that out",
			)
		}
	}
	dir, err := a.state()
	if err != nil {
		return err
	}
	store, err := state.OpenExisting(dir)
	if err != nil {
		return err
	}
	found, err := executor.Verify(ctx, executor.Look{Machine: machine, Store: store, By: whoami(), PowerCycled: cycled})
	store.Close()
	if err != nil {
		return err
	}
	var wanted *plan.Plan
	if file != "" {
		j := &job{app: a, machine: machine}
		if err := j.makePlan(ctx, file); err != nil {
			return err
		}
		wanted = j.plan
	}
	v := ui.Verification{Found: found, Astray: astray(wanted)}
	if approved != nil {
		inv, err := a.scan(ctx, machine, scan.Options{})
		if err != nil {
			return err
		}
		if v.Planned, v.Drift = approved.Drift(inv); v.Planned == 0 {
			return &failure{
				exitError,
				fmt.Sprintf("cannot compare with %s: it is about nothing that %s sees or works on", saved, inv.Host),
				"verify it on the hosts that it names: `fwctl show` lists them",
			}
		}
	}
	unread := 0
	if wanted != nil {
		for _, u := range wanted.Unread {
			if u.Wanted {
				unread++
			}
		}
	}
	if asJSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		err := e.Encode(struct {
			FormatVersion string `json:"format_version"`
			Kind          string `json:"kind"`
			Simulated     bool   `json:"simulated"`
			*executor.Found
			Astray []plan.Step  `json:"astray,omitempty"`
			Drift  []plan.Drift `json:"drift,omitempty"`
		}{"1.0", "Verification", machine.Simulated(), found, v.Astray, v.Drift})
		if err != nil {
			return err
		}
	} else {
		fmt.Fprint(a.stdout, a.heading(machine.Simulated()), a.screen(a.stdout).Verification(&v))
	}
	return verified(&v, unread)
}

// astray returns the components that are not as a desired state wants them.
func astray(p *plan.Plan) []plan.Step {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s plan.Step) bool { return s.AsWanted() })
}

// verified returns the error that exits with the code of what was found. unread are the
// devices that the desired state may be about and that could not be read.
func verified(v *ui.Verification, unread int) error {
	const look = "it may be starting still; else switch the enclosure on and look at its cables; " +
		"then run fwctl verify again"
	are := func(n int) string { return ui.Components(n) + " " + english.PluralWord(n, "is", "are") }
	n := v.Count()
	switch {
	case len(v.Unsettled) > 0:
		return &failure{
			exitUnknown,
			fmt.Sprintf("what %s holds is not known, or is half an image", v.Unsettled[0].Address),
			"if a run can be resumed, fwctl resume finds out; else send it a whole image, or, " +
				"if nothing says not to, power-cycle it and say so with --power-cycled",
		}
	case n.Absent > 0:
		return &failure{exitUnknown, are(n.Absent) + " not in sight", look}
	case slices.ContainsFunc(v.Drift, func(d plan.Drift) bool { return d.Revision == "" }):
		return &failure{exitUnknown, "something that the plan knows is not in sight", look}
	case len(v.Declines) > 0:
		return &failure{
			exitFailed,
			english.Plural(len(v.Declines), "enclosure is", "enclosures are") + " worse than before",
			"see to what is missing before anything else is updated there",
		}
	case n.Lost > 0:
		return &failure{
			exitFailed,
			fmt.Sprintf("what was staged on %s is lost", ui.Components(n.Lost)),
			"plan and apply again",
		}
	case n.Waiting > 0:
		return &failure{
			exitFailed,
			are(n.Waiting) + " still waiting for a power cycle",
			"power-cycle the enclosure when its drives are not in use, or say --power-cycled where that was done",
		}
	case unread > 0:
		return &failure{
			exitUnknown,
			english.Plural(unread, "device", "") + " could not be read, and the desired state may be about it",
			"fwctl inventory says why; run fwctl verify again when it can be read",
		}
	case len(v.Drift) > 0:
		return &failure{
			exitFailed,
			are(len(v.Drift)) + " not as the plan brings it",
			"the lines above say what is missing",
		}
	case len(v.Astray) > 0:
		return &failure{
			exitFailed,
			are(len(v.Astray)) + " not as the desired state wants it",
			"fwctl plan shows what is left to do",
		}
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"fwctl/executor/result"
	"fwctl/executor/verify"
	"fwctl/internal/state"
	"fwctl/internal/transport"
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
		Short: "after a power cycle: do the staged images run, and is everything there?",
		Long: `Checks, after enclosures were power-cycled, whether the staged images run now, and
whether every ESP, drive, path and element is there and well that was before the
last apply. It sends nothing with an effect.

Images that run or are lost are no longer remembered as staged. Few devices report
a power cycle: --power-cycled is a person's word for it.

Exit code 0: all staged images run, and nothing is missing. 4: an image still waits
or is lost, or something has become worse. 5: a component is not in sight, or it is
unknown what a run has left in it.

With -f, a component that is not as the desired state wants it counts, too. With
--plan, one that is not as the plan leaves it counts, power cycles included:
components that this host works on have to be in sight, and those of other hosts are
compared if this host sees them.`,
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
	cmd.Flags().StringVarP(&file, "file", "f", "", "compare with the desired state in `FILE`, too")
	cmd.Flags().StringVar(&saved, "plan", "", "compare with what the saved plan in `FILE` leaves, too")
	cmd.Flags().StringArrayVar(&cycled, "power-cycled", nil,
		"what `SELECTOR` selects, or all, was power-cycled since it was staged (repeatable)")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// verify looks at devices after a power cycle, compares them with a desired state and a saved
// plan if they are named, and shows what it finds.
func (a *app) verify(ctx context.Context, file, saved string, asJSON bool, cycled []inventory.Selector) error {
	machine, err := a.machine()
	if err != nil {
		return err
	}
	approved, err := planToVerify(saved, machine.Simulated())
	if err != nil {
		return err
	}
	v, unread := &ui.Verification{}, 0
	if v.Names, err = a.names(ctx); err != nil {
		return err
	}
	if v.Found, err = a.lookAfter(ctx, machine, cycled); err != nil {
		return err
	}
	if file != "" {
		_, wanted, err := a.planHere(ctx, machine, file)
		if err != nil {
			return err
		}
		v.Astray, unread = wanted.Astray(), len(wanted.UnreadWanted())
		maps.Copy(v.Names, wanted.Names())
	}
	if approved != nil {
		maps.Copy(v.Names, approved.Names())
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
	v.SetNames(v.Names)
	for i := range v.Drift {
		v.Drift[i].Name = v.Names.Of(v.Drift[i].Address)
	}
	if asJSON {
		err = a.writeVerification(v, machine.Simulated())
	} else {
		_, err = fmt.Fprint(a.stdout, a.heading(machine.Simulated()), a.screen(a.stdout).Verification(v))
	}
	if err != nil {
		return err
	}
	return verified(v, unread)
}

// planToVerify reads a saved plan for this machine; nil if none is named.
func planToVerify(file string, simulated bool) (*plan.Plan, error) {
	if file == "" {
		return nil, nil
	}
	p, err := loadPlan(file)
	if err == nil && p.Simulated != simulated {
		err = refused(
			fmt.Sprintf("cannot compare with %s: one of it and this machine is a simulated rack, and the other is "+
				"not", file),
			"name the rack with --simulate, or leave that out",
		)
	}
	return p, err
}

// lookAfter finds out what became of the images that this host remembers as staged.
func (a *app) lookAfter(
	ctx context.Context, machine transport.Machine, cycled []inventory.Selector,
) (*result.Found, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	store, err := state.OpenExisting(dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	progress := ui.NewScanning(a.stderr, a.quiet)
	defer progress.Close()
	return verify.Run(ctx, verify.Config{
		Machine: machine, Store: store, By: whoami(), PowerCycled: cycled, Progress: progress.Show,
	})
}

func (a *app) writeVerification(v *ui.Verification, simulated bool) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		FormatVersion string `json:"format_version"`
		Kind          string `json:"kind"`
		Simulated     bool   `json:"simulated"`
		*result.Found
		Astray []plan.Step  `json:"astray,omitempty"`
		Drift  []plan.Drift `json:"drift,omitempty"`
	}{"1.0", "Verification", simulated, v.Found, v.Astray, v.Drift})
}

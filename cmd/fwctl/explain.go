package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/plan"
)

func (a *app) explainCommand() *cobra.Command {
	var file, output string
	var sources planSources
	cmd := &cobra.Command{
		Use:   "explain PLAN|-f FILE ADDRESS",
		Short: "explain what a plan does with one component, and why",
		Long: `Explains one component: which want matches it, what each safeguard says, what its
update disturbs, what rolls it back, and when maintenance windows permit it.
The component is named by its address, or by any selector that selects it alone: see
plan --target.
A saved plan is explained without reading any device; with -f the enclosures
are read first, or inventories that were saved on other hosts, as plan does.`,
		Example: `  fwctl explain dc1.plan 5000ccab04001000/esp1/sub0
  fwctl explain -f dc1.yaml r12u20/esp1                # by the enclosure's name
  fwctl explain -f dc1.yaml --inventory stor1.json --inventory stor2.json 5000ccab04001000/esp1/sub0`,
		Args: args(cobra.RangeArgs(1, 2), "a plan file and an address, or -f, a desired state and an address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case file == "" && len(args) == 1:
				return &failure{
					exitError, "cannot explain without a plan",
					"name a plan file before the address, or a desired state with -f",
				}
			case file != "" && len(args) == 2:
				return &failure{
					exitError, "cannot explain both a plan and a desired state",
					fmt.Sprintf("leave out %s or %s", plan.Command{args[0]}, plan.Command{"-f", file}),
				}
			case file == "" && sources.named():
				return &failure{
					exitError, "cannot explain a saved plan from inventories",
					"a plan holds what it was made from: leave out --inventory and --max-age, " +
						"or name a desired state with -f",
				}
			}
			if err := oneOf("-o", output, "text", "json"); err != nil {
				return err
			}
			selector, err := inventory.ParseSelector(args[len(args)-1])
			if err != nil {
				return &failure{exitError, err.Error(), inventory.SelectorHelp}
			}
			p, err := a.planToExplain(cmd.Context(), file, args[0], sources)
			if err != nil {
				return err
			}
			s, err := stepAt(p, selector)
			if err != nil {
				return err
			}
			now := time.Now()
			if output == "json" {
				out := json.NewEncoder(a.stdout)
				out.SetEscapeHTML(false)
				out.SetIndent("", "  ")
				return out.Encode(explanation(p, s, now))
			}
			_, err = fmt.Fprint(a.stdout, a.heading(p.Simulated), a.screen(a.stdout).Explain(p, s, now))
			return err
		},
	}
	desiredFlag(cmd, &file)
	sources.addFlags(cmd, "warn of inventories that are older than `DURATION`")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// planToExplain reads a saved plan, or makes one from a desired state.
func (a *app) planToExplain(ctx context.Context, desired, saved string, sources planSources) (*plan.Plan, error) {
	if desired == "" {
		p, err := loadPlan(saved)
		return p, err
	}
	var want planRequest
	var err error
	if want.desired, want.images, err = a.loadDesired(desired); err != nil {
		return nil, err
	}
	now := time.Now()
	if want.inventories, err = a.read(ctx, sources, now, ""); err != nil {
		return nil, err
	}
	p, _, err := want.build(now)
	return p, err
}

// stepAt finds the one step that a selector selects.
func stepAt(p *plan.Plan, selector inventory.Selector) (*plan.Step, error) {
	var found *plan.Step
	var several []string
	for i := range p.Steps {
		s := &p.Steps[i]
		if selector.Matches(s.Named()) {
			found = s
			several = append(several, s.Address)
		}
	}
	switch {
	case len(several) == 1:
		return found, nil
	case len(several) > 1:
		return nil, &failure{
			exitError, fmt.Sprintf("cannot explain %s: it selects %s", selector, ui.Components(len(several))),
			"name one of " + ui.Enumerate(several, 8),
		}
	}
	return nil, plan.Unmatched("", []inventory.Selector{selector}, p.Components(), "this plan")
}

// waveTimes says when a wave may work on a step.
type waveTimes struct {
	Number  int           `json:"number"`
	Kind    plan.WaveKind `json:"kind"`
	Canary  bool          `json:"canary"`
	Windows []string      `json:"windows"`
	// Open: it may run now.
	Open   bool       `json:"open"`
	Opens  *time.Time `json:"opens"`
	Closes *time.Time `json:"closes"`
	// Needs is the longest time that the step may take in it.
	Needs plan.Duration `json:"needs"`
	// Expected is the time that the step is expected to take in it, 0 if unknown.
	Expected plan.Duration `json:"expected,omitempty"`
}

// explanation returns what explain -o json writes: the step as the plan has it, and when its
// waves may run. It has a schema.
func explanation(p *plan.Plan, s *plan.Step, now time.Time) any {
	waves := []waveTimes{}
	for _, w := range p.WavesOf(s) {
		t := waveTimes{
			Number: w.Number, Kind: w.Kind, Canary: w.Canary, Windows: w.Windows, Needs: s.WorstIn(w),
			Expected: s.ExpectedIn(w).Time,
		}
		if o, err := p.Opening(w, now); err == nil {
			t.Open = o.Now
			if !o.Start.IsZero() {
				t.Opens, t.Closes = &o.Start, &o.End
			}
		}
		waves = append(waves, t)
	}
	return struct {
		FormatVersion string      `json:"format_version"`
		Kind          string      `json:"kind"`
		Simulated     bool        `json:"simulated"`
		PlanDigest    string      `json:"plan_digest"`
		Step          *plan.Step  `json:"step"`
		Waves         []waveTimes `json:"waves"`
	}{"1.0", "Explanation", p.Simulated, p.Digest, s, waves}
}

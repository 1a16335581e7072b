package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fwctl/internal/image"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

func (a *app) planCommand() *cobra.Command {
	var (
		file        string
		inventories []string
		out         string
		output      string
		want        planRequest
		detailed    bool
	)
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "show what it takes to reach a desired state",
		Long: `Reads the enclosures of this host, or takes inventories that were saved on other
hosts, and shows what would happen to each component to bring it to the desired
state, and what that would disturb. Nothing is written to any device.`,
		Example: `  fwctl plan -f dc1.yaml
  fwctl plan -f dc1.yaml --out dc1.plan                # then: fwctl apply dc1.plan
  fwctl plan -f dc1.yaml --inventory stor1.json --inventory stor2.json`,
		Args: args(cobra.NoArgs, "none; the desired state is named with -f"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			if a.simulate != "" && len(inventories) > 0 {
				return &failure{exitError, "cannot plan with both --simulate and --inventory", "a saved inventory says itself whether it was simulated: leave --simulate out"}
			}
			var err error
			if want.desired, want.images, err = a.loadDesired(file); err != nil {
				return err
			}
			if len(inventories) > 0 {
				want.inventories, err = loadInventories(inventories)
			} else {
				want.inventories, err = a.scanHere(cmd.Context())
			}
			if err != nil {
				return err
			}
			p, data, err := want.build(time.Now())
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeFile(out, data); err != nil {
					return err
				}
			}
			if err := a.showPlan(p, data, output); err != nil {
				return err
			}
			if out != "" {
				a.note("Plan written to %s.", out)
			}
			if detailed && p.Summary.Update+p.Summary.Activate+p.Summary.Staged+p.Summary.Blocked > 0 {
				return &failure{code: exitChanges}
			}
			return nil
		},
	}
	desiredFlag(cmd, &file)
	cmd.Flags().StringArrayVar(&inventories, "inventory", nil, "plan from the saved inventory `FILE` instead of a scan (repeatable)")
	cmd.Flags().StringVar(&out, "out", "", "write the plan to `PLAN` too, for show and apply")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	planFlags(cmd, &want)
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 where changes are pending (staged ones too) or blocked")
	return cmd
}

// planRequest is what a plan is made from.
type planRequest struct {
	desired     *plan.DesiredState
	images      map[string]*image.Image
	inventories []*inventory.Inventory
	targets     []string
	activate    bool
}

// planFlags are the flags that limit a plan.
func planFlags(cmd *cobra.Command, want *planRequest) {
	cmd.Flags().StringArrayVar(&want.targets, "target", nil, "plan only the addresses or names that match `PATTERN` (repeatable)")
	cmd.Flags().BoolVar(&want.activate, "activate", false, "plan the activation of what is staged")
}

// build makes the plan, and its bytes as they are saved and shown as JSON.
func (r planRequest) build(now time.Time) (*plan.Plan, []byte, error) {
	sizes := map[string]int64{}
	for sha256, img := range r.images {
		sizes[sha256] = img.Size()
	}
	p, err := plan.Build(plan.Input{Desired: r.desired, Inventories: r.inventories, ImageSizes: sizes, Activate: r.activate, Targets: r.targets})
	if err != nil {
		return nil, nil, err
	}
	p.CreatedAt = now.UTC().Truncate(time.Second)
	data, err := p.Encode()
	return p, data, err
}

func (a *app) scanHere(ctx context.Context) ([]*inventory.Inventory, error) {
	machine, err := a.machine()
	if err != nil {
		return nil, err
	}
	return a.scanOf(ctx, machine)
}

func (a *app) scanOf(ctx context.Context, machine transport.Machine) ([]*inventory.Inventory, error) {
	inv, err := a.scan(ctx, machine, nil)
	if err != nil {
		return nil, err
	}
	return []*inventory.Inventory{inv}, nil
}

func loadInventories(files []string) ([]*inventory.Inventory, error) {
	var all []*inventory.Inventory
	for _, file := range files {
		data, err := readFile("the inventory", file)
		if err != nil {
			return nil, err
		}
		inv, err := inventory.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, inv)
	}
	return all, nil
}

// showPlan writes a plan to stdout.
func (a *app) showPlan(p *plan.Plan, data []byte, output string) error {
	if output == "json" {
		_, err := a.stdout.Write(data)
		return err
	}
	_, err := fmt.Fprint(a.stdout, a.heading(p.Simulated), planView(p, widthOf(a.stdout), a.paint()))
	return err
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"fwctl/internal/document"
	"fwctl/internal/transport"
	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/compare"
	"fwctl/plan/desired"
	"fwctl/plan/images"
)

func (a *app) planCommand() *cobra.Command {
	var (
		file     string
		sources  planSources
		out      outFile
		output   string
		want     planRequest
		targets  []string
		detailed bool
		details  bool
		older    string
	)
	cmd := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "show what it takes to reach a desired state",
		Long: `Reads the enclosures of this host, or takes inventories that were saved on other
hosts, and shows what would happen to each component to bring it to the desired
state, and what that would disturb. Nothing is written to any device.`,
		Example: `  fwctl plan -f dc1.yaml
  fwctl plan -f dc1.yaml --out dc1.plan                # then: fwctl apply dc1.plan
  fwctl plan -f dc1.yaml --inventory stor1.json --inventory stor2.json
  fwctl plan -f dc1.yaml --compare dc1.plan            # what differs from what was approved`,
		Args: args(cobra.NoArgs, "none; the desired state is named with -f"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			compares := cmd.Flags().Changed("compare")
			outputs := []string{"table", "json", "markdown", "html"}
			if compares {
				// A page shows one plan.
				outputs = outputs[:3]
			}
			if err := oneOf("-o", output, outputs...); err != nil {
				return err
			}
			if err := out.check(); err != nil {
				return err
			}
			var err error
			if want.targets, err = selectors("--target", targets); err != nil {
				return err
			}
			var approved *plan.Plan
			if compares {
				if approved, err = loadPlan(older); err != nil {
					return err
				}
			}
			if want.desired, want.images, err = a.loadDesired(file); err != nil {
				return err
			}
			now := time.Now()
			if want.inventories, err = a.read(cmd.Context(), sources, now, out.name); err != nil {
				return err
			}
			p, data, err := want.build(now)
			if err != nil {
				return err
			}
			if err := out.write(data); err != nil {
				return err
			}
			if approved != nil {
				err = a.showComparison(compare.Plans(approved, p), output)
			} else {
				err = a.showPlan(p, output, details)
			}
			if err != nil {
				return err
			}
			if out.name != "" {
				a.note("Plan saved to %s.", out.name)
			}
			if detailed && p.Summary.Pending() {
				return &failure{code: exitChanges}
			}
			return nil
		},
	}
	desiredFlag(cmd, &file)
	sources.addFlags(cmd, "warn of inventories that are older than `DURATION`, and write no plan from them")
	out.flag(cmd, document.Plan, "write the plan to `PLAN` too, for show and apply")
	cmd.Flags().StringVarP(&output, "output", "o", "table",
		"table, json, markdown for a pull request, or html for a change ticket")
	detailsFlag(cmd, &details)
	cmd.Flags().StringVar(&older, "compare", "",
		"in place of the plan, show in what it differs from `OLDPLAN`, which was approved, and why")
	cmd.Flags().StringArrayVar(&targets, "target", nil,
		"plan only what `SELECTOR` selects: an address or its leading parts, with the enclosure's identifier or name, "+
			"with * and ? (repeatable)")
	cmd.Flags().BoolVar(&want.activate, "activate", false, "plan the activation of what is staged")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false,
		"exit with 2 if changes are pending (staged ones too) or blocked")
	return cmd
}

func detailsFlag(cmd *cobra.Command, details *bool) {
	cmd.Flags().BoolVar(details, "details", false,
		"show a row for each component, however many there are: above 20 they are grouped")
}

// planRequest is what a plan is made from.
type planRequest struct {
	desired     *desired.State
	images      *desired.Images
	inventories []*inventory.Inventory
	targets     []inventory.Selector
	activate    bool
}

// build makes the plan, and its bytes as they are saved and shown as JSON.
func (r planRequest) build(now time.Time) (*plan.Plan, []byte, error) {
	sizes := map[string]int64{}
	for sha256, img := range r.images.Files {
		sizes[sha256] = img.Size()
	}
	p, err := build.Plan(build.Input{
		Desired: r.desired, Inventories: r.inventories, Activate: r.activate, Targets: r.targets,
		ImageSizes: sizes, SignedBy: r.images.SignedBy, Warnings: r.images.Warnings,
	})
	if err != nil {
		return nil, nil, err
	}
	if p.ImageHints, err = images.Hints(r.images.Files); err != nil {
		return nil, nil, err
	}
	data, err := encode(p, now)
	return p, data, err
}

// planHere plans for a desired state from what this host sees. It returns the plan and what it
// was made from.
func (a *app) planHere(ctx context.Context, machine transport.Machine, file string) (planRequest, *plan.Plan, error) {
	var from planRequest
	var err error
	if from.desired, from.images, err = a.loadDesired(file); err != nil {
		return from, nil, err
	}
	if from.inventories, err = a.scanOf(ctx, machine); err != nil {
		return from, nil, err
	}
	p, _, err := from.build(time.Now())
	return from, p, err
}

// encode sets the time and the digest of a plan, and returns its bytes as they are saved.
func encode(p *plan.Plan, now time.Time) ([]byte, error) {
	p.CreatedAt = now.UTC().Truncate(time.Second)
	return p.Encode()
}

func (a *app) scanHere(ctx context.Context) ([]*inventory.Inventory, error) {
	machine, err := a.machine()
	if err != nil {
		return nil, err
	}
	return a.scanOf(ctx, machine)
}

func (a *app) scanOf(ctx context.Context, machine transport.Machine) ([]*inventory.Inventory, error) {
	inv, err := a.scan(ctx, machine, scan.Options{ProbeUse: true})
	if err != nil {
		return nil, err
	}
	return []*inventory.Inventory{inv}, nil
}

// showPlan writes a plan to stdout.
func (a *app) showPlan(p *plan.Plan, output string, details bool) error {
	var err error
	switch output {
	case "json":
		var data []byte
		if data, err = p.Encode(); err == nil {
			_, err = a.stdout.Write(data)
		}
	case "markdown":
		_, err = io.WriteString(a.stdout, ui.Markdown(p, a.heading(p.Simulated), time.Now(), details))
	case "html":
		var text []byte
		if text, err = ui.PlanPage(p, a.heading(p.Simulated), time.Now(), details); err == nil {
			_, err = a.stdout.Write(text)
		}
	default:
		_, err = fmt.Fprint(a.stdout, a.heading(p.Simulated), a.screen(a.stdout).Plan(p, time.Now(), details))
	}
	return err
}

// showComparison writes to stdout how a plan differs from the one that was approved.
func (a *app) showComparison(c *compare.Comparison, output string) error {
	var err error
	switch output {
	case "json":
		out := json.NewEncoder(a.stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		err = out.Encode(c)
	case "markdown":
		_, err = io.WriteString(a.stdout, ui.ComparisonMarkdown(c, a.heading(c.Simulated)))
	default:
		_, err = fmt.Fprint(a.stdout, a.heading(c.Simulated), a.screen(a.stdout).Comparison(c))
	}
	return err
}

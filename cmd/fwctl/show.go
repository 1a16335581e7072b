package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"fwctl/plan"
)

func (a *app) showCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show PLAN",
		Short: "show a saved plan again",
		Long:  "Shows a saved plan as it was made. No device is read.",
		Args:  args(cobra.ExactArgs(1), "one plan file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			p, data, err := loadPlan(args[0])
			if err != nil {
				return err
			}
			return a.showPlan(p, data, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// loadPlan reads a saved plan, and its bytes.
func loadPlan(file string) (*plan.Plan, []byte, error) {
	data, err := readFile("the plan", file)
	if err != nil {
		return nil, nil, err
	}
	p, err := plan.Parse(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, data, nil
}

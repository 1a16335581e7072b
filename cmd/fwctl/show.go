package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"fwctl/internal/document"
	"fwctl/plan"
)

func (a *app) showCommand() *cobra.Command {
	var output string
	var details bool
	cmd := &cobra.Command{
		Use:   "show PLAN",
		Short: "show a saved plan again",
		Long:  "Shows a saved plan as it was made. No device is read.",
		Args:  args(cobra.ExactArgs(1), "one plan file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "json", "markdown", "html"); err != nil {
				return err
			}
			p, data, err := loadPlan(args[0])
			if err != nil {
				return err
			}
			return a.showPlan(p, data, output, details)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json, markdown for a pull request, or html for a change ticket")
	detailsFlag(cmd, &details)
	return cmd
}

// loadPlan reads a saved plan, and its bytes.
func loadPlan(file string) (*plan.Plan, []byte, error) {
	data, err := readDocument(file, document.Plan)
	if err != nil {
		return nil, nil, err
	}
	p, err := plan.Parse(data)
	if err != nil {
		return nil, nil, unusablePlan(file, data, err)
	}
	return p, data, nil
}

// versionOf finds the version in a plan file, even if the rest of the file is damaged.
var versionOf = regexp.MustCompile(`"format_version"\s*:\s*"([^"]*)"`)

// unusablePlan returns why plan.Parse refused a file: it is not a plan at all, which is a
// mistake on the command line, or it is a plan that must not be trusted.
func unusablePlan(file string, data []byte, err error) error {
	if document.Of(data) != document.Plan {
		return &failure{
			exitError,
			fmt.Sprintf("cannot use %s as a plan: this is not a plan of fwctl", file),
			sourceOf[document.Plan],
		}
	}
	if m := versionOf.FindSubmatch(data); m != nil && string(m[1]) != plan.FormatVersion {
		return refused(
			fmt.Sprintf("cannot use %s: it was made by another version of fwctl, whose plans have format %s; "+
				"this one reads %s", file, m[1], plan.FormatVersion),
			"make the plan again with this fwctl, or use that one")
	}
	var damaged *plan.DamagedError
	if errors.As(err, &damaged) {
		for i := range damaged.Problems {
			damaged.Problems[i].File = file
		}
	}
	return fmt.Errorf("%s: %w", file, err)
}

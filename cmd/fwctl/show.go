package main

import (
	"errors"
	"fmt"
	"io"
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
			p, err := loadPlan(args[0])
			if err != nil {
				return err
			}
			return a.showPlan(p, output, details)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table",
		"table, json, markdown for a pull request, or html for a change ticket")
	detailsFlag(cmd, &details)
	return cmd
}

// loadPlan reads a saved plan.
func loadPlan(file string) (*plan.Plan, error) {
	f, err := openDocument(file, document.Plan)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := seekable(f, file, document.Plan)
	if err != nil {
		return nil, err
	}
	p, err := plan.Read(r)
	if err != nil {
		return nil, unusablePlan(file, r, err)
	}
	return p, nil
}

// versionOf finds the version in a plan file, even if the rest of the file is damaged.
var versionOf = regexp.MustCompile(`"format_version"\s*:\s*"([^"]*)"`)

// unusablePlan returns why plan.Read refused a file: it cannot be read, it is not a plan at all,
// which is a mistake on the command line, or it is a plan that must not be trusted.
func unusablePlan(file string, r io.ReadSeeker, err error) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return unread(document.Plan, err)
	}
	data, again := readAs(r, file, document.Plan)
	if again != nil {
		return again
	}
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

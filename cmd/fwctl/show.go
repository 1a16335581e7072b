package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

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
			if err := oneOf("-o", output, "table", "json", "markdown"); err != nil {
				return err
			}
			p, data, err := loadPlan(args[0])
			if err != nil {
				return err
			}
			return a.showPlan(p, data, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json, or markdown for a pull request")
	return cmd
}

// loadPlan reads a saved plan, and its bytes.
func loadPlan(file string) (*plan.Plan, []byte, error) {
	data, err := readPlan(file)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the plan: %w", err)
	}
	p, err := plan.Parse(data)
	if err != nil {
		return nil, nil, noPlan(file, data, err)
	}
	return p, data, nil
}

// readPlan reads a plan file whole. Of one that does not begin as JSON objects do it
// reads what tells what it is: an image, or /dev/zero, does not fill the memory.
func readPlan(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil || !bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) {
		return head, err
	}
	rest, err := io.ReadAll(file)
	return append(head, rest...), err
}

// What a file says that it is, even where the rest of it is gone.
var (
	kindOf    = regexp.MustCompile(`(?:^|[\s{,])"?kind"?\s*:\s*"?(\w+)`)
	versionOf = regexp.MustCompile(`"format_version"\s*:\s*"([^"]*)"`)
)

// noPlan says why a file that plan.Parse refused is none: it is something else,
// which is an error of whoever named it, or it is a plan that nobody should trust.
func noPlan(file string, data []byte, err error) error {
	said := func(what *regexp.Regexp) string {
		if m := what.FindSubmatch(data); m != nil {
			return string(m[1])
		}
		return ""
	}
	other := func(what, hint string) error {
		return &failure{exitError, fmt.Sprintf("cannot use %s as a plan: this is %s", file, what), hint}
	}
	version := said(versionOf)
	switch kind := said(kindOf); {
	case kind == "DesiredState":
		return other("a desired state", fmt.Sprintf("use it with -f: %s, or %s", plan.Command{"fwctl", "plan", "-f", file}, plan.Command{"fwctl", "apply", "-f", file}))
	case kind == "Inventory":
		return other("an inventory", "plan from it: "+plan.Command{"fwctl", "plan", "-f", "FILE", "--inventory", file}.String())
	case kind != "Plan":
		return other("no plan of fwctl", "a plan is what `fwctl plan --out` writes")
	case version != "" && version != plan.FormatVersion:
		return refused(fmt.Sprintf("cannot use %s: it was made by another version of fwctl, whose plans have format %s; this one reads %s", file, version, plan.FormatVersion),
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

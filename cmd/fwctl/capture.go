package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"fwctl/internal/capture"
	"fwctl/internal/document"
	"fwctl/internal/ui"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

func (a *app) captureCommand() *cobra.Command {
	var out outFile
	cmd := &cobra.Command{
		Use:   "capture --out FILE",
		Short: "record what the enclosures of this host answer",
		Long: `Reads every enclosure of this host as ` + "`fwctl inventory`" + ` does, and records what it
answers and what /sys and /proc say of it. Nothing that has an effect is sent, and
no disk is opened. --simulate FILE reads the record in place of the machine, for
bug reports and for trying a desired state out; nothing can be written to it.

The record holds the name of this host, serial numbers, SAS addresses, mount
points, ZFS pools and names of processes that have disks open: look at it before
you give it away.`,
		Example: `  fwctl capture --out stor1.capture.json
  fwctl --simulate stor1.capture.json inventory`,
		Args: args(cobra.NoArgs, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out.name == "" {
				return &failure{exitError, "cannot capture to nowhere", "name a file with --out"}
			}
			return a.capture(cmd.Context(), out)
		},
	}
	out.flag(cmd, document.Capture, "write the record to `FILE`")
	return cmd
}

func (a *app) capture(ctx context.Context, out outFile) error {
	if err := out.check(); err != nil {
		return err
	}
	machine, err := a.machine()
	if err != nil {
		return err
	}
	recorder := capture.Record(machine, time.Now().UTC().Truncate(time.Second))
	progress := ui.NewScanning(a.stderr, a.quiet)
	inv, err := scan.Scan(ctx, recorder, scan.Options{Progress: progress.Show})
	progress.Close()
	if err != nil {
		return err
	}
	data, err := recorder.Encode()
	if err != nil {
		return err
	}
	if err := out.write(data); err != nil {
		return err
	}
	esps := 0
	for _, e := range inv.Enclosures {
		esps += len(e.ESPs)
	}
	text := fmt.Sprintf("Captured %s of %s to %s", ui.Counted(len(inv.Enclosures), esps), inv.Host, out.name)
	if n := len(inv.Problems); n > 0 {
		see := plan.Command{"fwctl", "--simulate", out.name, "inventory"}
		text += fmt.Sprintf(", with %s: see `%s`", english.Plural(n, "problem", ""), see)
	}
	_, err = fmt.Fprintf(a.stdout, "%s%s.\n", a.heading(inv.Simulated), ui.OneLine(text))
	return err
}

package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/internal/document"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
)

func (a *app) inventoryCommand() *cobra.Command {
	var (
		opts   scan.Options
		output string
		out    outFile
	)
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "read every enclosure of this host",
		Long: `Reads every enclosure of this host: its I/O modules, their firmware revisions,
what is staged, paths and health, and what uses the drives. Nothing that has an
effect is sent, and no disk is opened.

With --probe-use, drives that are not seen to be mounted, swapped on or held have
their counters watched for two seconds, and are then opened for a moment,
read-only, to learn whether somebody holds them, as ZFS does. Without it, no drive
is known to be unused.

A device that cannot be read is listed as a problem; the others are shown.`,
		Example: `  fwctl inventory
  fwctl inventory --probe-use --out stor1.json     # to plan elsewhere: fwctl plan --inventory stor1.json -f dc1.yaml`,
		Args: args(cobra.NoArgs, "none; devices are named with --device"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			if err := out.check(); err != nil {
				return err
			}
			machine, err := a.machine()
			if err != nil {
				return err
			}
			inv, err := a.scan(cmd.Context(), machine, opts)
			if err != nil {
				return err
			}
			data, err := inv.Encode()
			if err != nil {
				return err
			}
			if err := out.write(data); err != nil {
				return err
			}
			text := string(data)
			if output == "table" {
				text = a.heading(inv.Simulated) + inventoryView(inv, widthOf(a.stdout), a.paint())
			}
			if _, err := io.WriteString(a.stdout, text); err != nil {
				return err
			}
			if out.name != "" {
				a.note("Inventory saved to %s.", out.name)
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&opts.Devices, "device", nil, "read this device only, as in /dev/sg3 (repeatable)")
	cmd.Flags().BoolVar(&opts.ProbeUse, "probe-use", false, "open drives for a moment, read-only, to learn whether they are in use")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	out.flag(cmd, document.Inventory, "write the inventory to `FILE` too, as JSON")
	return cmd
}

// scan reads the enclosures of a machine and joins in what this host remembers
// as staged there.
func (a *app) scan(ctx context.Context, machine transport.Machine, opts scan.Options) (*inventory.Inventory, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	store, err := state.OpenReadOnly(dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	memory, err := store.Memory(ctx)
	if err != nil {
		return nil, err
	}
	inv, err := scan.Scan(ctx, machine, opts)
	if err != nil {
		return nil, err
	}
	executor.Remember(inv, memory)
	if err := executor.RememberUnread(ctx, inv, store, machine); err != nil {
		return nil, err
	}
	return inv, nil
}

package main

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"fwctl/executor/memory"
	"fwctl/internal/document"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/internal/ui"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
	"fwctl/plan/desired"
)

// inventoryFlags are the flags of inventory.
type inventoryFlags struct {
	opts   scan.Options
	output string
	drives []string
	// selected are the parsed selectors of drives.
	selected []inventory.Selector
	out      outFile
}

func (a *app) inventoryCommand() *cobra.Command {
	var f inventoryFlags
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "read every enclosure of this host",
		Long: `Reads every enclosure of this host: its I/O modules, their firmware revisions,
staged images, paths and health, and how many drives are in use. It sends nothing
with an effect and opens no disk; it asks ` + "`zpool status`" + ` for ZFS pools.

With --probe-use, it watches the counters of drives that are not seen to be mounted,
swapped on or held for two seconds, and then opens them for a moment, read-only, to
learn whether someone holds them. Without it, no drive is known to be unused.

With --drives, the table lists the drives of the selected enclosures: what uses each,
over which paths it is reached, and which source says so. JSON always has the drives
of all enclosures.

A device that cannot be read is listed as a problem; the others are shown.`,
		Example: `  fwctl inventory
  fwctl inventory --probe-use --drives r12u20
  fwctl inventory --probe-use --out stor1.json     # to plan elsewhere: fwctl plan --inventory stor1.json -f dc1.yaml`,
		Args: args(cobra.NoArgs, "none; devices are named with --device"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := cmp.Or(oneOf("-o", f.output, "table", "json"), f.out.check())
			if err != nil {
				return err
			}
			if f.selected, err = selectors("--drives", f.drives); err != nil {
				return err
			}
			return a.inventory(cmd.Context(), f)
		},
	}
	cmd.Flags().StringArrayVar(&f.opts.Devices, "device", nil, "read this device only, as in /dev/sg3 (repeatable)")
	cmd.Flags().StringArrayVar(&f.drives, "drives", nil,
		"show the drives of the enclosures that `SELECTOR` selects, by identifier or name, with * and ? (repeatable)")
	cmd.Flags().BoolVar(&f.opts.ProbeUse, "probe-use", false,
		"open drives for a moment, read-only, to learn whether they are in use")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table or json")
	f.out.flag(cmd, document.Inventory, "write the inventory to `FILE` too, as JSON")
	return cmd
}

// inventory scans this host, and shows and saves the inventory.
func (a *app) inventory(ctx context.Context, f inventoryFlags) error {
	machine, err := a.machine()
	if err != nil {
		return err
	}
	inv, err := a.scan(ctx, machine, f.opts)
	if err != nil {
		return err
	}
	names, err := a.names(ctx)
	if err != nil {
		return err
	}
	shown, err := drivesOf(inv, names, f.selected)
	if err != nil {
		return err
	}
	for i := range inv.Enclosures {
		inv.Enclosures[i].Name = names[inv.Enclosures[i].ID()]
	}
	data, err := inv.Encode()
	if err != nil {
		return err
	}
	if err := f.out.write(data); err != nil {
		return err
	}
	text := string(data)
	switch {
	case f.output == "json":
	case len(f.selected) > 0:
		text = a.heading(inv.Simulated) + a.screen(a.stdout).Drives(shown, names, f.opts.ProbeUse)
	default:
		text = a.heading(inv.Simulated) + a.screen(a.stdout).Inventory(inv, names, quirkName)
	}
	if _, err := io.WriteString(a.stdout, text); err != nil {
		return err
	}
	if f.out.name != "" {
		a.note("Inventory saved to %s.", f.out.name)
	}
	return nil
}

// drivesOf returns the enclosures that selectors select a component of.
func drivesOf(
	inv *inventory.Inventory, names map[string]string, selected []inventory.Selector,
) ([]*inventory.Enclosure, error) {
	var all []inventory.Named
	var enclosures []*inventory.Enclosure
	for i := range inv.Enclosures {
		e := &inv.Enclosures[i]
		own := e.Named()
		for n := range own {
			own[n].Name = names[e.ID()]
		}
		all = append(all, own...)
		if slices.ContainsFunc(own, func(c inventory.Named) bool {
			return slices.ContainsFunc(selected, func(s inventory.Selector) bool { return s.Matches(c) })
		}) {
			enclosures = append(enclosures, e)
		}
	}
	return enclosures, plan.Unmatched("--drives", selected, all, "sight")
}

// scan reads the enclosures of a machine, and joins what this host remembers into the inventory.
func (a *app) scan(ctx context.Context, machine transport.Machine, opts scan.Options) (*inventory.Inventory, error) {
	store, err := a.memory()
	if err != nil {
		return nil, err
	}
	defer store.Close()
	progress := ui.NewScanning(a.stderr, a.quiet)
	opts.Progress = progress.Show
	inv, err := scan.Scan(ctx, machine, opts)
	progress.Close()
	if err != nil {
		return nil, err
	}
	return inv, memory.Join(ctx, inv, store, memory.Host{
		HoldsLock: machine.HoldsLock,
		Users:     func(node string) string { return enclosure.Users(machine.FS(), node) },
	})
}

// memory opens what this host remembers, for reading. The caller closes it.
func (a *app) memory() (*state.Store, error) {
	dir, err := a.state()
	if err != nil {
		return nil, err
	}
	return state.OpenReadOnly(dir)
}

// quirkName returns the name of the row of fwctl's own quirk table that fits a device.
func quirkName(vendor, product, revision string) string {
	return desired.QuirkOf(nil, vendor, product, revision).Name
}

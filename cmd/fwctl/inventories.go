package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"fwctl/internal/document"
	"fwctl/internal/ui"
	"fwctl/inventory"
)

// planSources are what a plan is made from beside a desired state: a scan of this host, or
// saved inventories.
type planSources struct {
	// inventories are files; without any, this host is scanned.
	inventories []string
	maxAge      time.Duration
	cmd         *cobra.Command
}

// named reports whether any of the flags was given.
func (s *planSources) named() bool {
	return s.cmd.Flags().Changed("inventory") || s.cmd.Flags().Changed("max-age")
}

// addFlags adds the flags. age is the usage text of --max-age.
func (s *planSources) addFlags(cmd *cobra.Command, age string) {
	s.cmd = cmd
	cmd.Flags().StringArrayVar(&s.inventories, "inventory", nil,
		"plan from the saved inventory `FILE` instead of a scan (repeatable)")
	cmd.Flags().DurationVar(&s.maxAge, "max-age", 24*time.Hour, age)
}

// simulatedInventory is the hint for --simulate beside --inventory.
const simulatedInventory = "a saved inventory says itself whether it was simulated: leave --simulate out"

// read reads the sources of a plan that is to be kept in out, "" for none.
func (a *app) read(ctx context.Context, s planSources, now time.Time, out string) ([]*inventory.Inventory, error) {
	if len(s.inventories) == 0 {
		return a.scanHere(ctx)
	}
	if a.simulate != "" {
		return nil, &failure{exitError, "cannot plan with both --simulate and --inventory", simulatedInventory}
	}
	all, err := a.loadInventories(s.inventories)
	if err != nil {
		return nil, err
	}
	return all, a.checkAge(all, now, s.maxAge, out)
}

// loadInventories reads saved inventories, as many at a time as there are processors. The
// error is that of the first file that has one.
func (a *app) loadInventories(files []string) ([]*inventory.Inventory, error) {
	size := int64(0)
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	bar := ui.NewLoading(a.stderr, len(files), size, a.quiet)
	defer bar.Close()
	all, failures := make([]*inventory.Inventory, len(files)), make([]error, len(files))
	var readers errgroup.Group
	readers.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		readers.Go(func() error {
			bar.NextFile()
			all[i], failures[i] = loadInventory(file, bar)
			return failures[i]
		})
	}
	if readers.Wait() == nil {
		return all, nil
	}
	return nil, failures[slices.IndexFunc(failures, func(err error) bool { return err != nil })]
}

// loadInventory reads a saved inventory, and writes what it reads to bar.
func loadInventory(name string, bar io.Writer) (*inventory.Inventory, error) {
	file, err := openDocument(name, document.Inventory)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// A pipe has no size to check beforehand.
	inv, err := inventory.Read(io.TeeReader(io.LimitReader(file, maxRecorded), bar))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return inv, nil
}

// checkAge refuses to write a plan to out from inventories that are older than most or from the
// future. If out is "", the plan is only shown, and it warns of them.
func (a *app) checkAge(inventories []*inventory.Inventory, now time.Time, most time.Duration, out string) error {
	var old *multierror.Error
	for _, inv := range inventories {
		scanned := ui.Moment(inv.ScannedAt)
		age := ui.Spell(now.Sub(inv.ScannedAt))
		switch fresh := inv.Freshness(now, most); {
		case fresh == inventory.FromFuture && out != "":
			old = multierror.Append(old, refused(
				fmt.Sprintf("cannot write a plan from the inventory of %s: it was scanned %s, and it is %s now",
					inv.Host, scanned, ui.Moment(now)),
				"set the clock of the host that is wrong, and scan again: exceptions and waivers end by these times"))
		case fresh == inventory.FromFuture:
			fmt.Fprintf(a.stderr, "WARNING the inventory of %s was scanned %s, and it is %s now: exceptions and "+
				"waivers that end by then count as ended\n", inv.Host, scanned, ui.Moment(now))
		case fresh == inventory.Outdated && out != "":
			old = multierror.Append(old, refused(
				fmt.Sprintf("cannot write a plan from the inventory of %s: it is %s old, scanned %s, and --max-age is "+
					"%s",
					inv.Host, age, scanned, ui.Spell(most)),
				"scan again with `fwctl inventory --out`, or permit that age with --max-age"))
		case fresh == inventory.Outdated:
			fmt.Fprintf(a.stderr, "WARNING the inventory of %s is %s old, scanned %s: what it says may hold no "+
				"longer\n",
				inv.Host, age, scanned)
		}
	}
	return old.ErrorOrNil()
}

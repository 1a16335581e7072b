package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"fwctl/inventory"
)

// planSources are what a plan is made from beside a desired state: this host, or
// inventories that were saved on others.
type planSources struct {
	inventories []string // files; none: this host is scanned
	maxAge      time.Duration
	cmd         *cobra.Command
}

// named tells whether any of the flags was given.
func (s *planSources) named() bool {
	return s.cmd.Flags().Changed("inventory") || s.cmd.Flags().Changed("max-age")
}

// addFlags adds the flags. age is what --max-age does.
func (s *planSources) addFlags(cmd *cobra.Command, age string) {
	s.cmd = cmd
	cmd.Flags().StringArrayVar(&s.inventories, "inventory", nil, "plan from the saved inventory `FILE` instead of a scan (repeatable)")
	cmd.Flags().DurationVar(&s.maxAge, "max-age", 24*time.Hour, age)
}

// read takes in the sources of a plan that is to be kept in out, "" for none.
func (a *app) read(ctx context.Context, s planSources, now time.Time, out string) ([]*inventory.Inventory, error) {
	if len(s.inventories) == 0 {
		return a.scanHere(ctx)
	}
	if a.simulate != "" {
		return nil, &failure{exitError, "cannot plan with both --simulate and --inventory", "a saved inventory says itself whether it was simulated: leave --simulate out"}
	}
	all, err := a.loadInventories(s.inventories)
	if err != nil {
		return nil, err
	}
	return all, a.checkAge(all, now, s.maxAge, out)
}

// manyFiles is from how many inventories on a terminal is told how far it is.
const manyFiles = 10

// loadInventories reads saved inventories, one after the other.
func (a *app) loadInventories(files []string) ([]*inventory.Inventory, error) {
	told := len(files) >= manyFiles && !a.quiet && isTerminal(a.stderr)
	all := make([]*inventory.Inventory, 0, len(files))
	for i, file := range files {
		inv, err := loadInventory(file)
		if told {
			text := fmt.Sprintf("Reading inventories: %d of %d", i+1, len(files))
			fmt.Fprintf(a.stderr, "\r%s", gauge(text, int64(100*(i+1)/len(files)), widthOf(a.stderr)))
			if err != nil || i == len(files)-1 {
				fmt.Fprintln(a.stderr)
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, inv)
	}
	return all, nil
}

func loadInventory(name string) (*inventory.Inventory, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the inventory: %w", err)
	}
	defer file.Close()
	inv, err := inventory.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return inv, nil
}

// checkAge refuses a plan that is to be kept, out, from inventories that are older
// than most, and warns of them where it is only looked at.
func (a *app) checkAge(inventories []*inventory.Inventory, now time.Time, most time.Duration, out string) error {
	var old *multierror.Error
	for _, inv := range inventories {
		age := now.Sub(inv.ScannedAt)
		switch {
		case age <= most:
		case out != "":
			old = multierror.Append(old, refused(
				fmt.Sprintf("cannot write a plan from the inventory of %s: it is %s old, scanned %s, and --max-age is %s", inv.Host, spell(age), moment(inv.ScannedAt), spell(most)),
				"scan again with `fwctl inventory --out`, or permit that age with --max-age"))
		default:
			fmt.Fprintf(a.stderr, "WARNING the inventory of %s is %s old, scanned %s: what it says may hold no longer\n", inv.Host, spell(age), moment(inv.ScannedAt))
		}
	}
	return old.ErrorOrNil()
}

package main

import (
	"context"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"fwctl/internal/image"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan/desired"
)

func (a *app) initCommand() *cobra.Command {
	var inventories, files []string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "print a desired state of what is there",
		Long: `Reads the enclosures of this host, or takes inventories that were saved on other
hosts, and prints a desired state of them with comments: a model for each product,
and the revisions that run there. It wants nothing, so it changes nothing as it stands.

Images are suggested in comments, with their SHA-256. Their paths are written as you
give them, so put the desired state into the current directory. Remove the # to want
an image.`,
		Example: `  fwctl init > dc1.yaml
  fwctl init --image images/1100.bin > dc1.yaml
  fwctl init --inventory stor1.json --inventory stor2.json > dc1.yaml`,
		Args: args(cobra.NoArgs, "none; inventories are named with --inventory"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.simulate != "" && len(inventories) > 0 {
				return &failure{exitError, "cannot use both --simulate and --inventory", simulatedInventory}
			}
			all, err := a.whatIsThere(cmd.Context(), inventories)
			if err != nil {
				return err
			}
			images, err := suggested(files)
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(desired.Init(all, images))
			return err
		},
	}
	cmd.Flags().StringArrayVar(&inventories, "inventory", nil,
		"take the saved inventory `FILE` instead of a scan (repeatable)")
	cmd.Flags().StringArrayVar(&files, "image", nil,
		"suggest the image in `FILE` for the models that it may be for (repeatable)")
	return cmd
}

// suggested reads the images that a desired state is to suggest.
func suggested(files []string) ([]*image.Image, error) {
	var images []*image.Image
	var bad *multierror.Error
	for _, name := range files {
		img, err := image.Load(name)
		if err == nil {
			err = img.CheckKind()
		}
		bad = multierror.Append(bad, err)
		images = append(images, img)
	}
	return images, bad.ErrorOrNil()
}

// whatIsThere returns saved inventories or, if none are named, a scan of this host that opens no
// drive.
func (a *app) whatIsThere(ctx context.Context, files []string) ([]*inventory.Inventory, error) {
	if len(files) > 0 {
		return a.loadInventories(files)
	}
	machine, err := a.machine()
	if err != nil {
		return nil, err
	}
	inv, err := a.scan(ctx, machine, scan.Options{})
	if err != nil {
		return nil, err
	}
	return []*inventory.Inventory{inv}, nil
}

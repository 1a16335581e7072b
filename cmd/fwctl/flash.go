package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"fwctl/internal/image"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
	"fwctl/plan/build"
)

func (a *app) flashCommand() *cobra.Command {
	var (
		mode, revision string
		buffer         int
		flags          runFlags
	)
	cmd := &cobra.Command{
		Use:   "flash IMAGE DEVICE...",
		Short: "send one image to some devices, without a desired state",
		Long: `Plans to send one image to the I/O modules behind some device nodes, shows the
plan, and carries it out after a person has said yes: with the checks, the record
and the care of apply. Several modules of one enclosure are done one after the
other; several nodes of one module are one.

Mode e saves the image, and a power cycle starts it. Mode 7 saves and starts it,
which resets the module; if the image is saved already, mode 7 only starts it
(0Fh) and does not send it again. If a device refuses the mode, the update has
failed: the other mode is never tried. With --revision, the module must report
that revision afterwards. Without it, fwctl can only see whether the revision
changed after mode 7.

With --buffer-id the image goes to a buffer of its own, as a CPLD's does. Without
--revision, the part behind that buffer counts as one that reports no revision:
only the image that was sent says what it runs.`,
		Example: `  fwctl flash iom-1100.bin /dev/sg3 /dev/sg4
  fwctl flash --mode 7 --revision 1100 iom-1100.bin /dev/sg3`,
		Args: args(cobra.MinimumNArgs(2), "an image, and the device nodes that it goes to, as in /dev/sg3"),
		RunE: a.untilRun(func(cmd *cobra.Command, args []string) error {
			mode = strings.ToLower(mode)
			if err := oneOf("--mode", mode, "e", "7"); err != nil {
				return err
			}
			if cmd.Flags().Changed("revision") && (revision == "" || len(revision) > 4) {
				return badFlag("--revision", revision, "what the device reports: one to four characters")
			}
			if buffer < 0 || buffer > 255 {
				return badFlag("--buffer-id", strconv.Itoa(buffer), "0 to 255")
			}
			img, err := image.Load(args[0])
			if err == nil {
				err = img.CheckKind()
			}
			if err != nil {
				return err
			}
			r, err := a.newRequest(flags)
			if err != nil {
				return err
			}
			r.config.Images = map[string]*image.Image{img.SHA256(): img}
			err = r.planOneOff(cmd.Context(), build.Flash{
				Image: img, Devices: args[1:], Mode: plan.Mode(mode), Revision: revision, BufferID: buffer,
			})
			if err == nil {
				err = r.acceptsSomething()
			}
			if err != nil {
				return err
			}
			if err := blocked(r.config.Plan); err != nil {
				r.show()
				return err
			}
			return r.apply(cmd.Context())
		}),
	}
	cmd.Flags().StringVar(&mode, "mode", "e",
		"e: save, a power cycle starts it; 7: save and start, which resets the module")
	cmd.Flags().StringVar(&revision, "revision", "", "the revision `R` that the image brings")
	cmd.Flags().IntVar(&buffer, "buffer-id", 0, "the buffer `N`, 0 to 255, that takes the image")
	flags.yesFlag(cmd)
	flags.acceptFlags(cmd)
	return cmd
}

// planOneOff plans for some devices.
func (r *request) planOneOff(ctx context.Context, want build.Flash) error {
	for i, device := range want.Devices {
		if !strings.Contains(device, "/") {
			want.Devices[i] = "/dev/" + device
		}
	}
	// The scan has the best reason why a named device is not an enclosure.
	if _, err := r.scan(ctx, r.config.Machine, scan.Options{Devices: want.Devices}); err != nil {
		return err
	}
	inventories, err := r.scanOf(ctx, r.config.Machine)
	if err != nil {
		return err
	}
	want.Inventory = inventories[0]
	if err := unreadable(want.Unreadable()); err != nil {
		return err
	}
	if want.Names, err = r.names(ctx); err != nil {
		return err
	}
	if r.config.Plan, err = build.OneOff(want); err != nil {
		return err
	}
	r.config.Unseen = build.UnseenESPs(r.config.Plan, nil, inventories)
	_, err = encode(r.config.Plan, time.Now())
	return err
}

// names returns what the last plans of this host called enclosures.
func (a *app) names(ctx context.Context) (map[string]string, error) {
	store, err := a.memory()
	if err != nil {
		return nil, err
	}
	defer store.Close()
	return store.Names(ctx)
}

// unreadable returns the error of devices that someone else is working on, or that could not be read.
func unreadable(problems []inventory.Problem) error {
	var all *multierror.Error
	for _, p := range problems {
		why := "it could not be read"
		if p.InUse {
			why = "it is in use"
		}
		all = multierror.Append(
			all,
			refused(fmt.Sprintf("cannot flash %s: %s", p.Path, why), "nothing was written: "+p.Detail),
		)
	}
	return all.ErrorOrNil()
}

// blocked refuses a plan that blocks a named device.
func blocked(p *plan.Plan) error {
	var all *multierror.Error
	for _, s := range p.Steps {
		if s.Action == plan.Blocked {
			what := fmt.Sprintf("cannot flash %s: %s", s.Address, strings.Join(s.Reasons, "; "))
			all = multierror.Append(all, refused(what, ""))
		}
	}
	return all.ErrorOrNil()
}

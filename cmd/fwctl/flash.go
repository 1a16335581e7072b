package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"fwctl/internal/image"
	"fwctl/inventory/scan"
	"fwctl/plan"
	"fwctl/plan/build"
)

func (a *app) flashCommand() *cobra.Command {
	var (
		mode     string
		revision string
		buffer   int
		yes      bool
		accept   []string
		sole     bool
	)
	cmd := &cobra.Command{
		Use:   "flash IMAGE DEVICE...",
		Short: "send one image to some devices, without a desired state",
		Long: `Plans to send one image to the I/O modules behind some device nodes, shows the
plan, and carries it out once somebody has said yes: with the checks, the record
and the care of apply. Several modules of one enclosure are done one after the
other; several nodes of one module are one.

Mode e saves the image, which a power cycle starts; mode 7 saves and starts it,
which resets the module; where the image is saved already, it starts it (0Fh) and
sends it no more. A mode that a device refuses has failed: the other one is never
tried. With --revision the module must say that it runs it afterwards.
Without it, fwctl can only see whether the revision changed after mode 7.

With --buffer-id the image goes to a buffer of its own, as a CPLD's does. Without
--revision what is behind that counts as a part that reports none: what it runs is
known by what was sent alone.`,
		Example: `  fwctl flash iom-1100.bin /dev/sg3 /dev/sg4
  fwctl flash --mode 7 --revision 1100 iom-1100.bin /dev/sg3`,
		Args: args(cobra.MinimumNArgs(2), "an image, and the device nodes that it goes to, as in /dev/sg3"),
		RunE: a.untilRun(func(cmd *cobra.Command, args []string) error {
			mode = strings.ToLower(mode)
			if err := oneOf("--mode", mode, "e", "7"); err != nil {
				return err
			}
			accepted, err := selectors("--accept-disruption", accept)
			if err != nil {
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
			machine, err := a.machine()
			if err != nil {
				return err
			}
			job := &job{app: a, machine: machine, accept: accepted, soleWriter: sole, images: map[string]*image.Image{img.SHA256(): img}}
			want := build.Flash{Image: img, Devices: args[1:], Mode: plan.Mode(mode), Revision: revision, BufferID: buffer}
			if err := job.makeOneOff(cmd.Context(), want); err != nil {
				return err
			}
			if err := job.acceptsSomething(); err != nil {
				return err
			}
			if err := blocked(job.plan); err != nil {
				job.show()
				return err
			}
			return job.apply(cmd.Context(), yes)
		}),
	}
	cmd.Flags().StringVar(&mode, "mode", "e", "e: save, a power cycle starts it; 7: save and start, which resets the module")
	cmd.Flags().StringVar(&revision, "revision", "", "the revision `R` that the image brings")
	cmd.Flags().IntVar(&buffer, "buffer-id", 0, "the buffer `N`, 0 to 255, that takes the image")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	acceptFlag(cmd, &accept)
	soleWriterFlag(cmd, &sole)
	return cmd
}

// makeOneOff plans for some devices.
func (j *job) makeOneOff(ctx context.Context, want build.Flash) error {
	for i, device := range want.Devices {
		if !strings.Contains(device, "/") {
			want.Devices[i] = "/dev/" + device
		}
	}
	// Of all that is named the scan says best why it is not an enclosure.
	if _, err := j.scan(ctx, j.machine, scan.Options{Devices: want.Devices}); err != nil {
		return err
	}
	inventories, err := j.scanOf(ctx, j.machine)
	if err != nil {
		return err
	}
	want.Inventory = inventories[0]
	if err := readable(want); err != nil {
		return err
	}
	if want.Names, err = j.names(ctx); err != nil {
		return err
	}
	if j.plan, err = build.OneOff(want); err != nil {
		return err
	}
	j.unseen = build.UnseenESPs(j.plan, nil, inventories)
	_, err = encode(j.plan, time.Now())
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

// readable refuses devices that somebody else works on, or that cannot be read.
func readable(want build.Flash) error {
	var all *multierror.Error
	for _, p := range want.Inventory.Problems {
		if !slices.Contains(want.Devices, p.Path) || !p.InUse && p.Unread == nil {
			continue
		}
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

// blocked refuses a plan of which something that was named may not be done.
func blocked(p *plan.Plan) error {
	var all *multierror.Error
	for _, s := range p.Steps {
		if s.Action == plan.Blocked {
			all = multierror.Append(all, refused(fmt.Sprintf("cannot flash %s: %s", s.Address, strings.Join(s.Reasons, "; ")), ""))
		}
	}
	return all.ErrorOrNil()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/spf13/cobra"

	"fwctl/executor/memory"
	"fwctl/internal/document"
	"fwctl/internal/report"
	"fwctl/internal/state"
	"fwctl/internal/ui"
	"fwctl/inventory"
)

func (a *app) statusCommand() *cobra.Command {
	var o lookBack
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show what is running, staged and stuck",
		Long: `Shows which applies are in progress or can be resumed, because they were broken
off or interrupted; which images are staged and start at any power loss; and where the end
of a download or an activation is unknown, so that a person has to look. It goes by
what this host remembers and opens no device: ` + "`fwctl inventory`" + ` says
whether a staged image is still there.`,
		Example: `  fwctl status
  fwctl status -o json > stor2.json     # on stor2
  fwctl status --from stor2.json        # and here, with it
  fwctl status -o html > status.html    # for a change ticket`,
		Args: args(cobra.NoArgs, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return look(cmd.Context(), a, o, kept[*report.Status]{
				document.Status, a.readStatus, report.ParseStatus, ui.Screen.Status, ui.StatusPage,
			})
		},
	}
	o.flags(cmd)
	return cmd
}

// lookBack are the flags of status and history.
type lookBack struct {
	output    string
	enclosure string
	from      []string
}

func (o *lookBack) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "table, json, or html for a change ticket")
	cmd.Flags().StringVar(&o.enclosure, "enclosure", "",
		"show only what `SELECTOR` selects: an address or its leading parts, with the enclosure's identifier or name, "+
			"with * and ?")
	cmd.Flags().StringArrayVar(&o.from, "from", nil,
		"add another host's status or history from `FILE` (made there with -o json; repeatable)")
}

// kept is what status and history show.
type kept[D record[D]] struct {
	kind  document.Kind
	read  func(context.Context, *state.Store) (D, error)
	parse func([]byte) (D, error)
	view  func(ui.Screen, D, ui.Again) string
	page  func(d D, simulated string, now time.Time, again ui.Again) ([]byte, error)
}

type record[D any] interface {
	Add(D) error
	Only(inventory.Selector) error
	Encode() ([]byte, error)
}

// look reads the store of this host, joins what was saved on others, and shows it.
func look[D record[D]](ctx context.Context, a *app, o lookBack, d kept[D]) error {
	if err := oneOf("-o", o.output, "table", "json", "html"); err != nil {
		return err
	}
	var only []inventory.Selector
	if o.enclosure != "" {
		var err error
		if only, err = selectors("--enclosure", []string{o.enclosure}); err != nil {
			return err
		}
	}
	dir, err := a.state()
	if err != nil {
		return err
	}
	if name := filepath.Join(dir, state.FileName); missing(name) {
		a.note("Nothing is remembered on this host yet: there is no %s.", name)
	}
	store, err := state.OpenReadOnly(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	all, err := d.read(ctx, store)
	if err != nil {
		return err
	}
	var bad *multierror.Error
	for _, name := range o.from {
		bad = multierror.Append(bad, add(all, d, name))
	}
	if err := bad.ErrorOrNil(); err != nil {
		return err
	}
	if len(only) > 0 {
		if err := all.Only(only[0]); err != nil {
			return err
		}
	}
	var data []byte
	switch simulated := a.heading(a.simulate != ""); o.output {
	case "json":
		data, err = all.Encode()
	case "html":
		data, err = d.page(all, simulated, time.Now(), a.again)
	default:
		data = []byte(simulated + d.view(a.screen(a.stdout), all, a.again))
	}
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(data)
	return err
}

func missing(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

func add[D record[D]](all D, d kept[D], name string) error {
	data, err := readDocument(name, d.kind)
	if err != nil {
		return err
	}
	other, err := d.parse(data)
	if err == nil {
		err = all.Add(other)
	}
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", name, err)
	}
	return nil
}

func (a *app) readStatus(ctx context.Context, store *state.Store) (*report.Status, error) {
	host, holds, err := a.thisHost()
	if err != nil {
		return nil, err
	}
	return report.ReadStatus(ctx, store, host, holds)
}

// thisHost returns this host and the time, and a function that says which process has a lock
// here. The store can be read even on a machine without a transport.
func (a *app) thisHost() (report.Host, memory.HoldsLock, error) {
	host := report.Host{TakenAt: time.Now().UTC().Truncate(time.Second), Simulated: a.simulate != ""}
	machine, err := a.machine()
	switch {
	case err == nil:
		host.Name = machine.Hostname()
		return host, machine.HoldsLock, nil
	case host.Simulated:
		return host, nil, err
	}
	why := err
	host.Name, err = os.Hostname()
	if err != nil {
		return host, nil, fmt.Errorf("cannot find out the name of this host: %w", err)
	}
	return host, func(string, int) (bool, error) { return false, why }, nil
}

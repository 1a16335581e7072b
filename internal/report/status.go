package report

import (
	"cmp"
	"context"
	"slices"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/inventory"
)

// Status is what goes on, what is staged and what is stuck.
type Status struct {
	FormatVersion string `json:"format_version"`
	Kind          string `json:"kind"`

	// Hosts are those whose stores were read, by name.
	Hosts []Host `json:"hosts"`
	// Runs are those that go on or can be resumed, by host and the oldest first.
	Runs []Run `json:"runs"`
	// These are sorted by host and address.
	Staged   []HostStaged  `json:"staged"`
	Stuck    []Stuck       `json:"stuck"`
	Cautions []HostCaution `json:"cautions,omitempty"`
	// Components are those that the hosts remember, by address.
	Components []Component `json:"components,omitempty"`
}

// HostStaged is an image that a component holds, as far as its host remembers.
type HostStaged struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	// Running is the revision that ran when it was staged, Revision the one that it brings.
	Running  string    `json:"running"`
	Revision string    `json:"revision"`
	SHA256   string    `json:"sha256"`
	Since    time.Time `json:"since"`
	By       string    `json:"by"`
	// Confirmed: the device said that the image is complete.
	Confirmed bool `json:"confirmed"`
}

// Stuck is a component with an effect that has no recorded end, and that no run works on: a
// person has to look at it.
type Stuck struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	Run     int64  `json:"run"`
	// Kind is that of the last such effect, and Mode two hex digits, as in the command.
	Kind   string    `json:"kind"`
	Mode   string    `json:"mode"`
	SHA256 string    `json:"sha256"`
	Since  time.Time `json:"since"`
}

// HostCaution is a caution about a component.
type HostCaution struct {
	Host string `json:"host"`
	inventory.Caution
}

// ReadStatus reads the status from the store of a host.
func ReadStatus(ctx context.Context, store *state.Store, host Host, holds memory.HoldsLock) (*Status, error) {
	for {
		s := newStatus()
		s.Hosts = append(s.Hosts, host)
		var open []state.Intent
		err := store.View(ctx, func(store *state.Store) (err error) {
			if open, err = store.Open(ctx); err != nil {
				return err
			}
			return s.read(ctx, store, host.Name)
		})
		if err != nil {
			return nil, err
		}
		for i := range s.Runs {
			if r := &s.Runs[i]; r.EndedAt == nil {
				r.Process = process(r, holds)
				r.Resumable = r.Resumable && r.Process != result.ProcessRunning
			}
		}
		// A run commits its end before it gives up its locks. One that has no locks may have ended
		// since the store was read: read it again then.
		unfinished, err := store.Unfinished(ctx)
		if err != nil {
			return nil, err
		}
		hasNoEnd := func(r Run) bool {
			return slices.ContainsFunc(unfinished, func(u state.Run) bool { return u.ID == r.ID })
		}
		if slices.ContainsFunc(s.Runs, func(r Run) bool {
			return r.EndedAt == nil && r.Process != result.ProcessRunning && !hasNoEnd(r)
		}) {
			continue
		}
		s.Stuck = stuck(open, s.Runs, host.Name)
		return s, nil
	}
}

// read reads all but Stuck from the store of a host.
func (s *Status) read(ctx context.Context, store *state.Store, host string) (err error) {
	if s.Staged, err = staged(ctx, store, host); err != nil {
		return err
	}
	cautions, err := store.Cautions(ctx)
	if err != nil {
		return err
	}
	for _, c := range memory.Cautions(cautions) {
		s.Cautions = append(s.Cautions, HostCaution{host, c})
	}
	runs, err := store.Resumable(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		run, err := readRun(ctx, store, r)
		if err != nil {
			return err
		}
		p, err := run.kept(ctx, store)
		if err != nil {
			return err
		}
		if run.Resumable = p != nil; run.Resumable {
			run.addPlanned(p)
			run.addWaivers(p)
		}
		s.Runs = append(s.Runs, *run)
	}
	s.Components, err = remembered(ctx, store, s.Runs)
	return err
}

// process finds out whether the process of a run is alive.
func process(r *Run, holds memory.HoldsLock) result.Process {
	enclosure := ""
	if len(r.Steps) > 0 {
		enclosure = inventory.EnclosureOf(r.Steps[0].Address)
	}
	return memory.ProcessOf(r.PID, enclosure, holds)
}

// stuck lists the components with open effects of runs that do not go on.
func stuck(open []state.Intent, runs []Run, host string) []Stuck {
	all := []Stuck{}
	for _, i := range open {
		goesOn := func(r Run) bool { return r.ID == i.Run && r.Process == result.ProcessRunning }
		if slices.ContainsFunc(runs, goesOn) {
			continue
		}
		at := slices.IndexFunc(all, func(s Stuck) bool { return s.Address == i.Address })
		if at < 0 {
			all = append(all, Stuck{Host: host, Address: i.Address, Since: i.At})
			at = len(all) - 1
		}
		all[at].Run, all[at].Kind, all[at].Mode, all[at].SHA256 = i.Run, string(i.Kind), i.Mode, i.SHA256
	}
	slices.SortFunc(all, func(a, b Stuck) int { return cmp.Compare(a.Address, b.Address) })
	return all
}

// staged lists the images that components hold staged, by address.
func staged(ctx context.Context, store *state.Store, host string) ([]HostStaged, error) {
	held, err := store.Staged(ctx)
	if err != nil {
		return nil, err
	}
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	all := []HostStaged{}
	for k, v := range held {
		all = append(all, HostStaged{
			Host: host, Address: addresses[k], Running: v.Running, Revision: v.Revision, SHA256: v.SHA256,
			Since: v.Since, By: v.By, Confirmed: v.Confirmed,
		})
	}
	slices.SortFunc(all, func(a, b HostStaged) int { return cmp.Compare(a.Address, b.Address) })
	return all, nil
}

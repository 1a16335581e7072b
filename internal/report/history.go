package report

import (
	"context"
	"time"

	"fwctl/internal/state"
)

// History is what was done.
type History struct {
	FormatVersion string `json:"format_version"`
	Kind          string `json:"kind"`

	// Hosts are those whose stores were read, by name.
	Hosts []Host `json:"hosts"`
	// Runs and Verified are sorted by host, the oldest first.
	Runs     []Run      `json:"runs"`
	Verified []Verified `json:"verified"`
	// Components are those that the hosts remember, by address.
	Components []Component `json:"components,omitempty"`
}

// Verified is what a person found out with fwctl verify about a staged image.
type Verified struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	// SHA256 is that of the image that was staged, Revision what the component reported.
	SHA256   string    `json:"sha256"`
	Revision string    `json:"revision"`
	Outcome  string    `json:"outcome"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
}

// ReadHistory reads the history from the store of a host.
func ReadHistory(ctx context.Context, store *state.Store, host Host) (*History, error) {
	h := newHistory()
	h.Hosts = append(h.Hosts, host)
	err := store.View(ctx, func(store *state.Store) error {
		runs, err := store.Runs(ctx)
		if err != nil {
			return err
		}
		for _, r := range runs {
			run, err := readRun(ctx, store, r)
			if err != nil {
				return err
			}
			run.PID = 0 // it means nothing once the run is over
			h.Runs = append(h.Runs, *run)
		}
		if h.Components, err = remembered(ctx, store, h.Runs); err != nil {
			return err
		}
		found, err := store.Verifications(ctx)
		for _, v := range found {
			h.Verified = append(h.Verified, Verified{
				Host: host.Name, Address: v.Address, SHA256: v.SHA256, Revision: v.Revision, Outcome: string(v.Outcome),
				By: v.By, At: v.At,
			})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

package executor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
)

// RememberUnread joins what the store knows of devices that could not be read into an
// inventory: the components behind them, and the run that works on them.
func RememberUnread(ctx context.Context, inv *inventory.Inventory, store *state.Store, m transport.Machine) error {
	if !slices.ContainsFunc(inv.Problems, func(p inventory.Problem) bool { return p.Unread != nil }) {
		return nil
	}
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return err
	}
	open, err := store.Resumable(ctx)
	if err != nil {
		return err
	}
	for i := range inv.Problems {
		p := &inv.Problems[i]
		u := p.Unread
		if u == nil {
			continue
		}
		known := map[string]string{} // lu_id by address
		for key, address := range addresses {
			if u.Leads(key.LUID) {
				known[address] = key.LUID
			}
		}
		for n := range open {
			run := &open[n]
			its, err := keptPlan(ctx, store, run.ID)
			if err != nil || its == nil {
				continue // whoever resumes it hears of that
			}
			works := false
			for _, s := range its.Steps {
				if s.Host == run.Host && u.Leads(s.LUID) {
					known[s.Address], works = s.LUID, works || len(s.Hops) > 0
				}
			}
			if !works || u.UsedBy != "" {
				continue
			}
			who := fmt.Sprintf(
				"run %d of plan %s, which %s began %s",
				run.ID,
				shortened(its.Digest),
				inventory.Shown(run.By),
				run.StartedAt.UTC().Format("2006-01-02 15:04 MST"),
			)
			if u.Resume = !goesOn(m, run, its); u.Resume {
				who += ", was broken off in the middle of its work on it: fwctl resume goes on with it"
			} else {
				who += fmt.Sprintf(", is working on it (pid %d)", run.PID)
			}
			u.UsedBy = who
		}
		if p.InUse && u.UsedBy == "" {
			u.UsedBy = holders(m.FS(), p.Path)
		}
		for _, address := range slices.Sorted(maps.Keys(known)) {
			u.Components = append(u.Components, inventory.Known{Address: address, LUID: known[address]})
		}
		switch {
		case u.UsedBy != "" && p.InUse:
			p.Detail = u.UsedBy + "; scan again when that is done"
		case u.UsedBy != "":
			p.Detail = u.UsedBy + "; " + p.Detail
		}
	}
	return nil
}

// shortened is the beginning of a digest, for people to tell two apart.
func shortened(digest string) string {
	const prefix = "sha256:"
	return cmp.Or(digest[min(len(prefix), len(digest)):min(len(prefix)+8, len(digest))], digest)
}

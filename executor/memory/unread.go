package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"fwctl/internal/baseline"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// addUnread adds what the store knows about devices that could not be read: the components behind them, and the run
// that works on them.
func addUnread(ctx context.Context, inv *inventory.Inventory, store *state.Store, host Host) error {
	if !slices.ContainsFunc(inv.Problems, func(p inventory.Problem) bool { return p.Unread != nil }) {
		return nil
	}
	components, err := known(ctx, store)
	if err != nil {
		return err
	}
	runs, err := resumable(ctx, store)
	if err != nil {
		return err
	}
	for i := range inv.Problems {
		p := &inv.Problems[i]
		u := p.Unread
		if u == nil {
			continue
		}
		if u.UsedBy == "" {
			u.UsedBy, u.Resume = userOf(u, runs, host.HoldsLock)
		}
		if p.InUse && u.UsedBy == "" && host.Users != nil {
			u.UsedBy = host.Users(p.Path)
		}
		u.Components = append(u.Components, behind(u, components, runs)...)
		switch {
		case u.UsedBy != "" && p.InUse:
			p.Detail = u.UsedBy + "; scan again when that is done"
		case u.UsedBy != "":
			p.Detail = u.UsedBy + "; " + p.Detail
		}
	}
	return nil
}

// behind returns the components that are known to be behind a device that could not be read, by address. The plan of a
// run counts more than other records.
func behind(u *inventory.Unread, components []inventory.Known, runs []keptRun) []inventory.Known {
	all := map[string]inventory.Known{} // by address
	for _, c := range components {
		if u.Leads(c.LUID) {
			all[c.Address] = c
		}
	}
	for _, run := range runs {
		for _, s := range run.plan.Steps {
			if s.Host == run.Host && u.Leads(s.LUID) {
				all[s.Address] = inventory.Known{Address: s.Address, LUID: s.LUID, Aliases: s.Aliases}
			}
		}
	}
	var sorted []inventory.Known
	for _, address := range slices.Sorted(maps.Keys(all)) {
		sorted = append(sorted, all[address])
	}
	return sorted
}

// userOf names the run that works on a device that could not be read, "" if none does. resume reports whether that run
// was broken off.
func userOf(u *inventory.Unread, runs []keptRun, holds HoldsLock) (who string, resume bool) {
	works := func(run keptRun) bool {
		return slices.ContainsFunc(run.plan.Steps, func(s plan.Step) bool {
			return s.ActsOn(run.Host) && u.Leads(s.LUID)
		})
	}
	i := slices.IndexFunc(runs, works)
	switch {
	case i < 0:
		return "", false
	case GoesOn(runs[i].Run, runs[i].plan, holds):
		return fmt.Sprintf("%s, is working on it (pid %d)", runs[i].title(), runs[i].PID), false
	}
	return runs[i].title() + ", was broken off in the middle of its work on it: fwctl resume continues it", true
}

// known returns the components that the store knows: those that runs have worked on, those with cautions, and last,
// because they say the most, those of baselines.
func known(ctx context.Context, store *state.Store) ([]inventory.Known, error) {
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	var all []inventory.Known
	for _, key := range slices.SortedFunc(maps.Keys(addresses), CompareKeys) {
		all = append(all, inventory.Known{Address: addresses[key], LUID: key.LUID})
	}
	cautions, err := store.Cautions(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range cautions {
		if c.Address != "" {
			all = append(all, inventory.Known{Address: c.Address, LUID: c.Key.LUID})
		}
	}
	baselines, err := store.LastBaselines(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(baselines)) {
		b, err := baseline.Parse(baselines[id].Data)
		if err != nil {
			return nil, err
		}
		all = append(all, b.Components...)
	}
	return all, nil
}

// CompareKeys orders components by logical unit and subenclosure.
func CompareKeys(a, b state.Key) int {
	return cmp.Or(cmp.Compare(a.LUID, b.LUID), cmp.Compare(a.Subenclosure, b.Subenclosure))
}

// addLost marks components as unread that do not answer any more though their enclosure is in sight, if the store holds
// a caution about them or an open effect: a module that died in a download is not simply absent.
func addLost(inv *inventory.Inventory, m *state.Memory) {
	for _, intent := range m.Open {
		open := unfinishedProblem(intent, notInSight)
		i := slices.IndexFunc(inv.Problems, func(p inventory.Problem) bool {
			return p.Path == open.Path && p.Detail == open.Detail
		})
		if u := lost(inv, intent.Key, intent.Address); u != nil && i >= 0 {
			u.Resume = true
			inv.Problems[i].Unread = u
		}
	}
	for i, c := range Cautions(m.Cautions) {
		if u := lost(inv, m.Cautions[i].Key, c.Address); u != nil && c.Kind != inventory.PowerOnly {
			inv.Problems = append(inv.Problems, inventory.Problem{
				Path: notInSight, Summary: "it does not answer any more: " + c.Address, Detail: c.Words(), Unread: u,
			})
		}
	}
	inventory.SortProblems(inv.Problems)
}

// lost returns a component as unread if it does not answer though its enclosure is in sight; else nil.
func lost(inv *inventory.Inventory, k state.Key, address string) *inventory.Unread {
	i := slices.IndexFunc(inv.Enclosures, func(e inventory.Enclosure) bool {
		return e.ID() == inventory.EnclosureOf(address)
	})
	if i < 0 || inSight(inv, &inv.Enclosures[i], k.LUID, address) {
		return nil
	}
	u := inventory.Unread{LUID: k.LUID, Components: []inventory.Known{{Address: address, LUID: k.LUID}}}
	if esps := inv.Enclosures[i].ESPs; len(esps) > 0 && len(esps[0].Subenclosures) > 0 {
		u.Vendor, u.Product = esps[0].Subenclosures[0].Vendor, esps[0].Subenclosures[0].Product
	}
	return &u
}

// inSight reports whether a component answers, or another unit is in its place, or it is known to be behind something
// that could not be read.
func inSight(inv *inventory.Inventory, e *inventory.Enclosure, luID, address string) bool {
	answers := func(esp inventory.ESP) bool {
		return !inventory.OtherUnits(esp.LUID, luID) || hasAddress(esp, address)
	}
	isBehind := func(p inventory.Problem) bool {
		return p.Unread != nil &&
			slices.ContainsFunc(p.Unread.Components, func(k inventory.Known) bool { return k.Address == address })
	}
	return slices.ContainsFunc(e.ESPs, answers) || slices.ContainsFunc(inv.Problems, isBehind)
}

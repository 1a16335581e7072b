package executor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/plan"
)

// JoinMemory joins what the store holds into an inventory, the scan of the moment before:
// what is staged and the cautions (Remember), which components are behind what
// could not be read, and which do not answer any more.
func JoinMemory(ctx context.Context, inv *inventory.Inventory, store *state.Store, m transport.Machine) error {
	memory, err := store.Memory(ctx)
	if err != nil {
		return err
	}
	Remember(inv, memory)
	if err := rememberUnread(ctx, inv, store, m); err != nil {
		return err
	}
	rememberLost(inv, memory)
	return nil
}

// rememberUnread joins what the store knows of devices that could not be read into an
// inventory: the components behind them, and the run that works on them.
func rememberUnread(ctx context.Context, inv *inventory.Inventory, store *state.Store, m transport.Machine) error {
	if !slices.ContainsFunc(inv.Problems, func(p inventory.Problem) bool { return p.Unread != nil }) {
		return nil
	}
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return err
	}
	others, err := remembered(ctx, store)
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
		known := map[string]inventory.Known{} // by address
		for key, address := range addresses {
			if u.Leads(key.LUID) {
				known[address] = inventory.Known{Address: address, LUID: key.LUID}
			}
		}
		for _, c := range others {
			if u.Leads(c.LUID) {
				known[c.Address] = c
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
					known[s.Address] = inventory.Known{Address: s.Address, LUID: s.LUID, Aliases: s.Aliases}
					works = works || s.Acts()
				}
			}
			if !works || u.UsedBy != "" {
				continue
			}
			u.Resume = !GoesOn(m, run, its)
			who := began(run, its)
			if u.Resume {
				who += ", was broken off in the middle of its work on it: fwctl resume goes on with it"
			} else {
				who += fmt.Sprintf(", is working on it (pid %d)", run.PID)
			}
			u.UsedBy = who
		}
		if p.InUse && u.UsedBy == "" {
			u.UsedBy = enclosure.Users(m.FS(), p.Path)
		}
		for _, address := range slices.Sorted(maps.Keys(known)) {
			u.Components = append(u.Components, known[address])
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

// began names a run, for those who wait for it.
func began(run *state.Run, p *plan.Plan) string {
	return fmt.Sprintf(
		"run %d of plan %s, which %s began %s",
		run.ID,
		shortened(p.Digest),
		inventory.Shown(run.By),
		run.StartedAt.UTC().Format("2006-01-02 15:04 MST"),
	)
}

// remembered returns the components that the store knows though no run has worked on
// them: those beside what one has, and those that something has to be minded about.
func remembered(ctx context.Context, store *state.Store) ([]inventory.Known, error) {
	cautions, err := store.Cautions(ctx)
	if err != nil {
		return nil, err
	}
	var all []inventory.Known
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
		b, err := enclosure.ParseBaseline(baselines[id].Data)
		if err != nil {
			return nil, err
		}
		all = append(all, b.Components...)
	}
	return all, nil
}

// shortened is the beginning of a digest, for people to tell two apart.
func shortened(digest string) string {
	const prefix = "sha256:"
	return cmp.Or(digest[min(len(prefix), len(digest)):min(len(prefix)+8, len(digest))], digest)
}

// rememberLost marks as unread the components that do not answer any more, in enclosures
// that are in sight, if the store holds a caution about them: a
// module that died in a download is not simply absent.
func rememberLost(inv *inventory.Inventory, m *state.Memory) {
	lost := func(k state.Key, address string) *inventory.Unread {
		i := slices.IndexFunc(
			inv.Enclosures,
			func(e inventory.Enclosure) bool { return e.ID() == inventory.EnclosureOf(address) },
		)
		if i < 0 || inSight(inv, &inv.Enclosures[i], k.LUID, address) {
			return nil
		}
		u := inventory.Unread{LUID: k.LUID, Components: []inventory.Known{{Address: address, LUID: k.LUID}}}
		if esps := inv.Enclosures[i].ESPs; len(esps) > 0 && len(esps[0].Subenclosures) > 0 {
			u.Vendor, u.Product = esps[0].Subenclosures[0].Vendor, esps[0].Subenclosures[0].Product
		}
		return &u
	}
	for _, intent := range m.Open {
		told := unfinished(intent, notInSight)
		i := slices.IndexFunc(
			inv.Problems,
			func(p inventory.Problem) bool { return p.Path == told.Path && p.Detail == told.Detail },
		)
		if u := lost(intent.Key, intent.Address); u != nil && i >= 0 {
			u.Resume = true
			inv.Problems[i].Unread = u
		}
	}
	for i, c := range inventoryCautions(m.Cautions) {
		if u := lost(m.Cautions[i].Key, c.Address); u != nil && c.Kind != inventory.PowerOnly {
			inv.Problems = append(inv.Problems, inventory.Problem{
				Path: notInSight, Summary: "it does not answer any more: " + c.Address, Detail: c.Words(), Unread: u,
			})
		}
	}
	inventory.SortProblems(inv.Problems)
}

// inSight reports whether a component answers, or another unit is in its place, or what
// could not be read says of it already.
func inSight(inv *inventory.Inventory, e *inventory.Enclosure, luID, address string) bool {
	is := func(esp inventory.ESP) bool {
		return !inventory.OtherUnits(esp.LUID, luID) ||
			slices.ContainsFunc(esp.Subenclosures, func(s inventory.Subenclosure) bool { return s.Address == address })
	}
	tells := func(p inventory.Problem) bool {
		return p.Unread != nil &&
			slices.ContainsFunc(p.Unread.Components, func(k inventory.Known) bool { return k.Address == address })
	}
	return slices.ContainsFunc(e.ESPs, is) || slices.ContainsFunc(inv.Problems, tells)
}

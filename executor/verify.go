package executor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

// Look is what Verify works with. All but PowerCycled must be set.
type Look struct {
	Machine transport.Machine
	Store   *state.Store
	By      string // who asks, for the record

	// PowerCycled selects components whose enclosure somebody has power-cycled since they
	// were staged, so that what does not run now is lost; inventory.All is every one. A
	// selector that matches nothing that is in sight or remembered is a *plan.UnmatchedError.
	PowerCycled []inventory.Selector
}

// Verify finds out, after somebody power-cycled enclosures, whether what was staged
// runs now, and whether everything is there that was there before. It sends nothing
// with an effect; what runs, or is lost, is not remembered as staged any more. The
// enclosures of the last run are compared with what they were like before it also
// where nothing of them is staged, or not any more.
//
// An error means that nothing could be looked at. A component that is not in sight
// is a Finding whose Outcome is "".
func Verify(ctx context.Context, l Look) (*Found, error) {
	memory, err := l.Store.Memory(ctx)
	if err != nil {
		return nil, err
	}
	staged := memory.Staged
	last, err := l.Store.LastBaselines(ctx)
	if err != nil {
		return nil, err
	}
	found := &Found{Components: []Finding{}, Compared: []Comparison{}, Declines: []Decline{}}
	if len(staged) == 0 && len(last) == 0 && len(l.PowerCycled) == 0 {
		found.Unsettled = unsettled(memory)
		return found, nil
	}
	m := enclosure.Listen(l.Machine)
	inv, err := scan.Scan(ctx, m, scan.Options{})
	if err != nil {
		return nil, err
	}
	book, err := readBook(ctx, l.Store)
	if err != nil {
		return nil, err
	}
	selected := inventory.WithoutAll(l.PowerCycled)
	if err := plan.Unmatched("--power-cycled", selected, book.components(inv, last), "what is in sight or remembered here"); err != nil {
		return nil, err
	}
	touched := map[string]*inventory.Enclosure{} // nil where it is not in sight
	touch := func(id string, e *inventory.Enclosure) (io.Closer, error) {
		if _, ok := touched[id]; ok {
			return io.NopCloser(nil), nil
		}
		touched[id] = e
		return l.Machine.Lock(id)
	}
	for id := range ofLastRun(last) {
		i := slices.IndexFunc(inv.Enclosures, func(e inventory.Enclosure) bool { return e.ID() == id })
		var e *inventory.Enclosure
		if i >= 0 {
			e = &inv.Enclosures[i]
		}
		lock, err := touch(id, e)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
	}
	var verified []state.Verification
	for _, key := range slices.SortedFunc(maps.Keys(staged), compareKeys) {
		e, esp, sub := inv.Component(key.LUID, key.Subenclosure)
		if sub == nil {
			found.Components = append(found.Components, book.absent(key, staged[key]))
			continue
		}
		lock, err := touch(e.ID(), e)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
		f := l.judge(ctx, m, e, esp, sub, staged[key], book)
		found.Components = append(found.Components, f)
		verified = append(verified, state.Verification{
			Address: f.Address, Key: key, SHA256: f.SHA256, Revision: f.Revision, Outcome: f.Outcome, By: l.By, At: time.Now(),
		})
	}
	if err := compare(found, last, touched); err != nil {
		return nil, err
	}
	settled := l.settle(ctx, m, inv, memory, book, found)
	found.Unsettled = unsettled(memory)
	if len(verified)+len(settled) == 0 { // the store may be one for reading only
		return found, nil
	}
	return found, l.Store.Update(ctx, func(tx *state.Tx) {
		for _, v := range verified {
			tx.Verified(v)
			if v.Outcome != state.Waiting {
				tx.Unstage(v.Key)
			}
		}
		for _, c := range settled {
			tx.Relieve(c.Key, c.Address, state.Unclear)
		}
	})
}

// settle takes out of the memory, and returns, the cautions about components of which
// nobody knew what they hold, and that are in sight and have been power-cycled since:
// what they held is started by that, or gone.
func (l *Look) settle(
	ctx context.Context, m *enclosure.Listener, inv *inventory.Inventory, memory *state.Memory, book *book, found *Found,
) []state.Caution {
	var settled []state.Caution
	memory.Cautions = slices.DeleteFunc(memory.Cautions, func(c state.Caution) bool {
		e, esp, sub := inv.Component(c.Key.LUID, c.Key.Subenclosure)
		if c.Kind != state.Unclear || sub == nil || !l.cycled(m, e, esp, sub, book) || m.HoldsDeferred(ctx, esp.Paths) {
			return false
		}
		settled = append(settled, c)
		found.Settled = append(found.Settled, Settled{Address: sub.Address, Revision: sub.Revision, Reason: c.Detail})
		return true
	})
	return settled
}

// cycled reports whether a component was power-cycled or reset: a person says so, or the
// device has told it.
func (l *Look) cycled(
	m *enclosure.Listener,
	e *inventory.Enclosure,
	esp *inventory.ESP,
	sub *inventory.Subenclosure,
	book *book,
) bool {
	return m.HeardReset(esp.Paths) || slices.ContainsFunc(book.inSight(e), func(c inventory.Named) bool {
		return c.Address == sub.Address && inventory.Selected(l.PowerCycled, c) >= 0
	})
}

// unsettled are the components that a run was broken off in the middle of, or lost sight
// of, and those that have half an image.
func unsettled(m *state.Memory) []Unsettled {
	all := []Unsettled{}
	for _, i := range m.Open {
		all = append(all, Unsettled{
			Address: i.Address,
			Reason: "how " + i.What() + " ended is not known: do not reset or power-cycle it; " +
				"fwctl resume finds out",
		})
	}
	for _, c := range inventoryCautions(m.Cautions) {
		if c.Kind == inventory.NeedsImage || c.Kind == inventory.Unclear {
			all = append(all, Unsettled{Address: c.Address, Reason: c.Words()})
		}
	}
	slices.SortStableFunc(all, func(a, b Unsettled) int { return cmp.Compare(a.Address, b.Address) })
	return all
}

// judge says what became of what a component held staged.
func (l *Look) judge(
	ctx context.Context,
	m *enclosure.Listener,
	e *inventory.Enclosure,
	esp *inventory.ESP,
	sub *inventory.Subenclosure,
	s state.Staged,
	book *book,
) Finding {
	f := Finding{
		Address:     sub.Address,
		SHA256:      s.SHA256,
		Wanted:      s.Revision,
		Revision:    sub.Revision,
		StagedSince: s.Since,
		StagedBy:    s.By,
	}
	cycled := l.cycled(m, e, esp, sub, book)
	switch {
	case sub.Revision != s.Running && (sub.Revision == s.Revision || s.Revision == ""):
		f.Outcome, f.Confirmed = state.Running, true
	case sub.Revision != s.Running:
		f.Outcome, f.Reason = state.Lost, fmt.Sprintf(
			"it runs %s, which is neither what it ran (%s) nor what was staged: somebody else has updated it",
			sub.Revision,
			s.Running,
		)
	case m.HoldsDeferred(ctx, esp.Paths):
		f.Outcome, f.Reason = state.Waiting, "the device says that deferred microcode waits for its activation"
	case cycled && s.Revision == "":
		f.Outcome = state.Running
		f.Reason = "it has been power-cycled or reset; the desired state names no revision for the image, and it " +
			"reports the same before and after, so it is unknown which image it runs"
	case cycled && s.Revision == s.Running:
		f.Outcome, f.Reason = state.Running, "it has been power-cycled or reset; the revision is the same before and after, and cannot tell which image it runs"
	case cycled:
		f.Outcome, f.Reason = state.Lost, fmt.Sprintf(
			"it has been power-cycled or reset and still runs %s: download it again",
			s.Running,
		)
	default:
		f.Outcome, f.Reason = state.Waiting, fmt.Sprintf(
			"it still runs %s, and nothing tells of a power cycle since; if there was one, say so with --power-cycled %s",
			s.Running,
			sub.Address,
		)
	}
	return f
}

// compare compares enclosures with what they were like before the last run that touched them.
func compare(f *Found, last map[string]state.Baseline, touched map[string]*inventory.Enclosure) error {
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		before, ok := last[id]
		if !ok {
			continue
		}
		b, err := enclosure.ParseBaseline(before.Data)
		if err != nil {
			return err
		}
		f.Compared = append(f.Compared, Comparison{Enclosure: id, Since: before.At, ESPs: len(b.ESPs), Drives: len(b.Drives)})
		worse := []string{"it is not in sight: is it switched on and cabled to this host?"}
		if e := touched[id]; e != nil {
			worse = b.Decline(e)
		}
		if len(worse) > 0 {
			f.Declines = append(f.Declines, Decline{Enclosure: id, Since: before.At, Worse: worse})
		}
	}
	return nil
}

// ofLastRun are the baselines of the latest run that has any.
func ofLastRun(baselines map[string]state.Baseline) map[string]state.Baseline {
	latest := int64(0)
	for _, b := range baselines {
		latest = max(latest, b.Run)
	}
	all := maps.Clone(baselines)
	maps.DeleteFunc(all, func(_ string, b state.Baseline) bool { return b.Run != latest })
	return all
}

// book is what this host calls components and enclosures.
type book struct {
	addresses map[state.Key]string // that components had in the last run that touched them
	names     map[string]string    // of enclosures, by the first part of their addresses
}

func readBook(ctx context.Context, store *state.Store) (*book, error) {
	addresses, err := store.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	names, err := store.Names(ctx)
	return &book{addresses, names}, err
}

func (b *book) nameOf(address string) string { return b.names[inventory.EnclosureOf(address)] }

// components are what is in sight, and what this host remembers.
func (b *book) components(inv *inventory.Inventory, last map[string]state.Baseline) []inventory.Named {
	addresses := slices.Collect(maps.Keys(last)) // of enclosures, which are addresses of their components in part
	addresses = slices.AppendSeq(addresses, maps.Values(b.addresses))
	all := make([]inventory.Named, len(addresses))
	for i, address := range addresses {
		all[i] = inventory.Named{Address: address, Name: b.nameOf(address)}
	}
	for i := range inv.Enclosures {
		all = append(all, b.inSight(&inv.Enclosures[i])...)
	}
	return all
}

// inSight are the components of an enclosure, with the name that this host knows it by.
func (b *book) inSight(e *inventory.Enclosure) []inventory.Named {
	all := e.Named()
	for i := range all {
		all[i].Name = b.nameOf(all[i].Address)
	}
	return all
}

func (b *book) absent(key state.Key, s state.Staged) Finding {
	return Finding{
		Address: cmp.Or(
			b.addresses[key],
			fmt.Sprintf("lu-%s/sub%d", key.LUID, key.Subenclosure),
		), SHA256: s.SHA256, Wanted: s.Revision, StagedSince: s.Since, StagedBy: s.By,
		Reason: "it is not in sight: is the enclosure switched on and cabled to this host?",
	}
}

func compareKeys(a, b state.Key) int {
	return cmp.Or(cmp.Compare(a.LUID, b.LUID), cmp.Compare(a.Subenclosure, b.Subenclosure))
}

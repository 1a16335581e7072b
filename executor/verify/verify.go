// Package verify finds out, after enclosures were power-cycled, what became of staged images, and whether everything is
// there that was there before the last run.
//
// It reads devices and sends them nothing with an effect. It records in the store what it found, and deletes the
// records of images that are no longer staged. It makes no plan and carries none out.
package verify

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/internal/baseline"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

// Config is what Run works with. All but PowerCycled must be set.
type Config struct {
	Machine transport.Machine
	Store   *state.Store
	// By is who asks, for the record.
	By string

	// PowerCycled selects components whose enclosure a person has power-cycled since their
	// image was staged: an image that does not run now is lost. inventory.All selects every
	// one. A selector that matches nothing in sight or remembered is a *plan.UnmatchedError.
	PowerCycled []inventory.Selector

	// Progress is that of the scan; nil: nobody watches.
	Progress func(what string, done, all int)
}

// Run looks at what is staged, and compares enclosures with their baselines: those that have something staged, and
// those of the last run. It deletes the records of images that run or are lost.
//
// An error means that nothing could be looked at. A component that is not in sight is a Finding with the Outcome "".
func Run(ctx context.Context, c Config) (*result.Found, error) {
	remembered, err := c.Store.Memory(ctx)
	if err != nil {
		return nil, err
	}
	last, err := c.Store.LastBaselines(ctx)
	if err != nil {
		return nil, err
	}
	found := &result.Found{
		Components: []result.Finding{}, Compared: []result.Comparison{}, Declines: []result.Decline{},
	}
	if len(remembered.Staged) == 0 && len(last) == 0 && len(c.PowerCycled) == 0 {
		found.Unsettled = unsettled(remembered)
		return found, nil
	}
	l, err := c.scan(ctx, last)
	if err != nil {
		return nil, err
	}
	defer l.unlock()
	for id := range ofLastRun(last) {
		if err := l.lock(id); err != nil {
			return nil, err
		}
	}
	var verified []state.Verification
	for _, key := range slices.SortedFunc(maps.Keys(remembered.Staged), memory.CompareKeys) {
		f, err := l.find(ctx, key, remembered.Staged[key])
		if err != nil {
			return nil, err
		}
		found.Components = append(found.Components, f)
		if f.Outcome != "" {
			verified = append(verified, state.Verification{
				Address: f.Address, Key: key, SHA256: f.SHA256, Revision: f.Revision, Outcome: f.Outcome, By: c.By,
				At: time.Now(),
			})
		}
	}
	if err := l.compare(found, last); err != nil {
		return nil, err
	}
	settled := l.settle(ctx, remembered, found)
	found.Unsettled = unsettled(remembered)
	return found, c.record(ctx, verified, settled)
}

// record commits what was found. If nothing was, it does not write: the store may be open for reading only.
func (c *Config) record(ctx context.Context, verified []state.Verification, settled []state.CautionRecord) error {
	if len(verified)+len(settled) == 0 {
		return nil
	}
	return c.Store.Update(ctx, func(tx *state.Tx) {
		for _, v := range verified {
			tx.Verified(v)
			if v.Outcome != state.Waiting {
				tx.Unstage(v.Key)
			}
		}
		for _, caution := range settled {
			tx.Settle(caution.Key, caution.Address, inventory.Unclear)
		}
	})
}

// look is one look at a machine.
type look struct {
	Config
	machine *enclosure.Listener
	inv     *inventory.Inventory
	names   *names
	// locked are the enclosures whose locks it holds, by their identifiers; nil if one is not in sight.
	locked map[string]*inventory.Enclosure
	locks  []io.Closer
}

// scan reads all enclosures, and checks that PowerCycled selects something.
func (c Config) scan(ctx context.Context, last map[string]state.Baseline) (*look, error) {
	l := &look{Config: c, machine: enclosure.Listen(c.Machine), locked: map[string]*inventory.Enclosure{}}
	var err error
	if l.inv, err = scan.Scan(ctx, l.machine, scan.Options{Progress: c.Progress}); err != nil {
		return nil, err
	}
	if l.names, err = readNames(ctx, c.Store); err != nil {
		return nil, err
	}
	return l, plan.Unmatched(
		"--power-cycled", inventory.WithoutAll(c.PowerCycled), l.names.all(l.inv, last),
		"what is in sight or remembered here",
	)
}

// lock takes the lock of an enclosure, once.
func (l *look) lock(id string) error {
	if _, ok := l.locked[id]; ok {
		return nil
	}
	lock, err := l.Machine.Lock(id)
	if err != nil {
		return err
	}
	l.locks, l.locked[id] = append(l.locks, lock), nil
	for i := range l.inv.Enclosures {
		if e := &l.inv.Enclosures[i]; e.ID() == id {
			l.locked[id] = e
		}
	}
	return nil
}

func (l *look) unlock() {
	for _, lock := range l.locks {
		lock.Close()
	}
}

// find finds out what became of the image that a component held staged.
func (l *look) find(ctx context.Context, key state.Key, s state.StagedRecord) (result.Finding, error) {
	e, esp, sub := l.inv.Component(key.LUID, key.Subenclosure)
	if sub == nil {
		return l.names.absent(key, s), nil
	}
	if err := l.lock(e.ID()); err != nil {
		return result.Finding{}, err
	}
	cycled := l.cycled(e, esp, sub)
	waits := sub.Revision == s.Running && l.machine.HoldsDeferred(ctx, esp.Paths)
	return judge(sub, s, waits, cycled), nil
}

// settle removes from remembered, and returns, the cautions about components that may hold a part of an image, if they
// are in sight and were power-cycled since: that has started what they held, or discarded it.
func (l *look) settle(ctx context.Context, remembered *state.Memory, found *result.Found) []state.CautionRecord {
	var settled []state.CautionRecord
	remembered.Cautions = slices.DeleteFunc(remembered.Cautions, func(c state.CautionRecord) bool {
		e, esp, sub := l.inv.Component(c.Key.LUID, c.Key.Subenclosure)
		if c.Kind != inventory.Unclear || sub == nil || !l.cycled(e, esp, sub) ||
			l.machine.HoldsDeferred(ctx, esp.Paths) {
			return false
		}
		settled = append(settled, c)
		found.Settled = append(found.Settled, result.Settled{
			Address: sub.Address, Revision: sub.Revision, Reason: c.Detail,
		})
		return true
	})
	return settled
}

// cycled reports whether a component was power-cycled or reset, by a person's word or the device's.
func (l *look) cycled(e *inventory.Enclosure, esp *inventory.ESP, sub *inventory.Subenclosure) bool {
	return l.machine.HeardReset(esp.Paths) || slices.ContainsFunc(l.names.inSight(e), func(c inventory.Named) bool {
		return c.Address == sub.Address && inventory.Selected(l.PowerCycled, c) >= 0
	})
}

// compare compares the locked enclosures with what they were like before the last run that worked on them.
func (l *look) compare(f *result.Found, last map[string]state.Baseline) error {
	for _, id := range slices.Sorted(maps.Keys(l.locked)) {
		before, ok := last[id]
		if !ok {
			continue
		}
		b, err := baseline.Parse(before.Data)
		if err != nil {
			return err
		}
		f.Compared = append(f.Compared, result.Comparison{
			Enclosure: id, Since: before.At, ESPs: len(b.ESPs), Drives: len(b.Drives),
		})
		worse := []string{"it is not in sight: is it switched on and cabled to this host?"}
		if e := l.locked[id]; e != nil {
			worse = b.Decline(e)
		}
		if len(worse) > 0 {
			f.Declines = append(f.Declines, result.Decline{Enclosure: id, Since: before.At, Worse: worse})
		}
	}
	return nil
}

// ofLastRun returns the baselines of the latest run that has any.
func ofLastRun(baselines map[string]state.Baseline) map[string]state.Baseline {
	latest := int64(0)
	for _, b := range baselines {
		latest = max(latest, b.Run)
	}
	all := maps.Clone(baselines)
	maps.DeleteFunc(all, func(_ string, b state.Baseline) bool { return b.Run != latest })
	return all
}

// unsettled returns the components with an open effect, and those with a caution that needs a person.
func unsettled(m *state.Memory) []result.Unsettled {
	all := []result.Unsettled{}
	for _, i := range m.Open {
		all = append(all, result.Unsettled{
			Address: i.Address,
			Reason: "how " + i.What() + " ended is not known: do not reset or power-cycle it; " +
				"fwctl resume finds out",
		})
	}
	for _, c := range memory.Cautions(m.Cautions) {
		if c.Kind.NeedsPerson() {
			all = append(all, result.Unsettled{Address: c.Address, Reason: c.Words()})
		}
	}
	slices.SortStableFunc(all, func(a, b result.Unsettled) int { return cmp.Compare(a.Address, b.Address) })
	return all
}

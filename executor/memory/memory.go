// Package memory reads what a host remembers of its enclosures and of the runs that worked on them: what is staged,
// which cautions hold, which run works where, and what is left of a run that did not come to its end.
//
// It reads the store and joins what that holds into an inventory. It opens no device, writes nothing, and decides
// nothing that a plan or the step machine decides.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// Host is what a host knows of its processes.
type Host struct {
	HoldsLock HoldsLock
	// Users names the processes that have a node open, "" if it finds none.
	Users func(node string) string
}

// Join adds what the store of a host remembers to a fresh inventory of that host: what is staged, the cautions, which
// components are behind devices that could not be read, and which components do not answer any more.
//
// Open effects become problems, whether their run goes on or was killed, and even if their component is not in sight:
// what it holds is unknown until it is asked. A caution goes with its enclosure, whether its component is in sight or
// not.
func Join(ctx context.Context, inv *inventory.Inventory, store *state.Store, host Host) error {
	m, err := store.Memory(ctx)
	if err != nil {
		return err
	}
	inv.Timings = timings(m.Timings)
	addKnown(inv, m)
	if err := addUnread(ctx, inv, store, host); err != nil {
		return err
	}
	addLost(inv, m)
	return nil
}

// addKnown adds what the store knows of the components in sight, and the open effects.
func addKnown(inv *inventory.Inventory, m *state.Memory) {
	cautions := Cautions(m.Cautions)
	paths := map[string]string{} // by lu_id
	for i := range inv.Enclosures {
		e := &inv.Enclosures[i]
		AddStaged(e, m)
		e.Cautions = nil
		for _, c := range cautions {
			if inventory.EnclosureOf(c.Address) == e.ID() {
				e.Cautions = append(e.Cautions, c)
			}
		}
		for _, esp := range e.ESPs {
			if len(esp.Paths) > 0 {
				paths[esp.LUID] = esp.Paths[0]
			}
		}
	}
	for _, intent := range m.Open {
		for i := range inv.Enclosures {
			if e := &inv.Enclosures[i]; inventory.EnclosureOf(intent.Address) == e.ID() && !isExchanged(e, intent) {
				e.Cautions = append(e.Cautions, unfinishedCaution(intent))
				slices.SortFunc(e.Cautions, func(a, b inventory.Caution) int {
					return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind))
				})
			}
		}
		inv.Problems = append(inv.Problems, unfinishedProblem(intent, cmp.Or(paths[intent.Key.LUID], notInSight)))
	}
	inventory.SortProblems(inv.Problems)
}

// AddStaged adds what the components of an enclosure hold staged, and the images that they were sent.
//
// A component that no longer reports the revision that it ran when the image was staged has been activated or flashed
// since: the record is left out. The image behind what a component runs is the last one of that revision that it was
// sent, other than the one that is staged.
func AddStaged(e *inventory.Enclosure, m *state.Memory) {
	for i := range e.ESPs {
		for j := range e.ESPs[i].Subenclosures {
			sub := &e.ESPs[i].Subenclosures[j]
			sub.Staged, sub.Sent, sub.Beside = nil, nil, nil
			key := state.Key{LUID: e.ESPs[i].LUID, Subenclosure: sub.ID}
			if s, ok := m.Staged[key]; ok && s.Running == sub.Revision {
				sub.Staged = &inventory.Staged{
					SHA256: s.SHA256, Revision: s.Revision, Since: s.Since, By: s.By, Confirmed: s.Confirmed,
				}
			}
			for _, s := range m.Beside[key] {
				sent := inventory.Sent{SHA256: s.SHA256, At: s.At}
				sub.Beside = append(sub.Beside, inventory.Beside{BufferID: s.BufferID, Sent: sent})
			}
			for _, s := range m.Sent[key] {
				if s.Revision == sub.Revision && (sub.Staged == nil || s.SHA256 != sub.Staged.SHA256) {
					sub.Sent = &inventory.Sent{SHA256: s.SHA256, At: s.At}
				}
			}
		}
	}
}

// Cautions returns recorded cautions as inventories have them.
func Cautions(recorded []state.CautionRecord) []inventory.Caution {
	var all []inventory.Caution
	for _, c := range recorded {
		all = append(all, c.Caution)
	}
	return all
}

// KeyOf returns the key of a step's component in the store.
func KeyOf(s *plan.Step) state.Key { return state.Key{LUID: s.LUID, Subenclosure: s.Subenclosure} }

// notInSight stands for the path of a component that answers on none.
const notInSight = "not in sight"

// unfinishedCaution returns the caution about a component with an open effect.
func unfinishedCaution(i state.Intent) inventory.Caution {
	return inventory.Caution{
		Address: i.Address, Kind: inventory.Unfinished, Since: i.At.UTC(),
		Detail: "how " + i.What() + " ended is not known",
	}
}

// unfinishedProblem returns the problem of a component with an open effect.
func unfinishedProblem(i state.Intent, path string) inventory.Problem {
	return inventory.Problem{
		Path:    path,
		Summary: "the end of a download or an activation is not known: " + i.Address,
		Detail: fmt.Sprintf(
			"%s, image %.8s, was intended on %s, and its end was not recorded: a run goes on, or was broken off. "+
				"If nothing runs any more, it may hold all of the image, and any power loss may start it, or a part: "+
				"do not reset or power-cycle it before fwctl resume has ended well",
			i.What(), i.SHA256, i.At.UTC().Format("2006-01-02 15:04 MST"),
		),
	}
}

// isExchanged reports whether another unit is in the place of the one that had an open effect.
func isExchanged(e *inventory.Enclosure, i state.Intent) bool {
	return slices.ContainsFunc(e.ESPs, func(esp inventory.ESP) bool {
		return inventory.OtherUnits(esp.LUID, i.Key.LUID) && hasAddress(esp, i.Address)
	})
}

// hasAddress reports whether a component of an ESP has an address.
func hasAddress(esp inventory.ESP, address string) bool {
	return slices.ContainsFunc(esp.Subenclosures, func(s inventory.Subenclosure) bool { return s.Address == address })
}

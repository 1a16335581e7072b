package executor

import (
	"cmp"
	"fmt"
	"slices"

	"fwctl/internal/state"
	"fwctl/inventory"
)

// Remember joins what the store holds as staged into an inventory. A component
// that no longer reports the revision it ran when the image was staged has been
// activated or flashed since: its record is left out.
//
// With it comes the image behind what a component runs: the last that was sent of
// the revision that it reports, and is not the one that waits.
//
// What the store holds as open (of a run that goes on, or that was killed) becomes
// a problem, also if the component is not in sight: what it holds is unknown until a
// device is asked. Cautions about a component stand with its
// enclosure, whether the component itself is in sight or not.
func Remember(inv *inventory.Inventory, m *state.Memory) {
	paths := map[string]string{} // by lu_id
	for i := range inv.Enclosures {
		e := &inv.Enclosures[i]
		remember(e, m)
		e.Cautions = nil
		for _, c := range inventoryCautions(m.Cautions) {
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
			e := &inv.Enclosures[i]
			if inventory.EnclosureOf(intent.Address) == e.ID() &&
				!slices.ContainsFunc(e.ESPs, func(esp inventory.ESP) bool { return exchangedIn(esp, intent) }) {
				e.Cautions = append(e.Cautions, unfinishedCaution(intent))
				slices.SortFunc(e.Cautions, func(a, b inventory.Caution) int {
					return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind))
				})
			}
		}
		inv.Problems = append(inv.Problems, unfinished(intent, cmp.Or(paths[intent.Key.LUID], notInSight)))
	}
	inventory.SortProblems(inv.Problems)
}

// notInSight stands for the path of what does not answer on any.
const notInSight = "not in sight"

// unfinishedCaution is the caution about a component of which the end of an
// effect is not known.
func unfinishedCaution(i state.Intent) inventory.Caution {
	return inventory.Caution{
		Address: i.Address,
		Kind:    inventory.Unfinished,
		Since:   i.At.UTC(),
		Detail:  "how " + i.What() + " ended is not known",
	}
}

// exchangedIn reports whether an ESP is at the address of an effect whose end is not
// known, and is another unit than the one that had it.
func exchangedIn(esp inventory.ESP, i state.Intent) bool {
	return inventory.OtherUnits(esp.LUID, i.Key.LUID) &&
		slices.ContainsFunc(esp.Subenclosures, func(s inventory.Subenclosure) bool { return s.Address == i.Address })
}

// inventoryCautions are cautions as inventories have them.
func inventoryCautions(cautions []state.Caution) []inventory.Caution {
	var all []inventory.Caution
	for _, c := range cautions {
		all = append(
			all,
			inventory.Caution{Address: c.Address, Kind: inventory.CautionKind(c.Kind), Since: c.Since.UTC(), Detail: c.Detail},
		)
	}
	return all
}

func unfinished(i state.Intent, path string) inventory.Problem {
	return inventory.Problem{
		Path:    path,
		Summary: "the end of a download or an activation is not known: " + i.Address,
		Detail: fmt.Sprintf(
			"%s, image %.8s, was intended on %s, and its end was not recorded: a run goes on, or was broken off. "+
				"If nothing runs any more, "+
				"it may hold all of the image, and any power loss may start it, or a part: "+
				"do not reset or power-cycle it before fwctl resume has ended well",
			i.What(),
			i.SHA256,
			i.At.UTC().Format("2006-01-02 15:04 MST"),
		),
	}
}

func remember(e *inventory.Enclosure, m *state.Memory) {
	for i := range e.ESPs {
		for j := range e.ESPs[i].Subenclosures {
			sub := &e.ESPs[i].Subenclosures[j]
			sub.Staged, sub.Sent, sub.Beside = nil, nil, nil
			key := state.Key{LUID: e.ESPs[i].LUID, Subenclosure: sub.ID}
			if s, ok := m.Staged[key]; ok && s.Running == sub.Revision {
				sub.Staged = &inventory.Staged{
					SHA256:    s.SHA256,
					Revision:  s.Revision,
					Since:     s.Since,
					By:        s.By,
					Confirmed: s.Confirmed,
				}
			}
			for _, s := range m.Beside[key] {
				sub.Beside = append(
					sub.Beside,
					inventory.Beside{BufferID: s.BufferID, Sent: inventory.Sent{SHA256: s.SHA256, At: s.At}},
				)
			}
			for _, s := range m.Sent[key] {
				if s.Revision == sub.Revision && (sub.Staged == nil || s.SHA256 != sub.Staged.SHA256) {
					sub.Sent = &inventory.Sent{SHA256: s.SHA256, At: s.At}
				}
			}
		}
	}
}

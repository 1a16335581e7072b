package plan

import (
	"slices"

	"fwctl/inventory"
)

// Resets reports whether the step may reset an ESP in an apply.
func (s *Step) Resets() bool {
	return slices.ContainsFunc(s.Hops, func(h Hop) bool { return h.Resets() })
}

// Resets reports whether a hop may reset what it goes to: by its mode, also as a
// fallback, or by an activation in the same apply.
func (h *Hop) Resets() bool { return h.MayReset() || h.Activation == WithApply }

// ByPerson reports whether a hop waits for a person's power cycle in an apply, which is all
// that resets what it goes to.
func (h *Hop) ByPerson() bool { return h.Activation == WithApply && h.ActivateBy == ByPowerCycle }

// LeavesStaged tells whether the step leaves its last image staged.
func (s *Step) LeavesStaged() bool {
	return s.Action == Update && s.Last().Activation == Manual && len(s.Last().Deferring()) > 0
}

func (s *Step) Last() *Hop { return &s.Hops[len(s.Hops)-1] }

// Reports is what the component says that it runs once the hop's image was started.
func (h *Hop) Reports() string {
	if h.Unversioned {
		return h.From
	}
	return h.Goal()
}

// Own returns cautions with the step's address in place of its aliases: a caution holds
// for the component under whichever of its addresses it was recorded.
func (s *Step) Own(cautions []inventory.Caution) []inventory.Caution {
	own := slices.Clone(cautions)
	for i := range own {
		if slices.Contains(s.Aliases, own[i].Address) {
			own[i].Address = s.Address
		}
	}
	return own
}

// CountResets counts the resets that the step's hops come to: those that are sure, and with
// the fallbacks to mode 7.
func (s *Step) CountResets() (sure, most int) {
	for i := range s.Hops {
		h := &s.Hops[i]
		switch {
		case h.Activation == WithApply, len(h.Deferring()) == 0:
			sure++
			most++
		case h.MayReset():
			most++
		}
	}
	return sure, most
}

// ByCommand reports whether an apply starts what the hop has left dormant by a command: mode
// 0Fh, or the page that a quirk has in its place.
func (h *Hop) ByCommand() bool { return h.Activation == WithApply && h.ActivateBy == ByModeF }

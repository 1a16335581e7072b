package build

import (
	"cmp"
	"maps"
	"slices"

	"fwctl/inventory/fleet"
	"fwctl/plan/impact"
)

// pickCanaries chooses enclosures of each model, as many as are asked for, those of small fault
// domains first. It takes a fault domain as a whole, or the B side of one enclosure would be
// reset before the A side of another; the enclosures that come along count, too.
func pickCanaries(work []*draft, most int) map[*fleet.Enclosure]bool {
	chosen := map[*fleet.Enclosure]bool{}
	if most == 0 {
		return chosen
	}
	models := map[string][]*fleet.Enclosure{} // those with work, by model
	busy := map[*fleet.Enclosure]*impact.Domain{}
	for _, d := range work {
		// Sorted: the last is the only one that can be it.
		if all := models[d.step.Model]; len(all) == 0 || all[len(all)-1] != d.e {
			models[d.step.Model] = append(all, d.e)
		}
		busy[d.e] = d.domain
	}
	size := func(e *fleet.Enclosure) int { return len(busy[e].Enclosures) }
	for _, model := range slices.Sorted(maps.Keys(models)) {
		all := models[model]
		slices.SortStableFunc(all, func(a, b *fleet.Enclosure) int { return cmp.Compare(size(a), size(b)) })
		picked := func() (n int) {
			for _, e := range all {
				if chosen[e] {
					n++
				}
			}
			return n
		}
		for n := 0; n < len(all) && picked() < most; n++ {
			for _, e := range busy[all[n]].Enclosures {
				if busy[e] != nil {
					chosen[e] = true
				}
			}
		}
	}
	return chosen
}

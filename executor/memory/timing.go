package memory

import (
	"slices"
	"time"

	"fwctl/internal/state"
	"fwctl/inventory"
)

// timings sums up recorded timings, those of the same work together, as inventories have them.
func timings(recorded []state.Timing) []inventory.Timing {
	took := map[state.TimedWork][]time.Duration{}
	runs := map[state.TimedWork]map[int64]bool{}
	for _, t := range recorded {
		if runs[t.TimedWork] == nil {
			runs[t.TimedWork] = map[int64]bool{}
		}
		took[t.TimedWork] = append(took[t.TimedWork], t.Took)
		runs[t.TimedWork][t.Run] = true
	}
	var all []inventory.Timing
	for work, times := range took {
		slices.Sort(times)
		all = append(all, inventory.Timing{
			TimedWork: inventory.TimedWork{
				Vendor: work.Vendor, Product: work.Product, Mode: work.Mode, Protocol: work.Protocol,
				Phase: inventory.Phase(work.Phase),
			},
			ImageSize: work.ImageSize, Runs: len(runs[work]), Count: len(times),
			MedianMS: times[len(times)/2].Milliseconds(),
		})
	}
	slices.SortFunc(all, inventory.CompareTimings)
	return all
}

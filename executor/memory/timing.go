package memory

import (
	"slices"
	"time"

	"fwctl/internal/state"
	"fwctl/inventory"
)

// timings sums up recorded timings of the same work, as inventories have them.
func timings(recorded []state.Timing) []inventory.Timing {
	type work struct {
		inventory.TimedWork
		imageSize int64
	}
	took := map[work][]time.Duration{}
	runs := map[work]map[int64]bool{}
	for _, t := range recorded {
		w := work{t.TimedWork, t.ImageSize}
		if runs[w] == nil {
			runs[w] = map[int64]bool{}
		}
		took[w] = append(took[w], t.Took)
		runs[w][t.Run] = true
	}
	var all []inventory.Timing
	for w, times := range took {
		slices.Sort(times)
		all = append(all, inventory.Timing{
			TimedWork: w.TimedWork, ImageSize: w.imageSize, Runs: len(runs[w]), Count: len(times),
			MedianMS: times[len(times)/2].Milliseconds(),
		})
	}
	slices.SortFunc(all, inventory.CompareTimings)
	return all
}

package build

import (
	"cmp"
	"slices"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
)

// timings are what all hosts know of how long earlier runs took.
type timings map[inventory.TimedWork][]inventory.Timing

func newTimings(inventories []*inventory.Inventory) timings {
	known := timings{}
	for _, inv := range inventories {
		for _, t := range inv.Timings {
			known[t.TimedWork] = append(known[t.TimedWork], t)
		}
	}
	return known
}

// estimate is how long something takes, and how many runs have shown that; 0 runs: unknown.
type estimate struct {
	takes time.Duration
	runs  int
	// scaled: it rests on images of other sizes.
	scaled bool
}

// and returns the estimate of two things one after the other; unknown if one of them is.
func (e estimate) and(o estimate) estimate {
	if e.runs == 0 || o.runs == 0 {
		return estimate{}
	}
	return estimate{e.takes + o.takes, min(e.runs, o.runs), e.scaled || o.scaled}
}

// of estimates a phase. If no image of its size was sent yet, it goes by the nearest size: the
// time of a download is in proportion to the size, and that of other phases is the same.
func (t timings) of(work inventory.TimedWork, size int64) estimate {
	known := t[work]
	if len(known) == 0 {
		return estimate{}
	}
	apart := func(a int64) int64 { return max(a-size, size-a) }
	nearest := slices.MinFunc(known, func(a, b inventory.Timing) int {
		return cmp.Or(cmp.Compare(apart(a.ImageSize), apart(b.ImageSize)), cmp.Compare(b.ImageSize, a.ImageSize))
	}).ImageSize
	other := func(k inventory.Timing) bool { return k.ImageSize != nearest }
	e := together(slices.DeleteFunc(slices.Clone(known), other))
	if e.scaled = nearest != size; e.scaled && work.Phase == inventory.DownloadPhase {
		e.takes = time.Duration(float64(e.takes) * float64(size) / float64(nearest))
	}
	return e
}

// together estimates one phase by what several hosts know of it: the median of their medians,
// each weighted by how often it was seen.
func together(known []inventory.Timing) estimate {
	slices.SortFunc(known, func(a, b inventory.Timing) int { return cmp.Compare(a.MedianMS, b.MedianMS) })
	runs, count := 0, 0
	for _, k := range known {
		runs += k.Runs
		count += k.Count
	}
	var e estimate
	for seen, i := 0, 0; seen <= count/2; i++ {
		seen += known[i].Count
		e = estimate{takes: known[i].Median(), runs: runs}
	}
	return e
}

// expect sets how long a step with hops is expected to take. That is unknown if one of its
// phases is, and if a person has to do something.
func (t timings) expect(s *plan.Step) {
	total, staging := estimate{runs: unlimited}, estimate{runs: unlimited}
	for i := range s.Hops {
		h := &s.Hops[i]
		sent, mode := t.sending(s, h)
		total = total.and(sent).and(t.starting(s, h, mode))
		if i == 0 && mode != "" && h.Defers(mode) {
			staging = sent
		}
	}
	if total.runs == 0 {
		return
	}
	s.ExpectedDuration = min(max(plan.WholeSeconds(total.takes), plan.Duration(time.Second)), s.WorstDuration)
	s.ExpectedStaging = min(plan.WholeSeconds(staging.takes), s.ExpectedDuration)
	s.ExpectedFrom, s.ExpectedScaled = total.runs, total.scaled
}

// unlimited is how many runs show how long nothing takes.
const unlimited = int(^uint(0) >> 1)

// sending estimates the download of a hop by the first of its modes that something is known
// of: a device that refused mode e will do so again. It returns no mode if nothing is sent.
func (t timings) sending(s *plan.Step, h *plan.Hop) (estimate, plan.Mode) {
	if len(h.Modes) == 0 {
		return estimate{runs: unlimited}, ""
	}
	for _, mode := range h.Modes {
		download := t.of(timedWork(s, h, string(mode), inventory.DownloadPhase), h.Image.Size)
		flash := t.of(timedWork(s, h, string(mode), inventory.FlashPhase), h.Image.Size)
		if e := download.and(flash); e.runs > 0 {
			return e, mode
		}
	}
	return estimate{}, h.Modes[0]
}

// starting estimates how long a component takes to come back after a download of a hop's image
// by a mode; after the activation of a staged image, mode is "".
func (t timings) starting(s *plan.Step, h *plan.Hop, mode plan.Mode) estimate {
	switch {
	case h.ByPerson():
		return estimate{}
	case mode != "" && !h.Defers(mode):
		return t.of(timedWork(s, h, string(mode), inventory.ReturnPhase), 0)
	case h.ByCommand():
		return t.of(timedWork(s, h, inventory.ActivationMode, inventory.ReturnPhase), 0)
	}
	return estimate{runs: unlimited}
}

func timedWork(s *plan.Step, h *plan.Hop, mode string, phase inventory.Phase) inventory.TimedWork {
	return inventory.TimedWork{
		Vendor: s.Vendor, Product: s.Product, Mode: mode, Protocol: string(h.Protocol), Phase: phase,
	}
}

package build

import "fwctl/plan/desired"

// quirkFinder is QuirkOf for a fleet. Most of its devices are alike, so it keeps what it has
// found.
type quirkFinder struct {
	own   []desired.Quirk // of the desired state
	found map[device]*desired.Quirk
}

type device struct{ vendor, product, revision string }

func (f *quirkFinder) of(vendor, product, revision string) *desired.Quirk {
	d := device{vendor, product, revision}
	q, ok := f.found[d]
	if !ok {
		row := desired.QuirkOf(f.own, vendor, product, revision)
		q = &row
		f.found[d] = q
	}
	return q
}

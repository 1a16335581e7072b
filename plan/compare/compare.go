// Package compare says in words how a plan differs from one that was approved, and why: after
// the devices were scanned again, or the desired state was changed.
//
// It is pure, and overlooks nothing: if it finds no difference, two plans differ at most in
// when they were made and when the devices were scanned.
package compare

import (
	"cmp"
	"slices"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
)

// Comparison is how a plan differs from an older one.
type Comparison struct {
	FormatVersion string `json:"format_version"`
	// Kind is "Comparison".
	Kind string `json:"kind"`
	// Simulated: one of the plans is for a simulated rack.
	Simulated bool `json:"simulated"`
	Old       Plan `json:"old"`
	New       Plan `json:"new"`
	// SameDigest: the plans have the same digest, so this is the plan that was approved.
	SameDigest bool `json:"same_digest"`
	// Same: nothing differs, except perhaps the digest and when the devices were scanned.
	Same bool `json:"same"`
	// Scans say when hosts were scanned, if that differs.
	Scans []string `json:"scans"`
	// Whole is how the plans as a whole differ, in words.
	Whole []string `json:"plan"`
	// Rows are the components on which the plans differ, by address.
	Rows []Row `json:"rows"`
	// Unchanged counts the other components.
	Unchanged int `json:"unchanged"`
}

// Plan names a plan.
type Plan struct {
	Digest    string    `json:"digest"`
	CreatedAt time.Time `json:"created_at"`
	// Name is that of its desired state, "" if it has none.
	Name string `json:"name"`
}

// Change is what became of a row.
type Change string

const (
	Added   Change = "added"
	Gone    Change = "gone"
	Changed Change = "changed"
)

// Row is a component that the plans do not say the same of.
type Row struct {
	Address string `json:"address"`
	// Name is that of its enclosure, "" if it has none.
	Name   string `json:"name"`
	Change Change `json:"change"`
	// Differences are in words. For a component that was added or is gone, they say what is or
	// was to be done with it.
	Differences []string `json:"differences"`
	// Alarming: it may stop I/O, or is blocked, in the newer plan that has it.
	Alarming bool `json:"-"`
}

// Plans compares a plan with an older one.
func Plans(old, now *plan.Plan) *Comparison {
	c := &Comparison{
		FormatVersion: "1.0", Kind: "Comparison", Simulated: old.Simulated || now.Simulated,
		Old: nameOf(old), New: nameOf(now), SameDigest: old.Digest == now.Digest,
		Scans: scans(old, now), Whole: whole(old, now), Rows: []Row{},
	}
	of := domains{members(old), members(now)}
	for _, pair := range pairs(old, now) {
		row := Row{Change: Changed}
		switch last := cmp.Or(pair.now, pair.old); {
		case pair.old == nil:
			row.Change, row.Differences = Added, describe(pair.now)
			row.name(last)
		case pair.now == nil:
			row.Change, row.Differences = Gone, describe(pair.old)
			row.name(last)
		default:
			row.Differences = of.steps(pair.old, pair.now)
			row.name(last)
		}
		if len(row.Differences) == 0 {
			c.Unchanged++
			continue
		}
		c.Rows = append(c.Rows, row)
	}
	c.Same = len(c.Whole) == 0 && len(c.Rows) == 0
	return c
}

func nameOf(p *plan.Plan) Plan { return Plan{p.Digest, p.CreatedAt, p.DesiredState.Name} }

// name sets which component a row is about.
func (r *Row) name(s *plan.Step) {
	r.Address, r.Name = s.Address, s.Name
	r.Alarming = s.Action == plan.Blocked || s.MayStopIO()
}

// Named returns the row's component as selectors see it.
func (r *Row) Named() inventory.Named { return inventory.Named{Address: r.Address, Name: r.Name} }

// pair is a component in both plans, or in one of them.
type pair struct{ old, now *plan.Step }

// pairs returns the components of two plans by address. Several logical units may claim one
// address: those that both plans have belong together first.
func pairs(old, now *plan.Plan) []pair {
	olds, nows := byAddress(old), byAddress(now)
	var addresses []string
	for a := range olds {
		addresses = append(addresses, a)
	}
	for a := range nows {
		if olds[a] == nil {
			addresses = append(addresses, a)
		}
	}
	slices.Sort(addresses)
	var all []pair
	for _, a := range addresses {
		left := nows[a]
		var alone []*plan.Step
		for _, s := range olds[a] {
			i := slices.IndexFunc(left, func(n *plan.Step) bool { return n.LUID == s.LUID })
			if i < 0 {
				alone = append(alone, s)
				continue
			}
			all = append(all, pair{s, left[i]})
			left = slices.Delete(left, i, i+1)
		}
		for i := range max(len(alone), len(left)) {
			var p pair
			if i < len(alone) {
				p.old = alone[i]
			}
			if i < len(left) {
				p.now = left[i]
			}
			all = append(all, p)
		}
	}
	return all
}

func byAddress(p *plan.Plan) map[string][]*plan.Step {
	steps := map[string][]*plan.Step{}
	for i := range p.Steps {
		s := &p.Steps[i]
		steps[s.Address] = append(steps[s.Address], s)
	}
	return steps
}

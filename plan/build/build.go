// Package build makes plans from a desired state, the inventories of some hosts and the sizes
// of images. A plan says of every component what it is, what it should become, how it gets
// there and what that disturbs.
//
// It is pure: no device, no clock, no randomness, no order of maps. The same input gives the
// same bytes, so a plan can be reviewed, approved by its digest and carried out by someone
// else. It never judges what a reset disturbs: package impact does.
package build

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/plan/impact"
)

// The defaults, unless the desired state or the quirk table says otherwise.
const (
	defaultChunkSize     = 4096 // taken by all enclosures that were seen (WD, iXsystems, HP)
	defaultFlashTimeout  = plan.Duration(45 * time.Minute)
	defaultSettle        = plan.Duration(60 * time.Second)
	defaultReturnTimeout = plan.Duration(15 * time.Minute)
)

// Input is all that a plan is made from.
type Input struct {
	Desired *desired.State
	// Inventories have what is staged joined in.
	Inventories []*inventory.Inventory
	// ImageSizes are in bytes, by SHA-256.
	ImageSizes map[string]int64
	// SignedBy has the public keys of policies that have signed an image, by the image's SHA-256:
	// see desired.Images.
	SignedBy map[string][]string
	// Warnings are about the images. The plan lists them with its own.
	Warnings []string
	// Activate plans the activation of what is staged.
	Activate bool
	// Again plans to send an image even if only the host's memory says that it is there already.
	Again bool
	// Targets limit the plan; none for everything.
	Targets []inventory.Selector
}

// Plan makes a plan. The same input gives the same plan, whatever its order. The caller sets
// CreatedAt, and Encode sets Digest.
//
// A component that cannot be updated is a step with reasons, not an error. An
// error means that the input contradicts itself: two wants on one component, a
// target that matches nothing, simulated and real inventories mixed.
func Plan(in Input) (*plan.Plan, error) {
	scans, simulated, err := checkInventories(in.Inventories)
	if err != nil {
		return nil, err
	}
	b := newBuilder(in, newest(scans))
	p := &plan.Plan{
		FormatVersion: plan.FormatVersion,
		Kind:          plan.Kind,
		Simulated:     simulated,
		DesiredState:  plan.Source{Name: in.Desired.Name, SHA256: in.Desired.SHA256},
		Scans:         scans,
		Steps:         []plan.Step{},
		Waves:         []plan.Wave{},
		Windows:       map[string]window.Window{},
		Rollout:       in.Desired.Rollout,
		Notify:        in.Desired.Notify,
		Warnings:      []string{},
	}
	p.Rollout.MaxParallel = max(p.Rollout.MaxParallel, 1)
	planned, warnings := b.decideAll()
	if err := b.err(); err != nil {
		return nil, err
	}
	p.Waves = assignWaves(planned, p.Rollout)
	for _, w := range p.Waves {
		for _, name := range w.Windows {
			p.Windows[name] = in.Desired.Windows[name]
		}
	}
	b.addSteps(p, planned)
	p.SetExpected()
	p.LeftOut = b.leftOut(p.Steps)
	p.Unread = b.unread()
	p.Warnings = append(p.Warnings, slices.Concat(warnings, windowWarnings(p), b.wantWarnings(), b.selectorWarnings(),
		slices.Sorted(maps.Keys(b.ended)), ageWarnings(scans), slices.Sorted(slices.Values(in.Warnings)),
		scanWarnings(in.Inventories), unreadWarnings(p.Unread))...)
	p.Summary = p.Summarize()
	return p, nil
}

// newBuilder merges the inventories, and finds what the decisions on all components need.
func newBuilder(in Input, now time.Time) *builder {
	f := fleet.Merge(in.Inventories)
	for _, e := range f.Enclosures {
		e.Name = in.Desired.Names[e.ID]
	}
	f.MarkUnread(in.Inventories)
	b := &builder{
		in:        in,
		today:     now.Format(time.DateOnly),
		survey:    impact.NewSurvey(f, f.Declared(in.Desired.FaultDomains)),
		gateLists: map[gateKey][]plan.GateResult{},
		effects:   map[target]impact.Effect{},
		matches:   make([]wantMatch, len(in.Desired.Want)),
		clashes:   map[[2]int]clash{},
		ended:     map[string]bool{},
		quirks:    &quirkFinder{in.Desired.Quirks, map[device]*desired.Quirk{}},
		timings:   newTimings(in.Inventories),
	}
	b.markUnreadDomains()
	for _, want := range in.Desired.Want {
		g := newGoal(in.Desired, want, b.quirks)
		if in.Activate {
			// Of what is staged, and of what this apply stages.
			g.policy.Activate = plan.WithApply
		}
		b.goals = append(b.goals, g)
	}
	return b
}

// decideAll decides what is done with every component. It returns the components that the
// targets select, by address, and the warnings about all enclosures.
func (b *builder) decideAll() (planned []*draft, warnings []string) {
	for _, e := range b.survey.Enclosures {
		drafts := b.decide(e)
		targeted := false
		for _, d := range drafts {
			d.step.FaultDomain = b.survey.NumberOf(e)
			d.step.Neighbours = d.domain.Neighbours(e, d.step.Host)
			d.addCautions()
			if d.targeted {
				planned, targeted = append(planned, d), true
			}
		}
		warnings = append(warnings, cautionWarnings(e, b.survey.Domain(e).Cautions)...)
		warnings = append(warnings, stagedWarnings(e, drafts)...)
		if targeted {
			warnings = append(warnings, impact.PathWarnings(e)...)
		}
	}
	slices.SortStableFunc(planned, func(a, b *draft) int { return compareSteps(&a.step, &b.step) })
	return planned, warnings
}

// addSteps adds the steps of the components, once they have their waves, and those of
// components that could not be read.
func (b *builder) addSteps(p *plan.Plan, planned []*draft) {
	p.Steps = slices.Grow(p.Steps, len(planned))
	for _, d := range planned {
		d.addNeighbourResets()
		p.Steps = append(p.Steps, d.step)
		if q := b.quirk(d.Component); q.Name != "" {
			if p.Quirks == nil {
				p.Quirks = map[string]string{}
			}
			p.Quirks[q.Name] = q.Source
		}
	}
	p.Steps = append(p.Steps, b.unreadSteps()...)
	slices.SortStableFunc(p.Steps, func(a, b plan.Step) int { return compareSteps(&a, &b) })
}

// leftOut returns the logical units of the enclosures that the targets leave out: no step is
// about them, and no fault domain of a step has them.
func (b *builder) leftOut(steps []plan.Step) []string {
	if len(b.in.Targets) == 0 {
		return nil
	}
	concerned := map[string]bool{}
	for _, s := range steps {
		concerned[s.Enclosure] = true
		for _, id := range s.Neighbours {
			concerned[id] = true
		}
	}
	here, elsewhere := map[string]bool{}, map[string]bool{}
	for _, e := range b.survey.Enclosures {
		for _, esp := range e.ESPs {
			if concerned[e.ID] {
				here[esp.LUID] = true
			} else {
				elsewhere[esp.LUID] = true
			}
		}
	}
	maps.DeleteFunc(elsewhere, func(luID string, _ bool) bool { return here[luID] })
	return slices.Sorted(maps.Keys(elsewhere))
}

func compareSteps(a, b *plan.Step) int {
	return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.LUID, b.LUID))
}

// newest returns the time of the latest scan, which a plan takes for now.
func newest(scans []plan.Scan) time.Time {
	var t time.Time
	for _, s := range scans {
		if s.ScannedAt.After(t) {
			t = s.ScannedAt
		}
	}
	return t
}

// checkInventories refuses inventories that cannot be planned together.
func checkInventories(invs []*inventory.Inventory) (scans []plan.Scan, simulated bool, err error) {
	scans = []plan.Scan{}
	hosts := map[string]bool{}
	for _, inv := range invs {
		if inv.Simulated != invs[0].Simulated {
			return nil, false, errors.New("cannot plan simulated and real inventories together: make a plan of each")
		}
		if hosts[inv.Host] {
			return nil, false, fmt.Errorf("cannot plan with two inventories of host %s: leave the older one out",
				inv.Host)
		}
		hosts[inv.Host] = true
		s := plan.Scan{Host: inv.Host, ScannedAt: inv.ScannedAt.UTC(), Enclosures: len(inv.Enclosures)}
		for _, e := range inv.Enclosures {
			s.ESPs += len(e.ESPs)
		}
		scans = append(scans, s)
		simulated = inv.Simulated
	}
	slices.SortFunc(scans, func(a, b plan.Scan) int { return cmp.Compare(a.Host, b.Host) })
	return scans, simulated, nil
}

// builder holds what the decisions on all components need, and collects what can only be said
// once all of them were seen.
type builder struct {
	in     Input
	today  string // "2006-01-02", the day of the newest scan, in UTC: the same on whatever host
	survey *impact.Survey
	goals  []*goal // of the desired state's wants

	gateLists map[gateKey][]plan.GateResult // those that steps share
	effects   map[target]impact.Effect      // of resets, once they were found out

	matches []wantMatch
	clashes map[[2]int]clash
	ended   map[string]bool // warnings of what has ended
	quirks  *quirkFinder
	timings timings
}

// quirk returns the row of the quirk table that fits the ESP as it is.
func (b *builder) quirk(c fleet.Component) *desired.Quirk {
	p := c.Primary()
	return b.quirks.of(p.Vendor, p.Product, p.Revision)
}

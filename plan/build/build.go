// Package build makes plans: a desired state, the inventories of some hosts and the sizes
// of images go in, and a plan comes out that says of every component what it is, what it
// should become, how it gets there and what that disturbs.
//
// It is pure: no device, no clock, no randomness, no order of maps. The same input gives
// the same bytes, so that a plan can be reviewed, approved by its digest and carried out
// by somebody else. It never judges by itself what a reset disturbs: that is impact's.
package build

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/plan/impact"
	"fwctl/schemas"
)

// What holds where neither the desired state nor the quirk table says otherwise.
const (
	defaultChunkSize     = 4096 // taken by all enclosures that were seen (WD, iXsystems, HP)
	defaultFlashTimeout  = plan.Duration(45 * time.Minute)
	defaultSettle        = plan.Duration(60 * time.Second)
	defaultReturnTimeout = plan.Duration(15 * time.Minute)
)

// Input is all that a plan is made from.
type Input struct {
	Desired     *desired.State
	Inventories []*inventory.Inventory // with what is staged joined in
	ImageSizes  map[string]int64       // bytes, by SHA-256
	SignedBy    map[string][]string    // public keys of policies that have signed an image, by the image's SHA-256; see Images
	Warnings    []string               // of the images; told with the plan's own
	Activate    bool                   // plan the activation of what is staged
	Again       bool                   // send what memory alone says is there already
	Targets     []inventory.Selector   // none: everything
}

// Plan makes a plan. It is pure: the same input gives the same plan, whatever
// its order. CreatedAt is left to the caller, Digest to Encode.
//
// A component that cannot be updated is a step with reasons, not an error. An
// error means that the input contradicts itself: two wants on one component, a
// target that matches nothing, simulated and real inventories mixed.
func Plan(in Input) (*plan.Plan, error) {
	scans, simulated, err := checkInventories(in.Inventories)
	if err != nil {
		return nil, err
	}
	f := fleet.Merge(in.Inventories)
	for _, e := range f.Enclosures {
		e.Name = in.Desired.Names[e.ID]
	}
	f.MarkUnread(in.Inventories)
	b := &builder{
		in: in, today: newest(scans).Format(time.DateOnly), matches: make([]wantMatch, len(in.Desired.Want)), clashes: map[[2]int]clash{},
		ended: map[string]bool{}, quirks: &quirkFinder{in.Desired.Quirks, map[device]*desired.Quirk{}}, survey: impact.NewSurvey(f, f.Declared(in.Desired.FaultDomains)), gateLists: map[gateKey][]plan.GateResult{},
		effects: map[target]impact.Effect{},
	}
	b.markUnreadDomains(f)
	for _, want := range in.Desired.Want {
		g := newGoal(in.Desired, want, b.quirks)
		if in.Activate {
			g.policy.Activate = plan.WithApply // of what is staged, and of what this apply stages
		}
		b.goals = append(b.goals, g)
	}
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
		Warnings:      []string{},
	}
	p.Rollout.MaxParallel = max(p.Rollout.MaxParallel, 1)

	var planned []*job
	for _, e := range f.Enclosures {
		jobs := b.decide(e)
		for _, j := range jobs {
			j.step.FaultDomain = b.survey.NumberOf(e)
			j.tellCautions()
			j.step.Neighbours = j.domain.Neighbours(e, j.step.Host)
			if j.targeted {
				planned = append(planned, j)
			}
		}
		p.Warnings = append(p.Warnings, cautionWarnings(e, b.survey.Domain(e).Cautions)...)
		p.Warnings = append(p.Warnings, stagedWarnings(e.ID, jobs)...)
		if slices.ContainsFunc(jobs, func(j *job) bool { return j.targeted }) {
			p.Warnings = append(p.Warnings, impact.PathWarnings(e)...)
		}
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(planned, func(a, b *job) int {
		return cmp.Or(cmp.Compare(a.step.Address, b.step.Address), cmp.Compare(a.step.LUID, b.step.LUID))
	})
	p.Waves = assignWaves(planned, p.Rollout)
	for _, w := range p.Waves {
		for _, name := range w.Windows {
			p.Windows[name] = in.Desired.Windows[name]
		}
	}
	p.Steps = slices.Grow(p.Steps, len(planned))
	for _, j := range planned {
		j.tellWaves()
		p.Steps = append(p.Steps, j.step)
		if q := b.quirk(j.Component); q.Name != "" {
			if p.Quirks == nil {
				p.Quirks = map[string]string{}
			}
			p.Quirks[q.Name] = q.Source
		}
	}
	p.Steps = append(p.Steps, b.unreadSteps(f)...)
	slices.SortStableFunc(p.Steps, func(a, b plan.Step) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.LUID, b.LUID))
	})
	p.Warnings = append(p.Warnings, windowWarnings(p)...)
	p.Warnings = append(p.Warnings, b.wantWarnings()...)
	p.Warnings = append(p.Warnings, b.selectorWarnings()...)
	p.Warnings = append(p.Warnings, slices.Sorted(maps.Keys(b.ended))...)
	p.Warnings = append(p.Warnings, ageWarnings(scans)...)
	p.Warnings = append(p.Warnings, slices.Sorted(slices.Values(in.Warnings))...)
	p.Warnings = append(p.Warnings, scanWarnings(in.Inventories)...)
	p.Unread = b.unread(f)
	p.Warnings = append(p.Warnings, unreadWarnings(p.Unread)...)
	p.Summary = p.Summarize()
	return p, nil
}

// newest is the time of the latest scan: what a plan takes for now.
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
			return nil, false, fmt.Errorf("cannot plan with two inventories of host %s: leave the older one out", inv.Host)
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

// builder holds what all components are decided by, and collects what can only
// be told once all of them were seen.
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
}

// quirk is the row of the quirk table that fits the ESP as it is.
func (b *builder) quirk(c fleet.Component) *desired.Quirk {
	p := c.Primary()
	return b.quirks.of(p.Vendor, p.Product, p.Revision)
}

// wantMatch counts what a want came to, so that one that comes to nothing can say why.
type wantMatch struct {
	models, enclosures, components int
	selected                       []bool // by the want's selectors: it selects a component of the model
}

// selects reports whether one of a want's selectors selects a component, and marks
// those that do.
func (m *wantMatch) selects(selectors []inventory.Selector, c fleet.Component) bool {
	if m.selected == nil {
		m.selected = make([]bool, len(selectors))
	}
	found := false
	for i := range selectors {
		if (!found || !m.selected[i]) && c.Selected(selectors[i:i+1]) == 0 {
			found, m.selected[i] = true, true
		}
	}
	return found
}

// clash is two wants that match the same components.
type clash struct {
	first string // address
	count int
}

func (b *builder) err() error {
	d := b.in.Desired
	if err := b.checkImages(); err != nil {
		return err
	}
	if err := plan.Unmatched("--target", b.in.Targets, b.survey.Named(), "these enclosures"); err != nil {
		return err
	}
	var problems []schemas.Problem
	for pair, c := range b.clashes {
		p := d.At("want", strconv.Itoa(pair[1]))
		p.Summary = fmt.Sprintf("%s and %s both match %s", b.in.Desired.WantName(pair[0]), b.in.Desired.WantName(pair[1]), c.first)
		if c.count > 1 {
			p.Summary += fmt.Sprintf(" and %d more", c.count-1)
		}
		p.Hint = "narrow one of them down with enclosures, or take it out"
		problems = append(problems, p)
	}
	return schemas.Join(problems)
}

// checkImages asks for all images that a way to a wanted one may lead over.
func (b *builder) checkImages() error {
	for n, want := range b.in.Desired.Want {
		model := b.in.Desired.Models[want.Model]
		for _, name := range append([]string{want.Image}, slices.Sorted(maps.Keys(model.Images))...) {
			i := model.Images[name]
			if _, ok := b.in.ImageSizes[i.SHA256]; !ok && b.matches[n].components > 0 && i.Part == model.Images[want.Image].Part {
				return fmt.Errorf("cannot plan without image %s (SHA-256 %s): load it first", name, i.SHA256)
			}
		}
	}
	return nil
}

func (b *builder) wantWarnings() []string {
	var warnings []string
	for i, m := range b.matches {
		w := b.in.Desired.Want[i]
		match := b.in.Desired.Models[w.Model].Match
		why := ""
		switch {
		case m.components > 0:
			continue
		case m.models == 0:
			why = fmt.Sprintf("no enclosure in sight is vendor %q, product %q", cmp.Or(match.Vendor, "*"), cmp.Or(match.Product, "*"))
		case m.enclosures == 0:
			continue // told of its selectors
		default:
			why = "none of the model's enclosures has a subenclosure of that part"
		}
		if b.anyUnread() {
			why += "; but not every device could be read"
		}
		warnings = append(warnings, fmt.Sprintf("%s matches nothing: %s", b.in.Desired.WantName(i), why))
	}
	return warnings
}

// sameAge is how far apart scans may be to count as of one time.
const sameAge = 15 * time.Minute

// ageWarnings names the inventories that are older than the newest.
func ageWarnings(scans []plan.Scan) []string {
	var warnings []string
	last := newest(scans)
	for _, s := range scans {
		if age := last.Sub(s.ScannedAt); age > sameAge {
			warnings = append(warnings, fmt.Sprintf("%s: its inventory is of %s, %s older than the newest: what changed since is not in the plan",
				s.Host, s.ScannedAt.Format("2006-01-02 15:04 UTC"), plan.Duration(age.Truncate(time.Minute))))
		}
	}
	return warnings
}

func scanWarnings(invs []*inventory.Inventory) []string {
	var warnings []string
	for _, inv := range invs {
		problems := slices.DeleteFunc(
			slices.Clone(inv.Problems),
			func(p inventory.Problem) bool { return p.Unread != nil },
		) // each of those has a row or a warning of its own
		if n := len(problems); n > 0 {
			slices.SortFunc(problems, func(a, b inventory.Problem) int {
				return cmp.Or(inventory.ComparePaths(a.Path, b.Path), cmp.Compare(a.Summary, b.Summary))
			})
			warnings = append(warnings, fmt.Sprintf("%s: the scan had %d %s, the first: %s; see `fwctl inventory`", inv.Host, n, english.PluralWord(n, "problem", ""), problems[0].Summary))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// wantOf finds what is wanted of a component, nil for nothing.
func (b *builder) wantOf(c fleet.Component) *goal {
	found := -1
	primary := c.Primary()
	for i, w := range b.in.Desired.Want {
		m := b.in.Desired.Models[w.Model]
		if !m.Match.Fits(primary.Vendor, primary.Product) {
			continue
		}
		b.matches[i].models++
		if len(w.Enclosures) > 0 && !b.matches[i].selects(w.Enclosures, c) {
			continue
		}
		b.matches[i].enclosures++
		if !slices.Contains(m.Parts[m.Images[w.Image].Part].Subenclosures, c.Sub.ID) {
			continue
		}
		b.matches[i].components++
		if found >= 0 {
			pair := [2]int{found, i}
			known := b.clashes[pair]
			b.clashes[pair] = clash{first: cmp.Or(known.first, c.Address), count: known.count + 1}
			continue
		}
		found = i
	}
	if found < 0 {
		return nil
	}
	return b.goals[found]
}

// stagedBy tells of what is staged: Staged 2026-11-15 by anna, image 5891b5b5.
// Where several hosts see the enclosure, it tells on which of them.
func (j *job) stagedBy() string {
	s, on := j.Sub.Staged, ""
	if len(j.e.Views) > 1 {
		on = " on " + j.ESP.Host
	}
	return fmt.Sprintf("Staged %s by %s%s, image %.8s.", s.Since.UTC().Format(time.DateOnly), s.Who(), on, s.SHA256)
}

// selectorWarnings tells of the desired state's selectors that select nothing here.
// It may cover more than the inventories do.
func (b *builder) selectorWarnings() []string {
	d := b.in.Desired
	var warnings []string
	for _, s := range d.Selectors() {
		why := ""
		switch inSight := len(b.survey.Selected(s.Selector)) > 0; {
		case s.Unnamed != "":
			why = s.Unnamed
			if near := d.NearestName(s); near != "" {
				why += "; " + near
			}
		case s.Want >= 0 && b.matches[s.Want].models == 0: // told of the want
		case s.Want >= 0 && inSight && !b.matches[s.Want].selected[s.Index]:
			why = fmt.Sprintf("%s: %s selects nothing of model %s", s.Of, s.Selector, d.Want[s.Want].Model)
		case !inSight && b.knownUnread(s.Selector):
			why = fmt.Sprintf("%s: %s selects only what could not be read", s.Of, s.Selector)
		case !inSight:
			why = fmt.Sprintf("%s: %s selects nothing in sight", s.Of, s.Selector)
			if s.Path[0] == "faultDomains" {
				why += ": nothing here is kept apart from resets there"
			}
		}
		if why != "" {
			warnings = append(warnings, why)
		}
	}
	return warnings
}

package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/schemas"
)

// What holds where neither the desired state nor the quirk table says otherwise.
const (
	defaultChunkSize     = 4096 // taken by all enclosures that were seen (WD, iXsystems, HP)
	defaultFlashTimeout  = Duration(45 * time.Minute)
	defaultSettle        = Duration(60 * time.Second)
	defaultReturnTimeout = Duration(15 * time.Minute)
)

// Input is all that a plan is made from.
type Input struct {
	Desired     *DesiredState
	Inventories []*inventory.Inventory // with what is staged joined in
	ImageSizes  map[string]int64       // bytes, by SHA-256
	SignedBy    map[string][]string    // public keys of policies that have signed an image, by the image's SHA-256; see Images
	Warnings    []string               // of the images; told with the plan's own
	Activate    bool                   // plan the activation of what is staged
	Targets     []string               // globs on address, a leading part of one, or name; none: everything
}

// Build makes a plan. It is pure: the same input gives the same plan, whatever
// its order. CreatedAt is left to the caller, Digest to Encode.
//
// A component that cannot be updated is a step with reasons, not an error. An
// error means that the input contradicts itself: two wants on one component, a
// target that matches nothing, simulated and real inventories mixed.
func Build(in Input) (*Plan, error) {
	scans, simulated, err := checkInventories(in.Inventories)
	if err != nil {
		return nil, err
	}
	b := &builder{in: in, matches: make([]wantMatch, len(in.Desired.Want)), clashes: map[[2]int]clash{}}
	p := &Plan{
		FormatVersion: FormatVersion,
		Kind:          "Plan",
		Simulated:     simulated,
		DesiredState:  Source{Name: in.Desired.Name, SHA256: in.Desired.SHA256},
		Scans:         scans,
		Steps:         []Step{},
		Waves:         []Wave{},
		Windows:       map[string]window.Window{},
		Rollout:       in.Desired.Rollout,
		Warnings:      []string{},
	}
	p.Rollout.MaxParallel = max(p.Rollout.MaxParallel, 1)

	hit := make([]bool, len(in.Targets))
	sides := map[string]int{} // of ESPs, by lu_id
	for _, e := range mergeHosts(in.Inventories) {
		e.name = in.Desired.Names[e.id]
		var peers []peer
		for _, c := range e.components() {
			step, err := b.step(e, c)
			if err != nil {
				return nil, err
			}
			targeted := len(in.Targets) == 0
			for i, pattern := range in.Targets {
				if targets(pattern, step.Address, step.Name) {
					hit[i], targeted = true, true
				}
			}
			wanted := in.Desired.Models[step.Model].Images[step.Image].SHA256
			peers = append(peers, peer{step: step, wanted: wanted, staged: c.sub.Staged, planned: targeted})
			sides[c.esp.LUID] = c.esp.side
			if targeted {
				p.Steps = append(p.Steps, step)
			}
		}
		p.Warnings = append(p.Warnings, stagedWarnings(e.id, peers)...)
	}
	if err := b.err(hit); err != nil {
		return nil, err
	}
	slices.SortStableFunc(p.Steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.LUID, b.LUID))
	})
	p.Waves = assignWaves(p.Steps, sides)
	p.Warnings = append(p.Warnings, p.windowWarnings()...)
	p.Warnings = append(p.Warnings, b.wantWarnings()...)
	p.Warnings = append(p.Warnings, slices.Sorted(slices.Values(in.Warnings))...)
	p.Warnings = append(p.Warnings, scanWarnings(in.Inventories)...)
	p.Summary = summarize(p.Steps)
	return p, nil
}

// checkInventories refuses inventories that cannot be planned together.
func checkInventories(invs []*inventory.Inventory) (scans []Scan, simulated bool, err error) {
	scans = []Scan{}
	hosts := map[string]bool{}
	for _, inv := range invs {
		if inv.Simulated != invs[0].Simulated {
			return nil, false, errors.New("cannot plan simulated and real inventories together: make a plan of each")
		}
		if hosts[inv.Host] {
			return nil, false, fmt.Errorf("cannot plan with two inventories of host %s: leave the older one out", inv.Host)
		}
		hosts[inv.Host] = true
		s := Scan{Host: inv.Host, ScannedAt: inv.ScannedAt.UTC(), Enclosures: len(inv.Enclosures)}
		for _, e := range inv.Enclosures {
			s.ESPs += len(e.ESPs)
		}
		scans = append(scans, s)
		simulated = inv.Simulated
	}
	slices.SortFunc(scans, func(a, b Scan) int { return cmp.Compare(a.Host, b.Host) })
	return scans, simulated, nil
}

// targets tells whether a --target pattern means a component: it matches the
// address, a leading part of it (the enclosure, the enclosure and ESP), or the name.
func targets(pattern, address, name string) bool {
	if name != "" && glob(pattern, name) {
		return true
	}
	for i := range len(address) + 1 {
		if i == len(address) || address[i] == '/' {
			if ok, err := path.Match(pattern, address[:i]); ok && err == nil {
				return true
			}
		}
	}
	return false
}

// builder collects what can only be told once all components were seen.
type builder struct {
	in      Input
	matches []wantMatch
	clashes map[[2]int]clash
}

// wantMatch counts what a want came to, so that one that comes to nothing can say why.
type wantMatch struct{ models, enclosures, components int }

// clash is two wants that match the same components.
type clash struct {
	first string // address
	count int
}

func (b *builder) err(hit []bool) error {
	d := b.in.Desired
	var problems []schemas.Problem
	for i, ok := range hit {
		if !ok {
			problems = append(problems, schemas.Problem{File: "--target " + b.in.Targets[i], Summary: "no component matches",
				Hint: "an address, a leading part of one, or an enclosure's name, with * and ?"})
		}
	}
	for pair, c := range b.clashes {
		p := d.at("want", strconv.Itoa(pair[1]))
		p.Summary = fmt.Sprintf("%s and %s both match %s", b.wantName(pair[0]), b.wantName(pair[1]), c.first)
		if c.count > 1 {
			p.Summary += fmt.Sprintf(" and %d more", c.count-1)
		}
		p.Hint = "narrow one of them down with enclosures, or take it out"
		problems = append(problems, p)
	}
	return asError(problems)
}

// wantName names a want: want 2 (acme60, iom-1100).
func (b *builder) wantName(i int) string {
	w := b.in.Desired.Want[i]
	return fmt.Sprintf("want %d (%s, %s)", i+1, w.Model, w.Image)
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
			why = "none of the model's enclosures is " + strings.Join(w.Enclosures, ", ")
		default:
			why = "none of the model's enclosures has a subenclosure of that part"
		}
		warnings = append(warnings, fmt.Sprintf("%s matches nothing: %s", b.wantName(i), why))
	}
	return warnings
}

func scanWarnings(invs []*inventory.Inventory) []string {
	var warnings []string
	for _, inv := range invs {
		if n := len(inv.Problems); n > 0 {
			warnings = append(warnings, fmt.Sprintf("%s: the scan had %d %s, the first: %s; see `fwctl inventory`", inv.Host, n, plural(n, "problem"), inv.Problems[0].Summary))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// wantOf finds the want for a component.
func (b *builder) wantOf(e *enclosure, c component, address string) (Want, bool) {
	found := -1
	primary := c.primary()
	for i, w := range b.in.Desired.Want {
		m := b.in.Desired.Models[w.Model]
		if !globOrAny(m.Match.Vendor, primary.Vendor) || !globOrAny(m.Match.Product, primary.Product) {
			continue
		}
		b.matches[i].models++
		if !e.matches(w.Enclosures) {
			continue
		}
		b.matches[i].enclosures++
		if !slices.Contains(m.Parts[m.Images[w.Image].Part].Subenclosures, c.sub.ID) {
			continue
		}
		b.matches[i].components++
		if found >= 0 {
			pair := [2]int{found, i}
			known := b.clashes[pair]
			b.clashes[pair] = clash{first: cmp.Or(known.first, address), count: known.count + 1}
			continue
		}
		found = i
	}
	if found < 0 {
		return Want{}, false
	}
	return b.in.Desired.Want[found], true
}

// step decides what is done with a component.
func (b *builder) step(e *enclosure, c component) (Step, error) {
	s := Step{
		Address:       c.address,
		Name:          e.name,
		Host:          c.esp.host,
		Enclosure:     e.id,
		LUID:          c.esp.LUID,
		Subenclosure:  c.sub.ID,
		Vendor:        c.sub.Vendor,
		Product:       c.sub.Product,
		Current:       c.sub.Revision,
		Action:        Unmanaged,
		Reset:         ResetNever,
		Hops:          []Hop{},
		Disruption:    Disruption{Expected: NoImpact, Worst: NoImpact},
		Reasons:       []string{},
		Preconditions: Preconditions{Revision: c.sub.Revision, ESPs: e.luIDs(c.esp.host)},
	}
	staged := c.sub.Staged
	if staged != nil {
		s.Preconditions.Staged = &staged.SHA256
	}
	want, ok := b.wantOf(e, c, s.Address)
	if !ok {
		return s, nil
	}
	w := wanted{
		name:   want.Image,
		model:  b.in.Desired.Models[want.Model],
		policy: DefaultPolicy(),
	}
	w.image = w.model.Images[want.Image]
	if p, ok := b.in.Desired.Policies[want.Policy]; ok {
		w.policy = p
	}
	s.Reset = w.policy.Reset
	s.Model, s.Image, s.Policy, s.Desired = want.Model, want.Image, want.Policy, w.image.Revision
	size, ok := b.in.ImageSizes[w.image.SHA256]
	if !ok {
		return s, fmt.Errorf("cannot plan without image %s (SHA-256 %s): load it first", w.name, w.image.SHA256)
	}

	isStaged := staged != nil && staged.SHA256 == w.image.SHA256
	rule := w.activation(c)
	switch {
	case isStaged:
		s.Action = IsStaged
		s.Disruption.Why = "any power loss or hard reset starts " + s.Desired
		activate := b.in.Activate || w.policy.Activate == WithApply
		if activate && rule.By == ByPowerCycle {
			s.Reasons = append(s.Reasons, "only a power cycle starts it")
		}
		if !activate || rule.By == ByPowerCycle {
			return s, nil
		}
		s.Action = Activate
		s.block(w.activationReasons(c)...)
	case s.Current == s.Desired:
		s.Action = NoOp
		s.block(c.esp.conflict)
		return s, nil
	default:
		s.Action = Update
		s.block(w.updateReasons(c, size)...)
	}
	s.block(c.esp.conflict)
	s.block(w.enclosureReasons(e)...)
	if s.Action == Blocked {
		s.Disruption = Disruption{Expected: NoImpact, Worst: NoImpact}
		return s, nil
	}

	hop := w.hop(c, size)
	if s.Action == Activate {
		hop.Modes, hop.Activation = []Mode{}, WithApply
	}
	s.Hops = []Hop{hop}
	s.Rollback = w.rollback(s.Current)
	s.Disruption = disruption(e, c, hop, rule.Scope)
	s.WorstDuration = worstDuration(hop)
	return s, nil
}

// block makes a step blocked for reasons, of which empty ones do not count.
func (s *Step) block(reasons ...string) {
	for _, r := range reasons {
		if r != "" && !slices.Contains(s.Reasons, r) {
			s.Action = Blocked
			s.Reasons = append(s.Reasons, r)
		}
	}
}

// assignWaves numbers the waves of the steps and returns them: one that only
// stages, then one for each side of the enclosures, A before B, that resets.
func assignWaves(steps []Step, sides map[string]int) []Wave {
	stages := false
	reset := map[int]bool{} // by side
	for _, s := range steps {
		for _, h := range s.Hops {
			stages = stages || slices.Contains(h.Modes, ModeE)
			if h.resets() {
				reset[sides[s.LUID]] = true
			}
		}
	}
	waves := []Wave{}
	add := func(kind WaveKind) int {
		waves = append(waves, Wave{Number: len(waves) + 1, Kind: kind, Windows: []string{}})
		return len(waves)
	}
	if stages {
		add(StageWave)
	}
	number := map[int]int{}
	for _, side := range slices.Sorted(maps.Keys(reset)) {
		number[side] = add(ResetWave)
	}
	for i := range steps {
		s := &steps[i]
		for n, h := range s.Hops {
			if n == 0 && slices.Contains(h.Modes, ModeE) {
				s.Waves.Stage = 1
			}
			if h.resets() {
				s.Waves.Reset = number[sides[s.LUID]]
			}
		}
	}
	return waves
}

// resets tells whether a hop may reset what it goes to: by mode 7, also as a
// fallback, or by an activation in the same apply.
func (h *Hop) resets() bool { return slices.Contains(h.Modes, Mode7) || h.Activation == WithApply }

func summarize(steps []Step) Summary {
	var sum Summary
	counts := map[Action]*int{
		Update: &sum.Update, Activate: &sum.Activate, IsStaged: &sum.Staged, NoOp: &sum.NoOp,
		Blocked: &sum.Blocked, Excepted: &sum.Excepted, Unmanaged: &sum.Unmanaged,
	}
	for _, s := range steps {
		*counts[s.Action]++
	}
	return sum
}

// peer is a component among those of its enclosure.
type peer struct {
	step    Step
	wanted  string // SHA-256 of the wanted image, "" where there is none
	staged  *inventory.Staged
	planned bool // false: left out by --target
}

// stagedWarnings tells what a power loss would start, now or once the plan is
// carried out.
func stagedWarnings(enclosure string, peers []peer) []string {
	var warnings []string
	for _, p := range peers {
		if p.staged != nil && p.staged.SHA256 != p.wanted {
			w := fmt.Sprintf("%s: any power loss or hard reset starts %s, which is not the wanted image. %s", p.step.Address, p.staged.Revision, stagedBy(p.staged))
			if p.replaced() {
				w += " This plan replaces it."
			}
			warnings = append(warnings, w)
		}
	}
	for i, p := range peers {
		pending, after := p.afterPowerLoss()
		if !pending {
			continue
		}
		for j, other := range peers {
			waits, revision := other.afterPowerLoss()
			if other.step.Subenclosure != p.step.Subenclosure || revision == after || waits && j < i {
				continue // nothing to tell, or told already
			}
			w := fmt.Sprintf("%s: any power loss or hard reset starts %s on %s while %s stays on %s.", enclosure, after, p.label(), other.label(), revision)
			if waits {
				w = fmt.Sprintf("%s: any power loss or hard reset starts %s on %s and %s on %s.", enclosure, after, p.label(), revision, other.label())
			}
			if p.staged != nil && !p.replaced() {
				w += " " + stagedBy(p.staged)
			}
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// afterPowerLoss is the revision that a component has once the plan was carried
// out and then the power was lost, and whether it waits for that.
func (p *peer) afterPowerLoss() (pending bool, revision string) {
	if p.planned && len(p.step.Hops) > 0 {
		last := p.step.Hops[len(p.step.Hops)-1]
		return p.step.Action == Update && last.Activation == Manual && slices.Contains(last.Modes, ModeE), last.To
	}
	if p.staged != nil {
		return true, p.staged.Revision
	}
	return false, p.step.Current
}

// replaced tells whether the plan puts another image in the place of what is staged.
func (p *peer) replaced() bool { return p.planned && p.step.Action == Update }

// label is how the component is called within its enclosure: esp1, or esp1/sub3.
func (p *peer) label() string {
	label := strings.TrimPrefix(p.step.Address, p.step.Enclosure+"/")
	return strings.TrimSuffix(label, "/sub0")
}

// stagedBy tells of a staged image: Staged 2026-11-15 by anna, image 5891b5b5.
func stagedBy(s *inventory.Staged) string {
	return fmt.Sprintf("Staged %s by %s, image %.8s.", s.Since.UTC().Format(time.DateOnly), cmp.Or(s.By, "somebody"), s.SHA256)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

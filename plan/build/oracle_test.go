package build_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/build"
	"fwctl/plan/desired"
)

// world is a small fleet that the oracle below and the planner judge independently.
type world struct {
	images     []desired.ModelImage // the last is wanted
	order      bool
	never      bool // policy reset: never
	apply      bool // policy activate: apply
	activate   bool // --activate
	cold       bool // activation by power-cycle
	canary     int
	enclosures int
	domains    [][]int // declared
	unknown    []bool  // enclosures whose fault domain is unknown
}

var worldRevisions = []string{"1000", "1010", "1020", "1030"}

func randomWorld(r *rand.Rand) world {
	w := world{
		order: r.IntN(3) == 0, never: r.IntN(3) == 0, apply: r.IntN(2) == 0, activate: r.IntN(4) == 0, cold: r.IntN(4) == 0,
		canary: r.IntN(4), enclosures: 1 + r.IntN(4),
	}
	if w.never {
		w.apply = false // the desired state is refused
	}
	modes := [][]plan.Mode{{plan.ModeE}, {plan.Mode7}, {plan.ModeE, plan.Mode7}, {plan.Mode7, plan.ModeE}}
	for i := range 1 + r.IntN(4) {
		image := desired.ModelImage{Part: "iom", SHA256: fmt.Sprintf("%064x", i+1), Revision: worldRevisions[1+r.IntN(3)],
			From: []string{}, Modes: modes[r.IntN(4)]}
		for _, revision := range worldRevisions {
			if revision != image.Revision && r.IntN(3) == 0 {
				image.From = append(image.From, revision)
			}
		}
		w.images = append(w.images, image)
	}
	for e := range w.enclosures {
		w.unknown = append(w.unknown, r.IntN(4) == 0)
		if len(w.domains) > 0 && r.IntN(2) == 0 {
			w.domains[0] = append(w.domains[0], e)
		} else {
			w.domains = append(w.domains, []int{e})
		}
	}
	return w
}

func (w world) input() build.Input {
	name := func(e int) string { return fmt.Sprintf("5000ccab0400%d000", e) }
	two := 2
	inv := inventory.New()
	inv.Host, inv.ScannedAt = "stor1", time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for n := range w.enclosures {
		e := inventory.Enclosure{LogicalID: name(n), Vendor: "ACME", Product: "JBOD-60", ExpectedESPs: &two,
			DrivesUnknown: w.unknown[n]}
		if !w.unknown[n] {
			e.DriveEvidence = []string{"page 0Ah of esp1 lists 0"}
		}
		for side := 1; side <= 2; side++ {
			e.ESPs = append(e.ESPs, inventory.ESP{
				RelativeID: side, Processes: 2, LUID: fmt.Sprintf("5000ccab0400%d00%d", n, side), Paths: []string{"/dev/sg1"},
				Download:      inventory.Download{SESPage: true},
				Subenclosures: []inventory.Subenclosure{{LogicalID: name(n), Vendor: "ACME", Product: "JBOD-60", Revision: "1000"}},
			})
		}
		inv.Enclosures = append(inv.Enclosures, e)
	}
	m := desired.Model{Match: desired.Match{Vendor: "ACME", Product: "*"},
		Parts: map[string]desired.Part{"iom": {Subenclosures: []int{0}}}, Images: map[string]desired.ModelImage{}}
	sizes := map[string]int64{}
	for i, image := range w.images {
		m.Images[fmt.Sprintf("image-%d", i)] = image
		sizes[image.SHA256] = 1 << 20
	}
	if w.order {
		m.Order = worldRevisions
	}
	if w.cold {
		m.Activation.By = plan.ByPowerCycle
	}
	p := desired.DefaultPolicy()
	p.Reset = plan.ResetAlways
	if w.never {
		p.Reset = plan.ResetNever
	}
	if w.apply {
		p.Activate = plan.WithApply
	}
	d := &desired.State{
		Models: map[string]desired.Model{"m": m}, Policies: map[string]desired.Policy{"p": p},
		Want:    []desired.Want{{Model: "m", Image: fmt.Sprintf("image-%d", len(w.images)-1), Policy: "p"}},
		Rollout: plan.Rollout{Canary: w.canary, MaxParallel: 2, Soak: plan.Duration(time.Minute)},
	}
	for _, domain := range w.domains {
		var together []inventory.Selector
		for _, e := range domain {
			together = append(together, inventory.Selector(name(e)))
		}
		d.FaultDomains = append(d.FaultDomains, together)
	}
	return build.Input{Desired: d, Inventories: []*inventory.Inventory{inv}, ImageSizes: sizes, Activate: w.activate}
}

// takes reads the rules for one hop: from, order, and a mode that is permitted.
func (w world) takes(from string, i desired.ModelImage) bool {
	return slices.Contains(i.From, from) && !(w.order && i.Revision < from) && len(w.tried(i)) > 0
}

// dormant reports whether mode 7 writes the bank that does not run.
func (w world) dormant(i desired.ModelImage) bool {
	return w.cold && !slices.Contains(i.Modes, plan.ModeE)
}

// tried are the modes of a hop in the order that INTERFACE §11 gives them.
func (w world) tried(i desired.ModelImage) []plan.Mode {
	var modes []plan.Mode
	if slices.Contains(i.Modes, plan.ModeE) {
		modes = append(modes, plan.ModeE)
	}
	if slices.Contains(i.Modes, plan.Mode7) && (!w.never || w.dormant(i)) {
		modes = append(modes, plan.Mode7)
	}
	return modes
}

// shortest is the length of the shortest permitted chain, 0 if there is none: every
// sequence of images is tried.
func (w world) shortest() int {
	best := 0
	var walk func(from string, length int)
	walk = func(from string, length int) {
		if length > len(worldRevisions) || best > 0 && length > best {
			return
		}
		for n, i := range w.images {
			switch {
			case !w.takes(from, i):
			case n == len(w.images)-1:
				if best == 0 || length < best {
					best = length
				}
			default:
				walk(i.Revision, length+1)
			}
		}
	}
	walk("1000", 1)
	return best
}

// The planner chooses what an exhaustive reading of INTERFACE §4, §6 and §11 permits.
func TestBuildAgainstAnOracle(t *testing.T) {
	t.Parallel()
	outcomes := map[plan.Action]int{}
	for seed := range uint64(4000) {
		w := randomWorld(rand.New(rand.NewPCG(seed, 11)))
		p, err := build.Plan(w.input())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i := range p.Steps {
			outcomes[p.Steps[i].Action]++
			if why := w.disagrees(&p.Steps[i]); why != "" {
				t.Fatalf("seed %d: %s: %s\n%+v\n%+v", seed, p.Steps[i].Address, why, w, p.Steps[i])
			}
		}
		if why := w.misplaced(p); why != "" {
			t.Fatalf("seed %d: %s\n%+v\n%+v", seed, why, w, p.Waves)
		}
	}
	if outcomes[plan.Update] < 1000 || outcomes[plan.Blocked] < 1000 {
		t.Errorf("the worlds are too much alike: %v", outcomes)
	}
}

// disagrees returns how a step differs from the rules, "" if it does not.
func (w world) disagrees(s *plan.Step) string {
	best := w.shortest()
	if best == 0 {
		if s.Action != plan.Blocked || len(s.Reasons) == 0 {
			return fmt.Sprintf("no chain is permitted; it is %s", s.Action)
		}
		return ""
	}
	if s.Action != plan.Update {
		return fmt.Sprintf("a chain of %d is permitted; it is %s", best, s.Action)
	}
	chain := slices.Concat(s.Hops, s.Later)
	if len(chain) != best {
		return fmt.Sprintf("its chain has %d hops, the shortest permitted one %d", len(chain), best)
	}
	from := "1000"
	for n, h := range chain {
		i := w.images[slices.IndexFunc(w.images, func(i desired.ModelImage) bool { return i.SHA256 == h.Image.SHA256 })]
		later := n >= len(s.Hops)
		want := w.tried(i)
		if later { // another plan decides whether 7 is permitted
			want = (world{}).tried(i)
		}
		last := n == best-1
		if !later && last && w.cold && (w.apply || w.activate) {
			want = h.Modes // a person's power cycle has rules of its own
		}
		switch {
		case h.From != from || !w.takes(from, i):
			return fmt.Sprintf("hop %d is not permitted at %s", n+1, from)
		case !slices.Equal(h.Modes, want):
			return fmt.Sprintf("hop %d is tried by %v, want %v", n+1, h.Modes, want)
		case w.never && h.Activation == plan.WithApply && !later:
			return fmt.Sprintf("hop %d resets", n+1)
		case !later && last && !w.never && !w.cold && (h.Activation == plan.WithApply) != (w.apply || w.activate):
			return fmt.Sprintf("hop %d has activation %s", n+1, h.Activation)
		}
		starts := want[0] == plan.Mode7 && !w.dormant(i) || !w.cold && !w.never // within the apply
		if ends := n == len(s.Hops)-1; !later && !last && starts == ends {
			return fmt.Sprintf("hop %d of %d ends the apply: %v", n+1, best, ends)
		}
		from = i.Revision
	}
	return ""
}

// misplaced says which wave breaks a rule, "" if none does.
func (w world) misplaced(p *plan.Plan) string {
	domainOf := map[int]int{}
	for d, enclosures := range w.domains {
		for _, e := range enclosures {
			domainOf[e] = d
		}
	}
	index := func(s *plan.Step) int { return int(s.Enclosure[12] - '0') }
	canaries, rest := map[int]bool{}, map[int]bool{}
	for i := range p.Steps {
		a := &p.Steps[i]
		if len(a.Hops) == 0 {
			continue
		}
		for _, n := range []int{a.Waves.Stage, a.Waves.Reset} {
			if n > 0 && p.Waves[n-1].Canary {
				canaries[index(a)] = true
			} else if n > 0 {
				rest[index(a)] = true
			}
		}
		for k := range p.Steps {
			b := &p.Steps[k]
			if i == k || a.Waves.Reset == 0 || b.Waves.Reset == 0 || p.Waves[a.Waves.Reset-1].PowerCycle ||
				p.Waves[b.Waves.Reset-1].PowerCycle {
				continue
			}
			same := domainOf[index(a)] == domainOf[index(b)]
			sideA, sideB := a.Address[len(a.Address)-6] == '1', b.Address[len(b.Address)-6] == '2'
			switch {
			case a.Waves.Reset == b.Waves.Reset && same:
				return fmt.Sprintf("wave %d resets %s and %s of one fault domain", a.Waves.Reset, a.Address, b.Address)
			case a.Waves.Reset == b.Waves.Reset && w.unknown[index(a)]:
				return fmt.Sprintf("wave %d resets %s, of an unknown fault domain, and %s", a.Waves.Reset, a.Address, b.Address)
			case sideA && sideB && a.Waves.Reset > b.Waves.Reset &&
				p.Waves[a.Waves.Reset-1].Canary == p.Waves[b.Waves.Reset-1].Canary:
				return fmt.Sprintf("%s is reset after %s", a.Address, b.Address)
			}
		}
	}
	for e := range rest {
		if canaries[e] {
			return fmt.Sprintf("enclosure %d is a canary and of the rest", e)
		}
		for c := range canaries {
			if domainOf[c] == domainOf[e] {
				return fmt.Sprintf("enclosures %d and %d are of one fault domain, and only one is a canary", c, e)
			}
		}
	}
	if len(rest) > 0 && len(canaries) < w.canary {
		return fmt.Sprintf("%d canaries of %d", len(canaries), w.canary)
	}
	fewest := len(canaries) // that are left without one of the fault domains
	for c := range canaries {
		others := 0
		for o := range canaries {
			if domainOf[o] != domainOf[c] {
				others++
			}
		}
		fewest = min(fewest, others)
	}
	if len(canaries) > 0 && fewest >= w.canary {
		return fmt.Sprintf("%d canaries, where %d and their fault domains would do", len(canaries), w.canary)
	}
	for i, wave := range p.Waves {
		before := i+1 < len(p.Waves) && wave.Canary && !p.Waves[i+1].Canary
		if before != (wave.Soak > 0) || i > 0 && wave.Canary && !p.Waves[i-1].Canary {
			return fmt.Sprintf("wave %d, canary %v, soaks for %s", wave.Number, wave.Canary, wave.Soak)
		}
	}
	return ""
}

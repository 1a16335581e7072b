package ui

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/plan"
)

// pagePlan is the example plan with all that a page shows.
func pagePlan() *plan.Plan {
	p := examplePlan()
	p.CreatedAt = noon
	p.Rollout = plan.Rollout{Canary: 1, MaxParallel: 8, Soak: plan.Duration(10 * time.Minute)}
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Vendor, s.Product = "ACME", "JBOD-60"
		if s.Acts() {
			s.Policy, s.Reset = "live", plan.ResetRedundant
			s.Gates = []plan.GateResult{{Gate: plan.GateAllESPs, Verdict: plan.Passed},
				{Gate: plan.GateHealthy, Verdict: plan.Waived, Why: "Power Supply 2: bay is empty by design, until 2027-01-31"}}
		}
		if s.Enclosure != "500304801f00123f" {
			continue
		}
		s.Name, s.Preconditions.ESPs = "r14u02", []string{"500304801f00123fesp1", "500304801f00123fesp2"}
		pool := plan.Stake{Kind: inventory.ZFSUse, Name: "tank", VDevs: []string{"raidz2-0"}, Enclosure: s.Enclosure,
			Slots: []int{0, 1, 2, 3, 4, 5}, Drives: 6, Of: 8, Effect: plan.KeepsPath, Path: "esp2"}
		mount := plan.Stake{Kind: inventory.MountUse, Name: "/srv/backup", Through: []string{"md0"}, Enclosure: s.Enclosure,
			Slots: []int{7, 11}, Drives: 2, Effect: plan.Stops}
		if strings.Contains(s.Address, "esp2") {
			pool.Path = "esp1"
			s.AtStake = append(s.AtStake, mount)
		}
		s.AtStake = append(s.AtStake, pool)
	}
	return p
}

// largePlan is a plan of so many components, two of each enclosure, each with slots at stake.
func largePlan(components, slots int) *plan.Plan {
	p := pagePlan()
	from := p.Steps[2:4]
	p.Steps = nil
	for i := range components {
		s := from[i%2]
		s.Enclosure = fmt.Sprintf("5000ccab%08x", i/2)
		s.Name, s.Address = fmt.Sprintf("r%02du%02d", i/40, i/2%20), fmt.Sprintf("%s/esp%d/sub0", s.Enclosure, i%2+1)
		s.LUID = fmt.Sprintf("%s%d", s.Enclosure, i%2)
		s.Preconditions.ESPs = nil
		s.AtStake = slices.Clone(s.AtStake)
		for k := range s.AtStake {
			s.AtStake[k].Enclosure = s.Enclosure
		}
		pool := &s.AtStake[len(s.AtStake)-1]
		pool.Name, pool.Slots = "tank-"+s.Name, nil
		for n := range slots {
			pool.Slots = append(pool.Slots, int(n))
		}
		pool.Drives, pool.Of = slots, 0
		p.Steps = append(p.Steps, s)
	}
	p.Summary = p.Summarize()
	return p
}

func blockedPlan() *plan.Plan {
	p := pagePlan()
	p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool { return s.Action != plan.Blocked })
	p.Waves, p.Summary = nil, p.Summarize()
	return p
}

func emptyPlan() *plan.Plan {
	return &plan.Plan{Digest: "sha256:" + strings.Repeat("0", 64), CreatedAt: noon}
}

// hostile is text that would do something if any of it was taken for HTML, and not for text.
const hostile = "</style></script><script>alert(1)</script><img src=//x onerror=alert(2)>\"'`{{.}}" +
	"javascript:alert(3) \x00\x1b[31m\u202e & | &lt;"

// hostilePlan has hostile text wherever a device, a host or a person can put some.
func hostilePlan() *plan.Plan {
	p := pagePlan()
	p.DesiredState.Name = hostile
	p.Warnings = []string{hostile}
	p.Unread = []plan.Unread{{Host: hostile, Path: hostile, Why: hostile, Components: []string{hostile}}}
	for name, w := range p.Windows {
		w.Exclude = []string{hostile}
		p.Windows[name] = w
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Name, s.Host, s.Vendor, s.Product, s.Current, s.Policy, s.Disruption.Why = hostile, hostile, hostile, strings.Repeat("p", 300), hostile, hostile, hostile
		s.Address = s.Enclosure + "/" + hostile + "/sub0"
		s.Reasons = append(s.Reasons, hostile)
		for k := range s.Gates {
			s.Gates[k].Why = hostile
		}
		s.Hops = slices.Clone(s.Hops)
		for k := range s.Hops {
			s.Hops[k].Image.Name, s.Hops[k].To = hostile, hostile
		}
		for k := range s.AtStake {
			s.AtStake[k].Name, s.AtStake[k].Through, s.AtStake[k].Path = hostile, []string{hostile}, hostile
		}
	}
	return p
}

// longPlan has names of 300 characters that nothing can be broken at, wherever there is a name.
func longPlan() *plan.Plan {
	p := pagePlan()
	long := func(letter string) string { return strings.Repeat(letter, 300) }
	p.DesiredState.Name, p.Warnings = long("d"), []string{long("w")}
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Name, s.Host, s.Vendor, s.Current, s.Policy = long("n"), long("h"), long("v"), long("c"), long("p")
		s.Disruption.Why = long("y")
		s.Hops = slices.Clone(s.Hops)
		for k := range s.Hops {
			s.Hops[k].Image.Name, s.Hops[k].To = long("i"), long("t")
		}
		for k := range s.AtStake {
			s.AtStake[k].Name, s.AtStake[k].Through = "/"+long("m"), []string{long("u")}
		}
	}
	return p
}

// pagePlans are plans of every shape, by what is special of them.
func pagePlans() map[string]*plan.Plan {
	return map[string]*plan.Plan{
		"example": pagePlan(), "empty": emptyPlan(), "blocked": blockedPlan(), "hostile": hostilePlan(), "long": longPlan(),
		"no slots": largePlan(2, 0), "300 slots": largePlan(2, 300), "large": largePlan(400, 24), "site": sitePlan(40),
	}
}

// pages are pages of every kind and shape, by what is special of them.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, p := range pagePlans() {
		all[name] = pageOf(t, p)
	}
	maps.Copy(all, recordPages(t))
	return all
}

func pageOf(t *testing.T, p *plan.Plan) string {
	t.Helper()
	text, err := PlanPage(p, "", noon, false)
	return shown(t, text, err)
}

// shown returns a page as standard output has it.
func shown(t *testing.T, page []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatalf("the page cannot be made: %v", err)
	}
	return visible(string(page))
}

func TestPageLooks(t *testing.T) {
	t.Parallel()
	isGolden(t, filepath.Join("testdata", "view", "plan.html"), pageOf(t, pagePlan()))
}

// A page is whole, needs nothing but itself, and has no place for a script but its own.
func TestPageStandsAlone(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := html.Parse(strings.NewReader(text))
			if err != nil {
				t.Fatalf("html.Parse() = %v", err)
			}
			wellFormed(t, text)
			ids, scripts := map[string]bool{}, 0
			for n := range root.Descendants() {
				for _, a := range n.Attr {
					if a.Key == "id" {
						if ids[a.Val] {
							t.Errorf("id %q stands twice", a.Val)
						}
						ids[a.Val] = true
					}
				}
			}
			for n := range root.Descendants() {
				if n.DataAtom == atom.Script {
					scripts++
				}
				if slices.Contains([]atom.Atom{atom.Img, atom.Link, atom.Iframe, atom.Base, atom.Form, atom.Object}, n.DataAtom) {
					t.Errorf("the page has an element %s", n.Data)
				}
				if n.DataAtom == atom.Th && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "scope" }) {
					t.Errorf("a header of a table has no scope")
				}
				for _, a := range n.Attr {
					switch {
					case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src":
						t.Errorf("<%s> has an attribute %s=%q", n.Data, a.Key, a.Val)
					case a.Key == "href" && (!strings.HasPrefix(a.Val, "#") || !ids[a.Val[1:]]):
						t.Errorf("a link leads to %q", a.Val)
					case a.Key == "aria-labelledby" && !ids[a.Val]:
						t.Errorf("aria-labelledby=%q is nowhere", a.Val)
					}
				}
			}
			if scripts != 1 {
				t.Errorf("the page has %d scripts; want its own", scripts)
			}
		})
	}
}

// wellFormed reports elements that are not closed in the order in which they were opened: a
// browser would mend that in its own way.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	void := []string{"meta", "br", "input", "link"}
	var open []string
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %v", open)
			}
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// All that a plan holds is there, as text.
func TestPageDropsNothing(t *testing.T) {
	t.Parallel()
	for name, p := range pagePlans() {
		text := textOf(t, pageOf(t, p))
		want := []string{p.Digest}
		for _, s := range p.Steps {
			want = append(want, s.Address, s.Name, s.Host, s.Policy)
			if s.Action == plan.Blocked {
				want = append(want, s.Reasons...)
			}
			for _, h := range s.Hops {
				want = append(want, h.Image.Name, h.Image.SHA256)
			}
			for _, st := range s.AtStake {
				want = append(want, st.Name)
			}
			for _, g := range s.Gates {
				if g.Verdict == plan.Waived {
					want = append(want, g.Why)
				}
			}
		}
		want = append(want, p.Warnings...)
		for w := range p.Windows {
			want = append(want, w)
		}
		for _, w := range want {
			if w = visible(strings.ReplaceAll(w, "\x00", "\ufffd")); !strings.Contains(text, w) {
				t.Fatalf("%s: the page lacks %q", name, w)
			}
		}
	}
}

func textOf(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatalf("html.Parse() = %v", err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

// The same plan gives the same page.
func TestPageIsRepeatable(t *testing.T) {
	t.Parallel()
	first := pageOf(t, largePlan(40, 24))
	for range 3 {
		if again := pageOf(t, largePlan(40, 24)); !bytes.Equal([]byte(first), []byte(again)) {
			t.Fatal("two pages of one plan differ")
		}
	}
}

// A plan that may stop I/O, and does not list of what, never reads as if nothing was at stake.
func TestPageOfStakesThatAreNotListed(t *testing.T) {
	t.Parallel()
	p := pagePlan()
	for i := range p.Steps {
		p.Steps[i].AtStake = nil
	}
	text := textOf(t, pageOf(t, p))
	for _, want := range []string{
		"I/O may stop, and this plan does not list of what", "I/O may stop here, and the plan does not list of what",
		"The plan lists no drives in use behind what may be reset here",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "No step here may reset") {
		t.Error("the page says that no step may reset anything, and each does")
	}
}

// What is expected is drawn and written as far as it is known, and is not unknown if it is not.
func TestPageOfExpectations(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		known  []int // steps
		bars   int
		legend string
	}{
		"nothing is known":      {nil, 0, "How long it is expected to take is unknown."},
		"the first wave is":     {[]int{0}, 1, "Filled: expected, as far as that is known."},
		"the second wave alone": {[]int{1}, 0, "How long it is expected to take is unknown."},
		"all is known":          {[]int{0, 1}, 2, "Filled: expected. Outlined: at most."},
	} {
		p := pagePlan()
		p.Steps = p.Steps[2:4] // one a wave
		for i := range p.Waves {
			p.Waves[i].Kind, p.Waves[i].Windows = plan.ResetWave, nil
			p.Steps[i].Waves = plan.StepWaves{Reset: p.Waves[i].Number}
		}
		for _, i := range tt.known {
			p.Steps[i].ExpectedDuration, p.Steps[i].ExpectedFrom = plan.Duration(6*time.Minute), 3
		}
		page := pageOf(t, p)
		if got := strings.Count(page, `<rect class="expected"`); got != tt.bars {
			t.Errorf("%s: %d bars of what is expected; want %d", name, got, tt.bars)
		}
		if !strings.Contains(page, tt.legend) {
			t.Errorf("%s: the page lacks %q", name, tt.legend)
		}
		if got := strings.Contains(textOf(t, page), "6 min"); got != (len(tt.known) > 0) {
			t.Errorf("%s: the page says 6 min: %v", name, got)
		}
	}
}

// A page of very many components has a row and a picture for those that a reviewer looks at first, says what it leaves
// out, and names every enclosure and all that is at stake.
func TestPageOfTensOfThousands(t *testing.T) {
	t.Parallel()
	p := largePlan(60, 2)
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Disruption, s.AtStake = plan.Disruption{Expected: plan.ESPReset, Worst: plan.ESPReset}, s.AtStake[len(s.AtStake)-1:]
		if i/2 == 25 {
			s.Disruption.Worst, s.AtStake[0].Effect, s.AtStake[0].Name = plan.IOInterruption, plan.Stops, "precious"
		}
		p.Warnings = append(p.Warnings, s.Address+": any power loss starts 1100")
	}
	text, err := planPageIn(pageRoom{rows: 50, pictures: 3, stakes: 20, warnings: 10}, p, "", noon, true)
	page := shown(t, text, err)
	for _, want := range []string{
		"A row for each stands here for 2 components that are blocked or whose I/O may stop. The other 58 components",
		"Drawn are 3 of 30 enclosures, those where I/O may stop first", "There are 30 things",
		p.Steps[50].Address, "pool precious", "pool tank-r00u00 to pool tank-r00u19", "pool tank-r01u06 to pool tank-r01u09",
		"r00u00 to r00u19, r01u00 to r01u09: any power loss starts 1100",
	} {
		if !strings.Contains(textOf(t, page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for what, want := range map[string]int{"<figure>": 3, "data-kinds=": 2, "<figcaption><b>r01u05</b>": 1} {
		if got := strings.Count(page, what); got != want {
			t.Errorf("the page has %s %d times; want %d", what, got, want)
		}
	}

	// Whoever wants details gets all of them.
	text, err = PlanPage(p, "", noon, true)
	page = shown(t, text, err)
	for what, want := range map[string]int{"<figure>": 30, "data-kinds=": 60, "--details": 0} {
		if got := strings.Count(page, what); got != want {
			t.Errorf("with details the page has %s %d times; want %d", what, got, want)
		}
	}
}

// If all of very many components may stop I/O, the first of them have rows.
func TestPageOfManyThatMayStop(t *testing.T) {
	t.Parallel()
	p := largePlan(40, 2)
	for i := range p.Steps {
		p.Steps[i].Disruption.Worst = plan.IOInterruption
		for k := range p.Steps[i].AtStake {
			p.Steps[i].AtStake[k].Effect, p.Steps[i].AtStake[k].Path = plan.Stops, ""
		}
	}
	text, err := planPageIn(pageRoom{rows: 10, pictures: 10, stakes: 10, warnings: 10}, p, "", noon, true)
	page := shown(t, text, err)
	for _, want := range []string{
		"stands here for 10 components of the 40 components that are blocked", "pool tank-r00u00 to pool tank-r00u19",
	} {
		if !strings.Contains(textOf(t, page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A plan of thousands of waves whose windows take turns lists those that are alike together, and says what lists each.
func TestPlanOfManyWaves(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{Digest: "sha256:00", Rollout: plan.Rollout{MaxParallel: 1}, Windows: map[string]window.Window{}}
	for _, name := range []string{"saturday", "sunday"} {
		p.Windows[name] = window.Window{Start: "2026-11-28T22:00", Timezone: "UTC", Duration: "6h", RRule: "FREQ=WEEKLY"}
	}
	hop := plan.Hop{From: "1000", To: "1100", Modes: []plan.Mode{plan.Mode7}, ChunkSize: 4096}
	for i := range 5000 {
		id := fmt.Sprintf("5000ccab%08x", i)
		p.Waves = append(p.Waves, plan.Wave{
			Number: i + 1, Kind: plan.ResetWave, Windows: []string{[]string{"saturday", "sunday"}[i%2]},
		})
		p.Steps = append(p.Steps, plan.Step{
			Address: id + "/esp1/sub0", Enclosure: id, Name: fmt.Sprintf("r%04du%02d", i/20, i%20), Host: "stor1",
			Action: plan.Update, Current: "1000", Desired: "1100", Hops: []plan.Hop{hop}, Waves: plan.StepWaves{Reset: i + 1},
			WorstDuration: plan.Duration(time.Minute),
		})
	}
	p.Summary = p.Summarize()
	page, err := PlanPage(p, "", noon, false)
	if err != nil {
		t.Fatal(err)
	}
	text := (Screen{Width: 80}).Plan(p, noon, false)
	for name, shown := range map[string]string{"page": textOf(t, string(page)), "table": text, "Markdown": Markdown(p, "", noon, false)} {
		for _, want := range []string{"1 and 2499 more", "2 and 2499 more", "4988 more stretches of waves", "--details"} {
			if !strings.Contains(shown, want) {
				t.Errorf("the %s lacks %q", name, want)
			}
		}
	}
	if lines := strings.Count(text, "\n"); lines > 200 {
		t.Errorf("the table has %d lines", lines)
	}
	waves := string(page)[strings.Index(string(page), `id="time"`):]
	waves = waves[:strings.Index(waves, "</section>")]
	if len(waves) > 60_000 {
		t.Errorf("the waves have %d bytes", len(waves))
	}
	if all := wavesOfPlan(p, everything); len(all) != len(p.Waves) {
		t.Errorf("with details, a page lists %d waves; want each", len(all))
	}
}

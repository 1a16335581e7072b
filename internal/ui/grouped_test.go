package ui

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"fwctl/plan"
	"fwctl/plan/group"
)

// sitePlan is a plan of so many components, two of each enclosure, over several hosts: most
// are staged and then reset, a side at a time, and some are each of everything else.
func sitePlan(n int) *plan.Plan {
	example := examplePlan()
	p := *example
	p.Steps, p.Warnings, p.Scans = nil, nil, nil
	p.Waves = []plan.Wave{
		{Number: 1, Kind: plan.StageWave, Canary: true},
		{Number: 2, Kind: plan.ResetWave, Canary: true, Windows: []string{"saturday-night"}},
		{
			Number: 3, Kind: plan.ResetWave, Canary: true, Windows: []string{"saturday-night"},
			Soak: plan.Duration(10 * time.Minute),
		},
		{Number: 4, Kind: plan.StageWave},
		{Number: 5, Kind: plan.ResetWave, Windows: []string{"saturday-night"}},
		{Number: 6, Kind: plan.ResetWave, Windows: []string{"saturday-night"}},
	}
	p.Rollout = plan.Rollout{MaxParallel: 8}
	hosts := map[string]bool{}
	for i := range n {
		e, side := i/2, i%2
		s := example.Steps[4]
		s.Enclosure = fmt.Sprintf("5000ccab%04x1000", e)
		s.Address = fmt.Sprintf("%s/esp%d/sub0", s.Enclosure, side+1)
		s.LUID = fmt.Sprintf("5000ccab%04x100%d", e, side+1)
		s.Name = fmt.Sprintf("r%02du%02d", e/21+1, 2*(e%21)+1)
		s.Host = fmt.Sprintf("stor%d", e/8+1)
		s.Vendor, s.Product, s.Model, s.Image = "ACME", "JBOD-60", "acme60", "iom-1100"
		s.Policy, s.Reset = "live", plan.ResetRedundant
		s.Waves, s.FaultDomain = plan.StepWaves{Stage: 4, Reset: 5 + side}, e+1
		if e == 0 {
			s.Waves = plan.StepWaves{Stage: 1, Reset: 2 + side}
		}
		s.Disruption.Why = plan.IfRefused(fmt.Sprintf("mode 7 resets esp%d", side+1)) +
			fmt.Sprintf("; %d drives in use, all with a live path through esp%d", 12+e%5, 2-side)
		switch e % 40 {
		case 3:
			left(&s, plan.Blocked)
			s.Current = "0990"
			s.Reasons = []string{"no image starts at 0990; nearest: iom-1100, from 1000 or 105?"}
		case 5:
			left(&s, plan.IsStaged)
			s.Reasons = []string{"1100 is staged, and any power loss or hard reset starts it. Staged 2026-11-15 by anna"}
			p.Warnings = append(p.Warnings, s.Address+": any power loss or hard reset starts 1100. "+
				"Staged 2026-11-15 by anna, image 5891b5b5.")
		case 6, 7, 8:
			left(&s, plan.NoOp)
			s.Current = "1100"
		case 9:
			s.Disruption = plan.Disruption{
				Expected: plan.IOInterruption, Worst: plan.IOInterruption,
				Why: fmt.Sprintf("slots %d, 11 in use, SATA, no other path", e%7),
			}
			s.Hops, s.Waves.Stage = example.Steps[3].Hops, 0
			s.Current = "0611"
		case 11:
			left(&s, plan.Unmanaged)
			s.Desired, s.Model, s.Policy = "", "", ""
			s.Vendor, s.Product = "OTHER", "SHELF"
		}
		if s.Acts() && e%40 != 9 {
			s.ExpectedDuration, s.ExpectedFrom = plan.Duration(12*time.Minute+30*time.Second), 6+side
			s.ExpectedStaging = plan.Duration(12 * time.Minute)
		}
		hosts[s.Host] = true
		p.Steps = append(p.Steps, s)
	}
	for i := range len(hosts) {
		p.Scans = append(p.Scans, plan.Scan{Host: fmt.Sprintf("stor%d", i+1), ScannedAt: noon})
	}
	p.Summary = p.Summarize()
	return &p
}

// left makes a step one that nothing is done with.
func left(s *plan.Step, action plan.Action) {
	s.Action, s.Hops, s.Waves, s.Disruption = action, nil, plan.StepWaves{}, plan.Disruption{}
}

// What people read of plans of every size, as golden files at the widths that they have.
func TestPlanViewsOfEverySize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 12, 40, 400} {
		p := sitePlan(n)
		for _, width := range []int{80, 120, 200} {
			got := (Screen{Width: width}).Plan(p, noon, false)
			isGolden(t, filepath.Join("testdata", "view", fmt.Sprintf("site%d-%d.txt", n, width)), got)
		}
		isGolden(t, filepath.Join("testdata", "view", fmt.Sprintf("site%d.md", n)), Markdown(p, "", noon, false))
	}
	isGolden(t, filepath.Join("testdata", "view", "site40-details.txt"),
		(Screen{Width: 80}).Plan(sitePlan(40), noon, true))
}

// namesIn returns the names that a text has, ranges written out.
func namesOf(text string) map[string]bool {
	names := map[string]bool{}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;:|`\n<>*", r) })
	for i, w := range words {
		names[w] = true
		if i > 1 && words[i-1] == "to" {
			from, to := 0, 0
			rack := w[:min(3, len(w))]
			if _, err := fmt.Sscanf(words[i-2], rack+"u%d", &from); err != nil {
				continue
			}
			fmt.Sscanf(w, rack+"u%d", &to)
			for n := from; n <= to; n++ {
				names[fmt.Sprintf("%su%02d", rack, n)] = true
			}
		}
	}
	return names
}

// Whatever the size of a plan that a person can read, Markdown names all of its enclosures,
// and fits into a pull request.
func TestMarkdownNamesEveryEnclosure(t *testing.T) {
	t.Parallel()
	plans := map[string]*plan.Plan{}
	for _, n := range []int{1, 12, 40, 400} {
		plans[fmt.Sprint(n)] = sitePlan(n)
		various := sitePlan(n)
		for i := range various.Steps {
			s := &various.Steps[i]
			left(s, plan.Blocked)
			word := strings.Repeat(string(rune('a'+i%26)), i/26+1)
			s.Reasons = []string{strings.Repeat(word+" ", 20) + "is why"}
		}
		various.Summary = various.Summarize()
		plans[fmt.Sprintf("%d, each blocked by something else", n)] = various
		warned := sitePlan(n)
		for i := range warned.Steps {
			warned.Warnings = append(warned.Warnings, warned.Steps[i].Enclosure+": "+strings.Repeat("x", 300+i))
		}
		plans[fmt.Sprintf("%d, each with its own warning", n)] = warned
	}
	for name, p := range plans {
		for _, details := range []bool{false, true} {
			got := Markdown(p, "", noon, details)
			if length := utf8.RuneCountInString(got); length > markdownLimit {
				t.Errorf("Markdown of %s has %d characters; want %d at most", name, length, markdownLimit)
			}
			_, components, _ := strings.Cut(got, "### Components")
			names := namesOf(components)
			for i := range p.Steps {
				if !names[p.Steps[i].Name] {
					t.Errorf("Markdown of %s, details %t, does not name %s", name, details, p.Steps[i].Name)
				}
			}
		}
	}
}

// A table of any size is one that a person can read, says what is blocked and what stops, and
// says at its end how to get the rest.
func TestPlanOfAnySizeIsShort(t *testing.T) {
	t.Parallel()
	site := sitePlan(40_000)
	unnamed := sitePlan(1_000)
	alone := sitePlan(2_000)
	for i := range unnamed.Steps {
		unnamed.Steps[i].Name = ""
		unnamed.Steps[i].Disruption.Why += " beside " + strings.Repeat(string(rune('a'+i%26)), i/26+1)
	}
	// Nothing is known of fault domains, so that each reset has a wave of its own.
	alone.Waves = []plan.Wave{{Number: 1, Kind: plan.StageWave}}
	for i := range alone.Steps {
		if s := &alone.Steps[i]; s.Acts() {
			s.Waves, s.FaultDomain = plan.StepWaves{Stage: 1, Reset: len(alone.Waves) + 1}, 0
			alone.Waves = append(alone.Waves, plan.Wave{Number: len(alone.Waves) + 1, Kind: plan.ResetWave})
			turn := plan.NewTurn(s.Host, len(alone.Waves))
			turn.Command = append(turn.Command, "--wave", fmt.Sprint(len(alone.Waves)))
			alone.Commands = append(alone.Commands, turn)
		}
	}
	for name, p := range map[string]*plan.Plan{"site": site, "unnamed": unnamed, "alone": alone} {
		for _, width := range []int{80, 200} {
			got := (Screen{Width: width}).Plan(p, noon, false)
			if n := strings.Count(got, "\n"); n >= 200 {
				t.Errorf("%s: Plan(%d) has %d lines; want fewer than 200:\n%.3000s", name, width, n, got)
			}
			for _, want := range []string{
				"BLOCKED", "I/O STOPS", "no image starts at", "in use, SATA, no other path", "any power loss or hard reset",
			} {
				if !strings.Contains(got, want) {
					t.Errorf("%s: Plan(%d) lacks %q:\n%s", name, width, want, got)
				}
			}
			lines := strings.Split(strings.TrimSpace(got), "\n")
			if end := strings.Join(lines[len(lines)-2:], "\n"); !strings.Contains(end, "--details") {
				t.Errorf("%s: Plan(%d) ends in %q; want what shows all of it", name, width, end)
			}
		}
	}
}

// A group's row says nothing that is not so of each of its components.
func TestGroupRowHoldsForAll(t *testing.T) {
	t.Parallel()
	for _, level := range []group.Level{group.Fine, group.Alike} {
		for _, g := range group.Of(sitePlan(400), level) {
			r := groupRow(g, sitePlan(1).Waves, level)
			for _, s := range g.Steps {
				one := planRow(s, nil, plan.AllThings)
				for c, of := range map[int]int{
					groupNow: planNow, groupTo: planTo, groupAction: planAction, groupMode: planMode,
					groupEffect: planEffect, groupImage: planImage,
				} {
					if got, want := r.cells[c], one.cells[of]; got != want {
						t.Errorf("%s of %s's group = %q; its own is %q", groupColumns[c].head, s.Address, got, want)
					}
				}
			}
		}
	}
}

// Whatever devices and people call things, no line but one with a single word is wider than
// the screen, and each name is there.
func TestGroupsOfStrangeNames(t *testing.T) {
	t.Parallel()
	p := sitePlan(40)
	long := strings.Repeat("n", 300)
	p.Steps[0].Name, p.Steps[1].Name = long, long
	p.Steps[2].Name, p.Steps[3].Name = "a|b`c`<script>", "a|b`c`<script>"
	p.Steps[4].Product, p.Steps[5].Product = strings.Repeat("p", 300), "\x1b[31mred\a\nWARNING none"
	p.Steps[8].Reasons = []string{"<img src=x onerror=alert(1)> | @anna"}
	for _, width := range []int{40, 80, 120, 200} {
		text := (Screen{Width: width}).Plan(p, noon, false)
		for _, want := range []string{long, "a|b`c`<script>", p.Steps[4].Product, `none`} {
			if !strings.Contains(text, want) {
				t.Errorf("Plan(%d) lacks %q:\n%s", width, want, text)
			}
		}
		if strings.ContainsAny(visible(text), "\x1b\a") {
			t.Errorf("Plan(%d) steers the terminal: %q", width, text)
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "WARNING none") {
				t.Errorf("Plan(%d) has a line of a device's: %q", width, line)
			}
			if twwidth.Width(line) > width && len(strings.Fields(line)) > 2 && !strings.HasPrefix(line, "Digest") {
				t.Errorf("Plan(%d) has a line of %d: %q", width, twwidth.Width(line), line)
			}
		}
	}
	got := Markdown(p, "", noon, false)
	for _, bad := range []string{"<script", "<img", "@anna", "\x1b[31m", "\nWARNING"} {
		if strings.Contains(visible(got), bad) {
			t.Errorf("Markdown holds %q:\n%s", bad, got)
		}
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "|") && !slices.Contains([]int{7, 8}, strings.Count(line, "|")) {
			t.Errorf("a row has %d bars: %s", strings.Count(line, "|"), line)
		}
	}
}

// A plan of nothing but blocked components has no waves, and says so of each.
func TestPlanOfBlockedRows(t *testing.T) {
	t.Parallel()
	for _, n := range []int{12, 40} {
		p := sitePlan(n)
		p.Waves, p.Warnings = nil, nil
		for i := range p.Steps {
			s := &p.Steps[i]
			left(s, plan.Blocked)
			s.Reasons = []string{"the other I/O module is not in sight of any host of this plan"}
		}
		p.Summary = p.Summarize()
		isGolden(t, filepath.Join("testdata", "view", fmt.Sprintf("blocked%d-40.txt", n)),
			(Screen{Width: 40}).Plan(p, noon, false))
		isGolden(t, filepath.Join("testdata", "view", fmt.Sprintf("blocked%d.md", n)), Markdown(p, "", noon, false))
	}
}

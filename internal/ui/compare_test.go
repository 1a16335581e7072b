package ui

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fwctl/internal/window"
	"fwctl/plan"
	"fwctl/plan/compare"
)

// laterPlan is the site's plan after a night in which some things changed.
func laterPlan(n int) *plan.Plan {
	p := sitePlan(n)
	p.Digest = "sha256:" + strings.Repeat("5", 64)
	p.CreatedAt = noon.Add(24 * time.Hour)
	for i := range p.Scans {
		p.Scans[i].ScannedAt = noon.Add(23 * time.Hour)
	}
	p.Steps = slices.Delete(p.Steps, 26, 28)
	for i := range p.Steps {
		switch s := &p.Steps[i]; {
		case i == 3:
			s.Current, s.Hops[0].From, s.Preconditions.Revision = "1050", "1000", "1050"
			s.Name = "a|b`<script>"
		case i == 5:
			left(s, plan.Blocked)
			s.Reasons = []string{"the enclosure reports a critical condition: Fan 1: critical"}
		case i > 30 && s.Acts():
			s.Disruption.Worst = plan.IOInterruption
			s.Disruption.Why += "; slot 7 is in use"
		}
	}
	extra := p.Steps[0]
	extra.Enclosure, extra.Name = "5000ccabffff1000", ""
	extra.Address = extra.Enclosure + "/esp1/sub0"
	p.Steps = append(p.Steps, extra)
	p.Waves = slices.Clone(p.Waves)
	p.Waves[5].Windows = []string{"sunday"}
	p.Windows = map[string]window.Window{
		"saturday-night": p.Windows["saturday-night"],
		"sunday":         {Start: "2026-11-22T10:00", Timezone: "Europe/Berlin", Duration: "2h"},
	}
	p.Summary = p.Summarize()
	return p
}

// What people read of what differs from a plan that was approved.
func TestComparisons(t *testing.T) {
	t.Parallel()
	old := sitePlan(40)
	old.CreatedAt = noon
	later := compare.Plans(old, laterPlan(40))
	same := sitePlan(40)
	same.CreatedAt = noon.Add(time.Hour)
	again := sitePlan(40)
	again.Digest = "sha256:" + strings.Repeat("6", 64)
	for i := range again.Scans {
		again.Scans[i].ScannedAt = noon.Add(time.Hour)
	}
	view := func(name string) string { return filepath.Join("testdata", "view", name) }
	for _, width := range []int{40, 80, 200} {
		isGolden(t, view(fmt.Sprintf("compare-%d.txt", width)), (Screen{Width: width}).Comparison(later))
	}
	isGolden(t, view("compare-same.txt"), (Screen{Width: 80}).Comparison(compare.Plans(old, same)))
	isGolden(t, view("compare-scan.txt"), (Screen{Width: 80}).Comparison(compare.Plans(old, again)))
	isGolden(t, view("compare.md"), ComparisonMarkdown(later, ""))
	isGolden(t, view("compare-same.md"), ComparisonMarkdown(compare.Plans(old, same), "SIMULATED rack."))
}

// A comparison fits into a pull request, names each component or says how many it does not, and
// nothing breaks out of it.
func TestComparisonMarkdownFits(t *testing.T) {
	t.Parallel()
	for _, n := range []int{40, 400, 4000} {
		old, now := sitePlan(n), laterPlan(n)
		for i := range now.Steps {
			now.Steps[i].Reasons = []string{fmt.Sprintf("line 1\nline %d | <img src=x> @anna", i)}
		}
		got := ComparisonMarkdown(compare.Plans(old, now), "")
		if len([]rune(got)) > markdownLimit {
			t.Errorf("Markdown of what differs in %d components has %d characters", n, len([]rune(got)))
		}
		if cut := strings.Contains(got, "**Cut to fit:**"); cut != (n > 40) {
			t.Errorf("Markdown of what differs in %d components says that it is cut: %t", n, cut)
		}
		for _, bad := range []string{"<img", "@anna", "<script"} {
			if strings.Contains(got, bad) {
				t.Errorf("Markdown holds %q", bad)
			}
		}
		for line := range strings.Lines(got) {
			if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 4 {
				t.Errorf("a row has %d bars: %s", strings.Count(line, "|"), line)
			}
		}
	}
}

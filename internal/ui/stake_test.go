package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"fwctl/inventory"
	"fwctl/plan"
)

// stakesPlan is the plan of the scenario about what is at stake.
func stakesPlan(t *testing.T) *plan.Plan {
	t.Helper()
	const rule = "each disruptive step says what is at stake"
	data, err := os.ReadFile(filepath.Join("..", "..", "plan", "build", "testdata", rule, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStakeViews(t *testing.T) {
	t.Parallel()
	p := stakesPlan(t)
	both := []*plan.Step{&p.Steps[0], &p.Steps[1]}
	for _, width := range []int{40, 80, 120, 200} {
		sc := Screen{Width: width}
		got := sc.Plan(p, noon, false) + "\n" + sc.Explain(p, &p.Steps[0], noon) + "\n" + sc.AtStake(both)
		isGolden(t, filepath.Join("testdata", "view", fmt.Sprintf("stakes-%d.txt", width)), got)
	}
	isGolden(t, filepath.Join("testdata", "view", "stakes.md"), Markdown(p, "", noon, false))
	if got := (Screen{Width: 80}).AtStake([]*plan.Step{{}}); got != "" {
		t.Errorf("AtStake of a step that puts nothing at stake = %q; want nothing", got)
	}
}

// Whatever a pool or a mount point is called, and however long its name is, text stays text
// and nothing of it is lost.
func TestStrangeStakes(t *testing.T) {
	t.Parallel()
	p := stakesPlan(t)
	long := "/" + strings.Repeat("very long ", 29) + "end"
	p.Steps[0].AtStake = []plan.Stake{
		{Kind: inventory.MountUse, Name: long, Enclosure: p.Steps[0].Enclosure, Slots: []int{0},
			Drives: 1, Effect: plan.Stops},
		{Kind: inventory.ZFSUse, Name: "`a`|<script>alert(1)</script>@anna", VDevs: []string{"<b>"},
			Enclosure: p.Steps[0].Enclosure, Slots: []int{1}, Drives: 1, Effect: plan.Stops},
	}
	md := Markdown(p, "", noon, false)
	for _, bad := range []string{"<script", "<b>", "@anna", "`a`"} {
		if strings.Contains(md, bad) {
			t.Errorf("Markdown holds %q:\n%s", bad, md)
		}
	}
	if !strings.Contains(md, long) {
		t.Errorf("Markdown lacks the mount point of 300 characters:\n%s", md)
	}
	for _, width := range []int{40, 80, 200} {
		sc := Screen{Width: width}
		for what, text := range map[string]string{
			"Plan": sc.Plan(p, noon, false), "Explain": sc.Explain(p, &p.Steps[0], noon),
			"AtStake": sc.AtStake([]*plan.Step{&p.Steps[0]}),
		} {
			if n := strings.Count(text, "very"); n != 29 {
				t.Errorf("%s at %d columns has %d of the 29 words of a name:\n%s", what, width, n, text)
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width && strings.Contains(line,
					"very") {
					t.Errorf("%s at %d columns has a line of %d: %s", what, width, n, line)
				}
			}
		}
	}
}

// manyStakes is the scenario's plan whose first step puts so many mounts at stake.
func manyStakes(t *testing.T, mounts int) *plan.Plan {
	t.Helper()
	p := stakesPlan(t)
	s := &p.Steps[0]
	s.AtStake = nil
	for i := range mounts {
		s.AtStake = append(s.AtStake, plan.Stake{Kind: inventory.MountUse, Name: fmt.Sprintf("/srv/export-%04d", i),
			Enclosure: s.Enclosure, Slots: []int{i}, Drives: 1, Effect: plan.Stops})
	}
	return p
}

// What has no room among many things at stake is counted, and details have all of it.
func TestManyStakes(t *testing.T) {
	t.Parallel()
	const first, last = "/srv/export-0000", "/srv/export-0059"
	p := manyStakes(t, 60)
	sc := Screen{Width: 120}
	for name, tt := range map[string]struct {
		text string
		all  bool
	}{
		"the table": {sc.Plan(p, noon, false), false}, "the table with details": {sc.Plan(p, noon, true), true},
		"Markdown": {Markdown(p, "", noon, false), false}, "Markdown with details": {Markdown(p, "", noon, true), true},
		"the question": {sc.AtStake([]*plan.Step{&p.Steps[0]}), false}, "explain": {sc.Explain(p, &p.Steps[0], noon), true},
		"the page": {textOf(t, pageOf(t, p)), true},
	} {
		if !strings.Contains(tt.text, first) {
			t.Errorf("%s lacks %s", name, first)
		}
		if got := strings.Contains(tt.text, last); got != tt.all {
			t.Errorf("%s names %s: %t; want %t", name, last, got, tt.all)
		}
		if counted := strings.Contains(strings.Join(strings.Fields(tt.text), " "), "and 52 more"); !tt.all && !counted {
			t.Errorf("%s does not count the others:\n%s", name, tt.text)
		}
	}
}

// If all of them have no room in a comment, the first are named and that is said.
func TestMarkdownOfTooManyStakes(t *testing.T) {
	t.Parallel()
	md := Markdown(manyStakes(t, 4000), "", noon, true)
	if n := utf8.RuneCountInString(md); n > markdownLimit {
		t.Errorf("Markdown has %d characters; want at most %d", n, markdownLimit)
	}
	for _, want := range []string{"of many things at stake the first are named", "and 3992 more"} {
		if !strings.Contains(md, want) {
			t.Errorf("Markdown lacks %q", want)
		}
	}
}

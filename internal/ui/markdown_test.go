package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"fwctl/plan"
)

// strangePlan holds text that means something to Markdown, HTML and GitHub.
func strangePlan() *plan.Plan {
	p := examplePlan()
	p.DesiredState.Name = "`rm -rf`|@anna"
	p.Steps[0].Name = "a|b`c`\n<script>alert(1)</script>"
	p.Steps[0].Current = "\\x41|"
	p.Steps[1].Reasons = []string{"line 1\nline 2 | <b>bold</b> *em* _em_ ~~no~~ [a](http://evil.example) @anna #1 $x$ " +
		"& \\ `code`", "| --- |"}
	p.Warnings = []string{"</details><img src=x onerror=alert(1)> @anna/team ![](x)\n\n# Approved"}
	return p
}

// gatedPlan is the example's, with what its policies asked.
func gatedPlan() *plan.Plan {
	p := examplePlan()
	asked := []plan.GateResult{{Gate: plan.GateAllESPs, Verdict: plan.Passed},
		{Gate: plan.GateReset, Verdict: plan.Passed}}
	for i := 1; i < 6; i++ {
		p.Steps[i].Policy, p.Steps[i].Reset, p.Steps[i].Gates = "live", plan.ResetRedundant, asked
	}
	p.Steps[4].Policy, p.Steps[4].Reset = "", plan.ResetNever
	waived := plan.GateResult{Gate: plan.GateHealthy, Verdict: plan.Waived,
		Why: "Power Supply 2: critical, waived until 2027-01-31: bay is empty by design"}
	p.Steps[1].Gates, p.Steps[2].Gates = append(slices.Clone(asked), waived), append(slices.Clone(asked), waived)
	return p
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*plan.Plan{"plan": interfacePlan(), "rows": gatedPlan(), "strange": strangePlan()} {
		got := Markdown(p, "", noon, false)
		isGolden(t, filepath.Join("testdata", "view", name+".md"), got)
	}
}

// Reviewers see what the plan leaves alone and a reset takes down all the same.
func TestMarkdownNamesWhatGoesDown(t *testing.T) {
	t.Parallel()
	const rule = "a power cycle of the enclosure takes down excepted components, and both rows say so"
	data, err := os.ReadFile(filepath.Join("..", "..", "plan", "build", "testdata", rule, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	got := Markdown(p, "", noon, false)
	for _, want := range []string{
		"a reset takes down esp2/sub0 (excepted), too",
		"the power cycle for esp1/sub3 in wave 2 takes it down all the same",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Markdown lacks %q:\n%s", want, got)
		}
	}
}

// Whatever a name or a reason says, a row stays a row, and text stays text.
func TestMarkdownIsNotBrokenOutOf(t *testing.T) {
	t.Parallel()
	p := strangePlan()
	p.Warnings = append(p.Warnings, "see www.evil.example")
	got := Markdown(p, "SIMULATED rack `x`|<b>.\n", noon, false)
	if want := "\n**SIMULATED rack &#96;x&#96;&#124;&lt;b&gt;.**\n"; !strings.Contains(got, want) {
		t.Errorf("Markdown lacks %q:\n%s", want, got)
	}
	columns := 0
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "|") {
			if columns == 0 {
				columns = strings.Count(line, "|")
			}
			if n := strings.Count(line, "|"); n != columns || !strings.HasSuffix(line, "|\n") {
				t.Errorf("a row has %d bars where the head has %d: %s", n, columns, line)
			}
		}
		if n := strings.Count(line, "`"); n%2 != 0 {
			t.Errorf("a line has %d backticks: %s", n, line)
		}
	}
	for _, bad := range []string{"<script", "<img", "<b>", "</details>", "@anna", "http://", "www.evil", "\n# "} {
		if strings.Contains(got, bad) {
			t.Errorf("Markdown holds %q:\n%s", bad, got)
		}
	}
}

// A plan of any size fits into a pull request: what is left out is counted, and what may stop
// I/O and what is blocked are there.
func TestMarkdownIsCut(t *testing.T) {
	t.Parallel()
	example := examplePlan()
	for _, n := range []int{1, 90, 2000} {
		p := *example
		p.Steps, p.Warnings = nil, nil
		p.DesiredState.Name = strings.Repeat("@", n)
		for i := range n {
			for _, s := range example.Steps {
				s.Enclosure, s.Name = fmt.Sprintf("%012x%s", i, s.Enclosure[12:]), ""
				s.Address = s.Enclosure + "/" + strings.TrimPrefix(s.Address, example.Steps[0].Enclosure)
				s.Policy = fmt.Sprintf("policy %d", i%(n/10+1))
				waiver := fmt.Sprintf("waiver %d", i%(n/10+1))
				s.Gates = []plan.GateResult{{Gate: plan.GateHealthy, Verdict: plan.Waived, Why: waiver}}
				s.Hops = slices.Clone(s.Hops)
				for h := range s.Hops {
					s.Hops[h].Image.SHA256 = fmt.Sprintf("%060d%s", i%(n/10+1), s.Hops[h].To)
				}
				p.Steps = append(p.Steps, s)
			}
			p.Warnings = append(p.Warnings, fmt.Sprintf("%016x: %s | with a bar", i, strings.Repeat("x", 1+i%50)))
			p.Scans = append(p.Scans, plan.Scan{Host: fmt.Sprintf("stor%d", i), ScannedAt: noon.Add(-patience)})
		}
		got := Markdown(&p, "", noon, false)
		if length := utf8.RuneCountInString(got); length > markdownLimit {
			t.Errorf("Markdown of %d steps has %d characters; want %d at most", len(p.Steps), length, markdownLimit)
		}
		for _, want := range []string{"**BLOCKED**", "**I/O STOPS**", "`resets 2x`", "no-op", "unmanaged"} {
			if !strings.Contains(got, want) {
				t.Errorf("Markdown of %d steps lacks %q:\n%.3000s", len(p.Steps), want, got)
			}
		}
		if cut := strings.Contains(got[:min(8000, len(got))], "**Cut to fit:**"); cut != (n > 90) {
			t.Errorf("Markdown of %d steps says that it is cut: %t", len(p.Steps), cut)
		}
		images := 3 * (n/10 + 1)
		shown := strings.Count(got, ": SHA-256 `")
		left := fmt.Sprintf("%d of %d images are not shown", images-shown, images)
		if shown < images && !strings.Contains(got[:8000], left) {
			t.Errorf("Markdown of %d steps lacks %q:\n%.3000s", len(p.Steps), left, got)
		}
		warned := strings.Count(got, "with a bar")
		if n > 90 && warned < 50 && !strings.Contains(got[:8000], "warnings are not shown") {
			t.Errorf("Markdown of %d steps shows %d kinds of warnings, and not how many it leaves out", len(p.Steps), warned)
		}
	}
}

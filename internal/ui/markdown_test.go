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
		got := Markdown(p, "", noon)
		isGolden(t, filepath.Join("testdata", "view", name+".md"), got)
	}
}

// Reviewers see what the plan leaves alone and a reset takes down all the same.
func TestMarkdownTellsWhatGoesDown(t *testing.T) {
	t.Parallel()
	const rule = "a power cycle of the enclosure takes down what is excepted, and both rows say so"
	data, err := os.ReadFile(filepath.Join("..", "..", "plan", "build", "testdata", rule, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	got := Markdown(p, "", noon)
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
	got := Markdown(p, "SIMULATED rack `x`|<b>.\n", noon)
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

// If only a few updates have room, those that may stop I/O have it.
func TestMarkdownShowsTheWorst(t *testing.T) {
	t.Parallel()
	example := examplePlan()
	p := *example
	p.Steps = nil
	for range 1000 {
		p.Steps = append(p.Steps, example.Steps[4]) // may reset
	}
	p.Steps = append(p.Steps, example.Steps[1], example.Steps[5], example.Steps[3]) // blocked, an activation, and the one that stops I/O
	got := Markdown(&p, "", noon)
	if !strings.Contains(got, "**I/O STOPS**") || strings.Contains(got, "**BLOCKED**") || strings.Contains(got, "`activate`") {
		t.Errorf("Markdown of 1000 updates that may reset shows, at its end:\n%s\nwant the one that stops I/O too, and none that does less", got[len(got)-2000:])
	}
}

// A plan of any size fits into a pull request: what is left out is counted, and a
// row that changes something is not left out for one that does not.
func TestMarkdownIsCut(t *testing.T) {
	t.Parallel()
	example := examplePlan()
	for _, n := range []int{1, 90, 1000, 20_000} {
		p := *example
		p.Steps, p.Warnings = nil, nil
		p.DesiredState.Name = strings.Repeat("@", n)
		for i := range n {
			for _, s := range example.Steps {
				s.Address = fmt.Sprintf("%016x/esp1/sub0", i)
				s.Policy = fmt.Sprintf("policy %d", i%(n/10+1))
				s.Gates = []plan.GateResult{{Gate: plan.GateHealthy, Verdict: plan.Waived, Why: fmt.Sprintf("waiver %d", i%(n/10+1))}}
				s.Hops = slices.Clone(s.Hops)
				for h := range s.Hops {
					s.Hops[h].Image.SHA256 = fmt.Sprintf("%060d%s", i%(n/10+1), s.Hops[h].To)
				}
				p.Steps = append(p.Steps, s)
			}
			p.Warnings = append(p.Warnings, fmt.Sprintf("%016x: something | with a bar", i))
			p.Scans = append(p.Scans, plan.Scan{Host: fmt.Sprintf("stor%d", i), ScannedAt: noon.Add(-patience)})
		}
		got := Markdown(&p, "", noon)
		if length := utf8.RuneCountInString(got); length > markdownLimit {
			t.Errorf("Markdown of %d steps has %d characters; want %d at most", len(p.Steps), length, markdownLimit)
		}
		rows := strings.Count(got, "\n| ") - 2
		warnings := strings.Count(got, "something &#124; with a bar")
		switch {
		case n == 1:
			if strings.Contains(got, "Cut to fit") || rows != len(p.Steps) || warnings != 1 {
				t.Errorf("Markdown of %d steps shows %d rows and %d warnings, or says that it is cut", len(p.Steps), rows, warnings)
			}
			continue
		case n == 90:
			if strings.Count(got, "| `update`<br>") != 3*n {
				t.Errorf("Markdown of %d steps shows %d updates; want all %d", len(p.Steps), strings.Count(got, "| `update`<br>"), 3*n)
			}
		}
		if want := fmt.Sprintf("%d of %d components are not shown", len(p.Steps)-rows, len(p.Steps)); !strings.Contains(got[:8000], want) {
			t.Errorf("Markdown of %d steps lacks %q in its summary:\n%s", len(p.Steps), want, got[:3000])
		}
		images := 3 * (n/10 + 1)
		if shown := strings.Count(got, ": SHA-256 `"); shown < images && !strings.Contains(got[:8000], fmt.Sprintf("%d of %d images are not shown", images-shown, images)) {
			t.Errorf("Markdown of %d steps shows %d images and does not say how many it leaves out", len(p.Steps), shown)
		}
		if want := fmt.Sprintf("%d of %d warnings are not shown", n-warnings, n); n > warnings &&
			!strings.Contains(got[:8000], want) {
			t.Errorf("Markdown of %d steps lacks %q in its summary:\n%s", len(p.Steps), want, got[:3000])
		}
	}
}

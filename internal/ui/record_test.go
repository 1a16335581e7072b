package ui

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fwctl/internal/report"
	"fwctl/inventory"
	"fwctl/plan"
)

// recordStatus is the example status with all that a page shows.
func recordStatus() *report.Status {
	s := exampleStatus()
	s.Runs[0] = recordRun()
	for _, r := range s.Runs {
		for _, step := range r.Steps {
			s.Components = append(s.Components, report.Component{Address: step.Address})
		}
	}
	s.Components[0].Name = "r12u20"
	s.Cautions = append(s.Cautions, report.HostCaution{Host: "stor2", Caution: inventory.Caution{
		Address: "500a09800569f040/esp1/sub0", Kind: inventory.PowerOnly, Since: noon, Detail: "the device said 12h",
	}})
	return s
}

// recordRun is the example run with an account, an output and a waiver.
func recordRun() report.Run {
	r := exampleRun()
	r.Accounts = []report.Account{{UID: 0, Login: "root", SudoUser: "anna", At: noon}}
	r.Hooks[0].Output = "noout is set\nof 12 OSDs"
	for _, s := range r.Steps[:2] {
		r.Waivers = append(r.Waivers, report.Waiver{Gate: string(plan.GateHealthy), Address: s.Address,
			Why: "Power Supply 2: critical, waived until 2027-01-31: bay is empty by design"})
	}
	return r
}

func recordHistory() *report.History {
	h := exampleHistory()
	r := recordRun()
	h.Runs[0].Accounts, h.Runs[0].Hooks, h.Runs[0].Waivers = r.Accounts, r.Hooks, r.Waivers
	h.Components = []report.Component{{Address: r.Steps[0].Address, Name: "r12u20"}}
	return h
}

// largeHistory is a run of so many components.
func largeHistory(components int) *report.History {
	h := &report.History{Hosts: []report.Host{{Name: "stor1", TakenAt: noon}}}
	r := exampleInterrupted()
	step := r.Steps[0]
	r.Steps = nil
	for i := range components {
		s := step
		s.Address = fmt.Sprintf("5000ccab%08x/esp%d/sub0", i/2, i%2+1)
		if i%100 == 0 {
			s.Outcome, s.Reason = "failed", fmt.Sprintf("the device said %02xh", 0x80+i/100%4)
		}
		h.Components = append(h.Components, report.Component{Address: s.Address, Name: fmt.Sprintf("r%03du%02d", i/40, i/2%20)})
		r.Steps = append(r.Steps, s)
	}
	h.Runs = []report.Run{r}
	return h
}

// hostileStatus and hostileHistory have hostile text wherever a device, a host or a person can put some.
func hostileStatus() *report.Status {
	s := recordStatus()
	s.Hosts[0].Name = hostile
	for i := range s.Runs {
		makeHostile(&s.Runs[i])
	}
	for i := range s.Staged {
		v := &s.Staged[i]
		v.Host, v.Address, v.Running, v.Revision, v.By = hostile, "5000ccab04001000/"+hostile, hostile, strings.Repeat("r", 300), hostile
	}
	for i := range s.Stuck {
		v := &s.Stuck[i]
		v.Host, v.Address, v.Kind, v.Mode, v.SHA256 = hostile, hostile, hostile, hostile, hostile
	}
	for i := range s.Cautions {
		s.Cautions[i].Address, s.Cautions[i].Detail = strings.Repeat("a", 300), hostile
	}
	for i := range s.Components {
		s.Components[i].Name = hostile
	}
	return s
}

func hostileHistory() *report.History {
	h := recordHistory()
	h.Hosts[0].Name = strings.Repeat("h", 300)
	for i := range h.Runs {
		makeHostile(&h.Runs[i])
	}
	for i := range h.Verified {
		v := &h.Verified[i]
		v.Address, v.Revision, v.Outcome, v.By, v.SHA256 = hostile, hostile, hostile, hostile, hostile
	}
	for i := range h.Components {
		h.Components[i].Name = strings.Repeat("n", 300)
	}
	return h
}

func makeHostile(r *report.Run) {
	r.Host, r.By, r.Plan, r.Outcome, r.Phase = hostile, hostile, hostile, hostile, hostile
	for i := range r.Resumed {
		r.Resumed[i].By = hostile
	}
	for i := range r.Accounts {
		r.Accounts[i].Login, r.Accounts[i].SudoUser = hostile, strings.Repeat("s", 300)
	}
	for i := range r.Overrides {
		r.Overrides[i].Kind, r.Overrides[i].Given = hostile, hostile
	}
	for i := range r.Waivers {
		r.Waivers[i].Gate, r.Waivers[i].Why = hostile, hostile
	}
	for i := range r.Hooks {
		h := &r.Hooks[i]
		h.Kind, h.Command, h.Outcome, h.Output = hostile, hostile, strings.Repeat("o", 300), hostile
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		s.State, s.Outcome, s.From, s.To, s.SHA256, s.Mode, s.Reason, s.LUID = hostile, "", hostile, strings.Repeat("t", 300), hostile, hostile, hostile, hostile
		s.Hops = slices.Clone(s.Hops)
		for k := range s.Hops {
			s.Hops[k].From, s.Hops[k].Mode = hostile, hostile
		}
	}
}

func statusPageOf(t *testing.T, s *report.Status) string {
	t.Helper()
	text, err := StatusPage(s, "", noon, exampleAgain)
	return shown(t, text, err)
}

func historyPageOf(t *testing.T, h *report.History) string {
	t.Helper()
	text, err := HistoryPage(h, "", noon, exampleAgain)
	return shown(t, text, err)
}

// recordPages are pages of statuses and histories of every shape, by what is special of them.
func recordPages(t *testing.T) map[string]string {
	t.Helper()
	one := []report.Host{{Name: "stor1", TakenAt: noon}}
	return map[string]string{
		"status": statusPageOf(t, recordStatus()), "hostile status": statusPageOf(t, hostileStatus()),
		"empty status": statusPageOf(t, &report.Status{Hosts: one}),
		"history":      historyPageOf(t, recordHistory()), "hostile history": historyPageOf(t, hostileHistory()),
		"empty history": historyPageOf(t, &report.History{Hosts: one}),
	}
}

func TestRecordPagesLook(t *testing.T) {
	t.Parallel()
	isGolden(t, filepath.Join("testdata", "view", "status.html"), statusPageOf(t, recordStatus()))
	isGolden(t, filepath.Join("testdata", "view", "history.html"), historyPageOf(t, recordHistory()))
}

// All that the tables say stands on the pages: each word of theirs, but the words around it.
func TestRecordPagesLoseNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ table, page string }{
		"status":  {(Screen{Width: 200}).Status(recordStatus(), exampleAgain), statusPageOf(t, recordStatus())},
		"history": {(Screen{Width: 200}).History(recordHistory(), exampleAgain), historyPageOf(t, recordHistory())},
	} {
		page := strings.ToLower(textOf(t, tt.page))
		said := strings.NewReplacer("its stage waves alone", "", " > ", " ").Replace(tt.table)
		for word := range strings.FieldsSeq(strings.ToLower(said)) {
			word = strings.Trim(word, ".,:;()`")
			if slices.Contains([]string{"address", "verified"}, word) {
				// Heads, which the page words otherwise.
				continue
			}
			if !strings.Contains(page, word) {
				t.Errorf("the page of the %s lacks %q", name, word)
			}
		}
	}
	text := textOf(t, statusPageOf(t, recordStatus()))
	for _, want := range []string{exampleAgain("resume"), recordRun().Plan, recordRun().Steps[0].SHA256, "sudo by anna", "of 12 OSDs"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of a status lacks %q", want)
		}
	}
}

// A run of more components than can be listed one by one has each of them all the same, by name.
func TestPageOfALargeHistory(t *testing.T) {
	t.Parallel()
	h := largeHistory(runStepsMost + 2)
	page := historyPageOf(t, h)
	text := textOf(t, page)
	for _, want := range []string{"5,002 components", "r000u01 to r000u19", "r125u00", "the device said 83h", "-o json has a row for each"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if len(page) > 500_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	if text := textOf(t, historyPageOf(t, largeHistory(40))); !strings.Contains(text, h.Runs[0].Steps[39].Address) || strings.Contains(text, "together") {
		t.Error("a page of few components does not list each")
	}
}

// So has a host that holds more than that staged.
func TestPageOfALargeStatus(t *testing.T) {
	t.Parallel()
	s := &report.Status{Hosts: []report.Host{{Name: "stor1", TakenAt: noon}}}
	staged := recordStatus().Staged[0]
	for i := range runStepsMost + 2 {
		v := staged
		v.Address, v.Confirmed = fmt.Sprintf("5000ccab%08x/esp1/sub0", i), i > 0
		s.Staged = append(s.Staged, v)
		s.Components = append(s.Components, report.Component{Address: v.Address, Name: fmt.Sprintf("r%03du%02d", i/20, i%20)})
	}
	page := statusPageOf(t, s)
	text := textOf(t, page)
	for _, want := range []string{"5,002 components", "5001 together", "r000u01 to r000u19", "r250u00", "1 together", "unconfirmed"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if len(page) > 100_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

// What was waived and put aside is in the table, too.
func TestSafeguardsInTables(t *testing.T) {
	t.Parallel()
	const want = `  Waived: requireHealthy at r12u20 esp1 (5000ccab04001000/esp1/sub0), r12u20 esp2 (5000ccab04001000/esp2/sub0): Power Supply 2: critical, waived until 2027-01-31: bay is empty by design`
	for name, text := range map[string]string{
		"Status":  (Screen{Width: 200}).Status(recordStatus(), exampleAgain),
		"History": (Screen{Width: 200}).History(recordHistory(), exampleAgain),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", name, want, text)
		}
	}
}

// Thousands of components that need a person share rows, and each is named.
func TestPageOfManyNeeds(t *testing.T) {
	t.Parallel()
	s := &report.Status{Hosts: []report.Host{{Name: "stor1", TakenAt: noon}}}
	known := recordStatus()
	for i := range 15_000 {
		address := fmt.Sprintf("5000ccab%08x/esp1/sub0", i)
		s.Components = append(s.Components, report.Component{Address: address, Name: fmt.Sprintf("r%04du%02d", i/20, i%20)})
		caution, stuck := known.Cautions[0], known.Stuck[0]
		caution.Kind = []inventory.CautionKind{inventory.NeedsImage, inventory.PowerOnly}[i%2]
		// Each was found out at its own time.
		caution.Address, caution.Since = address, caution.Since.Add(time.Duration(i)*time.Minute)
		stuck.Address, stuck.Since = address, caution.Since
		if i < 10_000 {
			s.Cautions = append(s.Cautions, caution)
		} else {
			s.Stuck = append(s.Stuck, stuck)
		}
	}
	page := statusPageOf(t, s)
	text := textOf(t, page)
	for _, want := range []string{
		"10,000 components", "5,000 components", "5000 together", "r0001u00, r0001u02", "r0749u00 to r0749u19", "-o json has a row for each",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if rows := strings.Count(string(page), "<tr"); rows > 30 || len(page) > 300_000 {
		t.Errorf("the page has %d rows and %d bytes", rows, len(page))
	}
	s.Cautions, s.Stuck = s.Cautions[:2*needsMost], nil
	if text := textOf(t, statusPageOf(t, s)); strings.Contains(text, "together") {
		t.Error("a page of few that need a person does not list each")
	}
}

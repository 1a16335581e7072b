package ui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/report"
	"fwctl/internal/state"
	"fwctl/internal/window"
	"fwctl/inventory"
	"fwctl/plan"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// interfacePlan is the plan that INTERFACE draws.
func interfacePlan() *plan.Plan {
	p := examplePlan()
	p.Steps = p.Steps[:4]
	p.Steps[1].Reasons = p.Steps[1].Reasons[:1]
	p.Summary = plan.Summary{Update: 2, Staged: 1, Blocked: 1}
	p.Waves = []plan.Wave{
		{Number: 1, Kind: plan.ResetWave, Windows: []string{"saturday-night"}, Soak: plan.Duration(10 * time.Minute)},
		{Number: 2, Kind: plan.ResetWave, Windows: []string{"saturday-night"}},
	}
	return p
}

// examplePlan holds every kind of row.
func examplePlan() *plan.Plan {
	hop := func(from, to string, modes ...plan.Mode) plan.Hop {
		return plan.Hop{From: from, To: to,
			Image: plan.ImageRef{Name: "iom-" + to, SHA256: strings.Repeat(to, 16), Size: 1 << 20}, Protocol: plan.SES,
			ChunkSize: 4096, FlashTimeout: plan.Duration(45 * time.Minute), Modes: modes, Activation: plan.Manual,
			ActivateBy: plan.ByModeF}
	}
	active := hop("0611", "0702", plan.ModeE)
	active.Activation = plan.WithApply
	step := func(enclosure, esp, host, now, desired string, action plan.Action) plan.Step {
		return plan.Step{Address: enclosure + "/" + esp + "/sub0", Enclosure: enclosure, LUID: enclosure + esp, Host: host,
			Current: now, Desired: desired, Action: action}
	}
	staged := step("5000ccab04001000", "esp1", "stor1", "1000", "1100", plan.IsStaged)
	staged.Name = "r12u20"
	blocked := step("5000ccab04001000", "esp2", "stor2", "0990", "1100", plan.Blocked)
	blocked.Name = "r12u20"
	blocked.Reasons = []string{"no image starts at 0990; nearest: iom-1100, from 1000 or 105?",
		"the other I/O module is not in sight of any host of this plan, and requireAllESPs asks for all of them"}
	chain := step("500304801f00123f", "esp1", "stor1", "0501", "0702", plan.Update)
	chain.Hops = []plan.Hop{hop("0501", "0611", plan.Mode7), active}
	chain.Waves = plan.StepWaves{Reset: 1}
	chain.Disruption = plan.Disruption{Expected: plan.ESPReset, Worst: plan.ESPReset,
		Why: "31 drives in use keep a live path through esp2"}
	chain.WorstDuration = plan.Duration(58 * time.Minute)
	stops := step("500304801f00123f", "esp2", "stor1", "0611", "0702", plan.Update)
	stops.Hops = []plan.Hop{hop("0611", "0702", plan.Mode7)}
	stops.Waves = plan.StepWaves{Reset: 2}
	stops.Disruption = plan.Disruption{Expected: plan.IOInterruption, Worst: plan.IOInterruption,
		Why: "slots 7, 11 in use, SATA, no other path"}
	stops.WorstDuration, stops.Rollback = plan.Duration(29*time.Minute), "iom-0611"
	falls := step("500a09800569f03f", "lu-500a09800569f03e", "stor2", "1000", "1100", plan.Update)
	falls.Hops = []plan.Hop{hop("1000", "1100", plan.ModeE, plan.Mode7)}
	falls.Waves = plan.StepWaves{Stage: 1, Reset: 2}
	falls.Disruption = plan.Disruption{Expected: plan.NoImpact, Worst: plan.ESPReset}
	falls.WorstDuration, falls.Rollback = plan.Duration(75*time.Minute), "iom-1000"
	activate := step("500a09800569f040", "esp1", "stor2", "1000", "1100", plan.Activate)
	activate.Hops = []plan.Hop{hop("1000", "1100")}
	activate.Waves = plan.StepWaves{Reset: 2}
	activate.Disruption = plan.Disruption{Expected: plan.ESPReset, Worst: plan.ESPReset}
	upToDate := step("500a09800569f040", "esp2", "stor2", "1100", "1100", plan.NoOp)
	unmanaged := step("500a09800569f040", "esp2", "stor2", "0011", "", plan.Unmanaged)
	unmanaged.Address = "500a09800569f040/esp2/sub3"

	return &plan.Plan{
		Digest:       "sha256:9b1e77c0" + strings.Repeat("0123456789abcdef", 3) + "01234567",
		DesiredState: plan.Source{Name: "rack-12", SHA256: "3f9c01ab" + strings.Repeat("0", 56)},
		Scans:        []plan.Scan{{Host: "stor1", ScannedAt: noon}, {Host: "stor2", ScannedAt: noon}},
		Steps:        []plan.Step{staged, blocked, chain, stops, falls, activate, upToDate, unmanaged},
		Waves: []plan.Wave{{Number: 1, Kind: plan.StageWave, Canary: true, Soak: plan.Duration(10 * time.Minute)},
			{Number: 2, Kind: plan.ResetWave, Windows: []string{"saturday-night"}}},
		Windows: map[string]window.Window{
			"saturday-night": {Start: "2026-11-21T22:00", Timezone: "Europe/Berlin", Duration: "6h", RRule: "FREQ=WEEKLY;BYDAY=SA"},
		},
		Warnings: []string{"5000ccab04001000: any power loss or hard reset starts 1100 on esp1 while esp2 stays on 0990. " +
			"Staged 2026-11-15 by anna, image 5891b5b5."},
		Summary: plan.Summary{Update: 3, Activate: 1, Staged: 1, NoOp: 1, Blocked: 1, Unmanaged: 1},
	}
}

func exampleInventory() *inventory.Inventory {
	sub := func(address, revision string) inventory.Subenclosure {
		return inventory.Subenclosure{Address: address, Vendor: "ACME", Product: "JBOD-60", Revision: revision}
	}
	staged := sub("5000ccab04001000/esp1/sub0", "1000")
	staged.Staged = &inventory.Staged{SHA256: "5891b5b5" + strings.Repeat("0", 56), Revision: "1100", Since: noon,
		By: "anna"}
	shared := sub("500304801f00123f/esp1/sub3", "0011")
	return &inventory.Inventory{Host: "stor1", ScannedAt: noon,
		Enclosures: []inventory.Enclosure{
			{LogicalID: "5000ccab04001000", Cautions: []inventory.Caution{{Address: "5000ccab04001000/esp2/sub0", Kind: inventory.PowerOnly, Since: noon, Detail: "the device said 12h"}}, MissingESPs: []int{2}, ESPs: []inventory.ESP{
				{Paths: []string{"/dev/sg3", "/dev/sg17"}, Subenclosures: []inventory.Subenclosure{staged}}}},
			{LogicalID: "500304801f00123f", Cautions: []inventory.Caution{exampleCaution()}, Health: inventory.Health{Critical: true, Failures: []string{"Power Supply 2: critical", "Cooling 1: not installed"}}, ESPs: []inventory.ESP{
				{Paths: []string{"/dev/sg4"}, Subenclosures: []inventory.Subenclosure{sub("500304801f00123f/esp1/sub0", "0501"), shared}},
				{Paths: []string{"/dev/sg5"}, Subenclosures: []inventory.Subenclosure{sub("500304801f00123f/lu-500304801f00124a@500304801f00124b/sub0", "0501"), shared}}}},
		},
		Problems: []inventory.Problem{{Path: "/dev/sg9", Summary: "cannot read the configuration page",
			Detail: "illegal request: invalid field in CDB"}}}
}

// exampleNames has no name of some enclosures.
var exampleNames = inventory.Names{"5000ccab04001000": "r12u20"}

// exampleComponents are what hosts remember: they call one enclosure differently.
var exampleComponents = []report.Component{
	{Address: "5000ccab04001000/esp1/sub0", Name: "r12u20"}, {Address: "5000ccab04001000/esp2/sub0", Name: "r12u20"},
	{Address: "5000ccab04005000/esp1/sub0", Name: "r12u24"}, {Address: "5000ccab04005000/esp1/sub0", Name: "r12u25"},
}

func noQuirk(_, _, _ string) string { return "" }

// exampleDrives are two enclosures: one with a drive of each kind, one without any.
func exampleDrives() []*inventory.Enclosure {
	drive := func(slot inventory.SlotNumber, address string, inUse []string, paths ...inventory.DrivePath) inventory.Drive {
		return inventory.Drive{Slot: slot, SASAddress: address, Protocol: "sas", InUse: inUse, Paths: paths}
	}
	a, b := inventory.DrivePath{Device: "sda", Via: "5000ccab04001001", Live: true}, inventory.DrivePath{Device: "sdb", Via: "5000ccab04001002"}
	b.Down = "its path group is disabled"
	esps := []inventory.ESP{{RelativeID: 1, Processes: 2, LUID: "5000ccab04001001"}, {RelativeID: 2, Processes: 2, LUID: "5000ccab04001002"}}
	used := drive(0, "5000c50012345678", []string{"mounted /tank through dm-0 (mpatha)", "zfs tank"}, a, b)
	used.Evidence = []string{"dm-0 (mpatha) in slot 0"}
	return []*inventory.Enclosure{
		{LogicalID: "5000ccab04001000", Vendor: "ACME", Product: "JBOD-60", ESPs: esps,
			DriveEvidence: []string{"page 0Ah of esp1 lists 3"}, Drives: []inventory.Drive{
				used, drive(1, "5000c50012345679", []string{}, a), drive(2, "", nil),
			}},
		{LogicalID: "500304801f00123f", Vendor: "GLOBEX", Product: "X28", DrivesUnknown: true},
	}
}

// exampleVerification has each kind of finding.
func exampleVerification() *Verification {
	wanted := strings.Repeat("5", 64)
	return &Verification{Names: exampleNames, Planned: 2,
		Drift: []plan.Drift{{Address: "5000ccab04001000/esp2/sub0", Wanted: "1100", Revision: "1000", Reason: "it waits"}},
		Found: &result.Found{
			Settled:   []result.Settled{{Address: "5000ccab04001000/esp2/sub0", Revision: "1000", Reason: "83h"}},
			Unsettled: []result.Unsettled{{Address: "500304801f00123f/esp1/sub0", Reason: "it holds half an image"}},
			Components: []result.Finding{
				{Address: "5000ccab04001000/esp1/sub0", Outcome: state.Running, SHA256: wanted, Wanted: "1100", Revision: "1100",
					StagedSince: noon, StagedBy: "anna", Confirmed: true},
				{Address: "5000ccab04001000/esp2/sub0", Outcome: state.Lost, SHA256: wanted, Wanted: "1100", Revision: "1000",
					StagedSince: noon, StagedBy: "anna", Reason: "it neither runs nor holds it"},
				{Address: "500304801f00123f/lu-500304801f00124a/sub0", SHA256: wanted, StagedSince: noon, StagedBy: "anna",
					Reason: "it is not in sight"},
			},
			Compared: []result.Comparison{{Enclosure: "5000ccab04001000", Since: noon, ESPs: 2, Drives: 24}},
			Declines: []result.Decline{{Enclosure: "5000ccab04001000", Since: noon, Worse: []string{"esp2 is gone", "slot 3 is gone"}}},
		}}
}

func exampleCaution() inventory.Caution {
	return inventory.Caution{Address: "500304801f00123f/esp1/sub0", Kind: inventory.NeedsImage, Since: noon,
		Detail: "the device said 83h"}
}

func exampleResult() *result.Result {
	return &result.Result{Outcome: result.RunUnknown, Steps: []result.Step{
		{Address: "5000ccab04001000/esp1/sub0", Outcome: result.OutcomeStaged, Mode: plan.ModeE, Revision: "1000"},
		{Address: "5000ccab04001000/esp2/sub0", Outcome: result.OutcomeUnknown, Mode: plan.Mode7, Reason: "the device did not come back within 15m"},
		{Address: "5000ccab04002000/esp1/sub0", Outcome: result.OutcomeUpdated, Confirmed: true, Mode: plan.ModeE, Modes: []plan.Mode{plan.Mode7, plan.ModeE}, Revision: "1200"},
		{Address: "500304801f00123f/lu-500304801f00124a/sub0", Outcome: result.OutcomeSkipped, Revision: "0501", Reason: "another component failed"},
	}}
}

const exampleWaits = "1 component waits for wave 2: `fwctl --simulate rack.yaml apply dc1.plan --phase reset` goes on."

func exampleRun() report.Run {
	at := noon.Add(time.Minute)
	return report.Run{Host: "stor1", ID: 7, Plan: "sha256:9b1e77c0" + strings.Repeat("0", 56), By: "anna", StartedAt: noon,
		Process: result.ProcessGone, PID: 4711, Resumable: true,
		Resumed: []report.Resume{{By: "ben", At: noon.Add(time.Hour)}},
		Overrides: []report.Override{
			{Kind: "ignore-window", Address: "5000ccab04001000/esp1/sub0", Given: "CHG-4711, agreed with the users"},
			{Kind: "ignore-window", Address: "5000ccab04001000/esp2/sub0", Given: "CHG-4711, agreed with the users"},
			{Kind: "accept-disruption", Address: "5000ccab04001000/esp2/sub0", Given: "all"}},
		Hooks: []report.Hook{
			{Kind: "before-reset", Address: "5000ccab04001000/esp2/sub0", Command: "ceph osd set noout", At: noon, EndedAt: &at, Outcome: "done"},
			{Kind: "after-reset", Address: "5000ccab04001000/esp2/sub0", Command: "ceph osd unset noout", At: noon}},
		Steps: []report.Step{
			{Address: "5000ccab04001000/esp1/sub0", State: "sending", From: "1000", To: "1100", SHA256: "5891b5b5" + strings.Repeat("0", 56), Mode: "e", At: &at},
			{Address: "5000ccab04001000/esp2/sub0", State: "pending", From: "1000", To: "1100", SHA256: "5891b5b5" + strings.Repeat("0", 56)},
			{Address: "500304801f00123f/lu-500304801f00124a@500304801f00124b/sub0", State: "aborted", From: "0501", To: "0611", SHA256: "77777777" + strings.Repeat("0", 56), Mode: "7",
				Reason: "the device did not come back within 15m", At: &at},
		}}
}

// exampleAgain is typed with global flags.
func exampleAgain(args ...string) string {
	return plan.Command(append([]string{"fwctl", "--state-dir", "/srv/fw state"}, args...)).String()
}

// exampleInterrupted is a run that was for some waves alone, and did not get through them.
func exampleInterrupted() report.Run {
	ended := noon.Add(2 * time.Hour)
	return report.Run{Host: "stor1", ID: 8, Plan: "sha256:" + strings.Repeat("8", 64), By: "ben", StartedAt: noon,
		EndedAt: &ended, Outcome: "interrupted", Phase: "stage", Resumable: true,
		Steps: []report.Step{{Address: "5000ccab04005000/esp1/sub0", State: "pending", Outcome: "skipped", From: "1000",
			To: "1100", SHA256: strings.Repeat("5", 64), Reason: "interrupted before it was started", At: &ended}}}
}

func exampleStatus() *report.Status {
	return &report.Status{
		Hosts: []report.Host{{Name: "stor1", TakenAt: noon}, {Name: "stor2", TakenAt: noon}},
		Runs: []report.Run{exampleRun(), exampleInterrupted(),
			{Host: "stor2", ID: 3, Plan: "sha256:" + strings.Repeat("3", 64), By: "ben", StartedAt: noon,
				Process: result.ProcessRunning, PID: 88},
			{Host: "stor2", ID: 2, Plan: "sha256:" + strings.Repeat("2", 64), By: "ben", StartedAt: noon, Process: result.ProcessUnclear, PID: 77}},
		Staged: []report.HostStaged{
			{Host: "stor1", Address: "5000ccab04001000/esp3/sub0", Running: "1000", Revision: "1100", SHA256: "5891b5b5" + strings.Repeat("0", 56), Since: noon, By: "anna", Confirmed: true},
			{Host: "stor2", Address: "5000ccab04001000/esp4/sub0", Running: "1000", Revision: "1100", SHA256: "5891b5b5" + strings.Repeat("0", 56), Since: noon, By: "anna"},
		},
		Cautions: []report.HostCaution{{Host: "stor1", Caution: exampleCaution()}},
		Stuck: []report.Stuck{{Host: "stor1", Address: "5000ccab04001000/esp1/sub0", Run: 7, Kind: "download-start",
			Mode: "0e", SHA256: "5891b5b5" + strings.Repeat("0", 56), Since: noon}},
		Components: exampleComponents,
	}
}

func exampleHistory() *report.History {
	ended, over := exampleRun(), noon.Add(2*time.Hour)
	ended.EndedAt, ended.Outcome, ended.Process, ended.Resumable = &over, "failed", "", false
	ended.Steps = append(ended.Steps, exampleChain())
	open := exampleRun()
	open.ID, open.Process, open.PID, open.Steps, open.Wave = 9, "", 0, nil, 2
	return &report.History{
		Hosts: []report.Host{{Name: "stor1", TakenAt: noon}},
		Runs:  []report.Run{ended, exampleInterrupted(), open},
		Verified: []report.Verified{
			{Host: "stor1", Address: "5000ccab04001000/esp1/sub0", SHA256: "5891b5b5" + strings.Repeat("0", 56), Revision: "1100", Outcome: "running", By: "ben", At: noon},
			{Host: "stor1", Address: "5000ccab04001000/esp2/sub0", SHA256: "5891b5b5" + strings.Repeat("0", 56), Revision: "1000", Outcome: "lost", By: "ben", At: noon},
		},
		Components: exampleComponents,
	}
}

// exampleResume is a killed run of the example's plan: one component of it is
// staged and not started, one was being sent, one fell back to mode 7, one failed.
func exampleResume(width int) string {
	p := examplePlan()
	p.Waves[1].Windows = nil
	p.Steps[4].Disruption.Why = plan.IfRefused("mode 7 resets esp1")
	hooks := &plan.Hooks{BeforeReset: plan.Command{"ceph", "osd", "set", "noout"},
		AfterReset: plan.Command{"ceph", "osd", "unset", "noout"}, Timeout: plan.Duration(time.Minute)}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Action == plan.Update || s.Action == plan.Activate {
			s.Host, s.Hooks = "stor1", hooks
		}
	}
	chain, stops, falls := p.Steps[2], p.Steps[3], p.Steps[4]
	fine, failed := falls, falls
	fine.Address, failed.Address = "500a09800569f041/esp1/sub0", "500a09800569f041/esp2/sub0"
	fine.LUID, failed.LUID = fine.Address, failed.Address
	p.Steps = append(p.Steps, fine, failed)
	rec := func(s plan.Step, hop int, at, mode, detail string) state.Step {
		return state.Step{Address: s.Address, Key: state.Key{LUID: s.LUID}, Hop: hop, To: s.Hops[hop].To, State: at,
			Mode: mode, Detail: detail}
	}
	r := memory.NewRemaining(&state.Run{ID: 7, Host: "stor1", By: "anna", StartedAt: noon}, p,
		[]state.Step{rec(chain, 1, "staged", "e", ""), rec(stops, 0, "sending", "7", ""),
			rec(falls, 0, "pending", "7", "the device does not take mode e"), rec(fine, 0, "staged", "e", "complete"),
			rec(failed, 0, "failed", "e", "the device said 82h")},
		[]state.Intent{{Key: state.Key{LUID: stops.LUID}, Kind: state.DownloadStart, Mode: "07", At: noon}},
		[]state.Hook{{Key: state.Key{LUID: stops.LUID}, Kind: state.BeforeReset, At: noon}})
	return (Screen{Width: width}).Resume(r, noon)
}

// exampleChain is a component that was taken over stepping stones.
func exampleChain() report.Step {
	hop := func(from, to, digit, mode string) report.Hop {
		return report.Hop{From: from, To: to, SHA256: strings.Repeat(digit, 64), Mode: mode, At: noon}
	}
	return report.Step{Address: "5000ccab04002000/esp1/sub0", State: "done", Outcome: "updated", From: "2200", To: "2300",
		SHA256: strings.Repeat("3", 64), Mode: "e", At: &noon,
		Hops: []report.Hop{hop("2000", "2100", "1", "7"), hop("2100", "2200", "2", "e"), hop("2200", "2300", "3", "e")}}
}

// A state has one word, whichever table tells of it: an outcome where it is one.
func TestStanding(t *testing.T) {
	t.Parallel()
	for state, want := range map[step.State]string{
		step.Pending: "pending", step.Sending: "sending", step.Waiting: "waiting", step.Staged: "staged",
		step.Done: "updated", step.Refused: "refused",
		step.Unchanged: "unchanged", step.Failed: "failed", step.Aborted: "failed", step.Unknown: "unknown",
	} {
		if got := standing("", string(state)); got != want {
			t.Errorf("standing of a run without an end, %s = %s; want %s", state, got, want)
		}
	}
	if got := standing("skipped", "pending"); got != "skipped" {
		t.Errorf("standing(skipped, pending) = %s; want skipped", got)
	}
}

// What people read, as golden files at the widths that they have.
func TestViews(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 60, 80, 120, 200} {
		for name, got := range map[string]string{
			"plan":      (Screen{Width: width}).Plan(interfacePlan(), noon, false),
			"rows":      (Screen{Width: width}).Plan(examplePlan(), noon, false),
			"inventory": (Screen{Width: width}).Inventory(exampleInventory(), exampleNames, noQuirk),
			"result":    (Screen{Width: width}).Result(exampleResult(), examplePlan(), exampleWaits),
			"status":    (Screen{Width: width}).Status(exampleStatus(), exampleAgain),
			"resume":    exampleResume(width),
			"history":   (Screen{Width: width}).History(exampleHistory(), exampleAgain),
			"drives":    (Screen{Width: width}).Drives(exampleDrives(), exampleNames, true),
			"verify":    (Screen{Width: width}).Verification(exampleVerification()),
		} {
			isGolden(t, filepath.Join("testdata", "view", fmt.Sprintf("%s-%d.txt", name, width)), got)
		}
	}
}

// No word of a plan is lost at any width, and no line is wider than the
// terminal unless a single cell or word is.
func TestViewsLoseNothing(t *testing.T) {
	t.Parallel()
	p, inv, result := examplePlan(), exampleInventory(), exampleResult()
	var inventoryWords, resultWords []string
	for _, e := range inv.Enclosures {
		inventoryWords = append(inventoryWords, strings.Fields(strings.Join(enclosureNotes(e), " "))...)
		for _, esp := range e.ESPs {
			inventoryWords = append(inventoryWords, esp.Paths...)
			for _, sub := range esp.Subenclosures {
				inventoryWords = append(inventoryWords, sub.Address, sub.Vendor, sub.Product, sub.Revision)
			}
		}
	}
	for _, s := range result.Steps {
		resultWords = append(resultWords, s.Address, string(s.Outcome), s.Revision)
		resultWords = append(resultWords, strings.Fields(s.Reason)...)
	}
	resultWords = append(append(resultWords, "r12u20", "7 > e"), strings.Fields(exampleWaits)...)
	inventoryWords = append(inventoryWords, "83h)", "12h)", "r12u20")
	var runWords []string
	for _, s := range exampleRun().Steps {
		runWords = append(runWords, s.Address, standing(s.Outcome, s.State), s.From, s.To, plan.ShortDigest(s.SHA256))
		runWords = append(runWords, strings.Fields(s.Reason)...)
	}
	runWords = append(runWords, "9b1e77c0", "r12u20", "anna", "ben", "CHG-4711,", "users\"", "--ignore-window")
	interrupted := []string{"interrupted", "r12u24", "r12u25", "stage", "waves", "88888888", exampleInterrupted().Steps[0].Address}
	statusWords := append(append(slices.Clone(runWords), interrupted...), "resume`", "4711", "88", "77", "stor2", "esp3",
		"esp4", "confirmed", "download", "start", "mode", "power-cycle", "500304801f00123f/esp1/sub0", "83h)")
	historyWords := append(append(slices.Clone(runWords), interrupted...), "2 alone", "failed", "running", "lost", "holds", "recorded;",
		exampleChain().Address, "2000", "2100 > 2200 > 2300", "7 > e > e", "11111111", "22222222", "33333333")
	for width := 60; width <= 250; width++ {
		for _, v := range []struct {
			name, text string
			words      []string
		}{
			{"plan", (Screen{Width: width}).Plan(p, noon, false), planWords(p)},
			{"inventory", (Screen{Width: width}).Inventory(inv, exampleNames, noQuirk), inventoryWords},
			{"result", (Screen{Width: width}).Result(result, p, exampleWaits), resultWords},
			{"status", (Screen{Width: width}).Status(exampleStatus(), exampleAgain), statusWords},
			{"history", (Screen{Width: width}).History(exampleHistory(), exampleAgain), historyWords},
			{"resume", exampleResume(width), []string{"refused;", "staged", "0F", "resets", "sending", "STOPS", "slots", "pending", "failed", "82h", "500a09800569f041/esp2/sub0", "noout", p.Digest, "about", "begin"}},
		} {
			losesNothing(t, fmt.Sprintf("%s at %d columns", v.name, width), v.text, v.words, width)
		}
	}
}

// A table of slots has each of them, however many there are, and says so if there are none.
func TestDrivesOfManySlots(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{0, 300} {
		e := &inventory.Enclosure{LogicalID: "5000ccab04001000", Vendor: "ACME", Product: "JBOD-60"}
		for slot := range slots {
			e.Drives = append(e.Drives, inventory.Drive{Slot: inventory.SlotNumber(slot), InUse: []string{}})
		}
		for _, width := range []int{40, 80, 200} {
			got := (Screen{Width: width}).Drives([]*inventory.Enclosure{e}, nil, true)
			if n := len(regexp.MustCompile(`(?m)^\d+ +- `).FindAllString(got, -1)); n != slots {
				t.Errorf("%d slots at %d columns have %d rows:\n%s", slots, width, n, got)
			}
			want := map[int]string{0: ": no drives.\n", 300: ": 300 drives, 0 in use.\n"}[slots]
			if !strings.Contains(strings.ReplaceAll(got, "\n  ", " "), want) {
				t.Errorf("%d slots at %d columns = %s; want %q", slots, width, got, want)
			}
		}
	}
}

// planWords are the words that a plan's view must have at any width.
func planWords(p *plan.Plan) []string {
	var words []string
	for i := range p.Steps {
		r := planRow(&p.Steps[i], p.Waves, plan.AllThings)
		// All but the extra columns, and WAVE, which is one digit.
		for _, c := range []int{planAddress, planName, planNow, planTo, planAction, planMode, planEffect, planWhy} {
			words = append(words, strings.Fields(r.cells[c])...)
		}
	}
	for _, w := range p.Warnings {
		words = append(words, strings.Fields(w)...)
	}
	return words
}

// losesNothing tells of words that a text lacks, and of lines that are too wide.
func losesNothing(t *testing.T, name, text string, words []string, width int) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s lacks %q", name, word)
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if twwidth.Width(line) > width && strings.Contains(strings.TrimSpace(line), " ") && !strings.HasPrefix(line, "Digest") {
			t.Errorf("%s has a line of %d: %q", name, twwidth.Width(line), line)
		}
	}
}

// Every rule of the planner as reviewers meet it: the table stands beside its plan.
func TestTablesOfTheRules(t *testing.T) {
	t.Parallel()
	plans, err := filepath.Glob(filepath.Join("..", "..", "plan", "build", "testdata", "*", "plan.json"))
	if err != nil || len(plans) == 0 {
		t.Fatalf("there are no plans: %v", err)
	}
	for _, file := range plans {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(file)
		for _, width := range []int{60, 120, 200} {
			losesNothing(t, fmt.Sprintf("%s at %d columns", filepath.Base(dir), width), (Screen{Width: width}).Plan(p, noon, true), planWords(p), width)
		}
		got := (Screen{Width: 80}).Plan(p, noon, true)
		isGolden(t, filepath.Join(dir, "table.txt"), got)
		losesNothing(t, filepath.Base(dir), got, planWords(p), 80)
	}
}

// Columns that are left out are named, and none is where there is room.
func TestPlanViewNamesLeftOut(t *testing.T) {
	t.Parallel()
	if got := (Screen{Width: 80}).Plan(examplePlan(), noon, false); !strings.Contains(got, "Not shown at this width: host, image, time.") {
		t.Errorf("Plan(80) = %s; want the columns that were left out named", got)
	}
	got := (Screen{Width: 250}).Plan(examplePlan(), noon, false)
	for _, want := range []string{"NAME", "HOST", "IMAGE", "TIME", "WHY", "r12u20", "stor2", "iom-0611 > iom-0702", "1h15m"} {
		if !strings.Contains(got, want) {
			t.Errorf("Plan(250) lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Not shown") {
		t.Errorf("Plan(250) leaves columns out:\n%s", got)
	}
}

// The waves of one opening, and the soaks between them, have to fit into it.
func TestTimeLine(t *testing.T) {
	t.Parallel()
	for soak, want := range map[time.Duration]string{
		20 * time.Minute: "Time: wave 1 up to 50 min + soak 20 min + wave 2 up to 50 min, of 2 h (night); wave 3 up to 50 min. In all up to 2 h 50 min.",
		21 * time.Minute: "Time: wave 1 up to 50 min + soak 21 min + wave 2 up to 50 min, of 2 h (night), more than one opening; wave 3 up to 50 min. In all up to 2 h 51 min.",
	} {
		p := &plan.Plan{Windows: map[string]window.Window{"lunch": {Duration: "30m"}, "night": {Duration: "2h"}}}
		for n := 1; n <= 3; n++ {
			p.Waves = append(p.Waves, plan.Wave{Number: n, Kind: plan.ResetWave, Windows: []string{"lunch", "night"}})
			p.Steps = append(p.Steps, plan.Step{FaultDomain: 1, Hops: []plan.Hop{{Modes: []plan.Mode{plan.Mode7}}}, Waves: plan.StepWaves{Reset: n}, WorstDuration: plan.Duration(50 * time.Minute)})
		}
		p.Waves[0].Soak = plan.Duration(soak)
		p.Waves[2].Windows = nil
		if got := timeLine(p); got != want {
			t.Errorf("timeLine with a soak of %s = %s; want %s", soak, got, want)
		}
	}
}

// What is expected stands before what is possible, and does not count against a window.
func TestTimeLineWithExpectations(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{Windows: map[string]window.Window{"night": {Duration: "2h"}}}
	for n := 1; n <= 2; n++ {
		p.Waves = append(p.Waves, plan.Wave{Number: n, Kind: plan.ResetWave, Windows: []string{"night"}})
		p.Steps = append(p.Steps, plan.Step{
			Action: plan.Update, FaultDomain: 1, Hops: []plan.Hop{{Modes: []plan.Mode{plan.Mode7}}}, Waves: plan.StepWaves{Reset: n},
			WorstDuration: plan.Duration(70 * time.Minute), ExpectedDuration: plan.Duration(12*time.Minute + 5*time.Second), ExpectedFrom: n,
		})
	}
	p.Waves[0].Soak = plan.Duration(10 * time.Minute)
	const known = "Time: wave 1 expected 12 min 5 s, at most 1 h 10 min (from 1 run) + soak 10 min + " +
		"wave 2 expected 12 min 5 s, at most 1 h 10 min (from 2 runs), of 2 h (night), more than one opening. " +
		"In all expected 34 min 10 s, at most 2 h 30 min (from 1 run)."
	if got := timeLine(p); got != known {
		t.Errorf("timeLine = %s; want %s", got, known)
	}
	p.Steps[1].ExpectedDuration, p.Steps[1].ExpectedFrom = 0, 0
	const want = "Time: wave 1 expected 12 min 5 s, at most 1 h 10 min (from 1 run) + soak 10 min + " +
		"wave 2 up to 1 h 10 min, of 2 h (night), more than one opening. In all up to 2 h 30 min."
	if got := timeLine(p); got != want {
		t.Errorf("timeLine with a wave of which nothing is known = %s; want %s", got, want)
	}
}

// If all components are canaries that is said: none of them tells anything of the rest.
func TestAllCanaries(t *testing.T) {
	t.Parallel()
	p := examplePlan()
	for _, all := range []bool{false, true} {
		p.Waves[1].Canary = all
		const want = "All components are canaries (c), so none waits for others."
		if got := scheduleLines(p, noon); slices.Contains(got, want) != all {
			t.Errorf("scheduleLines, all canaries %t = %q", all, got)
		}
	}
}

// Scans of different times are told with what they were old when the plan was made.
func TestScanned(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{CreatedAt: noon, Scans: []plan.Scan{
		{Host: "stor1", ScannedAt: noon.Add(-59 * time.Second)}, {Host: "stor2", ScannedAt: noon.Add(-time.Minute)}, {Host: "stor3", ScannedAt: noon.Add(time.Hour)},
	}}
	for most, want := range map[int]string{
		3: "Scanned on stor1 (2026-11-22 11:59 UTC), stor2 (2026-11-22 11:59 UTC, 1 min old), stor3 (2026-11-22 13:00 UTC): 0 enclosures, 0 I/O modules",
		1: "Scanned on stor1 (2026-11-22 11:59 UTC), 2 more: 0 enclosures, 0 I/O modules",
	} {
		if got := scanned(p, most); got != want {
			t.Errorf("scanned of %d hosts = %s; want %s", most, got, want)
		}
	}
	p.Scans = p.Scans[:2] // in one minute
	if got, want := scanned(p, 2), "Scanned 2026-11-22 11:59 UTC on stor1, stor2: 0 enclosures, 0 I/O modules"; got != want {
		t.Errorf("scanned = %s; want %s", got, want)
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()
	colour := visible((Screen{Width: 80, Colour: true}).Plan(interfacePlan(), noon, false))
	if !strings.Contains(colour, "\x1b[31m-    5000ccab04001000/esp2/sub0") {
		t.Errorf("Plan with colour = %q; want the blocked row painted", colour)
	}
	plain := colour
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[33m"} {
		plain = strings.ReplaceAll(plain, code, "")
	}
	if diff := cmp.Diff((Screen{Width: 80}).Plan(interfacePlan(), noon, false), plain); diff != "" {
		t.Errorf("colour says more than text does (-without +with):\n%s", diff)
	}
}

// How often a row says that a component is reset: what is sure, and what a
// fallback to mode 7 may add.
func TestEffectCountsResets(t *testing.T) {
	t.Parallel()
	hop := func(activation plan.Activation, modes ...plan.Mode) plan.Hop {
		return plan.Hop{Modes: modes, Activation: activation}
	}
	for _, tt := range []struct {
		name string
		hops []plan.Hop
		want string
	}{
		{"an activation", []plan.Hop{hop(plan.WithApply)}, "resets"},
		{"a stepping stone, then staged", []plan.Hop{hop(plan.WithApply, plan.ModeE), hop(plan.Manual, plan.ModeE)}, "resets"},
		{"a stepping stone, then a fallback", []plan.Hop{hop(plan.WithApply, plan.ModeE, plan.Mode7), hop(plan.Manual, plan.ModeE, plan.Mode7)}, "resets 1-2x"},
		{"both by mode 7", []plan.Hop{hop(plan.Manual, plan.Mode7), hop(plan.Manual, plan.Mode7)}, "resets 2x"},
	} {
		s := plan.Step{Action: plan.Update, Hops: tt.hops, Disruption: plan.Disruption{Expected: plan.ESPReset, Worst: plan.ESPReset}}
		if got := effectOf(&s); got != tt.want {
			t.Errorf("%s: effectOf = %q; want %q", tt.name, got, tt.want)
		}
	}
}

// Words that stand for the worst there is.
func TestWordsForTheWorst(t *testing.T) {
	t.Parallel()
	p := interfacePlan()
	short := p.Windows["saturday-night"]
	short.Duration = "1h"
	p.Windows["saturday-night"] = short
	for got, want := range map[string]string{
		effectOf(&plan.Step{Action: plan.Update, Disruption: plan.Disruption{Expected: plan.NoImpact, Worst: plan.IOInterruption}}): "I/O MAY STOP",
		healthOf(inventory.Health{Unrecoverable: true, Critical: true}):                                                             "UNRECOVERABLE",
		healthOf(inventory.Health{Critical: true}):                                                                                  "CRITICAL",
		healthOf(inventory.Health{Failures: []string{"Cooling 1: non-critical"}}):                                                   "degraded",
		timeLine(p): ", of 1 h (saturday-night), more than one opening. In all up to 1 h 37 min.",
	} {
		if !strings.HasSuffix(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// isGolden compares what is shown with a golden file, which -update writes.
func isGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

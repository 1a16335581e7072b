package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/plan"
)

// The columns of a plan.
const (
	planWave = iota
	planAddress
	planName
	planHost
	planNow
	planTo
	planImage
	planAction
	planMode
	planEffect
	planTime
	planWhy
)

var planColumns = []column{
	planWave: {"WAVE", below}, planAddress: {"ADDRESS", key}, planName: {"NAME", label}, planHost: {"HOST", extra},
	planNow: {"NOW", below}, planTo: {"TO", below}, planImage: {"IMAGE", extra}, planAction: {"ACTION", below},
	planMode: {"MODE", below}, planEffect: {"EFFECT", below}, planTime: {"TIME", extra}, planWhy: {"WHY", reason},
}

// Plan draws a plan.
func (sc Screen) Plan(p *plan.Plan, now time.Time) string {
	var lines []string
	add := func(line string) { lines = append(lines, sc.wrap(line, "", "  ")...) }
	add(planTitle(p))
	add(scanned(p, len(p.Scans)) + ".")
	if len(p.Steps) > 0 {
		t := table{columns: planColumns}
		for i := range p.Steps {
			t.rows = append(t.rows, planRow(&p.Steps[i], p.Waves))
		}
		rows, left := t.draw(sc)
		lines = append(append(lines, ""), rows...)
		if len(left) > 0 {
			lines = append(lines, "")
			add("Not shown at this width: " + strings.Join(left, ", ") + ".")
		}
	}
	lines = append(lines, "")
	add(planSummary(p))
	order := turnLines("Apply it in this order:", p.Commands, p)
	for _, line := range slices.Concat(scheduleLines(p, now), hookLines(p), order) {
		add(line)
	}
	add("Digest " + p.Digest)
	for i, w := range p.Warnings {
		if i == 0 {
			lines = append(lines, "")
		}
		for _, line := range sc.wrap("WARNING "+w, "", "        ") {
			lines = append(lines, sc.paint(warning, line))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// planTitle says which plan this is, and of which desired state.
func planTitle(p *plan.Plan) string {
	title := "Plan " + plan.ShortDigest(p.Digest)
	if p.DesiredState.Name != "" {
		title += " of " + p.DesiredState.Name
	}
	source := "no desired state"
	if p.DesiredState.SHA256 != "" {
		source = "desired state " + plan.ShortDigest(p.DesiredState.SHA256)
	}
	return title + " (" + source + "), no device changed."
}

// planRow returns what a plan does with one component, in planColumns.
func planRow(s *plan.Step, waves []plan.Wave) row {
	var to, images, modes []string
	for _, h := range s.Hops {
		to = append(to, h.Brings())
		images = append(images, h.Image.Name)
		modes = append(modes, modeOf(h))
	}
	if len(to) == 0 {
		to = []string{s.Desired}
	}
	r := row{cells: []string{
		planWave: wavesOf(s, waves), planAddress: s.Address, planName: s.Name, planHost: s.Host, planNow: s.Current,
		planTo: strings.Join(to, " > "), planImage: strings.Join(images, " > "), planAction: string(s.Action),
		planMode: strings.Join(modes, " > "), planEffect: effectOf(s), planWhy: "",
	}}
	why := slices.Clone(s.Reasons)
	if s.Acts() {
		r.cells[planTime] = s.WorstDuration.String()
		if risk := riskOf(s); risk != "" {
			why = append(why, risk)
		}
		if s.Disruption.Worst == plan.IOInterruption {
			r.tone = alarm
		}
	}
	if s.Action == plan.Blocked {
		r.cells[planAction], r.tone = strings.ToUpper(string(s.Action)), alarm
	}
	r.cells[planWhy] = strings.Join(why, "\n")
	r.fill()
	return r
}

// riskOf says what an update risks, and what it sends beside the image.
func riskOf(s *plan.Step) string {
	var risks []string
	for _, h := range s.Hops {
		if h.ActivationPage != "" && h.Activation == plan.WithApply {
			risks = append(risks, fmt.Sprintf("starts %s by sending the page %s in place of mode 0Fh",
				cmp.Or(h.To, "the image"), h.ActivationPage))
		}
	}
	if s.Disruption.Why != "" {
		risks = append(risks, s.Disruption.Why)
	}
	if s.Rollback == "" {
		risks = append(risks, noWayBack(s))
	}
	return strings.Join(risks, "; ")
}

// noWayBack says that no image brings back what a component runs.
func noWayBack(s *plan.Step) string {
	if n := len(s.Hops); n > 0 && s.Hops[n-1].Unversioned {
		return "no way back to what it runs"
	}
	return "no way back to " + s.Current
}

// wavesOf writes the waves that work on a step, those of canaries with a c: 1c,2c.
func wavesOf(s *plan.Step, waves []plan.Wave) string {
	var names []string
	for _, w := range waves {
		if s.In(w) {
			names = append(names, waveNumber(w))
		}
	}
	return strings.Join(names, ",")
}

// modeOf writes how a hop gets its image, and starts it: "e", "7", "e/7" (7
// where the device refuses e), "e+0F" (deferred, then activated), "e+page" (likewise, by a vendor's page), "0F".
func modeOf(h plan.Hop) string {
	var ways []string
	for _, m := range h.Modes {
		way := string(m)
		if h.Defers(m) && h.Activation == plan.WithApply {
			way += "+" + activationOf(h)
		}
		ways = append(ways, way)
	}
	if len(ways) == 0 {
		return activationOf(h)
	}
	return strings.Join(ways, "/")
}

func activationOf(h plan.Hop) string {
	switch {
	case h.ActivateBy == plan.ByPowerCycle:
		return "power"
	case h.ActivationPage != "":
		return "page"
	}
	return "0F"
}

// effectOf writes what a step disturbs.
func effectOf(s *plan.Step) string {
	switch s.Action {
	case plan.IsStaged:
		return "at power cycle"
	case plan.Update, plan.Activate:
	default:
		return ""
	}
	switch d := s.Disruption; {
	case d.Expected == plan.IOInterruption:
		return "I/O STOPS"
	case d.Worst == plan.IOInterruption:
		return "I/O MAY STOP"
	case len(s.Hops) == 1 && s.Hops[0].ActivateBy == plan.ByPowerCycle && !s.Hops[0].MayReset():
		return "at power cycle"
	case d.Expected == plan.ESPReset:
		switch sure, most := s.CountResets(); {
		case most > sure:
			return fmt.Sprintf("resets %d-%dx", sure, most)
		case sure > 1:
			return fmt.Sprintf("resets %dx", sure)
		}
		return "resets"
	case d.Worst == plan.ESPReset:
		return "may reset"
	}
	return "none"
}

// planSummary counts a plan's steps.
func planSummary(p *plan.Plan) string {
	text := "Plan: " + toDo(p.Steps)
	text += fmt.Sprintf(", %d staged, %d blocked, %d up to date", p.Summary.Staged, p.Summary.Blocked, p.Summary.NoOp)
	if n := p.Summary.Excepted; n > 0 {
		text += fmt.Sprintf(", %d excepted", n)
	}
	if n := p.Summary.Unmanaged; n > 0 {
		text += fmt.Sprintf(", %d unmanaged", n)
	}
	if n := p.Summary.Unread; n > 0 {
		text += fmt.Sprintf("; %d %s could not be read", n, english.PluralWord(n, "device", "devices"))
	}
	return text + "."
}

// toDo counts the steps that something is done with; those that disturb by the
// worst that they permit.
func toDo(steps []plan.Step) string {
	counts, worst := map[plan.Action]int{}, map[plan.Impact]int{}
	for _, s := range steps {
		counts[s.Action]++
		if s.Action == plan.Update || s.Action == plan.Activate {
			worst[s.Disruption.Worst]++
		}
	}
	text := fmt.Sprintf("%d to update", counts[plan.Update])
	if n := counts[plan.Activate]; n > 0 {
		text += fmt.Sprintf(", %d to activate", n)
	}
	if counts[plan.Update]+counts[plan.Activate] > 0 {
		parts := []string{fmt.Sprintf("%d without disruption", worst[plan.NoImpact])}
		if n := worst[plan.ESPReset]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s an I/O module", n, english.PluralWord(n, "resets", "reset")))
		}
		if n := worst[plan.IOInterruption]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s I/O", n, english.PluralWord(n, "stops", "stop")))
		}
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

// hookLines say which commands a plan runs around resets, and around how many
// components'.
func hookLines(p *plan.Plan) []string {
	var lines []string
	counts := map[string]int{}
	for _, s := range p.Steps {
		if s.Hooks == nil {
			continue
		}
		line := hooksOf(s.Hooks)
		if counts[line]++; counts[line] == 1 {
			lines = append(lines, line)
		}
	}
	for i, line := range lines {
		lines[i] = fmt.Sprintf("Hooks of %s, on their hosts: %s.", Components(counts[line]), line)
	}
	if len(lines) > 0 && p.Simulated {
		lines = append(lines, "Hooks are not run on a simulated rack.")
	}
	return lines
}

// hooksOf writes what is run around each reset of a component.
func hooksOf(h *plan.Hooks) string {
	var parts []string
	if len(h.BeforeReset) > 0 {
		parts = append(parts, "before each reset "+h.BeforeReset.String())
	}
	if len(h.AfterReset) > 0 {
		parts = append(parts, "after each reset "+h.AfterReset.String())
	}
	return strings.Join(append(parts, "each for up to "+h.Timeout.String()), "; ")
}

// scanned says when and where a plan's inventories were taken, and what they hold. If they
// differ in age it says so of each, and how old it was when the plan was made. At most so
// many hosts are named.
func scanned(p *plan.Plan, most int) string {
	same := !slices.ContainsFunc(p.Scans, func(s plan.Scan) bool {
		return Moment(s.ScannedAt) != Moment(p.Scans[0].ScannedAt)
	})
	var hosts []string
	for _, s := range p.Scans[:min(most, len(p.Scans))] {
		if !same {
			s.Host += " (" + Moment(s.ScannedAt)
			if age := p.CreatedAt.Sub(s.ScannedAt); age >= time.Minute {
				s.Host += ", " + Spell(age) + " old"
			}
			s.Host += ")"
		}
		hosts = append(hosts, s.Host)
	}
	if more := len(p.Scans) - most; more > 0 {
		hosts = append(hosts, fmt.Sprintf("%d more", more))
	}
	text := "Scanned"
	if same && len(p.Scans) > 0 {
		text += " " + Moment(p.Scans[0].ScannedAt)
	}
	enclosures, esps := map[string]bool{}, map[string]bool{}
	for _, s := range p.Steps {
		enclosures[s.Enclosure] = true
		esps[s.LUID] = true
	}
	return text + " on " + strings.Join(hosts, ", ") + ": " + Counted(len(enclosures), len(esps))
}

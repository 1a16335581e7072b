package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/plan"
	"fwctl/plan/group"
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
	planProduct
	planWhy
)

var planColumns = []column{
	planWave: {"WAVE", below}, planAddress: {"ADDRESS", key}, planName: {"NAME", label}, planHost: {"HOST", extra},
	planNow: {"NOW", below}, planTo: {"TO", below}, planImage: {"IMAGE", extra}, planAction: {"ACTION", below},
	planMode: {"MODE", below}, planEffect: {"EFFECT", below}, planTime: {"TIME", extra},
	planProduct: {"PRODUCT", spare}, planWhy: {"WHY", reason},
}

// rowsMost is how many components a plan has at most to show a row for each of them
// without being asked to.
const rowsMost = 20

// isLarge reports whether a plan's components are grouped unless each is asked for.
func isLarge(p *plan.Plan) bool { return len(p.Steps) > rowsMost }

// Plan draws a plan: a row for each component if there are few, or details are wanted, else a row
// for each group of them.
func (sc Screen) Plan(p *plan.Plan, now time.Time, details bool) string {
	if isLarge(p) && !details {
		return sc.grouped(p, now)
	}
	var lines []string
	add := func(line string) { lines = append(lines, sc.wrap(line, "", "  ")...) }
	add(planTitle(p))
	add(scanned(p, len(p.Scans)) + ".")
	if len(p.Steps) > 0 {
		t, things := table{columns: planColumns}, thingsNamed(details)
		for i := range p.Steps {
			t.rows = append(t.rows, planRow(&p.Steps[i], p.Waves, things))
		}
		rows, left := t.draw(sc)
		lines = append(append(lines, ""), rows...)
		if len(left) > 0 {
			lines = append(lines, "")
			add("Not shown at this width: " + strings.Join(left, ", ") + ".")
		}
	}
	schedule := scheduleLines(p, now)
	if isLarge(p) && len(p.Waves) > 0 {
		lines = append(append(lines, ""), sc.waves(wavesOfPlan(p, len(p.Waves)), p, now)...)
		schedule = append([]string{totalLine(p)}, canaryLines(p)...)
	}
	lines = append(lines, "")
	add(planSummary(p))
	order := turnLines("Apply it in this order:", p.Commands, p, everything)
	for _, line := range slices.Concat(schedule, commandLines(p), order) {
		add(line)
	}
	add("Digest " + p.Digest)
	for i, w := range p.Warnings {
		if i == 0 {
			lines = append(lines, "")
		}
		lines = append(lines, sc.warning(w)...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// warning draws a warning.
func (sc Screen) warning(text string) []string {
	lines := sc.wrap("WARNING "+text, "", "        ")
	for i := range lines {
		lines[i] = sc.paint(warning, lines[i])
	}
	return lines
}

// planTitle returns the heading of a plan, with its digest and desired state.
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

// thingsNamed is how many things at stake a row names.
func thingsNamed(details bool) int {
	if details {
		return plan.AllThings
	}
	return plan.SomeThings
}

// planRow returns what a plan does with one component, in planColumns. It names so many of
// the things at stake, and counts the others.
func planRow(s *plan.Step, waves []plan.Wave, things int) row {
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
		planMode: strings.Join(modes, " > "), planEffect: effectOf(s), planProduct: productOf(s),
		planWhy: whyStep(s),
	}}
	if s.Acts() {
		r.cells[planTime] = timeOf(s)
		r.cells[planWhy] = strings.Trim(r.cells[planWhy]+"\n"+s.StakeWords(things), "\n")
		if s.Disruption.Worst == plan.IOInterruption {
			r.tone = alarm
		}
	}
	if s.Action == plan.Blocked {
		r.cells[planAction], r.tone = strings.ToUpper(string(s.Action)), alarm
	}
	r.fill()
	return r
}

// whyStep returns why a component is updated, or not, and what that risks, on lines.
func whyStep(s *plan.Step) string {
	why := slices.Clone(s.Reasons)
	if s.Acts() {
		if risk := riskOf(s); risk != "" {
			why = append(why, risk)
		}
	}
	return strings.Join(why, "\n")
}

// timeOf returns how long a step is expected to take, - if that is unknown, and may take at most: 12m/29m.
func timeOf(s *plan.Step) string {
	expected := "-"
	if e := s.Expected(); e.Known() {
		expected = e.Time.String()
	}
	return expected + "/" + s.WorstDuration.String()
}

// productOf names the product of a component.
func productOf(s *plan.Step) string { return strings.TrimSpace(s.Vendor + " " + s.Product) }

// riskOf returns what an update risks, and what it sends beside the image.
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

// noWayBack says that no image brings back the revision that a component runs.
func noWayBack(s *plan.Step) string {
	if n := len(s.Hops); n > 0 && s.Hops[n-1].Unversioned {
		return "no way back to what it runs"
	}
	return "no way back to " + s.Current
}

// wavesOf returns the waves that work on a step, those of canaries with a c: 1c,2c.
func wavesOf(s *plan.Step, waves []plan.Wave) string {
	var names []string
	for _, w := range waves {
		if s.In(w) {
			names = append(names, waveNumber(w))
		}
	}
	return strings.Join(names, ",")
}

// modeOf returns how a hop gets its image, and starts it: "e", "7", "e/7" (7 if the device refuses
// e), "e+0F" (deferred, then activated), "e+page" (likewise, by a vendor's page), "0F".
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

// effectOf returns what a step disturbs.
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

// AtStake draws what steps put at stake together, for the person who is about to start them; "" if
// that is nothing.
func (sc Screen) AtStake(steps []*plan.Step) string {
	text := plan.StakeWords(steps, plan.SomeThings)
	if text == "" {
		return ""
	}
	return strings.Join(sc.wrap(strings.ToUpper(text[:1])+text[1:]+".", "", "  "), "\n") + "\n"
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

// toDo counts the steps that something is done with, and those that disturb by their worst impact.
func toDo(steps []plan.Step) string {
	counts, worst := map[plan.Action]int{}, map[plan.Impact]int{}
	for _, s := range steps {
		counts[s.Action]++
		if s.Acts() {
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

// commandLines returns which commands a plan runs.
func commandLines(p *plan.Plan) []string {
	lines := hookLines(p)
	if len(p.Notify) > 0 && p.Summary.Acts() {
		lines = append(
			lines,
			fmt.Sprintf("Notify, on each host: %s, at the start, on a failure, when a person is needed, "+
				"and at the end.", p.Notify),
		)
		if p.Simulated {
			lines = append(lines, "Notify is not run on a simulated rack.")
		}
	}
	return lines
}

// hookLines returns which commands a plan runs around resets, and around those of how many
// components.
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

// hooksOf returns what is run around each reset of a component.
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

// scanned returns when and where a plan's inventories were taken, and what they hold. If they
// differ in age, it gives the age of each when the plan was made. It names at most so many hosts,
// or ranges of them.
func scanned(p *plan.Plan, most int) string {
	scans := slices.Clone(p.Scans)
	slices.SortStableFunc(scans, func(a, b plan.Scan) int { return group.CompareNames(a.Host, b.Host) })
	stamps := make([]string, len(scans))
	same := true
	for i, s := range scans {
		stamps[i] = Moment(s.ScannedAt)
		same = same && stamps[i] == Moment(scans[0].ScannedAt)
		if age := p.CreatedAt.Sub(s.ScannedAt); age >= time.Minute {
			stamps[i] += ", " + Spell(age) + " old"
		}
	}
	var items []string
	more := 0
	for i := 0; i < len(scans); {
		var hosts []string
		stamp := stamps[i]
		for ; i < len(scans) && (same || stamps[i] == stamp); i++ {
			hosts = append(hosts, scans[i].Host)
		}
		for _, r := range group.Ranges(hosts) {
			item := rangeText(r, plainName)
			if !same {
				item += " (" + stamp + ")"
			}
			if len(items) == most {
				more += r.Count
				continue
			}
			items = append(items, item)
		}
	}
	if more > 0 {
		items = append(items, fmt.Sprintf("%d more", more))
	}
	text := "Scanned"
	if same && len(scans) > 0 {
		text += " " + Moment(scans[0].ScannedAt)
	}
	enclosures, esps := map[string]bool{}, map[string]bool{}
	for i := range p.Steps {
		enclosures[p.Steps[i].Enclosure] = true
		esps[p.Steps[i].LUID] = true
	}
	return text + " on " + strings.Join(items, ", ") + ": " + Counted(len(enclosures), len(esps))
}

package ui

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/plan"
	"fwctl/plan/group"
)

// How many lines of a screen the parts of a grouped plan take at most: people read all of a short
// plan. The plan says what it abbreviates, and how to get all of it.
const (
	groupLinesMost   = 110
	wavesMost        = 12
	warningLinesMost = 24
	commandLinesMost = 12

	// Lines of names, where not all have room.
	nameLinesMost = 3
)

// The columns of a grouped plan.
const (
	groupWave = iota
	groupProduct
	groupCount
	groupNow
	groupTo
	groupAction
	groupMode
	groupEffect
	groupPolicy
	groupImage
	groupTime
	groupWhy
)

var groupColumns = []column{
	groupWave: {"WAVE", below}, groupProduct: {"PRODUCT", key}, groupCount: {"COUNT", below},
	groupNow: {"NOW", below}, groupTo: {"TO", below}, groupAction: {"ACTION", below}, groupMode: {"MODE", below},
	groupEffect: {"EFFECT", below}, groupPolicy: {"POLICY", below}, groupImage: {"IMAGE", extra},
	groupTime: {"TIME", extra}, groupWhy: {"COMPONENTS, WHY", reason},
}

// grouped draws a plan with a row for each group of components, in few lines whatever its size.
func (sc Screen) grouped(p *plan.Plan, now time.Time) string {
	var lines []string
	add := func(line string) { lines = append(lines, sc.wrap(line, "", "  ")...) }
	add(planTitle(p))
	add(scanned(p, 10) + ".")
	if policy, one := onePolicy(p); one {
		add("All that is wanted is by " + policy + ".")
	}
	rows, short := sc.groups(p)
	lines = append(append(lines, ""), rows...)
	if len(p.Waves) > 0 {
		stretches := wavesOfPlan(p, wavesMost)
		short = short || len(stretches) < len(p.Waves)
		lines = append(append(lines, ""), sc.waves(stretches[:min(wavesMost, len(stretches))], p, now)...)
		if more := len(stretches) - wavesMost; more > 0 {
			short = true
			add(fmt.Sprintf("and %d more.", more))
		}
	}
	lines = append(lines, "")
	add(planSummary(p))
	if len(p.Waves) > 0 {
		add(totalLine(p))
	}
	for _, line := range append(canaryLines(p), commandLines(p)...) {
		add(line)
	}
	order, shortOrder := sc.order(p)
	lines = append(lines, order...)
	add("Digest " + p.Digest)
	warnings, shortWarnings := sc.warnings(p)
	lines = append(lines, warnings...)
	lines = append(lines, "")
	add(howToGetAll(p, short || shortOrder || shortWarnings))
	return strings.Join(lines, "\n") + "\n"
}

// order draws the commands that carry a plan out, as many as have room, and reports whether it
// abbreviates any.
func (sc Screen) order(p *plan.Plan) (lines []string, short bool) {
	all := turnLines("Apply it in this order:", p.Commands, p, everything)
	for _, line := range turnLines("Apply it in this order:", p.Commands, p, nameLinesMost*sc.Width) {
		if len(lines) >= commandLinesMost {
			return append(lines, fmt.Sprintf("and %d more commands.", len(all)-len(lines))), true
		}
		short = short || line != all[len(lines)]
		lines = append(lines, line)
	}
	var drawn []string
	for _, line := range lines {
		drawn = append(drawn, sc.wrap(line, "", "  ")...)
	}
	return drawn, short
}

// howToGetAll says what a grouped plan does not show, and what shows it.
func howToGetAll(p *plan.Plan, short bool) string {
	text := fmt.Sprintf("%s in groups", Components(len(p.Steps)))
	if short {
		text += "; what has no room here is counted, or " + group.Differing + " stands for it"
	}
	return text + ". All rows: fwctl show PLAN --details, or fwctl plan with --details."
}

// onePolicy returns the policy of all components that have one, and whether there is only one.
func onePolicy(p *plan.Plan) (policy string, one bool) {
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Model == "" {
			continue
		}
		if by := policyOf(s); policy == "" {
			policy = by
		} else if by != policy {
			return "", false
		}
	}
	return policy, policy != ""
}

// policyOf names the policy of a component.
func policyOf(s *plan.Step) string {
	name := "the default policy"
	if s.Policy != "" {
		name = "policy " + OneLine(s.Policy)
	}
	if s.Reset == "" {
		return name
	}
	return name + ", reset " + string(s.Reset)
}

// groups draws the groups of a plan's components at the finest level that has room, and reports
// whether it abbreviates anything.
func (sc Screen) groups(p *plan.Plan) (lines []string, short bool) {
	_, onePolicy := onePolicy(p)
	few := nameLinesMost*(max(sc.Width, 40)-len(hang)) - len(" and 10000 more")
	for level := group.Fine; level <= group.Coarse; level++ {
		drawn := groupRows(p, level)
		for _, calm := range []bool{false, true} {
			// First with the names of all, then of alarming groups, then of as many as have room.
			if calm && !slices.ContainsFunc(drawn, func(g groupDrawn) bool { return !g.Alarming() }) {
				continue
			}
			all := func(g groupDrawn) bool { return !calm || g.Alarming() }
			if lines, ok := sc.groupsIn(drawn, onePolicy, few, all); ok {
				return lines, level > group.Fine || calm
			}
		}
		lines, ok := sc.groupsIn(drawn, onePolicy, few, func(groupDrawn) bool { return false })
		if ok || level == group.Coarse {
			return lines, true
		}
	}
	return nil, true
}

// groupsIn draws groups, some with all names and the others with few, and reports whether they
// have room. It does not draw groups that are far too long.
func (sc Screen) groupsIn(groups []groupDrawn, onePolicy bool, few int, all func(groupDrawn) bool) ([]string, bool) {
	t := table{columns: slices.Clone(groupColumns)}
	letters := 0
	for _, g := range groups {
		room := few
		if all(g) {
			room = everything
		}
		names, _ := placesText(g.places, plainName, room)
		letters += len(names)
		r := row{slices.Clone(g.row.cells), g.row.tone}
		r.cells[groupWhy] = strings.Join(append([]string{names}, g.why...), "\n")
		r.fill()
		t.rows = append(t.rows, r)
	}
	if len(groups) > groupLinesMost || letters > groupLinesMost*max(sc.Width, 40) {
		return nil, false
	}
	if onePolicy {
		// It is said above the table.
		t.leave(groupPolicy)
	}
	lines, left := t.draw(sc)
	if len(left) > 0 {
		lines = append(append(lines, ""),
			sc.wrap("Not shown at this width: "+strings.Join(left, ", ")+".", "", "  ")...)
	}
	return lines, len(lines) <= groupLinesMost
}

// groupDrawn is a group of components with its texts, other than where they are.
type groupDrawn struct {
	group.Group

	// row has the cells of groupColumns.
	row    row
	why    []string
	places []group.Place
}

// groupRows returns the groups of a plan's components at a level.
func groupRows(p *plan.Plan, level group.Level) []groupDrawn {
	var drawn []groupDrawn
	for _, g := range group.Of(p, level) {
		drawn = append(drawn, groupDrawn{g, groupRow(g, p.Waves, level), groupWhys(g), g.Places()})
	}
	return drawn
}

// groupRow returns what a plan does with a group of components, in groupColumns.
func groupRow(g group.Group, waves []plan.Wave, level group.Level) row {
	cells := make([][]string, len(planColumns))
	var products, policies []string
	r, longest := row{}, plan.Step{}
	for i, s := range g.Steps {
		longest.WorstDuration = max(longest.WorstDuration, s.WorstDuration)
		if e := s.Expected(); i == 0 || longest.Expected().Known() {
			longest.ExpectedDuration, longest.ExpectedFrom = max(longest.ExpectedDuration, e.Time), e.Runs
		}
		if i > 0 && level == group.Fine {
			// A fine group has nothing in which its components differ.
			continue
		}
		cells[planWave] = append(cells[planWave], wavesOf(s, waves))
		if i > 0 && level < group.Coarse {
			continue
		}
		one := planRow(s, waves, plan.SomeThings)
		for _, c := range []int{planNow, planTo, planAction, planMode, planEffect, planImage} {
			cells[c] = append(cells[c], one.cells[c])
		}
		r.tone = max(r.tone, one.tone)
		products = append(products, productOf(s))
		policy := ""
		if s.Model != "" {
			policy = cmp.Or(s.Policy, "default")
		}
		policies = append(policies, policy)
	}
	r.cells = []string{
		groupWave: wavesText(cells[planWave]), groupProduct: distinct(products), groupCount: strconv.Itoa(len(g.Steps)),
		groupNow: distinct(cells[planNow]), groupTo: distinct(cells[planTo]), groupAction: distinct(cells[planAction]),
		groupMode: distinct(cells[planMode]), groupEffect: distinct(cells[planEffect]), groupPolicy: distinct(policies),
		groupImage: distinct(cells[planImage]), groupTime: "", groupWhy: "",
	}
	if g.Steps[0].Acts() {
		r.cells[groupTime] = timeOf(&longest)
	}
	return r
}

// groupWhys returns why a group's components are updated, or not, what that risks, and what it
// puts at stake.
func groupWhys(g group.Group) []string {
	lines := groupReasons(g)
	if stakes := plan.StakeWords(g.Steps, plan.SomeThings); stakes != "" {
		lines = append(lines, stakes)
	}
	return lines
}

func groupReasons(g group.Group) []string {
	whys := make([]string, len(g.Steps))
	for i, s := range g.Steps {
		whys[i] = whyStep(s)
	}
	var lines []string
	reasons := group.Reasons(whys)
	for i, reason := range reasons {
		if i == reasonsMost {
			return append(lines, fmt.Sprintf("and %d more reasons", len(reasons)-i))
		}
		text := reason.Text
		if reason.Components < len(g.Steps) {
			text = fmt.Sprintf("%d of them: %s", reason.Components, text)
		}
		lines = append(lines, text)
	}
	return lines
}

// reasonsMost is how many reasons of a group are shown.
const reasonsMost = 8

// distinct returns what the components of a group have in a column.
func distinct(cells []string) string {
	var seen []string
	for _, c := range cells {
		if !slices.Contains(seen, c) {
			if seen = append(seen, c); len(seen) > 3 {
				return "various"
			}
		}
	}
	if len(seen) > 1 {
		slices.SortFunc(seen, group.CompareNames)
		for i := range seen {
			seen[i] = cmp.Or(seen[i], "-")
		}
	}
	return strings.Join(seen, " or ")
}

// wavesText returns the waves that work on the components of a group.
func wavesText(cells []string) string {
	text := distinct(cells)
	if text != "various" {
		return text
	}
	numbers := map[string]bool{}
	for _, c := range cells {
		for number := range strings.SplitSeq(c, ",") {
			numbers[number] = true
		}
	}
	delete(numbers, "-")
	var all []string
	for n := range numbers {
		all = append(all, n)
	}
	slices.SortFunc(all, group.CompareNames)
	return all[0] + "-" + all[len(all)-1]
}

// warnings draws a plan's warnings, those that say the same once, and reports whether it
// abbreviates any.
func (sc Screen) warnings(p *plan.Plan) (lines []string, short bool) {
	draw := func(level group.Level, nameLines int) (lines []string) {
		room := everything
		if nameLines < everything {
			room = nameLines * max(sc.Width-len(hang), 40)
		}
		for i, w := range group.Warnings(p, level) {
			if i == 0 {
				lines = append(lines, "")
			}
			lines = append(lines, sc.warning(warningText(w, plainName, room))...)
		}
		return lines
	}
	if lines = draw(group.Fine, everything); len(lines) <= warningLinesMost {
		return lines, false
	}
	if lines = draw(group.Fine, nameLinesMost); len(lines) <= warningLinesMost {
		return lines, true
	}
	return draw(group.Alike, nameLinesMost), true
}

// warningText returns a warning, with the enclosures that it is about in front.
func warningText(w group.Warning, name func(string) string, room int) string {
	if len(w.Places) == 0 {
		if w.Count > 1 {
			return fmt.Sprintf("%s (%d times)", w.Text, w.Count)
		}
		return w.Text
	}
	places, _ := placesText(w.Places, name, room)
	return places + ": " + w.Text
}

// waveStretch is one wave, or several that are alike.
type waveStretch struct {
	waves []plan.Wave
	steps []*plan.Step

	expected plan.Expected
	worst    plan.Duration
}

// wavesOfPlan returns the waves of a plan with what each works on. If there are more than so many,
// waves in sequence that are alike are one; if there are still more, so are others that are alike.
func wavesOfPlan(p *plan.Plan, most int) []waveStretch {
	times := p.Times()
	steps := map[int][]*plan.Step{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if !s.Acts() {
			continue
		}
		for _, n := range slices.Compact([]int{s.Waves.Stage, s.Waves.Reset}) {
			steps[n] = append(steps[n], s)
		}
	}
	var all []waveStretch
	for i, w := range p.Waves {
		if n := len(all); n > 0 && len(p.Waves) > most && alikeWaves(p.Waves[i-1], w) {
			s := &all[n-1]
			s.waves, s.steps = append(s.waves, w), append(s.steps, steps[w.Number]...)
			s.expected, s.worst = times.Span(p, i-len(s.waves)+1, i+1)
			continue
		}
		all = append(all, waveStretch{[]plan.Wave{w}, steps[w.Number], times.Expected[i], times.Worst[i]})
	}
	if len(all) > most {
		all = joinStretches(all)
	}
	return all
}

// joinStretches puts stretches together that are alike, whatever is between them.
func joinStretches(all []waveStretch) []waveStretch {
	var joined []waveStretch
	for _, s := range all {
		i := slices.IndexFunc(joined, func(j waveStretch) bool { return alikeWaves(j.waves[0], s.waves[0]) })
		if i < 0 {
			joined = append(joined, s)
			continue
		}
		j := &joined[i]
		soak := j.waves[len(j.waves)-1].Soak
		j.waves, j.steps = append(j.waves, s.waves...), append(j.steps, s.steps...)
		j.expected, j.worst = j.expected.Then(soak, s.expected), j.worst+soak+s.worst
	}
	return joined
}

// numbersOf returns the numbers of waves: 3, 4-9, or the first and how many others there are.
func numbersOf(waves []plan.Wave) string {
	first, last := waves[0], waves[len(waves)-1]
	switch {
	case len(waves) == 1:
		return waveNumber(first)
	case last.Number-first.Number == len(waves)-1:
		return waveNumber(first) + "-" + waveNumber(last)
	}
	return fmt.Sprintf("%s and %d more", waveNumber(first), len(waves)-1)
}

func alikeWaves(a, b plan.Wave) bool {
	return a.Kind == b.Kind && a.Canary == b.Canary && a.PowerCycle == b.PowerCycle &&
		slices.Equal(a.Windows, b.Windows)
}

// The columns of the waves.
const (
	waveNumbers = iota
	waveWork
	waveComponents
	waveExpected
	waveWorst
	waveWhen
)

// waves draws what runs when, on which host, and in which window.
func (sc Screen) waves(stretches []waveStretch, p *plan.Plan, now time.Time) []string {
	t := table{columns: []column{
		waveNumbers: {"WAVE", key}, waveWork: {"DOES", below}, waveComponents: {"COMPONENTS", below},
		waveExpected: {"EXPECTED", below}, waveWorst: {"AT MOST", below}, waveWhen: {"WHERE, WHEN", reason},
	}}
	for _, s := range stretches {
		t.rows = append(t.rows, row{cells: waveRow(s, p, now)})
	}
	lines, _ := t.draw(sc)
	return lines
}

// hostsRoom is how many characters of hosts a wave shows at most: --details and the commands list
// what each host has to do.
const hostsRoom = 300

// waveRow returns what runs in a wave.
func waveRow(s waveStretch, p *plan.Plan, now time.Time) []string {
	first, last := s.waves[0], s.waves[len(s.waves)-1]
	work := string(first.Kind)
	if first.PowerCycle {
		work = "power cycle"
	}
	enclosures := map[string]bool{}
	for _, step := range s.steps {
		enclosures[step.Enclosure] = true
	}
	when := "at any time"
	if len(first.Windows) > 0 {
		when = opens(p, first, now)
	}
	where := "on " + namesIn(group.HostsOf(s.steps), hostsRoom) + "; " + when
	if last.Soak > 0 && last.Number < len(p.Waves) {
		where += "; then soak " + Spell(last.Soak)
	}
	expected := "-"
	if s.expected.Known() {
		expected = Spell(s.expected.Time)
	}
	return []string{
		waveNumbers: numbersOf(s.waves), waveWork: work, waveExpected: expected,
		waveComponents: fmt.Sprintf("%d in %s", len(s.steps), english.Plural(len(enclosures), "enclosure", "")),
		waveWorst:      Spell(s.worst), waveWhen: where,
	}
}

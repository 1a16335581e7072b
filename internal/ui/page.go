package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/plan"
	"fwctl/plan/group"
)

// page is all that the template shows.
type page struct {
	frame

	Digest, Command, Made, From string

	Warnings []string
	Unread   []plan.Unread

	Stakes []stakeRow
	// StakesCut, PicturesCut and RowsCut are notes above these if the page has no room for all;
	// "" if it has.
	StakesCut, PicturesCut, RowsCut string
	NothingAtStake                  string

	Schedule, WaveHeads []string
	Waves               []pageWave
	Charts              []chart
	// WavesAre says which waves share a row, "" if each has its own.
	WavesAre        string
	Order, Programs []string

	Enclosures []enclosurePicture
	Blocked    []blockedRow

	Groups               []pageRow
	Rows                 []pageRow
	GroupHeads, RowHeads []string
	Kinds                []kindOption
	Signs                []sign

	Policies []policyRow
	Waivers  []waiverRow
	Rollout  string
	Windows  []windowRow
	Images   []imageRow
}

type (
	pageWave   struct{ Name, Work, Components, Hosts, Expected, Worst, When string }
	blockedRow struct {
		Why   []string
		Where string
	}
	kindOption struct{ Value, Label string }
	policyRow  struct {
		Name, Reset, Asked, Without string
		Steps                       int
	}
	waiverRow struct{ Gate, Where, Why string }
	windowRow struct{ Name, Rule string }
	imageRow  struct{ Name, Size, For, SHA256 string }
)

// pageRow is a component, or a group of them.
type pageRow struct {
	// Name to Seconds are of a component.
	Name, Address, Image, Expected, Worst string
	// Seconds is how long it takes at worst, to sort by.
	Seconds int64
	// Count and Where are of a group.
	Count int
	Where string

	What, Change, Action, Mode, Effect, Waves string
	Why                                       []string
	// Kinds are the words that filter it, separated by blanks.
	Kinds          string
	Alarm, Blocked bool
	// Tone is that of the effect: "", "resets" or "alarm".
	Tone string
}

// pageRoom is how much of each a page has at most. What has no room shares a row with others that
// have the same entries, and the page says so.
type pageRoom struct{ rows, pictures, stakes, warnings, waves int }

var (
	// Browsers open more than that after a while, and nobody reads it.
	somePageRoom = pageRoom{rows: 5000, pictures: 500, stakes: 2000, warnings: 200, waves: 200}

	allPageRoom = pageRoom{everything, everything, everything, everything, everything}
)

// PlanPage returns a plan as a page of HTML. Above its rows, a large plan has its groups unless only
// details are wanted; a very large one has rows only for what a reviewer looks at first.
func PlanPage(p *plan.Plan, simulated string, now time.Time, details bool) ([]byte, error) {
	room := somePageRoom
	if details {
		room = allPageRoom
	}
	return planPageIn(room, p, simulated, now, isLarge(p) && !details)
}

func planPageIn(room pageRoom, p *plan.Plan, simulated string, now time.Time, groups bool) ([]byte, error) {
	title := "Firmware plan " + plan.ShortDigest(p.Digest)
	if p.DesiredState.Name != "" {
		title += " of " + p.DesiredState.Name
	}
	view := &page{
		frame: newFrame("change review", title, simulated, planSummary(p)), Digest: p.Digest,
		Command: plan.Command{"fwctl", "apply", "PLAN", "--expect", p.Digest}.String(),
		Made:    Moment(p.CreatedAt), From: pageSource(p), Warnings: pageWarnings(p, room.warnings), Unread: p.Unread,
		Schedule: scheduleLines(p, now), Waves: wavesOfPage(p, room.waves, now), Charts: chartsOf(p, now),
		WaveHeads: []string{"Wave", "Does", "Components", "Hosts", "Expected", "At most", "Window"},
		Order:     turnLines("Apply it in this order", p.Commands, p, everything), Programs: commandLines(p),
		Blocked:  blockedRows(p),
		RowHeads: []string{"Component", "Revision, image", "Action", "Effect", "Wave", "Time", "Why"},
		Signs:    signsIn(p), Rollout: rolloutText(p.Rollout),
	}
	view.WavesAre = wavesAre(p, view.Waves)
	view.Tiles = tilesOf(p)
	view.addStakes(p, room.stakes)
	view.addPictures(p, room.pictures)
	view.Foot = madeOf("plan "+p.Digest, now) + " The plan file, not this page, is what is applied."
	var steps []*plan.Step
	for i := range p.Steps {
		steps = append(steps, &p.Steps[i])
	}
	view.NothingAtStake = nothingAtStake(worstOf(steps))
	for _, s := range view.listed(p, room.rows) {
		view.Rows = append(view.Rows, pageRowOf(s, p.Waves))
	}
	if groups {
		view.Groups = pageGroups(p)
		view.GroupHeads = []string{"Components", "Revision, image", "Action", "Effect", "Wave", "Why"}
	}
	view.Kinds = kindsOf(view.Rows)
	view.addPolicies(p)
	view.addSections()
	return write(planPage, view)
}

// listed returns the components that have a row of their own: all, unless there are more than so many.
// Then those are that are blocked or whose I/O may stop, as far as they have room.
func (v *page) listed(p *plan.Plan, most int) []*plan.Step {
	var all, alarming []*plan.Step
	for i := range p.Steps {
		s := &p.Steps[i]
		all = append(all, s)
		if s.Action == plan.Blocked || effectTone(s) == "alarm" {
			alarming = append(alarming, s)
		}
	}
	if len(all) <= most {
		return all
	}
	rows := alarming[:min(len(alarming), most)]
	of := "that are blocked or whose I/O may stop"
	if n := len(alarming); len(rows) < n {
		of = "of the " + english.Plural(n, "component", "") + " " + of
	}
	v.RowsCut = fmt.Sprintf("A row for each stands here for %s %s. The other %s: in the groups above, each enclosure "+
		"by name. All rows: fwctl show PLAN -o html --details, and the plan file.",
		Components(len(rows)), of, english.Plural(len(all)-len(rows), "component", ""))
	return rows
}

// pageWarnings are a plan's warnings: of very many those that say the same once.
func pageWarnings(p *plan.Plan, most int) []string {
	if len(p.Warnings) <= most {
		return p.Warnings
	}
	var all []string
	for _, w := range group.Warnings(p, group.Fine) {
		all = append(all, warningText(w, plainName, everything))
	}
	return all
}

// addStakes lists what is at stake, what stops first. Of very many things those of a kind that
// keep a path stand together, and at last those that stop.
func (v *page) addStakes(p *plan.Plan, most int) {
	all := stakesOf(p)
	stops := 0
	for _, f := range all {
		if f.effect == plan.Stops {
			stops++
		}
	}
	joined := map[plan.StakeEffect]bool{plan.KeepsPath: len(all) > most, plan.Stops: stops > most}
	if len(all) > most {
		v.StakesCut = fmt.Sprintf(
			"There are %s; those of a kind stand together, each by name. Slots and components of "+
				"each: fwctl show PLAN -o html --details, and the plan file.",
			english.Plural(len(all), "thing", ""),
		)
	}
	v.Stakes = stakeRows(p, all, joined)
}

// addPictures draws the enclosures that a plan touches: of very many those where I/O may stop,
// and others as far as they have room.
func (v *page) addPictures(p *plan.Plan, most int) {
	touched := touchedEnclosures(p)
	if n := len(touched); n > most {
		touched = touched[:most]
		v.PicturesCut = fmt.Sprintf("Drawn are %d of %s, those where I/O may stop first. The others: in the groups "+
			"below, each by name. All pictures: fwctl show PLAN -o html --details.", most,
			english.Plural(n, "enclosure", ""))
	}
	v.Enclosures = enclosurePictures(p, touched)
}

// nothingAtStake says why a plan that may come to a worst lists nothing at stake.
func nothingAtStake(worst plan.Impact) string {
	switch worst {
	case plan.NoImpact:
		return "Nothing: no step of this plan may reset an I/O module."
	case plan.IOInterruption:
		return "I/O may stop, and this plan does not list of what: see why, at the components."
	}
	return "This plan lists nothing in use behind what it may reset: see why, at the components."
}

// pageSource says what a plan was made from.
func pageSource(p *plan.Plan) string {
	source := "No desired state. "
	if p.DesiredState.SHA256 != "" {
		source = "Desired state " + plan.ShortDigest(p.DesiredState.SHA256) + ". "
	}
	return source + scanned(p, len(p.Scans)) + "."
}

// tilesOf counts what a reviewer looks for first.
func tilesOf(p *plan.Plan) []tile {
	resets, stops := 0, 0
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Acts() {
			switch s.Disruption.Worst {
			case plan.ESPReset:
				resets++
			case plan.IOInterruption:
				stops++
			}
		}
	}
	sum := p.Summary
	tiles := []tile{
		{Count: sum.Update + sum.Activate, Label: "to change"},
		{Count: resets, Label: english.PluralWord(resets, "resets a module", "reset a module")},
		{Count: stops, Label: "may stop I/O", Alarm: stops > 0},
		{Count: sum.Blocked, Label: "blocked", Alarm: sum.Blocked > 0},
		{Count: sum.Staged, Label: "staged already"},
		{Count: sum.NoOp, Label: "up to date"},
	}
	for _, t := range []tile{
		{Count: sum.Excepted, Label: "excepted"}, {Count: sum.Unmanaged, Label: "unmanaged"},
		{Count: sum.Unread, Label: "could not be read", Alarm: true},
	} {
		if t.Count > 0 {
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// addSections lists the sections that the page has.
func (v *page) addSections() {
	v.addSection(len(v.Warnings) > 0, "warnings", "Warnings")
	v.addSection(len(v.Unread) > 0, "unread", "Could not be read")
	v.addSection(true, "stake", "At stake")
	v.addSection(true, "time", "When")
	v.addSection(true, "enclosures", "Enclosures")
	v.addSection(len(v.Blocked) > 0, "blocked", "Blocked")
	v.addSection(true, "components", "Components")
	v.addSection(true, "policies", "Policies")
	v.addSection(len(v.Images) > 0, "images", "Images")
}

// pageRowOf returns the row of a component, from what the table of a terminal says of it.
func pageRowOf(s *plan.Step, waves []plan.Wave) pageRow {
	r := planRow(s, waves, plan.SomeThings)
	row := pageRow{
		Name: s.Name, Address: s.Address, What: productAndHost(s), Change: r.cells[planNow], Image: r.cells[planImage],
		Action: r.cells[planAction], Mode: r.cells[planMode], Effect: r.cells[planEffect], Waves: r.cells[planWave],
		Expected: "-", Worst: "-", Seconds: -1, Alarm: r.tone == alarm, Blocked: s.Action == plan.Blocked,
		Tone: effectTone(s),
	}
	row.addRevision(r.cells[planTo])
	if s.Acts() {
		row.Expected = spellExpected(s.Expected())
		row.Worst, row.Seconds = Spell(s.WorstDuration), int64(time.Duration(s.WorstDuration)/time.Second)
	}
	if why := r.cells[planWhy]; why != "-" {
		row.Why = strings.Split(why, "\n")
	}
	kinds := []string{string(s.Action)}
	if s.Acts() {
		kinds = append(kinds, "acts")
		if s.Disruption.Worst != plan.NoImpact {
			kinds = append(kinds, string(s.Disruption.Worst))
		}
	}
	row.Kinds = strings.Join(kinds, " ")
	return row
}

func productAndHost(s *plan.Step) string {
	product := strings.TrimSpace(s.Vendor + " " + s.Product)
	if product == "" || s.Host == "" {
		return product + s.Host
	}
	return product + " · " + s.Host
}

// effectTone is how loud the effect of a step is.
func effectTone(s *plan.Step) string {
	if s.Acts() {
		switch s.Disruption.Worst {
		case plan.IOInterruption:
			return "alarm"
		case plan.ESPReset:
			return "resets"
		}
	}
	return ""
}

// kindsOf are the choices of what rows to show: those that some row fits.
func kindsOf(rows []pageRow) []kindOption {
	all := []kindOption{
		{"acts", "what is changed"}, {string(plan.IOInterruption), "where I/O may stop"},
		{string(plan.ESPReset), "what resets a module"}, {string(plan.Blocked), "blocked"},
		{string(plan.IsStaged), "staged"}, {string(plan.NoOp), "up to date"}, {string(plan.Excepted), "excepted"},
		{string(plan.Unmanaged), "unmanaged"},
	}
	has := map[string]bool{}
	for i := range rows {
		for kind := range strings.FieldsSeq(rows[i].Kinds) {
			has[kind] = true
		}
	}
	all = slices.DeleteFunc(all, func(k kindOption) bool { return !has[k.Value] })
	return append([]kindOption{{"", "everything"}}, all...)
}

// blockedRows are the components that nothing is done to, by their reasons.
func blockedRows(p *plan.Plan) []blockedRow {
	var rows []blockedRow
	index, where := map[string]int{}, [][]string{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Action != plan.Blocked {
			continue
		}
		key := strings.Join(s.Reasons, "\n")
		at, ok := index[key]
		if !ok {
			at = len(rows)
			index[key] = at
			rows, where = append(rows, blockedRow{Why: s.Reasons}), append(where, nil)
		}
		where[at] = append(where[at], placeOf(s))
	}
	for i := range rows {
		rows[i].Where = Components(len(where[i])) + ": " + strings.Join(where[i], ", ")
	}
	return rows
}

// placeOf writes an address with the name of the enclosure in place of its identifier.
func placeOf(s *plan.Step) string {
	if rest, ok := strings.CutPrefix(s.Address, s.Enclosure); ok && s.Name != "" {
		return s.Name + rest
	}
	return s.Address
}

func (v *page) addPolicies(p *plan.Plan) {
	policies, waivers := policiesOf(p)
	for _, by := range policies {
		v.Policies = append(v.Policies, policyRow{
			Name: cmp.Or(by.name, "The default"), Steps: by.steps, Reset: string(by.reset),
			Asked: strings.Join(by.asked, ", "), Without: cmp.Or(strings.Join(by.without, ", "), "-"),
		})
	}
	for _, w := range waivers {
		v.Waivers = append(v.Waivers, waiverRow{Gate: string(w.gate), Where: strings.Join(w.where, ", "), Why: w.why})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Windows)) {
		w := p.Windows[name]
		rule := strings.Replace(w.Start, "T", " ", 1) + " " + cmp.Or(w.Timezone, "UTC") + " for " + w.Duration
		rule += ", " + cmp.Or(w.RRule, "once")
		if len(w.Exclude) > 0 {
			rule += ", but not on " + strings.Join(w.Exclude, ", ")
		}
		v.Windows = append(v.Windows, windowRow{name, rule})
	}
	for _, i := range imagesOf(p) {
		v.Images = append(v.Images, imageRow{i.Name, size(i.Size), Components(i.hops), i.SHA256})
	}
}

// pageGroups are the groups of a large plan's components.
func pageGroups(p *plan.Plan) []pageRow {
	var rows []pageRow
	for _, g := range groupRows(p, group.Fine) {
		cells := g.row.cells
		row := pageRow{
			Count: len(g.Steps), What: cells[groupProduct], Change: cells[groupNow], Image: cells[groupImage],
			Action: cells[groupAction], Mode: cmp.Or(cells[groupMode], "-"), Effect: cmp.Or(cells[groupEffect], "-"),
			Waves: cmp.Or(cells[groupWave], "-"), Why: g.why, Alarm: g.Alarming(),
			Blocked: g.Steps[0].Action == plan.Blocked, Tone: effectTone(g.Steps[0]),
		}
		row.addRevision(cells[groupTo])
		row.Where, _ = placesText(g.places, plainName, everything)
		rows = append(rows, row)
	}
	return rows
}

// addRevision says where a component's revision goes, and leaves out an image that is none.
func (r *pageRow) addRevision(to string) {
	if to != "-" && to != "" && to != r.Change {
		r.Change += " → " + to
	}
	if r.Image == "-" {
		r.Image = ""
	}
}

// rolloutText says how much is worked on at a time, and what stops it.
func rolloutText(r plan.Rollout) string {
	text := "Rollout: at most " + english.Plural(r.MaxParallel, "fault domain", "") + " at a time, stops "
	if r.MaxFailures == 0 {
		text += "at the first failure"
	} else {
		text += "after more than " + english.Plural(r.MaxFailures, "failure", "")
	}
	if r.Canary > 0 {
		text += "; first " + english.Plural(r.Canary, "enclosure", "") + " of each model"
		if r.Soak > 0 {
			text += ", then a soak of " + Spell(r.Soak)
		}
	}
	return text + "."
}

// spellExpected returns an expectation, "-" if it is unknown.
func spellExpected(e plan.Expected) string {
	if !e.Known() {
		return "-"
	}
	return Spell(e.Time)
}

// wavesOfPage are the waves of a plan, as rows; those that are alike share one if there are very many.
func wavesOfPage(p *plan.Plan, most int, now time.Time) []pageWave {
	var rows []pageWave
	for _, s := range wavesOfPlan(p, most) {
		w, last := s.waves[0], s.waves[len(s.waves)-1]
		enclosures := map[string]bool{}
		for _, step := range s.steps {
			enclosures[step.Enclosure] = true
		}
		r := pageWave{
			Name: numbersOf(s.waves), Work: "downloads, resets nothing",
			Components: fmt.Sprintf("%s in %s",
				Components(len(s.steps)), english.Plural(len(enclosures), "enclosure", "")),
			Hosts:    strings.Join(group.HostsOf(s.steps), ", "),
			Expected: spellExpected(s.expected), Worst: Spell(s.worst),
			When: opens(p, w, now),
		}
		switch {
		case w.PowerCycle:
			r.Work = "a person power-cycles"
		case w.Kind == plan.ResetWave:
			r.Work = "resets"
		}
		if w.Canary {
			r.Work += ", canaries"
		}
		if last.Soak > 0 && last.Number < len(p.Waves) {
			r.Work += ", then soak " + Spell(last.Soak)
		}
		rows = append(rows, r)
	}
	return rows
}

// wavesAre says which waves share a row, "" if each has its own.
func wavesAre(p *plan.Plan, rows []pageWave) string {
	if len(rows) == len(p.Waves) {
		return ""
	}
	return fmt.Sprintf("There are %d waves: those that are alike share a row. fwctl show PLAN --details lists each.",
		len(p.Waves))
}

// number writes a coordinate of a picture.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

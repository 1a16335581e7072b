package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/group"
)

// stakeRow is something that uses drives behind what a plan may take down.
type stakeRow struct {
	Stops     bool
	Words, By string
}

// stakeKey is one thing that uses drives, wherever they are.
type stakeKey struct {
	kind       inventory.UseKind
	name, host string
}

func keyOf(s *plan.Stake) stakeKey { return stakeKey{s.Kind, s.Name, s.Host} }

// stakeFate is one thing at stake, with what becomes of it, by all steps that put it at stake.
type stakeFate struct {
	stakeKey
	effect plan.StakeEffect
	stakes []plan.Stake
	steps  []*plan.Step
}

// stakesOf returns the things at stake in a plan: those that stop come first.
func stakesOf(p *plan.Plan) []*stakeFate {
	type key struct {
		stakeKey
		effect plan.StakeEffect
	}
	var all []*stakeFate
	index := map[key]*stakeFate{}
	for i := range p.Steps {
		s := &p.Steps[i]
		for k := range s.AtStake {
			st := &s.AtStake[k]
			at := key{keyOf(st), st.Effect}
			f := index[at]
			if f == nil {
				f = &stakeFate{stakeKey: at.stakeKey, effect: st.Effect}
				index[at] = f
				all = append(all, f)
			}
			f.stakes = append(f.stakes, *st)
			if n := len(f.steps); n == 0 || f.steps[n-1] != s {
				f.steps = append(f.steps, s)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *stakeFate) int {
		return cmp.Or(-cmp.Compare(a.effect, b.effect), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name),
			cmp.Compare(a.host, b.host))
	})
	return all
}

// stakeRows returns a row for each thing at stake, and one row for all things of a kind that are
// joined.
func stakeRows(p *plan.Plan, all []*stakeFate, joined map[plan.StakeEffect]bool) []stakeRow {
	names := p.Names()
	var rows []stakeRow
	for i := 0; i < len(all); {
		f, last := all[i], i+1
		if joined[f.effect] {
			for last < len(all) && all[last].effect == f.effect && all[last].kind == f.kind {
				last++
			}
		}
		row := stakeRow{Stops: f.effect == plan.Stops}
		if last == i+1 {
			var by []string
			for _, s := range f.steps {
				by = append(by, placeOf(s)+inWaves(s, p.Waves))
			}
			row.Words, row.By = stakeWords(f.stakes, names), strings.Join(by, ", ")
		} else {
			row.Words, row.By = joinedWords(all[i:last])
		}
		rows = append(rows, row)
		i = last
	}
	return rows
}

// joinedWords names things of one kind, and counts the components that put them at stake.
func joinedWords(fates []*stakeFate) (words, by string) {
	called, steps := []string(nil), map[*plan.Step]bool{}
	for _, f := range fates {
		name := f.stakes[0].Label()
		if f.host != "" {
			name += " on " + f.host
		}
		called = append(called, name)
		for _, s := range f.steps {
			steps[s] = true
		}
	}
	slices.SortFunc(called, group.CompareNames)
	words, _ = listed(group.Ranges(called), plainName, everything)
	return words, Components(len(steps))
}

// inWaves returns the waves in which a step is worked on: " (wave 2)".
func inWaves(s *plan.Step, waves []plan.Wave) string {
	switch numbers := wavesOf(s, waves); {
	case numbers == "":
		return ""
	case strings.Contains(numbers, ","):
		return " (waves " + numbers + ")"
	default:
		return " (wave " + numbers + ")"
	}
}

// stakeWords returns stakes in words, as package plan does.
func stakeWords(stakes []plan.Stake, names inventory.Names) string {
	var steps []*plan.Step
	for _, s := range stakes {
		steps = append(steps, &plan.Step{
			Enclosure: s.Enclosure, Name: names[s.Enclosure], AtStake: []plan.Stake{s},
		})
	}
	words := plan.StakeWords(steps, plan.AllThings)
	for _, fate := range []string{"at stake: ", "keeps a path: "} {
		words = strings.TrimPrefix(words, fate)
	}
	return words
}

// enclosurePicture is an enclosure that a plan touches: its I/O modules with what is done to
// their components, and the slots of the drives at stake.
type enclosurePicture struct {
	Label, Product, ID, Words string

	Height  int
	Modules []modulePicture
	Slots   []slotsPicture
	Letters []lettersPicture
	Labels  []labelPicture
	Legend  []legendRow
	// NoDrives is why there are no slots, if there are none.
	NoDrives string
}

type (
	modulePicture struct {
		Name, Host, Class string
		Y, TextY, Height  int
		Lines             []linePicture
	}
	// linePicture is a component.
	linePicture struct {
		Left, Right, Class, Full string
		Touched                  bool
		Y                        int
	}
	// slotsPicture is all slots of one fate.
	slotsPicture struct{ Class, Path string }
	// lettersPicture is the letter of one thing, in each of its slots.
	lettersPicture struct{ Text, X, Y, Words string }
	labelPicture   struct {
		Text string
		Y    int
	}
	legendRow struct{ Letter, Words string }
)

// touchedEnclosure is an enclosure that a plan touches, or whose drives it puts at stake.
type touchedEnclosure struct {
	id, name string
	stops    bool
	steps    []*plan.Step
	stakes   []plan.Stake
}

// touchedEnclosures returns the enclosures where I/O may stop, then the others, each by name.
func touchedEnclosures(p *plan.Plan) []*touchedEnclosure {
	names, all := p.Names(), map[string]*touchedEnclosure{}
	of := func(id string) *touchedEnclosure {
		if all[id] == nil {
			all[id] = &touchedEnclosure{id: id, name: cmp.Or(names[id], id)}
		}
		return all[id]
	}
	touched := map[string]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		e := of(s.Enclosure)
		e.steps = append(e.steps, s)
		e.stops = e.stops || effectTone(s) == "alarm"
		touched[s.Enclosure] = touched[s.Enclosure] || s.Acts()
		for _, st := range s.AtStake {
			e := of(st.Enclosure)
			e.stakes = append(e.stakes, st)
			e.stops = e.stops || st.Effect == plan.Stops
			touched[st.Enclosure] = true
		}
	}
	maps.DeleteFunc(all, func(id string, _ *touchedEnclosure) bool { return !touched[id] })
	return slices.SortedFunc(maps.Values(all), func(a, b *touchedEnclosure) int {
		if a.stops != b.stops {
			if a.stops {
				return -1
			}
			return 1
		}
		return a.compare(b)
	})
}

func (e *touchedEnclosure) compare(other *touchedEnclosure) int {
	return cmp.Or(group.CompareNames(e.name, other.name), cmp.Compare(e.id, other.id))
}

// enclosurePictures draws enclosures, by their names.
func enclosurePictures(p *plan.Plan, touched []*touchedEnclosure) []enclosurePicture {
	names := p.Names()
	var pictures []enclosurePicture
	for _, e := range slices.SortedFunc(slices.Values(touched), (*touchedEnclosure).compare) {
		pictures = append(pictures, drawEnclosure(e.id, e.steps, e.stakes, names, p.Waves))
	}
	return pictures
}

func drawEnclosure(
	id string, steps []*plan.Step, stakes []plan.Stake, names inventory.Names, waves []plan.Wave,
) enclosurePicture {
	e := enclosurePicture{Label: cmp.Or(names[id], id), ID: id}
	if len(steps) > 0 {
		e.Product = strings.TrimSpace(steps[0].Vendor + " " + steps[0].Product)
	}
	words := e.drawModules(steps, waves)
	if len(steps) == 0 {
		words = append(words, "no component of the plan")
	}
	if n := e.drawSlots(stakes, names); n > 0 {
		words = append(words, strconv.Itoa(n)+" slots with drives at stake, listed below")
	}
	e.NoDrives = noDrives(worstOf(steps))
	e.Words = "Enclosure " + e.Label + ": " + strings.Join(words, "; ")
	return e
}

// worstOf returns the worst impact that steps permit.
func worstOf(steps []*plan.Step) plan.Impact {
	worst := plan.NoImpact
	for _, s := range steps {
		switch {
		case !s.Acts(), s.Disruption.Worst == plan.NoImpact:
		case s.Disruption.Worst == plan.IOInterruption:
			return plan.IOInterruption
		default:
			worst = plan.ESPReset
		}
	}
	return worst
}

// noDrives returns why no drives are listed for a worst impact: an empty list does not mean that none are in use.
func noDrives(worst plan.Impact) string {
	switch worst {
	case plan.NoImpact:
		return "No step here may reset an I/O module, so that the plan lists no drives."
	case plan.IOInterruption:
		return "I/O may stop here, and the plan does not list of what: see why, at the component."
	}
	return "The plan lists no drives in use behind what may be reset here: see why, at the component."
}

// drawModules draws the I/O modules, one below the other, and returns what they say in words.
func (e *enclosurePicture) drawModules(steps []*plan.Step, waves []plan.Wave) (words []string) {
	byESP := map[string][]*plan.Step{}
	for _, s := range steps {
		byESP[s.LUID] = append(byESP[s.LUID], s)
		for _, other := range s.Preconditions.ESPs {
			byESP[other] = append(byESP[other], nil)
		}
	}
	type module struct {
		name  string
		steps []*plan.Step
	}
	var modules []module
	for luid, all := range byESP {
		m := module{name: "lu-" + luid, steps: slices.DeleteFunc(all, func(s *plan.Step) bool { return s == nil })}
		if len(m.steps) > 0 {
			if parts := strings.Split(m.steps[0].Address, "/"); len(parts) > 1 {
				m.name = parts[1]
			}
		}
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return group.CompareNames(a.name, b.name) })
	for _, m := range modules {
		picture := modulePicture{Name: short(m.name, 30), Y: e.Height + 1, TextY: e.Height + 17}
		y := picture.TextY
		for _, s := range m.steps {
			y += 16
			picture.Host = short(s.Host, 20)
			line := moduleLine(s, waves)
			line.Y = y
			picture.Lines = append(picture.Lines, line)
			words = append(words, line.Full)
			switch {
			case effectTone(s) == "alarm":
				picture.Class = "touched alarm"
			case s.Acts() && picture.Class == "":
				picture.Class = "touched"
			}
		}
		if len(m.steps) == 0 {
			y += 16
			picture.Lines = append(picture.Lines, linePicture{
				Left: "in the enclosure, not in the plan", Full: m.name + " is not in the plan", Class: "quiet", Y: y,
			})
			words = append(words, m.name+" is not in the plan")
		}
		picture.Height = y + 9 - picture.Y
		e.Height = picture.Y + picture.Height + 5
		e.Modules = append(e.Modules, picture)
	}
	return words
}

// moduleLine returns what is done to a component, in which wave and with which effect.
func moduleLine(s *plan.Step, waves []plan.Wave) linePicture {
	r := pageRowOf(s, waves)
	part := s.Address
	if i := strings.LastIndexByte(part, '/'); i >= 0 {
		part = part[i+1:]
	}
	right := strings.ToLower(r.Action)
	if s.Action == plan.NoOp {
		right = "up to date"
	}
	if s.Acts() {
		right = "wave " + r.Waves + " · " + r.Effect
		if s.Disruption.Worst == plan.NoImpact {
			right = "wave " + r.Waves + " · " + string(s.Action)
		}
	}
	// As much as has room side by side.
	part, shown := short(part, 12), short(right, 28)
	room := 46 - utf8.RuneCountInString(part) - utf8.RuneCountInString(shown)
	line := linePicture{
		Left: part + "   " + short(r.Change, max(room, 8)), Right: shown, Touched: s.Acts(), Class: "quiet",
		Full: fmt.Sprintf("%s %s, %s", s.Address, r.Change, right),
	}
	switch {
	case s.Action == plan.Blocked, r.Tone == "alarm":
		line.Class = "danger"
	case s.Acts():
		line.Class = "mark"
	}
	return line
}

// short cuts a text that has no room in a picture; the table has the whole text.
func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// letters name the things in a picture.
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// manySlots is from how many slots on they are drawn small. Up to gridSlots, rows of slots that
// have nothing at stake are drawn, too.
const manySlots, gridSlots = 144, 1200

// drawSlots draws the slots up to the last one that has a drive at stake, and returns how many have.
func (e *enclosurePicture) drawSlots(stakes []plan.Stake, names inventory.Names) int {
	var keys []stakeKey
	of := map[stakeKey][]plan.Stake{}
	stops, users, last := map[int]bool{}, map[int]map[stakeKey]bool{}, int(0)
	for _, s := range stakes {
		k := keyOf(&s)
		if of[k] == nil {
			keys = append(keys, k)
		}
		of[k] = append(of[k], s)
		for _, n := range s.Slots {
			if n < 0 {
				continue
			}
			stops[n] = stops[n] || s.Effect == plan.Stops
			if users[n] == nil {
				users[n] = map[stakeKey]bool{}
			}
			users[n][k] = true
			last = max(last, n)
		}
	}
	slices.SortStableFunc(keys, func(a, b stakeKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.host, b.host))
	})
	letterOf, wordsOf := map[stakeKey]string{}, map[stakeKey]string{}
	for i, k := range keys {
		letterOf[k] = "*"
		if i < len(letters) {
			letterOf[k] = letters[i : i+1]
		}
		wordsOf[k] = stakeInWords(of[k], names)
		e.Legend = append(e.Legend, legendRow{letterOf[k], wordsOf[k]})
	}
	if len(users) == 0 {
		return 0
	}
	columns, pitch := int(12), 24
	if last >= manySlots {
		columns, pitch = 24, 12
	}
	top, side := e.Height+4, pitch-3
	rows := map[int]int{}
	for row := int(0); row <= last/columns && last < gridSlots; row++ {
		rows[row] = 0
	}
	for n := range users {
		rows[n/columns] = 0
	}
	var free, keeps, stop strings.Builder
	at := map[string]*lettersPicture{}
	for i, row := range slices.Sorted(maps.Keys(rows)) {
		y := top + i*pitch
		e.Labels = append(e.Labels, labelPicture{strconv.Itoa(int(row * columns)), y + side/2 + 4})
		for c := range columns {
			n := row*columns + c
			x := 30 + int(c)*pitch
			path := &free
			switch {
			case stops[n]:
				path = &stop
			case users[n] != nil:
				path = &keeps
			case n > last:
				continue
			}
			fmt.Fprintf(path, "M%d %dh%dv%dh-%dz", x, y, side, side, side)
			if len(users[n]) == 0 {
				continue
			}
			letter, words := "+", "used by several"
			if len(users[n]) == 1 {
				for k := range users[n] {
					letter, words = letterOf[k], wordsOf[k]
				}
			}
			if at[letter] == nil {
				at[letter] = &lettersPicture{Words: words}
			}
			l := at[letter]
			l.Text += letter
			l.X += fmt.Sprintf("%s ", number(float64(x)+float64(side)/2))
			l.Y += fmt.Sprintf("%d ", y+side/2+4)
		}
		e.Height = y + pitch
	}
	for class, path := range map[string]*strings.Builder{"free": &free, "keeps": &keeps, "stops": &stop} {
		if path.Len() > 0 {
			e.Slots = append(e.Slots, slotsPicture{class, path.String()})
		}
	}
	slices.SortFunc(e.Slots, func(a, b slotsPicture) int { return cmp.Compare(a.Class, b.Class) })
	for _, letter := range slices.Sorted(maps.Keys(at)) {
		l := at[letter]
		l.X, l.Y = strings.TrimSpace(l.X), strings.TrimSpace(l.Y)
		e.Letters = append(e.Letters, *l)
	}
	if at["+"] != nil {
		e.Legend = append(e.Legend, legendRow{"+", "used by several of these"})
	}
	return len(users)
}

// stakeInWords returns what becomes of one thing, and which drives it has here.
func stakeInWords(stakes []plan.Stake, names inventory.Names) string {
	words := stakeWords(stakes, names)
	if slices.ContainsFunc(stakes, func(s plan.Stake) bool { return s.Effect == plan.Stops }) {
		return "STOPS: " + words
	}
	return "keeps a path: " + words
}

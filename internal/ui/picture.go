package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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

// stakeRows are the things at stake in a plan: what stops first.
func stakeRows(p *plan.Plan) []stakeRow {
	type fate struct {
		stakeKey
		effect plan.StakeEffect
	}
	names := namesOfEnclosures(p)
	var fates []fate
	stakes, by := map[fate][]plan.Stake{}, map[fate][]string{}
	for i := range p.Steps {
		s := &p.Steps[i]
		seen := map[fate]bool{}
		for k := range s.AtStake {
			st := &s.AtStake[k]
			f := fate{keyOf(st), st.Effect}
			if stakes[f] == nil {
				fates = append(fates, f)
			}
			stakes[f] = append(stakes[f], *st)
			if !seen[f] {
				seen[f] = true
				by[f] = append(by[f], placeOf(s)+inWaves(s, p.Waves))
			}
		}
	}
	slices.SortStableFunc(fates, func(a, b fate) int {
		return cmp.Or(-cmp.Compare(a.effect, b.effect), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name),
			cmp.Compare(a.host, b.host))
	})
	var rows []stakeRow
	for _, f := range fates {
		rows = append(rows, stakeRow{
			Stops: f.effect == plan.Stops, Words: stakeWords(stakes[f], names), By: strings.Join(by[f], ", "),
		})
	}
	return rows
}

// inWaves says in which waves a step is worked on: " (wave 2)".
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

// stakeWords puts stakes in words as plan does.
func stakeWords(stakes []plan.Stake, names map[string]string) string {
	var steps []*plan.Step
	for _, s := range stakes {
		steps = append(steps, &plan.Step{
			Enclosure: s.Enclosure, Name: names[s.Enclosure], AtStake: []plan.Stake{s},
		})
	}
	words := plan.StakeWords(steps, plan.AllThings)
	if words == "" {
		// Of drives that are unknown.
		words = stakes[0].InFull("")
	}
	for _, fate := range []string{"at stake: ", "keeps a path: "} {
		words = strings.TrimPrefix(words, fate)
	}
	return words
}

// namesOfEnclosures are the names of a plan's enclosures by their identifiers.
func namesOfEnclosures(p *plan.Plan) map[string]string {
	names := map[string]string{}
	for i := range p.Steps {
		names[p.Steps[i].Enclosure] = p.Steps[i].Name
	}
	return names
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
	// Why there are no slots, if there are none.
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

// enclosurePictures draws the enclosures that a plan touches, or whose drives it puts at
// stake, by their names.
func enclosurePictures(p *plan.Plan) []enclosurePicture {
	names := namesOfEnclosures(p)
	steps, stakes, touched := map[string][]*plan.Step{}, map[string][]plan.Stake{}, map[string]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		steps[s.Enclosure] = append(steps[s.Enclosure], s)
		touched[s.Enclosure] = touched[s.Enclosure] || s.Acts()
		for _, st := range s.AtStake {
			stakes[st.Enclosure] = append(stakes[st.Enclosure], st)
			touched[st.Enclosure] = true
		}
	}
	var pictures []enclosurePicture
	for id, yes := range touched {
		if yes {
			pictures = append(pictures, drawEnclosure(id, steps[id], stakes[id], names, p.Waves))
		}
	}
	slices.SortFunc(pictures, func(a, b enclosurePicture) int {
		return cmp.Or(group.CompareNames(a.Label, b.Label), cmp.Compare(a.ID, b.ID))
	})
	return pictures
}

func drawEnclosure(
	id string, steps []*plan.Step, stakes []plan.Stake, names map[string]string, waves []plan.Wave,
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

// worstOf is the worst that steps permit.
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

// noDrives says why no drives are listed of what may come to a worst: that none are is no word that none are in use.
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

// moduleLine says of a component what is done to it, in which wave and with which effect.
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
	line := linePicture{
		Left: part + "   " + short(r.Change, 24), Right: short(right, 28), Touched: s.Acts(), Class: "quiet",
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

// short cuts a text that has no room in a picture; the table has all of it.
func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// letters name the things in a picture.
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// manySlots is how many slots are drawn small, and gridSlots up to which number also the rows
// of slots are drawn that nothing at stake is in.
const manySlots, gridSlots = 144, 1200

// drawSlots draws the slots up to the last one that has a drive at stake, and returns how many have.
func (e *enclosurePicture) drawSlots(stakes []plan.Stake, names map[string]string) int {
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

// stakeInWords says of one thing what becomes of it, and which drives it has here.
func stakeInWords(stakes []plan.Stake, names map[string]string) string {
	words := stakeWords(stakes, names)
	if slices.ContainsFunc(stakes, func(s plan.Stake) bool { return s.Effect == plan.Stops }) {
		return "STOPS: " + words
	}
	return "keeps a path: " + words
}

package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"fwctl/plan"
)

// scheduleLines returns how long a plan's waves are expected to take, and may take at most,
// compared with their windows, and when those open next.
func scheduleLines(p *plan.Plan, now time.Time) []string {
	if len(p.Waves) == 0 {
		return nil
	}
	lines := []string{timeLine(p)}
	if len(p.Waves) > chartBars {
		lines[0] = totalLine(p)
	}
	if next := nextLine(p, now); next != "" {
		lines = append(lines, next)
	}
	return append(lines, canaryLines(p)...)
}

// canaryLines returns what waits for the canaries, if there are any.
func canaryLines(p *plan.Plan) []string {
	canary := func(w plan.Wave) bool { return w.Canary }
	switch rest := slices.ContainsFunc(p.Waves, func(w plan.Wave) bool { return !w.Canary }); {
	case !slices.ContainsFunc(p.Waves, canary):
		return nil
	case rest:
		return []string{"Waves with a c are those of the canaries: the rest waits until they have been done, and well."}
	}
	return []string{"All components are canaries (c), so none waits for others."}
}

// timeLine sums up the waves: those that wait for the same windows together, since
// they share an opening, which has to be long enough for the worst.
func timeLine(p *plan.Plan) string {
	var groups []string
	times := p.Times()
	for _, run := range runs(p.Waves) {
		text := ""
		for i := run.from; i < run.to; i++ {
			w := p.Waves[i]
			if i > run.from {
				text += " + "
			}
			text += waveName(w) + " " + takes(times.Expected[i], times.Worst[i])
			if w.Soak > 0 && i < len(p.Waves)-1 {
				text += " + soak " + Spell(w.Soak)
			}
		}
		_, worst := times.Span(p, run.from, run.to)
		groups = append(groups, text+ofOpening(p, p.Waves[run.from], worst))
	}
	return "Time: " + strings.Join(groups, "; ") + "." + inAll(times) + hostsAtATime(p)
}

// inAll sums up all waves if there are several, as the end of a line.
func inAll(t plan.Times) string {
	if len(t.Worst) < 2 {
		return ""
	}
	return " In all " + takes(t.TotalExpected, t.TotalWorst) + "."
}

// hostsAtATime says, as the end of a line, what the times of a plan with waves of several hosts rest on.
func hostsAtATime(p *plan.Plan) string {
	if p.HostsSideBySide() {
		return " The hosts of a wave work side by side."
	}
	return ""
}

// takes returns how long something is expected to take, if that is known, and may take at most.
func takes(expected plan.Expected, worst plan.Duration) string {
	if !expected.Known() {
		return "up to " + Spell(worst)
	}
	return fmt.Sprintf("expected %s, at most %s (from %s)", Spell(expected.Time), Spell(worst),
		english.Plural(expected.Runs, "run", ""))
}

// remaining returns how long something that was to end at a time still takes, "" if that is
// unknown or past.
func remaining(until, now time.Time) string {
	if until.IsZero() || !until.After(now) {
		return ""
	}
	return "about " + Spell(plan.WholeSeconds(until.Sub(now))) + " left"
}

// totalLine is timeLine without what each wave takes.
func totalLine(p *plan.Plan) string {
	var groups []string
	times := p.Times()
	all := runs(p.Waves)
	for _, run := range all[:min(len(all), stretchesMost)] {
		expected, worst := times.Span(p, run.from, run.to)
		groups = append(groups, wavesName(p.Waves[run.from:run.to])+" "+takes(expected, worst)+
			ofOpening(p, p.Waves[run.from], worst))
	}
	if more := len(all) - len(groups); more > 0 {
		groups = append(groups, fmt.Sprintf("and %d more stretches of waves", more))
	}
	end := ""
	if len(groups) > 1 {
		end = inAll(times)
	}
	return "Time: " + strings.Join(groups, "; ") + "." + end + hostsAtATime(p)
}

// ofOpening returns how long waves take at most, compared with the longest opening of their windows.
func ofOpening(p *plan.Plan, w plan.Wave, total plan.Duration) string {
	names, open := longest(p, w)
	if open == 0 {
		return ""
	}
	text := fmt.Sprintf(", of %s (%s)", Spell(open), strings.Join(names, " or "))
	if total > open {
		text += ", more than one opening"
	}
	return text
}

// nextLine returns when the windows open, each once; "" if the plan has none.
func nextLine(p *plan.Plan, now time.Time) string {
	var parts []string
	all := runs(p.Waves)
	for _, run := range all[:min(len(all), stretchesMost)] {
		w := p.Waves[run.from]
		if len(w.Windows) == 0 {
			continue
		}
		text := opens(p, w, now)
		if len(all) > 1 {
			text = wavesName(p.Waves[run.from:run.to]) + ": " + text
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	if more := len(all) - stretchesMost; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more stretches of waves", more))
	}
	return "Next: " + strings.Join(parts, "; ") + "."
}

// opens returns when a wave may run: saturday-night, Sat 2026-11-28 22:00 CET.
func opens(p *plan.Plan, w plan.Wave, now time.Time) string {
	o, err := p.Opening(w, now)
	switch {
	case err != nil:
		return err.Error()
	case o.Window == "":
		return "at any time"
	case o.Start.IsZero():
		return strings.Join(w.Windows, " and ") + " will not open again"
	case o.Now:
		return o.Window + ", open until " + weekday(o.End)
	}
	return o.Window + ", " + weekday(o.Start)
}

// OpensNext is opens in full: saturday-night, next opens Sat 2026-11-28 22:00 CET,
// in 5 d 3 h, for 6 h.
func OpensNext(p *plan.Plan, w plan.Wave, now time.Time) string {
	o, err := p.Opening(w, now)
	switch {
	case err != nil || o.Start.IsZero():
		return opens(p, w, now)
	case o.Now:
		return opens(p, w, now) + ", for " + Spell(o.End.Sub(now)) + " more"
	}
	return fmt.Sprintf("%s, next opens %s, in %s, for %s",
		o.Window, weekday(o.Start), Spell(o.Start.Sub(now)), Spell(o.End.Sub(o.Start)))
}

// waveRun is a stretch of waves that wait for the same windows, as indexes.
type waveRun struct{ from, to int }

// stretchesMost is how many of them are described one by one.
const stretchesMost = 12

func runs(waves []plan.Wave) []waveRun {
	var all []waveRun
	for i, w := range waves {
		if n := len(all); n > 0 && slices.Equal(waves[all[n-1].from].Windows, w.Windows) {
			all[n-1].to = i + 1
			continue
		}
		all = append(all, waveRun{i, i + 1})
	}
	return all
}

func waveName(w plan.Wave) string { return "wave " + waveNumber(w) }

// waveNumber returns the number of a wave, that of a wave of canaries with a c.
func waveNumber(w plan.Wave) string {
	number := strconv.Itoa(w.Number)
	if w.Canary {
		number += "c"
	}
	return number
}

func wavesName(waves []plan.Wave) string {
	if len(waves) == 1 {
		return waveName(waves[0])
	}
	if len(waves) == 2 {
		return fmt.Sprintf("waves %d and %d", waves[0].Number, waves[1].Number)
	}
	return fmt.Sprintf("waves %d to %d", waves[0].Number, waves[len(waves)-1].Number)
}

// longest returns how long the longest of a wave's windows is open, and which are; 0 if it names
// none.
func longest(p *plan.Plan, w plan.Wave) (names []string, open plan.Duration) {
	for _, name := range w.Windows {
		d, err := time.ParseDuration(p.Windows[name].Duration)
		switch {
		case err != nil || plan.Duration(d) < open:
		case plan.Duration(d) > open:
			names, open = []string{name}, plan.Duration(d)
		default:
			names = append(names, name)
		}
	}
	return names, open
}

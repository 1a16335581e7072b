package ui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"fwctl/plan"
)

// chart is the waves that wait for the same windows, as bars over the time from the opening.
type chart struct {
	Title, Words, Legend string

	// Left, Height, Bottom and TickY are sizes of the picture.
	Left, Height, Bottom, TickY int
	// WindowWidth and WindowEnd are 0 if no window limits it.
	WindowWidth, WindowEnd float64
	Ticks                  []tick
	Bars                   []bar
}

type tick struct {
	X            float64
	Text, Anchor string
}

type bar struct {
	Name                                  string
	Y, WorstY, TextY, SoakY               int
	ExpectedX, ExpectedWidth              float64
	WorstX, WorstWidth, WorstEnd, SoakEnd float64
	// Over: it may end after the window.
	Over bool
}

// The sizes of a chart.
const (
	chartLeft, chartRight = 92, 700
	chartRow              = 34
	// chartBars is how many waves have a bar of their own at most.
	chartBars = 40
)

// chartsOf draws the waves of a plan against their windows. Waves that wait for the same windows
// share a chart, because they share an opening. Only the first stretches of waves have one.
func chartsOf(p *plan.Plan, now time.Time) []chart {
	var charts []chart
	times := p.Times()
	all := runs(p.Waves)
	for _, run := range all[:min(len(all), stretchesMost)] {
		charts = append(charts, chartOf(p, run, times, now))
	}
	return charts
}

func chartOf(p *plan.Plan, run waveRun, times plan.Times, now time.Time) chart {
	worst := times.Worst
	waves := p.Waves[run.from:run.to]
	from, open := openingOf(p, waves[0], now)
	c := chart{Left: chartLeft, Title: sentence(wavesName(waves)) + ": " + opens(p, waves[0], now)}
	total := plan.Duration(0)
	for i, w := range waves {
		total += worst[run.from+i]
		if i < len(waves)-1 {
			total += w.Soak
		}
	}
	length := max(time.Duration(total), open, time.Minute)
	x := func(d plan.Duration) float64 {
		return round(chartLeft + (chartRight-chartLeft)*float64(d)/float64(length))
	}
	at := plan.Duration(0)
	// When a bar is expected to begin, as long as all before it is known.
	soon, known := plan.Duration(0), 0
	var words []string
	for i := 0; i < len(waves); {
		last, needs := i, worst[run.from+i]
		for len(waves) > chartBars && last+1 < len(waves) && sameBar(waves[last], waves[last+1]) {
			last++
			needs += worst[run.from+last]
		}
		b := bar{Name: sentence(wavesName(waves[i : last+1])), WorstX: x(at), WorstEnd: x(at + needs)}
		b.Y = len(c.Bars)*chartRow + 6
		b.WorstY, b.TextY = b.Y+11, b.Y+14
		b.SoakY = b.WorstY + 4
		b.WorstWidth = round(max(b.WorstEnd-b.WorstX, 2))
		b.Over = open > 0 && time.Duration(at+needs) > open
		words = append(words, fmt.Sprintf("%s from +%s to at most +%s", strings.ToLower(b.Name), Spell(at),
			Spell(at+needs)))
		if takes, _ := times.Span(p, run.from+i, run.from+last+1); known == len(c.Bars) && takes.Known() {
			known++
			b.ExpectedX = x(soon)
			b.ExpectedWidth = round(max(x(soon+takes.Time)-b.ExpectedX, 2))
			soon += takes.Time + waves[last].Soak
			words = append(words, "expected to take "+Spell(takes.Time))
		}
		at += needs
		if soak := waves[last].Soak; soak > 0 && last < len(waves)-1 {
			b.SoakEnd = x(at + soak)
			at += soak
		}
		c.Bars = append(c.Bars, b)
		i = last + 1
	}
	c.Bottom = len(c.Bars)*chartRow + 4
	c.TickY = c.Bottom + 16
	c.Height = c.TickY + 6
	c.Ticks = ticksOf(length, from, x)
	switch known {
	case 0:
		c.Legend = "Outlined: at most. How long it is expected to take is unknown."
	case len(c.Bars):
		c.Legend = "Filled: expected. Outlined: at most."
	default:
		c.Legend = "Filled: expected, as far as that is known. Outlined: at most."
	}
	if open > 0 {
		c.WindowWidth, c.WindowEnd = round(x(plan.Duration(open))-chartLeft), x(plan.Duration(open))
		c.Legend += " Shaded: the window, open for " + Spell(open) + "."
		words = append(words, "the window is open for "+Spell(open))
	}
	if open > 0 && time.Duration(total) > open {
		c.Legend += " At worst this takes more than one opening: what has not begun when the window closes waits for " +
			"the next."
		words = append(words, "at worst more than one opening")
	}
	c.Words = c.Title + ": " + strings.Join(words, "; ")
	return c
}

// sameBar reports whether a wave continues the bar of the one before it.
func sameBar(w, next plan.Wave) bool {
	return w.Kind == next.Kind && w.Canary == next.Canary && w.PowerCycle == next.PowerCycle && w.Soak == 0
}

// openingOf returns from when a wave may run, and for how long; zero if nothing limits it, or
// it will not open again.
func openingOf(p *plan.Plan, w plan.Wave, now time.Time) (from time.Time, open time.Duration) {
	o, err := p.Opening(w, now)
	if err != nil || o.Start.IsZero() {
		return time.Time{}, 0
	}
	from = o.Start
	if o.Now {
		from = now.In(o.Start.Location())
	}
	return from, o.End.Sub(from)
}

// ticksOf marks the time: on the clock of the window if there is one, else from the start.
func ticksOf(length time.Duration, from time.Time, x func(plan.Duration) float64) []tick {
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if length/s <= 7 {
			step = s
			break
		}
	}
	for length/step > 7 {
		step *= 2
	}
	var ticks []tick
	for at := time.Duration(0); at <= length; at += step {
		t := tick{X: x(plan.Duration(at)), Text: "+" + Spell(at), Anchor: "middle"}
		if t.X > chartRight-24 {
			t.Anchor = "end"
		}
		switch {
		case at == 0 && from.IsZero():
			t.Text = "start"
		case !from.IsZero() && length > 24*time.Hour:
			t.Text = from.Add(at).Format("Mon 15:04")
		case !from.IsZero():
			t.Text = from.Add(at).Format("15:04")
		}
		ticks = append(ticks, t)
	}
	return ticks
}

var tickSteps = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// sentence returns text with a capital, as a sentence begins.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

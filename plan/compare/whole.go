package compare

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwctl/internal/window"
	"fwctl/plan"
)

// scans returns when the hosts that both plans have were scanned.
func scans(old, now *plan.Plan) []string {
	all := []string{}
	for _, s := range now.Scans {
		for _, o := range old.Scans {
			if o.Host == s.Host && !o.ScannedAt.Equal(s.ScannedAt) {
				all = append(all, changed(s.Host+" was scanned", moment(s.ScannedAt), moment(o.ScannedAt)))
			}
		}
	}
	return all
}

// whole returns how two plans differ as a whole.
func whole(old, now *plan.Plan) []string {
	return append([]string{}, fields(old, now, planWords)...)
}

// planWords are the words for what differs in two plans as a whole.
var planWords = map[string]func(old, now *plan.Plan) []string{
	"Digest": nothing[plan.Plan], "CreatedAt": nothing[plan.Plan], "ImageHints": nothing[plan.Plan],
	"Steps": nothing[plan.Plan],
	// They follow from steps and waves.
	"Commands": nothing[plan.Plan],
	"DesiredState": one("the desired state is", func(p *plan.Plan) string {
		return strings.TrimSpace(p.DesiredState.Name + " " + short(p.DesiredState.SHA256))
	}),
	"Simulated": one("simulated:", func(p *plan.Plan) string { return yesNo(p.Simulated) }),
	"Scans":     scanned,
	"LeftOut": func(old, now *plan.Plan) []string {
		return lines(old.LeftOut, now.LeftOut, "left out of the plan: ", "no longer left out: ")
	},
	"Waves":   waves,
	"Windows": windows,
	"Quirks":  func(old, now *plan.Plan) []string { return named("quirk", old.Quirks, now.Quirks, plainly) },
	"Rollout": func(old, now *plan.Plan) []string {
		return fields(&old.Rollout, &now.Rollout, rolloutWords)
	},
	"Notify": one("what notifies people of a run is", func(p *plan.Plan) string { return p.Notify.String() }),
	"Warnings": func(old, now *plan.Plan) []string {
		return lines(old.Warnings, now.Warnings, "warning: ", "no longer a warning: ")
	},
	"Unread":           unread,
	"Summary":          summary,
	"ExpectedDuration": one(expectedToTake, func(p *plan.Plan) string { return p.ExpectedDuration.String() }),
	"ExpectedFrom":     one(restsOn, func(p *plan.Plan) string { return strconv.Itoa(p.ExpectedFrom) }),
}

func plainly(text string) string { return text }

// scanned returns which hosts were scanned, and how much each sees.
func scanned(old, now *plan.Plan) []string {
	sees := func(p *plan.Plan) map[string]string {
		hosts := map[string]string{}
		for _, s := range p.Scans {
			hosts[s.Host] = fmt.Sprintf("sees %d enclosures, %d I/O modules", s.Enclosures, s.ESPs)
		}
		return hosts
	}
	return named("host", sees(old), sees(now), plainly)
}

// named returns which of some named things are new, changed or gone.
func named[T comparable](what string, old, now map[string]T, write func(T) string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, ok := old[name]
		switch {
		case !ok:
			all = append(all, fmt.Sprintf("%s %s is new: %s", what, name, write(now[name])))
		case was != now[name]:
			all = append(all, fmt.Sprintf("%s %s changed: %s, was %s", what, name, write(now[name]), write(was)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := now[name]; !ok {
			all = append(all, fmt.Sprintf("%s %s is gone", what, name))
		}
	}
	return all
}

// waves returns which waves differ, and how.
func waves(old, now *plan.Plan) []string {
	var all []string
	for i := range now.Waves {
		w := &now.Waves[i]
		if i >= len(old.Waves) {
			all = append(all, fmt.Sprintf("wave %d is new: %s, %s", w.Number, w.Kind, windowsOf(w)))
			continue
		}
		for _, text := range fields(&old.Waves[i], w, waveWords) {
			all = append(all, fmt.Sprintf("wave %d: %s", w.Number, text))
		}
	}
	for i := len(now.Waves); i < len(old.Waves); i++ {
		all = append(all, fmt.Sprintf("wave %d is gone", old.Waves[i].Number))
	}
	return all
}

var waveWords = map[string]func(old, now *plan.Wave) []string{
	"Kind":             one("it is a wave that does", func(w *plan.Wave) string { return string(w.Kind) }),
	"Windows":          one("it may run", windowsOf),
	"Canary":           one("of canaries:", func(w *plan.Wave) string { return yesNo(w.Canary) }),
	"PowerCycle":       one("by a person's power cycle:", func(w *plan.Wave) string { return yesNo(w.PowerCycle) }),
	"Soak":             one("the soak after it is", func(w *plan.Wave) string { return w.Soak.String() }),
	"ExpectedDuration": one(expectedToTake, func(w *plan.Wave) string { return w.ExpectedDuration.String() }),
	"ExpectedFrom":     one(restsOn, func(w *plan.Wave) string { return strconv.Itoa(w.ExpectedFrom) }),
}

func windowsOf(w *plan.Wave) string {
	if len(w.Windows) == 0 {
		return "at any time"
	}
	return "in window " + strings.Join(w.Windows, " or ")
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func windows(old, now *plan.Plan) []string {
	of := func(p *plan.Plan) map[string]string {
		all := map[string]string{}
		for name, w := range p.Windows {
			all[name] = windowText(w)
		}
		return all
	}
	return named("window", of(old), of(now), plainly)
}

func windowText(w window.Window) string {
	parts := []string{"from " + w.Start + " " + w.Timezone, "for " + w.Duration}
	if w.RRule != "" {
		parts = append(parts, w.RRule)
	}
	if len(w.Exclude) > 0 {
		parts = append(parts, "but on "+strings.Join(w.Exclude, ", "))
	}
	return strings.Join(parts, ", ")
}

var rolloutWords = map[string]func(old, now *plan.Rollout) []string{
	"Canary":      one("canaries of each model:", func(r *plan.Rollout) string { return strconv.Itoa(r.Canary) }),
	"Soak":        one("the soak is", func(r *plan.Rollout) string { return r.Soak.String() }),
	"MaxParallel": one("worked on at a time:", func(r *plan.Rollout) string { return strconv.Itoa(r.MaxParallel) }),
	"MaxFailures": one("may fail:", func(r *plan.Rollout) string { return strconv.Itoa(r.MaxFailures) }),
}

func unread(old, now *plan.Plan) []string {
	list := func(p *plan.Plan) []string {
		var all []string
		for _, u := range p.Unread {
			all = append(all, fmt.Sprintf("%s: %s: %s", u.Host, u.Path, u.Why))
		}
		return all
	}
	return lines(list(old), list(now), "could not be read: ", "could be read, or is gone: ")
}

// summary returns which totals differ.
func summary(old, now *plan.Plan) []string {
	var all []string
	for _, t := range []struct {
		what     string
		old, now int
	}{
		{"to update", old.Summary.Update, now.Summary.Update},
		{"to activate", old.Summary.Activate, now.Summary.Activate},
		{"staged", old.Summary.Staged, now.Summary.Staged},
		{"blocked", old.Summary.Blocked, now.Summary.Blocked},
		{"up to date", old.Summary.NoOp, now.Summary.NoOp},
		{"excepted", old.Summary.Excepted, now.Summary.Excepted},
		{"unmanaged", old.Summary.Unmanaged, now.Summary.Unmanaged},
		{"could not be read", old.Summary.Unread, now.Summary.Unread},
	} {
		if t.old != t.now {
			all = append(all, fmt.Sprintf("%d %s, were %d", t.now, t.what, t.old))
		}
	}
	return all
}

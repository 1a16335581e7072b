package plan

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"fwctl/internal/window"
	"fwctl/inventory"
)

// contradiction returns why a plan that fits its schema cannot be carried out as it is, "" if
// it can. It checks what build.Plan guarantees, for plans from anywhere.
func (p *Plan) contradiction() string {
	if p.Rollout.Soak < 0 || time.Duration(p.Rollout.Soak) > LongestTime {
		return fmt.Sprintf("its rollout is %+v", p.Rollout)
	}
	if !p.oneLiners() {
		return "one of its names is more than a line"
	}
	for name, w := range p.Windows {
		if _, err := window.Compile(w); err != nil {
			return fmt.Sprintf("its window %s never opens: %s", name, err)
		}
	}
	if why := p.waveContradiction(); why != "" {
		return why
	}
	if sum := p.Summarize(); sum != p.Summary {
		return fmt.Sprintf("its summary says %+v, and its steps add up to %+v", p.Summary, sum)
	}
	if why := cmp.Or(p.stepContradiction(), p.expectedContradiction()); why != "" {
		return why
	}
	if !reflect.DeepEqual(p.Commands, p.turns()) {
		return "the commands that it lists are not those that carry it out"
	}
	return ""
}

// waveContradiction returns why the waves cannot be walked, "" if they can.
func (p *Plan) waveContradiction() string {
	for i, w := range p.Waves {
		switch {
		case w.Number != i+1:
			return fmt.Sprintf("wave %d stands where wave %d should", w.Number, i+1)
		case w.PowerCycle && w.Kind != ResetWave:
			return fmt.Sprintf("wave %d stages, and waits for a power cycle", w.Number)
		case w.Soak < 0 || time.Duration(w.Soak) > LongestTime:
			return fmt.Sprintf("wave %d soaks for %s", w.Number, w.Soak)
		}
		for _, name := range w.Windows {
			if _, ok := p.Windows[name]; !ok {
				return fmt.Sprintf("wave %d is for window %q, which the plan does not have", w.Number, name)
			}
		}
	}
	return ""
}

// stepContradiction returns why a step cannot be carried out, by itself or with the others,
// "" if all can.
func (p *Plan) stepContradiction() string {
	apart := newApart(len(p.Waves))
	type lu struct {
		id  string
		sub int
	}
	taken := make(map[lu]string, len(p.Steps))
	domains := make(map[string]int, len(p.Steps)) // by enclosure
	for i := range p.Steps {
		s := &p.Steps[i]
		why := s.contradiction(p.Waves)
		if i > 0 && s.Address <= p.Steps[i-1].Address && (s.Address != p.Steps[i-1].Address || len(s.Hops) > 0) {
			why = "it is listed twice, or out of order"
		}
		if len(s.Hops) > 0 {
			if other, ok := taken[lu{s.LUID, s.Subenclosure}]; ok {
				why = "it is the same component as " + other
			}
			taken[lu{s.LUID, s.Subenclosure}] = s.Address
		}
		if domain, ok := domains[s.Enclosure]; ok && domain != s.FaultDomain {
			why = "another component of its enclosure is said to be of another fault domain"
		}
		domains[s.Enclosure] = s.FaultDomain
		if why == "" && s.Waves.Reset > 0 {
			why = apart.add(s, p.Waves[s.Waves.Reset-1].PowerCycle)
		}
		if why == "" && slices.ContainsFunc(s.Aliases, p.has) {
			why = fmt.Sprintf("one of its aliases, %q, is the address of another component", s.Aliases)
		}
		if why != "" {
			return s.Address + ": " + why
		}
	}
	return ""
}

// has reports whether a step has an address. Steps must be sorted by address.
func (p *Plan) has(address string) bool {
	_, found := slices.BinarySearchFunc(p.Steps, address, func(s Step, address string) int {
		return cmp.Compare(s.Address, address)
	})
	return found
}

// contradiction returns why a step cannot be carried out in these waves, "" if it can.
func (s *Step) contradiction(waves []Wave) string {
	return cmp.Or(s.textContradiction(), s.gateContradiction(), s.hopContradiction(), s.actionContradiction(),
		s.placeContradiction(waves), s.expectedContradiction())
}

// textContradiction returns why the step's address and texts cannot be right, "" if they can.
func (s *Step) textContradiction() string {
	enclosure, esp, sub, err := inventory.ParseAddress(s.Address)
	designator, unnumbered := strings.CutPrefix(esp, "lu-")
	switch {
	case err != nil:
		return err.Error()
	case enclosure != s.Enclosure || sub != s.Subenclosure || unnumbered && designator != s.LUID:
		return fmt.Sprintf("its address is not that of subenclosure %d of enclosure %s behind logical unit %s",
			s.Subenclosure, s.Enclosure, s.LUID)
	case !s.aliased():
		return fmt.Sprintf("its aliases, %q, are not other addresses of a subenclosure of %s", s.Aliases, s.Enclosure)
	case s.LUID == "" || s.WorstDuration < 0:
		return "a value is missing or negative"
	case !OneLine(s.Name, s.Host, s.Vendor, s.Product, s.Current, s.Desired,
		s.Model, s.Image, s.Quirk, s.Policy, s.Rollback),
		!OneLine(s.Preconditions.ESPs...),
		!OneLine(s.Neighbours...),
		!OneLine(s.SeenElsewhere...):
		return "one of its texts is more than a line"
	case s.Disruption.Expected.rank() > s.Disruption.Worst.rank():
		return fmt.Sprintf("its disruption is %+v", s.Disruption)
	}
	return ""
}

// hopContradiction returns why the step's hops cannot follow each other, "" if they can.
func (s *Step) hopContradiction() string {
	for i := range s.Hops {
		if why := s.Hops[i].contradiction(); why != "" {
			return fmt.Sprintf("hop %d: %s", i+1, why)
		}
		h := &s.Hops[i]
		switch last := i == len(s.Hops)-1; {
		case len(h.Modes) == 0 && (s.Action != Activate || i > 0 || !last || h.Activation != WithApply):
			return fmt.Sprintf("hop %d has no mode", i+1)
		case len(h.Modes) > 0 && s.Action == Activate:
			return fmt.Sprintf("hop %d downloads what is staged", i+1)
		case !last && h.Defers(h.Modes[0]) && !h.ByCommand():
			return fmt.Sprintf("nothing starts hop %d before the next", i+1)
		case h.ByPerson() && len(s.Hops) > 1:
			return fmt.Sprintf("hop %d waits for a power cycle among others", i+1)
		case i > 0 && h.From != s.Hops[i-1].To:
			return fmt.Sprintf("hop %d starts at %s, and %s runs then", i+1, h.From, s.Hops[i-1].To)
		}
	}
	for i := range s.Later {
		if why := s.Later[i].contradiction(); why != "" {
			return fmt.Sprintf("later hop %d: %s", i+1, why)
		}
	}
	return ""
}

// actionContradiction returns why the step's action, and what goes with it, do not fit its
// hops, "" if they do.
func (s *Step) actionContradiction() string {
	acts, resets := s.Acts(), s.Resets()
	switch {
	case acts != (len(s.Hops) > 0):
		return fmt.Sprintf("its action is %s, and it has %d hops", s.Action, len(s.Hops))
	case acts && s.Hops[0].From != s.Current, acts && s.Preconditions.Revision != s.Current:
		return fmt.Sprintf("it runs %s, and that is not where its hops start", s.Current)
	case s.Action == Activate && (s.Preconditions.Staged == nil || *s.Preconditions.Staged != s.Hops[0].Image.SHA256):
		return "it activates what is not staged"
	case s.WaitsForPower && s.Action != IsStaged:
		return "it waits for a power cycle, and nothing is staged"
	case s.Action == Blocked && len(s.Reasons) == 0:
		return "it is blocked without a reason"
	case resets && s.Reset == ResetNever, resets && s.Disruption.Worst == NoImpact:
		return fmt.Sprintf("it resets, and says reset: %s and disruption: %s", s.Reset, s.Disruption.Worst)
	case acts && s.surelyResets() && s.Disruption.Expected == NoImpact:
		return "it resets in any case, and expects no disruption"
	case acts && s.WorstDuration != s.Worst():
		return fmt.Sprintf("it says that it takes up to %s, and its hops take up to %s", s.WorstDuration, s.Worst())
	case s.Hooks != nil && !bounded(s.Hooks.Timeout):
		return fmt.Sprintf("its hooks may take %s each, not up to %s", s.Hooks.Timeout, Duration(LongestTime))
	}
	return ""
}

// placeContradiction returns why the step is not in the waves that its hops need, "" if it is.
func (s *Step) placeContradiction(waves []Wave) string {
	stages, resets := len(s.Hops) > 0 && s.Hops[0].MayDefer(), s.Resets()
	waveFits := func(n int, kind WaveKind, needed bool) bool {
		return n == 0 && !needed || needed && 1 <= n && n <= len(waves) && waves[n-1].Kind == kind
	}
	switch {
	case !waveFits(s.Waves.Stage, StageWave, stages), !waveFits(s.Waves.Reset, ResetWave, resets):
		return fmt.Sprintf("its waves, stage %d and reset %d, do not exist or do not suit its hops",
			s.Waves.Stage, s.Waves.Reset)
	case stages && resets && s.Waves.Stage > s.Waves.Reset:
		return fmt.Sprintf("it is staged in wave %d, after its reset in wave %d", s.Waves.Stage, s.Waves.Reset)
	case resets && waves[s.Waves.Reset-1].PowerCycle != s.Last().ByPerson():
		return fmt.Sprintf("wave %d and it do not agree on who resets it", s.Waves.Reset)
	}
	return ""
}

// aliased reports whether the step's aliases, sorted, are addresses behind other ESPs of
// its enclosure.
func (s *Step) aliased() bool {
	home, _, _ := strings.Cut(strings.TrimPrefix(s.Address, s.Enclosure+"/"), "/")
	for i, alias := range s.Aliases {
		enclosure, esp, sub, err := inventory.ParseAddress(alias)
		if err != nil || enclosure != s.Enclosure || esp == home || sub == 0 || i > 0 && alias <= s.Aliases[i-1] {
			return false
		}
	}
	return true
}

// gateContradiction returns why the step's gate results cannot be right, "" if they can.
func (s *Step) gateContradiction() string {
	for _, g := range s.Gates {
		switch {
		case g.Verdict != Failed || len(s.Hops) == 0:
		case g.Gate == GateReset && s.Resets(), g.Gate == GateActivate && s.Last().Activation == WithApply,
			g.Gate != GateReset && g.Gate != GateActivate:
			return fmt.Sprintf("its gate %s has failed, and it is not blocked", g.Gate)
		}
	}
	return ""
}

// contradiction returns why a hop cannot be carried out, "" if it can.
func (h *Hop) contradiction() string {
	modes := slices.Equal(h.Modes, []Mode{ModeE}) || slices.Equal(h.Modes, []Mode{Mode7}) ||
		slices.Equal(h.Modes, []Mode{ModeE, Mode7}) || len(h.Modes) == 0
	switch {
	case !modes:
		return fmt.Sprintf("its modes are %v", h.Modes)
	case h.Mode7Defers && h.ActivateBy != ByPowerCycle:
		return "its mode 7 resets nothing, and something other than a power cycle starts it"
	case h.ActivationPage != "" && h.ActivateBy != ByModeF:
		return "it is activated by a page and by a power cycle"
	case !OneLine(h.From, h.To, h.Image.Name, string(h.RefusedMode)):
		return "one of its texts is more than a line"
	}
	times := []Duration{h.FlashTimeout, h.Settle, h.ReturnTimeout, h.PeerSync}
	switch {
	case slices.Min(times) < 0 || time.Duration(slices.Max(times)) > LongestTime:
		return fmt.Sprintf("one of its times, %v, is negative or longer than %v", times, Duration(LongestTime))
	case len(h.Modes) > 0 && h.FlashTimeout == 0:
		return "it gives the device no time to write flash"
	}
	return h.pageContradiction()
}

// LongestTime is the longest time that a desired state or a plan may ask for: more than any
// device takes for anything. The slowest known wrote flash for 25 minutes.
const LongestTime = 7 * 24 * time.Hour

// bounded reports whether a time is more than zero, and not too long.
func bounded(d Duration) bool { return d > 0 && time.Duration(d) <= LongestTime }

// oneLiners reports whether the texts outside steps that views show on one line have no line
// breaks.
func (p *Plan) oneLiners() bool {
	texts := []string{p.DesiredState.Name}
	for _, s := range p.Scans {
		texts = append(texts, s.Host)
	}
	texts = append(texts, p.LeftOut...)
	for name, w := range p.Windows {
		texts = append(texts, name, w.Timezone)
	}
	for name := range p.Quirks {
		texts = append(texts, name)
	}
	for _, u := range p.Unread {
		texts = append(append(texts, u.Host, u.Path, u.LUID), u.Components...)
	}
	return OneLine(texts...)
}

// surelyResets reports whether the step resets even if every hop goes by its first mode.
func (s *Step) surelyResets() bool {
	return slices.ContainsFunc(s.Hops, func(h Hop) bool {
		return h.Activation == WithApply || len(h.Modes) > 0 && !h.Defers(h.Modes[0])
	})
}

// pageContradiction returns why the activation page cannot be sent, "" if it can.
func (h *Hop) pageContradiction() string {
	page, err := h.ActivationPageBytes()
	switch {
	case err != nil:
		return err.Error()
	case len(page) == 0:
		return ""
	case !VendorPage(page[0]):
		return fmt.Sprintf("its activation page, %02Xh, is not a vendor's page", page[0])
	case int(page[2])<<8|int(page[3]) != len(page)-4:
		return "its activation page does not have the length that it says"
	}
	return ""
}

// OneLine reports whether texts can be shown on a line: they have no control characters.
func OneLine(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) })
}

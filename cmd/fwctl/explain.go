package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fwctl/inventory"
	"fwctl/plan"
)

func (a *app) explainCommand() *cobra.Command {
	var file, output string
	var sources planSources
	cmd := &cobra.Command{
		Use:   "explain PLAN|-f FILE ADDRESS",
		Short: "explain what a plan does with one component, and why",
		Long: `Tells of one component which want it falls under, what each safeguard says, what
its update disturbs, what brings it back, and when maintenance windows let it go.
The component is named by its address, or by any selector that selects it alone: see
plan --target.
A saved plan is explained without a look at any device; with -f the enclosures
are read first, or inventories that were saved on other hosts, as plan does.`,
		Example: `  fwctl explain dc1.plan 5000ccab04001000/esp1/sub0
  fwctl explain -f dc1.yaml r12u20/esp1                # by the enclosure's name
  fwctl explain -f dc1.yaml --inventory stor1.json --inventory stor2.json 5000ccab04001000/esp1/sub0`,
		Args: args(cobra.RangeArgs(1, 2), "a plan file and an address, or -f, a desired state and an address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case file == "" && len(args) == 1:
				return &failure{exitError, "cannot explain without a plan", "name a plan file before the address, or a desired state with -f"}
			case file != "" && len(args) == 2:
				return &failure{exitError, "cannot explain both a plan and a desired state", fmt.Sprintf("leave out %s or %s", plan.Command{args[0]}, plan.Command{"-f", file})}
			case file == "" && sources.named():
				return &failure{exitError, "cannot explain a saved plan from inventories", "a plan holds what it was made from: leave out --inventory and --max-age, or name a desired state with -f"}
			}
			if err := oneOf("-o", output, "text", "json"); err != nil {
				return err
			}
			selector, err := inventory.ParseSelector(args[len(args)-1])
			if err != nil {
				return &failure{exitError, err.Error(), inventory.SelectorHelp}
			}
			p, err := a.planToExplain(cmd.Context(), file, args[0], sources)
			if err != nil {
				return err
			}
			s, err := stepAt(p, selector)
			if err != nil {
				return err
			}
			now := time.Now()
			if output == "json" {
				out := json.NewEncoder(a.stdout)
				out.SetEscapeHTML(false)
				out.SetIndent("", "  ")
				return out.Encode(explanation(p, s, now))
			}
			_, err = fmt.Fprint(a.stdout, a.heading(p.Simulated), explainView(p, s, now, widthOf(a.stdout), a.paint()))
			return err
		},
	}
	desiredFlag(cmd, &file)
	sources.addFlags(cmd, "warn of inventories that are older than `DURATION`")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// planToExplain reads a saved plan, or makes one of a desired state.
func (a *app) planToExplain(ctx context.Context, desired, saved string, sources planSources) (*plan.Plan, error) {
	if desired == "" {
		p, _, err := loadPlan(saved)
		return p, err
	}
	var want planRequest
	var err error
	if want.desired, want.images, err = a.loadDesired(desired); err != nil {
		return nil, err
	}
	now := time.Now()
	if want.inventories, err = a.read(ctx, sources, now, ""); err != nil {
		return nil, err
	}
	p, _, err := want.build(now)
	return p, err
}

// stepAt finds the one step that a selector selects.
func stepAt(p *plan.Plan, selector inventory.Selector) (*plan.Step, error) {
	var found *plan.Step
	var several []string
	for i := range p.Steps {
		s := &p.Steps[i]
		if selector.Matches(s.Named()) {
			found = s
			several = append(several, s.Address)
		}
	}
	switch {
	case len(several) == 1:
		return found, nil
	case len(several) > 1:
		return nil, &failure{exitError, fmt.Sprintf("cannot explain %s: it selects %s", selector, components(len(several))), "name one of " + enumerate(several, 8)}
	}
	return nil, plan.Unmatched("", []inventory.Selector{selector}, p.Components(), "this plan")
}

// waveTimes is a wave that works on a step, and when it may.
type waveTimes struct {
	Number  int           `json:"number"`
	Kind    plan.WaveKind `json:"kind"`
	Canary  bool          `json:"canary"`
	Windows []string      `json:"windows"`
	Open    bool          `json:"open"` // it may run now
	Opens   *time.Time    `json:"opens"`
	Closes  *time.Time    `json:"closes"`
	Needs   plan.Duration `json:"needs"` // at worst, for this step
}

// explanation is what explain -o json writes, by its schema: the step as the plan has it, and
// when its waves may run.
func explanation(p *plan.Plan, s *plan.Step, now time.Time) any {
	waves := []waveTimes{}
	for _, w := range wavesOn(p, s) {
		t := waveTimes{Number: w.Number, Kind: w.Kind, Canary: w.Canary, Windows: w.Windows, Needs: s.WorstIn(w)}
		if o, err := p.Opening(w, now); err == nil {
			t.Open = o.Now
			if !o.Start.IsZero() {
				t.Opens, t.Closes = &o.Start, &o.End
			}
		}
		waves = append(waves, t)
	}
	return struct {
		FormatVersion string      `json:"format_version"`
		Kind          string      `json:"kind"`
		Simulated     bool        `json:"simulated"`
		PlanDigest    string      `json:"plan_digest"`
		Step          *plan.Step  `json:"step"`
		Waves         []waveTimes `json:"waves"`
	}{"1.0", "Explanation", p.Simulated, p.Digest, s, waves}
}

func wavesOn(p *plan.Plan, s *plan.Step) []plan.Wave {
	return slices.DeleteFunc(slices.Clone(p.Waves), func(w plan.Wave) bool {
		return w.Number != s.Waves.Stage && w.Number != s.Waves.Reset
	})
}

// explainView renders why a step is what it is.
func explainView(p *plan.Plan, s *plan.Step, now time.Time, width int, paint paint) string {
	var lines []string
	add := func(key, text string) {
		for _, part := range strings.Split(text, "\n") {
			lines = append(lines, wrap(part, width, pad(key, 14), strings.Repeat(" ", 16))...)
			key = ""
		}
	}
	what := s.Address
	if s.Name != "" {
		what += " (" + s.Name + ")"
	}
	lines = append(lines, wrap(fmt.Sprintf("%s: %s %s, now %s", what, s.Vendor, s.Product, cmp.Or(s.Current, "?")), width, "", "  ")...)
	lines = append(lines, "")
	verdict := string(s.Action)
	if s.Action == plan.Blocked {
		verdict = paint.paint(alarm, strings.ToUpper(verdict))
	}
	means := meaning[s.Action]
	if s.Action == plan.NoOp && s.Desired == "" {
		means = "it reports no revision, and the wanted image is the last that is remembered there"
	}
	add("Action", verdict+": "+means)
	for _, r := range s.Reasons {
		if !slices.ContainsFunc(s.Gates, func(g plan.GateResult) bool { return g.Why == r }) {
			add("", r)
		}
	}
	if s.Action == plan.Unmanaged {
		add("Want", "none of the desired state's matches it")
	}
	if s.Model == "" {
		return strings.Join(lines, "\n") + "\n"
	}
	want := fmt.Sprintf("model %s, image %s", s.Model, s.Image)
	if s.Desired != "" {
		want += ", to revision " + s.Desired
	}
	add("Want", want)
	add("Policy", fmt.Sprintf("%s: reset %s", cmp.Or(s.Policy, "the default"), s.Reset))
	gates(s, add, paint)
	add("Host", s.Host+" works on it")
	if s.Quirk != "" {
		add("Quirk", s.Quirk+": "+p.Quirks[s.Quirk])
	}
	if s.Quirk != "" && len(s.Hops) > 0 {
		add("", strings.Join(peculiarities(s.Hops[0]), "; "))
	}
	hops(s, add)
	if effect := effectOf(*s); effect != "" {
		add("Effect", because(effect, s.Disruption.Why))
	}
	if len(s.Evidence) > 0 {
		add("Drives", strings.Join(s.Evidence, "\n"))
	}
	if len(s.Hops) > 0 {
		add("Time", "at worst "+spell(s.WorstDuration)+"; "+beyondTime)
		add("Fault domain", faultDomainOf(p, s))
		if s.Hooks != nil {
			add("Hooks", hooksOf(s.Hooks))
		}
		add("Way back", cmp.Or(prefixed("image ", s.Rollback), "none: "+noWayBack(*s)))
	}
	add("Preconditions", preconditionsOf(s))
	waves := wavesOn(p, s)
	for _, w := range waves {
		name, kind := strings.TrimPrefix(waveName(w), "wave "), string(w.Kind)
		if w.Canary {
			kind += ", of the canaries"
		}
		if w.PowerCycle {
			kind += ", by a person's power cycle"
		}
		add("Wave "+name, kind+": "+opensNext(p, w, now)+"; needs up to "+spell(s.WorstIn(w)))
		if before := w.Number - 1; before > 0 {
			after := fmt.Sprintf("after wave %d is done", before)
			for _, b := range p.Waves {
				if b.Number == before && b.Soak > 0 {
					after += ", and well for " + spell(b.Soak)
				}
			}
			add("", after)
		}
	}
	if len(waves) == 0 {
		add("Wave", "none works on it")
	}
	return strings.Join(lines, "\n") + "\n"
}

// beyondTime is what no worst duration counts in.
const beyondTime = "a device that does not answer a command at all is waited for beyond that, up to 2 h a command: " +
	"a time-out would have the kernel reset it, and it may be writing flash"

// gates tells what each gate of the policy said, or that it was not asked.
func gates(s *plan.Step, add func(key, text string), paint paint) {
	if len(s.Gates) == 0 {
		return // nothing is to be done
	}
	key := "Gates"
	for _, gate := range plan.Gates {
		text := "not asked"
		if i := slices.IndexFunc(s.Gates, func(g plan.GateResult) bool { return g.Gate == gate }); i >= 0 {
			text = verdictOf(s, s.Gates[i], paint) + ": " + s.Gates[i].Why
		}
		add(key, string(gate)+" "+text)
		key = ""
	}
}

// verdictOf writes what a gate said. One that failed and does not block the step
// leaves something out of it.
func verdictOf(s *plan.Step, g plan.GateResult, paint paint) string {
	switch {
	case g.Verdict != plan.Failed:
		return string(g.Verdict)
	case slices.Contains(s.Reasons, g.Why) && s.Action == plan.Blocked:
		return paint.paint(alarm, strings.ToUpper(string(g.Verdict)))
	}
	return "not permitted"
}

var meaning = map[plan.Action]string{
	plan.Update:    "an image is sent to it",
	plan.Activate:  "the wanted image is staged, and is activated",
	plan.IsStaged:  "the wanted image is staged and waits",
	plan.NoOp:      "it reports the wanted revision, and no other image is remembered there",
	plan.Blocked:   "what is wanted may not be done",
	plan.Excepted:  "an exception of the desired state leaves it out",
	plan.Unmanaged: "nothing is done with it",
}

// hops tells each download, and what starts it.
func hops(s *plan.Step, add func(key, text string)) {
	tell := func(key string, h plan.Hop) {
		text := fmt.Sprintf("%s > %s, mode %s", h.From, h.Brings(), modeOf(h))
		switch {
		case len(h.Modes) == 0:
			text += ": what is staged is started"
		case h.Activation == plan.Manual && len(h.Deferring()) > 0:
			text += ": left staged"
			if h.MayReset() {
				text += " by mode e"
			}
		}
		add(key, text)
		add("", fmt.Sprintf("image %s, %s, %s, SHA-256 %s", h.Image.Name, size(h.Image.Size), h.Protocol, h.Image.SHA256))
	}
	for i, h := range s.Hops {
		tell(fmt.Sprintf("Hop %d of %d", i+1, len(s.Hops)), h)
	}
	for _, h := range s.Later {
		tell("Later", h)
	}
}

// peculiarities are what the quirk table can change of how an image is sent.
func peculiarities(h plan.Hop) []string {
	all := []string{fmt.Sprintf("%d bytes at a time", h.ChunkSize), "left alone for " + spell(h.Settle) + " after a reset"}
	if slices.Contains(h.SkipStatus, plan.MidwayStatus) {
		all = append(all, "its download status is not read between chunks")
	}
	if slices.Contains(h.SkipStatus, plan.LastStatus) {
		all = append(all, "its download status is not read after the last chunk")
	}
	if h.RefusedMode != "" {
		all = append(all, string(h.RefusedMode)+" at the first chunk means that the mode is refused")
	}
	if h.ActivationPage != "" {
		all = append(all, "started by the page "+h.ActivationPage+" in place of mode 0Fh")
	}
	if h.ActivateUnconfirmed {
		all = append(all, "started though it never says that an image is complete")
	}
	if h.PeerSync > 0 {
		all = append(all, "I/O modules bring each other to one revision within "+spell(h.PeerSync)+", and are left alone meanwhile")
	}
	return all
}

// faultDomainOf names what is never reset together with a step.
func faultDomainOf(p *plan.Plan, s *plan.Step) string {
	if s.FaultDomain == 0 {
		return "cannot be told: nothing else is reset at the same time"
	}
	others := map[string]bool{}
	for _, o := range p.Steps {
		if o.FaultDomain == s.FaultDomain && o.Enclosure != s.Enclosure {
			others[cmp.Or(o.Name, o.Enclosure)] = true
		}
	}
	if len(others) == 0 {
		return fmt.Sprintf("%d: this enclosure alone", s.FaultDomain)
	}
	return fmt.Sprintf("%d: with %s, never reset at the same time", s.FaultDomain, strings.Join(slices.Sorted(maps.Keys(others)), ", "))
}

func preconditionsOf(s *plan.Step) string {
	staged := "nothing staged that " + s.Host + " remembers"
	if sha := s.Preconditions.Staged; sha != nil {
		staged = "image " + *sha + " staged"
	}
	return fmt.Sprintf("it runs %s; %s; %s sees the I/O modules %s", cmp.Or(s.Preconditions.Revision, "?"), staged, s.Host, strings.Join(s.Preconditions.ESPs, ", "))
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/inventory/scan"
	"fwctl/plan"
)

func (a *app) verifyCommand() *cobra.Command {
	var (
		file   string
		saved  string
		output string
		cycled []string
	)
	cmd := &cobra.Command{
		Use:   "verify [-f FILE] [--plan PLAN]",
		Short: "after somebody power-cycled: does what was staged run, is everything there",
		Long: `Looks, after somebody power-cycled enclosures, whether what was staged runs now,
and whether every ESP, drive, path and element is there and well that was before
the last apply. It sends nothing with an effect.

What runs, or is lost, is not remembered as staged any more. Few devices tell
whether they were power-cycled: --power-cycled is a person's word for it.

Exit code 0: all of it runs, and nothing is missing. 4: something waits still, is
lost, or has become worse. 5: a component is not in sight, or what a run has left in
it is not known.

With -f, a component that is not as the desired state wants it counts as well. With
--plan, one that is not as the plan brings it, its power cycles included: those that
this host works on have to be in sight, and of the other hosts' those that it sees
are compared.`,
		Example: `  fwctl verify
  fwctl verify --power-cycled r12u20
  fwctl verify -f dc1.yaml
  fwctl verify --plan rack-12.plan`,
		Args: args(cobra.NoArgs, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, "table", "json"); err != nil {
				return err
			}
			powerCycled, err := selectors("--power-cycled", cycled)
			if err != nil {
				return err
			}
			return a.verify(cmd.Context(), file, saved, output == "json", powerCycled)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "compare with the desired state in `FILE` too")
	cmd.Flags().StringVar(&saved, "plan", "", "compare with what the saved plan in `FILE` brings too")
	cmd.Flags().StringArrayVar(&cycled, "power-cycled", nil, "what `SELECTOR` selects, or all, was power-cycled since it was staged (repeatable)")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func (a *app) verify(ctx context.Context, file, saved string, asJSON bool, cycled []inventory.Selector) error {
	machine, err := a.machine()
	if err != nil {
		return err
	}
	var approved *plan.Plan
	if saved != "" {
		if approved, _, err = loadPlan(saved); err != nil {
			return err
		}
		if approved.Simulated != machine.Simulated() {
			return refused(
				fmt.Sprintf("cannot compare with %s: one of it and this machine is a simulated rack, and the other is not", saved),
				"name the rack with --simulate, or leave that out",
			)
		}
	}
	dir, err := a.state()
	if err != nil {
		return err
	}
	store, err := state.OpenExisting(dir)
	if err != nil {
		return err
	}
	found, err := executor.Verify(ctx, executor.Look{Machine: machine, Store: store, By: whoami(), PowerCycled: cycled})
	store.Close()
	if err != nil {
		return err
	}
	var wanted *plan.Plan
	if file != "" {
		j := &job{app: a, machine: machine}
		if err := j.makePlan(ctx, file); err != nil {
			return err
		}
		wanted = j.plan
	}
	v := verification{Found: found, astray: astray(wanted)}
	if approved != nil {
		inv, err := a.scan(ctx, machine, scan.Options{})
		if err != nil {
			return err
		}
		if v.planned, v.drift = approved.Drift(inv); v.planned == 0 {
			return &failure{
				exitError,
				fmt.Sprintf("cannot compare with %s: it is about nothing that %s sees or works on", saved, inv.Host),
				"verify it on the hosts that it names: `fwctl show` lists them",
			}
		}
	}
	if wanted != nil {
		for _, u := range wanted.Unread {
			if u.Wanted {
				v.unread++
			}
		}
	}
	if asJSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		err := e.Encode(struct {
			FormatVersion string `json:"format_version"`
			Kind          string `json:"kind"`
			Simulated     bool   `json:"simulated"`
			*executor.Found
			Astray []plan.Step  `json:"astray,omitempty"`
			Drift  []plan.Drift `json:"drift,omitempty"`
		}{"1.0", "Verification", machine.Simulated(), found, v.astray, v.drift})
		if err != nil {
			return err
		}
	} else {
		fmt.Fprint(a.stdout, a.heading(machine.Simulated()), v.view(widthOf(a.stdout), a.paint()))
	}
	return v.verdict()
}

// astray are the components that are not as a desired state wants them.
func astray(p *plan.Plan) []plan.Step {
	var all []plan.Step
	if p == nil {
		return nil
	}
	for _, s := range p.Steps {
		switch s.Action {
		case plan.NoOp, plan.Excepted, plan.Unmanaged:
		default:
			all = append(all, s)
		}
	}
	return all
}

// verification is what was found, and what is not as it is wanted.
type verification struct {
	*executor.Found
	astray []plan.Step
	unread int // devices that the desired state may be about

	drift   []plan.Drift // from a saved plan
	planned int          // components that were compared with it
}

// counts are how many components run what was staged, wait for that, have lost it,
// and are not in sight.
func (v *verification) counts() (running, waiting, lost, absent int) {
	for _, f := range v.Components {
		switch f.Outcome {
		case state.Running:
			running++
		case state.Waiting:
			waiting++
		case state.Lost:
			lost++
		default:
			absent++
		}
	}
	return
}

// verdict is the error that exits with the code of what was found.
func (v *verification) verdict() error {
	_, waiting, lost, absent := v.counts()
	switch {
	case len(v.Unsettled) > 0:
		return &failure{
			exitUnknown,
			fmt.Sprintf("what %s holds is not known, or is half an image", v.Unsettled[0].Address),
			"if a run can be resumed, fwctl resume finds out; else send it a whole image, or, " +
				"if nothing says not to, power-cycle it and say so with --power-cycled",
		}
	case absent > 0:
		return &failure{exitUnknown, fmt.Sprintf("%s not in sight", isOrAre(absent)), "it may be starting still; else switch the enclosure on and look at its cables; then run fwctl verify again"}
	case slices.ContainsFunc(v.drift, func(d plan.Drift) bool { return d.Revision == "" }):
		return &failure{
			exitUnknown,
			"something that the plan knows is not in sight",
			"it may be starting still; else switch the enclosure on and look at its cables; then run fwctl verify again",
		}
	case len(v.Declines) > 0:
		return &failure{exitFailed, fmt.Sprintf("%d %s worse than before", len(v.Declines), plural(len(v.Declines), "enclosure is", "enclosures are")), "see to what is missing before anything else is updated there"}
	case lost > 0:
		return &failure{exitFailed, fmt.Sprintf("what was staged on %s is lost", components(lost)), "plan and apply again"}
	case waiting > 0:
		return &failure{exitFailed, fmt.Sprintf("%s still waiting for a power cycle", isOrAre(waiting)), "power-cycle the enclosure when its drives are not in use, or say --power-cycled where that was done"}
	case v.unread > 0:
		return &failure{exitUnknown, fmt.Sprintf("%d %s could not be read, and the desired state may be about it", v.unread, plural(v.unread, "device", "devices")), "fwctl inventory says why; run fwctl verify again when it can be read"}
	case len(v.drift) > 0:
		return &failure{
			exitFailed,
			fmt.Sprintf("%s not as the plan brings it", isOrAre(len(v.drift))),
			"the lines above say what is missing",
		}
	case len(v.astray) > 0:
		return &failure{exitFailed, fmt.Sprintf("%s not as the desired state wants it", isOrAre(len(v.astray))), "fwctl plan shows what is left to do"}
	}
	return nil
}

// comparison says what was compared with what it was like before, and how that went.
func (v *verification) comparison() string {
	n, esps, drives := len(v.Compared), 0, 0
	for _, c := range v.Compared {
		esps, drives = esps+c.ESPs, drives+c.Drives
	}
	worse := "nothing"
	if len(v.Declines) > 0 {
		worse = fmt.Sprint(len(v.Declines))
	}
	return fmt.Sprintf("Compared %d %s (%d I/O %s, %d %s) with what %s like before the last apply: %s %s worse.", n, plural(n, "enclosure", "enclosures"),
		esps, plural(esps, "module", "modules"), drives, plural(drives, "drive", "drives"), plural(n, "it was", "they were"), worse, plural(max(len(v.Declines), 1), "is", "are"))
}

func isOrAre(n int) string { return components(n) + " " + plural(n, "is", "are") }

func (v *verification) view(width int, paint paint) string {
	running, waiting, lost, absent := v.counts()
	var lines []string
	if len(v.Components) > 0 {
		t := table{columns: []column{{"ADDRESS", key}, {"STAGED", below}, {"RUNS", below}, {"OUTCOME", below}, {"SINCE", label}, {"WHY", reason}}}
		for _, f := range v.Components {
			outcome := string(f.Outcome)
			switch {
			case outcome == "":
				outcome = "not in sight"
			case f.Outcome == state.Running:
				outcome = confirmedOr(outcome, f.Confirmed)
			}
			r := row{
				cells: []string{
					f.Address,
					cmp.Or(f.Wanted, digestCell(f.SHA256)),
					cmp.Or(f.Revision, "-"),
					outcome,
					f.StagedSince.Local().Format(time.DateOnly) + " by " + f.StagedBy,
					oneLine(cmp.Or(f.Reason, "-")),
				},
			}
			if f.Outcome == state.Lost || f.Outcome == "" {
				r.tone = alarm
			}
			t.rows = append(t.rows, r)
		}
		rows, _ := t.draw(width, paint)
		lines = append(append(lines, rows...), "")
	}
	for _, s := range v.Settled {
		lines = append(
			lines,
			wrap(
				fmt.Sprintf("SETTLED %s: it was power-cycled or reset, runs %s, and what it may have held is started or gone (%s)",
					s.Address, cmp.Or(s.Revision, "?"), s.Reason),
				width,
				"",
				"  ",
			)...)
	}
	for _, u := range v.Unsettled {
		lines = append(lines, wrap(fmt.Sprintf("CAUTION %s: %s", u.Address, u.Reason), width, "", "  ")...)
	}
	for _, d := range v.Declines {
		lines = append(lines, wrap(fmt.Sprintf("WORSE %s, since %s: %s", d.Enclosure, moment(d.Since), strings.Join(d.Worse, "; ")), width, "", "  ")...)
	}
	for _, s := range v.astray {
		lines = append(lines, wrap(fmt.Sprintf("%s: runs %s, wanted %s: %s", s.Address, s.Current, s.Desired, s.Action), width, "", "  ")...)
	}
	for _, d := range v.drift {
		text := fmt.Sprintf("%s: %s", d.Address, d.Reason)
		if d.Revision != "" {
			text = fmt.Sprintf(
				"%s: runs %s, the plan brings %s: %s",
				d.Address,
				d.Revision,
				cmp.Or(d.Wanted, "another"),
				d.Reason,
			)
		}
		lines = append(lines, wrap(text, width, "", "  ")...)
	}
	if v.planned > 0 {
		text := fmt.Sprintf("Compared %s with the plan: %d not as it brings them.", components(v.planned), len(v.drift))
		lines = append(lines, wrap(text, width, "", "  ")...)
	}
	switch {
	case len(v.Components) == 0 && len(v.astray) == 0:
		lines = append(lines, "Nothing is staged, as far as this host remembers.")
	case len(v.Components) > 0:
		text := fmt.Sprintf("Verified: %d running, %d waiting, %d lost", running, waiting, lost)
		if absent > 0 {
			text += fmt.Sprintf(", %d not in sight", absent)
		}
		lines = append(lines, wrap(text+".", width, "", "  ")...)
	}
	compared := "No apply is remembered here to compare with."
	if len(v.Compared) > 0 {
		compared = v.comparison()
	}
	lines = append(lines, wrap(compared, width, "", "  ")...)
	return strings.Join(lines, "\n") + "\n"
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/plan"
	"fwctl/plan/images"
)

// applyFlags are the flags of apply, without those of runFlags.
type applyFlags struct {
	file, images, expect, phase, output string
	wave                                int
	check                               bool
}

func (a *app) applyCommand() *cobra.Command {
	var (
		f     applyFlags
		flags runFlags
	)
	cmd := &cobra.Command{
		Use:   "apply PLAN | -f FILE",
		Short: "carry a plan out",
		Long: `Carries out a saved plan, or plans for a desired state and carries that out. The
plan is shown first, and only the word yes starts it.

Before the first byte every device is compared with what the plan saw; if they
differ, the plan is stale and refused.

After ^C or SIGTERM nothing new is started, and what is under way is brought to
its end. A second ^C withdraws downloads by mode e between two chunks. A third
one leaves at once, as SIGQUIT (^\) does: fwctl resume then finds out what became
of the work under way. Before the run begins, each of them ends fwctl, and nothing
is written.`,
		Example: `  fwctl apply dc1.plan
  fwctl apply dc1.plan --check                         # only compares it with the devices
  fwctl apply dc1.plan --expect sha256:9b1e… --yes     # the plan that was approved, and no other
  fwctl apply dc1.plan --phase stage                   # downloads by day, resets nothing
  fwctl apply dc1.plan --phase reset --wait            # resets when the window opens`,
		Args: args(cobra.MaximumNArgs(1), "one plan file, or -f and a desired state"),
		RunE: a.untilRun(func(cmd *cobra.Command, args []string) error {
			err := cmp.Or(f.validate(cmd, args, flags), flags.check(cmd), oneOf("-o", f.output, "text", "json"))
			if err != nil {
				return err
			}
			r, err := a.newRequest(flags)
			if err != nil {
				return err
			}
			r.json = f.output == "json"
			return r.applyNamed(cmd.Context(), f, args)
		}),
	}
	desiredFlag(cmd, &f.file)
	flags.yesFlag(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false,
		"only compare the plan with the devices, and look for its images; write nothing")
	cmd.Flags().StringVar(&f.images, "images", "",
		"look for the plan's images, by their SHA-256, in `DIR` and below first, then where PLAN is, "+
			"then where they were when it was made")
	cmd.Flags().StringVar(&f.expect, "expect", "", "refuse any plan but the one with this digest `SHA256`")
	flags.acceptFlags(cmd)
	cmd.Flags().StringVar(&f.phase, "phase", "", "only the waves that stage or reset: `KIND` is stage or reset")
	cmd.Flags().IntVar(&f.wave, "wave", 0, "only wave `N`; those before it must be done")
	flags.windowFlags(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json: an event a line, the result last")
	return cmd
}

// validate refuses arguments and flags that contradict each other.
func (f *applyFlags) validate(cmd *cobra.Command, args []string, flags runFlags) error {
	switch {
	case len(args) == 0 && f.file == "":
		return &failure{exitError, "cannot apply nothing", "name a plan file, or a desired state with -f"}
	case len(args) == 1 && f.file != "":
		return &failure{
			exitError, "cannot apply both a plan and a desired state",
			fmt.Sprintf("leave out %s or %s", plan.Command{args[0]}, plan.Command{"-f", f.file}),
		}
	case f.file != "" && f.expect != "":
		return &failure{
			exitError, "cannot use --expect with -f",
			"--expect is for a plan that was saved and approved: fwctl plan --out",
		}
	case f.file != "" && f.images != "":
		return &failure{
			exitError, "cannot use --images with -f", "the desired state says where its images are",
		}
	case flags.soleWriter && f.file == "":
		return &failure{
			exitError, "cannot use --sole-writer with a saved plan",
			"it is for -f, which sees this host alone: a saved plan has an inventory of each host",
		}
	case cmd.Flags().Changed("wave") && f.wave < 1:
		return badFlag("--wave", strconv.Itoa(f.wave), "the number of a wave, from 1")
	case f.phase != "":
		return oneOf("--phase", f.phase, "stage", "reset")
	}
	return nil
}

// applyNamed applies, or checks, what the arguments name: a saved plan, or a desired state.
func (r *request) applyNamed(ctx context.Context, f applyFlags, args []string) error {
	r.config.Phase, r.config.Wave = plan.WaveKind(f.phase), f.wave
	var err error
	if f.file != "" {
		r.named = []string{"-f", f.file}
		err = r.plan(ctx, f.file)
	} else {
		r.named = args
		err = r.load(args[0], f.expect, f.images)
	}
	if err != nil {
		return err
	}
	if f.images != "" {
		r.named = append(r.named, "--images", f.images)
	}
	if err := cmp.Or(r.hasWaves(), r.acceptsSomething()); err != nil {
		return err
	}
	if !f.check {
		return r.apply(ctx)
	}
	if r.obstacle != nil {
		return r.obstacle
	}
	return r.check(ctx)
}

// load reads a saved plan, which must be the one that was approved, and its images.
func (r *request) load(file, expect, dir string) error {
	p, err := loadPlan(file)
	if err != nil {
		return err
	}
	if expect != "" &&
		strings.TrimPrefix(strings.ToLower(expect), "sha256:") != strings.TrimPrefix(p.Digest, "sha256:") {
		return refused(fmt.Sprintf("cannot apply %s: its digest is %s, not the %s of --expect", file, p.Digest, expect),
			"this is not the plan that was approved: have it reviewed, or get the right file")
	}
	switch simulated := r.config.Machine.Simulated(); {
	case p.Simulated && !simulated:
		return refused(fmt.Sprintf("cannot apply %s: it was made on a simulated rack", file),
			"name the rack with --simulate, or plan on this host")
	case !p.Simulated && simulated:
		return refused(fmt.Sprintf("cannot apply %s: it was made on real hardware, and --simulate names a rack", file),
			"leave --simulate out, or plan with it")
	}
	r.config.Plan = p
	r.config.Images, err = images.Find(p, images.Places{Dir: dir, File: file})
	return err
}

// hasWaves refuses --phase and --wave that together mean none of the plan's waves.
func (r *request) hasWaves() error {
	if r.config.SelectsAny() {
		return nil
	}
	waves, n := r.config.Plan.Waves, r.config.Wave
	switch {
	case n > len(waves):
		return &failure{
			exitError,
			fmt.Sprintf("cannot apply wave %d: the plan has %s", n, english.Plural(len(waves), "wave", "")),
			"fwctl show shows which wave does what",
		}
	case n != 0:
		return &failure{
			exitError,
			fmt.Sprintf("cannot apply wave %d with --phase %s: it is a %s wave", n, r.config.Phase, waves[n-1].Kind),
			"leave one of them out",
		}
	}
	// It is not an error to have nothing to do in this phase.
	return nil
}

// check compares the plan with the devices.
func (r *request) check(ctx context.Context) error {
	store, err := r.memory()
	if err != nil {
		return err
	}
	defer store.Close()
	c := r.config
	c.Store = store
	if r.json {
		return r.end(executor.Check(ctx, c))
	}
	fmt.Fprint(r.stdout, r.heading(c.Plan.Simulated))
	display := r.display(&plan.Plan{})
	c.Observer = func(e result.Event) {
		// The result says the rest.
		if e.Type == result.EventChecking {
			display.Show(e)
		}
	}
	result, err := executor.Check(ctx, c)
	display.Close()
	return r.end(result, err)
}

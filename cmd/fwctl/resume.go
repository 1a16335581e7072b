package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/executor/memory"
	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/internal/ui"
	"fwctl/plan"
	"fwctl/plan/images"
)

func (a *app) resumeCommand() *cobra.Command {
	var (
		dir, output string
		flags       runFlags
	)
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "continue after a crash or an interruption",
		Long: `Continues the run that was broken off or interrupted. It shows what is known of the
run, asks, looks at the devices, brings the work under way to its end, and carries
out the rest of the run's plan. It says what is still unknown at the end.`,
		Example: `  fwctl resume
  fwctl resume --yes`,
		Args: args(cobra.NoArgs, "no arguments"),
		RunE: a.untilRun(func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(oneOf("-o", output, "text", "json"), flags.check(cmd)); err != nil {
				return err
			}
			r, err := a.newRequest(flags)
			if err != nil {
				return err
			}
			r.json, r.resumed = output == "json", true
			return r.resume(cmd.Context(), dir)
		}),
	}
	flags.yesFlag(cmd)
	cmd.Flags().StringVar(&dir, "images", "",
		"look for images that the state directory has lost, by their SHA-256, in `DIR` and below, "+
			"then where they were when the plan was made")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json: an event a line, the result last")
	flags.windowFlags(cmd)
	return cmd
}

// resume continues the run that has no end, or was interrupted. dir may have images that the state directory lacks; ""
// for none.
func (r *request) resume(ctx context.Context, dir string) error {
	stateDir, err := r.state()
	if err != nil {
		return err
	}
	store, err := state.OpenExisting(stateDir)
	if err != nil {
		return unbegun(err)
	}
	defer store.Close()
	machine := r.config.Machine
	run, p, err := memory.Resumable(ctx, store, machine.HoldsLock)
	if err != nil {
		return err
	}
	text := r.forPeople()
	fmt.Fprint(text, r.heading(machine.Simulated()))
	switch {
	case run == nil && r.json:
		fmt.Fprintln(text, nothingToResume)
		return r.end(&result.Result{Outcome: result.RunDone}, nil)
	case run == nil:
		fmt.Fprintln(text, nothingToResume)
		return nil
	case memory.GoesOn(run, p, machine.HoldsLock):
		return refused(
			fmt.Sprintf("cannot resume: run %d of plan %s is going on (pid %d, since %s): wait for it",
				run.ID, plan.ShortDigest(p.Digest), run.PID, ui.Moment(run.StartedAt)),
			"nothing was written; `"+r.again("status")+"` shows where it stands",
		)
	}
	r.config.Plan, r.config.Phase, r.config.Wave = p, plan.WaveKind(run.Phase), run.Wave
	if r.config.Images, err = images.Find(p, images.Places{Known: memory.Images(store, p), Dir: dir}); err != nil {
		return err
	}
	remaining, err := memory.ReadRemaining(ctx, store, run, p)
	if err != nil {
		return err
	}
	fmt.Fprint(text, r.screen(text).Resume(remaining, time.Now()))
	if err := r.inWindow(time.Now()); err != nil && !remaining.Unclear() {
		return err
	}
	left := r.config
	left.Plan, r.left = remaining.Plan, remaining.Plan
	r.sayAtStake(left.Resetting())
	if !r.yes {
		if err := r.confirm("Look at these devices, and continue that run?"); err != nil {
			return err
		}
	}
	return r.carryOut(ctx, store, func(ctx context.Context, c executor.Config) (*result.Result, error) {
		return executor.Resume(ctx, c, run.ID)
	})
}

const nothingToResume = "There is nothing to resume: every run has come to its end."

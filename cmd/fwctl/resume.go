package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"fwctl/executor"
	"fwctl/internal/state"
	"fwctl/internal/ui"
	"fwctl/plan"
)

func (a *app) resumeCommand() *cobra.Command {
	var (
		yes    bool
		images string
		output string
		when   timing
	)
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "go on after a crash or an interruption",
		Long: `Goes on with the run that was broken off or interrupted: shows what is known of it,
asks, looks at the devices first, brings to its end what was under way, and
carries out the rest of that run's plan. What is not known in the end is said.`,
		Example: `  fwctl resume
  fwctl resume --yes`,
		Args: args(cobra.NoArgs, "no arguments"),
		RunE: a.untilRun(func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, "text", "json"); err != nil {
				return err
			}
			if err := when.usable(cmd); err != nil {
				return err
			}
			machine, err := a.machine()
			if err != nil {
				return err
			}
			job := &job{app: a, machine: machine, json: output == "json", resumed: true, timing: when}
			return job.resume(cmd.Context(), images, yes)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().StringVar(&images, "images", "", "look for images that the state directory has lost, by their SHA-256, in `DIR` and below, then where they were when the plan was made")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json: an event a line, the result last")
	when.flags(cmd)
	return cmd
}

// resume goes on with the run that has no end, or was interrupted.
func (j *job) resume(ctx context.Context, images string, yes bool) error {
	dir, err := j.state()
	if err != nil {
		return err
	}
	store, err := state.OpenExisting(dir)
	if err != nil {
		return unbegun(err)
	}
	defer store.Close()
	run, p, kept, err := executor.Resumable(ctx, store, j.machine)
	if err != nil {
		return err
	}
	text := j.stdout
	if j.json {
		text = j.stderr
	}
	fmt.Fprint(text, j.heading(j.machine.Simulated()))
	if run == nil {
		fmt.Fprintln(text, "There is nothing to resume: every run has come to its end.")
		if j.json {
			return j.end(&executor.Result{Outcome: executor.RunDone}, nil)
		}
		return nil
	}
	if executor.GoesOn(j.machine, run, p) {
		return refused(
			fmt.Sprintf(
				"cannot resume: run %d of plan %s is going on (pid %d, since %s): wait for it",
				run.ID,
				ui.ShortDigest(p.Digest),
				run.PID,
				ui.Moment(run.StartedAt),
			),
			"nothing was written; `"+j.again("status")+"` shows where it stands",
		)
	}
	j.plan = p
	j.phase, j.wave = plan.WaveKind(run.Phase), run.Wave
	if j.images, err = findImages(p, kept, images, ""); err != nil {
		return err
	}
	remaining, err := executor.ReadRemaining(ctx, store, run, p)
	if err != nil {
		return err
	}
	fmt.Fprint(text, j.screen(text).Resume(remaining, time.Now()))
	// What a killed run was in the middle of is brought to its end whatever the time.
	if err := j.inWindow(time.Now()); err != nil && !remaining.Unclear() {
		return err
	}
	if !yes {
		if err := j.confirm("Look at these devices, and go on with that run?"); err != nil {
			return err
		}
	}
	return j.carryOut(ctx, store, func(ctx context.Context, c executor.Config) (*executor.Result, error) {
		return executor.Resume(ctx, c, run.ID)
	})
}

package main

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"fwctl/executor/result"
	"fwctl/internal/command"
	"fwctl/internal/notify"
	"fwctl/internal/transport"
	"fwctl/internal/ui"
)

// notifyFarewell is how long the command that notifies people may take to end when its time is
// over.
const notifyFarewell = time.Second

// notifier returns what has people notified of the run. Events of its own go to tell; where they
// are not for people, or not shown, a warning is on stderr too.
func (r *request) notifier(tell func(result.Event)) *notify.Notifier {
	return notify.New(notify.Config{
		Plan: r.config.Plan, Host: r.config.Machine.Hostname(), Run: notifyRunner(r.config.Machine),
		Warn: func(e result.Event) {
			tell(e)
			if (r.json || r.quiet) && !r.config.Machine.Simulated() {
				r.complain("warning: ", ui.NotNotified(e))
			}
		},
	})
}

// notifyOfEnd notifies people of how a run ended, and says so to whoever watches if that takes
// more than a moment.
func notifyOfEnd(ctx context.Context, n *notify.Notifier, r *result.Result, display ui.Display) {
	slow := time.AfterFunc(time.Second, func() {
		display.Say("The run has ended, and people are still being notified. ^C ends that.")
	})
	defer slow.Stop()
	n.End(ctx, r)
}

// notifyRunner returns what notifies people of a run on a machine: see notify.Config. It is nil
// for a simulated rack, as for hooks: nobody is woken for what did not happen.
func notifyRunner(m transport.Machine) func(ctx context.Context, argv []string, stdin []byte) ([]byte, error) {
	if m.Simulated() {
		return nil
	}
	return func(ctx context.Context, argv []string, stdin []byte) ([]byte, error) {
		output, err := command.Command{Args: argv, Stdin: stdin, Farewell: notifyFarewell}.Run(ctx)
		if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
			// It ended well, and left something in the background.
			err = nil
		}
		return output, err
	}
}

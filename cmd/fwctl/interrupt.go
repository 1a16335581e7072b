package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"fwctl/internal/ui"

	"github.com/spf13/cobra"
)

// action is what a command does.
type action = func(*cobra.Command, []string) error

// untilRun returns an action that does f, which may carry out a run. A signal that comes before
// the run begins ends it at once, whatever it waits for: nothing has been written by then.
func (a *app) untilRun(f action) action {
	return func(cmd *cobra.Command, args []string) error {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
		defer signal.Stop(signals)
		begins, may := make(chan struct{}), make(chan struct{})
		a.runBegins = func() {
			begins <- struct{}{}
			<-may
		}
		ended := make(chan error, 1)
		go func() { ended <- f(cmd, args) }()
		select {
		case err := <-ended:
			return err
		case <-begins:
			// The run listens for itself.
			signal.Stop(signals)
			if len(signals) == 0 {
				close(may)
				return <-ended
			}
		case <-signals:
		}
		if ui.IsTerminal(a.stdin) {
			// Below ^C, and a question.
			fmt.Fprintln(a.stderr)
		}
		return &failure{exitInterrupted, "interrupted: nothing was written", ""}
	}
}

// interrupts are what ^C asks of a run, the first, the second and the third time.
// SIGTERM asks once, however often it comes; SIGQUIT asks for the last at once.
type interrupts struct {
	// ctx ends with the first: nothing new is started.
	ctx context.Context
	// withdraw is closed by the second: downloads by mode e are withdrawn.
	withdraw chan struct{}
	// leave is closed by the third: the run is left at once.
	leave chan struct{}
	// stop stops listening: ^C ends the process again.
	stop func()
}

// interruptTexts say what an interrupt does, and what another one would do.
var interruptTexts = [][]string{
	{
		"Interrupted: nothing new is started, and what runs is brought to its end.",
		"^C again withdraws downloads by mode e.",
	},
	{
		"Interrupted again: downloads by mode e are withdrawn, resets are brought to their end.",
		"^C once more leaves at once: what runs goes on, unwatched.",
	},
	{"Interrupted for the third time: what runs is left as it is."},
}

const quitText = "Quit: what runs is left as it is."

// briefly calls say, and waits for it only for a moment: an interrupt must not hang because no
// one reads the output.
func briefly(say func()) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		say()
	}()
	select {
	case <-said:
	case <-time.After(time.Second):
	}
}

// listen returns what ^C asks of a run from here on. say tells the person what it does.
func listen(ctx context.Context, say func(string)) *interrupts {
	ctx, cancel := context.WithCancel(ctx)
	i := &interrupts{ctx: ctx, withdraw: make(chan struct{}), leave: make(chan struct{})}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	i.stop = func() {
		signal.Stop(signals)
		close(signals)
	}
	go func() {
		defer cancel()
		for asked := 0; asked < len(interruptTexts); {
			s, ok := <-signals
			if !ok {
				return
			}
			if s == syscall.SIGTERM && asked > 0 {
				continue
			}
			texts := interruptTexts[asked]
			asked++
			if s == syscall.SIGQUIT {
				texts, asked = []string{quitText}, len(interruptTexts)
			}
			briefly(func() {
				for _, text := range texts {
					say(text)
				}
			})
			[]func(){cancel, func() { close(i.withdraw) }, func() { close(i.leave) }}[asked-1]()
		}
	}()
	return i
}

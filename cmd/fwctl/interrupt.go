package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interrupts are what ^C asks of a run, the first, the second and the third time.
// SIGTERM asks once, however often it comes.
type interrupts struct {
	ctx      context.Context // ends with the first: nothing new is started
	withdraw chan struct{}   // the second: downloads by mode e are withdrawn
	leave    chan struct{}   // the third: leave at once
	stop     func()          // listens no more: ^C ends the process again
}

// interruptTexts say what an interrupt does, and what another one would do.
var interruptTexts = [][]string{
	{"Interrupted: nothing new is started, and what runs is brought to its end.", "^C again withdraws downloads by mode e."},
	{"Interrupted again: downloads by mode e are withdrawn, resets are seen through.", "^C once more leaves at once: what runs goes on, unwatched."},
	{"Interrupted for the third time: what runs is left as it is."},
}

func listen(ctx context.Context, say func(string)) *interrupts {
	ctx, cancel := context.WithCancel(ctx)
	i := &interrupts{ctx: ctx, withdraw: make(chan struct{}), leave: make(chan struct{})}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
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
			for _, text := range interruptTexts[asked] {
				say(text)
			}
			asked++
			[]func(){cancel, func() { close(i.withdraw) }, func() { close(i.leave) }}[asked-1]()
		}
	}()
	return i
}

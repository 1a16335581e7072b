package main

import (
	"context"
	"time"

	"fwctl/internal/command"
	"fwctl/internal/transport"
)

// hookFarewell is how long a hook may take to end when its time is over: it may have something
// to undo.
const hookFarewell = 10 * time.Second

// hookRunner returns what runs hooks on a machine: see executor.Config. It is nil for a
// simulated rack, since what a hook does is done to real machines.
func hookRunner(m transport.Machine) func(ctx context.Context, argv, env []string) ([]byte, error) {
	if m.Simulated() {
		return nil
	}
	return func(ctx context.Context, argv, env []string) ([]byte, error) {
		return command.Command{Args: argv, Env: env, Farewell: hookFarewell}.Run(ctx)
	}
}

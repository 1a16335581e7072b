package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"fwctl/internal/transport"
)

// mostOutput is how much of what a hook writes is kept, in bytes: the end of it.
const mostOutput = 64 << 10

// farewell is how long a hook may take to end after SIGTERM.
const farewell = 10 * time.Second

// hookRunner returns what runs hooks on a machine: see executor.Config. It is nil for a
// simulated rack, since what a hook does is done to real machines.
func hookRunner(m transport.Machine) func(ctx context.Context, argv, env []string) ([]byte, error) {
	if m.Simulated() {
		return nil
	}
	return runCommand
}

// runCommand runs a hook. It has a process group of its own, so that ^C on the terminal is
// not for it, and all of that group is killed when it takes too long.
func runCommand(ctx context.Context, argv, env []string) ([]byte, error) {
	var output tail
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = farewell
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		// ESRCH: nothing is left of it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	slog.Info("ran a command", "command", argv, "env", strings.Join(env, " "), "output", string(output), "error", err)
	return output, err
}

// tail keeps the end of what is written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	*t = (*t)[max(0, len(*t)-mostOutput):]
	return len(p), nil
}

// Package command runs the programs that a plan names: around resets, and to notify people. Each
// runs without a shell, in a process group of its own, for a bounded time, and the end of its
// output is kept.
//
// It knows no plan and no run. What a failure means is up to its callers.
package command

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// mostOutput is how much of what a program writes is kept, in bytes: the end of it.
const mostOutput = 64 << 10

// Command is a program to run.
type Command struct {
	// Args are the program, as an absolute path or a name found in $PATH, and its arguments.
	Args []string
	// Env is added to the environment.
	Env []string
	// Stdin is what it may read. It need not read it.
	Stdin []byte
	// Farewell is how long it may take to end after SIGTERM, and how long what it leaves behind
	// may hold on to its output.
	Farewell time.Duration
}

// Run runs a program until it ends, and returns the end of what it wrote. At the end of ctx it
// gets SIGTERM, and after its farewell all of its process group is killed. ^C on the terminal
// does not reach it.
func (c Command) Run(ctx context.Context) ([]byte, error) {
	var output tail
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	if len(c.Stdin) > 0 {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = c.Farewell
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		// ESRCH: nothing is left of it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	slog.Info("ran a command", "command", c.Args, "env", strings.Join(c.Env, " "),
		"output", string(output), "error", err)
	return output, err
}

// LastLine returns the last line that a program wrote, quoted and shortened, as the end of a
// sentence; "" if it wrote nothing.
func LastLine(output []byte) string {
	text := strings.TrimSpace(string(output))
	if text == "" {
		return ""
	}
	line := []rune(text[strings.LastIndexByte(text, '\n')+1:])
	return fmt.Sprintf(", and it said %q last", string(line[max(0, len(line)-200):]))
}

// tail keeps the end of what is written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	*t = (*t)[max(0, len(*t)-mostOutput):]
	return len(p), nil
}

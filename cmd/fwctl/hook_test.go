package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"fwctl/internal/transport"
)

// A command has its words as they are, its variables beside ours, nothing to read,
// and a process group of its own; what it writes comes back, errors too.
func TestRunCommand(t *testing.T) {
	t.Setenv("OURS", "ours")
	const script = `printf '%s|' "$@" "$OURS" "$FWCTL_ADDRESS"; echo problem >&2; cat; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat`
	got, err := runCommand(t.Context(), []string{"sh", "-c", script, "sh", "a b", "$HOME"}, []string{"FWCTL_ADDRESS=x/y"})
	if err != nil {
		t.Fatalf("runCommand = %q, %v", got, err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	if len(lines) != 2 || lines[0] != "a b|$HOME|ours|x/y|problem" {
		t.Errorf("output = %q; want the words, the variables and the error", got)
	}
	if group := strings.TrimSpace(lines[len(lines)-1]); group == strconv.Itoa(syscall.Getpgrp()) {
		t.Errorf("process group = %s; want one of its own", group)
	}
}

func TestRunCommandThatFails(t *testing.T) {
	got, err := runCommand(t.Context(), []string{"sh", "-c", "echo no quorum; exit 3"}, nil)
	if err == nil || err.Error() != "exit status 3" || string(got) != "no quorum\n" {
		t.Errorf("runCommand = %q, %v; want what it wrote, and exit status 3", got, err)
	}
	if _, err := runCommand(t.Context(), []string{filepath.Join(t.TempDir(), "none")}, nil); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("runCommand of no program = %v; want it to say so", err)
	}
}

// A command that takes too long is killed with all that it started.
func TestRunCommandThatIsTooSlow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	alive := make(chan error, 1)
	go func() {
		f, err := os.Open(name) // waits for the command to open it
		if err == nil {
			if _, err = f.Read(make([]byte, 1)); err == nil {
				cancel()
				_, err = io.Copy(io.Discard, f) // until nobody has it open any more
			}
			f.Close()
		}
		alive <- err
	}()
	_, err := runCommand(ctx, []string{"sh", "-c", `exec 3>"$0"; sleep 600 3>&3 & echo >&3; wait`, name}, nil)
	if err == nil {
		t.Error("runCommand of what was killed = nil; want an error")
	}
	if err := <-alive; err != nil {
		t.Error(err)
	}
}

// Of much that is written the end is kept.
func TestTail(t *testing.T) {
	var output tail
	for range 10 {
		output.Write(bytes.Repeat([]byte{'a'}, mostOutput/3))
	}
	output.Write([]byte("end"))
	if len(output) != mostOutput || !bytes.HasSuffix(output, []byte("aend")) {
		t.Errorf("%d bytes are kept, the last %q; want %d, and the end", len(output), output[len(output)-4:], mostOutput)
	}
}

// simulatedMachine says whether it is one; nothing else is asked of it.
type simulatedMachine struct {
	transport.Machine
	simulated bool
}

func (m simulatedMachine) Simulated() bool { return m.simulated }

// Commands are run beside real machines alone.
func TestCommandsAreForRealMachines(t *testing.T) {
	for _, simulated := range []bool{true, false} {
		if run := hookRunner(simulatedMachine{simulated: simulated}); (run == nil) != simulated {
			t.Errorf("simulated: %v; a way to run commands: %v", simulated, run != nil)
		}
	}
}

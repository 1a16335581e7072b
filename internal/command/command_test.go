package command

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
	"time"
)

// shell is a command that a shell carries out.
func shell(script string, args ...string) Command {
	return Command{Args: append([]string{"sh", "-c", script}, args...), Farewell: 10 * time.Second}
}

// A command has its words as they are, its variables beside ours, nothing to read,
// and a process group of its own; what it writes comes back, errors too.
func TestRun(t *testing.T) {
	t.Setenv("OURS", "ours")
	const script = `printf '%s|' "$@" "$OURS" "$FWCTL_ADDRESS"; echo problem >&2; cat; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat`
	c := Command{Args: []string{"sh", "-c", script, "sh", "a b", "$HOME"}, Env: []string{"FWCTL_ADDRESS=x/y"}}
	got, err := c.Run(t.Context())
	if err != nil {
		t.Fatalf("Run = %q, %v", got, err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	if len(lines) != 2 || lines[0] != "a b|$HOME|ours|x/y|problem" {
		t.Errorf("output = %q; want the words, the variables and the error", got)
	}
	if group := strings.TrimSpace(lines[len(lines)-1]); group == strconv.Itoa(syscall.Getpgrp()) {
		t.Errorf("process group = %s; want one of its own", group)
	}
}

func TestRunThatFails(t *testing.T) {
	got, err := shell("echo no quorum; exit 3").Run(t.Context())
	if err == nil || err.Error() != "exit status 3" || string(got) != "no quorum\n" {
		t.Errorf("Run = %q, %v; want what it wrote, and exit status 3", got, err)
	}
	none := Command{Args: []string{filepath.Join(t.TempDir(), "none")}}
	if _, err := none.Run(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Run of no program = %v; want it to say so", err)
	}
}

// A command that takes too long is killed with all that it started.
func TestRunThatIsTooSlow(t *testing.T) {
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
	_, err := shell(`exec 3>"$0"; sleep 600 3>&3 & echo >&3; wait`, name).Run(ctx)
	if err == nil {
		t.Error("Run of what was killed = nil; want an error")
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

// A command has what it is given to read, all of it, and need not read it.
func TestStdin(t *testing.T) {
	much := bytes.Repeat([]byte("much\n"), 100_000)
	for script, want := range map[string]string{
		"wc -c":                   "500000",
		"head -n 1":               "much",
		"echo read nothing":       "read nothing",
		"exec <&-; echo closed":   "closed",
		"sleep 0 & cat | tail -1": "much",
	} {
		c := shell(script)
		c.Stdin = much
		got, err := c.Run(t.Context())
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("Run of %q = %q, %v; want %q", script, got, err, want)
		}
	}
}

// The last line is enough for a sentence, however much was written, and steers no terminal.
func TestLastLine(t *testing.T) {
	for output, want := range map[string]string{
		"":                        "",
		" \n\t\n":                 "",
		"one\ntwo\n\n":            `, and it said "two" last`,
		"\x1b[2Jgone\xff\u202e":   `, and it said "\x1b[2Jgone�\u202e" last`,
		strings.Repeat("é", 1000): `, and it said "` + strings.Repeat("é", 200) + `" last`,
	} {
		if got := LastLine([]byte(output)); got != want {
			t.Errorf("LastLine(%.20q) = %s; want %s", output, got, want)
		}
	}
}

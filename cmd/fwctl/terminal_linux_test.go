package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"fwctl/internal/ui/uitest"

	"golang.org/x/sys/unix"
)

// session is fwctl on a terminal of its own, as a person sees it.
type session struct {
	t      *testing.T
	screen *os.File // what the person types into and reads from
	cmd    *exec.Cmd
	seen   strings.Builder
}

// onTerminal starts fwctl in dir, on a terminal of 80 columns.
func onTerminal(t *testing.T, dir string, args ...string) *session {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	must(err)
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	must(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	must(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(err)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(err)
	defer tty.Close()
	cmd := exec.Command("fwctl", args...)
	cmd.Dir = dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	return &session{t: t, screen: screen, cmd: cmd}
}

// read reads until text is on the screen, or until the session ends.
func (s *session) read(text string) {
	s.t.Helper()
	buffer := make([]byte, 4096)
	for text == "" || !strings.Contains(s.seen.String(), text) {
		n, err := s.screen.Read(buffer)
		s.seen.Write(buffer[:n])
		if err != nil && text != "" {
			s.t.Fatalf("the terminal lacks %q:\n%s", text, s.seen.String())
		}
		if err != nil { // EIO: nobody has the terminal open any more
			return
		}
	}
}

func (s *session) press(key string) {
	s.t.Helper()
	if _, err := s.screen.WriteString(key); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for fwctl, and returns the whole screen and the exit code.
func (s *session) end() (string, int) {
	s.t.Helper()
	s.read("")
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return s.seen.String(), s.cmd.ProcessState.ExitCode()
}

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
)

// Leaving at the question prints, on a line of its own, that nothing was written.
func TestQuestionOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		name, key, want string
		code            int
	}{
		{"ctrl-D", ctrlD, "Only yes starts it: \r\nfwctl: not confirmed: nothing was written\r\n", exitRefused},
		{"ctrl-C", ctrlC, "Only yes starts it: ^C\r\nfwctl: interrupted: nothing was written\r\n", exitInterrupted},
		{"no", "no\n", "Only yes starts it: no\r\nfwctl: not confirmed: nothing was written\r\n", exitRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := copyOf(t, filepath.Join(root, "examples", "quickstart"))
			hurry(t, filepath.Join(dir, "rack.yaml"))
			s := onTerminal(t, dir, "--simulate", "rack.yaml", "--state-dir", "state", "apply", "-f", "desired-state.yaml",
				"--accept-disruption", "all")
			s.read("Only yes starts it: ")
			s.press(tt.key)
			if got, code := s.end(); !strings.HasSuffix(got, tt.want) || code != tt.code {
				t.Errorf("the terminal shows, with exit code %d:\n%s\nwant %q at its end, and exit code %d", code, got, tt.want,
					tt.code)
			}
		})
	}
}

// An interrupt while there are bars gets a line of its own, and no bar is left at the end.
func TestInterruptBesideABar(t *testing.T) {
	long(t)
	dir := copyOf(t, filepath.Join(root, "examples", "quickstart"))
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	s := onTerminal(t, dir, "--simulate", "rack.yaml", "--state-dir", "state", "apply", "-f", "desired-state.yaml",
		"--yes", "--accept-disruption", "all")
	s.read(" % [#")
	s.press(ctrlC)
	got, code := s.end()
	if code != exitInterrupted {
		t.Errorf("exit code = %d; want %d", code, exitInterrupted)
	}
	shown := uitest.Shown(t, strings.ReplaceAll(got, "\r\n", "\n"))
	const at = `\n[0-9:]{8} [A-Z0-9+-]+ `
	if !regexp.MustCompile(at + `Interrupted: nothing new is started, and what runs is brought to\n  its end\.` +
		at + `\^C again withdraws downloads by mode e\.\n`).MatchString(shown) {
		t.Errorf("the terminal shows\n%s\nwant the interrupt on a line of its own", shown)
	}
	if strings.Contains(shown, "[#") || strings.Contains(shown, "of 4 done") {
		t.Errorf("the terminal shows\n%s\nwant no bar to be left", shown)
	}
	if want := "fwctl: interrupted: 3 components were not started\r\nhint: fwctl --simulate rack.yaml --state-dir state " +
		"resume goes on\r\n"; !strings.HasSuffix(got, want) {
		t.Errorf("the terminal shows %q; want %q at its end", got, want)
	}
}

// Who loads many inventories, or large ones, sees how far it is; who loads a few does not.
func TestInventoriesOnATerminal(t *testing.T) {
	// From so many files, or bytes of them, the terminal shows a bar.
	const manyFiles, manyBytes = 10, 16 << 20
	dir := copyOf(t, filepath.Join(root, "examples", "quickstart"))
	inventory := func(n, size int) (flag, name string) {
		name = fmt.Sprintf("stor%d.json", n)
		data := fmt.Sprintf(`{"format_version": "1.0", "kind": "Inventory", "host": "stor%d", "scanned_at": "2026-11-22T10:00:00Z", "simulated": true, "enclosures": []%s}`, n, strings.Repeat(" ", size))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		return "--inventory", name
	}
	args := []string{"plan", "-f", "desired-state.yaml"}
	for i := range manyFiles {
		flag, name := inventory(i, 0)
		args = append(args, flag, name)
	}
	got, _ := onTerminal(t, dir, args...).end()
	// Several are read at a time: which count is drawn first depends on their reader.
	for _, want := range []string{
		`Reading inventories: [1-9] of 10 \[#*\.+\]\r`, `Reading inventories: 10 of 10 \[#{40}\]\r\n`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("the terminal lacks %s:\n%s", want, got)
		}
	}
	if got, _ := onTerminal(t, dir, args[:len(args)-2]...).end(); strings.Contains(got, "Reading inventories") {
		t.Errorf("the terminal shows progress for %d files:\n%s", manyFiles-1, got)
	}
	flag, name := inventory(0, manyBytes)
	got, _ = onTerminal(t, dir, "plan", "-f", "desired-state.yaml", flag, name).end()
	if want := regexp.MustCompile(`\rReading inventories: 1 of 1 \[#+\.+\]\r`); !want.MatchString(got) {
		t.Errorf("the terminal lacks %s:\n%s", want, got)
	}
	if want := "Reading inventories: 1 of 1 [########################################]\r\n"; !strings.Contains(got, want) {
		t.Errorf("the terminal lacks %q:\n%s", want, got)
	}
}

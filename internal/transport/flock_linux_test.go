package transport

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHoldsFlock(t *testing.T) {
	dir := t.TempDir()
	name := "5000ccab04001000"
	me := os.Getpid()
	holds := func(when string, pid int, want bool) {
		t.Helper()
		if got, err := HoldsFlock(filepath.Join(dir, name), pid); got != want || err != nil {
			t.Errorf("HoldsFlock %s = %v, %v; want %v", when, got, err, want)
		}
	}
	holds("of no file", me, false)
	lock, err := lockFile(dir, name, unix.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	holds("of a lock of this process", me, true)
	holds("of another process", os.Getppid(), false)
	if got, err := HoldsFlock(filepath.Join(dir, name), 1<<30); got || !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("HoldsFlock of no process = %v, %v; want os.ErrProcessDone", got, err)
	}
	again, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	lock.Close()
	holds("of a file that is open and no longer locked", me, false)
}

func TestHasFlock(t *testing.T) {
	for fdinfo, want := range map[string]bool{
		"pos:\t0\nlock:\t1: FLOCK  ADVISORY  WRITE 3568 00:19:70127 0 EOF\n":  true,
		"pos:\t0\nlock:\t1: FLOCK  ADVISORY  WRITE 3568 00:19:170127 0 EOF\n": false,
		"pos:\t0\nlock:\t1: POSIX  ADVISORY  WRITE 3568 00:19:70127 0 EOF\n":  false,
		"pos:\t0\nino:\t70127\n": false,
		"lock:\t1: FLOCK":        false,
	} {
		if got := hasFlock([]byte(fdinfo), 70127); got != want {
			t.Errorf("hasFlock(%q) = %v; want %v", fdinfo, got, want)
		}
	}
}

// Who shares a lock has it beside others who do, and nobody has it beside who took
// it alone.
func TestSharedLock(t *testing.T) {
	dir := t.TempDir()
	take := func(how int) io.Closer {
		t.Helper()
		lock, err := lockFile(dir, "resets", how)
		if err != nil {
			t.Fatalf("lockFile = %v; want the lock", err)
		}
		return lock
	}
	refused := func(how int) {
		t.Helper()
		if lock, err := lockFile(dir, "resets", how); !errors.Is(err, ErrBusy) {
			t.Errorf("lockFile = %v, %v; want ErrBusy", lock, err)
		}
	}
	first, second := take(unix.LOCK_SH), take(unix.LOCK_SH)
	refused(unix.LOCK_EX)
	first.Close()
	refused(unix.LOCK_EX)
	second.Close()
	alone := take(unix.LOCK_EX)
	refused(unix.LOCK_SH)
	alone.Close()
	take(unix.LOCK_SH).Close()
}

// What the holder of a lock has written into it is quoted: it can be anything.
func TestTextOfAHeldLockIsQuoted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := lockFile(dir, "resets", unix.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := os.WriteFile(filepath.Join(dir, "resets"), []byte("pid 1\nfwctl: done\x1b[2J\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = lockFile(dir, "resets", unix.LOCK_EX)
	if want := `says "pid 1\nfwctl: done\x1b[2J"`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("lockFile = %v; want %q in it", err, want)
	}
}

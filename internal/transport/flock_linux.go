package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// HoldsFlock reports whether a process holds a file with flock(2), without trying
// to: that could block a process that wants the lock. errors.Is(err, os.ErrProcessDone)
// if there is no such process; any other error says that it cannot be found out, for
// instance by another user than that of the process.
//
// It reads /proc/<pid>/fdinfo. A long /proc/locks is read in several pieces, and leaves
// out locks if others are released in between.
func HoldsFlock(path string, pid int) (bool, error) {
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("cannot find out whether process %d has the lock %s: %w", pid, path, err)
	}
	gone := func(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fdinfo")
	files, err := os.ReadDir(dir)
	switch {
	case err != nil && gone(err):
		return fail(os.ErrProcessDone)
	case err != nil:
		return fail(err)
	}
	var stat unix.Stat_t
	switch err := unix.Lstat(path, &stat); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return fail(err)
	}
	for _, f := range files {
		info, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil && !gone(err) { // the descriptor is closed by now
			return fail(err)
		}
		if hasFlock(info, stat.Ino) {
			return true, nil
		}
	}
	return false, nil
}

// hasFlock reads what proc_pid_fdinfo(5) says about a descriptor. A lock is shown as
//
//	lock:	1: FLOCK  ADVISORY  WRITE 3568 00:19:70127 0 EOF
//
// The device is not compared: some file systems show another one there than
// stat(2) does.
func hasFlock(fdinfo []byte, inode uint64) bool {
	for line := range bytes.Lines(fdinfo) {
		f := bytes.Fields(line)
		if len(f) >= 7 && string(f[0]) == "lock:" && string(f[2]) == "FLOCK" &&
			bytes.HasSuffix(f[6], fmt.Appendf(nil, ":%d", inode)) {
			return true
		}
	}
	return false
}

package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Flockers are the ids of the processes that hold a file with flock(2), as
// /proc/locks has them. Nothing is locked for that, so that nobody is in the way
// of who wants the lock. A file that there is not is held by nobody.
func Flockers(path string) ([]int, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot tell who has the lock: %w", &fs.PathError{Op: "stat", Path: path, Err: err})
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return nil, fmt.Errorf("cannot tell who has the lock %s: %w", path, err)
	}
	return flockers(locks, stat.Ino), nil
}

// flockers reads proc_locks(5), in which a line is
//
//	1: FLOCK  ADVISORY  WRITE 3568 00:19:70127 0 EOF
//
// Those who only wait have -> in front of FLOCK. The device is not compared: some
// file systems show another one there than stat(2) does.
func flockers(locks []byte, inode uint64) []int {
	var pids []int
	for line := range bytes.Lines(locks) {
		f := bytes.Fields(line)
		if len(f) < 6 || string(f[1]) != "FLOCK" || !bytes.HasSuffix(f[5], fmt.Appendf(nil, ":%d", inode)) {
			continue
		}
		if pid, err := strconv.Atoi(string(f[4])); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

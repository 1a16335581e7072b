//go:build unix

package sim

import (
	"errors"
	"os"
	"syscall"

	"fwctl/internal/transport"
)

// lockFile takes a lock on a file, which it creates if it is missing, until unlock is called
// or the process ends. Locks of one process exclude each other too. Without wait,
// errors.Is(err, transport.ErrBusy) if someone else has it.
func lockFile(name string, exclusive, wait bool) (unlock func() error, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, transport.ErrBusy
		}
		return nil, &os.PathError{Op: "flock", Path: name, Err: err}
	}
	return f.Close, nil
}

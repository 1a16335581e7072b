package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockDir holds one lock file an enclosure. It does not depend on the state
// directory: two fwctl with different ones must still see each other.
const lockDir = "/run/lock/fwctl"

// Local returns the machine that this process runs on.
func Local() (Machine, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("cannot find out the name of this host: %w", err)
	}
	return localMachine{host}, nil
}

type localMachine struct{ hostname string }

func (m localMachine) Hostname() string { return m.hostname }
func (m localMachine) Simulated() bool  { return false }
func (m localMachine) FS() fs.FS        { return os.DirFS("/") }

func (m localMachine) Open(node string, access Access) (Node, error) {
	return openSG(node, access)
}

func (m localMachine) BlockDeviceHeld(name string) (bool, error) {
	path := filepath.Join("/dev", name)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_EXCL|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		return false, unix.Close(fd)
	case errors.Is(err, unix.EBUSY):
		return true, nil
	}
	return false, &Error{Op: "open", Path: path, NotSent: true, Err: classify(err)}
}

func (m localMachine) OpenDisks() ([]OpenDisk, error) { return openDisks(os.Getpid()) }

func (m localMachine) DMTableStatus(name string) (string, error) { return dmTableStatus(name) }

func (m localMachine) ZpoolStatus(ctx context.Context) (string, error) { return zpoolStatus(ctx) }

func (m localMachine) Lock(name string) (io.Closer, error) {
	return lockFile(lockDir, name, unix.LOCK_EX)
}

func (m localMachine) ShareLock(name string) (io.Closer, error) {
	return lockFile(lockDir, name, unix.LOCK_SH)
}

func (m localMachine) HoldsLock(name string, pid int) (bool, error) {
	return HoldsFlock(filepath.Join(lockDir, name), pid)
}

// lockFile takes dir/name, by flock(2)'s LOCK_EX or LOCK_SH, without waiting. The kernel drops the lock with the
// process, so that a crash leaves none behind; the file stays.
func lockFile(dir, name string, how int) (io.Closer, error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("cannot lock %q: not a lock name", name)
	}
	path := filepath.Join(dir, name)
	f, err := openLockFile(dir, name)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", name, err)
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 200))
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot lock %s: %w (%s says %q)", name, ErrBusy, path,
				strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintf("pid %d\n", os.Getpid()))); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	return f, nil
}

// openLockFile opens dir/name, and creates both if they are missing. Everyone can write to
// /run/lock: it refuses what someone else put there, and follows no link.
func openLockFile(dir, name string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	d, err := openOwn(unix.AT_FDCWD, dir, dir, unix.S_IFDIR, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	// Without O_NONBLOCK a named pipe would have the open wait.
	return openOwn(int(d.Fd()), name, filepath.Join(dir, name), unix.S_IFREG, unix.O_RDWR|unix.O_CREAT|unix.O_NONBLOCK)
}

// openOwn opens name below the directory at, which must be of the given type, belong to
// root or to the user that runs fwctl, and be writable by no one else. Errors name path.
func openOwn(at int, name, path string, fileType uint32, flags int) (*os.File, error) {
	foreign := func(why string) error {
		return fmt.Errorf("%s %s: fwctl did not create it; find out who did, and remove it while no fwctl runs",
			path, why)
	}
	fd, err := unix.Openat(at, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EISDIR),
		errors.Is(err, unix.ENXIO):
		return nil, foreign("is a link, or otherwise not what it should be")
	case err != nil:
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	var stat unix.Stat_t
	switch err = unix.Fstat(fd, &stat); {
	case err != nil:
		err = &fs.PathError{Op: "stat", Path: path, Err: err}
	case stat.Mode&unix.S_IFMT != fileType:
		err = foreign("is not a regular file")
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		err = foreign(fmt.Sprintf("belongs to user %d", stat.Uid))
	case stat.Mode&0o022 != 0:
		err = foreign(fmt.Sprintf("can be written by others (mode %04o)", stat.Mode&0o7777))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

package transport

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// initialPIDNamespace is what /proc/self/ns/pid says in the initial PID namespace
// (PROC_PID_INIT_INO of <linux/proc_ns.h>).
const initialPIDNamespace = "pid:[4026531836]"

// openDisks walks /proc/*/fd. An open descriptor names a device by its number, so
// that /dev/disk/by-id, a node in a private directory and a partition all count.
// The process self is left out.
func openDisks(self int) ([]OpenDisk, error) {
	var errs []error
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initialPIDNamespace {
		errs = append(
			errs,
			errors.New("this process is in a PID namespace of its own (a container), where the host's processes do "+
				"not show"),
		)
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		errs = append(errs, err)
	}
	w := &fdWalk{names: map[deviceNumber]string{}}
	unreadable := 0
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == self {
			continue
		}
		switch err := w.process(pid); {
		case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH): // it has ended
		default:
			if unreadable == 0 {
				errs = append(errs, err)
			}
			unreadable++
		}
	}
	if unreadable > 1 {
		errs = append(errs, fmt.Errorf("and of %d more processes", unreadable-1))
	}
	slices.SortFunc(w.found, func(a, b OpenDisk) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.PID, b.PID))
	})
	if len(errs) > 0 {
		return w.found, &Error{Op: "see which processes have disks open in", Path: "/proc", NotSent: true,
			Err: joined(errs)}
	}
	return w.found, nil
}

// joined is errors.Join on one line.
func joined(errs []error) error {
	err := errs[0]
	for _, e := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, e)
	}
	return err
}

// deviceNumber is the number of a device as stat(2) tells it.
type deviceNumber struct {
	class        string // of /sys/dev: "block" or "char"
	major, minor uint32
}

type fdWalk struct {
	names map[deviceNumber]string // of the disks; "" for what is not one
	found []OpenDisk
}

// process notes the disks that a process has open, each once.
func (w *fdWalk) process(pid int) error {
	dir, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}
	defer dir.Close()
	fds, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	var disks []string
	for _, fd := range fds {
		// Not stat(2), which would ask the server of a file on a network file system, and wait for one that is away.
		var st unix.Statx_t
		switch err := unix.Statx(int(dir.Fd()), fd, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE,
			&st); {
		case errors.Is(err, unix.ENOENT):
			continue // closed by now
		case err != nil:
			return &fs.PathError{Op: "statx", Path: filepath.Join(dir.Name(), fd), Err: err}
		}
		number := deviceNumber{"char", st.Rdev_major, st.Rdev_minor}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFBLK:
			number.class = "block"
		case unix.S_IFCHR:
		default:
			continue
		}
		name, known := w.names[number]
		if !known {
			name = diskOf("/sys", number)
			w.names[number] = name
		}
		if name != "" && !slices.Contains(disks, name) {
			disks = append(disks, name)
		}
	}
	if len(disks) == 0 {
		return nil
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return err
	}
	for _, name := range disks {
		w.found = append(w.found, OpenDisk{PID: pid, Command: string(bytes.TrimSuffix(comm, []byte("\n"))),
			Device: name})
	}
	return nil
}

// diskOf returns the block device that a device number leads to: its own, or that
// of the SCSI device behind a raw node (sg, bsg). It returns "" if there is none.
func diskOf(sysfs string, n deviceNumber) string {
	entry := filepath.Join(sysfs, "dev", n.class, fmt.Sprintf("%d:%d", n.major, n.minor))
	if n.class == "block" {
		to, err := os.Readlink(entry)
		if err != nil {
			return ""
		}
		return filepath.Base(to)
	}
	blocks, err := os.ReadDir(filepath.Join(entry, "device/block"))
	if err != nil || len(blocks) != 1 {
		return ""
	}
	return blocks[0].Name()
}

// blockNumber reads the device number of a block device, "dm-3".
func blockNumber(name string) (uint64, error) {
	if name == "" || strings.Contains(name, "/") {
		return 0, fmt.Errorf("%q is not a block device", name)
	}
	text, err := os.ReadFile(filepath.Join("/sys/class/block", name, "dev"))
	if err != nil {
		return 0, err
	}
	major, minor, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	maj, majErr := strconv.ParseUint(major, 10, 32)
	mnr, minErr := strconv.ParseUint(minor, 10, 32)
	return unix.Mkdev(uint32(maj), uint32(mnr)), errors.Join(majErr, minErr)
}

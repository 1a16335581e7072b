// Package transport carries raw SCSI commands to logical units and is the seam
// around the machine they hang off: its device nodes, /sys and /proc.
//
// It never interprets a command, never repeats one, and imports nothing of this
// module. Packages scsi and ses know what the bytes mean.
package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// MaxSense is the room a sense buffer offers: the most that fixed or descriptor
// format sense data can fill (SPC-4, ADDITIONAL SENSE LENGTH 244 + 8).
const MaxSense = 252

// Request is one SCSI command. At most one of Out and In is set.
type Request struct {
	CDB     []byte        // 6, 10, 12 or 16 bytes
	Out     []byte        // parameter data for the device
	In      []byte        // room for what the device returns
	Timeout time.Duration // until the kernel's error handling starts, which can reset an HBA: keep it long

	// Effect says that the command changes the device, or consumes what it
	// reports, and must reach it exactly once.
	Effect bool
}

// Response is what a device answered. A CHECK CONDITION is a response, not an error.
type Response struct {
	Status   byte   // SAM status: 00h GOOD, 02h CHECK CONDITION, 08h BUSY, ...
	Sense    []byte // as the device returned it, empty if there was none
	Received int    // bytes of Request.In that the device filled (residual subtracted)
	// Untaken is how many bytes of Request.Out the device did not take (the residual): often all,
	// if it refused the command.
	Untaken int
}

// Transport sends commands to one logical unit, one at a time. A Response is valid until
// the next Do. Do leaves the request's buffers alone once it has returned.
//
// An error from Do means that no SCSI status describes the outcome; it is then
// an *Error. When ctx ends first, Do stops waiting and says so: the command
// itself is not withdrawn, its outcome stays unknown, and the Transport is of
// no further use.
type Transport interface {
	Do(ctx context.Context, req *Request) (*Response, error)
}

// Node is an open device node.
type Node interface {
	Transport
	io.Closer
}

// Access is how a node is opened.
type Access int

const (
	ReadOnly  Access = iota // commands without an effect only
	ReadWrite               // all commands
	Exclusive               // all commands, and no one else may open the node (errors.Is(err, ErrBusy) if someone has)
)

// Machine is the computer that fwctl runs on, or a stand-in for one.
type Machine interface {
	// Hostname names the machine in inventories, plans and records.
	Hostname() string
	// Simulated reports whether what is read and written here is a simulation.
	Simulated() bool
	// FS is the root file system as far as sys/ and proc/ go, with the links of dev/ and
	// var/lib/ceph. It implements fs.ReadLinkFS where links matter.
	FS() fs.FS
	// Open opens a SCSI generic node such as /dev/sg3.
	Open(node string, access Access) (Node, error)
	// BlockDeviceHeld reports whether something holds the block device /dev/<name>
	// exclusively: a mount, swap, md, dm or ZFS.
	BlockDeviceHeld(name string) (bool, error)
	// OpenDisks lists which other processes have disks open, exclusively or not.
	// With an error the list is incomplete.
	OpenDisks() ([]OpenDisk, error)
	// DMTableStatus returns the status of each target of a device-mapper map, by
	// the kernel's name of it such as dm-3: a line each, as `dmsetup status` prints it.
	DMTableStatus(name string) (string, error)
	// ZpoolStatus returns what `zpool status -LP` prints of the host's ZFS pools. An error,
	// as where there is no ZFS or ctx ends first, says that they are unknown.
	ZpoolStatus(ctx context.Context) (string, error)
	// Lock takes the host-wide lock of that name without waiting, until it is
	// closed. errors.Is(err, ErrBusy) if another process has it.
	Lock(name string) (io.Closer, error)
	// ShareLock takes the lock of that name together with others who share it: none
	// of them and whoever takes it by Lock have it at the same time.
	ShareLock(name string) (io.Closer, error)
	// HoldsLock reports whether a process has the host-wide lock of that name,
	// without trying to take it. errors.Is(err, os.ErrProcessDone) if there is no
	// such process; any other error says that this machine cannot find out.
	HoldsLock(name string, pid int) (bool, error)
}

// OpenDisk is a disk that a process has open.
type OpenDisk struct {
	PID     int
	Command string // the process's name as it chose it: any bytes
	Device  string // block device, by the kernel's name: "sda", "sda1", "dm-3"; that of a raw node (sg, bsg), too
}

var (
	// ErrBusy: someone else holds the node or the lock.
	ErrBusy = errors.New("held by another process")
	// ErrGone: the device has left, or is leaving.
	ErrGone = errors.New("device is gone")
	// ErrTimeout: the kernel gave up on the command; it may have had its effect.
	ErrTimeout = errors.New("no answer before the time-out")
	// ErrAbandoned: fwctl stopped waiting; the command may still have its effect.
	ErrAbandoned = errors.New("stopped waiting for the answer")
	// ErrUnsupported: this system has no SCSI transport that fwctl knows.
	ErrUnsupported = errors.New("no SCSI transport on this system: scan and apply on the Linux host " +
		"that the enclosures are attached to, and plan here with --inventory FILE")
)

// Error is a command, or an open, whose outcome no SCSI status describes.
type Error struct {
	Op      string // what could not be done: "open", "send a command to", "read the answer of"
	Path    string // device node
	NotSent bool   // the command certainly did not reach the device
	Host    uint16 // Linux host status (DID_*), 0 if it was not the cause
	Driver  uint16 // Linux driver status, likewise
	Err     error  // cause; errors.Is sees ErrBusy, ErrGone, ErrTimeout, ErrAbandoned, fs.ErrPermission
}

func (e *Error) Error() string {
	s := "cannot " + e.Op + " " + e.Path
	if e.Host != 0 || e.Driver != 0 {
		s += fmt.Sprintf(": host status %#02x, driver status %#02x", e.Host, e.Driver)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Unanswered reports whether a command may have reached the device without a
// status having come back, or could not because the device is gone.
func Unanswered(err error) bool {
	var e *Error
	return errors.As(err, &e) && (!e.NotSent || errors.Is(err, ErrGone))
}

package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sgIOHdr is struct sg_io_hdr of <scsi/sg.h>, version 3 of the interface.
type sgIOHdr struct {
	interfaceID    int32 // 'S'
	dxferDirection int32
	cmdLen         uint8
	mxSbLen        uint8
	iovecCount     uint16
	dxferLen       uint32
	dxferp         unsafe.Pointer
	cmdp           unsafe.Pointer
	sbp            unsafe.Pointer
	timeout        uint32 // milliseconds
	flags          uint32
	packID         int32
	usrPtr         unsafe.Pointer
	status         uint8
	maskedStatus   uint8
	msgStatus      uint8
	sbLenWr        uint8
	hostStatus     uint16
	driverStatus   uint16
	resid          int32
	duration       uint32 // milliseconds
	info           uint32
}

const (
	ioctlSGIO            = 0x2285 // SG_IO
	ioctlSGGetVersionNum = 0x2282 // SG_GET_VERSION_NUM

	dxferNone    = -1 // SG_DXFER_NONE
	dxferToDev   = -2 // SG_DXFER_TO_DEV
	dxferFromDev = -3 // SG_DXFER_FROM_DEV

	roomPoll = 100 * time.Millisecond

	driverSense = 0x08 // DRIVER_SENSE: sense data is there, nothing went wrong
)

// Host status codes, DID_* of the kernel's <scsi/scsi_status.h>.
const (
	didNoConnect         = 0x01
	didTimeOut           = 0x03
	didBadTarget         = 0x04
	didTransportFailfast = 0x0f
)

// sgNode is an open /dev/sgN.
//
// Commands are submitted by write(2) and their answers collected by read(2).
// SG_IO would wait interruptibly inside one system call, and when a signal, a ^Z,
// a debugger or a cgroup freezer interrupts that wait, the kernel restarts the
// call and the device gets the command *again*. The Go runtime's own preemption
// signal is enough. Split in two, only the read is restarted. A node that is open
// for reading has no other way than SG_IO, and takes no command with an effect.
//
// In between, the runtime polls the descriptor together with all others. That costs
// less than a poll(2) of its own for each command: a thread that stays in a system
// call keeps the scheduler's monitor awake.
type sgNode struct {
	path   string
	access Access
	file   *os.File
	conn   syscall.RawConn

	mu   sync.Mutex // one command at a time
	dead error      // set once an answer was not waited for

	// command and what follows is used for each command, so that sending one allocates nothing.
	command  *sgCommand
	exchange func(fd uintptr) bool // n.writeThenRead
	sent     bool                  // the device has the command
	failed   error                 // of the write or the read
	answer   Response
}

func openSG(path string, access Access) (*sgNode, error) {
	flags := unix.O_NONBLOCK | unix.O_CLOEXEC // an O_EXCL open without O_NONBLOCK would wait for the holder
	switch access {
	case ReadOnly:
		flags |= unix.O_RDONLY
	case ReadWrite:
		flags |= unix.O_RDWR
	case Exclusive:
		flags |= unix.O_RDWR | unix.O_EXCL
	}
	fd, err := unix.Open(path, flags, 0)
	if err != nil {
		return nil, &Error{Op: "open", Path: path, NotSent: true, Err: classify(err)}
	}
	var version int32
	if err := ioctl(uintptr(fd), ioctlSGGetVersionNum, unsafe.Pointer(&version)); err != nil || version < 30000 {
		unix.Close(fd)
		return nil, &Error{Op: "open", Path: path, NotSent: true,
			Err: errors.New("not a SCSI generic node (want /dev/sgN)")}
	}
	return newSGNode(fd, path, access)
}

// newSGNode takes over a descriptor that is non-blocking and can be polled, so that the
// runtime waits for answers.
func newSGNode(fd int, path string, access Access) (*sgNode, error) {
	file := os.NewFile(uintptr(fd), path)
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, &Error{Op: "open", Path: path, NotSent: true, Err: err}
	}
	n := &sgNode{path: path, access: access, file: file, conn: conn, command: &sgCommand{}}
	n.exchange = n.writeThenRead
	return n, nil
}

func (n *sgNode) Close() error { return n.file.Close() }

// Do implements Transport.
func (n *sgNode) Do(ctx context.Context, req *Request) (*Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	refuse := func(err error) (*Response, error) {
		return nil, &Error{Op: "send a command to", Path: n.path, NotSent: true, Err: err}
	}
	switch {
	case n.dead != nil:
		return refuse(n.dead)
	case ctx.Err() != nil:
		return refuse(ctx.Err())
	case req.Effect && n.access == ReadOnly:
		return refuse(errors.New("the node is open for reading only"))
	case len(req.Out) > 0 && len(req.In) > 0:
		return refuse(errors.New("a command moves data one way"))
	case len(req.CDB) < 6 || len(req.CDB) > 16:
		return refuse(fmt.Errorf("a CDB of %d bytes", len(req.CDB)))
	}
	n.command.prepare(req)
	if n.access == ReadOnly { // write(2) needs O_RDWR
		return n.sgIO(ctx, req)
	}
	return n.writeRead(ctx, req)
}

// sgCommand is a header with all that it points to. The memory belongs to the
// command, not to the caller, and stays pinned until release: the kernel writes
// to it whenever the device answers.
type sgCommand struct {
	hdr    sgIOHdr
	sense  [MaxSense]byte
	cdb    [16]byte
	in     []byte // kept from one command to the next
	pinner runtime.Pinner
}

// prepare fills in the header for a request, and pins what it points to.
func (c *sgCommand) prepare(req *Request) {
	clear(c.cdb[:])
	copy(c.cdb[:], req.CDB)
	c.hdr = sgIOHdr{
		interfaceID:    'S',
		dxferDirection: dxferNone,
		cmdLen:         uint8(len(req.CDB)),
		mxSbLen:        MaxSense,
		timeout:        uint32(min(req.Timeout.Milliseconds(), 1<<31-1)),
	}
	data := req.Out
	switch {
	case len(req.Out) > 0:
		c.hdr.dxferDirection = dxferToDev
	case len(req.In) > 0:
		c.hdr.dxferDirection = dxferFromDev
		c.in = slices.Grow(c.in[:0], len(req.In))[:len(req.In)]
		// What came last time is no part of a short answer whose residual is not reported.
		clear(c.in)
		data = c.in
	}
	c.pinner.Pin(c)
	c.hdr.cmdp = unsafe.Pointer(&c.cdb)
	c.hdr.sbp = unsafe.Pointer(&c.sense)
	if len(data) > 0 {
		c.pinner.Pin(&data[0])
		c.hdr.dxferp = unsafe.Pointer(&data[0])
		c.hdr.dxferLen = uint32(len(data))
	}
}

func (c *sgCommand) release() { c.pinner.Unpin() }

func (c *sgCommand) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&c.hdr)), unsafe.Sizeof(c.hdr))
}

// writeRead submits exactly once and collects exactly once.
func (n *sgNode) writeRead(ctx context.Context, req *Request) (*Response, error) {
	defer n.endWaitWith(ctx)()
	n.sent, n.failed = false, nil
	if err := n.conn.Read(n.exchange); err != nil {
		n.failed = err
	}
	err, impatient := n.failed, errors.Is(n.failed, os.ErrDeadlineExceeded)
	switch {
	case err == nil:
		defer n.command.release()
		return n.response(n.command, req)
	case !n.sent:
		n.command.release()
		if impatient {
			err = ctx.Err()
		}
		return nil, &Error{Op: "send a command to", Path: n.path, NotSent: true, Err: classify(err)}
	case impatient:
		err = fmt.Errorf("%w: %w", ErrAbandoned, context.Cause(ctx))
	}
	n.abandon(err)
	return nil, &Error{Op: "read the answer of", Path: n.path, Err: classify(err)}
}

// writeThenRead is called by conn.Read, first at once and then whenever there may be
// something to read. The write is inside so that the runtime has begun to look out for
// an answer before there can be one: the read is not tried in vain.
func (n *sgNode) writeThenRead(fd uintptr) (done bool) {
	if !n.sent {
		_, n.failed = unix.Write(int(fd), n.command.bytes())
		// From here on the device has the command, whatever becomes of the answer.
		n.sent = n.failed == nil
		return !n.sent
	}
	for {
		// After EINTR the answer may be there already, and nothing would tell of it again.
		if _, n.failed = unix.Read(int(fd), n.command.bytes()); n.failed != unix.EINTR {
			return n.failed != unix.EAGAIN
		}
	}
}

// endWaitWith has conn.Read stop waiting once ctx ends, until the function that it
// returns is called.
func (n *sgNode) endWaitWith(ctx context.Context) (release func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		n.file.SetReadDeadline(time.Unix(1, 0))
		close(ended)
	})
	return func() {
		if !stop() {
			<-ended
			// The next command has a ctx of its own.
			n.file.SetReadDeadline(time.Time{})
		}
	}
}

// abandon gives up a command that is in the kernel's hands still and could be answered by
// a later read: the node must not be used again. The command's memory stays pinned, and
// alive, as long as the node is.
func (n *sgNode) abandon(err error) {
	n.dead = fmt.Errorf("an earlier command was not answered: %w", classify(err))
	runtime.AddCleanup(n, func(c *sgCommand) { c.release() }, n.command)
}

// sgIO is for commands that may reach the device twice: see sgNode. A descriptor
// has room for 16 requests; EDOM means that repetitions have taken all of it, and
// there is room again once the device has answered them.
func (n *sgNode) sgIO(ctx context.Context, req *Request) (*Response, error) {
	c := n.command
	done := make(chan error, 1)
	go func() {
		var err error
		for start := time.Now(); ; time.Sleep(roomPoll) {
			if cerr := n.conn.Control(func(fd uintptr) {
				err = ioctl(fd, ioctlSGIO, unsafe.Pointer(&c.hdr))
			}); cerr != nil {
				err = cerr
			}
			if err != unix.EDOM || time.Since(start) >= req.Timeout {
				break
			}
		}
		c.release() // before the next command is prepared
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, &Error{Op: "send a command to", Path: n.path, Err: classify(err)}
		}
		return n.response(c, req)
	case <-ctx.Done():
		err := fmt.Errorf("%w: %w", ErrAbandoned, context.Cause(ctx))
		n.dead = fmt.Errorf("an earlier command was not answered: %w", err)
		return nil, &Error{Op: "read the answer of", Path: n.path, Err: err}
	}
}

func (n *sgNode) response(c *sgCommand, req *Request) (*Response, error) {
	h := &c.hdr
	if driver := h.driverStatus &^ driverSense; h.hostStatus != 0 || driver != 0 {
		return nil, &Error{
			Op: "read the answer of", Path: n.path, Host: h.hostStatus, Driver: driver, Err: hostError(h.hostStatus),
		}
	}
	resid := int(h.resid)
	received := max(0, min(len(req.In)-resid, len(req.In)))
	copy(req.In, c.in[:min(received, len(c.in))])
	n.answer = Response{
		Status:   h.status,
		Sense:    append([]byte(nil), c.sense[:min(int(h.sbLenWr), MaxSense)]...),
		Received: received,
		Untaken:  max(0, min(resid, len(req.Out))),
	}
	return &n.answer, nil
}

func hostError(host uint16) error {
	switch host {
	case didNoConnect, didBadTarget, didTransportFailfast:
		return ErrGone
	case didTimeOut:
		return ErrTimeout
	}
	return nil
}

// classify gives the errno that matter a name of this package and keeps the rest.
func classify(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w (%w)", ErrBusy, err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w (%w)", ErrGone, err)
	}
	return err
}

func ioctl(fd, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

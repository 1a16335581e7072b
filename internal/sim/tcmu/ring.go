//go:build linux

package tcmu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// The mailbox at the start of the shared memory, struct tcmu_mailbox of
// <linux/target_core_user.h>. The tail has its own cache line.
const (
	mbVersion  = 0  // u16, 2
	mbFlags    = 2  // u16
	mbCmdrOff  = 4  // u32, where the command ring begins
	mbCmdrSize = 8  // u32
	mbCmdHead  = 12 // u32, written by the kernel
	mbCmdTail  = 64 // u32, written here

	mbFlagReadLen = 1 << 1 // TCMU_MAILBOX_FLAG_CAP_READ_LEN
)

// One entry of the ring, struct tcmu_cmd_entry.
const (
	entLenOp = 0 // u32: length, the opcode in its low 3 bits
	entFlags = 7 // u8, set here

	reqIovCnt = 8  // u32
	reqCDBOff = 24 // u64
	reqIov    = 48 // pairs of u64: offset in the shared memory, length

	rspStatus  = 8  // u8
	rspReadLen = 12 // u32
	rspSense   = 16 // 96 bytes

	opMask      = 0x7
	opPad       = 0
	opCmd       = 1
	flagUnknown = 0x1 // TCMU_UFLAG_UNKNOWN_OP
	flagReadLen = 0x2 // TCMU_UFLAG_READ_LEN
	senseRoom   = 96
)

// ring is the memory that one device shares with the kernel.
type ring struct{ mem []byte }

func newRing(mem []byte) (*ring, error) {
	r := &ring{mem}
	if v := binary.NativeEndian.Uint16(mem[mbVersion:]); v != 2 {
		return nil, fmt.Errorf("cannot use TCMU mailbox version %d: want 2", v)
	}
	if binary.NativeEndian.Uint16(mem[mbFlags:])&mbFlagReadLen == 0 {
		return nil, errors.New("cannot report to this kernel how much was read: it does not take read_len")
	}
	return r, nil
}

func (r *ring) u32(off int) *uint32 { return (*uint32)(unsafe.Pointer(&r.mem[off])) }

// serve answers everything in the ring and reports whether there was anything.
func (r *ring) serve(h Handler) bool {
	size := *r.u32(mbCmdrSize)
	base := *r.u32(mbCmdrOff)
	any := false
	for {
		tail := atomic.LoadUint32(r.u32(mbCmdTail))
		if tail == atomic.LoadUint32(r.u32(mbCmdHead)) {
			return any
		}
		any = true
		ent := r.mem[base+tail:]
		lenOp := binary.NativeEndian.Uint32(ent[entLenOp:])
		switch lenOp & opMask {
		case opPad:
		case opCmd:
			r.execute(ent, h)
		default:
			ent[entFlags] |= flagUnknown
		}
		atomic.StoreUint32(r.u32(mbCmdTail), (tail+lenOp&^opMask)%size)
	}
}

func (r *ring) execute(ent []byte, h Handler) {
	var iov [][]byte
	room := 0
	for i := range int(binary.NativeEndian.Uint32(ent[reqIovCnt:])) {
		p := ent[reqIov+16*i:]
		off, n := binary.NativeEndian.Uint64(p), binary.NativeEndian.Uint64(p[8:])
		iov = append(iov, r.mem[off:off+n])
		room += int(n)
	}
	cdb := r.mem[binary.NativeEndian.Uint64(ent[reqCDBOff:]):]
	cdb = append([]byte(nil), cdb[:cdbLength(cdb[0])]...)
	// The entry does not have the direction: it follows from the command.
	var out []byte
	if writes(cdb[0]) {
		for _, v := range iov {
			out = append(out, v...)
		}
		room = 0
	}
	reply := h(cdb, out, room)

	n := 0
	if room > 0 {
		for _, v := range iov {
			n += copy(v, reply.In[n:])
		}
	}
	clear(ent[rspStatus : rspSense+senseRoom])
	ent[rspStatus] = reply.Status
	copy(ent[rspSense:rspSense+senseRoom], reply.Sense)
	if room > 0 {
		ent[entFlags] |= flagReadLen
		binary.NativeEndian.PutUint32(ent[rspReadLen:], uint32(n))
	}
}

// cdbLength is the length of a CDB by the group code of its operation code (SPC-4 4.2.5.1).
func cdbLength(op byte) int {
	switch op >> 5 {
	case 0:
		return 6
	case 4:
		return 16
	case 5:
		return 12
	}
	return 10
}

// writes reports whether a command carries data to the rack.
func writes(op byte) bool {
	switch op {
	case 0x1d, 0x3b, 0x15, 0x55, 0x2a, 0x8a, 0x0a: // SEND DIAGNOSTIC, WRITE BUFFER, MODE SELECT, WRITE
		return true
	}
	return false
}

package transport

import (
	"testing"
	"unsafe"
)

// The header is the kernel's: on a 64-bit machine as <scsi/sg.h> lays it out.
func TestSGIOHdrLayout(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the literal offsets are those of 64-bit machines")
	}
	var h sgIOHdr
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"sizeof", unsafe.Sizeof(h), 88},
		{"interface_id", unsafe.Offsetof(h.interfaceID), 0},
		{"dxfer_direction", unsafe.Offsetof(h.dxferDirection), 4},
		{"cmd_len", unsafe.Offsetof(h.cmdLen), 8},
		{"mx_sb_len", unsafe.Offsetof(h.mxSbLen), 9},
		{"iovec_count", unsafe.Offsetof(h.iovecCount), 10},
		{"dxfer_len", unsafe.Offsetof(h.dxferLen), 12},
		{"dxferp", unsafe.Offsetof(h.dxferp), 16},
		{"cmdp", unsafe.Offsetof(h.cmdp), 24},
		{"sbp", unsafe.Offsetof(h.sbp), 32},
		{"timeout", unsafe.Offsetof(h.timeout), 40},
		{"flags", unsafe.Offsetof(h.flags), 44},
		{"pack_id", unsafe.Offsetof(h.packID), 48},
		{"usr_ptr", unsafe.Offsetof(h.usrPtr), 56},
		{"status", unsafe.Offsetof(h.status), 64},
		{"masked_status", unsafe.Offsetof(h.maskedStatus), 65},
		{"msg_status", unsafe.Offsetof(h.msgStatus), 66},
		{"sb_len_wr", unsafe.Offsetof(h.sbLenWr), 67},
		{"host_status", unsafe.Offsetof(h.hostStatus), 68},
		{"driver_status", unsafe.Offsetof(h.driverStatus), 70},
		{"resid", unsafe.Offsetof(h.resid), 72},
		{"duration", unsafe.Offsetof(h.duration), 76},
		{"info", unsafe.Offsetof(h.info), 80},
	} {
		if f.got != f.want {
			t.Errorf("%s at %d; want %d", f.name, f.got, f.want)
		}
	}
}

// What a device did not take of a command's data is told beside its status, which
// it goes with: a refused command, often, had none of it transferred.
func TestSGResidual(t *testing.T) {
	for _, tt := range []struct {
		name     string
		req      Request
		status   byte
		resid    int32
		received int
		untaken  int
	}{
		{"all was taken", Request{Out: make([]byte, 24)}, 0, 0, 0, 0},
		{"a part was taken", Request{Out: make([]byte, 24)}, 0, 4, 0, 4},
		{"refused before a byte was taken", Request{Out: make([]byte, 24)}, 2, 24, 0, 24},
		{"more than there was", Request{Out: make([]byte, 24)}, 0, 99, 0, 24},
		{"less than nothing", Request{Out: make([]byte, 24)}, 0, -1, 0, 0},
		{"all came", Request{In: make([]byte, 24)}, 0, 0, 24, 0},
		{"a part came", Request{In: make([]byte, 24)}, 0, 4, 20, 0},
		{"no data either way", Request{}, 0, 0, 0, 0},
	} {
		c := &sgCommand{}
		c.prepare(&tt.req)
		c.hdr.status, c.hdr.resid, c.hdr.sbLenWr = tt.status, tt.resid, 8
		resp, err := (&sgNode{}).response(c, &tt.req)
		c.release()
		if err != nil || resp.Status != tt.status || resp.Received != tt.received || resp.Untaken != tt.untaken ||
			len(resp.Sense) != 8 {
			t.Errorf("%s: response = %+v, %v; want status %d, %d received, %d untaken, and its sense data", tt.name, resp, err,
				tt.status, tt.received, tt.untaken)
		}
	}
}

package scsi

import (
	"fmt"
	"sync"
	"time"

	"fwctl/internal/transport"
)

// A time-out is not a way to give up. When it expires, the error handling of the kernel
// starts, which can end in a reset of the whole HBA, and a hard reset activates deferred
// microcode. Both time-outs are therefore far longer than any answer takes.
const (
	readTimeout = 60 * time.Second
	// as in sg_ses_microcode: a device may answer the last chunk only after it has written its flash
	effectTimeout = 7200 * time.Second
)

// MaxParameterList is the largest number of bytes in one SEND DIAGNOSTIC: its length field
// has 16 bits, and pages are multiples of 4.
const MaxParameterList = 65532

const max24 = 1<<24 - 1

// Command is a SCSI command, a struct named as in the standard.
type Command interface {
	// Request encodes the command, with a new buffer for the answer. It refuses values
	// that do not fit their fields with a *FormatError.
	Request() (*transport.Request, error)
	// String names the command for error messages.
	String() string
}

// TestUnitReady asks whether the logical unit is ready, which collects a pending unit
// attention (SPC, TEST UNIT READY, 00h).
type TestUnitReady struct{}

func (TestUnitReady) String() string { return "TEST UNIT READY" }

// Request implements Command.
func (TestUnitReady) Request() (*transport.Request, error) {
	return read([]byte{0x00, 0, 0, 0, 0, 0}, 0), nil
}

// RequestSense asks for sense data as parameter data (SPC, REQUEST SENSE, 03h),
// in fixed format. ParseSense reads the answer.
type RequestSense struct {
	AllocationLength uint8 // bytes; 252 takes all there can be
}

func (RequestSense) String() string { return "REQUEST SENSE" }

// Request implements Command.
func (c RequestSense) Request() (*transport.Request, error) {
	return read([]byte{0x03, 0, 0, 0, c.AllocationLength, 0}, int(c.AllocationLength)), nil
}

// Inquiry asks for standard INQUIRY data, or for a page of vital product data if EVPD is
// set (SPC, INQUIRY, 12h).
type Inquiry struct {
	EVPD             bool
	PageCode         byte // without EVPD it must be 0
	AllocationLength uint16
}

func (c Inquiry) String() string {
	if c.EVPD {
		return fmt.Sprintf("INQUIRY of VPD page %02Xh", c.PageCode)
	}
	return "INQUIRY"
}

// Request implements Command.
func (c Inquiry) Request() (*transport.Request, error) {
	var evpd byte
	if c.EVPD {
		evpd = 1
	} else if c.PageCode != 0 {
		return nil, cannotEncode(c, "page code %02Xh without EVPD", c.PageCode)
	}
	cdb := []byte{0x12, evpd, c.PageCode, byte(c.AllocationLength >> 8), byte(c.AllocationLength), 0}
	return read(cdb, int(c.AllocationLength)), nil
}

// ReportingOptions says what REPORT SUPPORTED OPERATION CODES reports.
type ReportingOptions byte

const (
	// AllCommands is read by ParseSupportedCommands, the others by ParseCommandSupport.
	AllCommands ReportingOptions = 0
	// OneCommand is an operation code without service actions.
	OneCommand ReportingOptions = 1
	// OneCommandWithService is an operation code with one of its service actions.
	OneCommandWithService ReportingOptions = 2
)

// ReportSupportedOperationCodes asks which commands a device supports (SPC,
// MAINTENANCE IN, A3h/0Ch). For WRITE BUFFER the service action is the mode.
type ReportSupportedOperationCodes struct {
	ReportingOptions       ReportingOptions
	RequestedOperationCode byte
	RequestedServiceAction uint16
	AllocationLength       uint32 // 1 MiB at most
}

func (c ReportSupportedOperationCodes) String() string {
	switch c.ReportingOptions {
	case AllCommands:
		return "REPORT SUPPORTED OPERATION CODES"
	case OneCommand:
		return fmt.Sprintf("REPORT SUPPORTED OPERATION CODES of %02Xh", c.RequestedOperationCode)
	}
	return fmt.Sprintf("REPORT SUPPORTED OPERATION CODES of %02Xh/%02Xh", c.RequestedOperationCode,
		c.RequestedServiceAction)
}

// Request implements Command.
func (c ReportSupportedOperationCodes) Request() (*transport.Request, error) {
	const most = 1 << 20
	if c.ReportingOptions > OneCommandWithService {
		return nil, cannotEncode(c, "unknown reporting options %d", c.ReportingOptions)
	}
	if c.AllocationLength > most {
		return nil, cannotEncode(c, "allocation length %d is over %d", c.AllocationLength, most)
	}
	l := c.AllocationLength
	cdb := []byte{0xa3, 0x0c, byte(c.ReportingOptions), c.RequestedOperationCode,
		byte(c.RequestedServiceAction >> 8), byte(c.RequestedServiceAction),
		byte(l >> 24), byte(l >> 16), byte(l >> 8), byte(l), 0, 0}
	return read(cdb, int(l)), nil
}

// ReadBufferDescriptor is the mode of READ BUFFER that ParseBufferDescriptor reads.
const ReadBufferDescriptor = 0x03

// ReadBuffer reads a buffer of the device, or a description of it (SPC, READ
// BUFFER(10), 3Ch).
type ReadBuffer struct {
	Mode             byte // 5 bits
	BufferID         byte
	Offset           uint32 // 24 bits
	AllocationLength uint32 // 24 bits
}

func (c ReadBuffer) String() string { return fmt.Sprintf("READ BUFFER mode %02Xh", c.Mode) }

// Request implements Command.
func (c ReadBuffer) Request() (*transport.Request, error) {
	switch {
	case c.Mode > 0x1f:
		return nil, cannotEncode(c, "the mode has 5 bits")
	case c.Offset > max24:
		return nil, cannotEncode(c, "offset %d has more than 24 bits", c.Offset)
	case c.AllocationLength > max24:
		return nil, cannotEncode(c, "allocation length %d has more than 24 bits", c.AllocationLength)
	}
	o, l := c.Offset, c.AllocationLength
	cdb := []byte{0x3c, c.Mode, c.BufferID, byte(o >> 16), byte(o >> 8), byte(o), byte(l >> 16), byte(l >> 8),
		byte(l), 0}
	return read(cdb, int(l)), nil
}

// WriteBufferMode is a mode of WRITE BUFFER that concerns microcode.
type WriteBufferMode byte

const (
	WriteDownloadActivate          WriteBufferMode = 0x04
	WriteDownloadSaveActivate      WriteBufferMode = 0x05
	WriteOffsetsActivate           WriteBufferMode = 0x06
	WriteOffsetsSaveActivate       WriteBufferMode = 0x07
	WriteOffsetsSelectSaveDefer    WriteBufferMode = 0x0d // the mode-specific field selects activation events
	WriteOffsetsSaveDefer          WriteBufferMode = 0x0e
	WriteActivateDeferredMicrocode WriteBufferMode = 0x0f
)

// WriteBuffer writes to a buffer of the device (SPC, WRITE BUFFER(10), 3Bh). It
// has an effect.
type WriteBuffer struct {
	Mode         WriteBufferMode // 5 bits
	ModeSpecific byte            // 3 bits
	BufferID     byte
	BufferOffset uint32 // 24 bits: offsets reach 16 MiB at most
	Data         []byte // sent as it is, not copied; may be empty
}

func (c WriteBuffer) String() string { return fmt.Sprintf("WRITE BUFFER mode %02Xh", byte(c.Mode)) }

// Request implements Command.
func (c WriteBuffer) Request() (*transport.Request, error) {
	switch {
	case c.Mode > 0x1f:
		return nil, cannotEncode(c, "the mode has 5 bits")
	case c.ModeSpecific > 7:
		return nil, cannotEncode(c, "mode-specific value %d has more than 3 bits", c.ModeSpecific)
	case c.BufferOffset > max24:
		return nil, cannotEncode(c, "buffer offset %d has more than 24 bits", c.BufferOffset)
	case len(c.Data) > max24:
		return nil, cannotEncode(c, "the length %d of the data has more than 24 bits", len(c.Data))
	}
	o, l := c.BufferOffset, len(c.Data)
	return write([]byte{0x3b, c.ModeSpecific<<5 | byte(c.Mode), c.BufferID,
		byte(o >> 16), byte(o >> 8), byte(o), byte(l >> 16), byte(l >> 8), byte(l), 0}, c.Data), nil
}

// pageDownloadMicrocode is the only page that has effects when it is read: the device
// forgets its completion code, and starts microcode that waits for its status to be read.
const pageDownloadMicrocode = 0x0e

// ReceiveDiagnosticResults asks for a diagnostic page (SPC, RECEIVE DIAGNOSTIC
// RESULTS, 1Ch, with PCV set). Reading page 0Eh has an effect: it is asked for exactly once.
type ReceiveDiagnosticResults struct {
	PageCode         byte
	AllocationLength uint16 // 512 to 32,768 is safe: some enclosures refuse tiny ones, some 64 KiB
}

func (c ReceiveDiagnosticResults) String() string {
	return fmt.Sprintf("RECEIVE DIAGNOSTIC RESULTS of page %02Xh", c.PageCode)
}

// Request implements Command.
func (c ReceiveDiagnosticResults) Request() (*transport.Request, error) {
	l := c.AllocationLength
	req := read([]byte{0x1c, 0x01, c.PageCode, byte(l >> 8), byte(l), 0}, int(l))
	if c.PageCode == pageDownloadMicrocode {
		req.Effect = true
		req.Timeout = effectTimeout
	}
	return req, nil
}

// SendDiagnostic sends a diagnostic page (SPC, SEND DIAGNOSTIC, 1Dh, with PF
// set). It has an effect.
type SendDiagnostic struct {
	ParameterList []byte // one page, 4 to MaxParameterList bytes; sent as it is, not copied
}

func (c SendDiagnostic) String() string {
	if len(c.ParameterList) == 0 {
		return "SEND DIAGNOSTIC"
	}
	return fmt.Sprintf("SEND DIAGNOSTIC of page %02Xh", c.ParameterList[0])
}

// Request implements Command.
func (c SendDiagnostic) Request() (*transport.Request, error) {
	l := len(c.ParameterList)
	if l < 4 || l > MaxParameterList {
		return nil, cannotEncode(c, "the page has %d bytes, not 4 to %d", l, MaxParameterList)
	}
	return write([]byte{0x1d, 0x10, 0, byte(l >> 8), byte(l), 0}, c.ParameterList), nil
}

func read(cdb []byte, allocation int) *transport.Request {
	req := &transport.Request{CDB: cdb, Timeout: readTimeout}
	if allocation > 0 {
		req.In = room(allocation)
	}
	return req
}

// rooms pools buffers for answers. Answers are far shorter than the room that they need,
// and frequent: a chunk may come with 8 KiB for a status.
var rooms sync.Pool

// room returns a buffer of zeros from the pool.
func room(size int) []byte {
	b, ok := rooms.Get().(*[]byte)
	if !ok || cap(*b) < size {
		return make([]byte, size)
	}
	clear((*b)[:size])
	return (*b)[:size]
}

func write(cdb, data []byte) *transport.Request {
	return &transport.Request{CDB: cdb, Out: data, Timeout: effectTimeout, Effect: true}
}

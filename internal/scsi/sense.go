package scsi

import (
	"encoding/binary"
	"fmt"
)

// Sense is what a device says about a command that it did not carry out, or about its own
// condition (SPC, sense data).
type Sense struct {
	ResponseCode byte // 70h, 71h (fixed format), 72h, 73h (descriptor format)
	Deferred     bool // 71h, 73h: about an earlier command; the present one was not carried out
	Key          Key
	ASC          ASC
	Information  *uint64       // nil if the device does not call it valid
	Field        *FieldPointer // which byte an ILLEGAL REQUEST is about; nil if the device does not say
}

// FieldPointer points at the byte that a device objects to (SPC, sense key
// specific data of ILLEGAL REQUEST, SKSV set).
type FieldPointer struct {
	InCDB bool   // C/D: else in the parameter list
	Byte  uint16 // offset of the byte, or of the first byte of the field
	BPV   bool   // Bit is valid
	Bit   uint8  // 0 to 7
}

func (f FieldPointer) String() string {
	where := "the parameter list"
	if f.InCDB {
		where = "the CDB"
	}
	if f.BPV {
		return fmt.Sprintf("byte %d bit %d of %s", f.Byte, f.Bit, where)
	}
	return fmt.Sprintf("byte %d of %s", f.Byte, where)
}

// ParseSense reads sense data in fixed or descriptor format. It reads buffers that end
// early as far as they go: 17 bytes have been seen instead of 18.
func ParseSense(b []byte) (*Sense, error) {
	if len(b) == 0 {
		return nil, cannotDecode("sense data", "it has no bytes")
	}
	s := &Sense{ResponseCode: b[0] & 0x7f}
	switch s.ResponseCode {
	case 0x70, 0x71:
		s.Deferred = s.ResponseCode == 0x71
		return s.fixed(b)
	case 0x72, 0x73:
		s.Deferred = s.ResponseCode == 0x73
		return s.descriptors(b)
	}
	return nil, cannotDecode("sense data", "unknown response code %02Xh", s.ResponseCode)
}

// 0     VALID 7, response code 6:0      8-11  command specific
// 2     sense key 3:0                  12-13  ASC, ASCQ
// 3-6   information                    15-17  sense key specific
// 7     additional length (n-7)
func (s *Sense) fixed(b []byte) (*Sense, error) {
	if len(b) < 3 {
		return nil, cannotDecode("sense data", "it has %d bytes in fixed format, and the sense key is in byte 2",
			len(b))
	}
	s.Key = Key(b[2] & 0x0f)
	if b[0]&0x80 != 0 && len(b) >= 7 {
		information := uint64(binary.BigEndian.Uint32(b[3:]))
		s.Information = &information
	}
	if len(b) < 8 {
		return s, nil
	}
	b = b[:min(len(b), int(b[7])+8)]
	if len(b) >= 14 {
		s.ASC = ASC{b[12], b[13]}
	}
	if len(b) >= 18 {
		s.Field = fieldPointer(s.Key, b[15:18])
	}
	return s, nil
}

// 0  response code 6:0     3  ASCQ
// 1  sense key 3:0         7  additional length (n-7)
// 2  ASC                   8- descriptors: type, length (n-1), ...
func (s *Sense) descriptors(b []byte) (*Sense, error) {
	if len(b) < 4 {
		return nil, cannotDecode("sense data",
			"it has %d bytes in descriptor format, and ASC and ASCQ are in bytes 2 and 3", len(b))
	}
	s.Key = Key(b[1] & 0x0f)
	s.ASC = ASC{b[2], b[3]}
	if len(b) < 8 {
		return s, nil
	}
	b = b[8:min(len(b), int(b[7])+8)]
	for len(b) >= 2 && len(b) >= int(b[1])+2 {
		d := b[:int(b[1])+2]
		switch {
		case d[0] == 0x00 && len(d) >= 12 && d[2]&0x80 != 0:
			information := binary.BigEndian.Uint64(d[4:])
			s.Information = &information
		case d[0] == 0x02 && len(d) >= 7:
			s.Field = fieldPointer(s.Key, d[4:7])
		}
		b = b[len(d):]
	}
	return s, nil
}

// 0  SKSV 7, C/D 6, BPV 3, bit pointer 2:0
// 1-2  field pointer
func fieldPointer(key Key, b []byte) *FieldPointer {
	if key != IllegalRequest || b[0]&0x80 == 0 {
		return nil
	}
	f := &FieldPointer{InCDB: b[0]&0x40 != 0, BPV: b[0]&0x08 != 0, Byte: binary.BigEndian.Uint16(b[1:])}
	if f.BPV {
		f.Bit = b[0] & 7
	}
	return f
}

func (s *Sense) unitAttention() bool {
	return s != nil && s.Key == UnitAttention && !s.Deferred
}

// recovered reports whether the command succeeded all the same (SPC, sense key RECOVERED ERROR).
func (s *Sense) recovered() bool {
	return s != nil && s.Key == RecoveredError && !s.Deferred
}

func (s *Sense) String() string {
	text := fmt.Sprintf("%v: %v", s.Key, s.ASC)
	if s.Field != nil {
		text += ", " + s.Field.String()
	}
	if s.Deferred {
		return "left over from an earlier command: " + text
	}
	return text
}

// Key is a sense key. It is an error value for errors.Is.
type Key byte

const (
	NoSense        Key = 0x0
	RecoveredError Key = 0x1
	NotReady       Key = 0x2
	MediumError    Key = 0x3
	HardwareError  Key = 0x4
	IllegalRequest Key = 0x5
	UnitAttention  Key = 0x6
	DataProtect    Key = 0x7
	BlankCheck     Key = 0x8
	VendorSpecific Key = 0x9
	CopyAborted    Key = 0xa
	AbortedCommand Key = 0xb
	VolumeOverflow Key = 0xd
	Miscompare     Key = 0xe
	Completed      Key = 0xf
)

var keyText = [16]string{
	"no sense", "recovered error", "not ready", "medium error", "hardware error", "illegal request",
	"unit attention", "data protect", "blank check", "vendor specific", "copy aborted", "aborted command",
	"sense key Ch", "volume overflow", "miscompare", "completed",
}

func (k Key) Error() string { return keyText[k&0x0f] }

// ASC is an additional sense code and its qualifier, as in ASC{0x3f, 0x01}. It
// is an error value for errors.Is.
type ASC [2]byte

// Error returns the meaning of the codes that enclosures answer to downloads (SPC, ASC and
// ASCQ assignments), and always the numbers.
func (a ASC) Error() string {
	numbers := fmt.Sprintf("%02Xh/%02Xh", a[0], a[1])
	if text, ok := ascText[a]; ok {
		return fmt.Sprintf("%s (%s)", text, numbers)
	}
	return "additional sense code " + numbers
}

// The additional sense codes that fwctl decides by (SPC, ASC and ASCQ assignments).
var (
	DeferredMicrocodePending     = ASC{0x00, 0x22}
	CauseNotReportable           = ASC{0x04, 0x00}
	BecomingReady                = ASC{0x04, 0x01}
	OperationInProgress          = ASC{0x04, 0x07}
	MicrocodeActivationRequired  = ASC{0x04, 0x1e}
	HardResetRequired            = ASC{0x04, 0x21}
	PowerCycleRequired           = ASC{0x04, 0x22}
	InvalidFieldInCDB            = ASC{0x24, 0x00}
	InvalidFieldInParameterList  = ASC{0x26, 0x00}
	DeviceInternalReset          = ASC{0x29, 0x04}
	CommandSequenceError         = ASC{0x2c, 0x00}
	EnclosureServicesUnavailable = ASC{0x35, 0x02}
	MicrocodeChanged             = ASC{0x3f, 0x01}
	MicrocodeChangedWithoutReset = ASC{0x3f, 0x16}
)

// resetOccurred is the additional sense code of all power-ons, resets and losses of a
// nexus; the qualifier says which.
const resetOccurred = 0x29

var ascText = map[ASC]string{
	{0x00, 0x00}:                 "no additional sense information",
	DeferredMicrocodePending:     "deferred microcode is pending",
	CauseNotReportable:           "not ready, cause not reportable",
	BecomingReady:                "in process of becoming ready",
	OperationInProgress:          "operation in progress",
	MicrocodeActivationRequired:  "microcode activation required",
	{0x04, 0x1f}:                 "microcode download required",
	HardResetRequired:            "hard reset required",
	PowerCycleRequired:           "power cycle required",
	{0x0b, 0x12}:                 "warning: microcode security at risk",
	{0x0b, 0x13}:                 "warning: microcode digital signature validation failure",
	{0x1a, 0x00}:                 "parameter list length error",
	{0x20, 0x00}:                 "invalid command operation code",
	InvalidFieldInCDB:            "invalid field in CDB",
	InvalidFieldInParameterList:  "invalid field in parameter list",
	{0x29, 0x00}:                 "power on, reset, or bus device reset occurred",
	{0x29, 0x01}:                 "power on occurred",
	{0x29, 0x02}:                 "SCSI bus reset occurred",
	{0x29, 0x03}:                 "bus device reset function occurred",
	DeviceInternalReset:          "device internal reset",
	{0x29, 0x05}:                 "transceiver mode changed to single-ended",
	{0x29, 0x06}:                 "transceiver mode changed to LVD",
	{0x29, 0x07}:                 "I_T nexus loss occurred",
	CommandSequenceError:         "command sequence error",
	{0x35, 0x00}:                 "enclosure services failure",
	{0x35, 0x01}:                 "unsupported enclosure function",
	EnclosureServicesUnavailable: "enclosure services unavailable",
	{0x35, 0x03}:                 "enclosure services transfer failure",
	{0x35, 0x04}:                 "enclosure services transfer refused",
	{0x35, 0x05}:                 "enclosure services checksum error",
	{0x3a, 0x00}:                 "medium not present",
	{0x3e, 0x00}:                 "logical unit has not self-configured yet",
	{0x3e, 0x01}:                 "logical unit failure",
	{0x3e, 0x02}:                 "timeout on logical unit",
	{0x3e, 0x03}:                 "logical unit failed self-test",
	MicrocodeChanged:             "microcode has been changed",
	{0x3f, 0x03}:                 "INQUIRY data has changed",
	MicrocodeChangedWithoutReset: "microcode has been changed without reset",
	{0x44, 0x00}:                 "internal target failure",
}

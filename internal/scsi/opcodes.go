package scsi

import (
	"encoding/binary"
	"slices"
)

// Support says whether a device takes a command (SPC, REPORT SUPPORTED
// OPERATION CODES, SUPPORT field).
type Support byte

const (
	SupportUnknown  Support = 0 // the device does not know at present
	NotSupported    Support = 1
	Supported       Support = 3 // as the standard has it
	SupportedVendor Support = 5 // in a vendor specific manner
)

// Yes reports whether the command is supported, in either manner.
func (s Support) Yes() bool { return s == Supported || s == SupportedVendor }

// CommandSupport is what a device says about one command:
//
//	1  SUPPORT 2:0     2-3  CDB size     4-  CDB usage data
type CommandSupport struct {
	Support  Support
	CDBUsage []byte // a bit map of the CDB bits that the device looks at; empty if it is not supported
}

// ParseCommandSupport reads the answer to ReportSupportedOperationCodes for one command.
func ParseCommandSupport(b []byte) (*CommandSupport, error) {
	const what = "supported operation code"
	if len(b) < 2 {
		return nil, cannotDecode(what, "it has %d bytes, and the support is in byte 1", len(b))
	}
	s := &CommandSupport{Support: Support(b[1] & 7)}
	if !s.Support.Yes() {
		return s, nil
	}
	if len(b) < 4 {
		return nil, cannotDecode(what, "it has %d bytes, and the CDB size is in bytes 2 and 3", len(b))
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < 4+size {
		return nil, cannotDecode(what, "it has %d bytes, and the CDB usage data ends at byte %d", len(b), 4+size)
	}
	s.CDBUsage = slices.Clone(b[4 : 4+size])
	return s, nil
}

// SupportedCommand is one entry of the list of all commands:
//
//	0  operation code     2-3  service action     5  CTDP 1, SERVACTV 0     6-7  CDB length
type SupportedCommand struct {
	OperationCode    byte
	HasServiceAction bool
	ServiceAction    uint16
	CDBLength        int
}

// ParseSupportedCommands reads the answer to ReportSupportedOperationCodes for
// all commands: a 4-byte length, then entries of 8 bytes, each followed by a
// 12-byte time-outs descriptor if CTDP is set.
func ParseSupportedCommands(b []byte) ([]SupportedCommand, error) {
	const what = "list of supported operation codes"
	if len(b) < 4 {
		return nil, cannotDecode(what, "it has %d bytes, and its length alone has 4", len(b))
	}
	length := uint64(binary.BigEndian.Uint32(b))
	if uint64(len(b)) < 4+length {
		return nil, cannotDecode(what, "it has %d bytes, and says that it has %d", len(b), 4+length)
	}
	commands := []SupportedCommand{}
	for b = b[4 : 4+length]; len(b) > 0; {
		size := 8
		if len(b) >= 8 && b[5]&0x02 != 0 {
			size += 12
		}
		if len(b) < size {
			return nil, cannotDecode(what, "it ends within entry %d", len(commands)+1)
		}
		c := SupportedCommand{OperationCode: b[0], HasServiceAction: b[5]&0x01 != 0,
			CDBLength: int(binary.BigEndian.Uint16(b[6:]))}
		if c.HasServiceAction {
			c.ServiceAction = binary.BigEndian.Uint16(b[2:])
		}
		commands = append(commands, c)
		b = b[size:]
	}
	return commands, nil
}

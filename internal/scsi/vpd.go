package scsi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// Pages of vital product data.
const (
	VPDSupportedPages       = 0x00
	VPDUnitSerialNumber     = 0x80
	VPDDeviceIdentification = 0x83
	VPDExtendedInquiry      = 0x86
)

// vpdBody checks the header that all VPD pages share and returns what follows it:
//
//	0  peripheral qualifier and device type   1  page code   2-3  page length (n-3)
//
// A device that ignores EVPD answers with standard INQUIRY data: byte 1 shows it.
func vpdBody(b []byte, code byte) ([]byte, error) {
	what := vpdName(code)
	if len(b) < 4 {
		return nil, cannotDecode(what, "it has %d bytes, and its header alone has 4", len(b))
	}
	if b[1] != code {
		return nil, cannotDecode(what, "the device answered with page %02Xh", b[1])
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < 4+length {
		return nil, cannotDecode(what, "it has %d bytes, and says that it has %d", len(b), 4+length)
	}
	return b[4 : 4+length], nil
}

func vpdName(code byte) string { return fmt.Sprintf("VPD page %02Xh", code) }

// ParseSupportedVPDPages reads the list of supported VPD pages, page 00h.
func ParseSupportedVPDPages(b []byte) ([]byte, error) {
	body, err := vpdBody(b, VPDSupportedPages)
	if err != nil {
		return nil, err
	}
	return append([]byte{}, body...), nil // not nil if the list is empty
}

// ParseUnitSerialNumber reads the serial number of the logical unit, page 80h.
func ParseUnitSerialNumber(b []byte) (Text, error) {
	body, err := vpdBody(b, VPDUnitSerialNumber)
	if err != nil {
		return "", err
	}
	return NewText(body), nil
}

// Association says what a designator names.
type Association byte

const (
	OfLogicalUnit  Association = 0
	OfTargetPort   Association = 1
	OfTargetDevice Association = 2
)

// DesignatorType says how a designator is built.
type DesignatorType byte

const (
	DesignatorVendor     DesignatorType = 0x0
	DesignatorT10        DesignatorType = 0x1
	DesignatorEUI64      DesignatorType = 0x2
	DesignatorNAA        DesignatorType = 0x3
	DesignatorNameString DesignatorType = 0x8
)

// CodeSet says what the bytes of a designator are.
type CodeSet byte

const (
	CodeBinary CodeSet = 1
	CodeASCII  CodeSet = 2
	CodeUTF8   CodeSet = 3
)

// Designator is one name of a logical unit, a port or a device:
//
//	0  protocol identifier 7:4, code set 3:0
//	1  PIV 7, association 5:4, designator type 3:0
//	3  designator length      4-  designator
type Designator struct {
	Association Association
	Type        DesignatorType
	CodeSet     CodeSet
	PIV         bool // Protocol is valid
	Protocol    byte // 6: SAS
	Value       []byte
}

// String returns an NAA as its hex digits alone ("5000ccab04001001") and other designators
// as sysfs writes them, so that they cannot be confused: "eui." and hex digits, "t10." and
// text, a name string as it is.
func (d Designator) String() string {
	switch d.Type {
	case DesignatorNAA:
		return hex.EncodeToString(d.Value)
	case DesignatorEUI64:
		return "eui." + hex.EncodeToString(d.Value)
	case DesignatorT10:
		return "t10." + NewText(d.Value).String()
	case DesignatorNameString:
		return NewText(d.Value).String()
	}
	return fmt.Sprintf("type %Xh %s", byte(d.Type), hex.EncodeToString(d.Value))
}

// DeviceIdentification is VPD page 83h.
type DeviceIdentification struct {
	Designators []Designator
}

// ParseDeviceIdentification reads VPD page 83h.
func ParseDeviceIdentification(b []byte) (*DeviceIdentification, error) {
	body, err := vpdBody(b, VPDDeviceIdentification)
	if err != nil {
		return nil, err
	}
	id := &DeviceIdentification{}
	for len(body) > 0 {
		if len(body) < 4 || len(body) < 4+int(body[3]) {
			return nil, cannotDecode(vpdName(VPDDeviceIdentification), "the page ends within designator %d",
				len(id.Designators)+1)
		}
		n := 4 + int(body[3])
		d := Designator{
			Association: Association(body[1] >> 4 & 3),
			Type:        DesignatorType(body[1] & 0x0f),
			CodeSet:     CodeSet(body[0] & 0x0f),
			PIV:         body[1]&0x80 != 0,
			Value:       slices.Clone(body[4:n]),
		}
		if d.PIV {
			d.Protocol = body[0] >> 4
		}
		id.Designators = append(id.Designators, d)
		body = body[n:]
	}
	return id, nil
}

// LogicalUnit returns the name of the logical unit: its first NAA, else EUI-64, T10 vendor
// id or name string. It returns false if there is none of them.
func (id *DeviceIdentification) LogicalUnit() (Designator, bool) {
	for _, t := range []DesignatorType{DesignatorNAA, DesignatorEUI64, DesignatorT10, DesignatorNameString} {
		if d, ok := id.find(OfLogicalUnit, t); ok {
			return d, true
		}
	}
	return Designator{}, false
}

// TargetPort returns the NAA of the target port that the page was read through. It differs
// between two paths to one ESP. On some enclosures (Celestica) nothing else distinguishes
// two ESPs.
func (id *DeviceIdentification) TargetPort() (Designator, bool) {
	return id.find(OfTargetPort, DesignatorNAA)
}

func (id *DeviceIdentification) find(a Association, t DesignatorType) (Designator, bool) {
	for _, d := range id.Designators {
		if d.Association == a && d.Type == t && len(d.Value) > 0 {
			return d, true
		}
	}
	return Designator{}, false
}

// ExtendedInquiry is what VPD page 86h says about microcode:
//
//	 4  ACTIVATE_MICROCODE 7:6
//	12  POA_SUP 7, HRA_SUP 6, VSA_SUP 5, DMS_VALID 4
//	19  supported download modes: 7 mode 4, 6 mode 5, 5 mode 6, 4 mode 7, 3 mode Dh, 2 mode Eh, 1 mode Fh
type ExtendedInquiry struct {
	// ActivateMicrocode is 1 if microcode starts before the last command of a download completes, 2 if after an event
	ActivateMicrocode      byte
	POASup                 bool // mode 0Dh can select activation at power on
	HRASup                 bool // at a hard reset
	VSASup                 bool // at a vendor specific event
	DMSValid               bool // SupportedDownloadModes is valid
	SupportedDownloadModes byte
}

// ParseExtendedInquiry reads VPD page 86h. Fields beyond the end of the page
// read as zero: older versions of the page are shorter.
func ParseExtendedInquiry(b []byte) (*ExtendedInquiry, error) {
	body, err := vpdBody(b, VPDExtendedInquiry)
	if err != nil {
		return nil, err
	}
	var page [20]byte
	copy(page[4:], body)
	x := &ExtendedInquiry{
		ActivateMicrocode: page[4] >> 6,
		POASup:            page[12]&0x80 != 0,
		HRASup:            page[12]&0x40 != 0,
		VSASup:            page[12]&0x20 != 0,
		DMSValid:          page[12]&0x10 != 0 && len(body) >= 16,
	}
	if x.DMSValid {
		x.SupportedDownloadModes = page[19]
	}
	return x, nil
}

// Supports reports whether WRITE BUFFER takes a mode. Known is false if the
// device does not say.
func (x *ExtendedInquiry) Supports(mode WriteBufferMode) (supported, known bool) {
	bit, ok := map[WriteBufferMode]byte{
		WriteDownloadActivate: 7, WriteDownloadSaveActivate: 6, WriteOffsetsActivate: 5, WriteOffsetsSaveActivate: 4,
		WriteOffsetsSelectSaveDefer: 3, WriteOffsetsSaveDefer: 2, WriteActivateDeferredMicrocode: 1,
	}[mode]
	if !ok || !x.DMSValid {
		return false, false
	}
	return x.SupportedDownloadModes>>bit&1 != 0, true
}

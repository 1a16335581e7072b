package ses

import "fmt"

// ElementType is the kind of an element (SES-3, element type codes).
type ElementType byte

const (
	DeviceSlot              ElementType = 0x01
	PowerSupply             ElementType = 0x02
	Cooling                 ElementType = 0x03
	TemperatureSensor       ElementType = 0x04
	ESControllerElectronics ElementType = 0x07
	EnclosureElement        ElementType = 0x0e
	SCSITargetPort          ElementType = 0x14
	SCSIInitiatorPort       ElementType = 0x15
	ArrayDeviceSlot         ElementType = 0x17
	SASExpander             ElementType = 0x18
	SASConnector            ElementType = 0x19
)

var elementTypeNames = [...]string{
	"Unspecified", "Device slot", "Power supply", "Cooling", "Temperature sensor", "Door", "Audible alarm",
	"Enclosure services controller electronics", "SCC controller electronics", "Nonvolatile cache",
	"Invalid operation reason", "Uninterruptible power supply", "Display", "Key pad entry", "Enclosure",
	"SCSI port/transceiver", "Language", "Communication port", "Voltage sensor", "Current sensor",
	"SCSI target port", "SCSI initiator port", "Simple subenclosure", "Array device slot", "SAS expander",
	"SAS connector",
}

// String returns the name in the standard, or the code if there is none: 81h to 9Eh have
// been seen.
func (t ElementType) String() string {
	switch {
	case int(t) < len(elementTypeNames):
		return elementTypeNames[t]
	case t >= 0x80:
		return fmt.Sprintf("vendor specific element type %02Xh", byte(t))
	}
	return fmt.Sprintf("element type %02Xh", byte(t))
}

// hasAdditionalStatus reports whether elements of this type can have descriptors
// in page 0Ah (SES-3, Additional Element Status diagnostic page).
func (t ElementType) hasAdditionalStatus() bool {
	switch t {
	case DeviceSlot, ArrayDeviceSlot, SASExpander, SCSIInitiatorPort, SCSITargetPort, ESControllerElectronics:
		return true
	}
	return false
}

// StatusCode is the element status code, the low four bits of a status element.
type StatusCode byte

const (
	StatusUnsupported   StatusCode = 0
	StatusOK            StatusCode = 1
	StatusCritical      StatusCode = 2
	StatusNonCritical   StatusCode = 3
	StatusUnrecoverable StatusCode = 4
	StatusNotInstalled  StatusCode = 5
	StatusUnknown       StatusCode = 6
	StatusNotAvailable  StatusCode = 7
	StatusNoAccess      StatusCode = 8
)

var statusCodeNames = [...]string{
	"Unsupported", "OK", "Critical", "Non-critical", "Unrecoverable", "Not installed", "Unknown",
	"Not available", "No access allowed",
}

func (s StatusCode) String() string {
	if int(s) < len(statusCodeNames) {
		return statusCodeNames[s]
	}
	return fmt.Sprintf("status %Xh", byte(s))
}

// StatusElement is the 4-byte status of one element, or of all elements of a type:
//
//	0  PRDFAIL 6, DISABLED 5, SWAP 4, element status code 3:0
//	1-3  depends on the element type
type StatusElement [4]byte

// Code returns the element status code.
func (e StatusElement) Code() StatusCode { return StatusCode(e[0] & 0x0f) }

// PredictedFailure reports whether the element expects to fail.
func (e StatusElement) PredictedFailure() bool { return e[0]&0x40 != 0 }

// Disabled reports whether the element is switched off.
func (e StatusElement) Disabled() bool { return e[0]&0x20 != 0 }

// Swapped reports whether the element was taken out and put in since the last reset.
func (e StatusElement) Swapped() bool { return e[0]&0x10 != 0 }

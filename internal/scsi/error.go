package scsi

import "fmt"

// Error is a command that ended with another status than GOOD.
//
// errors.Is finds its Status, and the Key and ASC of its sense data:
//
//	errors.Is(err, scsi.Busy)
//	errors.Is(err, scsi.UnitAttention)
//	errors.Is(err, scsi.ASC{0x3f, 0x01})
type Error struct {
	Command string // as Command.String names it
	Status  Status
	Sense   *Sense // nil if the device gave none, or none that can be read
}

func (e *Error) Error() string {
	if e.Sense == nil {
		return fmt.Sprintf("cannot execute %s: %v", e.Command, e.Status)
	}
	return fmt.Sprintf("cannot execute %s: %v", e.Command, e.Sense)
}

// Unwrap returns the parts that errors.Is looks for.
func (e *Error) Unwrap() []error {
	if e.Sense == nil {
		return []error{e.Status}
	}
	return []error{e.Status, e.Sense.Key, e.Sense.ASC}
}

// Status is a SCSI status code (SAM, status codes). It is an error value for errors.Is.
type Status byte

const (
	Good                Status = 0x00
	CheckCondition      Status = 0x02
	ConditionMet        Status = 0x04
	Busy                Status = 0x08
	ReservationConflict Status = 0x18
	TaskSetFull         Status = 0x28
	ACAActive           Status = 0x30
	TaskAborted         Status = 0x40
)

var statusText = map[Status]string{
	Good:                "good",
	CheckCondition:      "check condition without sense data",
	ConditionMet:        "condition met",
	Busy:                "the device is busy",
	ReservationConflict: "reservation conflict: another host has reserved the device",
	TaskSetFull:         "the device's task set is full",
	ACAActive:           "ACA active",
	TaskAborted:         "the command was aborted by another host",
}

func (s Status) Error() string {
	if text, ok := statusText[s]; ok {
		return text
	}
	return fmt.Sprintf("SCSI status %02Xh", byte(s))
}

// FormatError is data from a device that cannot be decoded, or a value that does not fit
// its field.
type FormatError struct {
	Op     string // "decode" or "encode"
	What   string // "VPD page 83h", "WRITE BUFFER mode 07h"
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("cannot %s %s: %s", e.Op, e.What, e.Reason)
}

func cannotEncode(c Command, format string, args ...any) error {
	return &FormatError{Op: "encode", What: c.String(), Reason: fmt.Sprintf(format, args...)}
}

func cannotDecode(what, format string, args ...any) error {
	return &FormatError{Op: "decode", What: what, Reason: fmt.Sprintf(format, args...)}
}

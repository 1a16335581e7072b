package scsi

import "errors"

// WasReset reports whether a device answers that it was reset, or that its microcode
// has changed, since the last command. The command was not carried out.
func WasReset(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Sense == nil || e.Sense.Key != UnitAttention {
		return false
	}
	asc := e.Sense.ASC
	return asc[0] == resetOccurred || asc == MicrocodeChanged || asc == MicrocodeChangedWithoutReset
}

// DeviceReset reports whether a unit attention says that the device itself was reset
// or runs other microcode. A path that was away says 29h/05h to 29h/07h.
func (s *Sense) DeviceReset() bool {
	return s.Key == UnitAttention &&
		(s.ASC[0] == resetOccurred && s.ASC[1] <= DeviceInternalReset[1] || s.ASC == MicrocodeChanged)
}

// Refused reports whether a device says that it did not carry out a command, and will not.
// After any other error it may have: a device can take a chunk and then fail to answer.
func Refused(err error) bool {
	return errors.Is(err, IllegalRequest) || errors.Is(err, ReservationConflict)
}

// Transient reports whether a device did not carry out a command for a reason that will
// pass.
func Transient(err error) bool {
	for _, passing := range []error{
		UnitAttention, Busy, TaskSetFull,
		CauseNotReportable, BecomingReady, OperationInProgress, EnclosureServicesUnavailable,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// DefersMicrocode reports whether the answer says that the device holds deferred microcode.
func (a ASC) DefersMicrocode() bool {
	return a == DeferredMicrocodePending || a == MicrocodeActivationRequired || a.StartsByPower()
}

// StartsByPower reports whether the answer says that mode 0Fh does not start the deferred
// microcode that the device holds.
func (a ASC) StartsByPower() bool { return a == HardResetRequired || a == PowerCycleRequired }

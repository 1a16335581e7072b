package scsi_test

import (
	"fmt"
	"testing"

	"fwctl/internal/scsi"
)

// What an answer says of whether a command was carried out, and of the device.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key                             scsi.Key
		asc                             scsi.ASC
		reset, device, refused, passing bool
	}{
		{scsi.UnitAttention, scsi.ASC{0x29, 0x00}, true, true, false, true},
		{scsi.UnitAttention, scsi.DeviceInternalReset, true, true, false, true},
		// Only the path to it was away.
		{scsi.UnitAttention, scsi.ASC{0x29, 0x07}, true, false, false, true},
		{scsi.UnitAttention, scsi.MicrocodeChanged, true, true, false, true},
		{scsi.UnitAttention, scsi.MicrocodeChangedWithoutReset, true, false, false, true},
		{scsi.UnitAttention, scsi.ASC{0x3f, 0x03}, false, false, false, true},
		{scsi.NotReady, scsi.BecomingReady, false, false, false, true},
		{scsi.NotReady, scsi.ASC{0x3a, 0x00}, false, false, false, false},
		{scsi.IllegalRequest, scsi.InvalidFieldInCDB, false, false, true, false},
		{scsi.IllegalRequest, scsi.EnclosureServicesUnavailable, false, false, true, true},
		{scsi.HardwareError, scsi.ASC{0x44, 0x00}, false, false, false, false},
	} {
		sense := &scsi.Sense{Key: tt.key, ASC: tt.asc}
		err := fmt.Errorf("wrapped: %w", &scsi.Error{Status: scsi.CheckCondition, Sense: sense})
		reset, device := scsi.WasReset(err), sense.DeviceReset()
		refused, passing := scsi.Refused(err), scsi.Transient(err)
		if reset != tt.reset || device != tt.device || refused != tt.refused || passing != tt.passing {
			t.Errorf("%v: was reset %v, the device itself %v, refused %v, passes %v; want %v, %v, %v, %v",
				sense, reset, device, refused, passing, tt.reset, tt.device, tt.refused, tt.passing)
		}
	}
}

func TestDeferredMicrocode(t *testing.T) {
	t.Parallel()
	for asc, want := range map[scsi.ASC][2]bool{
		scsi.DeferredMicrocodePending:    {true, false},
		scsi.MicrocodeActivationRequired: {true, false},
		scsi.HardResetRequired:           {true, true},
		scsi.PowerCycleRequired:          {true, true},
		scsi.BecomingReady:               {false, false},
		{}:                               {false, false},
	} {
		if got := [2]bool{asc.DefersMicrocode(), asc.StartsByPower()}; got != want {
			t.Errorf("%v: defers, and starts by power alone = %v; want %v", asc, got, want)
		}
	}
}

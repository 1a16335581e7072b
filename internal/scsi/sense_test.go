package scsi_test

import (
	"testing"

	"fwctl/internal/scsi"
)

func TestSenseText(t *testing.T) {
	tests := []struct{ sense, want string }{
		{"70 00 05 00000000 0a 00000000 26 00 00 80 0008", "illegal request: invalid field in parameter list (26h/00h), byte 8 of the parameter list"},
		{"70 00 05 00000000 0a 00000000 24 00 00 cd 0001", "illegal request: invalid field in CDB (24h/00h), byte 1 bit 5 of the CDB"},
		{"70 00 05 00000000 0a 00000000 26 00 00 00 0008", "illegal request: invalid field in parameter list (26h/00h)"},
		{"70 00 06 00000000 0a 00000000 3f 01 00 80 0008", "unit attention: microcode has been changed (3Fh/01h)"},
		{"72 05 26 00 000000 08 02 06 0000 80 0008 00", "illegal request: invalid field in parameter list (26h/00h), byte 8 of the parameter list"},
		{"72 02 04 22 000000 00", "not ready: power cycle required (04h/22h)"},
		{"71 00 04 00000000 0a 00000000 44 00 00 00 0000", "left over from an earlier command: hardware error: internal target failure (44h/00h)"},
		{"72 0b 99 98", "aborted command: additional sense code 99h/98h"},
		{"70 00 0c", "sense key Ch: no additional sense information (00h/00h)"},
		// The additional length ends before ASC: what stands there is no ASC.
		{"70 00 02 00000000 04 00000000 3a 00", "not ready: no additional sense information (00h/00h)"},
		// Seen: 17 bytes where 18 were announced. The field pointer is cut, so there is none.
		{"70 00 05 00000000 0a 00000000 26 00 00 80 00", "illegal request: invalid field in parameter list (26h/00h)"},
	}
	for _, tt := range tests {
		got, err := scsi.ParseSense(unhex(t, tt.sense))
		if err != nil || got.String() != tt.want {
			t.Errorf("ParseSense(%s) = %v, %v; want %q", tt.sense, got, err, tt.want)
		}
	}
}

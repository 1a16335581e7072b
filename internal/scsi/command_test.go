package scsi_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/transport"

	"github.com/google/go-cmp/cmp"
)

func TestRequest(t *testing.T) {
	const short, long = 60 * time.Second, 2 * time.Hour
	data := []byte{1, 2, 3, 4, 5}
	tests := []struct {
		name string
		cmd  scsi.Command
		cdb  string
		in   int
		out  []byte
		time time.Duration
	}{
		{"TEST UNIT READY", scsi.TestUnitReady{}, "000000000000", 0, nil, short},
		{"REQUEST SENSE", scsi.RequestSense{AllocationLength: 252}, "03000000fc00", 252, nil, short},
		{"INQUIRY", scsi.Inquiry{AllocationLength: 0x0204}, "120000020400", 0x204, nil, short},
		{"INQUIRY of VPD page 83h", scsi.Inquiry{EVPD: true, PageCode: 0x83, AllocationLength: 1024}, "120183040000", 1024, nil, short},
		{"REPORT SUPPORTED OPERATION CODES", scsi.ReportSupportedOperationCodes{AllocationLength: 0x00012345}, "a30c00000000000123450000", 0x12345, nil, short},
		{"REPORT SUPPORTED OPERATION CODES of 1Dh", scsi.ReportSupportedOperationCodes{ReportingOptions: scsi.OneCommand, RequestedOperationCode: 0x1d, AllocationLength: 512},
			"a30c011d0000000002000000", 512, nil, short},
		{"REPORT SUPPORTED OPERATION CODES of 3Bh/0Eh", scsi.ReportSupportedOperationCodes{ReportingOptions: scsi.OneCommandWithService, RequestedOperationCode: 0x3b, RequestedServiceAction: 0x0e, AllocationLength: 512},
			"a30c023b000e000002000000", 512, nil, short},
		{"READ BUFFER mode 03h", scsi.ReadBuffer{Mode: scsi.ReadBufferDescriptor, BufferID: 5, AllocationLength: 4}, "3c030500000000000400", 4, nil, short},
		{"READ BUFFER mode 02h", scsi.ReadBuffer{Mode: 2, Offset: 0x010203, AllocationLength: 0x000708}, "3c020001020300070800", 0x708, nil, short},
		{"WRITE BUFFER mode 0Eh", scsi.WriteBuffer{Mode: scsi.WriteOffsetsSaveDefer, BufferID: 4, BufferOffset: 0xfedcb8, Data: data}, "3b0e04fedcb800000500", 0, data, long},
		{"WRITE BUFFER mode 0Dh", scsi.WriteBuffer{Mode: scsi.WriteOffsetsSelectSaveDefer, ModeSpecific: 7, Data: data}, "3bed0000000000000500", 0, data, long},
		{"WRITE BUFFER mode 0Fh", scsi.WriteBuffer{Mode: scsi.WriteActivateDeferredMicrocode}, "3b0f0000000000000000", 0, nil, long},
		{"RECEIVE DIAGNOSTIC RESULTS of page 01h", scsi.ReceiveDiagnosticResults{PageCode: 1, AllocationLength: 0x8000}, "1c0101800000", 0x8000, nil, short},
		{"RECEIVE DIAGNOSTIC RESULTS of page 0Eh", scsi.ReceiveDiagnosticResults{PageCode: 0x0e, AllocationLength: 0xfffc}, "1c010efffc00", 0xfffc, nil, long},
		{"SEND DIAGNOSTIC of page 01h", scsi.SendDiagnostic{ParameterList: data}, "1d1000000500", 0, data, long},
		{"SEND DIAGNOSTIC of page 00h", scsi.SendDiagnostic{ParameterList: make([]byte, 65532)}, "1d1000fffc00", 0, make([]byte, 65532), long},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.cmd.String(); got != tt.name {
				t.Errorf("String() = %q; want %q", got, tt.name)
			}
			got, err := tt.cmd.Request()
			if err != nil {
				t.Fatal(err)
			}
			want := &transport.Request{CDB: unhex(t, tt.cdb), Out: tt.out, Timeout: tt.time, Effect: tt.time == long}
			if tt.in > 0 {
				want.In = make([]byte, tt.in)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Request() differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestRefuses(t *testing.T) {
	tests := []struct {
		cmd  scsi.Command
		want string
	}{
		{scsi.Inquiry{PageCode: 0x83}, "cannot encode INQUIRY: page code 83h without EVPD"},
		{scsi.ReportSupportedOperationCodes{ReportingOptions: 3}, "cannot encode REPORT SUPPORTED OPERATION CODES of 00h/00h: unknown reporting options 3"},
		{scsi.ReportSupportedOperationCodes{AllocationLength: 1<<20 + 1}, "cannot encode REPORT SUPPORTED OPERATION CODES: allocation length 1048577 is over 1048576"},
		{scsi.ReadBuffer{Mode: 0x20}, "cannot encode READ BUFFER mode 20h: the mode has 5 bits"},
		{scsi.ReadBuffer{Offset: 1 << 24}, "cannot encode READ BUFFER mode 00h: offset 16777216 has more than 24 bits"},
		{scsi.ReadBuffer{AllocationLength: 1 << 24}, "cannot encode READ BUFFER mode 00h: allocation length 16777216 has more than 24 bits"},
		{scsi.WriteBuffer{Mode: 0x2e}, "cannot encode WRITE BUFFER mode 2Eh: the mode has 5 bits"},
		{scsi.WriteBuffer{Mode: 7, ModeSpecific: 8}, "cannot encode WRITE BUFFER mode 07h: mode-specific value 8 has more than 3 bits"},
		{scsi.WriteBuffer{Mode: 7, BufferOffset: 1 << 24}, "cannot encode WRITE BUFFER mode 07h: buffer offset 16777216 has more than 24 bits"},
		{scsi.WriteBuffer{Mode: 7, Data: make([]byte, 1<<24)}, "cannot encode WRITE BUFFER mode 07h: the length 16777216 of the data has more than 24 bits"},
		{scsi.SendDiagnostic{}, "cannot encode SEND DIAGNOSTIC: the page has 0 bytes, not 4 to 65532"},
		{scsi.SendDiagnostic{ParameterList: make([]byte, 65533)}, "cannot encode SEND DIAGNOSTIC of page 00h: the page has 65533 bytes, not 4 to 65532"},
	}
	for _, tt := range tests {
		req, err := tt.cmd.Request()
		var format *scsi.FormatError
		if req != nil || !errors.As(err, &format) || err.Error() != tt.want {
			t.Errorf("%#v.Request() = %v, %v; want *FormatError %q", tt.cmd, req, err, tt.want)
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var digits []byte
	for _, c := range []byte(s) {
		if c != ' ' && c != '\n' {
			digits = append(digits, c)
		}
	}
	b, err := hex.DecodeString(string(digits))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

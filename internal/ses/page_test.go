package ses_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fwctl/internal/scsi"
	"fwctl/internal/ses"

	"github.com/google/go-cmp/cmp"
)

func TestDownloadStatusText(t *testing.T) {
	tests := []struct {
		code                         ses.DownloadCode
		additional                   byte
		inProgress, complete, failed bool
		text                         string
	}{
		{0x00, 0, false, false, false, "no download in progress (00h)"},
		{0x01, 0, true, false, false, "download in progress, awaiting more data (01h)"},
		{0x02, 0, true, false, false, "all data received, writing flash (02h)"},
		{0x03, 0, true, false, false, "all data received, writing flash for a later activation (03h)"},
		{0x0f, 0, true, false, false, "in progress (0Fh)"},
		{0x10, 0, false, true, false, "complete, the new microcode starts now (10h)"},
		{0x11, 0, false, true, false, "complete, the new microcode starts after a hard reset or power on (11h)"},
		{0x12, 0, false, true, false, "complete, the new microcode starts after power on (12h)"},
		{0x13, 0, false, true, false, "complete, the new microcode starts after its activation, a hard reset or power on (13h)"},
		{0x14, 0, false, true, false, "complete (14h)"},
		{0x7f, 0, false, true, false, "complete (7Fh)"},
		{0x80, 0x01, false, false, true, "error in a field of the control page, data discarded (80h): subenclosure id (byte 1)"},
		{0x80, 0x04, false, false, true, "error in a field of the control page, data discarded (80h): expected generation code (byte 4)"},
		{0x80, 0x08, false, false, true, "error in a field of the control page, data discarded (80h): mode (byte 8)"},
		{0x80, 0x0b, false, false, true, "error in a field of the control page, data discarded (80h): buffer id (byte 11)"},
		{0x80, 0x0c, false, false, true, "error in a field of the control page, data discarded (80h): buffer offset (byte 12)"},
		{0x80, 0x10, false, false, true, "error in a field of the control page, data discarded (80h): image length (byte 16)"},
		{0x80, 0x14, false, false, true, "error in a field of the control page, data discarded (80h): data length (byte 20)"},
		{0x80, 0x18, false, false, true, "error in a field of the control page, data discarded (80h): byte 24"},
		{0x81, 0, false, false, true, "error in the image, data discarded (81h)"},
		{0x82, 0, false, false, true, "timed out, data discarded (82h)"},
		{0x83, 0x42, false, false, true, "internal error: download a new image before any reset or power on, do not power-cycle (83h), additional status 42h"},
		{0x84, 0, false, false, true, "internal error: reset and power on are safe (84h)"},
		{0x85, 0, false, false, true, "activation was requested, but no microcode is deferred (85h)"},
		{0x86, 0, false, false, true, "error (86h)"},
		{0xff, 0, false, false, true, "error (FFh)"},
	}
	for _, tt := range tests {
		d := ses.DownloadStatus{Code: tt.code, AdditionalStatus: tt.additional}
		if got := d.String(); got != tt.text {
			t.Errorf("String() = %q; want %q", got, tt.text)
		}
		if i, c, f := tt.code.InProgress(), tt.code.Complete(), tt.code.Failed(); i != tt.inProgress || c != tt.complete ||
			f != tt.failed {
			t.Errorf("%02Xh: InProgress, Complete, Failed = %v, %v, %v; want %v, %v, %v", byte(tt.code), i, c, f, tt.inProgress,
				tt.complete, tt.failed)
		}
		if field, ok := d.RefusedField(); ok != (tt.code == 0x80) || ok && byte(field) != tt.additional {
			t.Errorf("%02Xh: RefusedField() = %v, %v", byte(tt.code), field, ok)
		}
	}
}

func TestSubenclosureStatus(t *testing.T) {
	p := ses.DownloadMicrocodeStatus{Subenclosures: []ses.DownloadStatus{{SubenclosureID: 0},
		{SubenclosureID: 3, Code: 1}}}
	if d, ok := p.Subenclosure(3); !ok || d.Code != 1 {
		t.Errorf("Subenclosure(3) = %+v, %v", d, ok)
	}
	if d, ok := p.Subenclosure(4); ok {
		t.Errorf("Subenclosure(4) = %+v, %v; want none", d, ok)
	}
}

func TestControlValidate(t *testing.T) {
	const image = 1 << 20
	tests := []struct {
		page ses.DownloadMicrocodeControl
		want string // "": valid
	}{
		{ses.DownloadMicrocodeControl{Mode: 0x0e, Data: make([]byte, 65508), ImageLength: image}, ""},
		{ses.DownloadMicrocodeControl{Mode: 0x07, Data: make([]byte, 4), BufferOffset: image - 4, ImageLength: image}, ""},
		{ses.DownloadMicrocodeControl{Mode: 0x06, Data: make([]byte, 3), BufferOffset: image - 4, ImageLength: image - 1}, ""},
		{ses.DownloadMicrocodeControl{Mode: 0x0f}, ""},
		{ses.DownloadMicrocodeControl{Mode: 0xff, ImageLength: image}, ""},
		{
			ses.DownloadMicrocodeControl{Mode: 0x0e, Data: make([]byte, 65512), ImageLength: image},
			"65512 data bytes are more than the 65508 of one page",
		},
		{
			ses.DownloadMicrocodeControl{Mode: 0x0e, Data: make([]byte, 4094), ImageLength: image},
			"4094 data bytes before the end of the image are not a multiple of 4",
		},
		{
			ses.DownloadMicrocodeControl{Mode: 0x0e, Data: make([]byte, 4), BufferOffset: 2, ImageLength: image},
			"buffer offset 2 is not a multiple of 4",
		},
		{
			ses.DownloadMicrocodeControl{Mode: 0x0e, Data: make([]byte, 8), BufferOffset: image - 4, ImageLength: image},
			"the data ends at byte 1048580 of an image of 1048576",
		},
		{
			ses.DownloadMicrocodeControl{Mode: 0x0e, Data: make([]byte, 8), BufferOffset: 0xfffffffc, ImageLength: 4},
			"the data ends at byte 4294967300 of an image of 4",
		},
		{ses.DownloadMicrocodeControl{Mode: 0x0e, ImageLength: image}, "mode 0Eh without data"},
		{ses.DownloadMicrocodeControl{Mode: 0x0f, Data: make([]byte, 4), ImageLength: image}, "mode 0Fh takes no data"},
		{ses.DownloadMicrocodeControl{Mode: 0xff, Data: make([]byte, 4), ImageLength: image}, "mode FFh takes no data"},
		{ses.DownloadMicrocodeControl{Mode: 0x05, Data: make([]byte, 4), ImageLength: image}, "mode 05h is unknown"},
		{ses.DownloadMicrocodeControl{}, "mode 00h is unknown"},
	}
	for _, tt := range tests {
		err := tt.page.Validate()
		b, encodeErr := tt.page.AppendBinary(nil)
		if tt.want == "" {
			if err != nil || encodeErr != nil || len(b)%4 != 0 {
				t.Errorf("mode %02Xh, %d bytes: Validate() = %v, AppendBinary() = %d bytes, %v; want it valid", byte(tt.page.Mode),
					len(tt.page.Data), err, len(b), encodeErr)
			}
			continue
		}
		want := "cannot encode page 0Eh (download microcode): " + tt.want
		if err == nil || err.Error() != want || b != nil || encodeErr == nil || encodeErr.Error() != want {
			t.Errorf("mode %02Xh, %d bytes: Validate() = %v, AppendBinary() = %d bytes, %v; want %q", byte(tt.page.Mode),
				len(tt.page.Data), err, len(b), encodeErr, want)
		}
	}
}

// TestEncodersRefuse: what does not fit its field is refused, never cut.
func TestEncodersRefuse(t *testing.T) {
	one := func(s ses.Subenclosure) *ses.Configuration {
		return &ses.Configuration{Subenclosures: []ses.Subenclosure{s}}
	}
	additional := func(d ses.AdditionalElement) *ses.AdditionalElementStatus {
		return &ses.AdditionalElementStatus{Descriptors: []ses.AdditionalElement{d}}
	}
	slot := func(p ses.Phy) *ses.Slot { return &ses.Slot{Phys: []ses.Phy{p}} }
	pages := map[string]page{
		"page 02h as a list of supported pages": &ses.SupportedPages{Code: ses.PageEnclosureStatus},
		"pages out of order":                    &ses.SupportedPages{Pages: []ses.PageCode{0, 2, 1}},
		"no subenclosure":                       &ses.Configuration{},
		"257 subenclosures":                     &ses.Configuration{Subenclosures: make([]ses.Subenclosure, 257)},
		"relative id 8":                         one(ses.Subenclosure{RelativeESPID: 8}),
		"8 processes":                           one(ses.Subenclosure{ESProcesses: 8}),
		"vendor of 9 bytes":                     one(ses.Subenclosure{Vendor: "ACME Ltd."}),
		"product of 17 bytes":                   one(ses.Subenclosure{Product: "12345678901234567"}),
		"revision of 5 bytes":                   one(ses.Subenclosure{ProductRevisionLevel: "10000"}),
		"220 vendor's bytes":                    one(ses.Subenclosure{VendorSpecific: make([]byte, 220)}),
		"a type too few":                        one(ses.Subenclosure{TypeDescriptorHeaders: 1}),
		"a text of 256 bytes": &ses.Configuration{Subenclosures: []ses.Subenclosure{{TypeDescriptorHeaders: 1}},
			Types: []ses.TypeDescriptor{{Text: text(256)}}},
		"a page over 65,539 bytes":  &ses.EnclosureStatus{Types: []ses.TypeStatus{{Elements: make([]ses.StatusElement, 16384)}}},
		"a name of 65,536 bytes":    &ses.ElementDescriptors{Types: []ses.TypeNames{{Overall: text(65536)}}},
		"no subenclosure's status":  &ses.DownloadMicrocodeStatus{},
		"257 subenclosures' status": &ses.DownloadMicrocodeStatus{Subenclosures: make([]ses.DownloadStatus, 257)},
		"protocol 16":               additional(ses.AdditionalElement{Protocol: 16}),
		"EIIOE 4":                   additional(ses.AdditionalElement{EIP: true, EIIOE: 4}),
		"an index without EIP":      additional(ses.AdditionalElement{ElementIndex: 1}),
		"a slot that is not SAS":    additional(ses.AdditionalElement{Protocol: ses.PCIe, Slot: &ses.Slot{}}),
		"an invalid slot":           additional(ses.AdditionalElement{Protocol: ses.SAS, Invalid: true, Slot: &ses.Slot{}}),
		"a slot and something else": additional(ses.AdditionalElement{Protocol: ses.SAS, Slot: &ses.Slot{}, Other: []byte{1}}),
		"a number without EIP":      additional(ses.AdditionalElement{Protocol: ses.SAS, Slot: &ses.Slot{Number: 1}}),
		"device type 8":             additional(ses.AdditionalElement{Protocol: ses.SAS, Slot: slot(ses.Phy{DeviceType: 8})}),
		"reserved initiator bits":   additional(ses.AdditionalElement{Protocol: ses.SAS, Slot: slot(ses.Phy{InitiatorPorts: 1})}),
		"reserved target bits":      additional(ses.AdditionalElement{Protocol: ses.SAS, Slot: slot(ses.Phy{TargetPorts: 0x10})}),
		"an expander without EIP":   additional(ses.AdditionalElement{Protocol: ses.SAS, Expander: &ses.Expander{}}),
		"an expander of 122 phys":   additional(ses.AdditionalElement{Protocol: ses.SAS, EIP: true, Expander: &ses.Expander{Phys: make([]ses.ExpanderPhy, 122)}}),
		"ten phys in a slot":        additional(ses.AdditionalElement{Protocol: ses.SAS, EIP: true, Slot: &ses.Slot{Phys: make([]ses.Phy, 10)}}),
	}
	for name, p := range pages {
		b, err := p.AppendBinary(nil)
		var format *ses.FormatError
		if b != nil || !errors.As(err, &format) {
			t.Errorf("%s: AppendBinary() = %d bytes, %v; want a *FormatError", name, len(b), err)
		}
	}
}

func text(n int) scsi.Text { return scsi.Text(strings.Repeat("x", n)) }

// TestJoin: descriptors of page 0Ah find their elements, also where a device
// leaves some out, counts wrong, or has more elements than an index can count.
func TestJoin(t *testing.T) {
	// 2 fans (no descriptors), 3 slots, 1 enclosure (none), 2 expanders.
	small := configuration(ses.Cooling, 2, ses.DeviceSlot, 3, ses.EnclosureElement, 1, ses.SASExpander, 2)
	// 260 slots in two types, then electronics.
	large := configuration(ses.ArrayDeviceSlot, 200, ses.ArrayDeviceSlot, 60, ses.ESControllerElectronics, 1)
	tests := []struct {
		name    string
		cfg     *ses.Configuration
		eiioe   uint8
		indexes []int // -1: a descriptor without an index
		want    string
	}{
		{"all, overall elements not counted", small, 0, []int{2, 3, 4, 6, 7}, "1.0 1.1 1.2 3.0 3.1"},
		{"all, overall elements counted", small, 1, []int{4, 5, 6, 10, 11}, "1.0 1.1 1.2 3.0 3.1"},
		{"no indexes", small, 0, []int{-1, -1, -1, -1, -1}, "1.0 1.1 1.2 3.0 3.1"},
		{"indexes of a kind that is not known", small, 2, []int{9, 9, 9, 9, 9}, "1.0 1.1 1.2 3.0 3.1"},
		{"ends early", small, 0, []int{2, 3, 4}, "1.0 1.1 1.2"},
		{"empty slots left out", small, 0, []int{3, 7}, "1.1 3.1"},
		{"empty slots left out, overall elements counted", small, 1, []int{6, 11}, "1.2 3.1"},
		{"expanders that count from 0", small, 0, []int{2, 3, 4, 0, 1}, "1.0 1.1 1.2 3.0 3.1"},
		{"more than there are elements", small, 0, []int{2, 3, 4, 6, 7, 8}, "1.0 1.1 1.2 3.0 3.1 -1.-1"},
		{"more elements than indexes, wrapped", large, 0, counting(261), joined(200, 60, 1)},
		{"more elements than indexes, stuck at 255", large, 0, stuck(261), joined(200, 60, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := &ses.AdditionalElementStatus{}
			for _, i := range tt.indexes {
				d := ses.AdditionalElement{Protocol: ses.SAS, EIP: i >= 0, Other: []byte{0, 0x80}}
				if d.EIP {
					d.EIIOE, d.ElementIndex = tt.eiioe, uint8(i)
				}
				page.Descriptors = append(page.Descriptors, d)
			}
			b, err := page.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := ses.ParseAdditionalElementStatus(b, tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range parsed.Descriptors {
				got = append(got, fmt.Sprintf("%d.%d", d.Type, d.Element))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("joined differs (-want +got):\n%s", diff)
			}
		})
	}
}

func configuration(typesAndCounts ...any) *ses.Configuration {
	cfg := &ses.Configuration{}
	for i := 0; i < len(typesAndCounts); i += 2 {
		cfg.Types = append(cfg.Types,
			ses.TypeDescriptor{ElementType: typesAndCounts[i].(ses.ElementType),
				PossibleElements: uint8(typesAndCounts[i+1].(int))})
	}
	return cfg
}

func counting(n int) (s []int) {
	for i := range n {
		s = append(s, i)
	}
	return s
}

func stuck(n int) (s []int) {
	for i := range n {
		s = append(s, min(i, 255))
	}
	return s
}

func joined(counts ...int) string {
	var s []string
	for typ, n := range counts {
		for i := range n {
			s = append(s, fmt.Sprintf("%d.%d", typ, i))
		}
	}
	return strings.Join(s, " ")
}

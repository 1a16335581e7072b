package scsi_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fwctl/internal/scsi"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// decoders are all decoders of this package, by the name that their vectors begin with.
var decoders = map[string]func([]byte) (any, error){
	"inquiry":   func(b []byte) (any, error) { return orNil(scsi.ParseStandardInquiry(b)) },
	"sense":     func(b []byte) (any, error) { return orNil(scsi.ParseSense(b)) },
	"vpd00":     func(b []byte) (any, error) { return slice(scsi.ParseSupportedVPDPages(b)) },
	"vpd80":     func(b []byte) (any, error) { return text(scsi.ParseUnitSerialNumber(b)) },
	"vpd83":     func(b []byte) (any, error) { return orNil(scsi.ParseDeviceIdentification(b)) },
	"vpd86":     func(b []byte) (any, error) { return orNil(scsi.ParseExtendedInquiry(b)) },
	"rsoc-one":  func(b []byte) (any, error) { return orNil(scsi.ParseCommandSupport(b)) },
	"rsoc-all":  func(b []byte) (any, error) { return slice(scsi.ParseSupportedCommands(b)) },
	"bufferdsc": func(b []byte) (any, error) { return orNil(scsi.ParseBufferDescriptor(b)) },
}

// orNil keeps a nil pointer from hiding in an interface.
func orNil[T any](p *T, err error) (any, error) {
	if p == nil {
		return nil, err
	}
	return p, err
}

func slice[T any](s []T, err error) (any, error) {
	if s == nil {
		return nil, err
	}
	return s, err
}

func text(s scsi.Text, err error) (any, error) {
	if s == "" && err != nil {
		return nil, err
	}
	return s, err
}

// TestVectors decodes the hand-encoded bytes of testdata/<decoder>_<what>.hex
// and compares with the .json beside them; a line from # on is a comment.
func TestVectors(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.hex")
	if len(files) == 0 {
		t.Fatal("testdata holds no vectors")
	}
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			name, _, _ := strings.Cut(filepath.Base(file), "_")
			decode := decoders[name]
			if decode == nil {
				t.Fatalf("no decoder is called %q", name)
			}
			seen[name] = true
			got := map[string]any{}
			value, err := decode(readHex(t, file))
			if err != nil {
				got["error"] = err.Error()
			} else {
				got["decoded"] = value
			}
			golden(t, strings.TrimSuffix(file, ".hex")+".json", got)
		})
	}
	for name := range decoders {
		if !seen[name] {
			t.Errorf("decoder %q has no vector", name)
		}
	}
}

func readHex(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return unhex(t, regexp.MustCompile(`#.*`).ReplaceAllString(string(b), ""))
}

func golden(t *testing.T, file string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

// FuzzDecoders: an error comes with no result and is a *FormatError, and what
// was decoded does not change with the bytes that it was decoded from.
func FuzzDecoders(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.hex")
	for _, file := range files {
		f.Add(readHex(f, file))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, decode := range decoders {
			bytes := append([]byte(nil), b...)
			got, err := decode(bytes)
			var format *scsi.FormatError
			if err != nil && (got != nil || !errors.As(err, &format)) {
				t.Errorf("%s(%x) = %v, %v; want nil and a *FormatError", name, b, got, err)
			}
			before, _ := json.Marshal(got)
			clear(bytes)
			if after, _ := json.Marshal(got); string(after) != string(before) {
				t.Errorf("%s(%x) = %s, and %s after its input changed", name, b, before, after)
			}
			for _, c := range before {
				if c < ' ' || c > '~' {
					t.Fatalf("%s(%x) = %q; want printable ASCII", name, b, before)
				}
			}
		}
	})
}

func TestDesignators(t *testing.T) {
	id := func(d ...scsi.Designator) *scsi.DeviceIdentification {
		return &scsi.DeviceIdentification{Designators: d}
	}
	naa := scsi.Designator{Type: scsi.DesignatorNAA, CodeSet: scsi.CodeBinary, Value: unhex(t, "5000ccab04001001")}
	port := scsi.Designator{Association: scsi.OfTargetPort, Type: scsi.DesignatorNAA, CodeSet: scsi.CodeBinary,
		Value: unhex(t, "5000ccab0400107f")}
	eui := scsi.Designator{Type: scsi.DesignatorEUI64, CodeSet: scsi.CodeBinary, Value: unhex(t, "0011223344556677")}
	t10 := scsi.Designator{Type: scsi.DesignatorT10, CodeSet: scsi.CodeASCII, Value: []byte("ACME    JBOD-60 \x1b1  ")}
	name := scsi.Designator{Type: scsi.DesignatorNameString, CodeSet: scsi.CodeUTF8,
		Value: []byte("naa.5000CCAB04001001\x00\x00\x00\x00")}
	vendor := scsi.Designator{Type: scsi.DesignatorVendor, CodeSet: scsi.CodeBinary, Value: []byte{0xab}}
	empty := scsi.Designator{Type: scsi.DesignatorNAA, CodeSet: scsi.CodeBinary}
	tests := []struct {
		id       *scsi.DeviceIdentification
		lu, port string
	}{
		{id(vendor, name, t10, eui, port, naa), "5000ccab04001001", "5000ccab0400107f"},
		{id(vendor, name, t10, eui, port), "eui.0011223344556677", "5000ccab0400107f"},
		{id(vendor, name, t10), `t10.ACME    JBOD-60 \x1b1`, ""},
		{id(vendor, name, empty), "naa.5000CCAB04001001", ""},
		{id(vendor, port), "", "5000ccab0400107f"},
	}
	for i, tt := range tests {
		if got, ok := tt.id.LogicalUnit(); ok != (tt.lu != "") || ok && got.String() != tt.lu {
			t.Errorf("%d: LogicalUnit() = %q, %v; want %q", i, got, ok, tt.lu)
		}
		if got, ok := tt.id.TargetPort(); ok != (tt.port != "") || ok && got.String() != tt.port {
			t.Errorf("%d: TargetPort() = %q, %v; want %q", i, got, ok, tt.port)
		}
	}
	if got, want := vendor.String(), "type 0h ab"; got != want {
		t.Errorf("String() = %q; want %q", got, want)
	}
}

func TestExtendedInquirySupports(t *testing.T) {
	x := &scsi.ExtendedInquiry{DMSValid: true, SupportedDownloadModes: 0b0001_0110}
	tests := []struct {
		mode scsi.WriteBufferMode
		want bool
	}{
		{scsi.WriteDownloadActivate, false}, {scsi.WriteDownloadSaveActivate, false}, {scsi.WriteOffsetsActivate, false},
		{scsi.WriteOffsetsSaveActivate, true}, {scsi.WriteOffsetsSelectSaveDefer, false},
		{scsi.WriteOffsetsSaveDefer, true}, {scsi.WriteActivateDeferredMicrocode, true},
	}
	for _, tt := range tests {
		if got, known := x.Supports(tt.mode); got != tt.want || !known {
			t.Errorf("Supports(%02Xh) = %v, %v; want %v, true", byte(tt.mode), got, known, tt.want)
		}
	}
	if got, known := x.Supports(0x02); got || known {
		t.Errorf("Supports(02h) = %v, %v; want it unknown", got, known)
	}
	x.DMSValid = false
	if got, known := x.Supports(scsi.WriteOffsetsSaveDefer); got || known {
		t.Errorf("Supports(0Eh) without DMS_VALID = %v, %v; want it unknown", got, known)
	}
}

func TestBufferDescriptorAligned(t *testing.T) {
	tests := []struct {
		boundary byte
		offset   uint32
		want     bool
	}{
		{0, 3, true}, {2, 4096, true}, {2, 4098, false}, {12, 4096, true}, {12, 2048, false},
		{0xff, 0, true}, {0xff, 4096, false}, {31, 1 << 31, true}, {31, 1, false},
	}
	for _, tt := range tests {
		d := scsi.BufferDescriptor{OffsetBoundary: tt.boundary}
		if got := d.Aligned(tt.offset); got != tt.want {
			t.Errorf("Aligned(%d) on boundary %d = %v; want %v", tt.offset, tt.boundary, got, tt.want)
		}
	}
}

package scsi_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fwctl/internal/scsi"

	"github.com/google/go-cmp/cmp"
)

// captures holds bytes of real devices beside what sg3_utils makes of them.
// They are third-party data and no part of the project.
const captures = "../../../shared/captures"

func capture(t *testing.T, name string) []byte {
	t.Helper()
	if _, err := os.Stat(captures); err != nil {
		t.Skipf("the captures of real devices are not here: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(captures, name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// oracle reads what a tool of sg3_utils 1.49.5 says of a capture.
func oracle(t *testing.T, name, tool string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(captures, "decoded", name+"."+tool+"-1.49.5.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func TestSenseConformance(t *testing.T) {
	type coded struct {
		I       int    `json:"i"`
		Meaning string `json:"meaning"`
	}
	type facts struct {
		ResponseCode coded  `json:"response_code"`
		Descriptor   bool   `json:"descriptor_format"`
		SenseKey     coded  `json:"sense_key"`
		ASC          int    `json:"additional_sense_code"`
		ASCQ         int    `json:"additional_sense_code_qualifier"`
		Valid        int    `json:"valid"`
		Information  uint64 `json:"information"`
		SKSV         int    `json:"sksv"`
		CD           int    `json:"c_d"`
		BPV          int    `json:"bpv"`
		BitPointer   int    `json:"bit_pointer"`
		FieldPointer int    `json:"field_pointer"`
	}
	text := map[string]string{
		"sense_illegal_request_2400_fixed_hpux": "illegal request: invalid field in CDB (24h/00h), byte 1 bit 0 of the CDB",
		"sense_illegal_request_2400_fixed_sksv": "illegal request: invalid field in CDB (24h/00h), byte 2 of the CDB",
		"sense_medium_error_3b08_fixed_long":    "medium error: additional sense code 3Bh/08h",
		"sense_not_ready_3a00_fixed_17bytes":    "not ready: medium not present (3Ah/00h)",
		"sense_unit_attention_2902_fixed":       "unit attention: SCSI bus reset occurred (29h/02h)",
	}
	for name, wantText := range text {
		t.Run(name, func(t *testing.T) {
			s, err := scsi.ParseSense(capture(t, name))
			if err != nil {
				t.Fatal(err)
			}
			var want facts
			oracle(t, name, "sg_decode_sense", &want)
			got := facts{
				ResponseCode: coded{I: int(s.ResponseCode), Meaning: "Fixed format, current"},
				Descriptor:   s.ResponseCode >= 0x72,
				SenseKey:     coded{I: int(s.Key)},
				ASC:          int(s.ASC[0]),
				ASCQ:         int(s.ASC[1]),
			}
			if s.Deferred {
				got.ResponseCode.Meaning = "Fixed format, deferred"
			}
			if strings.EqualFold(s.Key.Error(), want.SenseKey.Meaning) {
				got.SenseKey.Meaning = want.SenseKey.Meaning
			}
			if s.Information != nil {
				got.Valid, got.Information = 1, *s.Information
			}
			if f := s.Field; f != nil {
				got.SKSV, got.FieldPointer = 1, int(f.Byte)
				if f.InCDB {
					got.CD = 1
				}
				if f.BPV {
					got.BPV, got.BitPointer = 1, int(f.Bit)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseSense differs from sg_decode_sense (-sg3_utils +got):\n%s", diff)
			}
			if got := s.String(); got != wantText {
				t.Errorf("String() = %q; want %q", got, wantText)
			}
		})
	}
}

func TestInquiryConformance(t *testing.T) {
	const name = "sas-e_x28-05.75.b002_000_inq"
	b := capture(t, name)
	got, err := scsi.ParseStandardInquiry(b)
	if err != nil {
		t.Fatal(err)
	}
	type coded struct{ I int }
	var says struct {
		Data struct {
			Qualifier  coded  `json:"peripheral_qualifier"`
			DeviceType coded  `json:"peripheral_device_type"`
			Version    coded  `json:"version"`
			Format     int    `json:"response_data_format"`
			EncServ    int    `json:"encserv"`
			Vendor     string `json:"t10_vendor_identification"`
			Product    string `json:"product_identification"`
			Revision   string `json:"product_revision_level"`
		} `json:"standard_inquiry_data_format"`
	}
	oracle(t, name, "sg_inq", &says)
	d := says.Data
	want := &scsi.StandardInquiry{
		PeripheralQualifier:  byte(d.Qualifier.I),
		PeripheralDeviceType: byte(d.DeviceType.I),
		Version:              byte(d.Version.I),
		ResponseDataFormat:   byte(d.Format),
		AdditionalLength:     31, // of the capture's notes; sg_inq prints it plus 5
		EncServ:              d.EncServ == 1,
		Vendor:               scsi.NewText([]byte(d.Vendor)),
		Product:              scsi.NewText([]byte(d.Product)),
		ProductRevisionLevel: scsi.NewText([]byte(d.Revision)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseStandardInquiry differs from sg_inq (-sg3_utils +got):\n%s", diff)
	}

	// What the source of the capture printed itself.
	var printed struct {
		Qualifier  byte   `json:"PQual"`
		DeviceType byte   `json:"Device_type"`
		EncServ    int    `json:"EncServ"`
		Length     int    `json:"length"`
		Vendor     string `json:"vendor"`
		Product    string `json:"product"`
		Revision   string `json:"revision"`
	}
	expected, err := os.ReadFile(filepath.Join(captures, name+".expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(expected, &printed); err != nil {
		t.Fatal(err)
	}
	if got.Vendor.String() != printed.Vendor || got.Product.String() != printed.Product ||
		got.ProductRevisionLevel.String() != printed.Revision ||
		got.AdditionalLength+5 != printed.Length || got.EncServ != (printed.EncServ == 1) ||
		got.PeripheralQualifier != printed.Qualifier || got.PeripheralDeviceType != printed.DeviceType {
		t.Errorf("ParseStandardInquiry = %+v; want %+v", got, printed)
	}
}

func TestDeviceIdentificationConformance(t *testing.T) {
	const name = "celestica_athena_vpd83"
	id, err := scsi.ParseDeviceIdentification(capture(t, name))
	if err != nil {
		t.Fatal(err)
	}
	type coded struct{ I int }
	type designator struct {
		Association coded  `json:"association"`
		Type        coded  `json:"designator_type"`
		CodeSet     coded  `json:"code_set"`
		PIV         coded  `json:"piv"`
		Protocol    coded  `json:"protocol_identifier"`
		NAA         coded  `json:"naa"`
		AOI         uint64 `json:"aoi"`
		Vendor      uint64 `json:"vendor_specific_identifier"`
	}
	var want struct {
		Page struct {
			Designators []designator `json:"designation_descriptor_list"`
		} `json:"device_identification_vpd_page"`
	}
	oracle(t, name, "sg_vpd", &want)
	var got []designator
	for _, d := range id.Designators {
		naa := binary.BigEndian.Uint64(d.Value) // NAA 5: 4 bits of it, 24 of the company, 36 of the vendor
		g := designator{
			Association: coded{int(d.Association)}, Type: coded{int(d.Type)}, CodeSet: coded{int(d.CodeSet)},
			Protocol: coded{int(d.Protocol)},
			NAA:      coded{int(naa >> 60)}, AOI: naa >> 36 & 0xffffff, Vendor: naa & (1<<36 - 1),
		}
		if d.PIV {
			g.PIV.I = 1
		}
		got = append(got, g)
	}
	if diff := cmp.Diff(want.Page.Designators, got); diff != "" {
		t.Errorf("ParseDeviceIdentification differs from sg_vpd (-sg3_utils +got):\n%s", diff)
	}
	lu, _ := id.LogicalUnit()
	port, _ := id.TargetPort()
	if lu.String() != "500e0eca0663dc00" || port.String() != "500e0eca0663dcff" {
		t.Errorf("LogicalUnit(), TargetPort() = %v, %v; want 500e0eca0663dc00, 500e0eca0663dcff", lu, port)
	}
	if hex.EncodeToString(lu.Value) != lu.String() {
		t.Errorf("Value = %x; want %v", lu.Value, lu)
	}
}

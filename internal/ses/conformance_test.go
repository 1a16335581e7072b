package ses_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"fwctl/internal/ses"

	"github.com/google/go-cmp/cmp"
)

// captures holds pages of real enclosures beside what sg3_utils makes of them.
// They are third-party data and no part of the project.
const captures = "../../../shared/captures"

func capture(t *testing.T, name string) []byte {
	t.Helper()
	if _, err := os.Stat(captures); err != nil {
		t.Skipf("the captures of real enclosures are not here: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(captures, name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// oracle reads what sg_ses 1.49.5 says of a page, the JSON form into a value.
func oracle(t *testing.T, name string, into any) (text string) {
	t.Helper()
	base := filepath.Join(captures, "decoded", name+".sg_ses-1.49.5.")
	b, err := os.ReadFile(base + "json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for key, page := range all {
		if strings.HasSuffix(key, "_diagnostic_page") {
			if err := json.Unmarshal(page, into); err != nil {
				t.Fatal(err)
			}
		}
	}
	b, err = os.ReadFile(base + "txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(captures, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the decode differs from that of sg_ses (-sg3_utils +got):\n%s", diff)
	}
}

// coded is a number with its meaning, as sg_ses prints codes.
type coded struct {
	I       int    `json:"i"`
	Meaning string `json:"meaning"`
}

func code(i int, meaning fmt.Stringer) coded { return coded{i, meaning.String()} }

// elementType: sg_ses says "Vendor specific [0x9e]" where String says it in fwctl's words.
func elementType(t ses.ElementType) coded {
	if t >= 0x80 {
		return coded{int(t), "Vendor specific"}
	}
	return code(int(t), t)
}

func subenclosure(id uint8) coded {
	if id == 0 {
		return coded{0, "primary"}
	}
	return coded{I: int(id)}
}

var enclosures = []struct {
	name          string // of pages 02h and 07h
	configuration string
	oracle        bool // of its page 01h
}{
	{"areca_arc-8028_0133", "areca_arc-8028_0133_p01", true},
	{"newisys_nds-4600-jd_0509", "newisys_nds-4600-jd_0509_p01", true},
	{"hgst_h4102-j_3010", "hgst_h4102-j_3010_p01_companion", true},
	{"dell_md1420_1.07", "dell_md1420_1.07_p01_companion", false},
}

func configurationOfCapture(t *testing.T, name string) *ses.Configuration {
	t.Helper()
	cfg, err := ses.ParseConfiguration(capture(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestConfigurationConformance(t *testing.T) {
	type descriptor struct {
		Subenclosure   coded  `json:"subenclosure_identifier"`
		RelativeID     int    `json:"relative_enclosure_services_process_identifier"`
		Processes      int    `json:"number_of_enclosure_services_processes"`
		Headers        int    `json:"number_of_type_descriptor_headers"`
		LogicalID      int64  `json:"enclosure_logical_identifier"` // sg_ses prints it signed
		Vendor         string `json:"enclosure_vendor_identification"`
		Product        string `json:"product_identification"`
		Revision       string `json:"product_revision_level"`
		VendorSpecific string `json:"vendor_specific_enclosure_information"`
	}
	type header struct {
		ElementType  coded  `json:"element_type"`
		Possible     int    `json:"number_of_possible_elements"`
		Subenclosure int    `json:"subenclosure_identifier"`
		Text         string `json:"text"`
	}
	type facts struct {
		Secondary  int          `json:"number_of_secondary_subenclosures"`
		Generation uint32       `json:"generation_code"`
		Enclosures []descriptor `json:"enclosure_descriptor_list"`
		Types      []header     `json:"type_descriptor_header_and_text_list"`
	}
	for _, e := range enclosures {
		t.Run(e.name, func(t *testing.T) {
			cfg := configurationOfCapture(t, e.configuration)
			checkRoundTrip(t, cfg, decoders["01"], nil)
			if !e.oracle {
				return
			}
			var want facts
			oracle(t, e.name+"_p01", &want)
			got := facts{Secondary: len(cfg.Subenclosures) - 1, Generation: cfg.GenerationCode}
			for _, s := range cfg.Subenclosures {
				var vendor []string
				for _, b := range s.VendorSpecific {
					vendor = append(vendor, fmt.Sprintf("%02x", b))
				}
				got.Enclosures = append(got.Enclosures, descriptor{
					Subenclosure: subenclosure(s.SubenclosureID), RelativeID: int(s.RelativeESPID), Processes: int(s.ESProcesses),
					Headers: int(s.TypeDescriptorHeaders), LogicalID: int64(binary.BigEndian.Uint64(s.LogicalID[:])),
					Vendor: s.Vendor.String(), Product: s.Product.String(), Revision: s.ProductRevisionLevel.String(),
					VendorSpecific: strings.Join(vendor, " "),
				})
			}
			for _, h := range cfg.Types {
				got.Types = append(got.Types,
					header{elementType(h.ElementType), int(h.PossibleElements), int(h.SubenclosureID), h.Text.String()})
			}
			for i := range want.Enclosures {
				d := &want.Enclosures[i]
				d.Vendor, d.Product, d.Revision = strings.TrimRight(d.Vendor, " "), strings.TrimRight(d.Product, " "),
					strings.TrimRight(d.Revision, " ")
			}
			for i := range want.Types {
				h := &want.Types[i]
				h.Text = strings.TrimRight(h.Text, " ")
				if h.ElementType.I >= 0x80 {
					h.ElementType.Meaning = "Vendor specific"
				}
			}
			compare(t, want, got)
		})
	}
}

func TestSupportedPagesConformance(t *testing.T) {
	type facts struct {
		Code  coded `json:"page_code"`
		Pages []struct {
			Code coded `json:"page_code"`
		} `json:"supported_page_list"`
	}
	for _, name := range []string{"areca_arc-8028_0133_p00", "areca_arc-8028_0133_p0d", "newisys_nds-4600-jd_0509_p00"} {
		t.Run(name, func(t *testing.T) {
			p, err := ses.ParseSupportedPages(capture(t, name))
			if err != nil {
				t.Fatal(err)
			}
			checkRoundTrip(t, p, decoders["00"], nil)
			var says facts
			oracle(t, name, &says)
			want := &ses.SupportedPages{Code: ses.PageCode(says.Code.I)}
			for _, page := range says.Pages {
				want.Pages = append(want.Pages, ses.PageCode(page.Code.I))
			}
			compare(t, want, p)
		})
	}
	p, err := ses.ParseSupportedPages(capture(t, "newisys_nds-4600-jd_0509_p00"))
	if err != nil {
		t.Fatal(err)
	}
	var source struct{ Pages []int } // what the source of the capture lists itself
	readJSON(t, "newisys_nds-4600-jd_0509_p00.expected.json", &source)
	var got []int
	for _, page := range p.Pages {
		got = append(got, int(page))
	}
	compare(t, source.Pages, got)
}

func TestEnclosureStatusConformance(t *testing.T) {
	type element struct {
		PredictedFailure int   `json:"prdfail"`
		Disabled         int   `json:"disabled"`
		Swap             int   `json:"swap"`
		Status           coded `json:"status"`
	}
	type elements struct {
		ElementType  coded     `json:"element_type"`
		Subenclosure coded     `json:"subenclosure_identifier"`
		Overall      element   `json:"overall_descriptor"`
		Individual   []element `json:"individual_status_element_list"`
	}
	type facts struct {
		Generation uint32     `json:"generation_code"`
		Types      []elements `json:"status_descriptor_list"`
	}
	one := func(e ses.StatusElement) element {
		return element{number(e.PredictedFailure()), number(e.Disabled()), number(e.Swapped()), code(int(e.Code()), e.Code())}
	}
	for _, e := range enclosures[:3] {
		t.Run(e.name, func(t *testing.T) {
			cfg := configurationOfCapture(t, e.configuration)
			p, err := ses.ParseEnclosureStatus(capture(t, e.name+"_p02"), cfg)
			if err != nil {
				t.Fatal(err)
			}
			checkRoundTrip(t, p, decoders["02"], cfg)
			var want facts
			text := oracle(t, e.name+"_p02", &want)
			got := facts{Generation: p.GenerationCode}
			for i, ts := range p.Types {
				g := elements{ElementType: elementType(cfg.Types[i].ElementType),
					Subenclosure: subenclosure(cfg.Types[i].SubenclosureID), Overall: one(ts.Overall)}
				for _, element := range ts.Elements {
					g.Individual = append(g.Individual, one(element))
				}
				got.Types = append(got.Types, g)
			}
			for i := range want.Types {
				if want.Types[i].ElementType.I >= 0x80 {
					want.Types[i].ElementType.Meaning = "Vendor specific"
				}
			}
			compare(t, want, got)

			// The JSON form of sg_ses 1.49.5 says CRIT=0 of the Areca where its text says 1.
			flags := fmt.Sprintf("  INVOP=%d, INFO=%d, NON-CRIT=%d, CRIT=%d, UNRECOV=%d\n",
				number(p.InvalidOperation), number(p.Info), number(p.NonCritical), number(p.Critical), number(p.Unrecoverable))
			if !strings.Contains(text, flags) {
				t.Errorf("flags = %s; sg_ses says otherwise", flags)
			}
		})
	}
}

// The source of the HGST capture lists its 289 elements itself, with their names.
func TestHGSTElements(t *testing.T) {
	cfg := configurationOfCapture(t, "hgst_h4102-j_3010_p01_companion")
	status, err := ses.ParseEnclosureStatus(capture(t, "hgst_h4102-j_3010_p02"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	names, err := ses.ParseElementDescriptors(capture(t, "hgst_h4102-j_3010_p07"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	type element struct {
		Type       int    `json:"type"`
		Descriptor string `json:"descriptor"`
		Status     [4]int `json:"status_bytes"`
	}
	var want struct{ Elements []element }
	readJSON(t, "hgst_h4102-j_3010_p02.expected.json", &want)
	for i := range want.Elements {
		e := &want.Elements[i]
		e.Descriptor = strings.TrimRight(strings.Replace(e.Descriptor, "<empty>", "", 1), " ")
	}
	var got []element
	add := func(typ ses.ElementType, name fmt.Stringer, s ses.StatusElement) {
		got = append(got, element{int(typ), name.String(), [4]int{int(s[0]), int(s[1]), int(s[2]), int(s[3])}})
	}
	for i, typ := range cfg.Types {
		add(typ.ElementType, names.Types[i].Overall, status.Types[i].Overall)
		for j := range typ.PossibleElements {
			add(typ.ElementType, names.Types[i].Elements[j], status.Types[i].Elements[j])
		}
	}
	if len(got) != 289 {
		t.Errorf("%d elements; want 289", len(got))
	}
	compare(t, want.Elements, got)
}

func TestElementDescriptorConformance(t *testing.T) {
	type names struct {
		ElementType coded  `json:"element_type"`
		Overall     string `json:"overall_descriptor"`
		Individual  []struct {
			Descriptor string `json:"descriptor"`
		} `json:"element_descriptor"`
	}
	type facts struct {
		Generation uint32  `json:"generation_code"`
		Types      []names `json:"element_descriptor_by_type_list"`
	}
	for _, e := range enclosures[:3] {
		t.Run(e.name, func(t *testing.T) {
			cfg := configurationOfCapture(t, e.configuration)
			p, err := ses.ParseElementDescriptors(capture(t, e.name+"_p07"), cfg)
			if err != nil {
				t.Fatal(err)
			}
			checkRoundTrip(t, p, decoders["07"], cfg)
			var says facts
			oracle(t, e.name+"_p07", &says)
			trim := func(s string) string { return strings.TrimRight(strings.Replace(s, "<empty>", "", 1), " ") }
			var want, got []string
			for _, typ := range says.Types {
				want = append(want, fmt.Sprintf("type %d: %s", typ.ElementType.I, trim(typ.Overall)))
				for _, d := range typ.Individual {
					want = append(want, trim(d.Descriptor))
				}
			}
			for i, typ := range p.Types {
				got = append(got, fmt.Sprintf("type %d: %s", cfg.Types[i].ElementType, typ.Overall))
				for _, d := range typ.Elements {
					got = append(got, d.String())
				}
			}
			compare(t, want, got)
			if p.GenerationCode != says.Generation {
				t.Errorf("GenerationCode = %d; want %d", p.GenerationCode, says.Generation)
			}
		})
	}
}

// The facts that sg_ses prints about page 0Ah.
type (
	additionalPhy struct {
		DeviceType coded `json:"device_type"`
		SSPI       int   `json:"ssp_initiator_port"`
		STPI       int   `json:"stp_initiator_port"`
		SMPI       int   `json:"smp_initiator_port"`
		Selector   int   `json:"sata_port_selector"`
		SSPT       int   `json:"ssp_target_port"`
		STPT       int   `json:"stp_target_port"`
		SMPT       int   `json:"smp_target_port"`
		SATA       int   `json:"sata_device"`
		Attached   int64 `json:"attached_sas_address"`
		Address    int64 `json:"sas_address"`
	}
	expanderPhy struct {
		Connector int `json:"connector_element_index"`
		Other     int `json:"other_element_index"`
	}
	additionalDescriptor struct {
		Invalid      int             `json:"invalid"`
		EIP          int             `json:"eip"`
		Protocol     coded           `json:"protocol_identifier"`
		ElementIndex int             `json:"element_index"`
		Kind         int             `json:"descriptor_type"`
		NotAllPhys   int             `json:"not_all_phys"`
		Slot         int             `json:"device_slot_number"`
		Phys         []additionalPhy `json:"phy_descriptor_list"`
		Address      int64           `json:"sas_address"`
		ExpanderPhys []expanderPhy   `json:"expander_phy_descriptor_list"`
	}
	additionalType struct {
		ElementType coded `json:"element_type"`
		Descriptors []struct {
			Descriptor additionalDescriptor `json:"additional_element_status_descriptor"`
		} `json:"additional_element_status_descriptor_list"`
	}
	additionalFacts struct {
		Generation uint32           `json:"generation_code"`
		Types      []additionalType `json:"additional_element_status_by_element_type_list"`
	}
)

// flat gives one line a descriptor: "type 23 element 0: {...}".
func (f additionalFacts) flat() (lines []string) {
	for _, typ := range f.Types {
		for i, d := range typ.Descriptors {
			d.Descriptor.Protocol.Meaning = ""
			for j := range d.Descriptor.Phys {
				d.Descriptor.Phys[j].DeviceType.Meaning = ""
			}
			lines = append(lines, fmt.Sprintf("type %d element %d: %+v", typ.ElementType.I, i, d.Descriptor))
		}
	}
	return lines
}

func flat(p *ses.AdditionalElementStatus, cfg *ses.Configuration) (lines []string) {
	address := func(id ses.Identifier) int64 { return int64(binary.BigEndian.Uint64(id[:])) }
	at := func(b uint8, n int) int { return int(b >> n & 1) }
	for _, d := range p.Descriptors {
		g := additionalDescriptor{Invalid: number(d.Invalid), EIP: number(d.EIP), Protocol: coded{I: int(d.Protocol)},
			ElementIndex: int(d.ElementIndex)}
		if d.Slot != nil {
			g.NotAllPhys, g.Slot = number(d.Slot.NotAllPhys), int(d.Slot.Number)
			for _, f := range d.Slot.Phys {
				g.Phys = append(g.Phys, additionalPhy{
					DeviceType: coded{I: int(f.DeviceType)},
					SSPI:       at(f.InitiatorPorts, 3), STPI: at(f.InitiatorPorts, 2), SMPI: at(f.InitiatorPorts, 1),
					Selector: at(f.TargetPorts, 7), SSPT: at(f.TargetPorts, 3), STPT: at(f.TargetPorts, 2), SMPT: at(f.TargetPorts, 1),
					SATA:     number(f.SATA()),
					Attached: address(f.AttachedSASAddress), Address: address(f.SASAddress),
				})
			}
		}
		if d.Expander != nil {
			g.Kind, g.Address = 1, address(d.Expander.SASAddress)
			for _, f := range d.Expander.Phys {
				g.ExpanderPhys = append(g.ExpanderPhys, expanderPhy{int(f.ConnectorElementIndex), int(f.OtherElementIndex)})
			}
		}
		lines = append(lines, fmt.Sprintf("type %d element %d: %+v", cfg.Types[d.Type].ElementType, d.Element, g))
	}
	return lines
}

var phyIdentifier = regexp.MustCompile(`phy identifier: 0x([0-9a-f]+)`)

func phyIdentifiers(t *testing.T, text string) (ids []uint8) {
	t.Helper()
	for _, m := range phyIdentifier.FindAllStringSubmatch(text, -1) {
		id, err := strconv.ParseUint(m[1], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, uint8(id))
	}
	return ids
}

func identifiersOf(p *ses.AdditionalElementStatus) (ids []uint8) {
	for _, d := range p.Descriptors {
		if d.Slot != nil {
			for _, f := range d.Slot.Phys {
				ids = append(ids, f.PhyIdentifier)
			}
		}
	}
	return ids
}

func TestAdditionalElementStatusConformance(t *testing.T) {
	const name = "areca_arc-8028_0133_p0a"
	cfg := configurationOfCapture(t, "areca_arc-8028_0133_p01")
	p, err := ses.ParseAdditionalElementStatus(capture(t, name), cfg)
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, p, decoders["0a"], cfg)
	var says additionalFacts
	text := oracle(t, name, &says)
	compare(t, says.flat(), flat(p, cfg))
	compare(t, phyIdentifiers(t, text), identifiersOf(p))
}

// Two pieces of one page of a Dell MD1420 are known, which has 24 slots and
// ends behind them though more types follow. Each is read as a page of its own.
func TestMD1420Conformance(t *testing.T) {
	cfg := configurationOfCapture(t, "dell_md1420_1.07_p01_companion")
	const name = "dell_md1420_1.07_p0a_first268"
	cut := capture(t, name)
	if p, err := ses.ParseAdditionalElementStatus(cut, cfg); p != nil || !typed(err) {
		t.Errorf("ParseAdditionalElementStatus(268 bytes of 1544) = %v, %v; want a *ShortPageError", p, err)
	}
	const header, descriptor = 8, 64
	page := func(descriptors []byte) []byte {
		b := append([]byte(nil), cut[:header]...)
		binary.BigEndian.PutUint16(b[2:], uint16(header-4+len(descriptors)))
		return append(b, descriptors...)
	}

	first, err := ses.ParseAdditionalElementStatus(page(cut[header:header+4*descriptor]), cfg)
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, first, decoders["0a"], cfg)
	var says additionalFacts
	text := oracle(t, name, &says)
	// Behind the four descriptors that are whole sg_ses reads zeros as more of them.
	compare(t, says.flat()[:4], flat(first, cfg))
	compare(t, phyIdentifiers(t, text), identifiersOf(first))

	// What the source of the capture says itself.
	var source struct {
		Elements []struct {
			Index int `json:"element_index"`
			Slot  int `json:"device_slot_number"`
			Phys  []struct {
				Attached string `json:"attached"`
				Address  string `json:"sas"`
				ID       int    `json:"phy_id"`
			} `json:"phys"`
		} `json:"elements"`
	}
	readJSON(t, name+".expected.json", &source)
	for i, e := range source.Elements {
		d := first.Descriptors[i]
		if int(d.ElementIndex) != e.Index || int(d.Slot.Number) != e.Slot {
			t.Errorf("descriptor %d: index %d, slot %d; want %d, %d", i, d.ElementIndex, d.Slot.Number, e.Index, e.Slot)
		}
		for j, f := range e.Phys {
			got := d.Slot.Phys[j]
			if got.AttachedSASAddress.String() != f.Attached || got.SASAddress.String() != f.Address ||
				int(got.PhyIdentifier) != f.ID {
				t.Errorf("descriptor %d, phy %d: %+v; want %+v", i, j, got, f)
			}
		}
	}

	tail := capture(t, "dell_md1420_1.07_p0a_tail_from_4c0")
	last, err := ses.ParseAdditionalElementStatus(page(tail[8:8+4*descriptor]), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range last.Descriptors {
		got = append(got, fmt.Sprintf("element %d slot %d %v", d.Element, d.Slot.Number, d.Slot.Phys[0].SASAddress))
	}
	compare(t, []string{
		"element 19 slot 19 5000c500d18ade5d", "element 20 slot 20 5000039a4819810a",
		"element 21 slot 21 5000039a4842685a", "element 22 slot 22 5000039a4842663a",
	}, got)
}

func TestDownloadMicrocodeStatusConformance(t *testing.T) {
	const name = "areca_arc-8028_0133_p0e"
	p, err := ses.ParseDownloadMicrocodeStatus(capture(t, name))
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, p, decoders["0e"], nil)
	var says struct {
		Secondary  int    `json:"number_of_secondary_subenclosures"`
		Generation uint32 `json:"generation_code"`
		List       []struct {
			ID         int    `json:"subenclosure_identifier"`
			Status     coded  `json:"subenclosure_download_microcode_status"`
			Additional int    `json:"subenclosure_download_microcode_additional_status"`
			Maximum    uint32 `json:"subenclosure_download_microcode_maximum_size"`
			BufferID   int    `json:"subenclosure_download_microcode_expected_buffer_id"`
			Offset     uint32 `json:"subenclosure_download_microcode_expected_buffer_offset"`
		} `json:"download_microcode_status_descriptor_list"`
	}
	oracle(t, name, &says)
	want := &ses.DownloadMicrocodeStatus{GenerationCode: says.Generation}
	for _, d := range says.List {
		want.Subenclosures = append(want.Subenclosures, ses.DownloadStatus{
			SubenclosureID: uint8(d.ID), Code: ses.DownloadCode(d.Status.I), AdditionalStatus: uint8(d.Additional),
			MaximumSize: d.Maximum, ExpectedBufferID: uint8(d.BufferID), ExpectedBufferOffset: d.Offset,
		})
	}
	compare(t, want, p)
	if len(p.Subenclosures) != says.Secondary+1 {
		t.Errorf("%d subenclosures; want %d", len(p.Subenclosures), says.Secondary+1)
	}
}

// TestEveryCapture: no page of a kind that has a codec is left out above, and
// each whole one decodes.
func TestEveryCapture(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(captures, "*_p*.bin"))
	if len(files) == 0 {
		t.Skip("the captures of real enclosures are not here")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bin")
		enclosure, kind, _ := strings.Cut(name, "_p")
		kind, _, piece := strings.Cut(kind, "_")
		decode := decoders[kind]
		if _, err := hex.DecodeString(kind); err != nil || decode == nil || piece {
			continue // pages 04h, 05h, 0Fh and 80h have no codec; pieces have tests of their own
		}
		var cfg *ses.Configuration
		for _, e := range enclosures {
			if e.name == enclosure {
				cfg = configurationOfCapture(t, e.configuration)
			}
		}
		if _, err := decode(capture(t, name), cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

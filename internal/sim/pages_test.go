package sim_test

import (
	"encoding/hex"
	"strings"
	"testing"
)

// small is an enclosure of one ESP and two slots, one of them with a SATA drive.
const small = `apiVersion: fwctl/v1
kind: Rack
enclosures:
  - logicalID: 5000ccab04001000
    vendor: ACME
    product: JBOD-60
    revision: 0430
    vendorSpecific: a1 b2
    slots: 2
    esps: [{serial: ESP-A}]
    elements:
      - {type: sas-expander, count: 1, text: X}
      - {type: power-supply, count: 1, text: "", status: [critical], names: [PSU]}
      - {type: temperature-sensor, count: 0}
    drives: [{slot: 1, sata: true, sasAddress: 5000c50012345670}]
`

// TestBytes holds the answers of a small enclosure against literal bytes.
func TestBytes(t *testing.T) {
	r, _ := rack(t, small)
	u := open(t, r, "/dev/sg0")
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	for _, c := range []struct{ name, cdb, want string }{
		{"INQUIRY of 36 bytes", "12 00 00 00 24 00", "0d 00 06 02 5b 00 40 02" + text("ACME    JBOD-60         0430")},
		{"VPD 00h", "12 01 00 00 ff 00", "0d 00 00 04 00 80 83 86"},
		{"VPD 80h", "12 01 80 00 ff 00", "0d 80 00 05" + text("ESP-A")},
		{"VPD 83h", "12 01 83 00 ff 00", "0d 83 00 20 01 03 00 08 5000ccab04001001 61 93 00 08 5000ccab0400101d 61 94 00 04 00000001"},
		{"VPD B0h", "12 01 b0 00 ff 00", "05/24/00 c00002"},
		{"INQUIRY with a page and no EVPD", "12 00 80 00 ff 00", "05/24/00 c00002"},
		{"TEST UNIT READY", "00 00 00 00 00 00", ""},
		{"REQUEST SENSE", "03 00 00 00 12 00", "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00"},
		{"REQUEST SENSE, descriptor format", "03 01 00 00 12 00", "72 00 00 00 00 00 00 00"},
		{"REPORT LUNS", "a0 00 00 00 00 00 00 00 00 10 00 00", "00000008 00000000 0000000000000000"},
		{"READ(10)", "28 00 00 00 00 00 00 00 01 00", "05/20/00"},
		{"WRITE BUFFER where there is none", "3b 0e 00 00 00 00 00 00 00 00", "05/20/00"},
		{"REPORT SUPPORTED OPERATION CODES of WRITE BUFFER 0Eh", "a3 0c 03 3b 00 0e 00 00 01 00 00 00", "00 01 00 00"},
		{"REPORT SUPPORTED OPERATION CODES of SEND DIAGNOSTIC", "a3 0c 01 1d 00 00 00 00 01 00 00 00", "00 03 00 06 1d 10 00 ff ff 07"},
		{"page 00h", "1c 01 00 02 00 00", "00 00 00 07 00 01 02 07 0a 0d 0e"},
		{"page 0Dh, padded", "1c 01 0d 02 00 00", "0d 00 00 08 01 02 07 0a 0d 0e 00 00"},
		{"page 01h", "1c 01 01 02 00 00", "01 00 00 62 00000001" +
			"11 00 04 26 5000ccab04001000" + text("ACME    JBOD-60         0430") + "a1b2" +
			"17 02 00 11 18 01 00 01 02 01 00 00 04 00 00 12" + text("array device slotX"+"temperature sensor")},
		{"page 01h, cut", "1c 01 01 00 06 00", "01 00 00 62 0000"},
		{"page 02h", "1c 01 02 02 00 00", "02 02 00 24 00000001" +
			"00000000 05000000 01000000" + "00000000 01000000" + "00000000 02000000" + "00000000"},
		{"page 07h", "1c 01 07 02 00 00", "07 00 00 3f 00000001" +
			"00000000 00000007" + text("Slot 00") + "00000007" + text("Slot 01") +
			"00000000 0000000a" + text("Expander 1") + "00000000 00000003" + text("PSU") + "00000000"},
		{"page 0Ah", "1c 01 0a 02 00 00", "0a 00 00 60 00000001" +
			"16 22 01 01 01 00 00 00" + strings.Repeat("00", 28) +
			"16 22 01 02 01 00 00 01" + "10 00 00 01 5000ccab0400101f 5000c50012345671 00 00000000000000" +
			"16 12 01 04 02 40 00 00 5000ccab0400101f ff01 ff02"},
		{"page 0Eh", "1c 01 0e 02 00 00", "0e 00 00 14 00000001 00 00 00 00 01000000 00 00 00 00 00000000"},
		{"page 05h", "1c 01 05 02 00 00", "05/24/00 c00002"},
		{"no PCV", "1c 00 01 02 00 00", "05/24/00 c00001"},
	} {
		t.Run(c.name, func(t *testing.T) { u.want(c.cdb, c.want) })
	}
}

func TestSendDiagnosticErrors(t *testing.T) {
	r, _ := rack(t, small)
	u := open(t, r, "/dev/sg0")
	for _, c := range []struct{ name, cdb, out, want string }{
		{"length of the CDB", "1d 10 00 00 18 00", "0e 00 00 00", "05/24/00 c00003"},
		{"no PF", "1d 00 00 00 04 00", "0e 00 00 00", "05/24/00 c00001"},
		{"cut off", "1d 10 00 00 04 00", "0e 00 00 14", "05/1a/00"},
		{"longer than its data", "1d 10 00 00 18 00", "0e 00 00 40 00000001 0f 000000 00000000 00000000 00000000", "05/1a/00"},
		{"too long", "1d 10 00 00 08 00", "0e 00 00 00 00 00 00 00", "05/26/00 800002"},
		{"unknown page", "1d 10 00 00 04 00", "77 00 00 00", "05/26/00 800000"},
		{"control page without fields", "1d 10 00 00 04 00", "0e 00 00 00", "05/1a/00"},
		{"enclosure control", "1d 10 00 00 08 00", "02 00 00 04 00 00 00 01", ""},
	} {
		if _, got := u.do(c.cdb, unhex(t, c.out)); got != c.want {
			t.Errorf("SEND DIAGNOSTIC, %s = %q; want %q", c.name, got, c.want)
		}
	}
}

// TestOddities: what the declarations of testdata/odd.yaml change.
func TestOddities(t *testing.T) {
	r, _ := testdata(t, "odd.yaml")
	t.Run("0 of 0, subenclosures, INQUIRY of its own", func(t *testing.T) {
		u := open(t, r, "/dev/sg3")
		p := u.page(1)
		if got := []byte{p[1], p[8], p[9], p[11]}; string(got) != "\x02\x00\x00\x2c" {
			t.Errorf("secondary subenclosures, ESP byte, id, length = % x; want 02 00 00 2c", got)
		}
		if got := hex.EncodeToString(p[56:60]); got != "00030124" {
			t.Errorf("descriptor of the power supply begins %s; want 00030124", got)
		}
		in, _ := u.do("12 00 00 00 24 00", nil)
		if got := string(in[8:36]); got != "ESES    Enclosure       0001" {
			t.Errorf("INQUIRY = %q; want ESES Enclosure 0001", got)
		}
		if got := u.page(2)[1]; got != 0x02 {
			t.Errorf("page 02h byte 1 = %02x; want CRIT", got)
		}
		if got := u.page(0x0a)[10]; got != 0 {
			t.Errorf("EIIOE = %d; want 0", got)
		}
	})
	t.Run("short status, no VPD, descriptor sense", func(t *testing.T) {
		u := open(t, r, "/dev/sg0")
		u.want("1c 01 08 02 00 00", "08 00 00 00")
		u.want("12 01 83 00 ff 00", "72 05 24 00 00 00 00 08 02 06 00 00 c0 00 02 00")
		u.want("12 00 00 00 08 00", "0d 00 06 02 5b 00 00 02")
	})
	t.Run("WRITE BUFFER only", func(t *testing.T) {
		u := open(t, r, "/dev/sg1")
		u.want("1c 01 0e 02 00 00", "05/24/00 c00002")
		u.want("a3 0c 03 3b 00 07 00 00 01 00 00 00", "00 03 00 0a 3b e7 ff ff ff ff ff ff ff 07")
		u.want("a3 0c 02 3b 00 0e 00 00 01 00 00 00", "00 01 00 00") // not from this revision on
		in, _ := u.do("12 01 86 00 ff 00", nil)
		if len(in) != 64 || in[4] != 0x40 || in[12] != 0xd0 || in[19] != 0x12 {
			t.Errorf("VPD 86h = % x; want 64 bytes, 40 at 4, d0 at 12, 12 at 19", in)
		}
	})
	t.Run("a disk that hides an enclosure", func(t *testing.T) {
		u := open(t, r, "/dev/sg9")
		u.want("12 00 00 00 08 00", "00 00 06 02 5b 00 40 02")
		u.want("1c 01 01 02 00 00", "05/20/00")
	})
}

func TestRefusesAll(t *testing.T) {
	r, _ := rack(t, acme("refuse: all"))
	u := open(t, r, "/dev/sg0")
	u.want("1c 01 05 02 00 00", "05/26/00")
	u.want("28 00 00 00 00 00 00 00 01 00", "05/26/00")
	if got := u.send(control(1, 0, 0x06, 0, 0, 4, 4, []byte("abcd"))); got != "05/26/00 800008" {
		t.Errorf("refused mode = %s; want 05/26/00 at byte 8", got)
	}
	r, _ = rack(t, acme("refuse: sense, sksv: false"))
	u = open(t, r, "/dev/sg0")
	if got := u.send(control(1, 0, 0x06, 0, 0, 4, 4, []byte("abcd"))); got != "05/26/00" {
		t.Errorf("refused mode without SKSV = %s; want 05/26/00", got)
	}
}

func TestAllocationLimits(t *testing.T) {
	r, _ := rack(t, strings.Replace(acme(""), "[{}]", "[{allocation: {min: 16, max: 32768}}]", 1))
	u := open(t, r, "/dev/sg0")
	u.want("1c 01 00 00 08 00", "05/24/00 c00003")
	u.want("1c 01 00 ff ff 00", "05/24/00 c00003")
	u.want("1c 01 00 00 10 00", "00 00 00 07 00 01 02 07 0a 0d 0e")
}

// TestStatusFlags: byte 1 of page 02h sums the elements up.
func TestStatusFlags(t *testing.T) {
	for status, want := range map[string]byte{"ok": 0x00, "unrecoverable": 0x01, "critical": 0x02, "non-critical": 0x04,
		"not-installed": 0x00} {
		r, _ := rack(t, acme("", "    elements: [{type: cooling, count: 1, status: ["+status+"]}]"))
		if got := open(t, r, "/dev/sg0").page(0x02)[1]; got != want {
			t.Errorf("page 02h byte 1 with a fan %s = %02x; want %02x", status, got, want)
		}
	}
}

// TestDrivePorts holds the ports of a drive that are not in sequence, which page
// 0Ah lists with the expander that each is wired to.
func TestDrivePorts(t *testing.T) {
	r, _ := rack(t, `apiVersion: fwctl/v1
kind: Rack
enclosures:
  - logicalID: 5000ccab04001000
    vendor: ACME
    product: JBOD-60
    esps: [{}, {}]
    elements: [{type: power-supply, count: 1}]
    drives: [{slot: 0, sasAddress: 5000c50012345670, ports: [5000c50012345611, 5000c50012345699]}]
`)
	phy := func(expander, port, n string) string { return "10 00 00 08" + expander + port + n + "00000000000000" }
	open(t, r, "/dev/sg0").want("1c 01 0a 02 00 00", "0a 00 00 44 00000001"+"16 3e 01 01 02 00 00 00"+
		phy("5000ccab0400101f", "5000c50012345611", "00")+phy("5000ccab0400102f", "5000c50012345699", "01"))
	// The drive itself says on each path which port that leads to.
	for node, port := range map[string]string{"/dev/sg2": "5000c50012345611", "/dev/sg3": "5000c50012345699"} {
		open(t, r, node).want("12 01 83 00 ff 00",
			"00 83 00 20 01 03 00 08 5000c50012345670 61 93 00 08"+port+"61 94 00 04 00000001")
	}
}

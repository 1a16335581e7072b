package sim_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/transport"
)

// faulty is an ESP with these faults, in flow style.
func faulty(faults string) string {
	return acme("flashTime: 0s, returnNode: same", "    faults: ["+faults+"]")
}

func TestFaultsAnswer(t *testing.T) {
	for _, c := range []struct {
		name, do, want string
	}{
		{"sense", "{sense: 06/29/00}", "06/29/00"},
		{"busy", "{busy: true}", "status 08"},
		{"task set full", "{taskSetFull: true}", "status 28"},
		{"short status", "{page08: true}", "08 00 00 00"},
		{"enclosure busy", "{page09: true}", "09 01 00 00"},
		{"short page", "{shortPage: 6}", "00 00 00 07 00 01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := rack(t, faulty("{when: {opcode: 1c, page: 00, nth: 2, times: 2}, do: "+c.do+"}"))
			u := open(t, r, "/dev/sg0")
			const right = "00 00 00 07 00 01 02 07 0a 0d 0e"
			u.page(0x01) // fits not
			for _, want := range []string{right, c.want, c.want, right} {
				u.want("1c 01 00 02 00 00", want)
			}
		})
	}
}

// TestFaultStrikesOnce: whichever process sends the commands that are counted.
func TestFaultStrikesOnce(t *testing.T) {
	r, file := rack(t, faulty("{when: {opcode: 00, nth: 2}, do: {busy: true}}"))
	open(t, r, "/dev/sg0").want("00 00 00 00 00 00", "")
	open(t, reopen(t, file), "/dev/sg0").want("00 00 00 00 00 00", "status 08")
	open(t, reopen(t, file), "/dev/sg0").want("00 00 00 00 00 00", "")
}

func TestFaultEvery(t *testing.T) {
	r, _ := rack(t, faulty("{when: {opcode: 1c, every: true}, do: {page08: true}}"))
	u := open(t, r, "/dev/sg0")
	for range 5 {
		u.want("1c 01 01 02 00 00", "08 00 00 00")
	}
}

// TestFaultAtOffset: a piece that is refused has no effect, unless it is said to.
func TestFaultAtOffset(t *testing.T) {
	for carriedOut, next := range map[string]uint32{"false": 4096, "true": 8192} {
		r, _ := rack(t, faulty("{when: {state: downloading, offset: 4096}, do: {sense: 0b/00/00, carriedOut: "+carriedOut+"}}"))
		u := open(t, r, "/dev/sg0")
		n := len(image1100)
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		if got := u.send(control(1, 0, 0x0e, 0, 4096, n, 4096, image1100[4096:8192])); got != "0b/00/00" {
			t.Errorf("piece at 4096 = %q; want 0b/00/00", got)
		}
		u.wantStatus(0, 0x01, 0, next)
	}
}

// TestFaultsTogether: the answer of the later fault is given, and what is behind it is that
// fault's: no device refuses what it carries out.
func TestFaultsTogether(t *testing.T) {
	t.Parallel()
	const at = "{when: {state: downloading, offset: 4096}, do: {sense: "
	r, _ := rack(t, faulty(at+"04/44/00, carriedOut: true}}, "+at+"05/26/00}}"))
	u := open(t, r, "/dev/sg0")
	n := len(image1100)
	u.download(1, 0, 0x0e, image1100, 4096, 4096)
	if got := u.send(control(1, 0, 0x0e, 0, 4096, n, 4096, image1100[4096:8192])); got != "05/26/00" {
		t.Errorf("piece at 4096 = %q; want 05/26/00", got)
	}
	u.wantStatus(0, 0x01, 0, 4096)
}

func TestFaultBumpGeneration(t *testing.T) {
	r, _ := rack(t, faulty("{when: {page: 0e, offset: 4096}, do: {bumpGeneration: true}}"))
	u := open(t, r, "/dev/sg0")
	u.download(1, 0, 0x0e, image1100, 4096, 4096)
	if got := u.send(control(1, 0, 0x0e, 0, 4096, len(image1100), 4096, image1100[4096:8192])); got != "05/26/00 800004" {
		t.Errorf("chunk with the old generation code = %s; want 05/26/00 at byte 4", got)
	}
	if got := u.page(1)[7]; got != 2 {
		t.Errorf("generation code = %d; want 2", got)
	}
}

func TestFaultStatus(t *testing.T) {
	for _, status := range []byte{0x81, 0x82, 0x84} {
		r, _ := rack(t, faulty("{when: {offset: 8192}, do: {status: "+string("0123456789abcdef"[status>>4])+string("0123456789abcdef"[status&15])+"}}"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		u.wantStatus(0, status, 0, 0)
		u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
		u.wantStatus(0, 0x85, 0, 0)
	}
}

// TestStatus83: a new image is needed before reset or power on, or there is nothing to boot.
func TestStatus83(t *testing.T) {
	for healed, want := range map[bool]int{false: 0, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, faulty("{when: {offset: 8192}, do: {status: 83}}"))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
			u.wantStatus(0, 0x83, 0, 0)
			if healed {
				u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
				u.wantStatus(0, 0x13, 0, 0)
			}
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if units, err := r.Units("stor1"); err != nil || len(units) != want {
				t.Errorf("units after power on, new image %v = %v, %v; want %d", healed, units, err, want)
			}
		})
	}
}

func TestFaultNoAnswerAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, faulty("{when: {opcode: 00}, do: {noAnswer: true}}, {when: {opcode: 00, nth: 2}, do: {delay: 30s}}"))
		u := open(t, r, "/dev/sg0")
		start := time.Now()
		if _, _, err := u.try("00 00 00 00 00 00", nil); !errors.Is(err, transport.ErrTimeout) ||
			time.Since(start) != time.Hour {
			t.Errorf("command without an answer = %v after %v; want ErrTimeout after its hour", err, time.Since(start))
		}
		start = time.Now()
		u.want("00 00 00 00 00 00", "")
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("the delayed answer came after %v; want 30s", got)
		}
	})
}

// TestFaultVanish: one path leaves and comes back, the other stays, the download
// goes on.
func TestFaultVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, strings.Replace(faulty("{when: {offset: 4096}, do: {vanish: 10s}}"), "[{}]",
			"[{paths: {stor1: [0, 1]}}]", 1))
		u, other := open(t, r, "/dev/sg0"), open(t, r, "/dev/sg1")
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		page := control(1, 0, 0x0e, 0, 4096, len(image1100), 4096, image1100[4096:8192])
		_, _, err := u.try("1d 10 00 10 18 00", page)
		if te := (*transport.Error)(nil); !errors.Is(err, transport.ErrGone) || !errors.As(err, &te) || te.NotSent {
			t.Errorf("piece that the path left with = %v; want ErrGone, perhaps sent", err)
		}
		_, _, err = u.try("00 00 00 00 00 00", nil)
		if te := (*transport.Error)(nil); !errors.Is(err, transport.ErrGone) || !errors.As(err, &te) || !te.NotSent {
			t.Errorf("command on a path that is gone = %v; want ErrGone, not sent", err)
		}
		other.wantStatus(0, 0x01, 0, 4096)
		time.Sleep(10 * time.Second)
		u = open(t, r, "/dev/sg0")
		u.want("00 00 00 00 00 00", "06/29/07")
		other.want("00 00 00 00 00 00", "")
		u.wantStatus(0, 0x01, 0, 4096)
	})
}

func TestFaultDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, faulty("{when: {page: 0e, state: staged, opcode: 1d}, do: {die: true, carriedOut: true}}"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		u.wantStatus(0, 0x13, 0, 0)
		if _, _, err := u.try("1d 10 00 00 18 00", control(1, 0, 0x0f, 0, 0, 0, 0, nil)); !errors.Is(err, transport.ErrGone) {
			t.Errorf("command that it died of = %v; want ErrGone", err)
		}
		time.Sleep(1000 * time.Hour)
		if units, err := r.Units("stor1"); err != nil || len(units) != 0 {
			t.Errorf("Units = %v, %v; want none", units, err)
		}
	})
}

func TestFaultLieRevision(t *testing.T) {
	r, _ := rack(t, faulty("{when: {page: 01, nth: 2}, do: {lieRevision: 0999}}"))
	u := open(t, r, "/dev/sg0")
	for _, want := range []string{"1000", "0999", "0999"} {
		if got := u.revision(); got != want {
			t.Errorf("revision = %s; want %s", got, want)
		}
	}
}

// TestFaultOfSubenclosure: it strikes the download of that one only, and a lie is
// about the primary.
func TestFaultOfSubenclosure(t *testing.T) {
	r, _ := rack(t, acme("flashTime: 0s", "    subenclosures: [{id: 3}]",
		"    faults: [{when: {page: 0e, offset: 8192, subenclosure: 3}, do: {status: 82, lieRevision: 0999}}]"))
	u := open(t, r, "/dev/sg0")
	u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
	u.download(1, 3, 0x0e, image1100, 4096, len(image1100))
	page := u.page(0x0e)
	if got := []byte{page[8+2], page[24+2]}; string(got) != "\x13\x82" {
		t.Errorf("statuses = % x; want 13 82", got)
	}
	if got := u.revision() + " " + string(u.page(1)[84:88]); got != "0999 0001" {
		t.Errorf("revisions = %s; want 0999 0001", got)
	}
}

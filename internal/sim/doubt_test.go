package sim_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/sim"
	"fwctl/internal/transport"
)

// A control page that expects another generation code leaves everything as it is,
// whatever its mode: the abort and mode 0Fh too.
func TestGenerationOfEveryControlPage(t *testing.T) {
	t.Parallel()
	n := len(image1100)
	middle := control(2, 0, 0x0e, 0, 4096, n, 4096, image1100[4096:8192])
	for name, c := range map[string]struct {
		sent   int // bytes of the image, before it
		page   []byte
		status byte // that the download has before and after
		offset uint32
	}{
		"first chunk, mode 0Eh": {0, control(2, 0, 0x0e, 0, 0, n, 4096, image1100[:4096]), 0x00, 0},
		"first chunk, mode 07h": {0, control(2, 0, 0x07, 0, 0, n, 4096, image1100[:4096]), 0x00, 0},
		"middle chunk":          {4096, middle, 0x01, 4096},
		"abort":                 {4096, control(2, 0, 0xff, 0, 0, 0, 0, nil), 0x01, 4096},
		"reserved mode 0Ch":     {4096, control(2, 0, 0x0c, 0, 0, 0, 0, nil), 0x01, 4096},
		"of no subenclosure":    {4096, control(2, 9, 0xff, 0, 0, 0, 0, nil), 0x01, 4096},
		"activation":            {n, control(2, 0, 0x0f, 0, 0, 0, 0, nil), 0x13, 0},
		"abort of what is done": {n, control(2, 0, 0xff, 0, 0, 0, 0, nil), 0x13, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := rack(t, acme("flashTime: 0s"))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, c.sent)
			if got := u.send(c.page); got != "05/26/00 800004" {
				t.Errorf("SEND DIAGNOSTIC = %q; want 05/26/00 at byte 4", got)
			}
			u.wantStatus(0, c.status, 0, c.offset)
		})
	}
	t.Run("enclosure control", func(t *testing.T) {
		t.Parallel()
		r, _ := rack(t, acme(""))
		u := open(t, r, "/dev/sg0")
		for page, want := range map[string]string{"02 00 00 04 00 00 00 02": "05/26/00 800004", "02 00 00 00": "05/1a/00"} {
			if got := u.send(unhex(t, page)); got != want {
				t.Errorf("page %s = %q; want %s", page, got, want)
			}
		}
	})
	t.Run("told by the status", func(t *testing.T) {
		t.Parallel()
		r, _ := rack(t, acme("generationMismatch: status"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		if got := u.send(middle); got != "" {
			t.Errorf("SEND DIAGNOSTIC = %s; want GOOD", got)
		}
		u.wantStatus(0, 0x80, 0x04, 0)
	})
	t.Run("ignored", func(t *testing.T) {
		t.Parallel()
		r, _ := rack(t, acme("generationMismatch: ignored"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		u.send(middle)
		u.wantStatus(0, 0x01, 0, 8192)
	})
}

// Unit attentions eat what is sent after mode 0Fh, and 10h stands in the status
// until it is read, which restarts nothing.
func TestActivationLeavesCodeAndAttentions(t *testing.T) {
	t.Parallel()
	for protocol, opcode := range map[string]byte{"ses": 0x1d, "both": 0x3b} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("protocol: "+protocol+", flashTime: 0s, rebootTime: 0s, vanish: false, "+
				"activated: {attentions: [2a/09], status: '10'}"))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
			u.wantStatus(0, 0x13, 0, 0)
			var failure string
			if opcode == 0x1d {
				failure = u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
			} else {
				failure = u.writeBuffer(0x0f, 0, 0, nil)
			}
			if failure != "" {
				t.Fatalf("mode 0Fh = %s; want GOOD", failure)
			}
			for _, want := range []string{"06/2a/09", "06/29/00", "06/3f/01"} {
				u.want("1c 01 0e 80 00 00", want)
			}
			time.Sleep(time.Hour)
			u.wantStatus(0, 0x10, 0, 0)
			u.wantStatus(0, 0x00, 0, 0)
			u.want("00 00 00 00 00 00", "") // no second restart
			if got := u.revision(); got != "1100" {
				t.Errorf("revision = %s; want 1100", got)
			}
		})
	}
}

// The code outlives the restart, but not the next download, nor a power cycle.
func TestActivationCodeGoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     func(t *testing.T, r *sim.Rack, u lu)
		status byte
		offset uint32
	}{
		"nothing happens": {func(*testing.T, *sim.Rack, lu) {}, 0x10, 0},
		"next download": {func(t *testing.T, _ *sim.Rack, u lu) {
			u.download(2, 0, 0x0e, image1100, 4096, 4096)
			u.send(control(2, 0, 0xff, 0, 0, 0, 0, nil))
			u.wantStatus(0, 0x80, 0x08, 0)
		}, 0x00, 0},
		"power cycle": {func(t *testing.T, r *sim.Rack, u lu) {
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}, 0x00, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := rack(t, acme("flashTime: 0s, returnNode: same, activated: {status: '10'}"))
				u := open(t, r, "/dev/sg0")
				u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
				u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
				time.Sleep(time.Minute)
				u = open(t, r, "/dev/sg0")
				u.ready()
				c.do(t, r, u)
				u = open(t, r, "/dev/sg0")
				u.ready()
				u.wantStatus(0, c.status, 0, c.offset)
			})
		})
	}
}

// As SES has 10h: the new microcode starts after that status is returned, and a
// unit attention that eats the read keeps it from starting.
func TestActivationStartsOnRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("flashTime: 0s, returnNode: same, activated: {attentions: [3f/01], starts: read}"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
		u.want("1c 01 0e 80 00 00", "06/3f/01")
		time.Sleep(time.Hour)
		if got := u.revision(); got != "1000" {
			t.Errorf("revision before the status is read = %s; want 1000", got)
		}
		u.wantStatus(0, 0x10, 0, 0)
		time.Sleep(time.Minute)
		u = open(t, r, "/dev/sg0")
		u.ready()
		u.wantStatus(0, 0x00, 0, 0)
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
	})
}

// A power cycle starts it too, and no code is left then.
func TestPowerCycleBeforeTheCodeIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("flashTime: 0s, returnNode: same, activated: {starts: read}"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
		if err := r.PowerCycle("5000ccab04001000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		u = open(t, r, "/dev/sg0")
		u.ready()
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
		u.wantStatus(0, 0x00, 0, 0)
	})
}

// A subenclosure that stays there while it restarts has its code told once.
func TestActivationOfSubenclosureLeavesCode(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{0, time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("flashTime: 0s, returnNode: same",
				"    subenclosures: [{id: 3, download: {activated: {status: '10'}}}]"))
			u := open(t, r, "/dev/sg0")
			u.download(1, 3, 0x0e, image1100, 4096, len(image1100))
			u.send(control(1, 3, 0x0f, 0, 0, 0, 0, nil))
			time.Sleep(wait)
			u.ready()
			u.wantStatus(1, 0x10, 0, 0)
			time.Sleep(2*time.Second - min(wait, 2*time.Second)) // which puts the restart off no further
			u.ready()
			u.wantStatus(1, 0x00, 0, 0)
			if got := string(u.page(1)[84:88]); got != "1100" {
				t.Errorf("read %v after mode 0Fh: revision = %s; want 1100", wait, got)
			}
		})
	}
}

// As a Dell MD1200: mode 7 writes the inactive bank, nothing restarts, nothing
// tells, and only power on starts it.
func TestWriteBufferMode7StartsAtPowerOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("protocol: write-buffer, modes: ['07'], activation: power-cycle, confirm: none, "+
			"returnNode: same"))
		u := open(t, r, "/dev/sg0")
		in, _ := u.do("12 01 86 00 40 00", nil)
		if in[4]&0xc0 != 0x80 || in[12]&0xc0 != 0x80 || in[19] != 0x10 {
			t.Errorf("VPD 86h, bytes 4, 12 and 19 = %02x, %02x, %02x; want activation after an event, at power on, and mode 7",
				in[4], in[12], in[19])
		}
		if failure := u.buffer(0x07, 0, image1100, 4096); failure != "" {
			t.Fatalf("download = %s; want GOOD", failure)
		}
		time.Sleep(time.Hour)
		u.want("00 00 00 00 00 00", "")
		u.want("03 00 00 00 12 00", "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00")
		if got := u.revision(); got != "1000" {
			t.Errorf("revision before the power cycle = %s; want 1000", got)
		}
		if err := r.PowerCycle("5000ccab04001000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		u = open(t, r, "/dev/sg0")
		u.ready()
		if got := u.revision(); got != "1100" {
			t.Errorf("revision after it = %s; want 1100", got)
		}
	})
}

// The new microcode does not start: the module leaves, comes back elsewhere, and
// runs what it ran. The next one starts.
func TestBootFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("protocol: write-buffer", "    faults: [{when: {act: last-chunk}, do: {bootFails: true}}]"))
		u := open(t, r, "/dev/sg0")
		if failure := u.buffer(0x07, 0, image1100, 4096); failure != "" {
			t.Fatalf("download = %s; want GOOD", failure)
		}
		time.Sleep(time.Second)
		if _, _, err := u.try("00 00 00 00 00 00", nil); !errors.Is(err, transport.ErrGone) {
			t.Errorf("command after the last chunk = %v; want ErrGone", err)
		}
		time.Sleep(time.Minute)
		if _, err := machine(t, r, "").Open("/dev/sg0", transport.ReadOnly); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open of its old node = %v; want not exist", err)
		}
		u = open(t, r, "/dev/sg1")
		u.want("00 00 00 00 00 00", "06/29/00")
		u.want("00 00 00 00 00 00", "") // and no 3f/01
		if got := u.revision(); got != "1000" {
			t.Errorf("revision = %s; want 1000", got)
		}
		if failure := u.buffer(0x07, 0, image1100, 4096); failure != "" {
			t.Fatalf("second download = %s; want GOOD", failure)
		}
		time.Sleep(time.Minute)
		u = open(t, r, "/dev/sg2")
		u.ready()
		if got := u.revision(); got != "1100" {
			t.Errorf("revision after the second download = %s; want 1100", got)
		}
	})
}

// The kernel takes the unit attentions of what comes back: its path alone tells.
func TestQuietReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("flashTime: 0s, quietReturn: true, activated: {attentions: [2a/09]}"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
		time.Sleep(time.Minute)
		u = open(t, r, "/dev/sg1")
		u.want("00 00 00 00 00 00", "")
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
	})
}

// doubtful are answers that say nothing of whether a command was carried out, as
// faults and as what a driver gets.
var doubtful = map[string]string{
	"sense: 0b/00/00": "0b/00/00", "sense: 0b/4b/00": "0b/4b/00",
	"sense: 04/44/00": "04/44/00", "sense: 04/3e/01": "04/3e/01",
	"transportError: true": "host 07", "noAnswer: true": "time-out",
}

// outcome sends a command and says what a driver gets.
func (l lu) outcome(cdb string, out []byte) string {
	l.t.Helper()
	_, failure, err := l.try(cdb, out)
	var te *transport.Error
	switch {
	case err == nil:
		return failure
	case errors.Is(err, transport.ErrTimeout):
		return "time-out"
	case errors.As(err, &te) && te.NotSent:
		return "not sent"
	case errors.As(err, &te) && te.Host != 0:
		return fmt.Sprintf("host %02x", te.Host)
	}
	return "gone"
}

// outcomeOf is outcome of a control page.
func (l lu) outcomeOf(page []byte) string {
	l.t.Helper()
	return l.outcome(fmt.Sprintf("1d 10 00 %02x %02x 00", len(page)>>8, len(page)&0xff), page)
}

// Every command with an effect can be answered with an error, and be carried out
// or not.
func TestAnsweredWithAnError(t *testing.T) {
	t.Parallel()
	n := len(image1100)
	chunk := func(off, end int) []byte { return control(1, 0, 0x0e, 0, off, n, end-off, image1100[off:end]) }
	for act, c := range map[string]struct {
		sent      int
		page      []byte
		not, done string // status and expected offset
	}{
		"first-chunk":  {0, chunk(0, 4096), "00 0", "01 4096"},
		"middle-chunk": {4096, chunk(4096, 8192), "01 4096", "01 8192"},
		"last-chunk":   {8192, chunk(8192, n), "01 8192", "13 0"},
		"abort":        {4096, control(1, 0, 0xff, 0, 0, 0, 0, nil), "01 4096", "80 0"},
		"activate":     {n, control(1, 0, 0x0f, 0, 0, 0, 0, nil), "13 0", "10 0"},
	} {
		for fault, told := range doubtful {
			for carriedOut, want := range map[bool]string{false: c.not, true: c.done} {
				t.Run(fmt.Sprintf("%s %s carried out %v", act, fault, carriedOut), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r, _ := rack(t, acme("flashTime: 0s, rebootTime: 0s, vanish: false, activated: {status: '10'}",
							fmt.Sprintf("    faults: [{when: {act: %s}, do: {%s, carriedOut: %v}}]", act, fault, carriedOut)))
						u := open(t, r, "/dev/sg0")
						u.download(1, 0, 0x0e, image1100, 4096, c.sent)
						if got := u.outcomeOf(c.page); got != told {
							t.Errorf("the command = %q; want %s", got, told)
						}
						u.ready()
						status, _, offset := u.status(0)
						if got := fmt.Sprintf("%02x %d", status, offset); got != want {
							t.Errorf("status and offset = %s; want %s", got, want)
						}
					})
				})
			}
		}
	}
}

// And by WRITE BUFFER, in modes 7, E and F.
func TestWriteBufferAnsweredWithAnError(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"07", "0e", "0f"} {
		for carriedOut, want := range map[bool]string{false: "1000", true: "1100"} {
			t.Run(fmt.Sprintf("mode %s carried out %v", mode, carriedOut), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r, _ := rack(t, acme("protocol: write-buffer, flashTime: 0s, returnNode: same", fmt.Sprintf(
						"    faults: [{when: {opcode: 3b, act: %s, mode: '%s'}, do: {sense: 04/44/00, carriedOut: %v}}]",
						map[bool]string{true: "activate", false: "last-chunk"}[mode == "0f"], mode, carriedOut)))
					u := open(t, r, "/dev/sg0")
					download := byte(0x0e)
					if mode == "07" {
						download = 0x07
					}
					got := u.buffer(download, 0, image1100, 4096)
					if mode != "07" && (mode == "0f" || carriedOut) {
						got += u.writeBuffer(0x0f, 0, 0, nil)
					}
					if got != "04/44/00" {
						t.Errorf("what failed = %q; want 04/44/00 once", got)
					}
					time.Sleep(time.Minute)
					u = open(t, r, "/dev/sg0")
					u.ready()
					if got := u.revision(); got != want {
						t.Errorf("revision = %s; want %s", got, want)
					}
				})
			})
		}
	}
}

// The last chunk by WRITE BUFFER is the one with the end of the image's trailer.
func TestLastChunkByWriteBuffer(t *testing.T) {
	t.Parallel()
	r, _ := rack(t, acme("protocol: write-buffer", "    faults: [{when: {act: last-chunk}, do: {busy: true}}]"))
	u := open(t, r, "/dev/sg0")
	image := sim.Image("ACME", "JBOD-60", "1100", 2*4096+10)
	for i, want := range []string{"", "", "status 08"} {
		off := 4096 * i
		if got := u.writeBuffer(0x0e, 0, off, image[off:min(off+4096, len(image))]); got != want {
			t.Errorf("piece at %d = %q; want %q", off, got, want)
		}
	}
}

// A part with one bank has been erased by a first chunk that it answers with an
// error, and does not hold it.
func TestFirstChunkErases(t *testing.T) {
	t.Parallel()
	for healed, want := range map[bool]int{false: 0, true: 1} {
		for _, protocol := range []string{"ses", "write-buffer"} {
			synctest.Test(t, func(t *testing.T) {
				r, _ := rack(t, acme("protocol: "+protocol+", singleBank: true, flashTime: 0s, "+
					"completion: {'7': '12'}, returnNode: same",
					"    faults: [{when: {act: first-chunk, mode: '07'}, do: {sense: 0b/00/00, erases: true}}]"))
				u := open(t, r, "/dev/sg0")
				failure := ""
				if protocol == "ses" {
					failure = u.send(control(1, 0, 0x07, 0, 0, len(image1100), 4096, image1100[:4096]))
					u.wantStatus(0, 0x00, 0, 0)
				} else {
					failure = u.writeBuffer(0x07, 0, 0, image1100[:4096])
				}
				if failure != "0b/00/00" {
					t.Errorf("first chunk = %q; want 0b/00/00", failure)
				}
				if healed && protocol == "ses" {
					u.download(1, 0, 0x07, image1100, 4096, len(image1100))
				} else if healed {
					u.buffer(0x07, 0, image1100, 4096)
				}
				if err := r.PowerCycle("5000ccab04001000"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				if units, err := r.Units("stor1"); err != nil || len(units) != want {
					t.Errorf("%s, whole image %v: units after power on = %v, %v; want %d", protocol, healed, units, err, want)
				}
			})
		}
	}
}

// What an abort comes to.
func TestAborts(t *testing.T) {
	t.Parallel()
	abort := control(1, 0, 0xff, 0, 0, 0, 0, nil)
	for name, c := range map[string]struct {
		do, told string
		status   []string // after it
	}{
		"refused":                      {"sense: 05/24/00", "05/24/00", []string{"01 4096", "01 4096"}},
		"busy":                         {"busy: true", "status 08", []string{"01 4096"}},
		"unit attention":               {"sense: 06/29/00", "06/29/00", []string{"01 4096"}},
		"lost":                         {"ignored: true", "", []string{"01 4096", "01 4096"}},
		"late by commands":             {"late: {commands: 2}", "", []string{"01 4096", "01 4096", "80 0", "00 0"}},
		"late by time":                 {"late: {time: 30s}", "", []string{"01 4096", "wait", "80 0", "00 0"}},
		"an error, and late":           {"sense: 0b/00/00, late: {commands: 1}", "0b/00/00", []string{"01 4096", "80 0"}},
		"an error, and carried out":    {"sense: 04/44/00, carriedOut: true", "04/44/00", []string{"80 0", "00 0"}},
		"an error, not carried out":    {"sense: 04/44/00", "04/44/00", []string{"01 4096"}},
		"carried out, and no answer":   {"noAnswer: true, carriedOut: true", "time-out", []string{"80 0"}},
		"mute from then on":            {"mute: true", "", []string{"time-out", "time-out"}},
		"dies of it":                   {"die: true, carriedOut: true", "gone", []string{"not sent"}},
		"ENXIO":                        {"offline: true", "not sent", []string{"01 4096"}},
		"ENXIO, and never carried out": {"offline: true, carriedOut: true", "not sent", []string{"01 4096"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := rack(t, acme("", "    faults: [{when: {act: abort}, do: {"+c.do+"}}]"))
				u := open(t, r, "/dev/sg0")
				u.download(1, 0, 0x0e, image1100, 4096, 4096)
				if got := u.outcomeOf(abort); got != c.told {
					t.Errorf("the abort = %q; want %q", got, c.told)
				}
				for i, want := range c.status {
					if want == "wait" {
						time.Sleep(30 * time.Second)
						continue
					}
					got := ""
					if want == "time-out" || want == "not sent" {
						got = u.outcome("00 00 00 00 00 00", nil)
					} else {
						status, _, offset := u.status(0)
						got = fmt.Sprintf("%02x %d", status, offset)
					}
					if got != want {
						t.Errorf("status %d after it = %s; want %s", i+1, got, want)
					}
				}
			})
		})
	}
}

// A mute ESP is on the bus, and power on brings it back to its senses.
func TestMuteUntilPowerOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("returnNode: same", "    faults: [{when: {act: abort}, do: {mute: true}}]"))
		u := open(t, r, "/dev/sg0")
		u.send(control(1, 0, 0xff, 0, 0, 0, 0, nil))
		if got := u.outcome("12 00 00 00 60 00", nil); got != "time-out" {
			t.Errorf("INQUIRY = %q; want a time-out", got)
		}
		if err := r.PowerCycle("5000ccab04001000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		u = open(t, r, "/dev/sg0")
		u.ready()
		u.wantStatus(0, 0x00, 0, 0)
	})
}

// A late command does not outlive a restart.
func TestLateCommandIsLostInARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("returnNode: same, rebootTime: 0s",
			"    faults: [{when: {act: abort}, do: {late: {time: 1h}}}]"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		u.send(control(1, 0, 0xff, 0, 0, 0, 0, nil))
		if err := r.PowerCycle("5000ccab04001000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		u = open(t, r, "/dev/sg0")
		u.ready()
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		time.Sleep(2 * time.Hour)
		u.wantStatus(0, 0x01, 0, 4096)
	})
}

// The last chunk is answered with an error and taken: it writes flash, and its
// completion code is there afterwards.
func TestLastChunkIsTakenAfterAll(t *testing.T) {
	t.Parallel()
	for _, code := range []byte{0x10, 0x11, 0x12, 0x13} {
		for _, sense := range []string{"0b/00/00", "04/44/00", "04/3e/00"} {
			synctest.Test(t, func(t *testing.T) {
				r, _ := rack(t, acme(fmt.Sprintf("flashTime: 10m, completion: {e: '%02x'}", code),
					"    faults: [{when: {act: last-chunk}, do: {sense: "+sense+", carriedOut: true}}]"))
				u := open(t, r, "/dev/sg0")
				u.download(1, 0, 0x0e, image1100, 4096, 8192)
				last := image1100[8192:]
				if got := u.send(control(1, 0, 0x0e, 0, 8192, len(image1100), len(last), last)); got != sense {
					t.Errorf("last chunk = %q; want %s", got, sense)
				}
				u.wantStatus(0, 0x03, 0, 0)
				time.Sleep(10*time.Minute - 1)
				u.wantStatus(0, 0x03, 0, 0)
				time.Sleep(time.Nanosecond)
				u.wantStatus(0, code, 0, 0)
			})
		}
	}
}

// One command fails once after a restart, and not before there was one.
func TestFaultAfterStart(t *testing.T) {
	t.Parallel()
	for fault, told := range map[string]string{
		"busy: true": "status 08", "sense: 06/29/00": "06/29/00", "sense: 0b/00/00": "0b/00/00",
		"noAnswer: true": "time-out", "offline: true": "not sent",
	} {
		for command, cdb := range map[string]string{
			"opcode: 12":             "12 00 00 00 60 00",
			"opcode: 1c, page: '02'": "1c 01 02 80 00 00",
			"opcode: 1c, page: '0e'": "1c 01 0e 80 00 00",
		} {
			for after, strikes := range map[string][2]bool{
				"start": {true, true}, "power": {true, false}, "reset": {false, true},
			} {
				for i, start := range []string{"power", "reset"} {
					t.Run(fmt.Sprintf("%s %s after %s, by %s", fault, command, after, start), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							r, _ := rack(t, acme("flashTime: 0s, returnNode: same",
								"    faults: [{when: {after: "+after+", "+command+"}, do: {"+fault+"}}]"))
							u := open(t, r, "/dev/sg0")
							if got := u.outcome(cdb, nil); got != "" {
								t.Errorf("before the start = %q; want GOOD", got)
							}
							if start == "power" {
								r.PowerCycle("5000ccab04001000")
							} else {
								u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
								u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
							}
							time.Sleep(time.Minute)
							u = open(t, r, "/dev/sg0")
							u.ready()
							want := ""
							if strikes[i] {
								want = told
							}
							if got := u.outcome(cdb, nil); got != want {
								t.Errorf("first time after it = %q; want %q", got, want)
							}
							if got := u.outcome(cdb, nil); got != "" {
								t.Errorf("second time after it = %q; want GOOD", got)
							}
						})
					})
				}
			}
		}
	}
}

// Half a download that nobody goes on with stays, until it times out.
func TestDownloadTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("timeout: 10m"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		time.Sleep(9 * time.Minute)
		u.send(control(1, 0, 0x0e, 0, 4096, len(image1100), 4096, image1100[4096:8192]))
		time.Sleep(10*time.Minute - 1)
		u.wantStatus(0, 0x01, 0, 8192)
		time.Sleep(time.Nanosecond)
		u.wantStatus(0, 0x82, 0, 0)
		u.wantStatus(0, 0x00, 0, 0)
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		time.Sleep(10 * time.Minute) // and nobody looks meanwhile
		u.wantStatus(0, 0x82, 0, 0)
	})
}

// Half a download that someone else has left is there from the beginning.
func TestLeftDownload(t *testing.T) {
	t.Parallel()
	t.Run("until an abort", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, file := rack(t, acme("left: {mode: '0e', bytes: 4096, length: 10000}"))
			u := open(t, r, "/dev/sg0")
			time.Sleep(1000 * time.Hour)
			u.wantStatus(0, 0x01, 0, 4096)
			u.send(control(1, 0, 0xff, 0, 0, 0, 0, nil))
			u.wantStatus(0, 0x80, 0x08, 0)
			u = open(t, reopen(t, file), "/dev/sg0")
			u.wantStatus(0, 0x00, 0, 0)
		})
	})
	t.Run("until it times out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("left: {mode: '0e', bytes: 4096, length: 10000}, timeout: 1h"))
			u := open(t, r, "/dev/sg0")
			u.wantStatus(0, 0x01, 0, 4096)
			time.Sleep(time.Hour)
			u.wantStatus(0, 0x82, 0, 0)
		})
	})
	t.Run("by mode 7 on a single bank", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("left: {mode: '07', bytes: 4096, length: 10000}, singleBank: true"))
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if units, err := r.Units("stor1"); err != nil || len(units) != 0 {
				t.Errorf("units after power on = %v, %v; want none", units, err)
			}
		})
	})
}

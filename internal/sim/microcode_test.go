package sim_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/sim"
	"fwctl/internal/transport"
)

var image1100 = sim.Image("ACME", "JBOD-60", "1100", 10001) // no multiple of 4

// TestModeE: deferred, dormant, and alive after mode 0Fh under another node.
func TestModeE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, file := rack(t, acme("flashTime: 3s, rebootTime: 20s"))
		u := open(t, r, "/dev/sg0")
		u.wantStatus(0, 0x00, 0, 0)
		u.download(1, 0, 0x0e, image1100, 4096, 8192)
		u.wantStatus(0, 0x01, 0, 8192)
		last := image1100[8192:]
		if failure := u.send(control(1, 0, 0x0e, 0, 8192, len(image1100), len(last), last)); failure != "" {
			t.Fatalf("last chunk = %s; want GOOD", failure)
		}
		u.wantStatus(0, 0x03, 0, 0)
		u.wantStatus(0, 0x03, 0, 0) // not a completion code: it stays
		time.Sleep(3 * time.Second)
		u.wantStatus(0, 0x13, 0, 0)
		u.wantStatus(0, 0x00, 0, 0) // one-shot
		if got := u.revision(); got != "1000" {
			t.Errorf("revision with 1100 staged = %s; want 1000", got)
		}
		if failure := u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil)); failure != "" {
			t.Fatalf("mode 0Fh = %s; want GOOD", failure)
		}
		if _, _, err := u.try("00 00 00 00 00 00", nil); !errors.Is(err, transport.ErrGone) {
			t.Errorf("TEST UNIT READY of a vanished unit = %v; want ErrGone", err)
		}
		if _, err := machine(t, r, "").Open("/dev/sg0", transport.ReadOnly); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open of a vanished node = %v; want not exist", err)
		}
		time.Sleep(20 * time.Second)
		if _, _, err := u.try("00 00 00 00 00 00", nil); !errors.Is(err, transport.ErrGone) {
			t.Errorf("old descriptor after the return = %v; want ErrGone", err)
		}
		u = open(t, r, "/dev/sg1")
		u.want("00 00 00 00 00 00", "06/29/00")
		u.want("00 00 00 00 00 00", "06/3f/01")
		u.want("00 00 00 00 00 00", "")
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
		if got := u.page(1)[7]; got != 2 {
			t.Errorf("generation code = %d; want 2", got)
		}
		state, err := os.ReadFile(file + ".rack-state.json")
		sum := sha256.Sum256(image1100)
		if err != nil || !strings.Contains(string(state), hex.EncodeToString(sum[:])) {
			t.Errorf("state = %s, %v; want the SHA-256 of the image", state, err)
		}
	})
}

// TestMode7: 10h starts when, and only when, its status is read.
func TestMode7(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("returnNode: same"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x07, image1100, 4096, len(image1100))
		u.wantStatus(0, 0x02, 0, 0)
		time.Sleep(time.Hour)
		if got := u.revision(); got != "1000" {
			t.Errorf("revision before the status is read = %s; want 1000", got)
		}
		u.wantStatus(0, 0x10, 0, 0)
		time.Sleep(2 * time.Second)
		u = open(t, r, "/dev/sg0")
		u.ready()
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
	})
}

func TestMode7CompletionCodes(t *testing.T) {
	for _, code := range []byte{0x11, 0x12, 0x13} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme(`flashTime: 0s, returnNode: same, completion: {7: "`+hex.EncodeToString([]byte{code})+`"}`))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x07, image1100, 4096, len(image1100))
			u.wantStatus(0, code, 0, 0)
			u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
			if code != 0x13 {
				u.wantStatus(0, 0x85, 0, 0) // nothing that 0Fh could start
			}
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			u = open(t, r, "/dev/sg0")
			u.ready()
			if got := u.revision(); got != "1100" {
				t.Errorf("revision after %02xh and power on = %s; want 1100", code, got)
			}
		})
	}
}

func TestRebootsBeforeStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("rebootsBeforeStatus: true, vanish: false"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x07, image1100, 65508, len(image1100))
		time.Sleep(time.Second)
		u.want("00 00 00 00 00 00", "02/04/01")
		u.want("1c 01 01 80 00 00", "02/04/01")
		time.Sleep(2 * time.Second)
		u.want("00 00 00 00 00 00", "06/29/00")
		u.ready()
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
		rev, err := fs.ReadFile(machine(t, r, "").FS(), "sys/class/scsi_generic/sg0/device/rev")
		if err != nil || string(rev) != "1000\n" {
			t.Errorf("sysfs rev of a unit that stayed = %q, %v; want the stale 1000", rev, err)
		}
	})
}

// TestBadFields: 80h with the byte offset of the field, or 05/26/00 pointing at it.
func TestBadFields(t *testing.T) {
	data := image1100[:4096]
	n := len(image1100)
	for name, c := range map[string]struct {
		page  []byte
		field byte
	}{
		"subenclosure":           {control(1, 9, 0x0e, 0, 0, n, 4096, data), 0x01},
		"mode":                   {control(1, 0, 0x06, 0, 0, n, 4096, data), 0x08},
		"reserved mode":          {control(1, 0, 0xff, 0, 0, 0, 0, nil), 0x08},
		"buffer id":              {control(1, 0, 0x0e, 1, 0, n, 4096, data), 0x0b},
		"offset":                 {control(1, 0, 0x0e, 0, 4096, n, 4096, data), 0x0c},
		"offset no multiple":     {control(1, 0, 0x0e, 0, 2, n, 4096, data), 0x0c},
		"image length":           {control(1, 0, 0x0e, 0, 0, 99999999, 4096, data), 0x10},
		"no image length":        {control(1, 0, 0x0e, 0, 0, 0, 4096, data), 0x10},
		"data length":            {control(1, 0, 0x0e, 0, 0, n, 4000, data), 0x14},
		"chunk beyond its limit": {control(1, 0, 0x0e, 0, 0, n, 8192, image1100[:8192]), 0x14},
		"more than the image":    {control(1, 0, 0x0e, 0, 0, 4000, 4096, data), 0x14},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := rack(t, acme("chunk: {max: 4096}"))
			u := open(t, r, "/dev/sg0")
			if failure := u.send(c.page); failure != "" {
				t.Errorf("SEND DIAGNOSTIC = %s; want GOOD", failure)
			}
			u.wantStatus(0, 0x80, c.field, 0)
			u.wantStatus(0, 0x00, 0, 0)

			r, _ = rack(t, acme("chunk: {max: 4096}, refuse: sense"))
			u = open(t, r, "/dev/sg0")
			want := "05/26/00 8000" + hex.EncodeToString([]byte{c.field})
			if failure := u.send(c.page); failure != want {
				t.Errorf("SEND DIAGNOSTIC = %s; want %s", failure, want)
			}
			u.wantStatus(0, 0x00, 0, 0)
		})
	}
}

// TestDownloadDiscipline: what a doubled, a skipped and a foreign piece do.
func TestDownloadDiscipline(t *testing.T) {
	n := len(image1100)
	piece := func(off int) []byte {
		return control(1, 0, 0x0e, 0, off, n, 4096, image1100[off:off+4096])
	}
	t.Run("doubled", func(t *testing.T) {
		r, _ := rack(t, acme(""))
		u := open(t, r, "/dev/sg0")
		u.send(piece(0))
		u.send(piece(0))
		u.wantStatus(0, 0x80, 0x0c, 0)
	})
	t.Run("any offset takes it and says nothing", func(t *testing.T) {
		r, file := rack(t, acme("chunk: {anyOffset: true}"))
		u := open(t, r, "/dev/sg0")
		u.send(piece(0))
		u.send(piece(0))
		u.wantStatus(0, 0x01, 0, 0xffffffff)
		u.send(piece(4096))
		u.send(control(1, 0, 0x0e, 0, 8192, n, n-8192, image1100[8192:]))
		state, _ := os.ReadFile(file + ".rack-state.json")
		if !strings.Contains(string(state), `"doubles":1`) {
			t.Errorf("state = %s; want one doubled piece", state)
		}
	})
	t.Run("abort", func(t *testing.T) {
		r, _ := rack(t, acme(""))
		u := open(t, r, "/dev/sg0")
		u.send(piece(0))
		if failure := u.send(control(1, 0, 0xff, 0, 0, 0, 0, nil)); failure != "" {
			t.Errorf("abort = %s; want GOOD", failure)
		}
		u.wantStatus(0, 0x80, 0x08, 0)
		u.send(piece(4096))
		u.wantStatus(0, 0x80, 0x0c, 0)
	})
	t.Run("mode, buffer or length changes on the way", func(t *testing.T) {
		for field, page := range map[byte][]byte{
			0x08: control(1, 0, 0x07, 0, 4096, n, 4096, image1100[4096:8192]),
			0x10: control(1, 0, 0x0e, 0, 4096, n+4, 4096, image1100[4096:8192]),
		} {
			r, _ := rack(t, acme(""))
			u := open(t, r, "/dev/sg0")
			u.send(piece(0))
			u.send(page)
			u.wantStatus(0, 0x80, field, 0)
		}
	})
	t.Run("nothing deferred", func(t *testing.T) {
		r, _ := rack(t, acme(""))
		u := open(t, r, "/dev/sg0")
		u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
		u.wantStatus(0, 0x85, 0, 0)
	})
	t.Run("while flash is written", func(t *testing.T) {
		r, _ := rack(t, acme("flashTime: 20m"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, n)
		if failure := u.send(piece(0)); failure != "02/04/07" {
			t.Errorf("a piece while flash is written = %s; want 02/04/07", failure)
		}
	})
	t.Run("status read resets the engine", func(t *testing.T) {
		r, _ := rack(t, acme("statusReadResets: true"))
		u := open(t, r, "/dev/sg0")
		u.send(piece(0))
		u.status(0)
		if failure := u.send(piece(4096)); failure != "05/26/00 80000c" {
			t.Errorf("piece after the status was read = %s; want 05/26/00 at byte 12", failure)
		}
	})
	t.Run("reports idle", func(t *testing.T) {
		r, _ := rack(t, acme("reportsIdle: true"))
		u := open(t, r, "/dev/sg0")
		u.send(piece(0))
		u.wantStatus(0, 0x00, 0, 4096)
	})
}

func TestForeignImage(t *testing.T) {
	foreign := sim.Image("OTHER", "JBOD-60", "1100", 9000)
	for refuse, want := range map[string]struct {
		first, last byte
		revision    string
	}{
		"first": {0x81, 0x80, "1000"},
		"last":  {0x01, 0x81, "1000"},
		"never": {0x01, 0x13, "1100"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("flashTime: 0s, returnNode: same, accepts: {refuse: "+refuse+"}"))
			u := open(t, r, "/dev/sg0")
			u.send(control(1, 0, 0x0e, 0, 0, len(foreign), 4096, foreign[:4096]))
			if got, _, _ := u.status(0); got != want.first {
				t.Errorf("refuse %s: status after the first chunk = %02x; want %02x", refuse, got, want.first)
			}
			u.send(control(1, 0, 0x0e, 0, 4096, len(foreign), len(foreign)-4096, foreign[4096:]))
			if got, _, _ := u.status(0); got != want.last {
				t.Errorf("refuse %s: status after the last chunk = %02x; want %02x", refuse, got, want.last)
			}
			u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
			time.Sleep(2 * time.Second)
			u = open(t, r, "/dev/sg0")
			u.ready()
			if got := u.revision(); got != want.revision {
				t.Errorf("refuse %s: revision = %s; want %s", refuse, got, want.revision)
			}
		})
	}
}

func TestModeEFromARevisionOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("flashTime: 0s, returnNode: same, modes: [7, {mode: e, from: 1100}, f]"))
		u := open(t, r, "/dev/sg0")
		u.send(control(1, 0, 0x0e, 0, 0, len(image1100), 4096, image1100[:4096]))
		u.wantStatus(0, 0x80, 0x08, 0)
		u.download(1, 0, 0x07, image1100, 4096, len(image1100))
		u.wantStatus(0, 0x10, 0, 0)
		time.Sleep(2 * time.Second)
		u = open(t, r, "/dev/sg0")
		u.ready()
		u.send(control(2, 0, 0x0e, 0, 0, len(image1100), 4096, image1100[:4096]))
		u.wantStatus(0, 0x01, 0, 4096)
	})
}

func TestWriteBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("protocol: write-buffer, bufferID: 2, chunk: {max: 4096, multipleOf: 512}, maxImage: 1048576, "+
			"returnNode: same"))
		u := open(t, r, "/dev/sg0")
		u.want("3c 03 02 00 00 00 00 00 04 00", "09 10 00 00")
		u.want("3c 03 00 00 00 00 00 00 04 00", "00 00 00 00")
		for name, c := range map[string]struct{ got, want string }{
			"mode":       {u.writeBuffer(0x0d, 2, 0, image1100[:512]), "05/24/00 c00001"},
			"buffer id":  {u.writeBuffer(0x0e, 0, 0, image1100[:512]), "05/24/00 c00002"},
			"offset":     {u.writeBuffer(0x0e, 2, 512, image1100[:512]), "05/24/00 c00003"},
			"too long":   {u.writeBuffer(0x0e, 2, 0, image1100[:8192]), "05/24/00 c00006"},
			"not staged": {u.writeBuffer(0x0f, 2, 0, nil), "05/2c/00"},
		} {
			if c.got != c.want {
				t.Errorf("WRITE BUFFER, %s = %s; want %s", name, c.got, c.want)
			}
		}
		u.want("1c 01 0e 80 00 00", "05/24/00 c00002")
		u.writeBuffer(0x0e, 2, 0, image1100[:4096]) // broken off: offset 0 begins anew
		if failure := u.buffer(0x0e, 2, image1100, 4096); failure != "" {
			t.Fatalf("download = %s; want GOOD", failure)
		}
		if failure := u.writeBuffer(0x0f, 2, 0, nil); failure != "02/04/07" {
			t.Errorf("mode 0Fh while flash is written = %s; want 02/04/07", failure)
		}
		time.Sleep(time.Second)
		u.want("03 00 00 00 12 00", "70 00 00 00 00 00 00 0a 00 00 00 00 00 22 00 00 00 00")
		if failure := u.writeBuffer(0x0f, 2, 0, nil); failure != "" {
			t.Fatalf("mode 0Fh = %s; want GOOD", failure)
		}
		time.Sleep(2 * time.Second)
		u = open(t, r, "/dev/sg0")
		u.ready()
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
		next := sim.Image("ACME", "JBOD-60", "1200", 6000)
		if failure := u.buffer(0x07, 2, next, 4096); failure != "" {
			t.Fatalf("mode 7 = %s; want GOOD", failure)
		}
		time.Sleep(4 * time.Second)
		u = open(t, r, "/dev/sg0")
		u.ready()
		if got := u.revision(); got != "1200" {
			t.Errorf("revision after mode 7 = %s; want 1200", got)
		}
	})
}

// TestSubenclosures: each has its own engine, and one that both ESPs serve is one.
func TestSubenclosures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := testdata(t, "odd.yaml")
		u := open(t, r, "/dev/sg3")
		psu := sim.Image("PSU", "2950W", "3000", 5000)
		u.download(1, 3, 0x0e, psu, 4096, len(psu))
		time.Sleep(time.Second)
		u.wantStatus(0, 0x00, 0, 0)
		u.send(control(1, 3, 0x0f, 0, 0, 0, 0, nil))
		u.ready() // it stays
		time.Sleep(5 * time.Second)
		u.want("00 00 00 00 00 00", "06/3f/01")

		n, err := machine(t, r, "stor2").Open("/dev/sg6", transport.ReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		other := lu{t, n}
		other.want("00 00 00 00 00 00", "06/3f/01")
		// header, primary of 48 bytes, then the power supply at 56
		if got := string(other.page(1)[56+36 : 56+40]); got != "3000" {
			t.Errorf("revision through the other ESP = %s; want 3000", got)
		}
	})
}

func TestPowerCycle(t *testing.T) {
	t.Run("starts what waits for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("activation: power-cycle, flashTime: 0s, returnNode: same"))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
			u.wantStatus(0, 0x12, 0, 0)
			u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
			u.wantStatus(0, 0x80, 0x08, 0)
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			u = open(t, r, "/dev/sg0")
			u.ready()
			if got := u.revision(); got != "1100" {
				t.Errorf("revision = %s; want 1100", got)
			}
		})
	})
	t.Run("loses a download", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("returnNode: same"))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, 4096)
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			u = open(t, r, "/dev/sg0")
			u.ready()
			u.wantStatus(0, 0x00, 0, 0)
		})
	})
	t.Run("loses what is staged, where it does", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, acme("powerLoss: loses, flashTime: 0s, returnNode: same"))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			u = open(t, r, "/dev/sg0")
			u.ready()
			if got := u.revision(); got != "1000" {
				t.Errorf("revision = %s; want 1000", got)
			}
		})
	})
	t.Run("of no enclosure", func(t *testing.T) {
		r, _ := rack(t, acme(""))
		if err := r.PowerCycle("nowhere"); err == nil {
			t.Error("PowerCycle(nowhere) = nil; want an error")
		}
	})
}

func TestSingleBankDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("singleBank: true, returnNode: same"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x07, image1100, 4096, 4096)
		if err := r.PowerCycle("5000ccab04001000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if units, err := r.Units("stor1"); err != nil || len(units) != 0 {
			t.Errorf("Units = %v, %v; want none: it has nothing to boot from", units, err)
		}
	})
}

func TestPeerSync(t *testing.T) {
	for sync, want := range map[string]string{"up": "1100", "down": "1000", "none": "1100 1000"} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := rack(t, strings.Replace(acme("protocol: both, flashTime: 0s, returnNode: same", "    peerSync: "+sync),
				"[{}]", "[{}, {}]", 1))
			u := open(t, r, "/dev/sg0")
			u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
			u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
			time.Sleep(2 * time.Second)
			a, b := open(t, r, "/dev/sg0"), open(t, r, "/dev/sg1")
			a.ready()
			b.ready()
			if failure := b.send(control(1, 0, 0x0e, 0, 0, 4, 4, []byte("abcd"))); (failure == "05/35/04") != (sync != "none") {
				t.Errorf("peerSync %s: download while the peers agree = %s; want 05/35/04 where they do", sync, failure)
			}
			if failure := b.writeBuffer(0x0e, 0, 0, image1100[:4096]); (failure == "05/35/04") != (sync != "none") {
				t.Errorf("peerSync %s: WRITE BUFFER while the peers agree = %s; want 05/35/04 where they do", sync, failure)
			}
			time.Sleep(20 * time.Second)
			a, b = open(t, r, "/dev/sg0"), open(t, r, "/dev/sg1")
			a.ready()
			b.ready()
			got := a.revision()
			if second := b.revision(); second != got {
				got += " " + second
			}
			if got != want {
				t.Errorf("peerSync %s: revisions = %s; want %s", sync, got, want)
			}
		})
	}
}

func TestVendorResetPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme(`modes: [e], flashTime: 0s, returnNode: same, resetPage: "10 00 00 09 00 01 72 65 73 65 74 20 31"`))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		if failure := u.send(unhex(t, "10 00 00 09 00 01 72 65 73 65 74 20 31")); failure != "" {
			t.Fatalf("reset page = %s; want GOOD", failure)
		}
		time.Sleep(2 * time.Second)
		u = open(t, r, "/dev/sg0")
		u.ready()
		if got := u.revision(); got != "1100" {
			t.Errorf("revision = %s; want 1100", got)
		}
	})
}

// TestStateOutlives: another process finds the rack as it stands, flash that
// was being written meanwhile included.
func TestStateOutlives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, file := rack(t, acme("flashTime: 10m"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 0, 0x0e, image1100, 4096, 4096)
		u = open(t, reopen(t, file), "/dev/sg0") // goes on where the other was
		u.wantStatus(0, 0x01, 0, 4096)
		u.send(control(1, 0, 0x0e, 0, 4096, len(image1100), len(image1100)-4096, image1100[4096:]))
		time.Sleep(10 * time.Minute)
		u = open(t, reopen(t, file), "/dev/sg0")
		u.wantStatus(0, 0x13, 0, 0)
		u = open(t, r, "/dev/sg0") // the first one sees that the code was eaten
		u.wantStatus(0, 0x00, 0, 0)
	})
}

// TestSlow: a rack of realistic times, from two hosts.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := testdata(t, "slow.yaml")
		image := sim.Image("CELESTIC", "SD4100", "0102", 100_000)
		u := open(t, r, "/dev/sg1")
		u.download(1, 0, 0x0e, image, 3000, len(image))
		time.Sleep(89 * time.Second)
		u.wantStatus(0, 0x03, 0, 0)
		time.Sleep(time.Second)
		u.wantStatus(0, 0x13, 0, 0)
		if failure := u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil)); failure != "" {
			t.Fatalf("mode 0Fh = %s; want GOOD", failure)
		}
		if units, err := r.Units("stor2"); err != nil || len(units) != 0 {
			t.Errorf("units of stor2 in the reboot = %v, %v; want none", units, err)
		}
		if units, err := r.Units("stor1"); err != nil || len(units) != 1+12 {
			t.Errorf("stor1 has %d units in the reboot, %v; want esp1 and its 12 paths to drives", len(units), err)
		}
		time.Sleep(4 * time.Minute)
		n, err := machine(t, r, "stor2").Open("/dev/sg13", transport.ReadOnly)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		other := lu{t, n}
		other.want("00 00 00 00 00 00", "06/29/00") // each I_T nexus has its own
		other.want("00 00 00 00 00 00", "06/3f/01")
		u = open(t, r, "/dev/sg26")
		u.want("00 00 00 00 00 00", "06/29/00")
		u.ready()
		if got := u.revision(); got != "0102" {
			t.Errorf("revision = %s; want 0102", got)
		}
	})
}

func TestWriteBufferForeignImage(t *testing.T) {
	foreign := sim.Image("OTHER", "JBOD-60", "1100", 9000)
	for refuse, want := range map[string][3]string{
		"first": {"05/26/00", "05/24/00 c00003", "05/24/00 c00003"},
		"last":  {"", "", "05/26/00"},
		"never": {"", "", ""},
	} {
		r, _ := rack(t, acme("protocol: write-buffer, accepts: {refuse: "+refuse+"}"))
		u := open(t, r, "/dev/sg0")
		for i, off := range []int{0, 4096, 8192} {
			if got := u.writeBuffer(0x0e, 0, off, foreign[off:min(off+4096, len(foreign))]); got != want[i] {
				t.Errorf("refuse %s: piece at %d = %q; want %q", refuse, off, got, want[i])
			}
		}
	}
}

// TestWriteBufferConfirm: some devices never say that an image is complete.
func TestWriteBufferConfirm(t *testing.T) {
	r, _ := rack(t, acme("protocol: both, confirm: none, flashTime: 0s"))
	u := open(t, r, "/dev/sg0")
	if failure := u.buffer(0x0e, 0, image1100, 4096); failure != "" {
		t.Fatalf("download = %s; want GOOD", failure)
	}
	u.want("03 00 00 00 12 00", "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00")
}

// TestResetSparesSharedParts: a download to a power supply that goes through one
// ESP outlives the reset of the other.
func TestResetSparesSharedParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, strings.Replace(acme("flashTime: 0s, returnNode: same",
			"    subenclosures: [{id: 3}, {id: 4, esps: [1]}]"), "[{}]", "[{}, {}]", 1))
		a, b := open(t, r, "/dev/sg0"), open(t, r, "/dev/sg1")
		a.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		a.download(1, 4, 0x0e, image1100, 4096, len(image1100))
		b.download(1, 3, 0x0e, image1100, 4096, 4096)
		a.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
		time.Sleep(2 * time.Second)
		b.wantStatus(1, 0x01, 0, 4096)
		a = open(t, r, "/dev/sg0")
		a.ready()
		// 8 bytes of header, the primary and the power supply of 40 each
		if got := string(a.page(1)[88+36 : 88+40]); got != "1100" {
			t.Errorf("revision of the ESP's own subenclosure 4 = %s; want 1100: a hard reset starts it too", got)
		}
	})
}

// TestGap: an ESP that takes any offset finds out at the end that a piece is missing.
func TestGap(t *testing.T) {
	r, file := rack(t, acme("chunk: {anyOffset: true}"))
	u := open(t, r, "/dev/sg0")
	n := len(image1100)
	u.send(control(1, 0, 0x0e, 0, 0, n, 4096, image1100[:4096]))
	u.send(control(1, 0, 0x0e, 0, 8192, n, n-8192, image1100[8192:]))
	u.wantStatus(0, 0x81, 0, 0xffffffff)
	state, _ := os.ReadFile(file + ".rack-state.json")
	if !strings.Contains(string(state), `"gaps":1`) {
		t.Errorf("state = %s; want one gap", state)
	}
}

func TestChunkMultiple(t *testing.T) {
	r, _ := rack(t, acme("chunk: {multipleOf: 512}"))
	u := open(t, r, "/dev/sg0")
	u.send(control(1, 0, 0x0e, 0, 0, len(image1100), 4000, image1100[:4000]))
	u.wantStatus(0, 0x80, 0x14, 0)
	u.download(1, 0, 0x0e, image1100, 4096, len(image1100)) // the last one may be odd
	u.wantStatus(0, 0x03, 0, 0)
}

// TestNewDownloadReplacesStaged: there is one bank for what is deferred.
func TestNewDownloadReplacesStaged(t *testing.T) {
	r, _ := rack(t, acme("flashTime: 0s"))
	u := open(t, r, "/dev/sg0")
	u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
	u.wantStatus(0, 0x13, 0, 0)
	u.download(1, 0, 0x0e, image1100, 4096, 4096)
	u.send(control(1, 0, 0xff, 0, 0, 0, 0, nil))
	u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
	u.wantStatus(0, 0x85, 0, 0)
}

// TestPowerOnlyOutlivesReset: what stands at 12h is not started by a hard reset.
func TestPowerOnlyOutlivesReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := rack(t, acme("flashTime: 0s, returnNode: same",
			"    subenclosures: [{id: 4, download: {activation: power-cycle}}]"))
		u := open(t, r, "/dev/sg0")
		u.download(1, 4, 0x0e, image1100, 4096, len(image1100))
		u.download(1, 0, 0x0e, image1100, 4096, len(image1100))
		u.send(control(1, 0, 0x0f, 0, 0, 0, 0, nil))
		for _, want := range []string{"0001", "1100"} {
			time.Sleep(2 * time.Second)
			u = open(t, r, "/dev/sg0")
			u.ready()
			if got := string(u.page(1)[84:88]); got != want {
				t.Errorf("revision of subenclosure 4 = %s; want %s", got, want)
			}
			if err := r.PowerCycle("5000ccab04001000"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestPowerCycleVanishes: even an ESP that stays on the bus in a reset.
func TestPowerCycleVanishes(t *testing.T) {
	r, _ := rack(t, acme("vanish: false"))
	if err := r.PowerCycle("5000ccab04001000"); err != nil {
		t.Fatal(err)
	}
	if units, err := r.Units("stor1"); err != nil || len(units) != 0 {
		t.Errorf("Units = %v, %v; want none", units, err)
	}
}

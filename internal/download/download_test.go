package download_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/download"
	"fwctl/internal/enclosure"
	"fwctl/internal/sim"
	"fwctl/inventory/scan"
)

const (
	chassis = "5000ccab04001000"
	lu      = "5000ccab04001001"
)

// bench is an enclosure of a simulated rack, held, in a bubble.
type bench struct {
	*testing.T
	held    *enclosure.Held
	notices []string
	needs   []download.Component
}

// onRack runs f on an enclosure with two ESPs at revision 1000.
func onRack(t *testing.T, device, faults string, f func(b *bench)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rack.yaml")
	rack := "apiVersion: fwctl/v1\nkind: Rack\nenclosures:\n  - logicalID: " + chassis +
		"\n    vendor: ACME\n    product: JBOD-60\n    revision: \"1000\"\n    esps: [{}, {}]\n" +
		"    download: {" + device + "}\n    faults: [" + faults + "]\n"
	if err := os.WriteFile(file, []byte(rack), 0o644); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		rack, err := sim.OpenPrivate(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := rack.Machine("")
		if err != nil {
			t.Fatal(err)
		}
		inv, err := scan.Scan(t.Context(), m, scan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		held, err := enclosure.Hold(t.Context(), m, chassis, nil, inv)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		f(&bench{T: t, held: held})
	})
}

var image = sim.Image("ACME", "JBOD-60", "1100", 10001)

// spec is a download of image, by page 0Eh and mode e unless change has it otherwise.
func spec(change func(*download.Spec)) download.Spec {
	s := download.Spec{
		Component: download.Component{LUID: lu, Address: chassis + "/esp1/sub0"},
		Change:    download.Change{From: "1000", To: "1100"},
		Mode:      download.ModeE, Defers: true,
		Size: int64(len(image)), ChunkSize: 4096,
		FlashTimeout: 45 * time.Minute, Settle: time.Minute, ReturnTimeout: 15 * time.Minute,
	}
	if change != nil {
		change(&s)
	}
	return s
}

func (b *bench) download(s download.Spec) *download.Download {
	b.Helper()
	e, err := b.held.Read(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return download.New(b.held, e, s, download.Caller{
		Notice:     func(reason string) { b.notices = append(b.notices, reason) },
		MayHold:    func(download.Component) bool { return false },
		HasStarted: func(download.Component) bool { return false },
		NeedsImage: func(c download.Component, _ string) { b.needs = append(b.needs, c) },
	})
}

// all takes a download to its end, without activating it.
func (b *bench) all(d *download.Download) download.Outcome {
	b.Helper()
	if o := d.Prepare(b.Context()); o.Result != download.GoOn {
		return o
	}
	steps := download.Steps{Before: func(bool, bool) error { return nil }, Taken: func(int) {}}
	if o := d.Send(b.Context(), image, steps); o.Result != download.Sent {
		return o
	}
	return d.Finish(b.Context())
}

func mode7(s *download.Spec)       { s.Mode, s.Defers = download.Mode7, false }
func writeBuffer(s *download.Spec) { s.Protocol = download.ByWriteBuffer }

// What a device's answers come to, and what it is left with.
func TestOutcome(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		device, faults string
		change         func(*download.Spec)
		want           download.Outcome // without its Reason
	}{
		"an image that waits": {"", "", nil,
			download.Outcome{Result: download.Deferred, Confirmed: true}},
		"an image that starts": {"", "", mode7,
			download.Outcome{Result: download.Starting, Confirmed: true}},
		"an image that waits, by WRITE BUFFER": {"protocol: write-buffer, confirm: none", "", writeBuffer,
			download.Outcome{Result: download.Deferred}},
		"an image that waits, as sense data say": {"protocol: write-buffer", "", writeBuffer,
			download.Outcome{Result: download.Deferred, Confirmed: true}},
		"a mode that is not supported": {"modes: ['07']", "", nil,
			download.Outcome{Result: download.ModeRefused}},
		"an image that is too large": {"maxImage: 8192", "", nil,
			download.Outcome{Result: download.Refused}},
		"an image for another model": {"accepts: {product: OTHER}", "", nil,
			download.Outcome{Result: download.Failed, Holds: download.Spoiled}},
		"83h in the middle": {"", "{when: {opcode: '1d', offset: 4096}, do: {status: '83'}}", nil,
			download.Outcome{Result: download.Failed, Holds: download.NeedsImage}},
		"84h in the middle": {"", "{when: {opcode: '1d', offset: 4096}, do: {status: '84'}}", nil,
			download.Outcome{Result: download.Failed}},
		"a chunk that is refused": {"", "{when: {opcode: '1d', offset: 4096}, do: {sense: 05/24/00}}", nil,
			download.Outcome{Result: download.Failed, Holds: download.Part}},
		"a chunk that is busy": {"", "{when: {opcode: '1d', offset: 4096}, do: {busy: true}}", nil,
			download.Outcome{Result: download.Deferred, Confirmed: true}},
		"a chunk that is not answered, and taken": {
			"", "{when: {opcode: '1d', offset: 4096}, do: {noAnswer: true, carriedOut: true}}", nil,
			download.Outcome{Result: download.Failed, Holds: download.Part, MayHaveTaken: true, Revision: "1000"}},
		"a device that never answers again": {
			"", "{when: {opcode: '1d', offset: 4096}, do: {vanish: 10h}}", nil,
			download.Outcome{Result: download.Lost, Holds: download.Spoiled, MayHaveTaken: true}},
		"a reset in the middle": {"", "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/29/00}}", nil,
			download.Outcome{Result: download.Disturbed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRack(t, tt.device, tt.faults, func(b *bench) {
				got := b.all(b.download(spec(tt.change)))
				reason := got.Reason
				if got.Reason = ""; got != tt.want {
					t.Errorf("outcome = %+v (%s); want %+v", got, reason, tt.want)
				}
			})
		})
	}
}

// The caller is asked before the first and the last chunk, hears of every one that was
// taken, and can break the download off between two.
func TestSend(t *testing.T) {
	t.Parallel()
	refusal := errors.New("the store is full")
	for name, tt := range map[string]struct {
		refuses  bool
		withdraw int // after this many bytes, 0 for never
		want     download.Result
		before   []bool // last, of each call
		taken    []int
	}{
		"to its end": {false, 0, download.Sent, []bool{false, true}, []int{4096, 8192, 10001}},
		"withdrawn":  {false, 4096, download.Withdrawn, []bool{false}, []int{4096}},
		"not begun":  {true, 0, download.Failed, []bool{false}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onRack(t, "", "", func(b *bench) {
				d := b.download(spec(nil))
				if o := d.Prepare(b.Context()); o.Result != download.GoOn {
					t.Fatalf("Prepare = %+v; want it to go on", o)
				}
				var before []bool
				var taken []int
				o := d.Send(b.Context(), image, download.Steps{
					Before: func(first, last bool) error {
						if first != (len(before) == 0) {
							t.Errorf("Before(%v, %v) is call %d", first, last, len(before)+1)
						}
						before = append(before, last)
						if tt.refuses {
							return refusal
						}
						return nil
					},
					Withdraw: func() bool { return len(taken) > 0 && taken[len(taken)-1] == tt.withdraw },
					Taken:    func(end int) { taken = append(taken, end) },
				})
				if o.Result != tt.want || !slices.Equal(before, tt.before) || !slices.Equal(taken, tt.taken) {
					t.Errorf("Send = %+v, asked before %v, taken %v; want %v, %v, %v",
						o, before, taken, tt.want, tt.before, tt.taken)
				}
			})
		})
	}
}

// A download that is broken off is discarded, and one that is deferred is started.
func TestAbortAndActivate(t *testing.T) {
	t.Parallel()
	onRack(t, "", "", func(b *bench) {
		d := b.download(spec(nil))
		if o := d.Prepare(b.Context()); o.Result != download.GoOn {
			t.Fatalf("Prepare = %+v; want it to go on", o)
		}
		sent := false
		o := d.Send(b.Context(), image, download.Steps{
			Before:   func(bool, bool) error { return nil },
			Withdraw: func() bool { return sent },
			Taken:    func(int) { sent = true },
		})
		if o.Result != download.Withdrawn {
			t.Fatalf("Send = %+v; want it withdrawn", o)
		}
		if o := d.Abort(b.Context()); o.Result != download.Discarded || o.Holds != download.NotSaid {
			t.Errorf("Abort = %+v; want the part discarded", o)
		}
		if o := b.all(b.download(spec(nil))); o.Result != download.Deferred {
			t.Fatalf("another download = %+v; want it deferred", o)
		}
		d = b.download(spec(nil))
		if o := d.Activate(b.Context()); o.Result != download.Restarting {
			t.Fatalf("Activate = %+v; want it to restart", o)
		}
		if _, err := b.held.Await(b.Context(), lu, 0, chassis+"/esp1/sub0", 15*time.Minute); err != nil {
			t.Fatal(err)
		}
		if revision, err := b.held.Revision(b.Context(), lu, 0); revision != "1100" || err != nil {
			t.Errorf("revision = %q, %v; want 1100", revision, err)
		}
		if o := b.download(spec(nil)).Activate(b.Context()); o.Result != download.Failed || o.Holds != download.Nothing {
			t.Errorf("another activation = %+v; want it to find nothing", o)
		}
	})
}

// A device that carries an abort out late, when it has all of the image that was sent since, has
// nothing more to say of that image: what it says then is about the abort.
func TestLateAbort(t *testing.T) {
	t.Parallel()
	onRack(t, "flashTime: 1s", "{when: {act: abort}, do: {late: {time: 40s}}}", func(b *bench) {
		began := time.Now()
		d := b.download(spec(nil))
		if o := d.Prepare(b.Context()); o.Result != download.GoOn {
			t.Fatalf("Prepare = %+v; want it to go on", o)
		}
		sent := false
		o := d.Send(b.Context(), image, download.Steps{
			Before:   func(bool, bool) error { return nil },
			Withdraw: func() bool { return sent },
			Taken:    func(int) { sent = true },
		})
		if o.Result != download.Withdrawn {
			t.Fatalf("Send = %+v; want it withdrawn", o)
		}
		short, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if o := d.Abort(short); o.Result == download.Discarded {
			t.Fatalf("Abort = %+v; want it not carried out yet", o)
		}
		if o := d.Abort(b.Context()); o.Result != download.Discarded {
			t.Fatalf("another Abort = %+v; want the part discarded", o)
		}
		time.Sleep(time.Until(began.Add(38500 * time.Millisecond)))
		if o := b.all(b.download(spec(nil))); o.Result != download.Lost {
			t.Errorf("the next download = %+v; want it lost: the abort has taken the place of its code", o)
		}
	})
}

func TestChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		change                  download.Change
		revision                string
		made, proves, invisible bool
	}{
		{download.Change{From: "1000", To: "1100"}, "1100", true, true, false},
		{download.Change{From: "1000", To: "1100"}, "1000", false, false, false},
		{download.Change{From: "1000", To: "1100"}, "1200", false, false, false},
		{download.Change{From: "1000", To: "1000"}, "1000", true, false, true},
		{download.Change{From: "1000"}, "1000", false, false, true},
		{download.Change{From: "1000"}, "1200", true, true, true},
		{download.Change{From: "1000", Unversioned: true}, "1000", true, false, true},
		{download.Change{From: "1000", Unversioned: true}, "1100", false, false, true},
	} {
		c := tt.change
		if c.Made(tt.revision) != tt.made || c.Proves(tt.revision) != tt.proves || c.Invisible() != tt.invisible {
			t.Errorf("%+v with %s: made %v, proves %v, invisible %v; want %v, %v, %v", c, tt.revision,
				c.Made(tt.revision), c.Proves(tt.revision), c.Invisible(), tt.made, tt.proves, tt.invisible)
		}
	}
}

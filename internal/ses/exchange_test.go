package ses_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/ses"
	"fwctl/internal/transport"

	"github.com/google/go-cmp/cmp"
)

// device answers commands from a script, one answer each, the last one for
// ever, and keeps what it was sent.
type device struct {
	script []answer
	sent   []string // CDB and parameter list in hex
}

type answer struct {
	data  []byte
	sense []byte
	err   error
}

func (d *device) Do(_ context.Context, req *transport.Request) (*transport.Response, error) {
	a := d.script[min(len(d.sent), len(d.script)-1)]
	d.sent = append(d.sent, hex.EncodeToString(req.CDB)+hex.EncodeToString(req.Out))
	switch {
	case a.err != nil:
		return nil, a.err
	case a.sense != nil:
		return &transport.Response{Status: 2, Sense: a.sense}, nil
	}
	return &transport.Response{Received: copy(req.In, a.data)}, nil
}

// sized gives a page of so many bytes in all.
func sized(code ses.PageCode, total int) []byte {
	b := make([]byte, total)
	b[0], b[2], b[3] = byte(code), byte((total-4)>>8), byte(total-4)
	return b
}

func TestReceive(t *testing.T) {
	var (
		good     = answer{data: sized(1, 48)}
		busy     = answer{data: []byte{9, 1, 0, 0}}
		status   = answer{data: sized(0x0e, 24)}
		refused  = answer{sense: []byte{0x72, 5, 0x35, 1, 0, 0, 0, 0}}
		reset    = answer{sense: []byte{0x72, 6, 0x29, 0, 0, 0, 0, 0}}
		vanished = answer{err: &transport.Error{Op: "read the answer of", Path: "/dev/sg3", Err: transport.ErrGone}}
	)
	const ask01, ask01Long, ask0E = "1c0101800000", "1c0101ffff00", "1c010e200000"
	tests := []struct {
		name   string
		code   ses.PageCode
		script []answer
		length int   // bytes of the page, 0: an error
		is     error // errors.Is finds it
		text   string
		sent   []string
		time   time.Duration
	}{
		{name: "a page", code: 1, script: []answer{good}, length: 48, sent: []string{ask01}},
		{name: "more than the page", code: 1, script: []answer{{data: append(sized(1, 48), 1, 2, 3)}}, length: 48, sent: []string{ask01}},
		{name: "busy for 2 s", code: 1, script: []answer{busy, busy, good}, length: 48, sent: []string{ask01, ask01, ask01}, time: 2 * time.Second},
		{name: "busy for ever", code: 1, script: []answer{busy}, sent: repeat(ask01, 30), time: 29 * time.Second,
			text: "cannot read page 01h (configuration): the enclosure services process is busy; try again later"},
		{name: "busy is what was asked for", code: 9, script: []answer{busy}, length: 4, sent: []string{"1c0109800000"}},
		{name: "short status", code: 1, script: []answer{{data: []byte{8, 0, 0, 0}}}, sent: []string{ask01},
			text: "cannot read page 01h (configuration): the enclosure only answers with its short status and does not offer " +
				"this page"},
		{name: "page 00h (SMI USB disk)", code: 1, script: []answer{{data: []byte{0, 0, 0, 0}}}, sent: []string{ask01},
			text: "cannot read page 01h (configuration): the enclosure answered with page 00h (supported pages)"},
		{name: "cut", code: 1, script: []answer{{data: sized(1, 48)[:40]}}, sent: []string{ask01},
			text: "cannot decode page 01h (configuration): 40 bytes received, and the page says that it has 48"},
		{name: "nothing", code: 1, script: []answer{{}}, sent: []string{ask01},
			text: "cannot decode page 01h (configuration): 0 bytes received, and its header alone has 4"},
		{name: "longer than 32 KiB", code: 1, script: []answer{{data: sized(1, 40000)}}, length: 40000, sent: []string{ask01, ask01Long}},
		{name: "longer than the longest", code: 1, script: []answer{{data: sized(1, 65539)}}, sent: []string{ask01, ask01Long},
			text: "cannot decode page 01h (configuration): 65535 bytes received, and the page says that it has 65539"},
		{name: "unit attention", code: 1, script: []answer{reset, good}, length: 48, sent: []string{ask01, ask01}},
		{name: "refused", code: 1, script: []answer{refused}, is: scsi.ASC{0x35, 1}, sent: []string{ask01}},

		{name: "microcode status", code: 0x0e, script: []answer{status}, length: 24, sent: []string{ask0E}},
		{name: "microcode status, busy", code: 0x0e, script: []answer{busy, status}, length: 24, sent: []string{ask0E, ask0E}, time: time.Second},
		{name: "microcode status, unit attention", code: 0x0e, script: []answer{reset, status}, is: scsi.UnitAttention, sent: []string{ask0E}},
		{name: "microcode status, refused", code: 0x0e, script: []answer{refused, status}, is: scsi.IllegalRequest, sent: []string{ask0E}},
		{name: "microcode status, gone", code: 0x0e, script: []answer{vanished, status}, is: transport.ErrGone, sent: []string{ask0E}},
		{name: "microcode status, longer than 8 KiB", code: 0x0e, script: []answer{{data: sized(0x0e, 40000)}, status}, sent: []string{ask0E},
			text: "cannot decode page 0Eh (download microcode): 8192 bytes received, and the page says that it has 40000"},
		{name: "microcode status, another page", code: 0x0e, script: []answer{{data: []byte{8, 0, 0, 0}}, status}, sent: []string{ask0E},
			text: "cannot read page 0Eh (download microcode): the enclosure only answers with its short status and does not " +
				"offer this page"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				d := &device{script: tt.script}
				b, err := ses.Receive(t.Context(), d, tt.code)
				if (err == nil) != (tt.length > 0) || len(b) != tt.length {
					t.Errorf("Receive(%v) = %d bytes, %v; want %d bytes", tt.code, len(b), err, tt.length)
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("errors.Is(%v, %v) = false", err, tt.is)
				}
				if tt.text != "" && (err == nil || err.Error() != tt.text || !typed(err)) {
					t.Errorf("Receive(%v) = %v; want a typed error %q", tt.code, err, tt.text)
				}
				if diff := cmp.Diff(tt.sent, d.sent); diff != "" {
					t.Errorf("commands differ (-want +got):\n%s", diff)
				}
				if got := time.Since(start); got != tt.time {
					t.Errorf("Receive took %v; want %v", got, tt.time)
				}
			})
		})
	}
}

func TestReceiveStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		_, err := ses.Receive(ctx, &device{script: []answer{{data: []byte{9, 1, 0, 0}}}}, ses.PageConfiguration)
		var unexpected *ses.UnexpectedPageError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &unexpected) {
			t.Errorf("Receive() = %v; want a busy enclosure and the deadline", err)
		}
	})
}

func TestSend(t *testing.T) {
	d := &device{script: []answer{{}}}
	chunk := &ses.DownloadMicrocodeControl{ExpectedGenerationCode: 7, Mode: ses.DownloadOffsetsSaveDefer,
		BufferOffset: 4096, ImageLength: 4099, Data: []byte{1, 2, 3}}
	if err := ses.Send(t.Context(), d, chunk); err != nil {
		t.Fatal(err)
	}
	want := []string{"1d1000001c00" + "0e000018" + "00000007" + "0e000000" + "00001000" + "00001003" + "00000003" +
		"01020300"}
	if diff := cmp.Diff(want, d.sent); diff != "" {
		t.Errorf("commands differ (-want +got):\n%s", diff)
	}
}

func TestSendOnce(t *testing.T) {
	for _, sense := range [][]byte{
		{0x72, 6, 0x29, 0, 0, 0, 0, 0},
		{0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x26, 0, 0, 0x80, 0, 8},
	} {
		d := &device{script: []answer{{sense: sense}, {}}}
		err := ses.Send(t.Context(), d, &ses.DownloadMicrocodeControl{Mode: ses.ActivateDeferredMicrocode})
		var failure *scsi.Error
		if !errors.As(err, &failure) || len(d.sent) != 1 {
			t.Errorf("Send() = %v after %d commands; want an *scsi.Error after 1", err, len(d.sent))
		}
	}
}

func TestSendRefuses(t *testing.T) {
	d := &device{script: []answer{{}}}
	if err := ses.Send(t.Context(), d, &ses.DownloadMicrocodeControl{Mode: 0x05}); err == nil || len(d.sent) != 0 {
		t.Errorf("Send() of an unknown mode = %v after %d commands; want an error and none", err, len(d.sent))
	}
}

func repeat(s string, n int) (all []string) {
	for range n {
		all = append(all, s)
	}
	return all
}

func ExampleDownloadStatus_RefusedField() {
	d := ses.DownloadStatus{Code: ses.DownloadFieldError, AdditionalStatus: 8}
	field, refused := d.RefusedField()
	fmt.Println(refused && field == ses.ModeField)
	// Output: true
}

// BenchmarkChunk is what fwctl does of its own for a chunk of 4 KiB and the status after
// it: the page, the commands and the reading of the answers. The device answers at once,
// without a kernel.
func BenchmarkChunk(b *testing.B) {
	status := make([]byte, 24)
	copy(status, []byte{0x0e, 0, 0, 20})
	taken, done := &transport.Response{}, &transport.Response{}
	device := transportFunc(func(req *transport.Request) (*transport.Response, error) {
		if req.Out != nil {
			return taken, nil
		}
		done.Received = copy(req.In, status)
		return done, nil
	})
	page := &ses.DownloadMicrocodeControl{
		Mode: ses.DownloadOffsetsSaveDefer, ImageLength: 4096, Data: make([]byte, 4096),
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := ses.Send(b.Context(), device, page); err != nil {
			b.Fatal(err)
		}
		answer, err := ses.Receive(b.Context(), device, ses.PageDownloadMicrocode)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ses.ParseDownloadMicrocodeStatus(answer); err != nil {
			b.Fatal(err)
		}
	}
}

type transportFunc func(*transport.Request) (*transport.Response, error)

func (f transportFunc) Do(_ context.Context, req *transport.Request) (*transport.Response, error) {
	return f(req)
}

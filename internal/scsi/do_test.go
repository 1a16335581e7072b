package scsi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/transport"
)

// device answers commands from a script, one answer each.
type device struct {
	script []func(*transport.Request) (*transport.Response, error)
	asked  int
}

func (d *device) Do(_ context.Context, req *transport.Request) (*transport.Response, error) {
	d.asked++
	if d.asked > len(d.script) {
		return nil, errors.New("the script is over")
	}
	return d.script[d.asked-1](req)
}

type answer = func(*transport.Request) (*transport.Response, error)

func good(data ...byte) answer {
	return func(req *transport.Request) (*transport.Response, error) {
		return &transport.Response{Received: copy(req.In, data)}, nil
	}
}

func status(s scsi.Status) answer {
	return func(*transport.Request) (*transport.Response, error) {
		return &transport.Response{Status: byte(s)}, nil
	}
}

func sense(key scsi.Key, asc, ascq byte) answer {
	return func(*transport.Request) (*transport.Response, error) {
		return &transport.Response{Status: 2, Sense: []byte{0x72, byte(key), asc, ascq, 0, 0, 0, 0}}, nil
	}
}

// short is an answer to a command of whose data the device took all but n bytes.
func short(n int, a answer) answer {
	return func(req *transport.Request) (*transport.Response, error) {
		resp, err := a(req)
		resp.Untaken = n
		return resp, err
	}
}

func lost(err error) answer {
	return func(*transport.Request) (*transport.Response, error) { return nil, err }
}

func times(n int, a answer) []answer {
	var s []answer
	for range n {
		s = append(s, a)
	}
	return s
}

var (
	readPage  = scsi.ReceiveDiagnosticResults{PageCode: 1, AllocationLength: 512}
	readOnce  = scsi.ReceiveDiagnosticResults{PageCode: 0x0e, AllocationLength: 512}
	writePage = scsi.SendDiagnostic{ParameterList: make([]byte, 24)}
	attention = sense(scsi.UnitAttention, 0x29, 0)
)

func TestDo(t *testing.T) {
	gone := &transport.Error{Op: "send a command to", Path: "/dev/sg3", Err: transport.ErrGone}
	tests := []struct {
		name   string
		cmd    scsi.Command
		script []answer
		want   []byte
		err    error  // errors.Is finds it
		text   string // of the error
		asked  int
		time   time.Duration
	}{
		{name: "good", cmd: readPage, script: []answer{good(1, 2, 3)}, want: []byte{1, 2, 3}, asked: 1},
		{name: "nothing comes back", cmd: writePage, script: []answer{good()}, asked: 1},
		{name: "unit attentions", cmd: readPage, script: append(times(8, attention), good(1)), want: []byte{1}, asked: 9},
		{name: "a storm of unit attentions", cmd: readPage, script: times(20, attention), err: scsi.UnitAttention, asked: 9,
			text: "cannot execute RECEIVE DIAGNOSTIC RESULTS of page 01h: unit attention: power on, reset, or bus device " +
				"reset occurred (29h/00h)"},
		{name: "busy", cmd: readPage, script: append(append(times(3, status(scsi.Busy)), status(scsi.TaskSetFull)), good(1)), want: []byte{1}, asked: 5, time: 1500 * time.Millisecond},
		{name: "always busy", cmd: readPage, script: times(20, status(scsi.Busy)), err: scsi.Busy, asked: 12, time: 31300 * time.Millisecond,
			text: "cannot execute RECEIVE DIAGNOSTIC RESULTS of page 01h: the device is busy"},
		{name: "refused", cmd: readPage, script: []answer{sense(scsi.IllegalRequest, 0x35, 1)}, err: scsi.ASC{0x35, 1}, asked: 1,
			text: "cannot execute RECEIVE DIAGNOSTIC RESULTS of page 01h: illegal request: unsupported enclosure function " +
				"(35h/01h)"},
		{name: "reserved", cmd: readPage, script: []answer{status(scsi.ReservationConflict)}, err: scsi.ReservationConflict, asked: 1},
		{name: "no sense data", cmd: readPage, script: []answer{status(scsi.CheckCondition)}, err: scsi.CheckCondition, asked: 1,
			text: "cannot execute RECEIVE DIAGNOSTIC RESULTS of page 01h: check condition without sense data"},
		{name: "gone", cmd: readPage, script: []answer{lost(gone)}, err: transport.ErrGone, asked: 1,
			text: "cannot execute RECEIVE DIAGNOSTIC RESULTS of page 01h: cannot send a command to /dev/sg3: device is gone"},
		{name: "one-shot status, unit attention", cmd: readOnce, script: []answer{attention, good(1)}, err: scsi.UnitAttention, asked: 1},
		{name: "one-shot status, busy", cmd: readOnce, script: []answer{status(scsi.Busy), good(1)}, err: scsi.Busy, asked: 1},
		{name: "write, unit attention", cmd: writePage, script: []answer{attention, good()}, err: scsi.UnitAttention, asked: 1},
		{name: "write, busy", cmd: writePage, script: []answer{status(scsi.Busy), good()}, err: scsi.Busy, asked: 1},
		{name: "write, task set full", cmd: writePage, script: []answer{status(scsi.TaskSetFull), good()}, err: scsi.TaskSetFull, asked: 1},
		{name: "write, a part is not taken", cmd: writePage, script: []answer{short(4, good())}, asked: 1,
			text: "cannot send all of SEND DIAGNOSTIC of page 00h: the device took only 20 of 24 bytes"},
		{name: "write, a part is not taken, recovered", cmd: writePage, script: []answer{short(4, sense(scsi.RecoveredError, 0x17, 1))}, asked: 1,
			text: "cannot send all of SEND DIAGNOSTIC of page 00h: the device took only 20 of 24 bytes"},
		{name: "write, refused before a byte is taken", cmd: writePage, script: []answer{short(24, sense(scsi.IllegalRequest, 0x26, 0))}, err: scsi.ASC{0x26, 0}, asked: 1},
		{name: "write, busy before a byte is taken", cmd: writePage, script: []answer{short(24, status(scsi.Busy))}, err: scsi.Busy, asked: 1},
		{name: "does not fit", cmd: scsi.SendDiagnostic{}, script: nil, asked: 0, text: "cannot encode SEND DIAGNOSTIC: the page has 0 bytes, not 4 to 65532"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				d := &device{script: tt.script}
				got, err := scsi.Do(t.Context(), d, tt.cmd)
				if failed := tt.err != nil || tt.text != ""; failed != (err != nil) {
					t.Fatalf("Do() = %v, %v", got, err)
				}
				if tt.err != nil && !errors.Is(err, tt.err) {
					t.Errorf("errors.Is(%v, %v) = false", err, tt.err)
				}
				if tt.text != "" && err.Error() != tt.text {
					t.Errorf("Do() = %q; want %q", err, tt.text)
				}
				if err == nil && string(got) != string(tt.want) || err != nil && got != nil {
					t.Errorf("Do() = %v; want %v", got, tt.want)
				}
				if d.asked != tt.asked {
					t.Errorf("the device got %d commands; want %d", d.asked, tt.asked)
				}
				if got := time.Since(start); got != tt.time {
					t.Errorf("Do() took %v; want %v", got, tt.time)
				}
			})
		})
	}
}

func TestDoStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := scsi.Do(ctx, &device{script: times(20, status(scsi.Busy))}, readPage)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, scsi.Busy) {
			t.Errorf("Do() = %v; want a busy device and the deadline", err)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("Do() = %q; want one line", err)
		}
	})
}

// A transport that counts more bytes than there was room for must not crash fwctl.
func TestDoCountsNoMoreThanTheBuffer(t *testing.T) {
	for _, received := range []int{-1, 513} {
		lie := func(*transport.Request) (*transport.Response, error) {
			return &transport.Response{Received: received}, nil
		}
		got, err := scsi.Do(t.Context(), &device{script: []answer{lie}}, readPage)
		if want := max(0, min(received, 512)); err != nil || len(got) != want {
			t.Errorf("Do() with %d bytes received = %d bytes, %v; want %d", received, len(got), err, want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	failure := fmt.Errorf("cannot read the enclosure: %w", &scsi.Error{
		Command: "INQUIRY", Status: scsi.CheckCondition,
		Sense: &scsi.Sense{Key: scsi.UnitAttention, ASC: scsi.ASC{0x3f, 0x01}},
	})
	tests := []struct {
		target error
		want   bool
	}{
		{scsi.UnitAttention, true},
		{scsi.ASC{0x3f, 0x01}, true},
		{scsi.CheckCondition, true},
		{scsi.IllegalRequest, false},
		{scsi.ASC{0x3f, 0x03}, false},
		{scsi.Busy, false},
	}
	for _, tt := range tests {
		if got := errors.Is(failure, tt.target); got != tt.want {
			t.Errorf("errors.Is(%v, %v) = %v; want %v", failure, tt.target, got, tt.want)
		}
	}
}

// A recovered error is a command that was completed; a deferred one speaks of an
// earlier command.
func TestRecoveredError(t *testing.T) {
	recovered := sense(scsi.RecoveredError, 0x17, 1)
	if _, err := scsi.Do(t.Context(), &device{script: []answer{recovered}}, readPage); err != nil {
		t.Errorf("Do = %v; want the data", err)
	}
	deferred := func(*transport.Request) (*transport.Response, error) {
		return &transport.Response{Status: 2, Sense: []byte{0x73, byte(scsi.RecoveredError), 0x17, 1, 0, 0, 0, 0}}, nil
	}
	if _, err := scsi.Do(t.Context(), &device{script: []answer{deferred}}, readPage); !errors.Is(err,
		scsi.RecoveredError) {
		t.Errorf("Do = %v; want RECOVERED ERROR", err)
	}
}

package transport

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fakeSG returns a node on a socket in place of /dev/sgN. answer gets each header that
// was written, and answers with it once it returns true.
func fakeSG(t testing.TB, answer func(h *sgIOHdr) bool) *sgNode {
	t.Helper()
	// One datagram is one header.
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	n, err := newSGNode(fds[0], "/dev/sg0", ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var h sgIOHdr
		b := unsafe.Slice((*byte)(unsafe.Pointer(&h)), unsafe.Sizeof(h))
		for {
			if got, err := unix.Read(fds[1], b); err != nil || got != len(b) {
				return
			}
			if answer(&h) {
				unix.Write(fds[1], b)
			}
		}
	}()
	t.Cleanup(func() {
		n.Close()
		<-done
		unix.Close(fds[1])
	})
	return n
}

func writeChunk(data []byte) *Request {
	return &Request{
		CDB: []byte{0x3b, 0x0e, 0, 0, 0, 0, 0, byte(len(data) >> 8), byte(len(data)), 0}, Out: data,
		Timeout: 2 * time.Hour, Effect: true,
	}
}

// What one command leaves behind is no part of the next one.
func TestCommandsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	var seen []sgIOHdr
	n := fakeSG(t, func(h *sgIOHdr) bool {
		seen = append(seen, *h)
		h.resid = 0
		if h.dxferDirection == dxferFromDev && len(seen) == 1 {
			in := unsafe.Slice((*byte)(h.dxferp), h.dxferLen)
			for i := range in {
				in[i] = 0xaa
			}
		}
		return true
	})
	in := make([]byte, 8)
	read := &Request{CDB: []byte{0x12, 0, 0, 0, 8, 0}, In: in, Timeout: time.Minute}
	if r, err := n.Do(t.Context(), read); err != nil || r.Received != 8 ||
		!bytes.Equal(in, bytes.Repeat([]byte{0xaa}, 8)) {
		t.Errorf("Do(first read) = %+v, %v, % x; want 8 bytes AAh", r, err, in)
	}
	if r, err := n.Do(t.Context(), writeChunk(make([]byte, 4096))); err != nil || r.Received != 0 || r.Untaken != 0 {
		t.Errorf("Do(write) = %+v, %v; want all taken", r, err)
	}
	if r, err := n.Do(t.Context(), read); err != nil || r.Received != 8 || !bytes.Equal(in, make([]byte, 8)) {
		t.Errorf("Do(second read) = %+v, %v, % x; want nothing of the first", r, err, in)
	}
	if len(seen) != 3 || seen[1].dxferDirection != dxferToDev || seen[1].dxferLen != 4096 || seen[1].timeout != 7_200_000 {
		t.Errorf("headers = %+v; want a read, a write of 4096 bytes with two hours, a read", seen)
	}
}

// Impatience gives a command up, and the node with it; a ctx that ends once the answer
// is there gives up nothing.
func TestEndOfContext(t *testing.T) {
	t.Parallel()
	ctx, cancelSilent := context.WithCancel(t.Context())
	silent := fakeSG(t, func(*sgIOHdr) bool {
		cancelSilent()
		return false
	})
	var terr *Error
	_, err := silent.Do(ctx, writeChunk(make([]byte, 4)))
	if !errors.Is(err, ErrAbandoned) || !errors.Is(err, context.Canceled) || !errors.As(err, &terr) || terr.NotSent {
		t.Errorf("Do with a ctx that ends = %v; want ErrAbandoned, perhaps sent", err)
	}
	if _, err := silent.Do(t.Context(), writeChunk(make([]byte, 4))); !errors.As(err, &terr) || !terr.NotSent {
		t.Errorf("Do after an abandoned command = %v; want an error that says it was not sent", err)
	}

	n := fakeSG(t, func(*sgIOHdr) bool { return true })
	ctx, cancel := context.WithCancel(t.Context())
	release := n.endWaitWith(ctx)
	cancel()
	release()
	if r, err := n.Do(t.Context(), writeChunk(make([]byte, 4))); err != nil || r.Status != 0 {
		t.Errorf("Do after another command's ctx has ended = %+v, %v; want GOOD", r, err)
	}

	// It ends after Do has looked at it, and before the write.
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	n.command.prepare(writeChunk(make([]byte, 4)))
	if _, err := n.writeRead(ctx, writeChunk(make([]byte, 4))); err != nil && errors.Is(err, ErrAbandoned) != n.sent {
		t.Errorf("writeRead with a ctx that has ended = %v, sent %v; want ErrAbandoned only if it was sent", err, n.sent)
	}
}

// A node that is open for reading sends by SG_IO, one command after the other in the same
// memory: each has let go of it before its answer is out. The runtime panics, soon enough,
// if it has not.
func TestReadOnlyCommandsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	n := fakeSG(t, func(*sgIOHdr) bool { return true })
	n.access = ReadOnly
	read := &Request{CDB: []byte{0x12, 0, 0, 0, 8, 0}, In: make([]byte, 8), Timeout: time.Minute}
	for range 20_000 {
		if _, err := n.Do(t.Context(), read); !errors.Is(err, unix.ENOTTY) {
			t.Fatalf("Do on a socket = %v; want ENOTTY", err)
		}
	}
}

// BenchmarkCommand is one chunk of 4 KiB from Do to its answer, over a socket in place of
// /dev/sgN. The time is mostly that of two context switches, to a goroutine that answers
// at once and back; the kernel's SCSI layers and the copying of the chunk are not in it.
// The allocations are all of the command's, and there are to be none.
func BenchmarkCommand(b *testing.B) {
	n := fakeSG(b, func(*sgIOHdr) bool { return true })
	ctx, req := context.Background(), writeChunk(make([]byte, 4096))
	b.ReportAllocs()
	for b.Loop() {
		if r, err := n.Do(ctx, req); err != nil || r.Status != 0 {
			b.Fatalf("Do = %+v, %v; want GOOD", r, err)
		}
	}
}

// A chunk that is sent from a buffer that is used again allocates nothing.
func TestCommandAllocatesNothing(t *testing.T) {
	n := fakeSG(t, func(*sgIOHdr) bool { return true })
	ctx, req := context.Background(), writeChunk(make([]byte, 4096))
	if got := testing.AllocsPerRun(200, func() { n.Do(ctx, req) }); got >= 1 {
		t.Errorf("allocations per command = %v; want none", got)
	}
}

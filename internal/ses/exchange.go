package ses

import (
	"context"
	"encoding"
	"fmt"
	"sync"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/transport"
)

const (
	// Some enclosures refuse tiny allocation lengths, some refuse 64 KiB.
	allocation     = 32768
	longAllocation = 65535 // the largest value of the field

	// Page 0Eh has 4,104 bytes at most. It is read after each chunk, and all the room that
	// there is for it is mapped, copied and cleared each time. sg_ses_microcode asks for as many.
	microcodeAllocation = 8192

	busyWait = time.Second
	busyAsks = 30
)

// Receive reads a page and returns as many bytes as the page says that it has.
//
// If another page comes back, the error is an *UnexpectedPageError. While that is page 09h
// (busy), Receive asks again, for up to 30 s. That holds for page 0Eh too: an ESP that was
// busy has not reported its status. Otherwise Receive asks for page 0Eh once, because reading
// it has effects: an error from the device is an *scsi.Error, and the completion code may be
// lost with it.
//
// If a page has more bytes than came back, Receive asks once more with a larger buffer. If
// bytes are still missing, the error is a *ShortPageError.
func Receive(ctx context.Context, t transport.Transport, code PageCode) ([]byte, error) {
	if code == PageDownloadMicrocode {
		return receive(ctx, t, code, microcodeAllocation)
	}
	b, err := receive(ctx, t, code, allocation)
	short, ok := err.(*ShortPageError)
	if ok && short.Received == allocation {
		b, err = receive(ctx, t, code, longAllocation)
	}
	return b, err
}

func receive(ctx context.Context, t transport.Transport, code PageCode, allocation uint16) ([]byte, error) {
	cmd := scsi.ReceiveDiagnosticResults{PageCode: byte(code), AllocationLength: allocation}
	for asked := 1; ; asked++ {
		b, err := scsi.Do(ctx, t, cmd)
		if err != nil {
			return nil, err
		}
		c, err := open(code, b)
		if err == nil {
			return c.b, nil
		}
		if other, ok := err.(*UnexpectedPageError); !ok || other.Got != PageBusy || asked == busyAsks {
			return nil, err
		}
		select {
		case <-time.After(busyWait):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w (stopped waiting: %w)", err, ctx.Err())
		}
	}
}

// pages pools the buffers of pages that were sent. A download sends hundreds.
var pages = sync.Pool{New: func() any { return new([]byte) }}

// Send sends a control page, once. An error from the device is an *scsi.Error.
func Send(ctx context.Context, t transport.Transport, page encoding.BinaryAppender) error {
	buffer := pages.Get().(*[]byte)
	b, err := page.AppendBinary((*buffer)[:0])
	if err != nil {
		return err
	}
	if _, err = scsi.Do(ctx, t, scsi.SendDiagnostic{ParameterList: b}); err == nil {
		*buffer = b
		pages.Put(buffer)
	}
	return err
}

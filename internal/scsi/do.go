package scsi

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fwctl/internal/transport"
)

const (
	// A device that was just reset reports several unit attentions: reset, microcode
	// changed, INQUIRY data changed. More in a row are a storm.
	maxUnitAttentions = 8

	firstBusyWait = 100 * time.Millisecond
	maxBusyWait   = 5 * time.Second
	maxBusyTime   = 30 * time.Second
)

// Do sends a command and returns the bytes that the device sent back.
//
// A status other than GOOD is an *Error, except for a RECOVERED ERROR: the device completed
// that command, though not at the first attempt. The error wraps a *transport.Error if no
// status describes the outcome, and if the device reports success but took only part of
// the data.
//
// A command without an effect is repeated after a unit attention, up to 8 times, and after
// BUSY and TASK SET FULL for up to 30 s. A command with an effect goes out once, whatever
// comes back: collect pending unit attentions with TestUnitReady before sending one.
func Do(ctx context.Context, t transport.Transport, cmd Command) ([]byte, error) {
	req, err := cmd.Request()
	if err != nil {
		return nil, err
	}
	var attentions int
	var waited time.Duration
	for wait := firstBusyWait; ; {
		resp, err := t.Do(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("cannot execute %s: %w", cmd, err)
		}
		status, sense := Status(resp.Status), senseOf(resp)
		if status == Good || sense.recovered() {
			return received(cmd, req, resp)
		}
		failure := &Error{Command: cmd.String(), Status: status, Sense: sense}
		switch {
		case req.Effect:
			return nil, failure
		case failure.Sense.unitAttention() && attentions < maxUnitAttentions:
			attentions++
		case (failure.Status == Busy || failure.Status == TaskSetFull) && waited < maxBusyTime:
			if err := sleep(ctx, wait); err != nil {
				return nil, fmt.Errorf("%w (stopped waiting: %w)", failure, err)
			}
			waited += wait
			wait = min(2*wait, maxBusyWait)
		default:
			return nil, failure
		}
	}
}

// received returns the answer to a command that succeeded, and returns its room to the pool.
func received(cmd Command, req *transport.Request, resp *transport.Response) ([]byte, error) {
	if resp.Untaken > 0 {
		return nil, &transport.Error{
			Op: "send all of", Path: cmd.String(),
			Err: fmt.Errorf("the device took only %d of %d bytes", len(req.Out)-resp.Untaken, len(req.Out)),
		}
	}
	b := slices.Clone(req.In[:max(0, min(resp.Received, len(req.In)))])
	if req.In != nil {
		rooms.Put(&req.In)
	}
	return b, nil
}

// senseOf returns the sense data of a response, or nil if there is none that can be read.
func senseOf(resp *transport.Response) *Sense {
	if Status(resp.Status) != CheckCondition {
		return nil
	}
	sense, err := ParseSense(resp.Sense)
	if err != nil {
		return nil
	}
	return sense
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package download

import "fmt"

// Result is what a device's answers mean for the download.
type Result string

const (
	// GoOn: the next step can follow.
	GoOn Result = ""
	// Refused: the device does not take the image, or could not be read. Nothing was sent.
	Refused Result = "refused"
	// Stale: likewise, because the device has changed since the download was planned.
	Stale Result = "stale"
	// InUse: likewise, because someone else, or an earlier run, is writing to the enclosure.
	InUse Result = "in use"
	// ModeRefused: the device does not take the download's mode, and took nothing.
	ModeRefused Result = "mode refused"
	// NotTaken: the device did not carry out a chunk for a reason that passes.
	NotTaken Result = "not taken"
	// Disturbed: all of the download is lost or in doubt, because the device was reset
	// or the enclosure has changed.
	Disturbed Result = "disturbed"
	// PartHeld: the device waits for more of an image that an earlier run has sent.
	PartHeld Result = "part held"
	// Withdrawn: the download was broken off between two chunks, as its caller asked.
	Withdrawn Result = "withdrawn"
	// Sent: the device has all of the image, or may have. Finish finds out.
	Sent Result = "sent"
	// StartOver: the device holds no part of the image, which can be sent again.
	StartOver Result = "start over"
	// Discarded: the device has discarded what it had of the image, or has no command for that.
	Discarded Result = "discarded"
	// Deferred: the image is complete, and dormant.
	Deferred Result = "deferred"
	// Starting: the image is complete, and the device starts it by itself.
	Starting Result = "starting"
	// Restarting: the device took, or may have taken, the command that starts what it holds.
	Restarting Result = "restarting"
	// Failed: the download or activation has failed, and what the device runs is known.
	Failed Result = "failed"
	// Lost: what the device runs or holds is unknown.
	Lost Result = "lost"
)

// Holding is what a device holds of an image when it is left.
type Holding string

const (
	// NotSaid: the device has not said, or a reset is safe by what it said.
	NotSaid Holding = ""
	// Nothing: no image in it waits for its activation.
	Nothing Holding = "nothing"
	// Part: it has a part of this image, and waits for more.
	Part Holding = "part"
	// Spoiled: it had a part or all of this image, and that is no good. A mode that overwrites
	// what the device would start from may have done so.
	Spoiled Holding = "spoiled"
	// NeedsImage: it must get a whole image before a reset or power loss (status 83h).
	NeedsImage Holding = "needs image"
	// Unclear: it may hold all or a part of this image, and does not say which. It counts
	// as Spoiled, too.
	Unclear Holding = "unclear"
	// Another: it waits for more of an image, but not for the next byte of this one. It has
	// restarted since, so it has something to start from.
	Another Holding = "another"
)

// Outcome is how a download, or a part of one, ended. The zero value means: go on.
type Outcome struct {
	Result Result
	// Holds is for Failed, Lost, Discarded, and what was refused before it began.
	Holds  Holding
	Reason string
	// Revision is what the component was found to run, "" if it was not read.
	Revision string
	// Confirmed: the device itself said Deferred or Starting.
	Confirmed bool
	// StartsByPower: mode 0Fh does not start the image that is staged.
	StartsByPower bool
	// MayHaveTaken: the chunk was not answered, or with an error that leaves open whether the
	// device took it.
	MayHaveTaken bool
}

func refused(format string, args ...any) Outcome {
	return Outcome{Result: Refused, Reason: fmt.Sprintf(format, args...)}
}

func inUse(format string, args ...any) Outcome {
	return Outcome{Result: InUse, Reason: fmt.Sprintf(format, args...)}
}

func failed(holds Holding, format string, args ...any) Outcome {
	return Outcome{Result: Failed, Holds: holds, Reason: fmt.Sprintf(format, args...)}
}

func lost(format string, args ...any) Outcome {
	return Outcome{Result: Lost, Reason: fmt.Sprintf(format, args...)}
}

// complete returns the outcome on an image that the device says is complete.
func complete(result Result, reason string) Outcome {
	return Outcome{Result: result, Reason: reason, Confirmed: true}
}

// inFlight returns the outcome for a component that holds an image already: the word refused
// is for components that nothing was done to.
func (o Outcome) inFlight() Outcome {
	if o.Result == Refused || o.Result == Stale || o.Result == InUse {
		o.Result = Failed
	}
	return o
}

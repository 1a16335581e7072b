package step

// Refusal says why a component, or a whole run, was refused.
type Refusal string

const (
	// RefusedStale: the devices are not as the plan expects them. A new plan is needed.
	RefusedStale Refusal = "stale"
	// RefusedUnread: a device could not be compared with the plan. That has to be put right first.
	RefusedUnread Refusal = "unread"
	// RefusedInUse: someone else is working on it. The same plan can be applied later.
	RefusedInUse Refusal = "in-use"
	// RefusedDisruption: I/O may stop at a component, and no one accepted that.
	RefusedDisruption Refusal = "disruption"
	// RefusedWrongHost: the plan is for other machines.
	RefusedWrongHost Refusal = "wrong-host"
	// RefusedGate: a reset that was permitted when the plan was made no longer is, because the
	// use of the drives has changed.
	RefusedGate Refusal = "gate"
	// RefusedOrder: a wave has to come first that the run is not for, here or on another host.
	RefusedOrder Refusal = "order"
	// RefusedWindow: a maintenance window is closed, or closes too soon. The same plan can be
	// applied later.
	RefusedWindow Refusal = "window"
	// RefusedUnfinished: an earlier run was killed in the middle of its work there, and has to
	// be resumed.
	RefusedUnfinished Refusal = "unfinished"
)

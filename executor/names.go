package executor

import "fwctl/executor/result"

// What a run says of itself, by the names that this package has for it.
type (
	Event      = result.Event
	EventType  = result.EventType
	Outcome    = result.Outcome
	RunOutcome = result.RunOutcome
	Refusal    = result.Refusal
	Result     = result.Result
	Finding    = result.Finding
	Comparison = result.Comparison
	Decline    = result.Decline
	Unsettled  = result.Unsettled
	Settled    = result.Settled
	Found      = result.Found
	StepResult = result.Step
)

const (
	EventRecovered    = result.EventRecovered
	EventChecking     = result.EventChecking
	EventWave         = result.EventWave
	EventWindow       = result.EventWindow
	EventSoaking      = result.EventSoaking
	EventPowerCycle   = result.EventPowerCycle
	EventStarted      = result.EventStarted
	EventProgress     = result.EventProgress
	EventRefusedMode  = result.EventRefusedMode
	EventHook         = result.EventHook
	EventHookEnded    = result.EventHookEnded
	EventNoticed      = result.EventNoticed
	EventStaged       = result.EventStaged
	EventActivating   = result.EventActivating
	EventWaiting      = result.EventWaiting
	EventVerified     = result.EventVerified
	EventFinished     = result.EventFinished
	OutcomeStaged     = result.OutcomeStaged
	OutcomeUpdated    = result.OutcomeUpdated
	OutcomeUnchanged  = result.OutcomeUnchanged
	OutcomeFailed     = result.OutcomeFailed
	OutcomeRefused    = result.OutcomeRefused
	OutcomeSkipped    = result.OutcomeSkipped
	OutcomeUnknown    = result.OutcomeUnknown
	OutcomeReady      = result.OutcomeReady
	RunDone           = result.RunDone
	RunStopped        = result.RunStopped
	RunRefused        = result.RunRefused
	RunFailed         = result.RunFailed
	RunUnknown        = result.RunUnknown
	RunInterrupted    = result.RunInterrupted
	RefusedStale      = result.RefusedStale
	RefusedUnread     = result.RefusedUnread
	RefusedInUse      = result.RefusedInUse
	RefusedDisruption = result.RefusedDisruption
	RefusedWrongHost  = result.RefusedWrongHost
	RefusedGate       = result.RefusedGate
	RefusedOrder      = result.RefusedOrder
	RefusedWindow     = result.RefusedWindow
	RefusedUnfinished = result.RefusedUnfinished
)

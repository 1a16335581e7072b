package verify

import (
	"fmt"

	"fwctl/executor/result"
	"fwctl/internal/state"
	"fwctl/inventory"
)

// judge returns what became of the image that a component held staged. waits: the device says that deferred microcode
// waits. cycled: the component was power-cycled or reset since.
func judge(sub *inventory.Subenclosure, s state.StagedRecord, waits, cycled bool) result.Finding {
	f := finding(sub.Address, s)
	f.Revision = sub.Revision
	switch {
	case sub.Revision != s.Running && (sub.Revision == s.Revision || s.Revision == ""):
		f.Outcome, f.Confirmed = state.Running, true
	case sub.Revision != s.Running:
		f.Outcome, f.Reason = state.Lost, fmt.Sprintf(
			"it runs %s, which is neither what it ran (%s) nor what was staged: someone else has updated it",
			sub.Revision, s.Running,
		)
	case waits:
		f.Outcome, f.Reason = state.Waiting, "the device says that deferred microcode waits for its activation"
	case cycled && s.Revision == "":
		f.Outcome = state.Running
		f.Reason = "it has been power-cycled or reset; the desired state names no revision for the image, and it " +
			"reports the same before and after, so it is unknown which image it runs"
	case cycled && s.Revision == s.Running:
		f.Outcome = state.Running
		f.Reason = "it has been power-cycled or reset; the revision is the same before and after, and does not show " +
			"which image it runs"
	case cycled:
		f.Outcome, f.Reason = state.Lost, fmt.Sprintf(
			"it has been power-cycled or reset and still runs %s: download it again", s.Running,
		)
	default:
		f.Outcome, f.Reason = state.Waiting, fmt.Sprintf(
			"it still runs %s, and nothing shows a power cycle since; if there was one, say so with --power-cycled %s",
			s.Running, sub.Address,
		)
	}
	return f
}

// finding returns what the record of a staged image says.
func finding(address string, s state.StagedRecord) result.Finding {
	return result.Finding{
		Address: address, SHA256: s.SHA256, Wanted: s.Revision, StagedSince: s.Since, StagedBy: s.By,
	}
}

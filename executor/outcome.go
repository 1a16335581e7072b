package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fwctl/internal/download"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// verdict is what the device's answers mean to a step.
type verdict struct {
	trigger     Trigger
	reason      string
	confirmed   bool    // the device's own word
	powerOnly   bool    // mode 0Fh does not start what is staged
	needsPerson bool    // it must not lose power now
	unstaged    bool    // it holds nothing staged
	half        bool    // it has a part of this download, and waits for more
	inDoubt     bool    // the chunk was not answered, or with an error, so that it may have been taken
	unclear     bool    // it may hold all or a part of an image, and does not say which
	discarded   bool    // it had a part or all of this download, and says no more than that it is not good
	revision    string  // that was read on the way, "" where none was
	refusal     Refusal // with Stale and Refuse
}

// halfTaken is the verdict on a download that a killed run has left half done. What
// follows is for the caller to say, so the step machine never sees it.
const halfTaken Trigger = "half taken"

var triggers = map[download.Result]Trigger{
	download.GoOn:       "",
	download.Refused:    Refuse,
	download.Stale:      Refuse,
	download.InUse:      Refuse,
	download.PartHeld:   halfTaken,
	download.Sent:       SentAll,
	download.StartOver:  StartOver,
	download.Discarded:  Abort,
	download.Deferred:   Defer,
	download.Starting:   Start,
	download.Restarting: Restart,
	download.Failed:     Fail,
	download.Lost:       Lose,
}

// verdictOf is what the outcome of a download means to a step.
func verdictOf(o download.Outcome) verdict {
	trigger, ok := triggers[o.Result]
	if !ok {
		// What follows is for the caller of Send to say: it must not come here.
		trigger = Lose
	}
	v := verdict{
		trigger: trigger, reason: o.Reason, revision: o.Revision,
		confirmed: o.Confirmed, powerOnly: o.StartsByPower, inDoubt: o.MayHaveTaken,
	}
	switch o.Result {
	case download.Stale:
		v.refusal = RefusedStale
	case download.InUse:
		v.refusal = RefusedInUse
	}
	switch o.Holds {
	case download.Nothing:
		v.unstaged, v.discarded = true, true
	case download.Part:
		v.half = true
	case download.Spoiled:
		v.discarded = true
	case download.NeedsImage:
		v.needsPerson = true
	case download.Unclear:
		v.unclear, v.discarded = true, o.MayHaveTaken
	case download.Another:
		v.unclear = true
	}
	return v
}

// inFlight is a verdict on a step that cannot be refused any more.
func (v verdict) inFlight() verdict {
	if v.trigger == Refuse {
		v.trigger = Fail
	}
	return v
}

// modeOf is a mode as a download has it.
func modeOf(m plan.Mode) download.Mode {
	if m == plan.Mode7 {
		return download.Mode7
	}
	return download.ModeE
}

// changeOf is what a hop does to the revision that its component reports.
func changeOf(hop plan.Hop) download.Change {
	return download.Change{From: hop.From, To: hop.To, Unversioned: hop.Unversioned}
}

// arrived reports whether a component runs what a hop brings, as far as its revision tells.
func arrived(hop plan.Hop, revision string) bool { return changeOf(hop).Made(revision) }

// spec is what the step's component takes next, and how.
func (s *stepRun) spec() download.Spec {
	hop := s.current()
	spec := download.Spec{
		Component: download.Component{
			LUID: s.step.LUID, Subenclosure: s.step.Subenclosure, Address: s.step.Address,
		},
		Change:           changeOf(hop),
		Mode:             modeOf(s.mode),
		Defers:           hop.Defers(s.mode),
		Size:             hop.Image.Size,
		ChunkSize:        hop.ChunkSize,
		BufferID:         hop.BufferID,
		FlashTimeout:     time.Duration(hop.FlashTimeout),
		Settle:           time.Duration(hop.Settle),
		ReturnTimeout:    time.Duration(hop.ReturnTimeout),
		PeerSync:         time.Duration(hop.PeerSync),
		SkipMidwayStatus: slices.Contains(hop.SkipStatus, plan.MidwayStatus),
		SkipLastStatus:   slices.Contains(hop.SkipStatus, plan.LastStatus),
		RefusedMode:      string(hop.RefusedMode),
		Resends:          s.owing,
	}
	if hop.Protocol == plan.WriteBuffer {
		spec.Protocol = download.ByWriteBuffer
	}
	// newRun has seen that it can be read.
	spec.ActivationPage, _ = hop.ActivationPageBytes()
	return spec
}

// newDownload is the way in which a step's component takes its hop's image, in its mode.
// e is a reading of the enclosure that has the component.
func (r *run) newDownload(held *enclosure.Held, e *inventory.Enclosure, s *stepRun) *download.Download {
	ctx := context.WithoutCancel(r.until)
	notice := func(reason string) { r.event(s.about(Event{Type: EventNoticed, Reason: reason})) }
	return download.New(held, e, s.spec(), download.Caller{
		Notice: notice,
		MayHold: func(c download.Component) bool {
			cautions, err := r.Store.Cautions(ctx)
			return err == nil && slices.ContainsFunc(cautions, func(known state.Caution) bool {
				return (known.Kind == state.Unclear || known.Kind == state.NeedsImage) &&
					(known.Key == componentKey(c) || known.Address == c.Address)
			})
		},
		HasStarted: func(c download.Component) bool {
			return slices.ContainsFunc(r.steps, func(other *stepRun) bool { return other.key == componentKey(c) && other.restarted })
		},
		NeedsImage: func(c download.Component, detail string) {
			s.needsImage = s.needsImage || componentKey(c) == s.key
			remember := func(tx *state.Tx) { tx.NeedsImage(componentKey(c), c.Address, detail, time.Now()) }
			if err := r.Store.Update(ctx, remember); err != nil {
				notice(fmt.Sprintf("%s needs a whole image, which cannot be recorded: %v", c.Address, err))
			}
		},
	})
}

func componentKey(c download.Component) state.Key {
	return state.Key{LUID: c.LUID, Subenclosure: c.Subenclosure}
}

package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fwctl/executor/result"
	"fwctl/executor/step"
	"fwctl/internal/download"
	"fwctl/internal/enclosure"
	"fwctl/internal/state"
	"fwctl/inventory"
	"fwctl/plan"
)

// kinds are the events of the outcomes that end something. The caller of the download
// decides on the others.
var kinds = map[download.Result]step.Kind{
	download.Refused:    step.Refuse,
	download.Stale:      step.Refuse,
	download.InUse:      step.Refuse,
	download.Sent:       step.AllSent,
	download.StartOver:  step.HoldsNone,
	download.Discarded:  step.HoldsNone,
	download.Deferred:   step.Defer,
	download.Starting:   step.Start,
	download.Restarting: step.Restart,
	download.Failed:     step.Fail,
	download.Lost:       step.Lose,
}

var devices = map[download.Holding]step.Device{
	download.Nothing:    step.Empty,
	download.Spoiled:    step.Broken,
	download.NeedsImage: step.Needy,
	download.Unclear:    step.Doubtful,
	download.Another:    step.Another,
}

var refusals = map[download.Result]step.Refusal{
	download.Stale: step.RefusedStale,
	download.InUse: step.RefusedInUse,
}

// event returns what the outcome of a download means to a component. taken: the device may
// have got a part of this download.
func (c *component) event(o download.Outcome, taken bool) step.Event {
	kind, ok := kinds[o.Result]
	if !ok {
		kind = step.Lose
	}
	if kind == step.Refuse && c.is.Touched { // refused is said only of what got nothing
		kind = step.Fail
	}
	return step.Event{
		Kind: kind, Reason: o.Reason, Revision: o.Revision, Confirmed: o.Confirmed, PowerOnly: o.StartsByPower,
		Taken: taken || o.MayHaveTaken, Device: devices[o.Holds], Refusal: refusals[o.Result],
	}
}

// changeOf returns what a hop does to the revision that its component reports.
func changeOf(hop *plan.Hop) download.Change {
	return download.Change{From: hop.From, To: hop.To, Unversioned: hop.Unversioned}
}

// arrived reports whether a component runs the image of a hop, as far as its revision shows.
func arrived(hop *plan.Hop, revision string) bool { return changeOf(hop).Made(revision) }

// modeOf returns a mode as package download has it.
func modeOf(m plan.Mode) download.Mode {
	if m == plan.Mode7 {
		return download.Mode7
	}
	return download.ModeE
}

// spec returns the image that the component takes next by a mode, and how it takes it.
func (c *component) spec(mode plan.Mode) download.Spec {
	hop := c.hop()
	spec := download.Spec{
		Component: download.Component{
			LUID: c.step.LUID, Subenclosure: c.step.Subenclosure, Address: c.step.Address,
		},
		Change:           changeOf(hop),
		Mode:             modeOf(mode),
		Defers:           hop.Defers(mode),
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
		Resends:          c.is.MayBeHalfSent(c.step),
	}
	if hop.Protocol == plan.WriteBuffer {
		spec.Protocol = download.ByWriteBuffer
	}
	spec.ActivationPage, _ = hop.ActivationPageBytes() // validate has checked it
	return spec
}

// newDownload returns a download of a hop's image to its component by a mode. e is a
// reading of the component's enclosure.
func (r *run) newDownload(
	held *enclosure.Held,
	e *inventory.Enclosure,
	c *component,
	mode plan.Mode,
) *download.Download {
	ctx := context.WithoutCancel(r.until)
	notice := func(reason string) { r.event(c.about(result.Event{Type: result.EventNoticed, Reason: reason})) }
	return download.New(held, e, c.spec(mode), download.Caller{
		Notice: notice,
		MayHold: func(d download.Component) bool {
			cautions, err := r.Store.Cautions(ctx)
			return err == nil && slices.ContainsFunc(cautions, func(known state.CautionRecord) bool {
				return known.Kind.NeedsPerson() && known.About(componentKey(d), d.Address)
			})
		},
		HasStarted: func(d download.Component) bool {
			return slices.ContainsFunc(r.components, func(other *component) bool {
				return other.key == componentKey(d) && other.is.Restarted
			})
		},
		NeedsImage: func(d download.Component, detail string) {
			if componentKey(d) == c.key && c.is.Damage == step.Sound {
				is := c.is
				is.Damage = step.NeedsImage
				r.set(c, is)
			}
			remember := func(tx *state.Tx) { tx.NeedsImage(componentKey(d), d.Address, detail, time.Now()) }
			if err := r.Store.Update(ctx, remember); err != nil {
				notice(fmt.Sprintf("%s needs a whole image, and that cannot be recorded: %v", d.Address, err))
			}
		},
	})
}

func componentKey(c download.Component) state.Key {
	return state.Key{LUID: c.LUID, Subenclosure: c.Subenclosure}
}

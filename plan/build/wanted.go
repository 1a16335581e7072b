package build

import (
	"cmp"
	"fmt"
	"time"

	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
)

// wanted is a goal for one component.
type wanted struct {
	*goal
	fleet.Component
	rule  desired.ActivationRule
	sizes map[string]int64 // bytes, by SHA-256
	reset plan.GateResult  // whether a reset is permitted

	bystander  bool // a reset is not permitted because of what it would start beside the component
	again      bool // memory alone does not make it up to date
	needsImage bool // whatever revision it reports
}

// activation returns the rule for the image's part, with all values filled in.
func (w *wanted) activation() desired.ActivationRule {
	part, model := w.model.Parts[w.image.Part].Activation, w.model.Activation
	return desired.ActivationRule{
		By:            cmp.Or(part.By, model.By, w.quirk(w.Sub.Revision).Activation.By, plan.ByModeF),
		Scope:         cmp.Or(part.Scope, model.Scope, desired.ESPScope),
		Settle:        cmp.Or(part.Settle, model.Settle, w.quirk(w.Sub.Revision).Settle, defaultSettle),
		ReturnTimeout: cmp.Or(part.ReturnTimeout, model.ReturnTimeout, defaultReturnTimeout),
	}
}

// bufferID returns the buffer that an image goes to.
func (w *wanted) bufferID(i desired.ModelImage) int {
	return cmp.Or(i.BufferID, w.model.Download.BufferID)
}

// otherImageRuns reports whether the component reports the wanted revision, but took it
// from another image.
func (w *wanted) otherImageRuns() bool {
	return !w.image.NoVersion && w.Sub.Revision == w.image.Revision && w.Sub.Sent != nil &&
		w.Sub.Sent.SHA256 != w.image.SHA256
}

// upToDate reports whether the component runs the wanted image, as far as is known: it reports
// the image's revision, and its host does not remember another image there. If an image starts
// at its own revision, the revision says nothing: the host has to remember that very image.
func (w *wanted) upToDate() bool {
	switch {
	case w.image.NoVersion:
		sent := w.Sub.Behind(w.bufferID(w.image))
		return !w.again && sent != nil && sent.SHA256 == w.image.SHA256 && !w.needsImage
	case w.image.Revision == "" || w.Sub.Revision != w.image.Revision || w.needsImage:
		return false
	case w.image.StartsAtItself():
		return w.Sub.Sent != nil && w.Sub.Sent.SHA256 == w.image.SHA256
	}
	return !w.otherImageRuns()
}

// rollback returns the first image by name that brings a revision back once the wanted one
// runs; for a part that reports no revision, the image that is remembered there.
func (w *wanted) rollback(revision string) string {
	for _, name := range w.images {
		if w.image.NoVersion {
			i, sent := w.model.Images[name], w.Sub.Behind(w.bufferID(w.image))
			if sent != nil && i.SHA256 == sent.SHA256 && i.SHA256 != w.image.SHA256 {
				return name
			}
			continue
		}
		if i := w.model.Images[name]; !i.NoVersion && i.Revision == revision && i.SHA256 != w.image.SHA256 &&
			i.StartsAt(w.image.Revision) {
			return name
		}
	}
	return ""
}

// memoryReason returns what its host remembers of a part that reports no revision.
func (w *wanted) memoryReason() string {
	at := fmt.Sprintf("what is behind buffer %d reports no revision", w.bufferID(w.image))
	sent := w.Sub.Behind(w.bufferID(w.image))
	if sent == nil {
		return fmt.Sprintf("%s, and %s does not remember having sent it anything", at, w.ESP.Host)
	}
	return fmt.Sprintf(
		"%s: %s remembers having sent it image %.8s on %s",
		at,
		w.ESP.Host,
		sent.SHA256,
		sent.At.UTC().Format(time.DateOnly),
	)
}

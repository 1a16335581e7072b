package build

import (
	"cmp"
	"fmt"
	"strings"

	"fwctl/plan"
	"fwctl/plan/desired"
)

// hop returns the download of one image of the model. The image is left staged if a mode
// defers it.
func (w *wanted) hop(from, name string) plan.Hop {
	i, download, q := w.model.Images[name], w.model.Download, w.quirk(from)
	return plan.Hop{
		From:          from,
		To:            i.Revision,
		Image:         plan.ImageRef{Name: name, SHA256: i.SHA256, Size: w.sizes[i.SHA256]},
		Modes:         w.modes(from, i),
		Protocol:      w.protocol(),
		ChunkSize:     cmp.Or(download.ChunkSize, q.ChunkSize, defaultChunkSize),
		BufferID:      w.bufferID(i),
		Unversioned:   i.NoVersion,
		Activation:    plan.Manual,
		ActivateBy:    w.rule.By,
		Mode7Defers:   w.mode7Defers(i),
		FlashTimeout:  cmp.Or(download.FlashTimeout, defaultFlashTimeout),
		Settle:        max(w.rule.Settle, q.PeerSync), // who reads it sooner sees one that its peer may yet replace
		ReturnTimeout: w.rule.ReturnTimeout,

		SkipStatus:          q.SkipStatus,
		RefusedMode:         q.RefusedMode,
		ActivationPage:      w.activationPage(q),
		ActivateUnconfirmed: q.ActivateUnconfirmed,
		PeerSync:            q.PeerSync,
	}
}

// hops returns the part of a chain that one apply does, and the part that is left for later: a
// hop that only a power cycle starts, or that must not be started, ends the apply. why says
// what is left out.
func (w *wanted) hops(chain []string) (hops, later []plan.Hop, why string) {
	from := w.Sub.Revision
	for n, name := range chain {
		h := w.hop(from, name)
		from = h.To
		if n == len(chain)-1 {
			why = w.finish(&h, n == 0)
			return append(hops, h), nil, why
		}
		if !w.carriesOn(&h) {
			later = w.laterHops(from, chain[n+1:])
			cause := "only a power cycle starts it"
			if w.denied() != "" {
				cause = w.denied()
			}
			return append(hops, h), later, fmt.Sprintf("one apply ends with %s staged: %s; then %s", h.To, cause,
				describeLater(later))
		}
		hops = append(hops, h)
	}
	return hops, nil, ""
}

// carriesOn makes the same apply start a hop, so that another can follow. It returns false if
// only a power cycle starts it, or no reset is permitted.
func (w *wanted) carriesOn(h *plan.Hop) bool {
	switch {
	case w.denied() != "":
		return false
	case w.rule.By == plan.ByModeF && (h.Modes[0] == plan.Mode7 || !w.lacksActivation(h.From)):
		h.Activation = plan.WithApply
		return true
	}
	return !h.Defers(h.Modes[0])
}

// finish decides what becomes of the last hop of a chain. If it is the only one, it can wait,
// staged, for a person's power cycle.
func (w *wanted) finish(h *plan.Hop, only bool) (why string) {
	switch {
	case w.rule.By == plan.ByModeF && w.denied() == "":
		h.Activation = w.policy.Activate
	case only && h.Defers(h.Modes[0]) && w.policy.Activate == plan.WithApply &&
		w.rule.Scope == desired.EnclosureScope && w.denied() == "":
		h.Activation, h.Modes = plan.WithApply, h.Deferring()
	}
	if w.denied() != "" && (w.policy.Reset != plan.ResetNever || w.policy.Activate == plan.WithApply) {
		why = "no reset, it is left staged: " + w.denied()
	}
	return why
}

// laterHops returns hops that another plan decides on.
func (w *wanted) laterHops(from string, chain []string) []plan.Hop {
	var later []plan.Hop
	for _, name := range chain {
		h := w.hop(from, name)
		h.Modes = inOrder(w.model.Images[name].Modes)
		later = append(later, h)
		from = h.To
	}
	return later
}

// describeLater names what later hops lead to: 1050 (iom-1050), 1100 (iom-1100).
func describeLater(later []plan.Hop) string {
	words := make([]string, len(later))
	for i, h := range later {
		words[i] = fmt.Sprintf("%s (%s)", h.To, h.Image.Name)
	}
	return strings.Join(words, ", ")
}

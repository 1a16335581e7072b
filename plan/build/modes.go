package build

import (
	"fmt"
	"slices"
	"strings"

	"fwctl/plan"
	"fwctl/plan/desired"
)

// writeBufferLimit is what WRITE BUFFER can address: its offset has 24 bits.
const writeBufferLimit = 16 << 20

// quirk returns the row of the quirk table for the ESP when the component runs a revision.
func (w *wanted) quirk(from string) *desired.Quirk {
	p := w.Primary()
	return w.quirks.of(p.Vendor, p.Product, w.primaryAt(from))
}

// primaryAt returns the revision that the ESP runs when the component runs a revision.
func (w *wanted) primaryAt(from string) string {
	if w.Sub.ID == 0 {
		return from
	}
	return w.Primary().Revision
}

// protocol returns how the ESP takes images. By default (auto) that is page 0Eh if the ESP
// lists it: the page reports how a download ended, has an abort and knows subenclosures. Else
// it is WRITE BUFFER, unless the ESP says that it knows neither mode 0Eh nor 07h. An ESP that
// does not say (no REPORT SUPPORTED OPERATION CODES) is tried: a refusal at the first chunk
// leaves no trace.
func (w *wanted) protocol() plan.Protocol {
	switch {
	case w.model.Download.Protocol == plan.SES, w.model.Download.Protocol == plan.WriteBuffer:
		return w.model.Download.Protocol
	case w.ESP.Download.SESPage:
		return plan.SES
	}
	return plan.WriteBuffer
}

// lacks reports whether the ESP is known not to take a WRITE BUFFER mode, two hex digits.
func (w *wanted) lacks(mode string) bool {
	return w.protocol() == plan.WriteBuffer && w.ESP.Download.WriteBufferModes != nil &&
		!slices.Contains(w.ESP.Download.WriteBufferModes, mode)
}

// takesModeE reports whether the ESP is not known to refuse mode e at a revision.
func (w *wanted) takesModeE(from string) bool {
	q := w.quirk(from)
	return !w.lacks("0e") && q.TakesModeE(w.primaryAt(from))
}

// modes returns those of an image that the policy permits and the ESP is not known
// to lack at the revision that the image starts from, in the order that they are tried in.
func (w *wanted) modes(from string, i desired.ModelImage) []plan.Mode {
	return slices.DeleteFunc(inOrder(i.Modes), func(m plan.Mode) bool {
		if m == plan.ModeE {
			return !w.takesModeE(from)
		}
		return w.lacks("07") || !w.mode7Defers(i) && w.denied() != ""
	})
}

// inOrder returns an image's modes in the order that they are tried in, however the file
// lists them: mode e resets nothing.
func inOrder(modes []plan.Mode) []plan.Mode {
	return slices.DeleteFunc([]plan.Mode{plan.ModeE, plan.Mode7},
		func(m plan.Mode) bool { return !slices.Contains(modes, m) })
}

// mode7Defers reports whether mode 7 leaves an image dormant: the model says that only a power
// cycle starts images, and the image goes by mode 7 alone (Dell MD1200). If the image also goes
// by mode e, the model's word is about that mode, and mode 7 counts as one that resets.
func (w *wanted) mode7Defers(i desired.ModelImage) bool {
	return w.rule.By == plan.ByPowerCycle && !slices.Contains(i.Modes, plan.ModeE)
}

// defers reports whether one of the modes by which an image may be sent at a revision leaves it
// dormant.
func (w *wanted) defers(from string, i desired.ModelImage) bool {
	h := plan.Hop{Modes: w.modes(from, i), Mode7Defers: w.mode7Defers(i)}
	return h.MayDefer()
}

// activationPage returns the page that a quirk sends in place of mode 0Fh, "" if mode 0Fh or a
// power cycle starts deferred microcode.
func (w *wanted) activationPage(q *desired.Quirk) string {
	if w.rule.By == plan.ByPowerCycle {
		return ""
	}
	return strings.ToLower(q.Activation.Page)
}

// lacksActivation reports whether the ESP is known to take no command that starts deferred
// microcode at a revision.
func (w *wanted) lacksActivation(from string) bool {
	return w.lacks("0f") && w.activationPage(w.quirk(from)) == ""
}

// hopReasons returns why an image cannot be sent to the component at a revision. The gate
// judges whether the model's order permits it.
func (w *wanted) hopReasons(from string, i desired.ModelImage) []string {
	reasons := []string{w.modeReason(from, i)}
	if w.protocol() == plan.WriteBuffer {
		if w.Sub.ID != 0 && w.bufferID(i) == 0 {
			reasons = append(reasons,
				fmt.Sprintf("WRITE BUFFER does not address subenclosures, only buffers: download.bufferID has to say "+
					"which one is subenclosure %d", w.Sub.ID))
		}
		if size := w.sizes[i.SHA256]; size > writeBufferLimit {
			reasons = append(reasons, fmt.Sprintf("image %s has %d bytes; WRITE BUFFER addresses %d at most",
				w.nameOf(i), size, writeBufferLimit))
		}
	}
	return slices.DeleteFunc(reasons, func(r string) bool { return r == "" })
}

// modeReason returns why there is no mode to send an image by at a revision, "" if
// there is one.
func (w *wanted) modeReason(from string, i desired.ModelImage) string {
	if w.protocol() == plan.SES && !w.ESP.Download.SESPage {
		return "the model says protocol ses, and the ESP does not list page 0Eh"
	}
	if len(w.modes(from, i)) > 0 {
		return ""
	}
	q := w.quirk(from)
	atThis := q.TakesModeE(w.primaryAt(from))
	permitted := *w
	permitted.reset = plan.GateResult{}
	switch {
	case !atThis && !slices.Contains(i.Modes, plan.Mode7):
		return fmt.Sprintf("the device takes mode e only at %s (quirk %s), and image %s supports no other",
			strings.Join(q.ModeE, " or "), q.Name, w.nameOf(i))
	case len(permitted.modes(from, i)) > 0:
		if slices.Contains(i.Modes, plan.ModeE) && !atThis {
			return fmt.Sprintf("the device takes mode e only at %s (quirk %s); there is mode 7, which resets the I/O "+
				"module, and %s", strings.Join(q.ModeE, " or "), q.Name, w.denied())
		}
		if slices.Contains(i.Modes, plan.ModeE) {
			return "the ESP does not take mode e by WRITE BUFFER; there is mode 7, which resets the I/O " +
				"module, and " + w.denied()
		}
		return fmt.Sprintf("image %s supports mode 7 only, which resets the I/O module, and %s", w.nameOf(i),
			w.denied())
	case w.lacks("07") && w.lacks("0e"):
		return "the ESP takes no firmware: it lists neither page 0Eh nor WRITE BUFFER modes 07h and 0Eh"
	}
	return fmt.Sprintf("the ESP does not take WRITE BUFFER mode %s, and image %s supports no other",
		joinModes(i.Modes), w.nameOf(i))
}

func joinModes(modes []plan.Mode) string {
	words := make([]string, len(modes))
	for i, m := range modes {
		words[i] = string(m)
	}
	return strings.Join(words, " or ")
}

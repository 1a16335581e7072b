package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// writeBufferLimit is what WRITE BUFFER can address: its offset has 24 bits.
const writeBufferLimit = 16 << 20

// wanted is the image that a component should run, and what may be done for it.
type wanted struct {
	name   string
	image  ModelImage
	model  Model
	policy Policy
}

// activation is the rule for the image's part, with nothing left open.
func (w *wanted) activation(c component) ActivationRule {
	part, model := w.model.Parts[w.image.Part].Activation, w.model.Activation
	return ActivationRule{
		By:            cmp.Or(part.By, model.By, ByModeF),
		Scope:         cmp.Or(part.Scope, model.Scope, ESPScope),
		Settle:        cmp.Or(part.Settle, model.Settle, w.quirk(c).Settle, defaultSettle),
		ReturnTimeout: cmp.Or(part.ReturnTimeout, model.ReturnTimeout, defaultReturnTimeout),
	}
}

func (w *wanted) quirk(c component) quirk {
	p := c.primary()
	return quirkOf(p.Vendor, p.Product, p.Revision)
}

// protocol is the way that the ESP takes the image. By itself (auto) that is
// page 0Eh where the ESP lists it: it has an end that is told, an abort, and
// subenclosures. Else it is WRITE BUFFER, unless the ESP says that it knows
// neither mode 0Eh nor 07h; one that cannot tell (no REPORT SUPPORTED OPERATION
// CODES) is tried, and a refusal at the first chunk leaves no trace.
func (w *wanted) protocol(c component) Protocol {
	switch {
	case w.model.Download.Protocol == SES, w.model.Download.Protocol == WriteBuffer:
		return w.model.Download.Protocol
	case c.esp.Download.SESPage:
		return SES
	}
	return WriteBuffer
}

// lacks tells whether the ESP is known not to take a WRITE BUFFER mode, two hex digits.
func lacks(c component, mode string) bool {
	return c.esp.Download.WriteBufferModes != nil && !slices.Contains(c.esp.Download.WriteBufferModes, mode)
}

// modes are those of the image that the policy permits and the ESP is not known
// to lack, mode e first: it resets nothing.
func (w *wanted) modes(c component) []Mode {
	modes := []Mode{}
	known := func(code string) bool { return w.protocol(c) == SES || !lacks(c, code) }
	if slices.Contains(w.image.Modes, ModeE) && known("0e") {
		modes = append(modes, ModeE)
	}
	if slices.Contains(w.image.Modes, Mode7) && known("07") && w.policy.Reset == ResetAlways {
		modes = append(modes, Mode7)
	}
	return modes
}

// hop is the download of the image. Where only a power cycle starts it, nothing
// is activated by apply.
func (w *wanted) hop(c component, size int64) Hop {
	rule, download := w.activation(c), w.model.Download
	h := Hop{
		From:          c.sub.Revision,
		To:            w.image.Revision,
		Image:         ImageRef{Name: w.name, SHA256: w.image.SHA256, Size: size},
		Modes:         w.modes(c),
		Protocol:      w.protocol(c),
		ChunkSize:     cmp.Or(download.ChunkSize, w.quirk(c).ChunkSize, defaultChunkSize),
		BufferID:      download.BufferID,
		Activation:    w.policy.Activate,
		ActivateBy:    rule.By,
		FlashTimeout:  cmp.Or(download.FlashTimeout, defaultFlashTimeout),
		Settle:        rule.Settle,
		ReturnTimeout: rule.ReturnTimeout,
	}
	if rule.By == ByPowerCycle {
		h.Activation = Manual
	}
	return h
}

// updateReasons are why the image may not be sent to the component.
func (w *wanted) updateReasons(c component, size int64) []string {
	reasons := []string{w.routeReason(c.sub.Revision), w.orderReason(c.sub.Revision)}
	reasons = append(reasons, w.modeReasons(c)...)
	if w.protocol(c) == WriteBuffer {
		if c.sub.ID != 0 && w.model.Download.BufferID == 0 {
			reasons = append(reasons, fmt.Sprintf("WRITE BUFFER does not address subenclosures, only buffers: download.bufferID has to say which one is subenclosure %d", c.sub.ID))
		}
		if size > writeBufferLimit {
			reasons = append(reasons, fmt.Sprintf("image %s has %d bytes; WRITE BUFFER addresses %d at most", w.name, size, writeBufferLimit))
		}
	}
	if w.policy.Activate == WithApply && slices.Contains(w.modes(c), ModeE) {
		reasons = append(reasons, w.activationReasons(c)...)
	}
	return reasons
}

// modeReasons are why there is no mode to send the image by.
func (w *wanted) modeReasons(c component) []string {
	protocol := w.protocol(c)
	if protocol == SES && !c.esp.Download.SESPage {
		return []string{"the model says protocol ses, and the ESP does not list page 0Eh"}
	}
	if len(w.modes(c)) > 0 {
		return nil
	}
	usable := *w
	usable.policy.Reset = ResetAlways
	switch {
	case len(usable.modes(c)) > 0:
		why := "which resets the I/O module, and the policy says reset: never"
		if slices.Contains(w.image.Modes, ModeE) {
			return []string{fmt.Sprintf("the ESP does not take mode e by WRITE BUFFER; there is mode 7, %s", why)}
		}
		return []string{fmt.Sprintf("image %s goes by mode 7 only, %s", w.name, why)}
	case lacks(c, "07") && lacks(c, "0e"):
		return []string{"the ESP takes no firmware: it lists neither page 0Eh nor WRITE BUFFER modes 07h and 0Eh"}
	}
	return []string{fmt.Sprintf("the ESP does not take WRITE BUFFER mode %s, and image %s goes by no other", joinModes(w.image.Modes), w.name)}
}

func joinModes(modes []Mode) string {
	words := make([]string, len(modes))
	for i, m := range modes {
		words[i] = string(m)
	}
	return strings.Join(words, " or ")
}

// activationReasons are why deferred firmware may not be started by apply.
func (w *wanted) activationReasons(c component) []string {
	if w.activation(c).By == ByPowerCycle {
		return nil // apply does not
	}
	var reasons []string
	if w.policy.Reset != ResetAlways {
		reasons = append(reasons, "an activation resets the I/O module, and the policy says reset: never")
	}
	if w.protocol(c) == WriteBuffer && lacks(c, "0f") {
		reasons = append(reasons, "the ESP does not take WRITE BUFFER mode 0Fh, which activates: say activation by power-cycle")
	}
	return reasons
}

// startsAt tells whether an image goes onto a revision in one hop.
func (i ModelImage) startsAt(revision string) bool {
	return i.From == nil || slices.ContainsFunc(i.From, func(g string) bool { return glob(g, revision) })
}

// routeReason is why the image does not go onto a revision, "" if it does.
func (w *wanted) routeReason(current string) string {
	if w.image.startsAt(current) {
		return ""
	}
	from := strings.Join(w.image.From, " or ")
	if chain := w.chain(current); len(chain) > 0 {
		return fmt.Sprintf("%s does not start at %s but at %s; stepping stones in one plan are not supported yet: want %s first", w.name, current, from, strings.Join(chain, ", then "))
	}
	for _, i := range w.model.Images {
		if i.Part == w.image.Part && i.startsAt(current) {
			return fmt.Sprintf("no images lead from %s to %s; nearest: %s, from %s", current, w.image.Revision, w.name, from)
		}
	}
	return fmt.Sprintf("no image starts at %s; nearest: %s, from %s", current, w.name, from)
}

// chain names the images that lead from a revision to one that the wanted image
// starts at, in the fewest hops.
func (w *wanted) chain(current string) []string {
	type place struct {
		revision string
		images   []string
	}
	seen := map[string]bool{current: true}
	for queue := []place{{revision: current}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if w.image.startsAt(at.revision) {
			return at.images
		}
		for _, name := range slices.Sorted(maps.Keys(w.model.Images)) {
			if i := w.model.Images[name]; i.Part == w.image.Part && i.startsAt(at.revision) && !seen[i.Revision] {
				seen[i.Revision] = true
				queue = append(queue, place{i.Revision, append(slices.Clone(at.images), name)})
			}
		}
	}
	return nil
}

// orderReason is why the model's order forbids the way from a revision, "" if it
// does not. Models without an order have no downgrades.
func (w *wanted) orderReason(current string) string {
	order := w.model.Order
	if len(order) == 0 {
		return ""
	}
	from, to := slices.Index(order, current), slices.Index(order, w.image.Revision)
	switch {
	case from >= 0 && to >= 0 && to < from:
		return fmt.Sprintf("%s is earlier than %s in the model's order, and the policy says downgrade: forbid", w.image.Revision, current)
	case (from < 0 || to < 0) && w.image.From == nil:
		outside := current
		if from >= 0 {
			outside = w.image.Revision
		}
		return fmt.Sprintf("%s is not in the model's order, so that an image has to name what it starts at: %s has no from", outside, w.name)
	}
	return ""
}

// enclosureReasons are why nothing of the enclosure may be changed.
func (w *wanted) enclosureReasons(e *enclosure) []string {
	var reasons []string
	if w.policy.RequireAllESPs {
		reasons = append(reasons, w.censusReason(e))
	}
	if w.policy.RequireHealthy && !e.healthKnown {
		reasons = append(reasons, "its health is unknown, page 02h cannot be read: look after its fans and power supplies in another way, and say requireHealthy: false in the policy")
	}
	if w.policy.RequireHealthy && e.critical {
		r := "the enclosure reports a critical condition"
		if shown := e.failures[:min(len(e.failures), 3)]; len(shown) > 0 {
			r += ": " + strings.Join(shown, "; ")
		}
		if more := len(e.failures) - 3; more > 0 {
			r += fmt.Sprintf(" and %d more", more)
		}
		reasons = append(reasons, r)
	}
	return reasons
}

// censusReason is why it is not certain that all ESPs are in sight, "" if it is.
func (w *wanted) censusReason(e *enclosure) string {
	expected, seen := cmp.Or(w.model.ESPs, e.reported), len(e.esps)
	switch {
	case w.model.ESPs != 0 && e.reported != 0 && w.model.ESPs != e.reported:
		return fmt.Sprintf("the enclosure says that it has %d I/O modules, the model's esps says %d: correct esps", e.reported, w.model.ESPs)
	case expected == 0:
		return "nobody can tell how many I/O modules the enclosure has: say esps in the model, or requireAllESPs: false in the policy"
	case seen > expected:
		return fmt.Sprintf("%d I/O modules are in sight where %d are expected: correct the model's esps", seen, expected)
	case seen == expected:
		return ""
	}
	var missing []string
	for n := 1; n <= expected; n++ {
		if id := fmt.Sprintf("esp%d", n); e.numbered() && !slices.ContainsFunc(e.esps, func(o esp) bool { return o.id == id }) {
			missing = append(missing, id)
		}
	}
	r := fmt.Sprintf("%d of %d I/O modules are in sight", seen, expected)
	if len(missing) > 0 {
		r += ", not " + strings.Join(missing, ", ")
	}
	return r + ": plan with an inventory of each host that is attached, or see why it is gone"
}

// numbered tells whether the ESPs say which of several they are.
func (e *enclosure) numbered() bool {
	return !slices.ContainsFunc(e.esps, func(o esp) bool { return !strings.HasPrefix(o.id, "esp") })
}

// rollback is the first image by name that brings a revision back once the wanted one runs.
func (w *wanted) rollback(revision string) string {
	for _, name := range slices.Sorted(maps.Keys(w.model.Images)) {
		if i := w.model.Images[name]; i.Part == w.image.Part && i.Revision == revision && i.startsAt(w.image.Revision) {
			return name
		}
	}
	return ""
}

// disruption says what a hop does to those who use the enclosure. The drives' use
// and their other paths are not examined: what cannot be found out counts as in use.
func disruption(e *enclosure, c component, h Hop, scope Scope) Disruption {
	reset := "resets " + c.esp.id
	if c.sub.ID != 0 {
		reset = fmt.Sprintf("resets subenclosure %d of %s", c.sub.ID, c.esp.id)
	}
	if scope == EnclosureScope {
		reset = "resets the whole enclosure"
	}
	worst, use := ESPReset, "the enclosure lists no drives"
	if e.drives > 0 {
		worst = IOInterruption
		use = fmt.Sprintf("use and paths of its %d %s were not examined, so they count as in use without another path", e.drives, plural(e.drives, "drive"))
	}
	deferred := len(h.Modes) == 0 || h.Modes[0] == ModeE
	switch {
	case h.Activation == WithApply && deferred:
		return Disruption{ESPReset, worst, fmt.Sprintf("starting %s %s; %s", h.To, reset, use)}
	case !deferred:
		return Disruption{ESPReset, worst, fmt.Sprintf("mode 7 %s; %s", reset, use)}
	case slices.Contains(h.Modes, Mode7):
		return Disruption{NoImpact, worst, fmt.Sprintf("mode e resets nothing; if it is refused, mode 7 %s; %s", reset, use)}
	}
	return Disruption{NoImpact, NoImpact, fmt.Sprintf("mode e resets nothing; any power loss or hard reset starts %s", h.To)}
}

// worstChunk is how long a chunk may take at worst; erasing flash is counted in
// the flash time-out. It is a guess on the safe side: chunks that were seen take
// some 10 ms, and slow modules write each to flash before they answer.
const worstChunk = time.Second

// worstDuration bounds the time of a hop, in whole minutes: all chunks at their
// slowest, then the flash time-out, then, where there may be a reset, the time
// that the device may stay away and the time that it is left alone.
func worstDuration(h Hop) Duration {
	var d time.Duration
	if len(h.Modes) > 0 {
		chunks := (h.Image.Size + int64(h.ChunkSize) - 1) / int64(h.ChunkSize)
		d = time.Duration(chunks)*worstChunk + time.Duration(h.FlashTimeout)
	}
	if h.resets() {
		d += time.Duration(h.Settle + h.ReturnTimeout)
	}
	return Duration((d + time.Minute - 1).Truncate(time.Minute))
}

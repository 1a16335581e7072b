package build

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
	"fwctl/plan"
	"fwctl/plan/desired"
	"fwctl/plan/impact"
)

// writeBufferLimit is what WRITE BUFFER can address: its offset has 24 bits.
const writeBufferLimit = 16 << 20

// goal is what a want comes to: an image, and what may be done for it.
type goal struct {
	name       string
	image      desired.ModelImage
	modelName  string
	model      desired.Model
	images     []string // names of the model's images for the same part, sorted
	policyName string
	policy     desired.Policy
	quirks     *quirkFinder

	stageWindows, resetWindows string // of the policy; see place
}

func newGoal(d *desired.State, want desired.Want, quirks *quirkFinder) *goal {
	g := &goal{name: want.Image, modelName: want.Model, model: d.Models[want.Model], policyName: want.Policy, policy: desired.DefaultPolicy(), quirks: quirks}
	g.image = g.model.Images[want.Image]
	for _, name := range slices.Sorted(maps.Keys(g.model.Images)) {
		if g.model.Images[name].Part == g.image.Part {
			g.images = append(g.images, name)
		}
	}
	if p, ok := d.Policies[want.Policy]; ok {
		g.policy = p
	}
	g.stageWindows, g.resetWindows = joinWindows(g.policy.Windows.Stage), joinWindows(g.policy.Windows.Reset)
	return g
}

// wanted is a goal for one component.
type wanted struct {
	*goal
	fleet.Component
	rule  desired.ActivationRule
	sizes map[string]int64 // bytes, by SHA-256
	reset plan.GateResult  // whether a reset is permitted

	bystander  bool // a reset is not permitted because of what it would start beside the component
	again      bool // memory alone does not make it up to date
	needsImage bool // be it of the revision that it reports
}

// activation is the rule for the image's part, with nothing left open.
func (w *wanted) activation() desired.ActivationRule {
	part, model := w.model.Parts[w.image.Part].Activation, w.model.Activation
	return desired.ActivationRule{
		By:            cmp.Or(part.By, model.By, w.quirk(w.Sub.Revision).Activation.By, plan.ByModeF),
		Scope:         cmp.Or(part.Scope, model.Scope, desired.ESPScope),
		Settle:        cmp.Or(part.Settle, model.Settle, w.quirk(w.Sub.Revision).Settle, defaultSettle),
		ReturnTimeout: cmp.Or(part.ReturnTimeout, model.ReturnTimeout, defaultReturnTimeout),
	}
}

// quirk is the row of the quirk table for the ESP when the component runs a revision.
func (w *wanted) quirk(from string) *desired.Quirk {
	p := w.Primary()
	return w.quirks.of(p.Vendor, p.Product, w.primaryAt(from))
}

// primaryAt is what the ESP runs when the component runs a revision.
func (w *wanted) primaryAt(from string) string {
	if w.Sub.ID == 0 {
		return from
	}
	return w.Primary().Revision
}

// protocol is the way that the ESP takes images. By itself (auto) that is
// page 0Eh where the ESP lists it: it has an end that is told, an abort, and
// subenclosures. Else it is WRITE BUFFER, unless the ESP says that it knows
// neither mode 0Eh nor 07h; one that cannot tell (no REPORT SUPPORTED OPERATION
// CODES) is tried, and a refusal at the first chunk leaves no trace.
func (w *wanted) protocol() plan.Protocol {
	switch {
	case w.model.Download.Protocol == plan.SES, w.model.Download.Protocol == plan.WriteBuffer:
		return w.model.Download.Protocol
	case w.ESP.Download.SESPage:
		return plan.SES
	}
	return plan.WriteBuffer
}

// lacks tells whether the ESP is known not to take a WRITE BUFFER mode, two hex digits.
func (w *wanted) lacks(mode string) bool {
	return w.protocol() == plan.WriteBuffer && w.ESP.Download.WriteBufferModes != nil && !slices.Contains(w.ESP.Download.WriteBufferModes, mode)
}

// takesModeE tells whether the ESP is not known to refuse mode e at a revision.
func (w *wanted) takesModeE(from string) bool {
	q := w.quirk(from)
	return !w.lacks("0e") && q.TakesModeE(w.primaryAt(from))
}

// modes are those of an image that the policy permits and the ESP is not known
// to lack at the revision that the image starts from, in the order that they are tried in.
func (w *wanted) modes(from string, i desired.ModelImage) []plan.Mode {
	return slices.DeleteFunc(inOrder(i.Modes), func(m plan.Mode) bool {
		if m == plan.ModeE {
			return !w.takesModeE(from)
		}
		return w.lacks("07") || !w.mode7Defers(i) && w.denied() != ""
	})
}

// mode7Defers reports whether mode 7 leaves an image dormant: where the model says that only
// a power cycle starts images, and the image goes by mode 7 alone (Dell MD1200). Where it
// goes by mode e, that is what the model speaks of, and mode 7 counts as one that resets.
func (w *wanted) mode7Defers(i desired.ModelImage) bool {
	return w.rule.By == plan.ByPowerCycle && !slices.Contains(i.Modes, plan.ModeE)
}

// defers reports whether one of the modes that an image may be sent by at a revision leaves
// it dormant.
func (w *wanted) defers(from string, i desired.ModelImage) bool {
	h := plan.Hop{Modes: w.modes(from, i), Mode7Defers: w.mode7Defers(i)}
	return len(h.Deferring()) > 0
}

// hop is the download of one image of the model, which is left staged where mode
// e takes it.
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

// bufferID is the buffer that an image goes to.
func (w *wanted) bufferID(i desired.ModelImage) int {
	return cmp.Or(i.BufferID, w.model.Download.BufferID)
}

// activationPage is what a quirk sends in place of mode 0Fh, "" where that, or a
// power cycle, starts what is deferred.
func (w *wanted) activationPage(q *desired.Quirk) string {
	if w.rule.By == plan.ByPowerCycle {
		return ""
	}
	return strings.ToLower(q.Activation.Page)
}

// lacksActivation tells whether the ESP is known to take no command that starts
// what is deferred at a revision.
func (w *wanted) lacksActivation(from string) bool {
	return w.lacks("0f") && w.activationPage(w.quirk(from)) == ""
}

// hops are what one apply does of a chain, and what is left for later: a hop that
// only a power cycle starts, or that must not be started, is the last. why tells
// of what is left out.
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
			return append(hops, h), later, fmt.Sprintf("one apply ends with %s staged: %s; then %s", h.To, cause, toward(later))
		}
		hops = append(hops, h)
	}
	return hops, nil, ""
}

// carriesOn makes a hop one that the same apply starts, so that another can
// follow. False where only a power cycle does, or where no reset is permitted.
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

// finish decides what becomes of the last hop of a chain. One that is the only
// one can wait, staged, for a person's power cycle.
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

// laterHops are hops that are for another plan to decide on.
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

// inOrder are an image's modes in the order that they are tried in, however the file
// lists them: mode e resets nothing.
func inOrder(modes []plan.Mode) []plan.Mode {
	return slices.DeleteFunc([]plan.Mode{plan.ModeE, plan.Mode7}, func(m plan.Mode) bool { return !slices.Contains(modes, m) })
}

// toward names what later hops lead to: 1050 (iom-1050), 1100 (iom-1100).
func toward(later []plan.Hop) string {
	words := make([]string, len(later))
	for i, h := range later {
		words[i] = fmt.Sprintf("%s (%s)", h.To, h.Image.Name)
	}
	return strings.Join(words, ", ")
}

// otherBehind tells whether the component reports the wanted revision, but took it
// from another image.
func (w *wanted) otherBehind() bool {
	return !w.image.NoVersion && w.Sub.Revision == w.image.Revision && w.Sub.Sent != nil &&
		w.Sub.Sent.SHA256 != w.image.SHA256
}

// upToDate reports whether the component runs the wanted image, as far as anybody knows:
// it reports its revision, and no other image is remembered there. The revision of an image
// that starts at its own tells nothing: only the memory of that very image does.
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
	return !w.otherBehind()
}

// chainOf names the images that lead to the wanted one, nil where none do, and
// tells whether the first of them is staged.
func (w *wanted) chainOf(staged *inventory.Staged, signedBy map[string][]string) (chain []string, dormant bool) {
	switch {
	case staged != nil && staged.SHA256 == w.image.SHA256:
		return []string{w.name}, true
	case w.upToDate():
		return nil, false
	}
	chain = w.chain(func(from string, i desired.ModelImage) bool {
		return w.forbidden(from, i, signedBy) == ""
	})
	return chain, chain != nil && staged != nil && w.model.Images[chain[0]].SHA256 == staged.SHA256
}

// forbidden is why an image must not be sent at a revision, "" if it may.
func (w *wanted) forbidden(from string, i desired.ModelImage, signedBy map[string][]string) string {
	reasons := append([]string{w.orderReason(from, i)}, w.hopReasons(from, i)...)
	return cmp.Or(append(reasons, w.signatureReason(i, signedBy))...)
}

// shorter says which shorter chain is not permitted, and why, "" if there is none.
func (w *wanted) shorter(chain []string, signedBy map[string][]string) string {
	way := w.chain(func(string, desired.ModelImage) bool { return true })
	if len(way) >= len(chain) {
		return ""
	}
	for n, name := range way {
		if why := w.forbidden(w.before(way, n), w.model.Images[name], signedBy); why != "" {
			return fmt.Sprintf("a shorter way, %s, is not permitted: %s", strings.Join(way, ", then "), why)
		}
	}
	return ""
}

// chain names the images that lead from what runs to the wanted image: every one
// but the last costs a reset or a power cycle, so that the shortest chain is that
// of the fewest; among those, one whose last image needs no reset to be sent, then
// one that needs no power cycle. nil: there is none.
func (w *wanted) chain(usable func(from string, i desired.ModelImage) bool) []string {
	current := w.Sub.Revision
	takes := func(from string, i desired.ModelImage) bool { return i.StartsAt(from) && usable(from, i) }
	switch {
	case takes(current, w.image):
		return []string{w.name}
	case w.image.NoVersion: // other parts are not what is wanted
		return nil
	}
	type way struct {
		images []string
		waits  int // power cycles in between
		resets int // 1 if the last image goes by mode 7 alone
	}
	better := func(a, b way) bool {
		return cmp.Or(cmp.Compare(a.resets, b.resets), cmp.Compare(a.waits, b.waits), slices.Compare(a.images, b.images)) < 0
	}
	seen := map[string]bool{current: true}
	for reached := map[string]way{current: {}}; len(reached) > 0; {
		var best *way
		next := map[string]way{}
		for from, at := range reached {
			for _, name := range w.images {
				i := w.model.Images[name]
				if i.NoVersion || !takes(from, i) {
					continue
				}
				to := way{images: append(slices.Clone(at.images), name), waits: at.waits}
				h := plan.Hop{From: from, Modes: w.modes(from, i), Mode7Defers: w.mode7Defers(i)}
				if name == w.name {
					if len(h.Deferring()) == 0 {
						to.resets = 1
					}
					if best == nil || better(to, *best) {
						best = &to
					}
					continue
				}
				if len(h.Modes) == 0 || !w.carriesOn(&h) {
					to.waits++
				}
				if known, ok := next[i.Revision]; !seen[i.Revision] && (!ok || better(to, known)) {
					next[i.Revision] = to
				}
			}
		}
		if best != nil {
			return best.images
		}
		for revision := range next {
			seen[revision] = true
		}
		reached = next
	}
	return nil
}

// before is what runs before the nth image of a chain, from 0.
func (w *wanted) before(chain []string, n int) string {
	if n == 0 {
		return w.Sub.Revision
	}
	return w.model.Images[chain[n-1]].Revision
}

// hopReasons are why an image cannot be sent to the component at a revision. Whether
// the model's order lets it is for the gate.
func (w *wanted) hopReasons(from string, i desired.ModelImage) []string {
	reasons := []string{w.modeReason(from, i)}
	if w.protocol() == plan.WriteBuffer {
		if w.Sub.ID != 0 && w.bufferID(i) == 0 {
			reasons = append(reasons, fmt.Sprintf("WRITE BUFFER does not address subenclosures, only buffers: download.bufferID has to say which one is subenclosure %d", w.Sub.ID))
		}
		if size := w.sizes[i.SHA256]; size > writeBufferLimit {
			reasons = append(reasons, fmt.Sprintf("image %s has %d bytes; WRITE BUFFER addresses %d at most", w.nameOf(i), size, writeBufferLimit))
		}
	}
	return slices.DeleteFunc(reasons, func(r string) bool { return r == "" })
}

// nameOf is the first name of an image of the model.
func (w *wanted) nameOf(i desired.ModelImage) string {
	if i.SHA256 == w.image.SHA256 {
		return w.name
	}
	for _, name := range w.images {
		if w.model.Images[name].SHA256 == i.SHA256 {
			return name
		}
	}
	return ""
}

// obstacles are what keeps the component from the wanted image where no chain
// leads to it, and the way that they are on: the shortest if there were none.
func (w *wanted) obstacles() (way, reasons []string) {
	current := w.Sub.Revision
	way = w.chain(func(string, desired.ModelImage) bool { return true })
	if way == nil {
		start := "no image starts at " + current
		for _, name := range w.images {
			if w.model.Images[name].StartsAt(current) {
				start = fmt.Sprintf("no images lead from %s to %s", current, w.image.Revision)
			}
		}
		name, from := w.nearest()
		return []string{w.name}, append([]string{fmt.Sprintf("%s; nearest: %s, from %s", start, name, from)}, w.hopReasons(current, w.image)...)
	}
	for n, name := range way {
		reasons = append(reasons, w.hopReasons(w.before(way, n), w.model.Images[name])...)
	}
	if len(way) > 1 && len(reasons) > 0 {
		reasons[0] = fmt.Sprintf("the way is %s, but %s", strings.Join(way, ", then "), reasons[0])
	}
	return way, reasons
}

// nearest is the image on a way to the wanted one that starts nearest to what
// runs, as the model's order has it, and where it starts. Revisions outside the
// order are not near to anything: there it is the wanted image.
func (w *wanted) nearest() (name, from string) {
	name, from = w.name, strings.Join(w.image.From, " or ")
	at := slices.Index(w.model.Order, w.Sub.Revision)
	if at < 0 {
		return name, from
	}
	best := len(w.model.Order)
	for n, revision := range w.model.Order {
		there := *w
		sub := *w.Sub
		sub.Revision = revision
		there.Sub = &sub
		if distance := max(n-at, at-n); distance < best {
			if chain := there.chain(func(string, desired.ModelImage) bool { return true }); chain != nil {
				best, name, from = distance, chain[0], revision
			}
		}
	}
	return name, from
}

// modeReason is why there is no mode to send an image by at a revision, "" where
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
		return fmt.Sprintf("the device takes mode e only at %s (quirk %s), and image %s goes by no other", strings.Join(q.ModeE, " or "), q.Name, w.nameOf(i))
	case len(permitted.modes(from, i)) > 0:
		if slices.Contains(i.Modes, plan.ModeE) && !atThis {
			return fmt.Sprintf("the device takes mode e only at %s (quirk %s); there is mode 7, which resets the I/O module, and %s", strings.Join(q.ModeE, " or "), q.Name, w.denied())
		}
		if slices.Contains(i.Modes, plan.ModeE) {
			return "the ESP does not take mode e by WRITE BUFFER; there is mode 7, which resets the I/O module, and " + w.denied()
		}
		return fmt.Sprintf("image %s goes by mode 7 only, which resets the I/O module, and %s", w.nameOf(i), w.denied())
	case w.lacks("07") && w.lacks("0e"):
		return "the ESP takes no firmware: it lists neither page 0Eh nor WRITE BUFFER modes 07h and 0Eh"
	}
	return fmt.Sprintf("the ESP does not take WRITE BUFFER mode %s, and image %s goes by no other", joinModes(i.Modes), w.nameOf(i))
}

func joinModes(modes []plan.Mode) string {
	words := make([]string, len(modes))
	for i, m := range modes {
		words[i] = string(m)
	}
	return strings.Join(words, " or ")
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// rollback is the first image by name that brings a revision back once the wanted one
// runs; of a part that reports none, the image that is remembered there.
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

// disruption says what hops do to those who use the enclosure. effect is asked
// for only where there may be a reset.
func (w *wanted) disruption(hops []plan.Hop, effect func() impact.Effect) plan.Disruption {
	reset := "resets " + w.ESP.ID
	if w.Sub.ID != 0 {
		reset = fmt.Sprintf("resets subenclosure %d of %s", w.Sub.ID, w.ESP.ID)
	}
	if w.rule.Scope == desired.EnclosureScope {
		reset = "resets the whole enclosure"
	}
	last := &hops[len(hops)-1]
	resets := len(hops) - 1 // that are sure
	deferred := len(last.Modes) == 0 || last.Defers(last.Modes[0])
	if last.Activation == plan.WithApply || !deferred {
		resets++
	}
	why := ""
	switch {
	case last.ByPerson():
		why = "a person power-cycles the whole enclosure, which starts " + last.Goal()
	case resets > 1:
		why = fmt.Sprintf("%s %d times", reset, resets)
	case len(hops) > 1:
		why = fmt.Sprintf("starting %s %s", hops[0].Goal(), reset)
		if last.MayReset() {
			why += fmt.Sprintf(", and so does mode 7 if mode e is refused for %s", last.To)
		}
	case last.Activation == plan.WithApply && deferred:
		why = fmt.Sprintf("starting %s %s", last.Goal(), reset)
	case !deferred:
		why = "mode 7 " + reset
	case last.MayReset():
		why = plan.IfRefused + "mode 7 " + reset
	default:
		return plan.Disruption{Expected: plan.NoImpact, Worst: plan.NoImpact, Why: harmless(last)}
	}
	e := effect()
	d := plan.Disruption{Expected: plan.NoImpact, Worst: e.Worst, Why: why + "; " + e.Why}
	if resets > 0 {
		d.Expected = e.Expected
	}
	return d
}

// harmless says why a hop that is left dormant disturbs nothing, and what starts it.
func harmless(h *plan.Hop) string {
	what := "mode e resets nothing"
	if h.Modes[0] == plan.Mode7 {
		what = "mode 7 resets nothing here: the model says that only a power cycle starts images"
	}
	return what + "; any power loss or hard reset starts " + h.Goal()
}

package build

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/desired"
)

// chainOf names the images that lead to the wanted one, nil if none do. dormant reports whether
// the first of them is staged.
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

// forbidden returns why an image must not be sent at a revision, "" if it may.
func (w *wanted) forbidden(from string, i desired.ModelImage, signedBy map[string][]string) string {
	reasons := append([]string{w.orderReason(from, i)}, w.hopReasons(from, i)...)
	return cmp.Or(append(reasons, w.signatureReason(i, signedBy))...)
}

// shorter returns which shorter chain is not permitted, and why, "" if there is none.
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

// chain names the images that lead from the current revision to the wanted image, nil if there
// are none. Every image but the last costs a reset or a power cycle, so a chain of the fewest
// images is chosen; among those, one whose last image is sent without a reset, then one that
// needs no power cycle.
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
		return cmp.Or(cmp.Compare(a.resets, b.resets), cmp.Compare(a.waits, b.waits),
			slices.Compare(a.images, b.images)) < 0
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
					if !h.MayDefer() {
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

// before returns the revision that runs before the nth image of a chain, from 0.
func (w *wanted) before(chain []string, n int) string {
	if n == 0 {
		return w.Sub.Revision
	}
	return w.model.Images[chain[n-1]].Revision
}

// nameOf returns the first name of an image of the model.
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

// obstacles returns, if no chain leads to the wanted image, what keeps the component from it,
// and the way that the obstacles are on: the shortest one without them.
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
		return []string{w.name}, append([]string{fmt.Sprintf("%s; nearest: %s, from %s", start, name, from)},
			w.hopReasons(current, w.image)...)
	}
	for n, name := range way {
		reasons = append(reasons, w.hopReasons(w.before(way, n), w.model.Images[name])...)
	}
	if len(way) > 1 && len(reasons) > 0 {
		reasons[0] = fmt.Sprintf("the way is %s, but %s", strings.Join(way, ", then "), reasons[0])
	}
	return way, reasons
}

// nearest returns the image on a way to the wanted one that starts nearest to the current
// revision by the model's order, and where it starts. If the current revision is not in the
// order, it returns the wanted image.
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

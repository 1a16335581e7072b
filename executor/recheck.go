package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/executor/step"
	"fwctl/internal/backoff"
	"fwctl/internal/baseline"
	"fwctl/internal/enclosure"
	"fwctl/inventory"
)

// recheck looks once more at those of these components that are done, and at the components
// beside them: modules synchronise each other, up and down, without a command. It returns those of
// their enclosures that could not be read.
func (r *run) recheck(ctx context.Context, components []*component) (unread []string) {
	restarted := slices.DeleteFunc(slices.Clone(components), func(c *component) bool { return !c.is.Restarted })
	for _, group := range byEnclosure(restarted) {
		first := group[0]
		done := slices.DeleteFunc(group, func(c *component) bool { return c.is.State != step.Done })
		e, err := r.lookAgain(ctx, first, done)
		if err != nil {
			unread = append(unread, first.step.Enclosure)
		}
		for _, c := range done {
			before := r.baselineOf(c.step.Enclosure)
			if slices.ContainsFunc(components, func(beside *component) bool {
				return beside.step.Enclosure == c.step.Enclosure &&
					(beside.is.State == step.Failed || beside.is.State == step.Unknown)
			}) {
				before = nil // the component that failed has the reason
			}
			if reason := stillWell(c, before, e, err); reason != "" {
				r.apply(ctx, c, step.Event{Kind: step.Fail, Reason: reason, Revision: c.revisionIn(e)})
			}
		}
		for _, c := range components {
			if err == nil && c.step.Enclosure == first.step.Enclosure && c.is.State == step.Staged {
				r.stillStaged(ctx, c, e)
			}
		}
	}
	return unread
}

// reread finds out what the failed components run: the modules beside them, or a power cycle
// that the run did not see to its end, may have brought them to another revision since. In
// their enclosures, and in those that recheck could not read because a module there does not
// answer, it also finds out whether what is staged is so still; and in a resumed run for all that
// is staged, because nobody looked between its processes.
func (r *run) reread(ctx context.Context, unread []string) {
	var failed, staged []*component
	for _, c := range r.here() {
		if c.is.State == step.Failed {
			failed, unread = append(failed, c), append(unread, c.step.Enclosure)
		}
		if c.is.State == step.Staged && r.resumed != nil {
			unread = append(unread, c.step.Enclosure)
		}
	}
	for _, c := range r.here() {
		if c.is.State == step.Staged && slices.Contains(unread, c.step.Enclosure) {
			staged = append(staged, c)
		}
	}
	if len(unread) == 0 {
		return
	}
	seen := r.scanned(ctx, unread, staged)
	for _, c := range failed {
		if e := seen[c.step.Enclosure]; e != nil {
			is := c.is
			is.Runs = cmp.Or(c.revisionIn(e), is.Runs)
			r.set(c, is)
		}
	}
	for _, c := range staged {
		switch e := seen[c.step.Enclosure]; {
		case e == nil:
		case c.revisionIn(e) == "":
			r.gone(ctx, c)
		default:
			r.stillStaged(ctx, c, e)
		}
	}
}

// scanned returns enclosures by identifier. It scans again for as long as one that it sees
// lacks one of the components, which may be restarting.
func (r *run) scanned(ctx context.Context, ids []string, all []*component) map[string]*inventory.Enclosure {
	seen := map[string]*inventory.Enclosure{}
	patience := time.Duration(0)
	for _, c := range all {
		patience = max(patience, time.Duration(c.hop().ReturnTimeout))
	}
	for range backoff.Within(ctx, patience, backoff.Device) {
		inv, err := r.scan(ctx, ids)
		if err != nil {
			continue
		}
		clear(seen)
		for i := range inv.Enclosures {
			seen[inv.Enclosures[i].ID()] = &inv.Enclosures[i]
		}
		if !slices.ContainsFunc(all, func(c *component) bool {
			e := seen[c.step.Enclosure]
			return e != nil && c.revisionIn(e) == ""
		}) {
			break
		}
	}
	return seen
}

// gone ends a component that was staged, and that does not answer any more beside one that
// does: a power cycle may have started what it held.
func (r *run) gone(ctx context.Context, c *component) {
	reason := fmt.Sprintf("it held %s staged, and does not answer any more", cmp.Or(c.hop().To, "an image"))
	r.apply(ctx, c, step.Event{Kind: step.Begin})
	r.apply(ctx, c, step.Event{Kind: step.Return, Revision: c.is.Runs, Reason: reason})
	r.apply(ctx, c, step.Event{Kind: step.Lose, Revision: c.is.Runs, Reason: reason})
}

// lookAgain reads a component's enclosure. done are the components there that are done. If
// they are not as they were, it reads again until the ESPs are at rest.
func (r *run) lookAgain(ctx context.Context, c *component, done []*component) (e *inventory.Enclosure, err error) {
	hop, before := c.hop(), r.baselineOf(c.step.Enclosure)
	var peers enclosure.PeerSync
	for range backoff.Within(ctx, time.Duration(hop.ReturnTimeout), backoff.Device) {
		e, err = r.lookOnce(ctx, c)
		well := err == nil &&
			!slices.ContainsFunc(done, func(c *component) bool { return stillWell(c, before, e, err) != "" })
		atRest := peers.Over(e, time.Duration(hop.Settle))
		if well || atRest && len(before.Decline(e)) == 0 {
			break
		}
	}
	return e, err
}

func (r *run) lookOnce(ctx context.Context, c *component) (*inventory.Enclosure, error) {
	inv, err := r.scan(ctx, []string{c.step.Enclosure})
	if err != nil {
		return nil, err
	}
	held, err := r.hold(ctx, c, inv)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	return held.Read(ctx)
}

// stillWell returns what has become worse since a component was done; "" if nothing has.
func stillWell(c *component, before *baseline.Baseline, e *inventory.Enclosure, err error) string {
	if err != nil {
		return "it was verified, and cannot be read any more: " + err.Error()
	}
	_, sub, err := c.in(e)
	if err != nil {
		return "it was verified, and then: " + err.Error()
	}
	if sub.Revision != c.is.Runs {
		return changed(c.is.Runs, sub.Revision)
	}
	if before == nil {
		return ""
	}
	if worse := before.Decline(e); len(worse) > 0 {
		return "it was verified, and the enclosure has become worse since: " + strings.Join(worse, "; ")
	}
	return ""
}

// stillStaged finds out whether something else has started, or replaced, the image that a
// component held staged.
func (r *run) stillStaged(ctx context.Context, c *component, e *inventory.Enclosure) {
	hop := c.hop()
	_, sub, _ := c.in(e)
	if sub == nil || sub.Revision == c.is.Runs {
		return
	}
	was := c.is.Runs
	r.apply(ctx, c, step.Event{Kind: step.Begin})
	if !arrived(hop, sub.Revision) {
		r.apply(ctx, c, step.Event{
			Kind: step.Fail, Revision: sub.Revision, Device: step.Empty,
			Reason: fmt.Sprintf("it ran %s when %s was staged, and runs %s now: do the modules synchronise each other?",
				was, hop.To, sub.Revision),
		})
		return
	}
	r.apply(ctx, c, step.Event{
		Kind: step.Return, Revision: sub.Revision,
		Reason: "something else has started it: the module beside it, or a power cycle",
	})
	r.apply(ctx, c, confirm(hop, sub.Revision))
	if c.is.Hop+1 < len(c.step.Hops) {
		r.apply(ctx, c, step.Event{Kind: step.NextHop, Reason: "something else has started " + hop.To})
	}
}

package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwctl/inventory"
)

// elect chooses who works on an ESP that several hosts see: the host that remembers the most
// staged images and cautions, since only that host knows what it activates or replaces; then
// the one with the most paths to it; then the first by name. The owner takes over what only
// other hosts know, unless they disagree: then it is disputed.
func elect(first ESP) ESP {
	all := append([]ESP{first}, first.others...)
	owner := slices.MaxFunc(all, func(a, b ESP) int { // the first of those that are equal
		return cmp.Or(cmp.Compare(a.memories(), b.memories()), cmp.Compare(len(a.Paths), len(b.Paths)))
	})
	owner.others = nil
	for _, o := range all {
		owner.conflict = cmp.Or(owner.conflict, o.conflict)
		if !slices.EqualFunc(first.Subenclosures, o.Subenclosures,
			func(a, b inventory.Subenclosure) bool { return a.ID == b.ID && a.Revision == b.Revision }) {
			owner.conflict = fmt.Sprintf("%s and %s have read different revisions of it: scan both again", first.Host,
				o.Host)
		}
	}
	if owner.conflict != "" ||
		!slices.ContainsFunc(all, func(o ESP) bool { return slices.ContainsFunc(o.Subenclosures, isRemembered) }) {
		return owner
	}
	owner.Disputed = map[int]string{}
	mine := *owner.ESP // the inventory is the caller's
	mine.Subenclosures = slices.Clone(mine.Subenclosures)
	owner.ESP = &mine
	for n := range owner.Subenclosures {
		sub := &owner.Subenclosures[n]
		var words []string
		agree, theirs := true, (*inventory.Staged)(nil)
		for _, o := range all {
			its := &o.Subenclosures[n]
			if its.Sent != nil && (sub.Sent == nil || its.Sent.At.After(sub.Sent.At)) {
				sub.Sent = its.Sent
			}
			sub.RecallBeside(its.Beside)
			if its.Staged == nil {
				continue
			}
			theirs = its.Staged
			agree = agree && sub.Staged != nil && its.Staged.SHA256 == sub.Staged.SHA256
			words = append(words, o.remembers(its.Staged))
		}
		switch {
		case agree:
		case len(words) > 1:
			owner.Disputed[sub.ID] = disputeReason(words)
		default:
			sub.Staged = theirs // a reset starts it anyway
			owner.Disputed[sub.ID] = fmt.Sprintf("%s, but %s works on its I/O module, where more is staged. A power "+
				"cycle starts all of it: scan all hosts again after that", words[0], owner.Host)
		}
	}
	return owner
}

// remembers returns which image the ESP's host remembers as staged there, in words.
func (e *ESP) remembers(s *inventory.Staged) string {
	return fmt.Sprintf("%s remembers %s, which %s staged on %s, image %.8s", e.Host, s.Label(), s.Who(),
		s.Since.UTC().Format(time.DateOnly), s.SHA256)
}

// disputeReason returns why nothing is done if hosts remember different images as staged.
func disputeReason(words []string) string {
	return "it is unknown which image is staged on it: " + strings.Join(words, "; ") +
		". A power cycle starts one of them: scan all hosts again after that"
}

// isRemembered reports whether a host remembers anything about a subenclosure.
func isRemembered(s inventory.Subenclosure) bool {
	return s.Staged != nil || s.Sent != nil || s.Beside != nil
}

// memories counts what the ESP's host remembers about it: staged images and cautions.
func (e *ESP) memories() int {
	n := 0
	for _, sub := range e.Subenclosures {
		if sub.Staged != nil {
			n++
		}
		for _, c := range e.cautions {
			if c.Address == sub.Address {
				n++
			}
		}
	}
	return n
}

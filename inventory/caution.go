package inventory

import (
	"fmt"
	"slices"
	"time"
)

// Caution is what an earlier run found out about a component. It holds until something settles it.
type Caution struct {
	Address string      `json:"address"`
	Kind    CautionKind `json:"kind"`
	Since   time.Time   `json:"since"`
	Detail  string      `json:"detail"` // what the device said, in words
}

// CautionKind is what a caution is about. Inventories and the store have the same words.
type CautionKind string

const (
	// NeedsImage: it may have nothing to boot from, and needs a whole image before any reset or power loss.
	NeedsImage CautionKind = "needs-image"
	// Unfinished: a run is working on it, or was broken off while it did. The store holds open effects instead.
	Unfinished CautionKind = "unfinished"
	// Unclear: it may hold all or part of an image that was sent, and does not say which.
	Unclear CautionKind = "unclear"
	// PowerOnly: the image staged on it starts at power on, not by mode 0Fh.
	PowerOnly CautionKind = "power-only"
)

// byGravity are the kinds of cautions, the gravest last.
var byGravity = []CautionKind{PowerOnly, Unclear, Unfinished, NeedsImage}

// Gravity ranks a kind among the others, from 1; 0 if the kind is unknown.
func (k CautionKind) Gravity() int { return 1 + slices.Index(byGravity, k) }

// NeedsPerson reports whether a component holds half an image, or something unknown: a reset or a power cycle could
// brick it. A run that is in the middle of its work is not a person's business yet.
func (k CautionKind) NeedsPerson() bool { return k == NeedsImage || k == Unclear }

// CautionOf returns the first caution of a kind about a component, nil if there is none.
func CautionOf(cautions []Caution, kind CautionKind, address string) *Caution {
	for i := range cautions {
		if cautions[i].Kind == kind && cautions[i].Address == address {
			return &cautions[i]
		}
	}
	return nil
}

// Words returns the caution for people: what to do, when it was found out and why.
func (c *Caution) Words() string {
	what := "it needs a whole image: do not reset or power-cycle it before it has got one"
	switch c.Kind {
	case Unfinished:
		what = "a run is in the middle of its work on it, or was broken off there: do not reset or power-cycle it; " +
			"unless that run goes on, `fwctl resume` finds out what it holds"
	case Unclear:
		what = "what it holds of an image that fwctl has sent is not known: any power loss or hard reset may start " +
			"that. A whole image takes its place; if it was power-cycled, `fwctl verify --power-cycled` settles it"
	case PowerOnly:
		what = "what it holds staged starts at power on, and mode 0Fh does not start it: " +
			"power-cycle the enclosure when its drives are not in use"
	}
	return what + c.Source()
}

// Dated returns when the caution was found out, as the end of a sentence about another component. The reason stands
// with the component that the caution is about.
func (c *Caution) Dated() string {
	return fmt.Sprintf(" (since %s)", c.Since.UTC().Format("2006-01-02 15:04 MST"))
}

// Source returns when the caution was found out and why, as the end of a sentence.
func (c *Caution) Source() string {
	return fmt.Sprintf(" (%s, %s)", c.Since.UTC().Format("2006-01-02 15:04 MST"), c.Detail)
}

// flaw returns what is wrong with a caution that came from a file, or "".
func (c *Caution) flaw(e *Enclosure) string {
	enclosure, _, _, err := ParseAddress(c.Address)
	switch {
	case err != nil:
		return err.Error()
	case enclosure != e.ID():
		return fmt.Sprintf("its address %s is not in this enclosure", c.Address)
	case c.Kind.Gravity() == 0:
		return fmt.Sprintf("its kind %q is unknown: a later version of fwctl wrote it", c.Kind)
	case c.Since.IsZero():
		return "its since is missing"
	}
	return odd(c.Detail)
}

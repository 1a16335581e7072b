package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// Limits of an inventory's values. The schema has the same.
const (
	maxRelativeID   = 7   // SES-3, 6.1.2.2: three bits
	maxSubenclosure = 255 // one byte
	maxSlot         = 255 // one byte

	// More than any enclosure has, and few enough to compare each with all others.
	maxESPs          = 64
	maxSubenclosures = 512
	maxDrives        = 10_000
)

var designator = regexp.MustCompile(`^[A-Za-z0-9%@._-]+$`)

// flaw returns what is wrong with an inventory that came from a file, or "". It looks
// for what is missing too, which would read as good health or as no drives.
func (inv *Inventory) flaw() string {
	switch {
	case inv.Host == "":
		return "it has no host"
	case inv.ScannedAt.IsZero():
		return "it has no scanned_at"
	}
	if bad := odd(inv.Host); bad != "" {
		return bad
	}
	for _, p := range inv.Problems {
		if bad := cmp.Or(odd(p.Path, p.Summary, p.Detail), p.Unread.flaw()); bad != "" {
			return bad
		}
	}
	for i := range inv.Timings {
		if why := inv.Timings[i].flaw(); why != "" {
			return fmt.Sprintf("timing %d of the list: %s", i+1, why)
		}
	}
	seen := make(map[string]bool, len(inv.Enclosures))
	for i := range inv.Enclosures {
		e := &inv.Enclosures[i]
		what := fmt.Sprintf("enclosure %d of the list", i+1)
		if digits(16, e.LogicalID) && len(e.ESPs) > 0 {
			what = "enclosure " + e.ID()
			if seen[e.ID()] {
				return what + ": it is listed twice"
			}
			seen[e.ID()] = true
		}
		if why := e.flaw(); why != "" {
			return what + ": " + why
		}
	}
	return ""
}

func (e *Enclosure) flaw() string {
	switch {
	case !digits(16, e.LogicalID):
		return "its logical_id is not 16 hex digits"
	case len(e.ESPs) == 0:
		return "it has no esps"
	case len(e.ESPs) > maxESPs:
		return fmt.Sprintf("it has %d esps, more than %d", len(e.ESPs), maxESPs)
	case len(e.Drives) > maxDrives:
		return fmt.Sprintf("it has %d drives, more than %d", len(e.Drives), maxDrives)
	case e.ExpectedESPs != nil && (*e.ExpectedESPs < 2 || *e.ExpectedESPs > maxRelativeID):
		return fmt.Sprintf("its expected_esps is %d, not 2 to %d", *e.ExpectedESPs, maxRelativeID)
	case e.Health.Failures == nil:
		return "it has no health.failures"
	case e.Drives == nil:
		return "it has no drives, not even an empty list"
	}
	elements := slices.Collect(maps.Keys(e.Health.Elements))
	bad := cmp.Or(odd(e.Vendor, e.Product), odd(e.Health.Failures...), odd(e.DriveEvidence...), odd(elements...))
	if bad != "" {
		return bad
	}
	for i := range e.Cautions {
		if why := e.Cautions[i].flaw(e); why != "" {
			return fmt.Sprintf("caution %d of the list: %s", i+1, why)
		}
	}
	for i := range e.Drives {
		if why := e.Drives[i].flaw(); why != "" {
			return fmt.Sprintf("drive %d of the list: %s", i+1, why)
		}
	}
	for i := range e.ESPs {
		esp := &e.ESPs[i]
		what := fmt.Sprintf("ESP %d of the list", i+1)
		if why := esp.flaw(e); why != "" {
			return what + ": " + why
		}
		twice := func(o ESP) bool { return o.LUID == esp.LUID && o.ID() == esp.ID() && o.Conflict == "" }
		if slices.ContainsFunc(e.ESPs[:i], twice) {
			return what + ": it is listed twice"
		}
	}
	return ""
}

func (u *Unread) flaw() string {
	if u == nil {
		return ""
	}
	for _, c := range u.Components {
		if _, _, _, err := ParseAddress(c.Address); err != nil {
			return err.Error()
		}
		if bad := odd(c.LUID); bad != "" {
			return bad
		}
	}
	return odd(u.LUID, u.Vendor, u.Product, u.UsedBy)
}

// UnmarshalJSON refuses a missing verdict, which would otherwise read as a good one.
func (h *Health) UnmarshalJSON(data []byte) error {
	type plain Health // without this method
	said := struct {
		*plain
		Critical      *bool `json:"critical"`
		Unrecoverable *bool `json:"unrecoverable"`
	}{plain: (*plain)(h)}
	if err := json.Unmarshal(data, &said); err != nil {
		return err
	}
	if said.Critical == nil || said.Unrecoverable == nil {
		return errors.New("health lacks critical or unrecoverable")
	}
	h.Critical, h.Unrecoverable = *said.Critical, *said.Unrecoverable
	return nil
}

func (d *Drive) flaw() string {
	switch {
	case d.Slot != NoSlot && (d.Slot < 0 || d.Slot > maxSlot):
		return fmt.Sprintf("its slot is %d, not null or 0 to %d", d.Slot, maxSlot)
	case d.SASAddress != "" && !digits(16, d.SASAddress):
		return "its sas_address is not 16 hex digits"
	case d.Protocol != "" && d.Protocol != SAS && d.Protocol != SATA:
		return fmt.Sprintf("its protocol is %q, not sas or sata", d.Protocol)
	}
	for _, p := range d.Paths {
		if bad := odd(p.Device, p.Via, p.Down); bad != "" {
			return bad
		}
	}
	for i := range d.Uses {
		if bad := d.Uses[i].flaw(); bad != "" {
			return bad
		}
	}
	return cmp.Or(odd(d.LUID), odd(d.InUse...), odd(d.Evidence...))
}

func (esp *ESP) flaw(e *Enclosure) string {
	switch {
	case !designator.MatchString(esp.LUID):
		return "its lu_id is not a designator"
	case esp.RelativeID < 0 || esp.RelativeID > maxRelativeID || esp.Processes < 0 || esp.Processes > maxRelativeID:
		return fmt.Sprintf("its relative_id is %d and its processes are %d; both must be 0 to %d",
			esp.RelativeID, esp.Processes, maxRelativeID)
	case len(esp.Paths) == 0:
		return "it has no paths"
	case len(esp.Subenclosures) > maxSubenclosures:
		return fmt.Sprintf("it has %d subenclosures, more than %d", len(esp.Subenclosures), maxSubenclosures)
	case len(esp.Subenclosures) == 0 || esp.Subenclosures[0].ID != 0:
		return "its first subenclosure is not the primary one, id 0"
	}
	bad := cmp.Or(
		odd(esp.Serial, esp.Conflict, esp.Inquiry.Vendor, esp.Inquiry.Product, esp.Inquiry.Revision),
		odd(esp.Paths...), odd(esp.Expanders...), odd(esp.Upstream...), odd(esp.Download.WriteBufferModes...),
	)
	if bad != "" {
		return bad
	}
	for i := range esp.Subenclosures {
		sub := &esp.Subenclosures[i]
		what := fmt.Sprintf("subenclosure %d of the list", i+1)
		if i > 0 && sub.ID <= esp.Subenclosures[i-1].ID && esp.Conflict == "" {
			return what + ": it is listed twice, or out of order"
		}
		if why := sub.flaw(e); why != "" {
			return what + ": " + why
		}
	}
	return ""
}

func (sub *Subenclosure) flaw(e *Enclosure) string {
	enclosure, _, id, err := ParseAddress(sub.Address)
	switch {
	case sub.ID < 0 || sub.ID > maxSubenclosure:
		return fmt.Sprintf("its id is %d, not 0 to %d", sub.ID, maxSubenclosure)
	case err != nil:
		return err.Error()
	case enclosure != e.ID() || id != sub.ID:
		return fmt.Sprintf("its address %s is not that of subenclosure %d of this enclosure", sub.Address, sub.ID)
	case slices.ContainsFunc(sub.Beside, func(b Beside) bool {
		return b.BufferID < 0 || b.BufferID > 255 || !digits(64, b.SHA256)
	}):
		return "an entry of its beside has a sha256 that is not 64 hex digits, or a buffer_id that is not 0 to 255"
	case sub.Sent != nil && !digits(64, sub.Sent.SHA256):
		return "its sent.sha256 is not 64 hex digits"
	}
	if s := sub.Staged; s != nil {
		switch {
		case !digits(64, s.SHA256):
			return "its staged.sha256 is not 64 hex digits"
		case s.Since.IsZero():
			return "its staged.since is missing"
		}
		if bad := odd(s.Revision, s.By); bad != "" {
			return bad
		}
	}
	return odd(sub.LogicalID, sub.Vendor, sub.Product, sub.Revision)
}

// digits reports whether s is n lower-case hex digits.
func digits(n int, s string) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }

// odd describes the first text that cannot be shown as it is: one with control
// characters, with marks that turn the direction of writing, or that is not valid UTF-8.
// fwctl writes such bytes as \xNN.
func odd(texts ...string) string {
	for _, text := range texts {
		if strings.ContainsFunc(text, isHidden) {
			return fmt.Sprintf("the text %+q has characters that cannot be shown", text)
		}
	}
	return ""
}

func isHidden(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// Shown escapes what Parse refuses in a text. Texts that quote a process, a person or a
// file go through it: "sh\nx" becomes `sh\x0ax`.
func Shown(text string) string {
	if !strings.ContainsFunc(text, isHidden) {
		return text
	}
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if isHidden(r) {
			for _, c := range []byte(text[:size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		} else {
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}

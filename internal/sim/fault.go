package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// fault is something that goes wrong: when a command fits, what happens in its
// place or beside it. The commands that fit are counted in the state, so that
// a fault strikes once whichever process sends the command.
type fault struct {
	When when `yaml:"when"`
	Do   do   `yaml:"do"`

	key string
}

// when says which commands a fault strikes: those that fit all that is given,
// from the Nth on (default the first), Times of them (default 1) or every one.
type when struct {
	Opcode       *hexByte `yaml:"opcode"`
	Page         *hexByte `yaml:"page"`         // diagnostic page, or VPD page
	Offset       *int     `yaml:"offset"`       // buffer offset of a piece of an image
	Subenclosure *byte    `yaml:"subenclosure"` // that a control page 0Eh names
	State        string   `yaml:"state"`        // idle, downloading, flashing, staged
	Nth          int      `yaml:"nth"`
	Times        int      `yaml:"times"`
	Every        bool     `yaml:"every"`
}

// do is what happens. The answers (sense, busy, taskSetFull, page08, page09,
// noAnswer, vanish, die) take the place of the command, unless it is carried
// out all the same.
type do struct {
	Sense          *senseCode `yaml:"sense"`
	Busy           bool       `yaml:"busy"`
	TaskSetFull    bool       `yaml:"taskSetFull"`
	Page08         bool       `yaml:"page08"`
	Page09         bool       `yaml:"page09"`
	NoAnswer       bool       `yaml:"noAnswer"`
	Vanish         duration   `yaml:"vanish"` // this path, for so long
	Die            bool       `yaml:"die"`    // the ESP, for ever
	CarriedOut     bool       `yaml:"carriedOut"`
	Delay          duration   `yaml:"delay"`
	ShortPage      *int       `yaml:"shortPage"` // only so many bytes of the answer come
	BumpGeneration bool       `yaml:"bumpGeneration"`
	Status         hexByte    `yaml:"status"`      // the download ends with this status, 80h to FFh
	LieRevision    string     `yaml:"lieRevision"` // is reported from now on
}

// senseCode is sense key, ASC and ASCQ, "06/29/00" in the file.
type senseCode [3]byte

func (c *senseCode) UnmarshalYAML(n *yaml.Node) error {
	parts := strings.Split(n.Value, "/")
	if len(parts) != 3 {
		return fmt.Errorf("line %d: %q is not sense key, ASC and ASCQ such as 06/29/00", n.Line, n.Value)
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 8)
		if err != nil {
			return fmt.Errorf("line %d: %q is not two hex digits", n.Line, p)
		}
		c[i] = byte(v)
	}
	return nil
}

// strikes counts a command for the ESP's faults and merges what those that
// strike do. nil where none does.
func (d *device) strikes(cdb, out []byte) *do {
	var merged *do
	for i := range d.p.Faults {
		f := &d.p.Faults[i]
		if !d.fits(&f.When, cdb, out) {
			continue
		}
		first, times := max(f.When.Nth, 1), max(f.When.Times, 1)
		if n := d.s.Matches[f.key]; n >= first+times && !f.When.Every {
			continue // over and done with: no need to count on
		}
		d.s.Matches[f.key]++
		n := d.s.Matches[f.key]
		if n < first || !f.When.Every && n >= first+times {
			continue
		}
		if merged == nil {
			merged = &do{}
		}
		merged.add(&f.Do)
	}
	return merged
}

// add lets another fault happen together with those before it.
func (a *do) add(b *do) {
	if b.Sense != nil {
		a.Sense = b.Sense
	}
	a.Busy = a.Busy || b.Busy
	a.TaskSetFull = a.TaskSetFull || b.TaskSetFull
	a.Page08 = a.Page08 || b.Page08
	a.Page09 = a.Page09 || b.Page09
	a.NoAnswer = a.NoAnswer || b.NoAnswer
	a.Vanish = max(a.Vanish, b.Vanish)
	a.Die = a.Die || b.Die
	a.CarriedOut = a.CarriedOut || b.CarriedOut
	a.Delay += b.Delay
	if b.ShortPage != nil {
		a.ShortPage = b.ShortPage
	}
	a.BumpGeneration = a.BumpGeneration || b.BumpGeneration
	if b.Status != 0 {
		a.Status = b.Status
	}
	if b.LieRevision != "" {
		a.LieRevision = b.LieRevision
	}
}

func (d *device) fits(w *when, cdb, out []byte) bool {
	if w.Opcode != nil && byte(*w.Opcode) != cdb[0] {
		return false
	}
	page, offset, sub := -1, -1, d.p.parts[0]
	switch {
	case cdb[0] == opReceiveDiagnostic || cdb[0] == opInquiry && cdb[1]&1 == 1:
		page = int(cdb[2])
	case cdb[0] == opSendDiagnostic && len(out) > 0:
		page = int(out[0])
		if page == 0x0e && len(out) >= 24 {
			if named := d.subenclosure(out[1]); named != nil {
				sub = named
			}
			if out[8] != modeActivate {
				offset = be32(out[12:])
			}
		}
	case cdb[0] == opWriteBuffer && cdb[1]&0x1f != modeActivate:
		offset = be24(cdb[3:])
	}
	return (w.Page == nil || int(*w.Page) == page) &&
		(w.Offset == nil || *w.Offset == offset) &&
		(w.Subenclosure == nil || *w.Subenclosure == sub.ID) &&
		(w.State == "" || w.State == d.stateOf(sub))
}

// stateOf is the state of a part's download, in the words of when.
func (d *device) stateOf(sub *part) string {
	st := d.s.part(sub)
	switch {
	case st.Load != nil:
		return "downloading"
	case st.Writing != nil:
		return "flashing"
	case st.Staged != nil:
		return "staged"
	}
	return "idle"
}

// before is what happens ahead of the command.
func (a *do) before(d *device) {
	if a.BumpGeneration {
		d.s.esp(d.p).Generation++
	}
	if a.LieRevision != "" {
		d.s.esp(d.p).Lie = a.LieRevision
	}
}

// after is what happens behind it.
func (a *do) after(d *device, out []byte) {
	if a.Status != 0 {
		sub := d.p.parts[0]
		if len(out) >= 24 && out[0] == 0x0e {
			if named := d.subenclosure(out[1]); named != nil {
				sub = named
			}
		}
		st := d.s.part(sub)
		st.Load, st.Writing, st.Staged, st.FlashUntil = nil, nil, nil, time.Time{}
		st.Status, st.Additional = byte(a.Status), 0
		if a.Status == statusNeedsImage {
			st.Broken = true
		}
	}
	if a.Vanish > 0 {
		back := d.now.Add(time.Duration(a.Vanish))
		d.s.unit(d.u).GoneUntil = back
		d.s.Outages = append(d.s.Outages, outage{ESP: d.p.key, Path: d.u.key, Why: byFault, From: d.now, Until: back})
	}
	if a.Die {
		d.s.esp(d.p).Dead = true
		d.s.Outages = append(d.s.Outages, outage{ESP: d.p.key, Why: byFault, From: d.now})
	}
}

// answer is what the initiator gets in place of the command's own answer; ok is
// false where it gets that.
func (a *do) answer(d *device, cdb []byte) (reply Reply, ok bool) {
	switch {
	case a.Vanish > 0 || a.Die:
		return Reply{Gone: true, NoAnswer: true}, true
	case a.NoAnswer:
		return Reply{NoAnswer: true}, true
	case a.Busy:
		return Reply{Status: busy}, true
	case a.TaskSetFull:
		return Reply{Status: taskSetFull}, true
	case a.Sense != nil:
		return d.check(&sense{key: a.Sense[0], asc: a.Sense[1], ascq: a.Sense[2]}), true
	case a.Page08 && cdb[0] == opReceiveDiagnostic:
		return Reply{In: []byte{0x08, 0, 0, 0}}, true
	case a.Page09 && cdb[0] == opReceiveDiagnostic:
		return Reply{In: []byte{0x09, 0x01, 0, 0}}, true
	}
	return Reply{}, false
}

package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// fault is something that goes wrong: when a command matches, and what happens instead of it
// or beside it. The state counts the commands that match, so that a fault strikes once,
// whichever process sends the command.
type fault struct {
	When when `yaml:"when"`
	Do   do   `yaml:"do"`

	key string
}

// when says which commands a fault strikes: those that match all fields given, from the Nth
// on (default the first), Times of them (default 1) or every one.
type when struct {
	Opcode       *hexByte `yaml:"opcode"`
	Act          string   `yaml:"act"`          // what a command does to a download: see actsOf
	Mode         *hexByte `yaml:"mode"`         // of a control page 0Eh, or of WRITE BUFFER
	After        string   `yaml:"after"`        // the last start of the ESP: start, or by reset, power, peer
	Page         *hexByte `yaml:"page"`         // diagnostic page, or VPD page
	Offset       *int     `yaml:"offset"`       // buffer offset of a piece of an image
	Subenclosure *byte    `yaml:"subenclosure"` // that a control page 0Eh names
	State        string   `yaml:"state"`        // idle, downloading, flashing, staged
	Nth          int      `yaml:"nth"`
	Times        int      `yaml:"times"`
	Every        bool     `yaml:"every"`
}

// do is what happens. The answers (sense, busy, taskSetFull, page08, page09,
// noAnswer, transportError, offline, vanish, die, ignored, late) take the place of
// the command, unless it is carried out all the same.
type do struct {
	Sense          *senseCode `yaml:"sense"`
	Busy           bool       `yaml:"busy"`
	TaskSetFull    bool       `yaml:"taskSetFull"`
	Page08         bool       `yaml:"page08"`
	Page09         bool       `yaml:"page09"`
	NoAnswer       bool       `yaml:"noAnswer"`
	TransportError bool       `yaml:"transportError"` // the host adapter reports DID_ERROR
	Offline        bool       `yaml:"offline"`        // the kernel refuses to send this one command: ENXIO
	Ignored        bool       `yaml:"ignored"`        // answered GOOD, and nothing is carried out
	// Late commands are answered, GOOD unless another answer is given, and carried out later.
	Late           *lateness `yaml:"late"`
	Vanish         duration  `yaml:"vanish"` // this path, for so long
	Die            bool      `yaml:"die"`    // the ESP, for ever
	CarriedOut     bool      `yaml:"carriedOut"`
	Delay          duration  `yaml:"delay"`
	ShortPage      *int      `yaml:"shortPage"` // only this many bytes of the answer come
	BumpGeneration bool      `yaml:"bumpGeneration"`
	Status         hexByte   `yaml:"status"`      // the download ends with this status, 80h to FFh
	LieRevision    string    `yaml:"lieRevision"` // is reported from now on
	Erases         bool      `yaml:"erases"`      // what the part would boot from is erased, whatever is answered
	BootFails      bool      `yaml:"bootFails"`   // its next microcode does not start: it comes back as it was
	Mute           bool      `yaml:"mute"`        // the ESP answers nothing after this, until it is power-cycled
}

// lateness says when a command is carried out: after that many further commands to the ESP,
// or after that time, whichever comes first.
type lateness struct {
	Commands int      `yaml:"commands"`
	Time     duration `yaml:"time"`
}

// senseCode is sense key, ASC and ASCQ, "06/29/00" in the file.
type senseCode [3]byte

func (c *senseCode) UnmarshalYAML(n *yaml.Node) error { return c.parse(n.Line, n.Value) }

func (c *senseCode) parse(line int, text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return fmt.Errorf("line %d: %q is not sense key, ASC and ASCQ such as 06/29/00", line, text)
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 16, 8)
		if err != nil {
			return fmt.Errorf("line %d: %q is not two hex digits", line, p)
		}
		c[i] = byte(v)
	}
	return nil
}

// strikes counts a command for the faults of the ESP and merges those that strike. It
// returns nil if none does.
func (d *device) strikes(cdb, out []byte) *do {
	var merged *do
	for i := range d.p.Faults {
		f := &d.p.Faults[i]
		if !d.fits(&f.When, cdb, out) {
			continue
		}
		first, times := max(f.When.Nth, 1), max(f.When.Times, 1)
		if n := d.s.Matches[f.key]; n >= first+times && !f.When.Every {
			continue // it has struck as often as it may: no need to count further
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

// add merges another fault into those before it.
func (a *do) add(b *do) {
	if b.Sense != nil { // and what is behind an answer belongs to it: what is refused is not carried out
		a.Sense, a.CarriedOut, a.Erases = b.Sense, false, false
	}
	a.Busy = a.Busy || b.Busy
	a.TaskSetFull = a.TaskSetFull || b.TaskSetFull
	a.Page08 = a.Page08 || b.Page08
	a.Page09 = a.Page09 || b.Page09
	a.NoAnswer = a.NoAnswer || b.NoAnswer
	a.TransportError = a.TransportError || b.TransportError
	a.Offline = a.Offline || b.Offline
	a.Ignored = a.Ignored || b.Ignored
	if b.Late != nil {
		a.Late = b.Late
	}
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
	a.Erases = a.Erases || b.Erases
	a.BootFails = a.BootFails || b.BootFails
	a.Mute = a.Mute || b.Mute
}

// actsOf returns what a command does to a download, in the words of when. A single piece is
// both the first and the last.
func (d *device) actsOf(cdb, out []byte) (acts []string, mode int) {
	var first, last bool
	switch {
	case cdb[0] == opSendDiagnostic && len(out) >= 24 && out[0] == 0x0e:
		mode = int(out[8])
		switch mode {
		case modeActivate:
			return []string{"activate"}, mode
		case 0x06, modeSave, modeDefer:
			offset := be32(out[12:])
			first, last = offset == 0, offset+be32(out[20:]) == be32(out[16:])
		default:
			return []string{"abort"}, mode
		}
	case cdb[0] == opWriteBuffer:
		mode = int(cdb[1] & 0x1f)
		if mode == modeActivate {
			return []string{"activate"}, mode
		}
		end := out
		if ld := d.s.part(d.p.parts[0]).Load; ld != nil && be24(cdb[3:]) > 0 {
			end = slices.Concat(ld.Tail, out)
		}
		first, last = be24(cdb[3:]) == 0, bytes.HasSuffix(end, []byte(imageTrailer))
	default:
		return nil, -1
	}
	if first {
		acts = append(acts, "first-chunk")
	}
	if last {
		acts = append(acts, "last-chunk")
	}
	if !first && !last {
		acts = append(acts, "middle-chunk")
	}
	return acts, mode
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
	if w.Act != "" || w.Mode != nil {
		acts, mode := d.actsOf(cdb, out)
		if w.Act != "" && !slices.Contains(acts, w.Act) || w.Mode != nil && int(*w.Mode) != mode {
			return false
		}
	}
	if started := d.s.esp(d.p).Started; w.After != "" && w.After != started && (w.After != "start" || started == "") {
		return false
	}
	return (w.Page == nil || int(*w.Page) == page) &&
		(w.Offset == nil || *w.Offset == offset) &&
		(w.Subenclosure == nil || *w.Subenclosure == sub.ID) &&
		(w.State == "" || w.State == d.stateOf(sub))
}

// stateOf returns the state of the download to a part, in the words of when.
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

// before carries out what happens before the command.
func (a *do) before(d *device) {
	if a.BumpGeneration {
		d.s.esp(d.p).Generation++
	}
	if a.LieRevision != "" {
		d.s.esp(d.p).Lie = a.LieRevision
	}
}

// target returns the part that a command is about.
func (d *device) target(out []byte) *part {
	if len(out) >= 24 && out[0] == 0x0e {
		if named := d.subenclosure(out[1]); named != nil {
			return named
		}
	}
	return d.p.parts[0]
}

// after carries out what happens after it.
func (a *do) after(d *device, cdb, out []byte) {
	st := d.s.part(d.target(out))
	if a.Status != 0 {
		st.Load, st.Writing, st.Staged, st.FlashUntil = nil, nil, nil, time.Time{}
		st.Status, st.Additional = byte(a.Status), 0
		st.Broken = st.Broken || a.Status == statusNeedsImage
	}
	if a.Erases {
		st.Staged, st.Broken = nil, true
	}
	st.BootFails = st.BootFails || a.BootFails
	es := d.s.esp(d.p)
	es.Mute = es.Mute || a.Mute
	if a.Late != nil && !a.CarriedOut {
		l := late{CDB: bytes.Clone(cdb), Out: bytes.Clone(out), Commands: a.Late.Commands}
		if a.Late.Time > 0 {
			l.At = d.now.Add(time.Duration(a.Late.Time))
		}
		es.Late = append(es.Late, l)
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

// answer returns what the initiator gets instead of the command's own answer; ok is false if
// it gets that.
func (a *do) answer(d *device, cdb []byte) (reply Reply, ok bool) {
	switch {
	case a.Vanish > 0 || a.Die:
		return Reply{Gone: true, NoAnswer: true}, true
	case a.Offline:
		return Reply{Gone: true}, true
	case a.NoAnswer:
		return Reply{NoAnswer: true}, true
	case a.TransportError:
		return Reply{Host: hostError}, true
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
	return Reply{}, a.Ignored || a.Late != nil
}

// count counts a command for those that are carried out after others.
func (d *device) count(waiting []late) {
	es := d.s.esp(d.p)
	for i := range min(len(waiting), len(es.Late)) {
		if es.Late[i].Commands > 0 {
			if es.Late[i].Commands--; es.Late[i].Commands == 0 {
				es.Late[i].At = d.now
			}
		}
	}
}

// overdue carries out commands that an ESP has delayed until now.
func (r *Rack) overdue(s *state, p *esp, i int, at time.Time) {
	es := s.esp(p)
	l := es.Late[i]
	es.Late = slices.Delete(es.Late, i, i+1)
	d := &device{rack: r, s: s, now: at, u: p.units[0], p: p}
	switch l.CDB[0] {
	case opSendDiagnostic:
		d.sendDiagnostic(l.CDB, l.Out)
	case opWriteBuffer:
		d.writeBuffer(l.CDB, l.Out)
	}
}

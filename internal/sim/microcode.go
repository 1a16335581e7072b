package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"time"

	"fwctl/internal/glob"
)

// Download microcode status codes.
const (
	statusIdle            = 0x00
	statusAwaitingData    = 0x01
	statusWritingFlash    = 0x02
	statusWritingDeferred = 0x03
	statusStartsOnRead    = 0x10
	statusNeedsPower      = 0x12
	statusNeedsActivation = 0x13
	statusBadField        = 0x80
	statusBadImage        = 0x81
	statusTimedOut        = 0x82
	statusNeedsImage      = 0x83
	statusNothingDeferred = 0x85
)

// Download modes.
const (
	modeSave     = 0x07
	modeDefer    = 0x0e
	modeActivate = 0x0f
)

func (dl *download) takes(protocol string) bool {
	return dl.Protocol == protocol || dl.Protocol == "both"
}

// supports reports whether a part takes a mode with the microcode it runs.
func (d *device) supports(p *part, m byte) bool {
	running := d.s.running(p).Revision
	for _, declared := range p.download.Modes {
		if byte(declared.Mode) == m && running >= declared.From {
			return true
		}
	}
	return false
}

// subenclosure returns the part with this id that the ESP serves, or nil.
func (d *device) subenclosure(id byte) *part {
	for _, sub := range d.p.parts {
		if sub.ID == id {
			return sub
		}
	}
	return nil
}

// microcodeStatus returns the status page 0Eh. Reading it has effects: the ESP forgets
// completion codes, starts microcode that stands at 10h, and may reset its download engine.
func (d *device) microcodeStatus(w *writer) {
	w.u8(0x0e, byte(len(d.p.parts)-1), 0, 0)
	w.u32(d.generation())
	for _, sub := range d.p.parts {
		st := d.s.part(sub)
		code, additional, next := byte(statusIdle), byte(0), uint32(0)
		switch {
		case st.Writing != nil && st.Writing.Mode == modeDefer:
			code = statusWritingDeferred
		case st.Writing != nil:
			code = statusWritingFlash
		case st.Load != nil:
			code, next = statusAwaitingData, uint32(st.Load.Next)
			if sub.download.ReportsIdle {
				code = statusIdle
			}
			if sub.download.StatusReadResets {
				st.Load, st.EngineReset = nil, true
			}
		default:
			code, additional = st.Status, st.Additional
			st.Status, st.Additional, st.Activated = statusIdle, 0, false
			if code == statusStartsOnRead && st.Staged != nil && st.Restart.IsZero() {
				d.rack.restart(d.s, d.p, sub, d.now)
			}
		}
		if sub.download.Chunk.AnyOffset {
			next = 0xffffffff
		}
		w.u8(0, sub.ID, code, additional)
		w.u32(uint32(sub.download.MaxImage))
		w.u8(0, 0, 0, sub.download.BufferID)
		w.u32(next)
	}
}

// problem is what is wrong with a piece of a download.
type problem int

const (
	fine problem = iota
	wrongMode
	wrongBuffer
	wrongOffset
	wrongLength // of the whole image
	wrongChunk  // its length
	wrongImage
	engineWasReset
	stillWriting
)

// Where the standard has the field: in the control page 0Eh, and in WRITE BUFFER's CDB.
var (
	pageField = map[problem]int{wrongMode: 8, wrongBuffer: 11, wrongOffset: 12, wrongLength: 16, wrongChunk: 20}
	cdbField  = map[problem]int{wrongMode: 1, wrongBuffer: 2, wrongOffset: 3, wrongLength: 6, wrongChunk: 6}
)

// current reports whether a control page expects the generation code that the ESP has.
func (d *device) current(page []byte) bool { return uint32(be32(page[4:])) == d.generation() }

// downloadControl carries out the control page 0Eh. One that expects another
// generation code leaves everything as it is, whatever its mode: an abort too.
func (d *device) downloadControl(page []byte) *sense {
	if len(page) < 24 {
		return badLength()
	}
	sub := d.subenclosure(page[1])
	manner := &d.p.parts[0].download
	if sub != nil {
		manner = &sub.download
	}
	if manner.GenerationMismatch == "sense" && !d.current(page) {
		return badParam(4)
	}
	if sub == nil {
		return d.badField(d.p.parts[0], 1)
	}
	if !sub.download.takes("ses") {
		return d.badField(sub, 1)
	}
	if manner.GenerationMismatch == "status" && !d.current(page) {
		return d.badField(sub, 4)
	}
	st, mode := d.s.part(sub), page[8]
	switch mode {
	case modeActivate:
		switch {
		case !d.supports(sub, mode):
			return d.badField(sub, 8)
		case st.Writing != nil:
			return operationUnderWay()
		case st.Staged == nil || st.Staged.Starts != statusNeedsActivation:
			st.Load, st.Status, st.Additional = nil, statusNothingDeferred, 0
			if sub.download.Refuse != "status" {
				return outOfSequence()
			}
			return nil
		}
		d.activateDeferred(sub)
		return nil
	case 0x06, modeSave, modeDefer:
		size := be32(page[20:])
		if (size+3)/4*4 != len(page)-24 {
			return d.badField(sub, 20)
		}
		p := d.take(piece{sub: sub, mode: mode, bufferID: page[11], offset: be32(page[12:]), length: be32(page[16:]),
			data: page[24 : 24+size]})
		switch p {
		case fine:
			return nil
		case stillWriting:
			return operationUnderWay()
		case engineWasReset:
			return badParam(12)
		case wrongImage:
			st.Load, st.Status, st.Additional = nil, statusBadImage, 0
			return nil
		}
		return d.badField(sub, pageField[p])
	}
	if st.Load != nil { // a reserved mode aborts
		st.Load, st.Status, st.Additional = nil, statusBadField, 8
		return nil
	}
	return d.badField(sub, 8)
}

// badField discards a download because of the control page field at offset, and reports it
// in the way of this ESP.
func (d *device) badField(sub *part, offset int) *sense {
	st := d.s.part(sub)
	st.Load = nil
	if sub.download.Refuse != "status" || st.Status == statusNeedsImage { // it keeps this status all the same
		return badParam(offset)
	}
	st.Status, st.Additional = statusBadField, byte(offset)
	return nil
}

// writeBuffer carries out WRITE BUFFER, which reaches the primary subenclosure.
func (d *device) writeBuffer(cdb, out []byte) *sense {
	sub := d.p.parts[0]
	if !sub.download.takes("write-buffer") {
		return invalidOpcode()
	}
	mode := cdb[1] & 0x1f
	if !d.supports(sub, mode) {
		return badCDB(1)
	}
	if be24(cdb[6:]) != len(out) {
		return badCDB(6)
	}
	st := d.s.part(sub)
	if mode == modeActivate {
		switch {
		case st.Writing != nil:
			return operationUnderWay()
		case st.Staged == nil || st.Staged.Starts != statusNeedsActivation:
			st.Load = nil
			return outOfSequence()
		}
		d.activateDeferred(sub)
		return nil
	}
	p := d.take(piece{sub: sub, mode: mode, bufferID: cdb[2], offset: be24(cdb[3:]), data: out, buffer: true})
	switch p {
	case fine:
		return nil
	case stillWriting:
		return operationUnderWay()
	case engineWasReset:
		return badParam(0)
	case wrongImage:
		st.Load = nil
		return &sense{key: 5, asc: 0x26}
	}
	st.Load = nil
	return badCDB(cdbField[p])
}

// activateDeferred carries out mode 0Fh for deferred microcode: what the part raises and
// reports, and the start of its new microcode.
func (d *device) activateDeferred(sub *part) {
	st, a := d.s.part(sub), &sub.download.Activated
	for _, code := range a.Attentions {
		for _, u := range d.p.units {
			d.s.unit(u).attend(code)
		}
	}
	st.Status, st.Additional, st.Activated = byte(a.Status), 0, a.Status != 0
	if a.Starts == "now" {
		d.rack.restart(d.s, d.p, sub, d.now)
	}
}

// piece is one piece of an image, by either protocol.
type piece struct {
	sub      *part
	mode     byte
	bufferID byte
	offset   int
	length   int // of the whole image, 0 if the protocol does not say
	data     []byte
	buffer   bool // by WRITE BUFFER
}

// take adds a piece to the download. If it does not fit, nothing is changed:
// the caller discards the download.
func (d *device) take(in piece) problem {
	st, dl := d.s.part(in.sub), &in.sub.download
	whole := in.buffer && (in.mode == 0x04 || in.mode == 0x05)
	switch {
	case st.Writing != nil:
		return stillWriting
	case !d.supports(in.sub, in.mode):
		return wrongMode
	case !dl.has(in.bufferID), st.Load != nil && in.offset > 0 && in.bufferID != st.Load.BufferID:
		return wrongBuffer
	case !in.buffer && (in.length == 0 || in.length > dl.MaxImage):
		return wrongLength
	case len(in.data) == 0 || len(in.data) > dl.Chunk.Max && !whole:
		return wrongChunk
	case in.offset%max(dl.Chunk.MultipleOf, 1) != 0 || !in.buffer && in.offset%4 != 0:
		return wrongOffset
	case in.length > 0 && in.offset+len(in.data) > in.length || in.offset+len(in.data) > dl.MaxImage:
		return wrongChunk
	case in.length > 0 && in.offset+len(in.data) < in.length && len(in.data)%max(dl.Chunk.MultipleOf, 1) != 0:
		return wrongChunk
	}
	// WRITE BUFFER cannot abort: offset 0 starts over.
	if st.Load == nil || in.buffer && in.offset == 0 {
		if in.offset != 0 {
			if st.EngineReset {
				return engineWasReset
			}
			return wrongOffset
		}
		st.Load = newLoad(in.mode, in.bufferID, in.length, in.buffer)
		st.Staged, st.EngineReset = nil, false
		st.Status, st.Additional, st.Activated = statusIdle, 0, false
	}
	ld := st.Load
	if dl.Timeout > 0 {
		st.LoadUntil = d.now.Add(time.Duration(dl.Timeout))
	}
	switch {
	case in.mode != ld.Mode || in.buffer != ld.Buffer:
		return wrongMode
	case in.length != ld.Length:
		return wrongLength
	case in.offset != ld.Next && !dl.Chunk.AnyOffset:
		return wrongOffset
	case in.offset < ld.Next:
		ld.Doubles++
		return fine // it overwrites what is there, unnoticed
	case in.offset > ld.Next:
		ld.Gaps++
	}
	ld.add(in.data)
	ld.Next = in.offset + len(in.data)

	if id, ours, known := imageIdentity(ld.Head); known && dl.Accepts.Refuse == "first" && !dl.Accepts.image(id, ours) {
		return wrongImage
	}
	if dl.SingleBank && in.mode != modeDefer {
		st.Broken = true // what ran is erased
	}
	if whole || in.length > 0 && ld.Next == in.length || in.buffer && string(ld.Tail) == imageTrailer {
		return d.complete(in.sub)
	}
	return fine
}

// has reports whether an image can go to a buffer: the part's own, or that of one beside it.
func (dl *download) has(bufferID byte) bool {
	return bufferID == dl.BufferID || bytes.IndexByte(dl.Beside, bufferID) >= 0
}

func newLoad(mode, bufferID byte, length int, buffer bool) *load {
	empty, _ := sha256.New().(encoding.BinaryMarshaler).MarshalBinary() // cannot fail
	return &load{Mode: mode, BufferID: bufferID, Length: length, Hash: empty, Buffer: buffer}
}

// add hashes a piece and keeps what identifies the image and shows where it ends.
func (ld *load) add(data []byte) {
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(ld.Hash); err != nil {
		panic(err) // MarshalBinary returned it
	}
	h.Write(data)
	ld.Hash, _ = h.(encoding.BinaryMarshaler).MarshalBinary()
	ld.Head = append(ld.Head, data[:min(len(data), maxHeader-len(ld.Head))]...)
	ld.Tail = append(ld.Tail, data[max(0, len(data)-len(imageTrailer)):]...)
	ld.Tail = bytes.Clone(ld.Tail[max(0, len(ld.Tail)-len(imageTrailer)):])
}

func (ld *load) sum() string {
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(ld.Hash); err != nil {
		panic(err) // MarshalBinary returned it
	}
	return hex.EncodeToString(h.Sum(nil))
}

// image reports whether a whole image is one of this component's.
func (a accepts) image(id identity, ours bool) bool {
	return ours && glob.Match(a.Vendor, id.Vendor) && glob.Match(a.Product, id.Product)
}

// complete ends a download whose last byte has come: flash writing begins.
func (d *device) complete(sub *part) problem {
	st, dl := d.s.part(sub), &sub.download
	ld := st.Load
	st.Load = nil
	sum := ld.sum()
	st.Received = append(st.Received,
		received{SHA256: sum, Size: ld.Next, Mode: ld.Mode, Gaps: ld.Gaps, Doubles: ld.Doubles})

	id, ours, _ := imageIdentity(ld.Head)
	if ld.Gaps > 0 || dl.Accepts.Refuse != "never" && !dl.Accepts.image(id, ours) {
		return wrongImage
	}
	if !ours {
		id = identity{Revision: "????"} // it was accepted as microcode, and runs somehow
	}
	starts := byte(dl.Completion.Mode7)
	if ld.Mode == modeDefer || ld.Mode == 0x0d {
		starts = byte(dl.Completion.ModeE)
	}
	st.Writing = &staged{
		Vendor: id.Vendor, Product: id.Product, Revision: id.Revision, SHA256: sum,
		Starts: starts, Mode: ld.Mode, Via: d.p.key, Buffer: ld.Buffer, BufferID: ld.BufferID,
	}
	st.FlashUntil = d.now.Add(time.Duration(dl.FlashTime))
	return fine
}

// flashWritten ends flash writing.
func (r *Rack) flashWritten(s *state, sub *part, at time.Time) {
	st := s.part(sub)
	st.Staged, st.Writing, st.FlashUntil = st.Writing, nil, time.Time{}
	st.Broken = false
	st.Status, st.Additional = st.Staged.Starts, 0
	if st.Staged.Starts == statusStartsOnRead && (st.Staged.Buffer || sub.download.RebootsBeforeStatus) {
		for _, p := range sub.servedBy {
			if p.key == st.Staged.Via {
				r.restart(s, p, sub, at)
			}
		}
	}
}

// restart starts a part's new microcode: the primary's by a reset of the ESP, a
// secondary's by itself unless it takes the ESP with it.
func (r *Rack) restart(s *state, p *esp, sub *part, at time.Time) {
	dl := &sub.download
	if sub.ID != 0 && !dl.Vanish {
		s.part(sub).Restart = at.Add(time.Duration(dl.RebootTime))
		return
	}
	r.reset(s, p, sub, dl, at, byReset)
}

// reset resets an ESP, or powers it on: downloads in progress are lost, and microcode that
// waits for this starts, that of the part cause in any case.
func (r *Rack) reset(s *state, p *esp, cause *part, dl *download, at time.Time, why string) {
	es, powerOn := s.esp(p), why == byPower
	if es.Dead {
		return
	}
	boot := &reboot{
		Why:    why,
		Until:  at.Add(time.Duration(dl.RebootTime)),
		Vanish: dl.Vanish || powerOn,
		Node:   dl.ReturnNode,
		Quiet:  dl.QuietReturn,
	}
	es.Mute = es.Mute && !powerOn
	for _, sub := range p.parts {
		if len(sub.servedBy) > 1 && !powerOn && sub != cause {
			continue // other ESPs serve it too
		}
		st := s.part(sub)
		if st.Writing != nil && sub.download.SingleBank {
			st.Broken = true
		}
		st.Load, st.Writing, st.FlashUntil = nil, nil, time.Time{}
		st.Status, st.Additional, st.EngineReset = statusIdle, 0, false
		st.Activated = st.Activated && sub == cause
		if st.Broken {
			es.Dead = true
		}
		if powerOn && sub.download.PowerLoss == "loses" {
			st.Staged = nil
		}
		if st.Staged != nil && (powerOn || sub == cause || st.Staged.Starts != statusNeedsPower) {
			boot.Activates = append(boot.Activates, sub.key)
		}
	}
	es.Reboot, es.Late = boot, nil
	out := outage{ESP: p.key, Why: why, From: at, Until: boot.Until, Stays: !boot.Vanish && !es.Dead}
	if es.Dead {
		out.Until = time.Time{}
	}
	s.Outages = append(s.Outages, out)
}

// rebooted ends a reset: the ESP answers again.
func (r *Rack) rebooted(s *state, p *esp, at time.Time) {
	es := s.esp(p)
	boot := es.Reboot
	es.Reboot, es.Started = nil, boot.Why
	for _, u := range p.units {
		s.unit(u).attend(attentionReset)
	}
	for _, sub := range p.parts {
		for _, key := range boot.Activates {
			if key == sub.key {
				r.activate(s, sub, at)
			}
		}
	}
	if !boot.Vanish {
		return
	}
	id := s.inquired(p)
	es.Kernel = &id
	for _, u := range p.units {
		r.returned(s, u, boot.Node)
		if boot.Quiet {
			s.unit(u).Attentions = nil
		}
	}
}

// returned has the kernel find a unit anew.
func (r *Rack) returned(s *state, u *unit, node string) {
	us := s.unit(u)
	us.Incarnation++
	switch node {
	case "same":
	case "other":
		s.MaxNode[u.host]++
		n := s.MaxNode[u.host]
		us.Node = &n
	default:
		n := fixedNode(node) + u.cable
		s.MaxNode[u.host] = max(s.MaxNode[u.host], n)
		us.Node = &n
	}
}

// activate makes staged microcode the running one.
func (r *Rack) activate(s *state, sub *part, at time.Time) {
	st := s.part(sub)
	st.Restart = time.Time{}
	if st.Activated {
		st.Status = byte(sub.download.Activated.Status)
	}
	if st.Staged == nil {
		return
	}
	if st.BootFails {
		st.BootFails, st.Staged = false, nil
		return
	}
	if beside := st.Staged.BufferID; beside != sub.download.BufferID &&
		bytes.IndexByte(sub.download.Beside, beside) >= 0 {
		if st.Beside == nil {
			st.Beside = map[byte]string{}
		}
		st.Beside[beside], st.Staged = st.Staged.SHA256, nil // and the reported revision stays as it is
		return
	}
	if st.Staged.Vendor != "" {
		st.Vendor, st.Product = st.Staged.Vendor, st.Staged.Product
	}
	st.Revision, st.Runs = st.Staged.Revision, st.Staged.SHA256
	st.Staged = nil
	if !st.Activated {
		st.Status, st.Additional = statusIdle, 0
	}
	for _, p := range sub.servedBy {
		s.esp(p).Generation++
		for _, u := range p.units {
			s.unit(u).attend(attentionMicrocode)
		}
	}
	if e := sub.servedBy[0].enclosure; sub.ID == 0 && (e.PeerSync == "up" || e.PeerSync == "down") &&
		!s.synchronised(e) {
		s.Syncs[e.Name] = at.Add(time.Duration(e.PeerSyncTime))
	}
}

// attend records a unit attention for one I_T nexus.
func (us *unitState) attend(a [2]byte) {
	for _, pending := range us.Attentions {
		if pending == a {
			return
		}
	}
	us.Attentions = append(us.Attentions, a)
}

// synchronised reports whether all ESPs of an enclosure run one revision.
func (s *state) synchronised(e *enclosure) bool {
	first := s.running(e.ESPs[0].parts[0])
	for _, p := range e.ESPs {
		if s.running(p.parts[0]).Revision != first.Revision {
			return false
		}
	}
	return true
}

// synchronise brings the ESPs of an enclosure to one revision: the highest, or the lowest.
func (r *Rack) synchronise(s *state, e *enclosure, at time.Time) {
	delete(s.Syncs, e.Name)
	from := e.ESPs[0].parts[0]
	want := s.running(from)
	for _, p := range e.ESPs {
		if id := s.running(p.parts[0]); (id.Revision > want.Revision) == (e.PeerSync == "up") {
			from, want = p.parts[0], id
		}
	}
	for _, p := range e.ESPs {
		sub := p.parts[0]
		if s.running(sub).Revision != want.Revision {
			s.part(sub).Staged = &staged{Vendor: want.Vendor, Product: want.Product, Revision: want.Revision,
				SHA256: s.part(from).Runs, Starts: statusStartsOnRead, Via: p.key}
			r.reset(s, p, sub, &sub.download, at, byPeer)
		}
	}
}

// settle carries out everything that was due by now, in order.
func (r *Rack) settle(s *state, now time.Time) {
	for _, sub := range r.def.parts {
		if st := s.part(sub); st.Load == nil {
			st.LoadUntil = time.Time{}
		} else if timeout := time.Duration(sub.download.Timeout); timeout > 0 && st.LoadUntil.IsZero() {
			st.LoadUntil = now.Add(timeout)
		}
	}
	for {
		at, happen := r.nextEvent(s)
		if happen == nil || at.After(now) {
			r.due = at
			return
		}
		happen(at)
		r.trees = nil // as they were before
	}
}

// nextEvent returns the next thing that will happen on its own, or nil.
func (r *Rack) nextEvent(s *state) (at time.Time, happen func(at time.Time)) {
	consider := func(t time.Time, f func(time.Time)) {
		if !t.IsZero() && (happen == nil || t.Before(at)) {
			at, happen = t, f
		}
	}
	for _, sub := range r.def.parts {
		st := s.part(sub)
		consider(st.FlashUntil, func(t time.Time) { r.flashWritten(s, sub, t) })
		consider(st.Restart, func(t time.Time) { r.activate(s, sub, t) })
		consider(st.LoadUntil, func(time.Time) {
			if st.Load != nil {
				st.Status, st.Additional = statusTimedOut, 0
			}
			st.Load, st.LoadUntil = nil, time.Time{}
		})
	}
	for _, p := range r.def.esps {
		if es := s.esp(p); es.Reboot != nil && !es.Dead {
			consider(es.Reboot.Until, func(t time.Time) { r.rebooted(s, p, t) })
		}
		for i, l := range s.esp(p).Late {
			consider(l.At, func(t time.Time) { r.overdue(s, p, i, t) })
		}
		for _, u := range p.units {
			us := s.unit(u)
			consider(us.GoneUntil, func(time.Time) {
				us.GoneUntil = time.Time{}
				us.attend(attentionNexusLoss)
				r.returned(s, u, p.parts[0].download.ReturnNode)
			})
		}
	}
	for _, e := range r.def.Enclosures {
		consider(s.Syncs[e.Name], func(t time.Time) { r.synchronise(s, e, t) })
	}
	return at, happen
}

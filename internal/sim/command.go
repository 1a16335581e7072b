package sim

import (
	"bytes"
	"time"
)

// Operation codes.
const (
	opTestUnitReady     = 0x00
	opRequestSense      = 0x03
	opInquiry           = 0x12
	opReceiveDiagnostic = 0x1c
	opSendDiagnostic    = 0x1d
	opWriteBuffer       = 0x3b
	opReadBuffer        = 0x3c
	opReportLUNs        = 0xa0
	opMaintenanceIn     = 0xa3
	saReportOpcodes     = 0x0c
)

// device is one logical unit while it carries out one command.
type device struct {
	rack *Rack
	s    *state
	now  time.Time
	u    *unit
	p    *esp // of u; nil for drives and others
}

// hasEffect reports whether a command changes the device, or consumes what it reports.
func hasEffect(cdb []byte) bool {
	return cdb[0] == opSendDiagnostic || cdb[0] == opWriteBuffer || cdb[0] == opReceiveDiagnostic && cdb[2] == 0x0e
}

// cdbLength is the length that the group code of an operation code demands.
func cdbLength(opcode byte) int {
	switch opcode >> 5 {
	case 0:
		return 6
	case 1, 2:
		return 10
	case 5:
		return 12
	}
	return 16
}

// run carries out one command, with the faults that strike it.
func (d *device) run(cdb, out []byte, inLen int) Reply {
	if !d.s.visible(d.u) {
		return Reply{Gone: true}
	}
	if len(cdb) == 0 || len(cdb) < cdbLength(cdb[0]) {
		return d.check(invalidOpcode())
	}
	if d.p == nil {
		return d.finish(d.plain(cdb), cdb, inLen)
	}
	es := d.s.esp(d.p)
	if es.Mute {
		return Reply{NoAnswer: true}
	}
	waiting := es.Late
	defer func() { d.count(waiting) }()
	struck := d.strikes(cdb, out)
	if struck == nil {
		return d.finish(d.command(cdb, out), cdb, inLen)
	}
	struck.before(d)
	reply, replaced := struck.answer(d, cdb)
	if !replaced || struck.CarriedOut && !struck.Offline {
		own := d.command(cdb, out)
		if !replaced {
			reply = own
		}
	}
	struck.after(d, cdb, out)
	if struck.ShortPage != nil && len(reply.In) > *struck.ShortPage {
		reply.In = reply.In[:*struck.ShortPage]
	}
	reply.Latency += time.Duration(struck.Delay)
	return d.finish(reply, cdb, inLen)
}

// finish cuts the data to the room of the initiator, and takes its time.
func (d *device) finish(reply Reply, cdb []byte, inLen int) Reply {
	room := inLen
	switch cdb[0] {
	case opInquiry, opReceiveDiagnostic:
		room = min(room, be16(cdb[3:]))
	case opRequestSense:
		room = min(room, int(cdb[4]))
	case opReadBuffer:
		room = min(room, be24(cdb[6:]))
	case opReportLUNs, opMaintenanceIn:
		room = min(room, be32(cdb[6:]))
	}
	reply.In = reply.In[:min(len(reply.In), room)]
	if d.p != nil {
		reply.Latency += time.Duration(d.p.Latency)
	}
	return reply
}

// check returns a CHECK CONDITION in the format of this ESP.
func (d *device) check(s *sense) Reply {
	if d.p != nil && s.key == 5 {
		dl, told := d.p.parts[0].download, *s
		if dl.Refuse == "all" {
			told.asc, told.ascq = 0x26, 0
			if told.field == inCDB {
				told.field = noField
			}
		}
		if !dl.SKSV {
			told.field = noField
		}
		s = &told
	}
	return Reply{Status: checkCondition, Sense: d.senseData(s, false)}
}

func (d *device) senseData(s *sense, descriptor bool) []byte {
	if descriptor || d.p != nil && d.p.Sense == "descriptor" {
		return s.descriptor()
	}
	return s.fixed()
}

// command carries out a command of an ESP's logical unit.
func (d *device) command(cdb, out []byte) Reply {
	us := d.s.unit(d.u)
	switch cdb[0] { // these are answered in any state, and do not change it
	case opInquiry:
		return d.result(d.inquiry(cdb))
	case opReportLUNs:
		return d.result(reportLUNs(cdb, d.volumes()...))
	case opRequestSense:
		return Reply{In: d.requestSense(cdb)}
	}
	if boot := d.s.esp(d.p).Reboot; boot != nil {
		return d.check(becomingReady())
	}
	if len(us.Attentions) > 0 {
		a := us.Attentions[0]
		us.Attentions = us.Attentions[1:]
		return d.check(attention(a))
	}
	switch cdb[0] {
	case opTestUnitReady:
		return Reply{}
	case opReceiveDiagnostic:
		return d.result(d.receiveDiagnostic(cdb))
	case opSendDiagnostic:
		return d.result(nil, d.sendDiagnostic(cdb, out))
	case opWriteBuffer:
		if d.synchronising() {
			return d.check(transferRefused())
		}
		return d.result(nil, d.writeBuffer(cdb, out))
	case opReadBuffer:
		return d.result(d.readBuffer(cdb))
	case opMaintenanceIn:
		if cdb[1]&0x1f == saReportOpcodes && *d.p.RSOC {
			return d.result(d.reportOpcodes(cdb))
		}
	}
	return d.check(invalidOpcode())
}

// plain carries out a command of a drive or of another logical unit: just enough to
// identify it.
func (d *device) plain(cdb []byte) Reply {
	switch cdb[0] {
	case opInquiry:
		return d.result(d.inquiry(cdb))
	case opReportLUNs:
		return d.result(reportLUNs(cdb))
	case opRequestSense:
		return Reply{In: d.senseData(noSense(), cdb[1]&1 == 1)}
	case opTestUnitReady:
		return Reply{}
	}
	return d.check(invalidOpcode())
}

func (d *device) result(in []byte, err *sense) Reply {
	if err != nil {
		return d.check(err)
	}
	return Reply{In: in}
}

// synchronising reports whether the ESPs of the enclosure are about to agree on a revision.
func (d *device) synchronising() bool {
	return !d.s.Syncs[d.p.enclosure.Name].IsZero()
}

// volumes are the LUNs beside the ESP's own.
func (d *device) volumes() []byte {
	var luns []byte
	for _, v := range d.p.enclosure.Volumes {
		luns = append(luns, byte(v.LUN))
	}
	return luns
}

// reportLUNs lists LUN 0, and others of the same target.
func reportLUNs(cdb []byte, others ...byte) ([]byte, *sense) {
	if cdb[2] > 0x02 {
		return nil, badCDB(2)
	}
	w := &writer{}
	w.u32(uint32(8 + 8*len(others)))
	w.u32(0)
	w.u64(0)
	for _, lun := range others {
		w.u64(uint64(lun) << 48)
	}
	return w.b, nil
}

// inquiry answers standard INQUIRY and the VPD pages.
func (d *device) inquiry(cdb []byte) ([]byte, *sense) {
	if cdb[1]&0x01 == 0 {
		if cdb[2] != 0 {
			return nil, badCDB(2)
		}
		return d.s.standardInquiry(d.u), nil
	}
	if page := d.vpdPage(cdb[2]); page != nil {
		return page, nil
	}
	return nil, badCDB(2)
}

// standardInquiry is what a unit answers to INQUIRY now.
func (s *state) standardInquiry(u *unit) []byte {
	switch {
	case u.esp != nil:
		return standardInquiry(*u.esp.DeviceType, *u.esp.EncServ, s.inquired(u.esp))
	case u.drive != nil:
		return standardInquiry(typeDisk, false, u.drive.identity())
	}
	return standardInquiry(u.other.Type, u.other.EncServ, u.other.identity())
}

func (dr *drive) identity() identity {
	if dr.SATA {
		return identity{Vendor: "ATA", Product: "SIMDISK SATA", Revision: "0001"}
	}
	return identity{Vendor: "SIM", Product: "SIMDISK SAS", Revision: "0001"}
}

func (o *other) identity() identity {
	return identity{Vendor: o.Vendor, Product: o.Product, Revision: o.Revision}
}

// vpdPage returns a VPD page, or nil if the unit has none of this code.
func (d *device) vpdPage(code byte) []byte {
	codes := []byte{0x00, 0x80, 0x83}
	if d.p != nil {
		codes = nil
		for _, c := range *d.p.VPD {
			codes = append(codes, byte(c))
		}
	}
	if !bytes.Contains(codes, []byte{code}) {
		return nil
	}
	deviceType, lu, port, serial := d.u.identification()
	switch code {
	case 0x00:
		return vpd(deviceType, code, func(w *writer) { w.bytes(codes) })
	case 0x80:
		return vpdSerial(deviceType, serial)
	case 0x83:
		return vpdIdentification(deviceType, lu, port)
	case 0x86:
		return d.vpdExtended()
	}
	return nil
}

// identification distinguishes a unit from all others.
func (u *unit) identification() (deviceType byte, lu, port hexID, serial string) {
	switch {
	case u.esp != nil:
		return *u.esp.DeviceType, u.esp.LU, u.esp.Port, u.esp.Serial
	case u.drive != nil:
		return typeDisk, u.drive.lu(), u.drive.port(u.via.esp.number), u.drive.lu().String()
	}
	return u.other.Type, u.other.LU, 0, u.other.LU.String()
}

// requestSense reports a pending unit attention, or the state of the unit.
func (d *device) requestSense(cdb []byte) []byte {
	us, st := d.s.unit(d.u), d.s.part(d.p.parts[0])
	s := noSense()
	switch {
	case d.s.esp(d.p).Reboot != nil:
		s = becomingReady()
	case len(us.Attentions) > 0:
		s = attention(us.Attentions[0])
		us.Attentions = us.Attentions[1:]
	case st.Staged != nil && st.Staged.Buffer && d.p.parts[0].download.Confirm == "sense":
		s = microcodeWaits()
	}
	return d.senseData(s, cdb[1]&1 == 1)
}

func (d *device) receiveDiagnostic(cdb []byte) ([]byte, *sense) {
	if cdb[1]&0x01 == 0 {
		return nil, badCDB(1) // without PCV, there is no page to read
	}
	allocation := be16(cdb[3:])
	if a := d.p.Allocation; allocation < a.Min || a.Max > 0 && allocation > a.Max {
		return nil, badCDB(3)
	}
	if page := d.page(cdb[2]); page != nil {
		return page, nil
	}
	return nil, badCDB(2)
}

func (d *device) sendDiagnostic(cdb, out []byte) *sense {
	if be16(cdb[3:]) != len(out) {
		return badCDB(3)
	}
	if len(out) == 0 {
		return nil // a self-test, or nothing at all
	}
	if cdb[1]&0x10 == 0 {
		return badCDB(1) // without PF, parameters are vendor specific
	}
	if len(out) < 4 {
		return badLength()
	}
	primary := d.p.parts[0]
	if reset := primary.download.ResetPage; len(reset) > 0 && bytes.Equal(reset, out) {
		d.rack.restart(d.s, d.p, primary, d.now)
		return nil
	}
	switch length := be16(out[2:]) + 4; {
	case length > len(out):
		return badLength()
	case length < len(out):
		return badParam(2)
	}
	switch {
	case out[0] == 0x02 && bytes.Contains(d.pageCodes(), []byte{0x02}):
		if len(out) < 8 {
			return badLength()
		}
		if primary.download.GenerationMismatch != "ignored" && !d.current(out) {
			return badParam(4)
		}
		return nil // enclosure control: nothing here can be switched
	case out[0] == 0x0e && bytes.Contains(d.pageCodes(), []byte{0x0e}):
		if d.synchronising() {
			return transferRefused()
		}
		return d.downloadControl(out)
	}
	return badParam(0)
}

// readBuffer answers the descriptor mode: boundary of offsets, and capacity.
func (d *device) readBuffer(cdb []byte) ([]byte, *sense) {
	dl := &d.p.parts[0].download
	if !dl.takes("write-buffer") {
		return nil, invalidOpcode()
	}
	if cdb[1]&0x1f != 0x03 {
		return nil, badCDB(1)
	}
	if !dl.has(cdb[2]) {
		return []byte{0, 0, 0, 0}, nil
	}
	boundary := byte(0)
	for dl.Chunk.MultipleOf>>(boundary+1) > 0 && dl.Chunk.MultipleOf%(2<<boundary) == 0 {
		boundary++
	}
	size := min(dl.MaxImage, 0xffffff)
	return []byte{boundary, byte(size >> 16), byte(size >> 8), byte(size)}, nil
}

// opcode is a command that the unit supports.
type opcode struct {
	code, action byte
	actions      bool // it has service actions
	size         int
	usage        []byte // CDB usage data
}

func (d *device) opcodes() []opcode {
	list := []opcode{
		{code: opTestUnitReady, size: 6, usage: []byte{0x00, 0, 0, 0, 0, 0x07}},
		{code: opRequestSense, size: 6, usage: []byte{0x03, 0x01, 0, 0, 0xff, 0x07}},
		{code: opInquiry, size: 6, usage: []byte{0x12, 0x01, 0xff, 0xff, 0xff, 0x07}},
		{code: opReceiveDiagnostic, size: 6, usage: []byte{0x1c, 0x01, 0xff, 0xff, 0xff, 0x07}},
		{code: opSendDiagnostic, size: 6, usage: []byte{0x1d, 0x10, 0, 0xff, 0xff, 0x07}},
	}
	if d.p.parts[0].download.takes("write-buffer") {
		for m := byte(0x04); m <= modeActivate; m++ {
			if d.supports(d.p.parts[0], m) {
				list = append(list, opcode{code: opWriteBuffer, action: m, actions: true, size: 10,
					usage: []byte{0x3b, 0xe0 | m, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07}})
			}
		}
		list = append(list, opcode{code: opReadBuffer, action: 0x03, actions: true, size: 10,
			usage: []byte{0x3c, 0x03, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07}})
	}
	return append(list,
		opcode{code: opReportLUNs, size: 12, usage: []byte{0xa0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0x07}},
		opcode{code: opMaintenanceIn, action: saReportOpcodes, actions: true, size: 12,
			usage: []byte{0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x07}})
}

// reportOpcodes answers REPORT SUPPORTED OPERATION CODES.
func (d *device) reportOpcodes(cdb []byte) ([]byte, *sense) {
	w := &writer{}
	option, code, action := cdb[2]&0x07, cdb[3], be16(cdb[4:])
	if option == 0 {
		w.u32(0)
		for _, o := range d.opcodes() {
			flags := byte(0)
			if o.actions {
				flags = 0x01 // SERVACTV
			}
			w.u8(o.code, 0, 0, o.action, 0, flags)
			w.u16(o.size)
		}
		w.b[2], w.b[3] = byte((len(w.b)-4)>>8), byte(len(w.b)-4)
		return w.b, nil
	}
	if option > 3 {
		return nil, badCDB(2)
	}
	for _, o := range d.opcodes() {
		if o.code != code {
			continue
		}
		if option == 1 && o.actions || option == 2 && !o.actions {
			return nil, badCDB(2)
		}
		if o.actions && int(o.action) != action {
			continue
		}
		w.u8(0, 0x03) // supported as the standard has it
		w.u16(o.size)
		w.bytes(o.usage)
		return w.b, nil
	}
	return []byte{0, 0x01, 0, 0}, nil // not supported
}

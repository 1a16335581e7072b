package sim

import "fmt"

// running returns the identity that a part has from its microcode.
func (s *state) running(p *part) identity {
	id := identity{Vendor: p.Vendor, Product: p.Product, Revision: p.Revision}
	st := s.part(p)
	if st.Vendor != "" {
		id.Vendor = st.Vendor
	}
	if st.Product != "" {
		id.Product = st.Product
	}
	if st.Revision != "" {
		id.Revision = st.Revision
	}
	return id
}

// reported returns what page 01h says about a part, true or not.
func (s *state) reported(p *esp, sub *part) identity {
	id := s.running(sub)
	if lie := s.esp(p).Lie; lie != "" && sub.ID == 0 {
		id.Revision = lie
	}
	return id
}

// inquired returns what INQUIRY says about an ESP.
func (s *state) inquired(p *esp) identity {
	id := s.reported(p, p.parts[0])
	if p.Inquiry.Vendor != "" {
		id.Vendor = p.Inquiry.Vendor
	}
	if p.Inquiry.Product != "" {
		id.Product = p.Inquiry.Product
	}
	if p.Inquiry.Revision != "" {
		id.Revision = p.Inquiry.Revision
	}
	return id
}

// standardInquiry is standard INQUIRY data of 96 bytes, the last 40 of them zero.
func standardInquiry(deviceType byte, encServ bool, id identity) []byte {
	w := &writer{}
	w.u8(deviceType, 0, 0x06, 0x02, 91, 0) // SPC-4, response data format 2, additional length
	if encServ {
		w.u8(0x40)
	} else {
		w.u8(0)
	}
	w.u8(0x02) // CMDQUE
	w.text(id.Vendor, 8)
	w.text(id.Product, 16)
	w.text(id.Revision, 4)
	w.bytes(make([]byte, 60))
	return w.b
}

// naaDesignator is a designation descriptor of VPD page 83h.
func naaDesignator(w *writer, association byte, id hexID) {
	if association == 0 {
		w.u8(0x01, 0x03, 0, 8) // binary, logical unit, NAA
	} else {
		w.u8(0x61, 0x80|association<<4|0x03, 0, 8) // SAS, binary, PIV
	}
	w.u64(uint64(id))
}

func vpd(deviceType byte, code byte, fill func(w *writer)) []byte {
	w := &writer{}
	w.u8(deviceType, code, 0, 0)
	fill(w)
	return w.length()
}

// vpdIdentification is VPD page 83h.
func vpdIdentification(deviceType byte, lu, port hexID) []byte {
	return vpd(deviceType, 0x83, func(w *writer) {
		if lu != 0 {
			naaDesignator(w, 0, lu)
		}
		if port != 0 {
			naaDesignator(w, 1, port)
			w.u8(0x61, 0x94, 0, 4) // relative target port identifier
			w.u32(1)
		}
	})
}

// vpdSerial is VPD page 80h.
func vpdSerial(deviceType byte, serial string) []byte {
	return vpd(deviceType, 0x80, func(w *writer) { w.text(serial, len(serial)) })
}

// vpdExtended is VPD page 86h of an ESP: which WRITE BUFFER modes it takes, and
// what starts deferred microcode.
func (d *device) vpdExtended() []byte {
	b := make([]byte, 64)
	b[0], b[1], b[3] = *d.p.DeviceType, 0x86, 60
	dl := &d.p.parts[0].download
	if !dl.takes("write-buffer") {
		return b
	}
	if dl.Completion.Mode7 == statusStartsOnRead && (d.supports(d.p.parts[0], 0x07) || d.supports(d.p.parts[0], 0x05)) {
		b[4] |= 0x40 // before the last command completes
	} else {
		b[4] |= 0x80 // after an event
	}
	b[12] = 0x90 // POA_SUP, DMS_VALID
	if dl.Activation == "mode-f" {
		b[12] |= 0x40 // HRA_SUP
	}
	for bit, m := range []byte{0x0f, 0x0e, 0x0d, 0x07, 0x06, 0x05, 0x04} {
		if d.supports(d.p.parts[0], m) {
			b[19] |= byte(2 << bit)
		}
	}
	return b
}

// pageCodes are the diagnostic pages that the ESP supports, ascending.
func (d *device) pageCodes() []byte {
	if d.p.Pages != nil {
		var codes []byte
		for _, c := range *d.p.Pages {
			codes = append(codes, byte(c))
		}
		return codes
	}
	codes := []byte{0x00, 0x01, 0x02, 0x07, 0x0a, 0x0d}
	for _, sub := range d.p.parts {
		if sub.download.takes("ses") {
			return append(codes, 0x0e)
		}
	}
	return codes
}

// page returns a diagnostic page for RECEIVE DIAGNOSTIC RESULTS, or nil if the ESP has no
// such page.
func (d *device) page(code byte) []byte {
	supported := false
	for _, c := range d.pageCodes() {
		supported = supported || c == code
	}
	if !supported {
		return nil
	}
	w := &writer{}
	switch code {
	case 0x00:
		w.u8(code, 0, 0, 0)
		w.bytes(d.pageCodes())
	case 0x01:
		d.configuration(w)
	case 0x02:
		d.enclosureStatus(w)
	case 0x07:
		d.elementDescriptors(w)
	case 0x08:
		w.u8(code, 0, 0, 0)
	case 0x0a:
		d.additionalStatus(w)
	case 0x0d:
		w.u8(code, 0, 0, 0)
		for _, c := range d.pageCodes() {
			if c != 0x00 {
				w.u8(c)
			}
		}
		for len(w.b)%4 != 0 {
			w.u8(0)
		}
	case 0x0e:
		d.microcodeStatus(w)
	default:
		return nil // declared, but the simulation cannot write it
	}
	return w.length()
}

// types are the element types of the subenclosures that this ESP serves.
func (d *device) types() []elementType {
	var types []elementType
	for _, t := range d.p.enclosure.Elements {
		for _, sub := range d.p.parts {
			if sub.ID == t.Subenclosure {
				types = append(types, t)
			}
		}
	}
	return types
}

func (d *device) generation() uint32 { return d.s.esp(d.p).Generation }

// configuration is page 01h: the enclosure descriptors, then all type
// descriptor headers, then all their texts.
func (d *device) configuration(w *writer) {
	types := d.types()
	w.u8(0x01, byte(len(d.p.parts)-1), 0, 0)
	w.u32(d.generation())
	for _, sub := range d.p.parts {
		headers := 0
		for _, t := range types {
			if t.Subenclosure == sub.ID {
				headers++
			}
		}
		id := d.s.reported(d.p, sub)
		w.u8(byte(*d.p.RelativeID)<<4|byte(*d.p.Processes), sub.ID, byte(headers), byte(36+len(sub.VendorSpecific)))
		w.u64(uint64(sub.LogicalID))
		w.text(id.Vendor, 8)
		w.text(id.Product, 16)
		w.text(id.Revision, 4)
		w.bytes(sub.VendorSpecific)
	}
	for _, t := range types {
		w.u8(t.code, byte(t.Count), t.Subenclosure, byte(len(*t.Text)))
	}
	for _, t := range types {
		w.text(*t.Text, len(*t.Text))
	}
}

// elementStatus is the status element of element i of a type, page 02h.
func (d *device) elementStatus(t elementType, i int) [4]byte {
	code := byte(1)
	if dr := d.driveIn(i); t.code == slotType && (dr == nil || dr.Descriptor == emptyDescriptor) {
		code = 5 // not installed
	}
	if i < len(t.Status) {
		code = statusCodes[t.Status[i]]
	}
	switch t.code {
	case 0x03: // cooling: 7,500 rpm, code 3
		return [4]byte{code, 0x02, 0xee, 0x03}
	case 0x04: // temperature sensor: 25 degrees, offset 20
		return [4]byte{code, 0, 45, 0}
	}
	return [4]byte{code, 0, 0, 0}
}

// enclosureStatus is page 02h: for each type its overall element, then the
// individual ones.
func (d *device) enclosureStatus(w *writer) {
	w.u8(0x02, 0, 0, 0)
	w.u32(d.generation())
	var flags byte
	for _, t := range d.types() {
		w.u32(0)
		for i := range t.Count {
			e := d.elementStatus(t, i)
			w.bytes(e[:])
			switch e[0] {
			case 2:
				flags |= 0x02 // CRIT
			case 3:
				flags |= 0x04 // NON-CRIT
			case 4:
				flags |= 0x01 // UNRECOV
			}
		}
	}
	w.b[1] = flags
}

var elementNames = map[byte]string{
	0x02: "Power Supply", 0x03: "Fan", 0x04: "Temperature", controllerType: "ES Controller", expanderType: "Expander",
}

func elementName(t elementType, i int) string {
	if i < len(t.Names) {
		return t.Names[i]
	}
	if t.code == slotType {
		return fmt.Sprintf("Slot %02d", i)
	}
	if name, ok := elementNames[t.code]; ok {
		return fmt.Sprintf("%s %d", name, i+1)
	}
	return fmt.Sprintf("Element %d", i+1)
}

// elementDescriptors is page 07h.
func (d *device) elementDescriptors(w *writer) {
	w.u8(0x07, 0, 0, 0)
	w.u32(d.generation())
	for _, t := range d.types() {
		w.u32(0) // the type's overall descriptor has no text
		for i := range t.Count {
			name := elementName(t, i)
			w.u16(0)
			w.u16(len(name))
			w.text(name, len(name))
		}
	}
}

// additionalStatus is page 0Ah, with EIP: a descriptor for each slot, with its
// drive's phys, one for each expander, with its phys' elements, and one for each
// services controller, with the address of its port.
func (d *device) additionalStatus(w *writer) {
	w.u8(0x0a, 0, 0, 0)
	w.u32(d.generation())
	eiioe := *d.p.enclosure.EIIOE
	index, firstSlot := 0, 0
	for _, t := range d.types() {
		if eiioe == 1 {
			index++ // the overall element counts
		}
		if t.code == slotType {
			firstSlot = index
		}
		for i := range t.Count {
			switch t.code {
			case slotType:
				d.slotDescriptor(w, eiioe, index, i)
			case expanderType:
				phys := min(d.p.enclosure.Slots, 119) // more do not fit the descriptor's length
				w.u8(0x16, byte(8+8+2*phys-2), eiioe, byte(index), byte(phys), 0x40, 0, 0)
				w.u64(uint64(d.p.Expander))
				for slot := range phys {
					w.u8(0xff, byte(firstSlot+slot)) // no connector, the slot's element
				}
			case controllerType:
				w.u8(0x16, 8+12-2, eiioe, byte(index), 1, 0x40, 0, 0)
				w.u8(0, 0, 0xff, 0xff) // phy 0, no connector, no other element
				w.u64(uint64(d.p.Port))
			}
			index++
		}
	}
}

// slotDescriptor has two phys for a SAS drive in an enclosure of two ESPs, as
// seen on Dell MD1420, and one with a zero address for an empty slot, as seen on
// Areca ARC-8028.
func (d *device) slotDescriptor(w *writer, eiioe byte, index, slot int) {
	dr := d.driveIn(slot)
	number := byte(slot)
	if dr != nil && dr.Number != nil {
		number = *dr.Number
	}
	descriptor := dr.descriptor()
	switch descriptor {
	case pcieDescriptor:
		d.pcieDescriptor(w, eiioe, index, number, dr)
		return
	case fcDescriptor:
		d.fcDescriptor(w, eiioe, index, number, dr)
		return
	case emptyDescriptor:
		dr = nil
	}
	phys := 1
	if dr != nil && !dr.SATA {
		phys = len(d.p.enclosure.ESPs)
	}
	format := byte(0x16) // EIP, SAS
	if descriptor == invalidDescriptor {
		format |= 0x80
	}
	w.u8(format, byte(8+28*phys-2), eiioe, byte(index), byte(phys), 0, 0, number)
	for phy := range phys {
		if dr == nil || descriptor == invalidDescriptor {
			w.bytes(make([]byte, 28))
			continue
		}
		w.u8(0x10, 0, 0) // end device
		if dr.SATA {
			w.u8(0x01)
		} else {
			w.u8(0x08) // SSP target
		}
		w.u64(uint64(d.p.enclosure.ESPs[phy].Expander))
		port := dr.port(phy + 1)
		switch descriptor {
		case withoutAddress:
			port = 0
		case wrongAddress: // as an HBA makes up one for a SATA disk
			port += 0x80
		}
		w.u64(uint64(port))
		w.u8(byte(phy))
		w.bytes(make([]byte, 7))
	}
}

// pcieDescriptor is that of an NVMe drive with one port (SES-4, 6.1.13.4).
func (d *device) pcieDescriptor(w *writer, eiioe byte, index int, number byte, dr *drive) {
	w.u8(0x1b, 4+66+8-2, eiioe, byte(index), 1, 0x20, 0, number)
	w.u8(0x4d, 0x14) // PCI vendor id, little-endian
	w.text(dr.lu().String(), 20)
	w.text("SIMDISK NVMe", 40)
	w.u8(0x80, 0, 0, 0, 0, byte(number), 0, 0) // the physical slot number is valid
}

// fcDescriptor is that of a Fibre Channel drive with one port (SES-3, 6.1.13.2).
func (d *device) fcDescriptor(w *writer, eiioe byte, index int, number byte, dr *drive) {
	w.u8(0x10, 4+12+16-2, eiioe, byte(index), 1, 0, 0, number)
	w.u64(uint64(dr.lu()))
	w.u8(number, 0, 0, 0, number, 0, 0, number)
	w.u64(uint64(dr.port(1)))
}

func (dr *drive) descriptor() string {
	if dr == nil {
		return ""
	}
	return dr.Descriptor
}

// driveIn returns the drive in a slot, or nil if the slot is empty.
func (d *device) driveIn(slot int) *drive {
	for _, dr := range d.p.enclosure.Drives {
		if dr.Slot == slot {
			return dr
		}
	}
	return nil
}

// port is the SAS address of the drive's port that the nth ESP is wired to.
func (dr *drive) port(n int) hexID { return dr.Ports[n-1] }

// lu is the designator of the drive's logical unit.
func (dr *drive) lu() hexID { return dr.SASAddress }

package ses

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// AdditionalElementStatus is page 0Ah: what is in the device slots, and who the
// expanders are (SES-3, Additional Element Status diagnostic page):
//
//	0    0Ah                      4-7  generation code
//	2-3  page length (n-3)        8-   descriptors
type AdditionalElementStatus struct {
	GenerationCode uint32
	Descriptors    []AdditionalElement
}

// AdditionalElement is one descriptor:
//
//	0  INVALID 7, EIP 4, protocol identifier 3:0
//	1  length (n-1)
//	2  EIIOE 1:0          (with EIP)
//	3  element index      (with EIP)
//	2- or 4-  protocol specific information
//
// and that is a Slot, an Expander, or neither; at most one of the three fields is set.
type AdditionalElement struct {
	Type    int // index into Configuration.Types of the element it is about; -1 if unknown
	Element int // index of the individual element within its type; -1 likewise

	Invalid      bool // nothing is known about the element
	Protocol     Protocol
	EIP          bool
	EIIOE        uint8 // 0: overall elements are not counted in ElementIndex, 1: they are
	ElementIndex uint8 // as the device sent it; 8 bits do not reach all elements of some (HGST H4102-J has 289)

	Slot     *Slot     // SAS device slot
	Expander *Expander // SAS expander
	Other    []byte    // protocol specific information of any other kind, as it came
}

// Protocol is a SCSI transport protocol identifier.
type Protocol uint8

const (
	FCP  Protocol = 0x0
	SAS  Protocol = 0x6
	PCIe Protocol = 0xb
)

func (p Protocol) String() string {
	switch p {
	case FCP:
		return "FCP"
	case SAS:
		return "SAS"
	case PCIe:
		return "PCIe"
	}
	return fmt.Sprintf("protocol %Xh", uint8(p))
}

// Slot is a SAS device slot, descriptor type 00b (with EIP, from byte 4):
//
//	0  number of phys     1  descriptor type 7:6, NOT ALL PHYS 0     3  device slot number     4-  phys
//
// Without EIP there is no slot number, and the phys follow at byte 2.
type Slot struct {
	Number     uint8 // 0 without EIP
	NotAllPhys bool  // the device has more phys than are listed
	Phys       []Phy
}

// Phy is a phy of the device in a slot:
//
//	0  device type 6:4                            4-11   attached SAS address
//	2  SSP 3, STP 2, SMP 1 initiator              12-19  SAS address
//	3  SATA selector 7, SSP 3, STP 2, SMP 1,      20     phy identifier
//	   SATA device 0 target                       21-27  reserved
type Phy struct {
	DeviceType         uint8      // 0: nothing attached, 1: end device, 2: expander
	InitiatorPorts     uint8      // bits as above
	TargetPorts        uint8      // bits as above
	AttachedSASAddress Identifier // of what the phy is connected to: the expander
	SASAddress         Identifier // of the drive's port; zero in an empty slot (seen on Areca ARC-8028)
	PhyIdentifier      uint8
}

// SATA reports whether a SATA device is in the slot: it has one path.
func (p Phy) SATA() bool { return p.TargetPorts&0x01 != 0 }

// SSP reports whether a SAS device is in the slot.
func (p Phy) SSP() bool { return p.TargetPorts&0x08 != 0 }

// Expander is a SAS expander, descriptor type 01b (from byte 4):
//
//	0  number of phys     1  descriptor type 7:6     4-11  SAS address     12-  2 bytes a phy
type Expander struct {
	SASAddress Identifier
	Phys       []ExpanderPhy
}

// ExpanderPhy says what a phy of an expander leads to, by element index; FFh is none.
type ExpanderPhy struct {
	ConnectorElementIndex uint8
	OtherElementIndex     uint8
}

const (
	slotDescriptor     = 0
	expanderDescriptor = 1
	phySize            = 28
	initiatorBits      = 0x0e
	targetBits         = 0x8f
)

// ParseAdditionalElementStatus reads page 0Ah with the configuration page of
// the same generation; with another it is a *GenerationError.
//
// The page may end though more types follow (seen on Dell MD1420), and element
// indexes may be wrong: the expander of an Areca ARC-8028 calls itself 0 behind
// 24 slots. Descriptors are therefore joined with elements in order; the index decides only
// if it says that elements were left out.
func ParseAdditionalElementStatus(b []byte, cfg *Configuration) (*AdditionalElementStatus, error) {
	c, err := open(PageAdditionalElementStatus, b)
	if err != nil {
		return nil, err
	}
	p := &AdditionalElementStatus{GenerationCode: c.generation(cfg)}
	places := describable(cfg)
	for c.err == nil && c.left() > 0 {
		what := fmt.Sprintf("descriptor %d", len(p.Descriptors))
		h := c.bytes(2, what)
		info := c.sub(int(h[1]), what)
		d := AdditionalElement{
			Type:     -1,
			Element:  -1,
			Invalid:  h[0]&0x80 != 0,
			EIP:      h[0]&0x10 != 0,
			Protocol: Protocol(h[0] & 0x0f),
		}
		if d.EIP {
			f := info.bytes(2, "element index")
			d.EIIOE, d.ElementIndex = f[0]&3, f[1]
		} else if d.Protocol == 0 && !d.Invalid && info.left() == 0 {
			break // the page is padded with zeros
		}
		places = d.join(places)
		d.parse(info, cfg)
		c.err = info.err
		p.Descriptors = append(p.Descriptors, d)
	}
	if c.err != nil {
		return nil, c.err
	}
	return p, nil
}

// place is an individual element that can have a descriptor.
type place struct {
	typ, element int
	index        [2]int // its element index, by EIIOE
}

// describable lists the elements that can have descriptors, in the order of the configuration.
func describable(cfg *Configuration) []place {
	var places []place
	index := 0
	for i, t := range cfg.Types {
		if t.ElementType.hasAdditionalStatus() {
			for j := range int(t.PossibleElements) {
				places = append(places, place{typ: i, element: j, index: [2]int{index + j, index + j + i + 1}})
			}
		}
		index += int(t.PossibleElements)
	}
	return places
}

// join finds the element that the descriptor is about, among those without one so far, and
// returns the elements after it.
func (d *AdditionalElement) join(places []place) []place {
	if len(places) == 0 {
		return nil
	}
	next := 0
	if d.EIP && d.EIIOE <= 1 && uint8(places[0].index[d.EIIOE]) != d.ElementIndex {
		left := slices.IndexFunc(places, func(p place) bool { return p.index[d.EIIOE] == int(d.ElementIndex) })
		next = max(left, 0)
	}
	d.Type, d.Element = places[next].typ, places[next].element
	return places[next+1:]
}

// parse reads the protocol specific information.
func (d *AdditionalElement) parse(info *cursor, cfg *Configuration) {
	isExpander := d.Type >= 0 && cfg.Types[d.Type].ElementType == SASExpander
	switch kind := info.peek(1) >> 6; {
	case d.Invalid || d.Protocol != SAS || info.left() < 2:
	case kind == slotDescriptor:
		d.parseSlot(info)
		return
	case kind == expanderDescriptor && isExpander && d.EIP:
		d.parseExpander(info)
		return
	}
	if info.left() > 0 {
		d.Other = slices.Clone(info.bytes(info.left(), "protocol specific information"))
	}
}

func (d *AdditionalElement) parseSlot(info *cursor) {
	h := info.bytes(2, "device slot")
	d.Slot = &Slot{NotAllPhys: h[1]&1 != 0}
	if d.EIP {
		d.Slot.Number = info.bytes(2, "device slot number")[1]
	}
	for range h[0] {
		f := info.bytes(phySize, "phy")
		d.Slot.Phys = append(d.Slot.Phys, Phy{
			DeviceType:         f[0] >> 4 & 7,
			InitiatorPorts:     f[2] & initiatorBits,
			TargetPorts:        f[3] & targetBits,
			AttachedSASAddress: Identifier(f[4:12]),
			SASAddress:         Identifier(f[12:20]),
			PhyIdentifier:      f[20],
		})
	}
}

func (d *AdditionalElement) parseExpander(info *cursor) {
	h := info.bytes(12, "expander")
	d.Expander = &Expander{SASAddress: Identifier(h[4:])}
	for range h[0] {
		f := info.bytes(2, "expander phy")
		d.Expander.Phys = append(d.Expander.Phys, ExpanderPhy{ConnectorElementIndex: f[0], OtherElementIndex: f[1]})
	}
}

// AppendBinary implements encoding.BinaryAppender.
func (p *AdditionalElementStatus) AppendBinary(b []byte) ([]byte, error) {
	return appendPage(b, PageAdditionalElementStatus, 0, func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint32(b, p.GenerationCode)
		for i, d := range p.Descriptors {
			info, ok := d.info()
			if !ok || d.Protocol > 15 || len(info) > math.MaxUint8 {
				return nil, cannotEncode(PageAdditionalElementStatus,
					"descriptor %d has a value that does not fit its field", i)
			}
			b = append(b, bit(d.Invalid, 7)|bit(d.EIP, 4)|byte(d.Protocol), byte(len(info)))
			b = append(b, info...)
		}
		return b, nil
	})
}

// info encodes what follows the first two bytes. It returns false if there is no encoding.
func (d AdditionalElement) info() (b []byte, ok bool) {
	if d.EIP {
		b = append(b, d.EIIOE, d.ElementIndex)
		ok = d.EIIOE <= 3
	} else {
		ok = d.EIIOE == 0 && d.ElementIndex == 0
	}
	switch {
	case d.Slot != nil:
		b = append(b, byte(len(d.Slot.Phys)), slotDescriptor<<6|bit(d.Slot.NotAllPhys, 0))
		if d.EIP {
			b = append(b, 0, d.Slot.Number)
		}
		for _, f := range d.Slot.Phys {
			ok = ok && f.DeviceType <= 7 && f.InitiatorPorts&^initiatorBits == 0 && f.TargetPorts&^targetBits == 0
			b = append(b, f.DeviceType<<4, 0, f.InitiatorPorts, f.TargetPorts)
			b = append(b, f.AttachedSASAddress[:]...)
			b = append(b, f.SASAddress[:]...)
			b = append(b, f.PhyIdentifier, 0, 0, 0, 0, 0, 0, 0)
		}
		return b, ok && d.Expander == nil && d.Other == nil && !d.Invalid && d.Protocol == SAS &&
			(d.EIP || d.Slot.Number == 0)
	case d.Expander != nil:
		b = append(b, byte(len(d.Expander.Phys)), expanderDescriptor<<6, 0, 0)
		b = append(b, d.Expander.SASAddress[:]...)
		for _, f := range d.Expander.Phys {
			b = append(b, f.ConnectorElementIndex, f.OtherElementIndex)
		}
		return b, ok && d.Other == nil && !d.Invalid && d.Protocol == SAS && d.EIP
	}
	return append(b, d.Other...), ok
}

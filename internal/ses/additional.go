package ses

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// AdditionalElementStatus is page 0Ah: what is in the device slots, and who the
// expanders are (SES-3 6.1.13):
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
// At most one of Slot, Expander and Other is set.
type AdditionalElement struct {
	Type    int // index into Configuration.Types of the element it is about; -1 where that cannot be told
	Element int // index of the individual element within its type; -1 likewise

	Invalid      bool // nothing is known of the element
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

// SATA tells whether a SATA device is in the slot: it has one path.
func (p Phy) SATA() bool { return p.TargetPorts&0x01 != 0 }

// Expander is a SAS expander, descriptor type 01b (from byte 4):
//
//	0  number of phys     1  descriptor type 7:6     4-11  SAS address     12-  2 bytes a phy
type Expander struct {
	SASAddress Identifier
	Phys       []ExpanderPhy
}

// ExpanderPhy says what a phy of an expander leads to, by element index; FFh: to none.
type ExpanderPhy struct {
	ConnectorElementIndex uint8
	OtherElementIndex     uint8
}

const (
	slotDescriptor     = 0
	expanderDescriptor = 1
	phySize            = 28
)

// ParseAdditionalElementStatus reads page 0Ah with the configuration page of
// the same generation; with another it is a *GenerationError.
//
// The page may end though more types follow (seen on Dell MD1420), and element
// indexes may be wrong: the expander of an Areca ARC-8028 calls itself 0 behind
// 24 slots. So descriptors are joined with elements in order, and the index
// decides only where it says that elements were left out.
func ParseAdditionalElementStatus(b []byte, cfg *Configuration) (*AdditionalElementStatus, error) {
	c, err := open(PageAdditionalElementStatus, b)
	if err != nil {
		return nil, err
	}
	p := &AdditionalElementStatus{GenerationCode: c.generation(cfg)}
	elements := describable(cfg)
	for c.err == nil && c.left() > 0 {
		d, specific := c.additionalElement(len(p.Descriptors))
		if d.isPadding(specific) {
			break
		}
		elements = d.join(elements)
		if err := d.parse(specific, cfg); err != "" {
			c.fail("descriptor %d %s", len(p.Descriptors), err)
		}
		p.Descriptors = append(p.Descriptors, d)
	}
	if c.err != nil {
		return nil, c.err
	}
	return p, nil
}

// additionalElement reads what all descriptors share, and gives their protocol
// specific information, a view into the page.
func (c *cursor) additionalElement(i int) (d AdditionalElement, specific []byte) {
	what := fmt.Sprintf("descriptor %d", i)
	h := c.bytes(2, what)
	specific = c.bytes(int(h[1]), what)
	d = AdditionalElement{
		Type:     -1,
		Element:  -1,
		Invalid:  h[0]&0x80 != 0,
		EIP:      h[0]&0x10 != 0,
		Protocol: Protocol(h[0] & 0x0f),
	}
	if d.EIP {
		if len(specific) < 2 {
			c.fail("%s ends before its element index", what)
			return d, nil
		}
		d.EIIOE, d.ElementIndex = specific[0]&3, specific[1]
		specific = specific[2:]
	}
	return d, specific
}

// isPadding tells a page that is padded with zeros from a descriptor.
func (d AdditionalElement) isPadding(specific []byte) bool {
	return !d.Invalid && !d.EIP && d.Protocol == 0 && len(specific) == 0
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

// join finds the element that the descriptor is about among those that had none
// yet, and gives those that are left after it.
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

// parse reads the protocol specific information, and says what is wrong with it.
func (d *AdditionalElement) parse(b []byte, cfg *Configuration) (problem string) {
	isExpander := d.Type >= 0 && cfg.Types[d.Type].ElementType == SASExpander
	switch {
	case d.Invalid || d.Protocol != SAS || len(b) < 2:
	case b[1]>>6 == slotDescriptor:
		return d.parseSlot(b)
	case b[1]>>6 == expanderDescriptor && isExpander && d.EIP:
		return d.parseExpander(b)
	}
	if len(b) > 0 {
		d.Other = slices.Clone(b)
	}
	return ""
}

func (d *AdditionalElement) parseSlot(b []byte) (problem string) {
	count := int(b[0])
	slot := &Slot{NotAllPhys: b[1]&1 != 0}
	phys := b[2:]
	if d.EIP {
		if len(b) < 4 {
			return "ends before its device slot number"
		}
		slot.Number, phys = b[3], b[4:]
	}
	if len(phys) < count*phySize {
		return fmt.Sprintf("has %d phys and ends within them", count)
	}
	for i := range count {
		f := phys[i*phySize:]
		slot.Phys = append(slot.Phys, Phy{
			DeviceType:         f[0] >> 4 & 7,
			InitiatorPorts:     f[2] & 0x0e,
			TargetPorts:        f[3] & 0x8f,
			AttachedSASAddress: Identifier(f[4:12]),
			SASAddress:         Identifier(f[12:20]),
			PhyIdentifier:      f[20],
		})
	}
	d.Slot = slot
	return ""
}

func (d *AdditionalElement) parseExpander(b []byte) (problem string) {
	count := int(b[0])
	if len(b) < 12+2*count {
		return fmt.Sprintf("has %d expander phys and ends before or within them", count)
	}
	e := &Expander{SASAddress: Identifier(b[4:12])}
	for i := range count {
		e.Phys = append(e.Phys, ExpanderPhy{ConnectorElementIndex: b[12+2*i], OtherElementIndex: b[13+2*i]})
	}
	d.Expander = e
	return ""
}

// AppendBinary implements encoding.BinaryAppender.
func (p *AdditionalElementStatus) AppendBinary(b []byte) ([]byte, error) {
	return appendPage(b, PageAdditionalElementStatus, 0, func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint32(b, p.GenerationCode)
		for i, d := range p.Descriptors {
			specific, ok := d.specific()
			if d.EIP {
				specific = append([]byte{d.EIIOE, d.ElementIndex}, specific...)
			}
			if !ok || d.EIIOE > 3 || d.Protocol > 15 || len(specific) > math.MaxUint8 {
				return nil, cannotEncode(PageAdditionalElementStatus, "descriptor %d has a value that does not fit its field", i)
			}
			b = append(b, bit(d.Invalid, 7)|bit(d.EIP, 4)|byte(d.Protocol), byte(len(specific)))
			b = append(b, specific...)
		}
		return b, nil
	})
}

// specific encodes the protocol specific information, false where it has no encoding.
func (d AdditionalElement) specific() (b []byte, ok bool) {
	switch {
	case d.Slot != nil:
		b = []byte{byte(len(d.Slot.Phys)), slotDescriptor<<6 | bit(d.Slot.NotAllPhys, 0)}
		if d.EIP {
			b = append(b, 0, d.Slot.Number)
		}
		for _, f := range d.Slot.Phys {
			b = append(b, f.DeviceType<<4, 0, f.InitiatorPorts, f.TargetPorts)
			b = append(b, f.AttachedSASAddress[:]...)
			b = append(b, f.SASAddress[:]...)
			b = append(b, f.PhyIdentifier, 0, 0, 0, 0, 0, 0, 0)
		}
		return b, d.Expander == nil && d.Other == nil && !d.Invalid && d.Protocol == SAS && (d.EIP || d.Slot.Number == 0)
	case d.Expander != nil:
		b = []byte{byte(len(d.Expander.Phys)), expanderDescriptor << 6, 0, 0}
		b = append(b, d.Expander.SASAddress[:]...)
		for _, f := range d.Expander.Phys {
			b = append(b, f.ConnectorElementIndex, f.OtherElementIndex)
		}
		return b, d.Other == nil && !d.Invalid && d.Protocol == SAS && d.EIP
	}
	return d.Other, true
}

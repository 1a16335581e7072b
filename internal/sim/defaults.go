package sim

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"gopkg.in/yaml.v3"
)

// complete fills in the defaults of one enclosure.
func (d *definition) complete(e *enclosure) error {
	if e.Revision == "" {
		e.Revision = "0001"
	}
	if e.PeerSyncTime == 0 {
		e.PeerSyncTime = duration(10 * time.Second)
	}
	var drives []*drive
	for _, dr := range e.Drives {
		for i := range max(dr.Count, 1) {
			one := *dr
			one.Slot, one.Count, one.enclosure = dr.Slot+i, 1, e
			if one.SASAddress == 0 {
				one.SASAddress = 0x5000c50000000000 | e.LogicalID&0xffffff<<16 | hexID(one.Slot)<<4
			} else {
				one.SASAddress += hexID(i) << 4
			}
			if one.Ports == nil {
				for n := range e.ESPs {
					one.Ports = append(one.Ports, one.SASAddress+hexID(n+1))
				}
			} else if len(one.Ports) != len(e.ESPs) || dr.Count > 1 {
				return fmt.Errorf("slot %d lists %d ports: list one for each of the %d ESPs, of one drive", one.Slot,
					len(one.Ports), len(e.ESPs))
			}
			if dr.Number != nil {
				number := *dr.Number + byte(i)
				one.Number = &number
			}
			if dr.Count > 1 { // several drives each have a map and a file system
				if one.Use.Multipath != "" {
					one.Use.Multipath += strconv.Itoa(one.Slot)
				}
				if one.Use.Mount != "" && one.Use.Holder == "" && !one.Use.Btrfs {
					one.Use.Mount += strconv.Itoa(one.Slot)
				}
			}
			if slices.ContainsFunc(drives, func(o *drive) bool { return o.Slot == one.Slot }) {
				return fmt.Errorf("slot %d has two drives", one.Slot)
			}
			drives = append(drives, &one)
			e.Slots = max(e.Slots, one.Slot+1)
		}
	}
	for _, v := range e.Volumes {
		one := &drive{Slot: noSlot, Count: 1, SASAddress: v.SASAddress, Use: v.Use, lun: v.LUN, enclosure: e}
		if one.SASAddress == 0 {
			one.SASAddress = 0x600c0ff000000000 | e.LogicalID&0xffffff<<16 | hexID(v.LUN)<<4
		}
		if slices.ContainsFunc(drives, func(o *drive) bool { return o.lun == v.LUN }) {
			return fmt.Errorf("two volumes have LUN %d", v.LUN)
		}
		for _, p := range e.ESPs {
			one.Ports = append(one.Ports, p.Port)
		}
		drives = append(drives, one)
	}
	e.Drives = drives
	if err := e.completeElements(); err != nil {
		return err
	}

	shared := download{
		Protocol: "ses", Refuse: "status", SKSV: true, GenerationMismatch: "sense",
		Chunk: chunk{Max: 65508, MultipleOf: 4}, MaxImage: 16 << 20,
		FlashTime: duration(time.Second), Activation: "mode-f", PowerLoss: "activates",
		RebootTime: duration(2 * time.Second), Vanish: true, ReturnNode: "other",
		Confirm: "sense", Accepts: accepts{Refuse: "last"}, Activated: activated{Starts: "now"},
	}
	if err := merge(&shared, e.Download); err != nil {
		return err
	}
	for i, p := range e.ESPs {
		p.number, p.enclosure = i+1, e
		p.key = fmt.Sprintf("%s/esp%d", e.Name, p.number)
		d.esps = append(d.esps, p)
		p.complete()
		primary := &part{
			LogicalID: e.LogicalID, Vendor: e.Vendor, Product: e.Product, VendorSpecific: e.VendorSpecific,
			Revision: p.Revision, key: p.key + "/sub0", servedBy: []*esp{p}, download: shared,
		}
		if err := merge(&primary.download, p.Download); err != nil {
			return err
		}
		p.parts = []*part{primary}
		p.Faults = append(slices.Clone(e.Faults), p.Faults...)
		for i := range p.Faults {
			p.Faults[i].key = fmt.Sprintf("%s/fault%d", p.key, i+1)
		}
	}
	for i, s := range e.Subenclosures {
		if err := e.completePart(i, s, shared); err != nil {
			return err
		}
	}
	for _, p := range e.ESPs {
		slices.SortStableFunc(p.parts, func(a, b *part) int { return int(a.ID) - int(b.ID) })
		for i, s := range p.parts {
			if i > 0 && p.parts[i-1].ID == s.ID {
				return fmt.Errorf("esp%d serves two subenclosures %d", p.number, s.ID)
			}
			s.download.complete(s)
			if !slices.Contains(d.parts, s) {
				d.parts = append(d.parts, s)
			}
		}
	}
	return nil
}

func (p *esp) complete() {
	e := p.enclosure
	set(&p.RelativeID, p.number)
	set(&p.Processes, len(e.ESPs))
	set(&p.EncServ, true)
	set(&p.Generation, 1)
	set(&p.RSOC, true)
	set(&p.VPD, hexList{0x00, 0x80, 0x83, 0x86})
	base := e.LogicalID
	if base == 0 {
		sum := sha256.Sum256([]byte(e.Name))
		base = 0x5<<60 | hexID(sum[0])<<24 | hexID(sum[1])<<16 | hexID(sum[2])<<12
	}
	if p.LU == 0 {
		p.LU = base + hexID(p.number)
	}
	if p.Port == 0 {
		p.Port = base + hexID(p.number)<<4 + 0xd
	}
	if p.Expander == 0 {
		p.Expander = base + hexID(p.number)<<4 + 0xf
	}
	if p.Serial == "" {
		p.Serial = fmt.Sprintf("%s-%d", base, p.number)
	}
	set(&p.DeviceType, typeEnclosure)
	if p.Revision == "" {
		p.Revision = e.Revision
	}
}

func (e *enclosure) completePart(i int, s *part, shared download) error {
	s.key = fmt.Sprintf("%s/part%d", e.Name, i+1)
	for n, p := range e.ESPs {
		if len(s.ESPs) == 0 || slices.Contains(s.ESPs, n+1) {
			s.servedBy = append(s.servedBy, p)
			p.parts = append(p.parts, s)
		}
	}
	if len(s.servedBy) == 0 {
		return fmt.Errorf("no ESP serves subenclosure %d", s.ID)
	}
	if s.LogicalID == 0 {
		s.LogicalID = e.LogicalID + hexID(s.ID)<<8
		if len(s.servedBy) < len(e.ESPs) {
			s.LogicalID += hexID(s.servedBy[0].number)
		}
	}
	if s.Vendor == "" {
		s.Vendor = e.Vendor
	}
	if s.Product == "" {
		s.Product = e.Product
	}
	if s.Revision == "" {
		s.Revision = "0001"
	}
	s.download = shared
	s.download.Vanish = false // a power supply that restarts takes down no path
	return merge(&s.download, s.Download)
}

func (dl *download) complete(p *part) {
	if len(dl.Modes) == 0 {
		dl.Modes = []mode{{Mode: 0x07}, {Mode: 0x0e}}
		if dl.Activation == "mode-f" {
			dl.Modes = append(dl.Modes, mode{Mode: 0x0f})
		}
	}
	if dl.Completion.Mode7 == 0 {
		dl.Completion.Mode7 = 0x10
		if dl.Activation == "power-cycle" {
			dl.Completion.Mode7 = 0x12
		}
	}
	if dl.Completion.ModeE == 0 {
		dl.Completion.ModeE = 0x13
		if dl.Activation == "power-cycle" {
			dl.Completion.ModeE = 0x12
		}
	}
	if dl.Activated.Starts == "read" {
		dl.Activated.Status = statusStartsOnRead
	}
	if dl.Accepts.Vendor == "" {
		dl.Accepts.Vendor = p.Vendor
	}
	if dl.Accepts.Product == "" {
		dl.Accepts.Product = p.Product
	}
}

func (e *enclosure) completeElements() error {
	if e.EIIOE == nil {
		set(&e.EIIOE, 1)
	}
	if len(e.Elements) == 0 {
		e.Elements = []elementType{
			{Type: "sas-expander", Count: 1}, {Type: "es-controller", Count: 1}, {Type: "power-supply", Count: 2},
			{Type: "cooling", Count: 4}, {Type: "temperature-sensor", Count: 1},
		}
	}
	if !slices.ContainsFunc(e.Elements, func(t elementType) bool {
		return t.Type == "array-device-slot" || t.Type == "17"
	}) {
		e.Elements = slices.Insert(e.Elements, 0, elementType{Type: "array-device-slot", Count: e.Slots})
	}
	for i := range e.Elements {
		t := &e.Elements[i]
		code, ok := elementCodes[t.Type]
		if !ok {
			n, err := strconv.ParseUint(t.Type, 16, 8)
			if err != nil {
				return fmt.Errorf("element type %q is neither a name nor two hex digits", t.Type)
			}
			code = byte(n)
		}
		t.code = code
		if t.Text == nil {
			text := strings.ReplaceAll(t.Type, "-", " ")
			t.Text = &text
		}
		if len(t.Status) > t.Count {
			return fmt.Errorf("element type %s has %d elements and %d statuses", t.Type, t.Count, len(t.Status))
		}
	}
	return nil
}

// wire makes the units: who sees what under which node.
func (d *definition) wire() error {
	for _, host := range d.Hosts {
		taken, devices := map[int]bool{}, map[string]bool{}
		add := func(u *unit) error {
			if u.node >= 0 {
				if taken[u.node] {
					return fmt.Errorf("host %s has two logical units at /dev/sg%d", host, u.node)
				}
				taken[u.node] = true
			}
			if u.device != "" {
				if devices[u.device] {
					return fmt.Errorf("host %s has two block devices %s", host, u.device)
				}
				devices[u.device] = true
			}
			u.host = host
			u.key = host + "/" + u.key
			d.units = append(d.units, u)
			d.byKey[u.key] = u
			return nil
		}
		first := len(d.units)
		var errs *multierror.Error
		for _, e := range d.Enclosures {
			for _, p := range e.ESPs {
				for cable, node := range nodesOf(p.Paths, host) {
					u := &unit{key: fmt.Sprintf("%s/%d", p.key, cable), cable: cable, node: node, esp: p}
					errs = multierror.Append(errs, add(u))
					p.units = append(p.units, u)
				}
			}
		}
		for _, e := range d.Enclosures {
			for _, dr := range e.Drives {
				for _, u := range dr.unitsOn(host) {
					errs = multierror.Append(errs, add(u))
					dr.units = append(dr.units, u)
				}
			}
		}
		for i, o := range d.Others {
			for cable, node := range nodesOf(o.Paths, host) {
				errs = multierror.Append(errs,
					add(&unit{key: fmt.Sprintf("other%d/%d", i+1, cable), cable: cable, node: node, other: o}))
			}
		}
		if err := errs.ErrorOrNil(); err != nil {
			return err
		}
		node, disk := 0, 0
		for _, u := range d.units[first:] {
			for ; u.node < 0; node++ {
				if !taken[node] {
					u.node, taken[node] = node, true
				}
			}
			for ; u.drive != nil && u.device == ""; disk++ {
				if name := diskName(disk); !devices[name] {
					u.device, devices[name] = name, true
				}
			}
		}
	}
	return d.checkReferences()
}

// checkReferences finds undeclared hosts in paths and uses.
func (d *definition) checkReferences() error {
	known := func(host string) error {
		if !slices.Contains(d.Hosts, host) {
			return fmt.Errorf("host %q is not among the rack's hosts (%s)", host, strings.Join(d.Hosts, ", "))
		}
		return nil
	}
	var errs *multierror.Error
	for _, e := range d.Enclosures {
		for _, p := range e.ESPs {
			for host := range p.Paths {
				errs = multierror.Append(errs, known(host))
			}
		}
		for _, dr := range e.Drives {
			if dr.Use.Host == "" {
				dr.Use.Host = d.Hosts[0]
			}
			errs = multierror.Append(errs, known(dr.Use.Host), dr.checkMap())
			for _, p := range dr.Paths {
				errs = multierror.Append(errs, known(p.Host))
				if p.ESP > len(e.ESPs) {
					errs = multierror.Append(
						errs,
						fmt.Errorf(
							"the drive at %s has a path through esp%d, which enclosure %s does not have",
							dr.place(),
							p.ESP,
							e.Name,
						),
					)
				}
			}
		}
	}
	return errs.ErrorOrNil()
}

// checkMap finds impossible statements about a dm-multipath map.
func (dr *drive) checkMap() error {
	use := &dr.Use
	if use.Multipath == "" && (len(use.Failed) > 0 || use.Reinstate != reinstatement{}) {
		return fmt.Errorf("the drive at %s has failed or reinstated paths and no multipath map", dr.place())
	}
	for _, n := range use.Failed {
		if n > len(dr.enclosure.ESPs) {
			return fmt.Errorf(
				"the drive at %s has a failed path through esp%d, which enclosure %s does not have",
				dr.place(),
				n,
				dr.enclosure.Name,
			)
		}
	}
	return nil
}

// nodesOf returns the nodes of a unit on a host: those declared, or one of any number (-1)
// if no paths are declared at all.
func nodesOf(paths map[string][]int, host string) []int {
	if paths == nil {
		return []int{-1}
	}
	return paths[host]
}

// place names where a drive is in its enclosure.
func (dr *drive) place() string {
	if dr.Slot == noSlot {
		return fmt.Sprintf("lun%d", dr.lun)
	}
	return fmt.Sprintf("slot%d", dr.Slot)
}

// unitsOn returns the ways in which a host reaches a drive: those declared, or one for each
// cable to each ESP. SATA drives have only those of the first ESP.
func (dr *drive) unitsOn(host string) []*unit {
	var units []*unit
	add := func(via *unit, device string) {
		units = append(units, &unit{
			key: fmt.Sprintf(
				"%s/%s/%d",
				dr.enclosure.Name,
				dr.place(),
				len(units),
			), cable: via.cable, node: -1, drive: dr, via: via, device: device,
		})
	}
	if dr.Descriptor == pcieDescriptor || dr.Descriptor == fcDescriptor {
		return nil // no disk of this host's SCSI layer
	}
	for _, p := range dr.enclosure.ESPs {
		for _, via := range p.units {
			if via.host != host {
				continue
			}
			if len(dr.Paths) == 0 {
				if p.number == 1 || !dr.SATA {
					add(via, "")
				}
				continue
			}
			for _, path := range dr.Paths {
				if path.Host == host && path.ESP == p.number {
					add(via, path.Device)
				}
			}
		}
	}
	return units
}

// diskName returns the kernel's name of the nth disk: sda, ..., sdz, sdaa, ...
func diskName(n int) string {
	name := ""
	for n++; n > 0; n = (n - 1) / 26 {
		name = string(rune('a'+(n-1)%26)) + name
	}
	return "sd" + name
}

func merge(into *download, n yaml.Node) error {
	if n.IsZero() {
		return nil
	}
	return n.Decode(into)
}

func set[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

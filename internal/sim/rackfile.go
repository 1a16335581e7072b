package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwctl/schemas"

	"github.com/hashicorp/go-multierror"
	"gopkg.in/yaml.v3"
)

// definition is a rack file with its defaults filled in. It never changes once
// it is loaded; what does change is in state.
type definition struct {
	Trace      string       `yaml:"trace"`
	Hosts      []string     `yaml:"hosts"`
	Enclosures []*enclosure `yaml:"enclosures"`
	Others     []*other     `yaml:"others"`

	digest string // SHA-256 of the file
	esps   []*esp
	parts  []*part
	units  []*unit // hosts in order; ESPs, then drives, then others
	byKey  map[string]*unit
}

type enclosure struct {
	Name           string        `yaml:"name"`
	LogicalID      hexID         `yaml:"logicalID"`
	Vendor         string        `yaml:"vendor"`
	Product        string        `yaml:"product"`
	Revision       string        `yaml:"revision"`
	VendorSpecific hexBytes      `yaml:"vendorSpecific"`
	Slots          int           `yaml:"slots"`
	EIIOE          *byte         `yaml:"eiioe"`
	Behind         string        `yaml:"behind"`
	PeerSync       string        `yaml:"peerSync"`
	PeerSyncTime   duration      `yaml:"peerSyncTime"`
	Download       yaml.Node     `yaml:"download"`
	ESPs           []*esp        `yaml:"esps"`
	Subenclosures  []*part       `yaml:"subenclosures"`
	Elements       []elementType `yaml:"elements"`
	Drives         []*drive      `yaml:"drives"`
	Faults         []fault       `yaml:"faults"`

	upstream *enclosure
}

// esp is one enclosure services process and the logical unit that speaks for it.
type esp struct {
	RelativeID *int             `yaml:"relativeID"`
	Processes  *int             `yaml:"processes"`
	LU         hexID            `yaml:"lu"`
	Port       hexID            `yaml:"port"`
	Expander   hexID            `yaml:"expander"`
	Serial     string           `yaml:"serial"`
	Revision   string           `yaml:"revision"`
	Inquiry    identity         `yaml:"inquiry"`
	DeviceType *byte            `yaml:"deviceType"`
	EncServ    *bool            `yaml:"encServ"`
	Generation *uint32          `yaml:"generation"`
	Sense      string           `yaml:"sense"`
	Pages      *hexList         `yaml:"pages"`
	VPD        *hexList         `yaml:"vpd"`
	RSOC       *bool            `yaml:"rsoc"`
	Allocation allocation       `yaml:"allocation"`
	Latency    duration         `yaml:"latency"`
	Paths      map[string][]int `yaml:"paths"`
	Download   yaml.Node        `yaml:"download"`
	Faults     []fault          `yaml:"faults"`

	key       string // "<enclosure name>/esp<n>", n as declared, from 1
	number    int
	enclosure *enclosure
	parts     []*part // sorted by id, the primary first
	units     []*unit
}

// identity is what INQUIRY says where that is not what page 01h says.
type identity struct {
	Vendor   string `yaml:"vendor" json:"vendor"`
	Product  string `yaml:"product" json:"product"`
	Revision string `yaml:"revision" json:"revision"`
}

type allocation struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// part is a component: a subenclosure as one ESP serves it, or as several share it.
type part struct {
	ID             byte      `yaml:"id"`
	LogicalID      hexID     `yaml:"logicalID"`
	Vendor         string    `yaml:"vendor"`
	Product        string    `yaml:"product"`
	Revision       string    `yaml:"revision"`
	VendorSpecific hexBytes  `yaml:"vendorSpecific"`
	ESPs           []int     `yaml:"esps"`
	Download       yaml.Node `yaml:"download"`

	key      string
	download download
	servedBy []*esp
}

// download is how a component takes microcode.
type download struct {
	Protocol            string     `yaml:"protocol"`
	Modes               []mode     `yaml:"modes"`
	Refuse              string     `yaml:"refuse"`
	SKSV                bool       `yaml:"sksv"`
	Chunk               chunk      `yaml:"chunk"`
	MaxImage            int        `yaml:"maxImage"`
	BufferID            byte       `yaml:"bufferID"`
	FlashTime           duration   `yaml:"flashTime"`
	SingleBank          bool       `yaml:"singleBank"`
	Activation          string     `yaml:"activation"`
	PowerLoss           string     `yaml:"powerLoss"`
	ResetPage           hexBytes   `yaml:"resetPage"`
	RebootTime          duration   `yaml:"rebootTime"`
	Vanish              bool       `yaml:"vanish"`
	ReturnNode          string     `yaml:"returnNode"`
	Completion          completion `yaml:"completion"`
	StatusReadResets    bool       `yaml:"statusReadResets"`
	RebootsBeforeStatus bool       `yaml:"rebootsBeforeStatus"`
	ReportsIdle         bool       `yaml:"reportsIdle"`
	Confirm             string     `yaml:"confirm"`
	Accepts             accepts    `yaml:"accepts"`
}

type chunk struct {
	Max        int  `yaml:"max"`
	MultipleOf int  `yaml:"multipleOf"`
	AnyOffset  bool `yaml:"anyOffset"`
}

type completion struct {
	Mode7 hexByte `yaml:"7"`
	ModeE hexByte `yaml:"e"`
}

type accepts struct {
	Vendor  string `yaml:"vendor"`
	Product string `yaml:"product"`
	Refuse  string `yaml:"refuse"`
}

// mode is a download mode that a component supports, from a revision on where
// From says so. Revisions compare as text: the device knows its own order.
type mode struct {
	Mode hexByte `yaml:"mode"`
	From string  `yaml:"from"`
}

func (m *mode) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return m.Mode.UnmarshalYAML(n)
	}
	type plain mode
	return n.Decode((*plain)(m))
}

type elementType struct {
	Type         string   `yaml:"type"`
	Count        int      `yaml:"count"`
	Subenclosure byte     `yaml:"subenclosure"`
	Text         *string  `yaml:"text"`
	Names        []string `yaml:"names"`
	Status       []string `yaml:"status"`

	code byte
}

// drive is an occupied slot.
type drive struct {
	Slot       int         `yaml:"slot"`
	Count      int         `yaml:"count"` // this many slots from Slot on
	SASAddress hexID       `yaml:"sasAddress"`
	SATA       bool        `yaml:"sata"`
	Use        use         `yaml:"use"`
	Paths      []drivePath `yaml:"paths"`

	enclosure *enclosure
	units     []*unit
}

// use is what holds a drive on one host.
type use struct {
	Host      string `yaml:"host"`
	Mount     string `yaml:"mount"`
	Swap      bool   `yaml:"swap"`
	Holder    string `yaml:"holder"`    // md0, dm-3
	Multipath string `yaml:"multipath"` // name of a dm-multipath map over all paths
	ZFS       string `yaml:"zfs"`       // a pool: no holder in sysfs, only an exclusive open tells
}

type drivePath struct {
	Host   string `yaml:"host"`
	ESP    int    `yaml:"esp"`
	Device string `yaml:"device"`
}

// other is a logical unit that is no part of any enclosure.
type other struct {
	Type     byte             `yaml:"type"`
	Vendor   string           `yaml:"vendor"`
	Product  string           `yaml:"product"`
	Revision string           `yaml:"revision"`
	LU       hexID            `yaml:"lu"`
	EncServ  bool             `yaml:"encServ"`
	Paths    map[string][]int `yaml:"paths"`
}

// unit is a logical unit as one path of one host sees it: exactly one of esp,
// drive and other is set.
type unit struct {
	key    string
	host   string
	cable  int // which of the host's ways to the ESP, from 0
	node   int // N of /dev/sgN at first
	esp    *esp
	drive  *drive
	other  *other
	via    *unit  // the ESP path that a drive is reached through
	device string // block device name of a drive
}

const (
	typeDisk      = 0x00
	typeEnclosure = 0x0d

	controllerType = 0x07 // enclosure services controller electronics
	slotType       = 0x17 // array device slot
	expanderType   = 0x18 // SAS expander
)

var elementCodes = map[string]byte{
	"device-slot": 0x01, "power-supply": 0x02, "cooling": 0x03, "temperature-sensor": 0x04, "door": 0x05,
	"audible-alarm": 0x06, "es-controller": controllerType, "display": 0x0c, "enclosure": 0x0e, "voltage-sensor": 0x12,
	"current-sensor": 0x13, "array-device-slot": slotType, "sas-expander": expanderType, "sas-connector": 0x19,
}

var statusCodes = map[string]byte{
	"unsupported": 0, "ok": 1, "critical": 2, "non-critical": 3, "unrecoverable": 4, "not-installed": 5, "unknown": 6, "not-available": 7,
}

// define reads a rack file, checks it and fills in what it leaves out.
func define(file string, data []byte) (*definition, error) {
	root, problems := schemas.Check("rack", file, data)
	if len(problems) > 0 {
		var all *multierror.Error
		for _, p := range problems {
			all = multierror.Append(all, p)
		}
		return nil, all
	}
	d := &definition{}
	if err := root.Decode(d); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	d.digest = hex.EncodeToString(sum[:])
	if d.Trace != "" && !filepath.IsAbs(d.Trace) {
		d.Trace = filepath.Join(filepath.Dir(file), d.Trace)
	}
	if len(d.Hosts) == 0 {
		d.Hosts = []string{"stor1"}
	}
	d.byKey = map[string]*unit{}
	named := map[string]*enclosure{}
	for _, e := range d.Enclosures {
		if e.Name == "" {
			e.Name = e.LogicalID.String()
		}
		if named[e.Name] != nil {
			return nil, fmt.Errorf("two enclosures are called %s: give each a name of its own", e.Name)
		}
		named[e.Name] = e
	}
	for _, e := range d.Enclosures {
		if e.Behind != "" {
			if e.upstream = named[e.Behind]; e.upstream == nil {
				return nil, fmt.Errorf("enclosure %s is behind %s, which is not in the rack", e.Name, e.Behind)
			}
		}
		if err := d.complete(e); err != nil {
			return nil, fmt.Errorf("enclosure %s: %w", e.Name, err)
		}
	}
	for _, e := range d.Enclosures {
		for seen, up := 0, e.upstream; up != nil; seen, up = seen+1, up.upstream {
			if seen > len(d.Enclosures) {
				return nil, fmt.Errorf("enclosure %s is behind itself", e.Name)
			}
		}
	}
	if err := d.wire(); err != nil {
		return nil, err
	}
	return d, nil
}

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
			if dr.Count > 1 { // several drives have a map and a file system each
				if one.Use.Multipath != "" {
					one.Use.Multipath += strconv.Itoa(one.Slot)
				}
				if one.Use.Mount != "" && one.Use.Holder == "" {
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
	e.Drives = drives
	if err := e.completeElements(); err != nil {
		return err
	}

	shared := download{
		Protocol: "ses", Refuse: "status", SKSV: true,
		Chunk: chunk{Max: 65508, MultipleOf: 4}, MaxImage: 16 << 20,
		FlashTime: duration(time.Second), Activation: "mode-f", PowerLoss: "activates",
		RebootTime: duration(2 * time.Second), Vanish: true, ReturnNode: "other",
		Confirm: "sense", Accepts: accepts{Refuse: "last"},
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
	s.download.Vanish = false // a power supply that restarts takes no path away
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
	if !slices.ContainsFunc(e.Elements, func(t elementType) bool { return t.Type == "array-device-slot" || t.Type == "17" }) {
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
				errs = multierror.Append(errs, add(&unit{key: fmt.Sprintf("other%d/%d", i+1, cable), cable: cable, node: node, other: o}))
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

// checkReferences finds hosts that paths and uses name and nobody declared.
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
			errs = multierror.Append(errs, known(dr.Use.Host))
			for _, p := range dr.Paths {
				errs = multierror.Append(errs, known(p.Host))
				if p.ESP > len(e.ESPs) {
					errs = multierror.Append(errs, fmt.Errorf("drive in slot %d has a path through esp%d, which enclosure %s does not have", dr.Slot, p.ESP, e.Name))
				}
			}
		}
	}
	return errs.ErrorOrNil()
}

// nodesOf are the nodes that a host has of something: those declared, or one of
// any number (-1) where no paths are declared at all.
func nodesOf(paths map[string][]int, host string) []int {
	if paths == nil {
		return []int{-1}
	}
	return paths[host]
}

// unitsOn are the ways a host reaches a drive: those declared, or one for each
// cable to each ESP, of which SATA drives have only the first ESP's.
func (dr *drive) unitsOn(host string) []*unit {
	var units []*unit
	add := func(via *unit, device string) {
		units = append(units, &unit{
			key: fmt.Sprintf("%s/slot%d/%d", dr.enclosure.Name, dr.Slot, len(units)), cable: via.cable, node: -1, drive: dr, via: via, device: device,
		})
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

// diskName is the kernel's name of the nth disk: sda, ..., sdz, sdaa, ...
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

// hexID is a 64-bit identifier, 16 hex digits in the file.
type hexID uint64

func (h hexID) String() string { return fmt.Sprintf("%016x", uint64(h)) }

func (h *hexID) UnmarshalYAML(n *yaml.Node) error {
	v, err := strconv.ParseUint(n.Value, 16, 64)
	if err != nil {
		return fmt.Errorf("line %d: %q is not 16 hex digits", n.Line, n.Value)
	}
	*h = hexID(v)
	return nil
}

type hexByte byte

func (h *hexByte) UnmarshalYAML(n *yaml.Node) error {
	v, err := strconv.ParseUint(n.Value, 16, 8)
	if err != nil {
		return fmt.Errorf("line %d: %q is not one or two hex digits", n.Line, n.Value)
	}
	*h = hexByte(v)
	return nil
}

type hexList []hexByte

type hexBytes []byte

func (h *hexBytes) UnmarshalYAML(n *yaml.Node) error {
	b, err := hex.DecodeString(strings.ReplaceAll(n.Value, " ", ""))
	if err != nil {
		return fmt.Errorf("line %d: %q is not hex digits, two a byte", n.Line, n.Value)
	}
	*h = b
	return nil
}

type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 {
		return fmt.Errorf("line %d: %q is not a duration such as 30s", n.Line, n.Value)
	}
	*d = duration(v)
	return nil
}

var errNoEnclosure = errors.New("no such enclosure in the rack")

package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fwctl/internal/transport"
	"fwctl/schemas"

	"github.com/hashicorp/go-multierror"
	"gopkg.in/yaml.v3"
)

// definition is a rack file with its defaults filled in. It never changes once
// it is loaded; what does change is in state.
type definition struct {
	Trace      string       `yaml:"trace"`
	Hosts      []string     `yaml:"hosts"`
	Zpool      string       `yaml:"zpool"` // what is wrong with the program: missing, hangs, nonsense
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
	Drives         []*drive      `yaml:"drives"` // with the volumes, once they are complete
	Volumes        []volume      `yaml:"volumes"`
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
	Open       string           `yaml:"open"` // how opening its nodes fails: see openErrors

	key       string // "<enclosure name>/esp<n>", n as declared, from 1
	number    int
	enclosure *enclosure
	parts     []*part // sorted by id, the primary first
	units     []*unit
}

// identity is what INQUIRY says, if it differs from page 01h.
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
	GenerationMismatch  string     `yaml:"generationMismatch"`
	Chunk               chunk      `yaml:"chunk"`
	MaxImage            int        `yaml:"maxImage"`
	BufferID            byte       `yaml:"bufferID"`
	Beside              []byte     `yaml:"beside"` // buffer ids of parts beside it that report no revision
	FlashTime           duration   `yaml:"flashTime"`
	SingleBank          bool       `yaml:"singleBank"`
	Activation          string     `yaml:"activation"`
	PowerLoss           string     `yaml:"powerLoss"`
	ResetPage           hexBytes   `yaml:"resetPage"`
	RebootTime          duration   `yaml:"rebootTime"`
	Vanish              bool       `yaml:"vanish"`
	ReturnNode          string     `yaml:"returnNode"`
	QuietReturn         bool       `yaml:"quietReturn"`
	Completion          completion `yaml:"completion"`
	StatusReadResets    bool       `yaml:"statusReadResets"`
	RebootsBeforeStatus bool       `yaml:"rebootsBeforeStatus"`
	ReportsIdle         bool       `yaml:"reportsIdle"`
	Confirm             string     `yaml:"confirm"`
	Accepts             accepts    `yaml:"accepts"`
	Activated           activated  `yaml:"activated"`
	Timeout             duration   `yaml:"timeout"`
	Left                left       `yaml:"left"`
}

// activated is what mode 0Fh brings besides the new microcode.
type activated struct {
	Attentions []attentionCode `yaml:"attentions"` // raised for every path
	Status     hexByte         `yaml:"status"`     // stays in the status page until read, over a restart
	Starts     string          `yaml:"starts"`     // now, or read: when that status is
}

// left is half an image that someone sent before the rack was opened.
type left struct {
	Mode   hexByte `yaml:"mode"`
	Bytes  int     `yaml:"bytes"`
	Length int     `yaml:"length"`
}

// attentionCode is the ASC and ASCQ of a unit attention, "3f/01" in the file.
type attentionCode [2]byte

func (a *attentionCode) UnmarshalYAML(n *yaml.Node) error {
	var whole senseCode
	err := whole.parse(n.Line, "06/"+n.Value)
	*a = attentionCode{whole[1], whole[2]}
	return err
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

// mode is a download mode that a component supports, from the revision From on if there is
// one. Revisions compare as text: the device knows its own order.
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
	Ports      []hexID     `yaml:"ports"` // by ESP, in order
	SATA       bool        `yaml:"sata"`
	Use        use         `yaml:"use"`
	Paths      []drivePath `yaml:"paths"`
	Descriptor string      `yaml:"descriptor"` // what page 0Ah says of its slot
	Number     *byte       `yaml:"number"`     // of its slot, as page 0Ah has it
	Expander   hexID       `yaml:"expander"`   // it hangs off this one, further down than the ESP's
	Open       string      `yaml:"open"`       // how opening its block devices fails: see openErrors
	IOStats    *bool       `yaml:"iostats"`    // false: queue/iostats is 0, and its counters stand still

	lun       int // of the ESP's own target; 0: it has a target of its own
	enclosure *enclosure
	units     []*unit
}

// volume is a logical unit beside the SES one. Arrays have them, and resetting a module takes
// down its volumes (SEAGATE 4006). No page of the enclosure lists them.
type volume struct {
	LUN        int   `yaml:"lun"`
	SASAddress hexID `yaml:"sasAddress"`
	Use        use   `yaml:"use"`
}

// noSlot is the slot of a volume.
const noSlot = -1

// What page 0Ah says about the slot of a drive, beside its address.
const (
	invalidDescriptor = "invalid"
	withoutAddress    = "no-address"
	wrongAddress      = "other-address"
	pcieDescriptor    = "pcie"
	fcDescriptor      = "fc"
	emptyDescriptor   = "empty" // page 02h says so too
)

// openErrors are the ways in which opening a node fails.
var openErrors = map[string]error{
	"denied":    fs.ErrPermission,
	"no-device": fmt.Errorf("%w (%w)", transport.ErrGone, syscall.ENXIO),
}

// use is what holds a drive on one host.
type use struct {
	Host      string `yaml:"host"`
	Partition int    `yaml:"partition"` // the use is of this partition of the first path
	Mount     string `yaml:"mount"`
	Btrfs     bool   `yaml:"btrfs"` // the mount is one btrfs file system over all drives that name it
	Swap      bool   `yaml:"swap"`
	Holder    string `yaml:"holder"`    // md0, dm-3
	Multipath string `yaml:"multipath"` // name of a dm-multipath map over all paths
	LVM       string `yaml:"lvm"`       // "vg/lv": one volume over all drives that name it
	OSD       *int   `yaml:"osd"`       // the Ceph OSD on the topmost device
	ZFS       zfsUse `yaml:"zfs"`       // no holder in sysfs: zpool status and an exclusive open tell
	Process   string `yaml:"process"`   // has the topmost device open, not exclusively
	// IO is "reads" or "writes": someone whom nothing else shows does that all the time. Otherwise
	// the disk has no counters.
	IO string `yaml:"io"`

	Failed    []int         `yaml:"failed"`    // ESPs through which the map's paths are failed for good
	Reinstate reinstatement `yaml:"reinstate"` // of a path of the map that has come back
}

// zfsUse is a drive's part in a ZFS pool; without a pool it has none.
type zfsUse struct {
	Pool    string `yaml:"pool"`
	VDev    string `yaml:"vdev"`    // "mirror-0", or what it serves as: "logs"; "": it is a top-level vdev
	Members int    `yaml:"members"` // of the pool in all; fewer than the rack has: as many
}

func (z *zfsUse) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		z.Pool = n.Value
		return nil
	}
	type plain zfsUse // without this method
	return n.Decode((*plain)(z))
}

// reinstatement is how long the path checker takes to use a path again that has
// come back.
type reinstatement struct {
	after time.Duration
	never bool
}

func (r *reinstatement) UnmarshalYAML(n *yaml.Node) error {
	if r.never = n.Value == "never"; r.never {
		return nil
	}
	return (*duration)(&r.after).UnmarshalYAML(n)
}

type drivePath struct {
	Host   string `yaml:"host"`
	ESP    int    `yaml:"esp"`
	Device string `yaml:"device"`
}

// other is a logical unit that is not a part of any enclosure.
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
	"unsupported": 0, "ok": 1, "critical": 2, "non-critical": 3, "unrecoverable": 4, "not-installed": 5, "unknown": 6,
	"not-available": 7, "no-access": 8,
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

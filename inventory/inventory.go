// Package inventory holds what was read from enclosures: the types of an
// inventory file, the addresses of components and the rules of identity.
//
// It is pure: it opens no device and reads no clock. Package inventory/scan reads devices.
package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// FormatVersion is the version of the inventory file format that this package writes.
const FormatVersion = "1.0"

// Inventory is what one host saw of its enclosures at one time.
type Inventory struct {
	FormatVersion string      `json:"format_version"`
	Kind          string      `json:"kind"` // "Inventory"
	Host          string      `json:"host"`
	ScannedAt     time.Time   `json:"scanned_at"`
	Simulated     bool        `json:"simulated"`
	Enclosures    []Enclosure `json:"enclosures"` // sorted by ID
	Problems      []Problem   `json:"problems"`   // sorted by Path
	// Timings say how long earlier runs of this host took; sorted by CompareTimings.
	Timings []Timing `json:"timings,omitempty"`
}

// Enclosure is one SES enclosure and the ESPs of it that this host can see.
//
// ESPs belong to one enclosure if they report the same logical identifier. One that
// reports none, all zero, is an enclosure of its own.
type Enclosure struct {
	// LogicalID is the enclosure logical identifier, 16 hex digits; all zero if the device has none.
	LogicalID string `json:"logical_id"`
	// Name is what people call it, as this host remembers from the last plan that was applied; ""
	// if it has none. Only people read it.
	Name         string  `json:"name,omitempty"`
	Vendor       string  `json:"vendor"`        // of the primary subenclosure, page 01h
	Product      string  `json:"product"`       // likewise
	ExpectedESPs *int    `json:"expected_esps"` // nil if unknown
	MissingESPs  []int   `json:"missing_esps"`  // relative ids that the enclosure claims and this host does not see
	Health       Health  `json:"health"`
	Drives       []Drive `json:"drives"`
	// DrivesUnknown: no ESP has shown page 0Ah, so an empty Drives means nothing.
	DrivesUnknown bool  `json:"drives_unknown,omitempty"`
	ESPs          []ESP `json:"esps"` // sorted by ESP.ID

	// DriveEvidence says, in words, where drives were looked for: page 0Ah, page 02h and the
	// host's routes. It is nil if an older fwctl, which did not compare these, wrote the
	// inventory: then Drives may lack some.
	DriveEvidence []string `json:"drive_evidence,omitempty"`

	// Cautions are those that this host remembers about components, in sight or not; sorted by
	// address, then kind.
	Cautions []Caution `json:"cautions,omitempty"`
}

// Health is the verdict of the enclosure status page, 02h.
type Health struct {
	Unknown       bool     `json:"unknown,omitempty"` // no ESP has shown the page
	Critical      bool     `json:"critical"`
	Unrecoverable bool     `json:"unrecoverable"`
	Failures      []string `json:"failures"` // a line for each element that is critical, non-critical or unrecoverable

	// Elements counts the elements that are there, by the name of their type: those that are OK
	// or have failed, not those that are not installed, not available or unknown. It is nil if no
	// ESP has shown the page.
	Elements map[string]int `json:"elements,omitempty"`
}

// Drive is a drive behind an enclosure's ESPs: one that page 0Ah lists, one in a
// slot that page 02h reports as occupied, or one that only the host's routes show.
//
// InUse is empty only if a path of this host leads to the drive and the scan looked at
// everything that shows use: mounts, swap, what is stacked above (dm, md, bcache), Ceph
// OSDs, ZFS pools as far as zpool names them, processes that have it open, and, on request
// only, an exclusive open, and counters that move. A dm-multipath map with nothing above it
// does not count as use, nor does a process that only watches disks.
type Drive struct {
	Slot       SlotNumber `json:"slot"`
	SASAddress string     `json:"sas_address"` // of the drive's first port, 16 hex digits; "" if unknown
	// LUID is the NAA of its logical unit, the same on all ports and hosts; "" if no path leads to it.
	LUID     string        `json:"lu_id,omitempty"`
	Protocol DriveProtocol `json:"protocol,omitempty"` // "" if neither page 0Ah nor the kernel shows it
	// InUse is what uses it, in words: "mounted /tank through dm-3 (mpatha)". nil is unknown, which
	// counts as in use.
	InUse []string `json:"in_use"`
	// Uses is InUse in structured form, sorted. It is nil also if an older fwctl wrote the
	// inventory: see Users.
	Uses []Use `json:"uses,omitempty"`
	// Paths lead to either of its ports; sorted by Device. It is empty if this host does not see
	// the drive, and then InUse is nil.
	Paths    []DrivePath `json:"paths"`
	Evidence []string    `json:"evidence,omitempty"` // why it counts as behind the enclosure, in words
}

// NoUser names the sources that show that nothing uses a drive: its InUse is empty, not nil.
const NoUser = "/proc/self/mounts, /proc/swaps, what /sys shows above it, /proc/*/fd, an exclusive open " +
	"and its counters show no user"

// SlotNumber is a device slot number, null in JSON for NoSlot.
type SlotNumber int

// NoSlot is the slot of a drive that no slot of the enclosure lists.
const NoSlot SlotNumber = -1

// MarshalJSON implements json.Marshaler.
func (n SlotNumber) MarshalJSON() ([]byte, error) {
	if n == NoSlot {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(n), 10), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *SlotNumber) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = NoSlot
		return nil
	}
	number, err := strconv.ParseUint(string(data), 10, 8)
	if err != nil {
		return fmt.Errorf("a slot is %s, not null or 0 to 255", data)
	}
	*n = SlotNumber(number)
	return nil
}

// Name names a drive for people if no slot does: by the disks that lead to it, else by its address.
func (d *Drive) Name() string {
	switch {
	case len(d.Paths) == 1:
		return d.Paths[0].Device
	case len(d.Paths) > 1:
		names := make([]string, len(d.Paths))
		for i, p := range d.Paths {
			names[i] = p.Device
		}
		return strings.Join(names, "/")
	case d.SASAddress != "":
		return d.SASAddress
	}
	return "a drive of unknown address"
}

// DriveProtocol is what a drive speaks. A SATA drive has one port: no other path can
// take over.
type DriveProtocol string

const (
	SAS  DriveProtocol = "sas"
	SATA DriveProtocol = "sata"
)

// DrivePath is one way that the host reaches a drive.
//
// Only dm-multipath makes several paths Used: the kernel's native multipath is
// for NVMe. A path below a map is live if the map's own status says active.
type DrivePath struct {
	Device string `json:"device"`         // block device name, "sda"
	Via    string `json:"via"`            // lu_id of the ESP it goes through, "" if unknown
	Live   bool   `json:"live"`           // the device's state is running, and no multipath map has failed it
	Down   string `json:"down,omitempty"` // why it is not live, in words; "" too if an older fwctl wrote the inventory
	// Used: everything that uses the drive goes on over this path when the others fail, or has
	// only this one.
	Used bool `json:"used"`
}

// Named returns e's components as selectors see them, each once, without names.
func (e *Enclosure) Named() []Named {
	var all []Named
	at := map[string]int{}
	for i := range e.ESPs {
		for _, sub := range e.ESPs[i].Subenclosures {
			through := Address(e.ID(), e.ESPs[i].ID(), sub.ID)
			n, known := at[sub.Address]
			if !known {
				n = len(all)
				at[sub.Address] = n
				all = append(all, Named{Address: sub.Address})
			}
			if through != sub.Address {
				all[n].Aliases = append(all[n].Aliases, through)
			}
		}
	}
	return all
}

// ESP is one enclosure services process: an I/O module, a SEP.
type ESP struct {
	RelativeID int `json:"relative_id"` // as the ESP itself says: 0 to 7
	// Processes is how many ES processes it claims for the enclosure: 0 to 7.
	Processes int      `json:"processes"`
	LUID      string   `json:"lu_id"`               // designator of the logical unit, see Identity.LUID
	Serial    string   `json:"serial"`              // VPD page 80h
	Paths     []string `json:"paths"`               // device nodes, never identity
	Expanders []string `json:"expanders,omitempty"` // SAS addresses of the ESP's own expanders, sorted
	// Upstream are the SAS addresses of other expanders between this host and the ESP, on any of
	// its paths; sorted.
	Upstream       []string       `json:"upstream,omitempty"`
	GenerationCode uint32         `json:"generation_code"`
	Inquiry        Inquiry        `json:"inquiry"`
	Download       Download       `json:"download"`
	Subenclosures  []Subenclosure `json:"subenclosures"` // sorted by ID, the primary first

	// Conflict says, in words, why nothing of this ESP may be touched: another
	// logical unit claims the same address, or the same identity. It is "" if there
	// is no conflict. Inventory.Problems has it too.
	Conflict string `json:"conflict,omitempty"`
}

// Inquiry is the identification in standard INQUIRY data.
type Inquiry struct {
	Vendor   string `json:"vendor"`
	Product  string `json:"product"`
	Revision string `json:"revision"`
}

// Download is how an ESP says it takes microcode.
type Download struct {
	SESPage          bool     `json:"ses_page"`           // page 0Eh is among the supported pages
	WriteBufferModes []string `json:"write_buffer_modes"` // two hex digits each; nil if the device does not say
}

// Subenclosure is one subenclosure as one ESP serves it: a component.
//
// A secondary subenclosure that several ESPs of an enclosure serve (the same
// subenclosure logical identifier) is one component: it is listed under each of
// them, always with the address that it has under the first (ESPs sorted by
// ESP.ID). The component is worked on through the ESP that its address names.
type Subenclosure struct {
	ID        int     `json:"id"`
	LogicalID string  `json:"logical_id"`
	Address   string  `json:"address"`
	Vendor    string  `json:"vendor"`
	Product   string  `json:"product"`
	Revision  string  `json:"revision"`
	Staged    *Staged `json:"staged"`         // nil if this host's state remembers none
	Sent      *Sent   `json:"sent,omitempty"` // the image behind Revision; nil if this host did not send it

	// Beside are the parts beside it that report no revision (a CPLD) and that this host
	// has sent an image, by buffer id.
	Beside []Beside `json:"beside,omitempty"`
}

// Staged is microcode that was downloaded and waits for its activation.
type Staged struct {
	SHA256    string    `json:"sha256"`
	Revision  string    `json:"revision"` // "" if unknown
	Since     time.Time `json:"since"`
	By        string    `json:"by"`
	Confirmed bool      `json:"confirmed"` // the device said that the image is complete
}

// UnmarshalJSON takes an image for complete if the inventory does not say. Inventories
// that other programs write do not.
func (s *Staged) UnmarshalJSON(data []byte) error {
	type plain Staged // without this method
	s.Confirmed = true
	return json.Unmarshal(data, (*plain)(s))
}

// Who names the person who staged it.
func (s *Staged) Who() string { return cmp.Or(s.By, "somebody") }

// Label names what is staged: its revision, else its image.
func (s *Staged) Label() string {
	if s.Revision == "" {
		return fmt.Sprintf("image %.8s", s.SHA256)
	}
	return s.Revision
}

// Beside is a part that takes images through a buffer of its own and reports no revision.
type Beside struct {
	BufferID int `json:"buffer_id"`
	Sent         // the last image that it took
}

// Behind returns the last image that was sent to the part behind a buffer that reports no
// revision, nil if this host remembers none.
func (s *Subenclosure) Behind(bufferID int) *Sent {
	for i := range s.Beside {
		if s.Beside[i].BufferID == bufferID {
			return &s.Beside[i].Sent
		}
	}
	return nil
}

// RecallBeside adds what another host remembers, or another ESP, about the parts beside it.
// The latest image of each part counts.
func (s *Subenclosure) RecallBeside(other []Beside) {
	for _, b := range other {
		i, known := slices.BinarySearchFunc(
			s.Beside,
			b.BufferID,
			func(b Beside, id int) int { return cmp.Compare(b.BufferID, id) },
		)
		switch all := slices.Clone(s.Beside); { // the other inventory's is the caller's
		case !known:
			s.Beside = slices.Insert(all, i, b)
		case b.At.After(all[i].At):
			all[i] = b
			s.Beside = all
		}
	}
}

// Sent is an image that a component has received completely.
type Sent struct {
	SHA256 string    `json:"sha256"`
	At     time.Time `json:"at"`
}

// Problem is a device that could not be read, or whose answers cannot be trusted.
type Problem struct {
	Path    string `json:"path"`
	Summary string `json:"summary"`
	Detail  string `json:"detail"`
	InUse   bool   `json:"-"` // someone else held the node: asking again can succeed

	// Unread is what is still known about a device that could not be read; nil if the
	// problem is about one that could.
	Unread *Unread `json:"unread,omitempty"`
}

// CouldNotBeRead says on which host and why the device could not be read, as the end of a sentence.
func (p *Problem) CouldNotBeRead(host string) string {
	return fmt.Sprintf("could not be read on %s (%s): %s", host, p.Path, p.Detail)
}

// ESPs returns the ESPs by logical unit; the first one, if several claim the same.
func (inv *Inventory) ESPs() map[string]*ESP {
	all := map[string]*ESP{}
	for i := range inv.Enclosures {
		for j := range inv.Enclosures[i].ESPs {
			if esp := &inv.Enclosures[i].ESPs[j]; all[esp.LUID] == nil {
				all[esp.LUID] = esp
			}
		}
	}
	return all
}

// UnreadDevices returns the problems of devices that could not be read, sorted by path.
func (inv *Inventory) UnreadDevices() []*Problem {
	var unread []*Problem
	for i := range inv.Problems {
		if inv.Problems[i].Unread != nil {
			unread = append(unread, &inv.Problems[i])
		}
	}
	slices.SortStableFunc(unread, func(a, b *Problem) int { return ComparePaths(a.Path, b.Path) })
	return unread
}

// Unread is what the host knows of a device that could not be read.
type Unread struct {
	LUID       string  `json:"lu_id,omitempty"`      // from the kernel, which does not read page 01h: see Leads
	Vendor     string  `json:"vendor,omitempty"`     // standard INQUIRY data, from the kernel; "" if it has none
	Product    string  `json:"product,omitempty"`    // likewise
	Components []Known `json:"components,omitempty"` // those that this host remembers behind it, by address
	UsedBy     string  `json:"used_by,omitempty"`    // who works on it, and since when, in words
	Resume     bool    `json:"resume,omitempty"`     // a run was broken off in the middle of its work there
}

// Known is a component as this host remembers it.
type Known struct {
	Address string   `json:"address"`
	LUID    string   `json:"lu_id"`
	Aliases []string `json:"aliases,omitempty"` // its other addresses, sorted
}

// Named returns the component as selectors see it, in an enclosure of this name.
func (k *Known) Named(enclosure string) Named {
	return Named{Address: k.Address, Name: enclosure, Aliases: k.Aliases}
}

// Leads reports whether the device that could not be read is the logical unit luID.
func (u *Unread) Leads(luID string) bool {
	return u.LUID != "" && (luID == u.LUID || strings.HasPrefix(luID, u.LUID+"@"))
}

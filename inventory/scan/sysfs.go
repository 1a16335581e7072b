package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"fwctl/internal/scsi"
	"fwctl/inventory"
)

const (
	genericDir = "sys/class/scsi_generic"
	blockDir   = "sys/block"
	sasDir     = "sys/class/sas_device" // expanders and end devices

	enclosureType = "13" // peripheral device type 0Dh, as sysfs writes it
)

// candidates lists the nodes to scan, sorted: those of enclosure services devices, and of
// other logical units whose INQUIRY data says that they hold an enclosure (ENCSERV; sysfs
// keeps a copy, so no disk is opened for it). With names, it lists those of them, and
// returns a *DeviceError for each name that is not one.
func candidates(fsys fs.FS, names []string) ([]string, error) {
	entries, err := fs.ReadDir(fsys, genericDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot find SCSI generic devices: there is no /%s: "+
			"load the sg driver (modprobe sg), and check that this host has a SAS HBA", genericDir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find SCSI generic devices: %w", err)
	}
	var all *multierror.Error
	var nodes []string
	if len(names) == 0 {
		for _, e := range entries {
			if isEnclosure(fsys, e.Name()) && virtual(fsys, e.Name()) == "" {
				nodes = append(nodes, "/dev/"+e.Name())
			}
		}
	}
	for _, name := range names {
		sg, node := path.Base(name), "/dev/"+path.Base(name)
		known := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == sg })
		switch {
		case !known || name != sg && name != node:
			all = multierror.Append(all,
				&DeviceError{name, "it is not a SCSI generic node of this host; " + nodesHint(fsys, entries)})
		case !isEnclosure(fsys, sg):
			all = multierror.Append(
				all,
				&DeviceError{node, "it is not an enclosure: its SCSI device type is " + attribute(fsys, sg, "type") +
					", not 13, and it does not say that it holds one; fwctl inventory lists the enclosures"},
			)
		case virtual(fsys, sg) != "":
			all = multierror.Append(all,
				&DeviceError{node, "it is " + virtual(fsys, sg) +
					", which takes no firmware; update the controller instead"})
		default:
			nodes = append(nodes, node)
		}
	}
	slices.SortFunc(nodes, inventory.ComparePaths)
	return slices.Compact(nodes), all.ErrorOrNil()
}

// nodesHint lists the nodes that there are: those of enclosures, or all if there are none.
func nodesHint(fsys fs.FS, entries []fs.DirEntry) string {
	var nodes, enclosures []string
	for _, e := range entries {
		nodes = append(nodes, "/dev/"+e.Name())
		if isEnclosure(fsys, e.Name()) && virtual(fsys, e.Name()) == "" {
			enclosures = append(enclosures, "/dev/"+e.Name())
		}
	}
	what := "enclosures are at"
	if len(enclosures) > 0 {
		nodes = enclosures
	} else {
		what = "there are, none of them of an enclosure,"
	}
	if len(nodes) == 0 {
		return "there are none: load the sg driver (modprobe sg), and check that this host has a SAS HBA"
	}
	slices.SortFunc(nodes, inventory.ComparePaths)
	const most = 8
	more := ""
	if n := len(nodes) - most; n > 0 {
		nodes, more = nodes[:most], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s %s%s: lsscsi -g shows which is which", what, strings.Join(nodes, ", "), more)
}

// attribute reads a text attribute of the SCSI device behind a sg node, or returns "" if
// there is none.
func attribute(fsys fs.FS, sg, name string) string {
	return text(fsys, path.Join(genericDir, sg, "device", name))
}

// text reads a file of one line, or returns "" if there is none.
func text(fsys fs.FS, name string) string {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func isEnclosure(fsys fs.FS, sg string) bool {
	if attribute(fsys, sg, "type") == enclosureType {
		return true
	}
	b, err := fs.ReadFile(fsys, path.Join(genericDir, sg, "device", "inquiry"))
	if err != nil {
		return false
	}
	inquiry, err := scsi.ParseStandardInquiry(b)
	return err == nil && inquiry.EncServ
}

// unread returns what the kernel knows about the device behind a node, without opening it.
func unread(fsys fs.FS, node string) *inventory.Unread {
	sg := path.Base(node)
	u := &inventory.Unread{Vendor: attribute(fsys, sg, "vendor"), Product: attribute(fsys, sg, "model")}
	if b, err := fs.ReadFile(fsys, path.Join(genericDir, sg, "device", "vpd_pg83")); err == nil {
		if id, err := scsi.ParseDeviceIdentification(b); err == nil {
			var who inventory.Identity
			designate(&who, id)
			u.LUID = who.LUID()
		}
	}
	return u
}

// LeadsTo reports whether a node leads to the logical unit luID, by the copy of VPD
// page 83h that the kernel keeps, without opening it. It returns false if the kernel has
// no copy, or if luID is not made from page 83h.
func LeadsTo(fsys fs.FS, node, luID string) bool { return keptIdentity(fsys, node).Is(luID) }

// keptIdentity returns the identity of the logical unit that a node leads to, as far as the
// kernel keeps it.
func keptIdentity(fsys fs.FS, node string) (who inventory.Identity) {
	b, err := fs.ReadFile(fsys, path.Join(genericDir, path.Base(node), "device", "vpd_pg83"))
	if err != nil {
		return who
	}
	if id, err := scsi.ParseDeviceIdentification(b); err == nil {
		designate(&who, id)
	}
	return who
}

var (
	scsiTarget = regexp.MustCompile(`/([0-9]+:[0-9]+:[0-9]+):[0-9]+/`)
	scsiHost   = regexp.MustCompile(`/(host[0-9]+)/`)
	// The SAS devices on the way to a SCSI device, as its path in sysfs has them.
	expanderDir = regexp.MustCompile(`/(expander-[0-9:]+)/`)
	endDevice   = regexp.MustCompile(`/(end_device-[0-9:]+)/`)
)

// wiring is what the host knows about the ways to its SCSI devices.
type wiring struct {
	fsys      fs.FS
	addresses map[string]string // SAS address of an expander, by its name in sysfs
}

func newWiring(fsys fs.FS) *wiring { return &wiring{fsys, map[string]string{}} }

// routeTo reads a route off the link to a device in a class of sysfs.
func (w *wiring) routeTo(link string) inventory.Route {
	var r inventory.Route
	if m := scsiHost.FindStringSubmatch(link); m != nil {
		r.SCSIHost = m[1]
	}
	if m := scsiTarget.FindStringSubmatch(link); m != nil {
		r.Target = m[1]
	}
	r.Complete = endDevice.MatchString(link)
	for _, m := range expanderDir.FindAllStringSubmatch(link, -1) {
		address, known := w.addresses[m[1]]
		if !known {
			address = sasAddress(text(w.fsys, path.Join(sasDir, m[1], "sas_address")))
			w.addresses[m[1]] = address
		}
		if address == "" {
			r.Complete = false
			continue
		}
		r.Expanders = append(r.Expanders, address)
	}
	return r
}

// portOf returns the SAS address of the port that a class's link to a device leads to, 16
// hex digits, or "" if the host does not know it: HBA drivers differ in what they show.
func (w *wiring) portOf(class, link string) string {
	if address := sasAddress(text(w.fsys, path.Join(class, "device/sas_address"))); address != "" {
		return address
	}
	if m := endDevice.FindStringSubmatch(link); m != nil {
		return sasAddress(text(w.fsys, path.Join(sasDir, m[1], "sas_address")))
	}
	return ""
}

// link returns where an entry of a class leads, or "" if it cannot be read.
func (w *wiring) link(class string) string {
	to, err := fs.ReadLink(w.fsys, class)
	if err != nil {
		return ""
	}
	return to
}

var sasAddressText = regexp.MustCompile(`^0x([0-9a-f]{16})$`)

func sasAddress(s string) string {
	m := sasAddressText.FindStringSubmatch(strings.ToLower(s))
	if m == nil || strings.Trim(m[1], "0") == "" {
		return ""
	}
	return m[1]
}

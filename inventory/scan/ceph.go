package scan

import (
	"io/fs"
	"path"
	"strings"

	"fwctl/internal/scsi"
)

const cephDir = "var/lib/ceph"

// cephOSDs lists the Ceph OSDs of a host by the block devices of their data, database and
// log: "osd.3". A directory of each has links to these: /var/lib/ceph/osd/ceph-3, and of a
// daemon in a container /var/lib/ceph/<fsid>/osd.3.
func (u *usage) cephOSDs() map[string]string {
	osds := map[string]string{}
	clusters, _ := fs.ReadDir(u.fsys, cephDir) // none: no Ceph
	for _, c := range clusters {
		daemons, _ := fs.ReadDir(u.fsys, path.Join(cephDir, c.Name())) // none: a file
		for _, d := range daemons {
			id, isOSD := strings.CutPrefix(d.Name(), "osd.")
			if c.Name() == "osd" {
				_, id, isOSD = strings.Cut(d.Name(), "-")
			}
			if !isOSD {
				continue
			}
			for _, part := range []string{"block", "block.db", "block.wal"} {
				link := path.Join("/", cephDir, c.Name(), d.Name(), part)
				for _, device := range u.aliases(link)[1:] {
					osds[device] = "osd." + scsi.Text(id).String()
				}
			}
		}
	}
	return osds
}

// osd returns the Ceph OSD that a layer belongs to: one that a link says, else a logical
// volume with a name of ceph-volume's; "" if it belongs to none.
func (u *usage) osd(l layer) string {
	for _, device := range l.devices() {
		if osd := u.osds[device]; osd != "" {
			return osd
		}
	}
	group, volume, ok := l.logicalVolume()
	if ok && strings.HasPrefix(group, "ceph-") && strings.HasPrefix(volume, "osd-") {
		return scsi.Text(volume).String()
	}
	return ""
}

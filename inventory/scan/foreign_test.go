package scan_test

import (
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"fwctl/internal/transport"
	"fwctl/inventory/scan"
)

// noting is a machine that notes which files and directories are looked at, and how often all
// processes are.
type noting struct {
	transport.Machine
	mu    sync.Mutex
	seen  []string
	walks int
}

func (m *noting) OpenDisks() ([]transport.OpenDisk, error) {
	m.mu.Lock()
	m.walks++
	m.mu.Unlock()
	return m.Machine.OpenDisks()
}

func (m *noting) FS() fs.FS { return notingFS{m.Machine.FS(), m} }

func (m *noting) note(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, name)
}

type notingFS struct {
	fs.FS
	m *noting
}

func (f notingFS) Open(name string) (fs.File, error) {
	f.m.note(name)
	return f.FS.Open(name)
}

func (f notingFS) ReadFile(name string) ([]byte, error) {
	f.m.note(name)
	return fs.ReadFile(f.FS, name)
}

func (f notingFS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.m.note(name)
	return fs.ReadDir(f.FS, name)
}

func (f notingFS) ReadLink(name string) (string, error) { return fs.ReadLink(f.FS, name) }

func (f notingFS) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(f.FS, name) }

// What uses a disk is looked for only if the disk is behind an enclosure that is read.
func TestForeignDisksAreIdentifiedOnly(t *testing.T) {
	t.Parallel()
	onRack(t, `hosts: [stor1]
enclosures:
  - {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, revision: "1000", esps: [{paths: {stor1: [0]}}],
     drives: [{slot: 0, count: 2, use: {mount: /tank}}]}
  - {logicalID: 5000ccab04002000, vendor: ACME, product: JBOD-60, revision: "1000", esps: [{paths: {stor1: [1]}}],
     drives: [{slot: 0, count: 3, use: {mount: /other}}]}
`, func(t *testing.T, m transport.Machine) {
		inv, err := scan.Scan(t.Context(), m, scan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		one, other := inv.Enclosures[0], inv.Enclosures[1]
		noted := &noting{Machine: m}
		part, err := scan.Scan(t.Context(), noted, scan.Options{Devices: one.ESPs[0].Paths})
		if err != nil || len(part.Enclosures) != 1 || len(part.Enclosures[0].Drives) != 2 ||
			len(part.Enclosures[0].Drives[0].InUse) == 0 {
			t.Fatalf("Scan of one enclosure = %+v, %v; want its 2 drives, in use", part, err)
		}
		looks := func(disk string) (n int) {
			for _, name := range noted.seen {
				if strings.HasPrefix(name, "sys/block/"+disk+"/") {
					n++
				}
			}
			return n
		}
		for _, d := range other.Drives {
			disk := d.Paths[0].Device
			if slices.Contains(noted.seen, "sys/block/"+disk+"/holders") || looks(disk) > 2 {
				t.Errorf("Scan of the other enclosure looks at %d files of %s; want the two that say who it is", looks(disk), disk)
			}
		}
		if own := one.Drives[0].Paths[0].Device; !slices.Contains(noted.seen, "sys/block/"+own+"/holders") {
			t.Errorf("Scan does not look for what uses %s, whose enclosure it reads; want it to", own)
		}
	})
}

// All processes of the host are looked at once, whatever the number of drives, and not at all if
// the enclosures that are read have none here.
func TestProcessesAreListedOnce(t *testing.T) {
	t.Parallel()
	onRack(t, `hosts: [stor1]
enclosures:
  - {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, revision: "1000", esps: [{paths: {stor1: [0]}}],
     drives: [{slot: 0, count: 4}, {slot: 4, count: 2, use: {process: qemu}}]}
  - {logicalID: 5000ccab04002000, vendor: ACME, product: JBOD-60, revision: "1000", esps: [{paths: {stor1: [1]}}]}
`, func(t *testing.T, m transport.Machine) {
		for node, want := range map[string]int{"/dev/sg0": 1, "/dev/sg1": 0} {
			for _, probe := range []bool{false, true} {
				noted := &noting{Machine: m}
				_, err := scan.Scan(t.Context(), noted, scan.Options{Devices: []string{node}, ProbeUse: probe})
				if err != nil || noted.walks != want {
					t.Errorf("Scan of %s, ProbeUse %t: processes looked at %d times, %v; want %d", node, probe, noted.walks, err, want)
				}
			}
		}
	})
}

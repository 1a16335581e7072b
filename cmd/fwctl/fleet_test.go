package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fwctl/inventory"
)

// BenchmarkFleet plans from the saved inventories of so many hosts, each with 20
// enclosures of two I/O modules, and shows the plan. The time for each host stays the
// same.
func BenchmarkFleet(b *testing.B) {
	for _, hosts := range []int{100, 1000} {
		dir := b.TempDir()
		args := fleetFiles(b, dir, hosts)
		saved := filepath.Join(dir, "fleet.plan")
		for _, args := range [][]string{append(args, "--out", saved), {"show", saved}} {
			b.Run(fmt.Sprintf("%s/%d", args[0], hosts), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var out, errs bytes.Buffer
					if code := run(args, strings.NewReader(""), &out, &errs); code != exitDone {
						b.Fatalf("%s exits %d: %s", args[0], code, errs.String())
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*hosts), "µs/host")
			})
		}
	}
}

// fleetFiles writes a desired state and inventories of so many hosts, and returns the
// command that plans from them.
func fleetFiles(b *testing.B, dir string, hosts int) []string {
	write := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o644); err != nil {
			b.Fatal(err)
		}
		return name
	}
	image := []byte("firmware of ACME JBOD-60")
	write("image.bin", image)
	args := []string{"plan", "-f", write("desired.yaml", fmt.Appendf(nil, `apiVersion: fwctl/v1
kind: DesiredState
models:
  jbod:
    match: {vendor: ACME, product: JBOD-60}
    images: {iom-1100: {file: image.bin, sha256: %x, revision: "1100", modes: [e, 7]}}
want: [{model: jbod, image: iom-1100}]
`, sha256.Sum256(image)))}
	for host := range hosts {
		inv := inventory.New()
		inv.Host, inv.ScannedAt = fmt.Sprintf("stor%04d", host), time.Now().UTC()
		for n := range 20 {
			inv.Enclosures = append(inv.Enclosures, fleetEnclosure(host*20+n))
		}
		data, err := inv.Encode()
		if err != nil {
			b.Fatal(err)
		}
		args = append(args, "--inventory", write(inv.Host+".json", data))
	}
	return args
}

func fleetEnclosure(n int) inventory.Enclosure {
	two := 2
	id := fmt.Sprintf("5000ccab%08x", n*16)
	e := inventory.Enclosure{
		LogicalID: id, Vendor: "ACME", Product: "JBOD-60", ExpectedESPs: &two,
		Health: inventory.Health{Failures: []string{}}, DriveEvidence: []string{},
	}
	for side := 1; side <= 2; side++ {
		e.ESPs = append(e.ESPs, inventory.ESP{
			RelativeID: side, Processes: 2, LUID: fmt.Sprintf("5000ccab%08x", n*16+side),
			Paths:    []string{fmt.Sprintf("/dev/sg%d", n%20*2+side)},
			Inquiry:  inventory.Inquiry{Vendor: "ACME", Product: "JBOD-60", Revision: "1000"},
			Download: inventory.Download{SESPage: true},
			Subenclosures: []inventory.Subenclosure{{
				LogicalID: id, Address: fmt.Sprintf("%s/esp%d/sub0", id, side), Vendor: "ACME", Product: "JBOD-60",
				Revision: "1000",
			}},
		})
	}
	for slot := range 2 {
		wwn := fmt.Sprintf("5000c500%08x", n*16+slot)
		d := inventory.Drive{Slot: inventory.SlotNumber(slot), SASAddress: wwn, LUID: wwn, Protocol: inventory.SAS}
		for _, esp := range e.ESPs {
			d.Paths = append(d.Paths, inventory.DrivePath{Device: fmt.Sprintf("sd%d", slot), Via: esp.LUID, Live: true})
		}
		d.Evidence = []string{fmt.Sprintf("page 0Ah of esp1 lists it in slot %d", slot)}
		e.Drives = append(e.Drives, d)
	}
	return e
}

package scan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"fwctl/internal/sim"
	"fwctl/inventory/scan"
)

// BenchmarkForeignDisks scans one enclosure of a host that has so many disks of another one.
// Beside the time it reports how many files and directories of the host it looks at for
// each of these disks.
func BenchmarkForeignDisks(b *testing.B) {
	for _, disks := range []int{64, 1024} {
		b.Run(fmt.Sprint(disks), func(b *testing.B) {
			rack := `hosts: [stor1]
enclosures:
  - {logicalID: 5000ccab04001000, vendor: ACME, product: JBOD-60, revision: "1000", esps: [{}], drives: [{slot: 0, count: 2}]}
`
			for n := range disks / 64 {
				rack += fmt.Sprintf("  - {logicalID: 5000ccab05%02x1000, vendor: ACME, product: JBOD-60, revision: \"1000\", "+
					"esps: [{}], drives: [{slot: 0, count: 64}]}\n", n)
			}
			file := filepath.Join(b.TempDir(), "rack.yaml")
			if err := os.WriteFile(file, []byte("apiVersion: fwctl/v1\nkind: Rack\n"+rack), 0o644); err != nil {
				b.Fatal(err)
			}
			r, err := sim.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			m, err := r.Machine("")
			if err != nil {
				b.Fatal(err)
			}
			noted := &noting{Machine: m}
			if _, err := scan.Scan(b.Context(), noted, scan.Options{Devices: []string{"/dev/sg0"}}); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := scan.Scan(b.Context(), m, scan.Options{Devices: []string{"/dev/sg0"}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(noted.seen))/float64(disks), "looks/disk")
		})
	}
}

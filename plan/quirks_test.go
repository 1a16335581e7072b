package plan

import "testing"

// A row that could not be used, or whose source nobody knows, is no row.
func TestQuirks(t *testing.T) {
	for i, q := range quirks() {
		if q.Source == "" || q.Vendor == "" {
			t.Errorf("row %d: vendor %q, source %q; want both", i, q.Vendor, q.Source)
		}
		if q.ChunkSize%4 != 0 || q.ChunkSize < 0 || q.ChunkSize > 65508 {
			t.Errorf("row %d (%s): chunk size %d; want a multiple of 4 up to 65508", i, q.Vendor, q.ChunkSize)
		}
		if q.ChunkSize == 0 && q.Settle == 0 {
			t.Errorf("row %d (%s) changes nothing", i, q.Vendor)
		}
	}
	if q := quirkOf("ACME", "JBOD-60", "1000"); q != (quirk{}) {
		t.Errorf("quirkOf(a device without quirks) = %+v; want none", q)
	}
}

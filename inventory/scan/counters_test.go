package scan

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// What counters show about a disk between two looks that are 3 s apart.
func TestMoved(t *testing.T) {
	t.Parallel()
	const differs = "its counters could not be compared"
	const quiet = "100 0 800 10 50 0 400 10 0 20 20 0 0 0 0 0 0\n"
	tests := []struct {
		name, before, now string // "" for none; what follows "off " is of a disk with queue/iostats 0
		words, unknown    string
	}{
		{name: "a quiet disk", before: quiet, now: quiet},
		{name: "no counters"},
		{name: "a path checker", before: quiet, now: "105 0 840 10 50 0 400 10 0 20 20\n"},
		{name: "more than a path checker", before: quiet, now: "106 0 840 10 50 0 400 10 0 20 20\n", words: "its counters moved while fwctl looked: 0 writes, 6 reads"},
		{name: "one write", before: quiet, now: "100 0 800 10 51 0 400 10 0 20 20\n", words: "its counters moved while fwctl looked: 1 write, 0 reads"},
		{name: "a discard", before: quiet, now: "101 0 800 10 50 0 400 10 0 20 20 1 0 8 0\n", words: "its counters moved while fwctl looked: 1 write, 1 read"},
		{name: "another disk of that name", before: quiet, now: "3 0 800 10 0 0 400 10 0 20 20\n", unknown: differs},
		{name: "gone", before: quiet, unknown: differs},
		{name: "came", now: quiet, unknown: differs},
		{name: "cut off", before: quiet, now: "100 0 800 10\n", unknown: differs},
		{
			name:    "statistics off",
			before:  "off " + quiet,
			now:     "off " + quiet,
			unknown: "its counters stand still: queue/iostats is 0",
		},
		{
			name:    "statistics off for a while",
			before:  "off " + quiet,
			now:     "100 0 800 10 51 0 400 10 0 20 20\n",
			unknown: "its counters stand still: queue/iostats is 0",
		},
		{
			name:    "statistics off now",
			before:  quiet,
			now:     "off " + quiet,
			unknown: "its counters stand still: queue/iostats is 0",
		},
		{name: "no numbers", before: quiet, now: "x 0 800 10 50 0 400 10 0 20 20\n", unknown: differs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				look := func(stat string) counters {
					fsys := fstest.MapFS{"sys/block/sda": {Mode: fs.ModeDir}}
					if stat != "" {
						stat, off := strings.CutPrefix(stat, "off ")
						fsys["sys/block/sda/stat"] = &fstest.MapFile{Data: []byte(stat)}
						fsys["sys/block/sda/queue/iostats"] = &fstest.MapFile{
							Data: []byte(map[bool]string{true: "0\n", false: "1\n"}[off]),
						}
					}
					return readCounters(fsys, disksOf(fsys))
				}
				before := look(tt.before)
				time.Sleep(3 * time.Second)
				words, unknown := before.moved(look(tt.now), "sda")
				if words != tt.words || unknown != tt.unknown {
					t.Errorf("moved = %q, unknown %q; want %q, %q", words, unknown, tt.words, tt.unknown)
				}
			})
		})
	}
}

// The looks are two seconds apart, including the time that reading the enclosures takes. A
// scan in which no disk has usable counters does not wait.
func TestWatchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stat := &fstest.MapFile{Data: []byte("1 0 0 0 1 0 0 0 0 0 0\n")}
		fsys := fstest.MapFS{
			"sys/block/sda/stat": stat, "sys/block/sdb": {Mode: fs.ModeDir},
			"sys/block/sdc/stat": stat, "sys/block/sdc/queue/iostats": {Data: []byte("0\n")},
		}
		begin := time.Now()
		before := readCounters(fsys, disksOf(fsys))
		time.Sleep(1500 * time.Millisecond)
		if before.watch(t.Context(), fsys, []string{"sdb", "sdc"}); time.Since(begin) != 1500*time.Millisecond {
			t.Errorf("watch of a disk without counters ends after %v; want 1.5s", time.Since(begin))
		}
		if before.watch(t.Context(), fsys, []string{"sdb", "sda"}); time.Since(begin) != watchFor {
			t.Errorf("watch of a disk with counters ends after %v; want %v", time.Since(begin), watchFor)
		}
	})
}

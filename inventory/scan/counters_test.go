package scan

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// What counters tell of a disk between two looks that are 3 s apart.
func TestMoved(t *testing.T) {
	t.Parallel()
	const quiet = "100 0 800 10 50 0 400 10 0 20 20 0 0 0 0 0 0\n"
	tests := []struct {
		name, before, now string // "" for none
		words             string
		unknown           bool
	}{
		{name: "a quiet disk", before: quiet, now: quiet},
		{name: "no counters"},
		{name: "a path checker", before: quiet, now: "105 0 840 10 50 0 400 10 0 20 20\n"},
		{name: "more than a path checker", before: quiet, now: "106 0 840 10 50 0 400 10 0 20 20\n", words: "its counters moved while fwctl looked: 0 writes, 6 reads"},
		{name: "one write", before: quiet, now: "100 0 800 10 51 0 400 10 0 20 20\n", words: "its counters moved while fwctl looked: 1 write, 0 reads"},
		{name: "a discard", before: quiet, now: "101 0 800 10 50 0 400 10 0 20 20 1 0 8 0\n", words: "its counters moved while fwctl looked: 1 write, 1 read"},
		{name: "another disk of that name", before: quiet, now: "3 0 800 10 0 0 400 10 0 20 20\n", unknown: true},
		{name: "gone", before: quiet, unknown: true},
		{name: "came", now: quiet, unknown: true},
		{name: "cut off", before: quiet, now: "100 0 800 10\n", unknown: true},
		{name: "no numbers", before: quiet, now: "x 0 800 10 50 0 400 10 0 20 20\n", unknown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				look := func(stat string) counters {
					fsys := fstest.MapFS{"sys/block/sda": {Mode: fs.ModeDir}}
					if stat != "" {
						fsys["sys/block/sda/stat"] = &fstest.MapFile{Data: []byte(stat)}
					}
					return readCounters(fsys)
				}
				before := look(tt.before)
				time.Sleep(3 * time.Second)
				words, known := before.moved(look(tt.now), "sda")
				if words != tt.words || known == tt.unknown {
					t.Errorf("moved = %q, known %t; want %q, %t", words, known, tt.words, !tt.unknown)
				}
			})
		})
	}
}

// The looks are two seconds apart, whatever reading the enclosures took of them; a
// scan in which no disk has counters does not wait.
func TestWatchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys := fstest.MapFS{"sys/block/sda/stat": {Data: []byte("1 0 0 0 1 0 0 0 0 0 0\n")}, "sys/block/sdb": {Mode: fs.ModeDir}}
		begin := time.Now()
		before := readCounters(fsys)
		time.Sleep(1500 * time.Millisecond)
		if before.watch(t.Context(), fsys, []string{"sdb"}); time.Since(begin) != 1500*time.Millisecond {
			t.Errorf("watch of a disk without counters ends after %v; want 1.5s", time.Since(begin))
		}
		if before.watch(t.Context(), fsys, []string{"sdb", "sda"}); time.Since(begin) != watchFor {
			t.Errorf("watch of a disk with counters ends after %v; want %v", time.Since(begin), watchFor)
		}
	})
}

package transport

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structures are the kernel's, as <linux/dm-ioctl.h> lays them out.
func TestDMLayout(t *testing.T) {
	t.Parallel()
	var h unix.DmIoctl
	var s unix.DmTargetSpec
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"sizeof struct dm_ioctl", unsafe.Sizeof(h), 312},
		{"data_size", unsafe.Offsetof(h.Data_size), 12},
		{"data_start", unsafe.Offsetof(h.Data_start), 16},
		{"target_count", unsafe.Offsetof(h.Target_count), 20},
		{"flags", unsafe.Offsetof(h.Flags), 28},
		{"dev", unsafe.Offsetof(h.Dev), 40},
		{"name", unsafe.Offsetof(h.Name), 48},
		{"sizeof struct dm_target_spec", unsafe.Sizeof(s), 40},
		{"sector_start", unsafe.Offsetof(s.Sector_start), 0},
		{"length", unsafe.Offsetof(s.Length), 8},
		{"next", unsafe.Offsetof(s.Next), 20},
		{"target_type", unsafe.Offsetof(s.Target_type), 24},
	} {
		if f.got != f.want {
			t.Errorf("%s = %d; want %d", f.name, f.got, f.want)
		}
	}
}

// target encodes a target as DM_TABLE_STATUS returns it.
func target(start, length uint64, next uint32, kind, status string) []byte {
	b := binary.NativeEndian.AppendUint64(nil, start)
	b = binary.NativeEndian.AppendUint64(b, length)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = binary.NativeEndian.AppendUint32(b, next)
	b = append(b, kind+strings.Repeat("\x00", 16-len(kind))...)
	return append(b, status...)
}

func TestDMTargets(t *testing.T) {
	t.Parallel()
	// A status is as long as 8 bytes allow: the next target is aligned.
	two := append(target(0, 2048, 48, "linear", "\x00\x00\x00\x00\x00\x00\x00\x00"),
		target(2048, 4096, 88, "multipath", "2 0 0 0 1 1 A 0 1 0 8:0 F 1 \x00")...)
	const want = "0 2048 linear \n2048 4096 multipath 2 0 0 0 1 1 A 0 1 0 8:0 F 1 \n"
	if got, err := dmTargets(two, 2); got != want || err != nil {
		t.Errorf("dmTargets = %q, %v; want %q", got, err, want)
	}
	for what, f := range map[string]func() (string, error){
		"too few targets": func() (string, error) { return dmTargets(two, 3) },
		"no NUL":          func() (string, error) { return dmTargets(target(0, 1, 0, "linear", "never ends"), 1) },
		"next outside": func() (string, error) {
			return dmTargets(append(target(0, 1, 1<<31, "linear", "\x00"), make([]byte, 100)...), 2)
		},
	} {
		if got, err := f(); !errors.Is(err, errShortStatus) {
			t.Errorf("dmTargets with %s = %q, %v; want errShortStatus", what, got, err)
		}
	}
}

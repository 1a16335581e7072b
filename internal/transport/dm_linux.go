package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dmTableStatus asks the device mapper for DM_TABLE_STATUS of a map, by the kernel's
// name of it. It returns one line for each target, as `dmsetup status` prints it.
func dmTableStatus(name string) (string, error) {
	fail := func(err error) (string, error) {
		return "", &Error{Op: "read the device mapper's status of", Path: "/dev/" + name, NotSent: true,
			Err: classify(err)}
	}
	dev, err := blockNumber(name)
	if err != nil {
		return fail(err)
	}
	control, err := os.OpenFile("/dev/mapper/"+unix.DM_CONTROL_NODE, os.O_RDWR, 0)
	if err != nil {
		return fail(err)
	}
	defer control.Close()
	// The kernel cuts what does not fit, and says so.
	for size := 16 << 10; size <= 16<<20; size *= 4 {
		buffer := make([]uint64, size/8) // for its alignment
		header := (*unix.DmIoctl)(unsafe.Pointer(&buffer[0]))
		header.Version = [3]uint32{unix.DM_VERSION_MAJOR, 0, 0} // of the interface that is needed at least
		header.Data_size = uint32(size)
		header.Data_start = uint32(unsafe.Sizeof(*header))
		header.Flags = unix.DM_NOFLUSH_FLAG // a question must not make a target write
		header.Dev = dev
		if err := ioctl(control.Fd(), unix.DM_TABLE_STATUS, unsafe.Pointer(&buffer[0])); err != nil {
			return fail(err)
		}
		if header.Flags&unix.DM_BUFFER_FULL_FLAG != 0 {
			continue
		}
		bytes := unsafe.Slice((*byte)(unsafe.Pointer(&buffer[0])), size)
		if int(header.Data_start) > size {
			return fail(errShortStatus)
		}
		lines, err := dmTargets(bytes[header.Data_start:], int(header.Target_count))
		if err != nil {
			return fail(err)
		}
		return lines, nil
	}
	return fail(errors.New("the status is longer than any that is known"))
}

var errShortStatus = errors.New("the kernel's answer is cut off")

// dmTargets reads what DM_TABLE_STATUS returns behind its header: for each target
// struct dm_target_spec of <linux/dm-ioctl.h>, then its status, terminated by NUL.
// The field next is the offset of the next one from the start of data.
func dmTargets(data []byte, count int) (string, error) {
	const specSize = int(unsafe.Sizeof(unix.DmTargetSpec{}))
	var text strings.Builder
	at := 0
	for range count {
		if at < 0 || at+specSize > len(data) {
			return "", errShortStatus
		}
		spec := data[at:]
		start, length := binary.NativeEndian.Uint64(spec[0:]), binary.NativeEndian.Uint64(spec[8:])
		next := int(binary.NativeEndian.Uint32(spec[20:]))
		status, _, terminated := strings.Cut(string(spec[specSize:]), "\x00")
		if !terminated {
			return "", errShortStatus
		}
		fmt.Fprintf(&text, "%d %d %s %s\n", start, length, unix.ByteSliceToString(spec[24:40]), status)
		at = next
	}
	return text.String(), nil
}

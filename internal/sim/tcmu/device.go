//go:build linux

// Package tcmu shows simulated logical units to a Linux kernel. The kernel's target_core_user,
// behind its tcm_loop HBA, hands this process every command that is sent to such a unit, by
// the kernel itself or over /dev/sgN.
//
// It serves the tests on a real kernel. It needs root, configfs and a disposable machine; it
// is never part of the shipped program.
package tcmu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Reply is what a logical unit answers.
type Reply struct {
	Status byte
	Sense  []byte // at most 96 bytes arrive
	In     []byte
}

// Handler executes one command: out is what came with it, room how much the
// initiator takes back. It is called for one command at a time.
type Handler func(cdb, out []byte, room int) Reply

const (
	configfs = "/sys/kernel/config/target"
	hba      = configfs + "/core/user_0"
)

// Device is a TCMU back end: it exists, but no host sees it until it is attached to a Port.
type Device struct {
	name string
	uio  *os.File
	mem  []byte
	done chan struct{}
}

// NewDevice makes a back end and serves it until Close. The name is one path element.
func NewDevice(name string, h Handler) (*Device, error) {
	d := &Device{name: name, done: make(chan struct{})}
	if err := os.MkdirAll(filepath.Join(hba, name), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make TCMU device %s: %w", name, err)
	}
	for _, w := range [][2]string{
		// nl_reply_supported=-1: nothing here listens for the netlink announcement.
		{"control", "dev_config=fwctl/" + name + ",dev_size=1048576,hw_block_size=512,nl_reply_supported=-1"},
		{"attrib/cmd_time_out", "0"}, // a simulated flash may take its time
		{"enable", "1"},
	} {
		if err := os.WriteFile(filepath.Join(hba, name, w[0]), []byte(w[1]), 0); err != nil {
			return nil, fmt.Errorf("cannot set up TCMU device %s: %w", name, err)
		}
	}
	uio, size, err := findUIO(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open("/dev/"+uio, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/%s: %w", uio, err)
	}
	d.uio = os.NewFile(uintptr(fd), uio)
	if d.mem, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("cannot map /dev/%s: %w", uio, err)
	}
	r, err := newRing(d.mem)
	if err != nil {
		return nil, err
	}
	go d.serve(r, h)
	return d, nil
}

func (d *Device) serve(r *ring, h Handler) {
	defer close(d.done)
	var events [4]byte
	for {
		if r.serve(h) {
			if _, err := d.uio.Write([]byte{0, 0, 0, 0}); err != nil {
				return
			}
		}
		if _, err := d.uio.Read(events[:]); err != nil {
			return
		}
	}
}

// Close ends the serving and removes the back end. It must not be attached.
func (d *Device) Close() error {
	err := d.uio.Close()
	<-d.done
	return errors.Join(err, unix.Munmap(d.mem), os.Remove(filepath.Join(hba, d.name)))
}

func findUIO(name string) (dev string, size int, err error) {
	entries, err := os.ReadDir("/sys/class/uio")
	if err != nil {
		return "", 0, fmt.Errorf("cannot find the memory of TCMU device %s: %w", name, err)
	}
	for _, e := range entries {
		dir := filepath.Join("/sys/class/uio", e.Name())
		got, _ := os.ReadFile(filepath.Join(dir, "name"))
		if strings.TrimSpace(string(got)) != "tcm-user/0/"+name+"/fwctl/"+name {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "maps/map0/size"))
		if err != nil {
			return "", 0, err
		}
		if _, err := fmt.Sscanf(string(text), "0x%x", &size); err != nil {
			return "", 0, fmt.Errorf("cannot read the size of %s: %w", e.Name(), err)
		}
		return e.Name(), size, nil
	}
	return "", 0, fmt.Errorf("cannot find the memory of TCMU device %s: no uio device has its name", name)
}

// Port is one target of a tcm_loop HBA with one logical unit, LUN 0.
type Port struct {
	dir    string // its target portal group
	device *Device
}

// NewPort makes target number tpgt (1 or more) on the tcm_loop HBA of that NAA.
// All ports of one NAA are one SCSI host.
func NewPort(naa string, tpgt int) (*Port, error) {
	p := &Port{dir: filepath.Join(configfs, "loopback", "naa."+naa, fmt.Sprintf("tpgt_%d", tpgt))}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make target %d: %w", tpgt, err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "nexus"), []byte("naa."+naa), 0); err != nil {
		return nil, fmt.Errorf("cannot connect target %d: %w", tpgt, err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "lun/lun_0"), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make LUN 0 of target %d: %w", tpgt, err)
	}
	return p, nil
}

// Attach makes the device appear on the host: the kernel scans it at once.
func (p *Port) Attach(d *Device) error {
	err := os.Symlink(filepath.Join(hba, d.name), filepath.Join(p.dir, "lun/lun_0", d.name))
	if err != nil {
		return fmt.Errorf("cannot attach %s: %w", d.name, err)
	}
	p.device = d
	return nil
}

// Detach makes it disappear, like pulling a cable.
func (p *Port) Detach() error {
	if p.device == nil {
		return nil
	}
	link := filepath.Join(p.dir, "lun/lun_0", p.device.name)
	p.device = nil
	return os.Remove(link)
}

// Close detaches what is attached and takes the target down, and the HBA with
// its last target.
func (p *Port) Close() error {
	err := errors.Join(
		p.Detach(),
		os.Remove(filepath.Join(p.dir, "lun/lun_0")),
		os.WriteFile(filepath.Join(p.dir, "nexus"), []byte("NULL"), 0),
		os.Remove(p.dir))
	if last := os.Remove(filepath.Dir(p.dir)); last != nil && !errors.Is(last, unix.ENOTEMPTY) &&
		!errors.Is(last, unix.EBUSY) {
		err = errors.Join(err, last)
	}
	return err
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"fwctl/internal/sim"
	"fwctl/internal/sim/tcmu"
)

// hbaNAA is the tcm_loop HBA that a served rack hangs off.
const hbaNAA = "5000000000000f00"

func init() {
	commands["serve"] = command{"RACK: shows a rack to this machine's kernel as real devices, until SIGTERM", serve}
}

// serve shows a rack to the kernel of this machine until it gets a SIGTERM or a
// SIGINT. It says "serving" once every logical unit is there.
func serve(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	rack, err := sim.Open(args[0])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	s := &server{rack: rack, host: rack.Hosts()[0], units: map[string]*served{}}
	err = s.run(ctx)
	return errors.Join(err, s.close())
}

// server keeps what the kernel sees in step with the rack.
type server struct {
	rack  *sim.Rack
	host  string
	units map[string]*served
	ports int // numbers given out
	extra []*served
}

// served is one logical unit as the kernel has it.
type served struct {
	unit     sim.Unit
	attached bool
	device   *tcmu.Device
	port     *tcmu.Port
}

func (s *server) run(ctx context.Context) error {
	if err := s.follow(); err != nil {
		return err
	}
	fmt.Println("serving", len(s.units), "logical units")
	// A unit can go and come with time alone, so the rack is asked again and again.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.follow(); err != nil {
				return err
			}
		}
	}
}

// follow detaches what has vanished and attaches what has come.
func (s *server) follow() error {
	now, err := s.rack.Units(s.host)
	if err != nil {
		return err
	}
	slices.SortFunc(now, func(a, b sim.Unit) int { return cmp.Compare(a.Node, b.Node) })
	for key, v := range s.units {
		there := slices.ContainsFunc(now, func(u sim.Unit) bool {
			return u.Key == key && u.Incarnation == v.unit.Incarnation
		})
		if v.attached && !there {
			if err := v.port.Detach(); err != nil {
				return err
			}
			v.attached = false
		}
	}
	for _, u := range now {
		if err := s.attach(u); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) attach(u sim.Unit) error {
	v := s.units[u.Key]
	switch {
	case v == nil:
		var err error
		if v, err = s.add("unit", func(cdb, out []byte, room int) tcmu.Reply {
			return s.execute(u.Key, cdb, out, room)
		}); err != nil {
			return err
		}
		s.units[u.Key] = v
	case v.attached:
		return nil
	case v.unit.Node != u.Node:
		// The kernel takes the lowest free node: occupy it.
		filler, err := s.add("filler", fill)
		if err != nil {
			return err
		}
		s.extra = append(s.extra, filler)
		if err := filler.port.Attach(filler.device); err != nil {
			return err
		}
	}
	v.unit, v.attached = u, true
	return v.port.Attach(v.device)
}

func (s *server) add(name string, h tcmu.Handler) (*served, error) {
	s.ports++
	device, err := tcmu.NewDevice(fmt.Sprintf("%s%d", name, s.ports), h)
	if err != nil {
		return nil, err
	}
	port, err := tcmu.NewPort(hbaNAA, s.ports)
	if err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return &served{device: device, port: port}, nil
}

func (s *server) close() error {
	var errs []error
	for _, v := range s.units {
		errs = append(errs, v.port.Close(), v.device.Close())
	}
	for _, v := range s.extra {
		errs = append(errs, v.port.Close(), v.device.Close())
	}
	return errors.Join(errs...)
}

func (s *server) execute(key string, cdb, out []byte, room int) tcmu.Reply {
	r, err := s.rack.Execute(key, cdb, out, room)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simrack:", err)
		return check(0x04, 0x44, 0x00) // internal target failure
	}
	time.Sleep(r.Latency)
	if r.Gone || r.NoAnswer {
		// The kernel learns that it is gone a moment later, by the detach.
		return check(0x02, 0x04, 0x01)
	}
	if r.Host != 0 {
		return check(0x0b, 0x4b, 0x00) // data phase error: as far as a device can go
	}
	return tcmu.Reply{Status: r.Status, Sense: r.Sense, In: r.In}
}

// fill is a logical unit that only occupies a node: a processor device.
func fill(cdb, _ []byte, room int) tcmu.Reply {
	if cdb[0] != 0x12 || cdb[1]&1 != 0 {
		return check(0x05, 0x20, 0x00)
	}
	in := append([]byte{0x03, 0, 6, 2, 31, 0, 0, 0}, "FWCTL   "+strings.Repeat("FILLER  ", 2)+"0001"...)
	return tcmu.Reply{In: in[:min(len(in), room)]}
}

func check(key, asc, ascq byte) tcmu.Reply {
	return tcmu.Reply{Status: 0x02, Sense: []byte{0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0}}
}

package enclosure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"fwctl/internal/backoff"
	"fwctl/internal/scsi"
	"fwctl/internal/transport"
	"fwctl/inventory"
)

// node is an open node of an ESP. Whoever asks an ESP that was reset hears of it
// once, whatever was asked: so every answer is listened to.
type node struct {
	transport.Node
	path      string
	saysReset func()
}

func (n *node) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	resp, err := n.Node.Do(ctx, req)
	if err == nil && scsi.Status(resp.Status) == scsi.CheckCondition {
		if s, err := scsi.ParseSense(resp.Sense); err == nil && s.DeviceReset() {
			n.saysReset()
		}
	}
	return resp, err
}

// patientMachine gives every command the time that a chunk has while an image is
// being written. An ESP can hold a mere INQUIRY until its flash is written, and
// a time-out in the meantime would let the kernel reset it.
type patientMachine struct {
	transport.Machine
	flashing *atomic.Bool
}

func (m patientMachine) Open(path string, access transport.Access) (transport.Node, error) {
	opened, err := m.Machine.Open(path, access)
	if err != nil {
		return nil, err
	}
	return patientNode{opened, m.flashing}, nil
}

type patientNode struct {
	transport.Node
	flashing *atomic.Bool
}

// flashPatience is the time-out of commands while flash is written, as long as
// that of a chunk (sg_ses_microcode has the same).
const flashPatience = 2 * time.Hour

func (n patientNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if n.flashing.Load() && req.Timeout < flashPatience {
		longer := *req
		longer.Timeout = flashPatience
		req = &longer
	}
	return n.Node.Do(ctx, req)
}

const (
	// busyPatience is for those who look at a node for a moment: a scan, a monitoring
	// agent, udev. Reading a device is over within it; whoever writes takes longer.
	busyPatience = 30 * time.Second

	// Those who look again and again leave short gaps.
	busyWait = 20 * time.Millisecond
)

func openPatiently(ctx context.Context, m transport.Machine, path string) (transport.Node, error) {
	for since := time.Now(); ; {
		opened, err := m.Open(path, transport.Exclusive)
		switch {
		case !errors.Is(err, transport.ErrBusy):
			return opened, err
		case time.Since(since) >= busyPatience:
			who := cmp.Or(Users(m.FS(), path), "find out who uses it (fuser -v "+path+")")
			return nil, fmt.Errorf("%w for %v: %s", err, busyPatience, who)
		case !backoff.Sleep(ctx, busyWait):
			return nil, ctx.Err()
		}
	}
}

// Users names the processes that have a node open, as far as /proc shows them.
func Users(fsys fs.FS, node string) string {
	links, _ := fs.Glob(fsys, "proc/[1-9]*/fd/*")
	var who []string
	for _, link := range links {
		if to, err := fs.ReadLink(fsys, link); err != nil || to != node {
			continue
		}
		process := path.Dir(path.Dir(link))
		// It may be gone with its process.
		name, _ := fs.ReadFile(fsys, process+"/comm")
		who = append(who, inventory.Shown(strings.TrimSpace("pid "+path.Base(process)+" "+string(name))))
	}
	return strings.Join(slices.Compact(who), ", ")
}

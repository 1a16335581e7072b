package enclosure

import (
	"context"
	"slices"
	"sync"

	"fwctl/internal/scsi"
	"fwctl/internal/transport"
)

// Listener is a machine that notes which nodes say, while they are read, that their
// device was reset or power-cycled.
type Listener struct {
	transport.Machine
	mu    sync.Mutex
	reset map[string]bool // by path
}

// Listen returns a Listener on m.
func Listen(m transport.Machine) *Listener {
	return &Listener{Machine: m, reset: map[string]bool{}}
}

// Open implements transport.Machine.
func (l *Listener) Open(path string, access transport.Access) (transport.Node, error) {
	opened, err := l.Machine.Open(path, access)
	if err != nil {
		return nil, err
	}
	return &node{opened, path, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.reset[path] = true
	}}, nil
}

// HeardReset reports whether one of these nodes has said that its device was reset.
func (l *Listener) HeardReset(paths []string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(paths, func(p string) bool { return l.reset[p] })
}

// HoldsDeferred reports whether a device says by itself that deferred microcode waits
// for its activation. Most say nothing.
func (l *Listener) HoldsDeferred(ctx context.Context, paths []string) bool {
	for _, path := range paths {
		opened, err := l.Open(path, transport.ReadOnly)
		if err != nil {
			continue
		}
		defer opened.Close()
		b, err := scsi.Do(ctx, opened, scsi.RequestSense{AllocationLength: 252})
		if err != nil {
			continue
		}
		if s, err := scsi.ParseSense(b); err == nil {
			return s.ASC.DefersMicrocode()
		}
	}
	return false
}

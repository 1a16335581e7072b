package enclosure

import (
	"context"
	"time"

	"fwctl/internal/transport"
)

// A command that is not answered is reported after a while, and then again ever so
// often: while flash is written each one may take as long as a chunk.
const (
	slowAnswer = time.Minute
	stillSlow  = 10 * time.Minute
)

// WatchSlow returns a machine that reports commands which are not answered for long:
// the node, and for how long the command has waited. A report can come from another
// goroutine than the command's.
func WatchSlow(m transport.Machine, report func(path string, waited time.Duration)) transport.Machine {
	return slowMachine{m, report}
}

type slowMachine struct {
	transport.Machine
	report func(path string, waited time.Duration)
}

func (m slowMachine) Open(path string, access transport.Access) (transport.Node, error) {
	opened, err := m.Machine.Open(path, access)
	if err != nil {
		return nil, err
	}
	return slowNode{opened, path, m.report}, nil
}

type slowNode struct {
	transport.Node
	path   string
	report func(path string, waited time.Duration)
}

func (n slowNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	begun := time.Now()
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		for timer := time.NewTimer(slowAnswer); ; timer.Reset(stillSlow) {
			select {
			case <-answered:
				timer.Stop()
				return
			case <-timer.C:
				n.report(n.path, time.Since(begun))
			}
		}
	}()
	return n.Node.Do(ctx, req)
}

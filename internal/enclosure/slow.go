package enclosure

import (
	"context"
	"sync"
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
// the node, and for how long the command has waited. A report comes from another goroutine
// than the command's, and can come right after its answer.
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
	return &slowNode{Node: opened, path: path, report: m.report}, nil
}

// slowNode looks, once in a while, how long its command has been under way: nothing is
// set up and torn down for each of them.
type slowNode struct {
	transport.Node
	path   string
	report func(path string, waited time.Duration)

	mu    sync.Mutex
	begun time.Time     // zero if no command is under way
	next  time.Duration // for how long it has waited when it is reported next
	timer *time.Timer   // nil if nobody looks
}

func (n *slowNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	n.begin()
	defer n.end()
	return n.Node.Do(ctx, req)
}

func (n *slowNode) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.begun, n.next = time.Now(), slowAnswer
	if n.timer == nil {
		n.timer = time.AfterFunc(slowAnswer, n.look)
	}
}

func (n *slowNode) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.begun = time.Time{}
}

// look reports the command if that is due, and looks again within slowAnswer: another one
// may have begun by then. A node that is not used is not looked at.
func (n *slowNode) look() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for !n.begun.IsZero() {
		waited := time.Since(n.begun)
		if waited < n.next {
			n.timer.Reset(min(n.next-waited, slowAnswer))
			return
		}
		n.next += stillSlow
		n.mu.Unlock()
		n.report(n.path, waited)
		n.mu.Lock()
	}
	n.timer = nil
}

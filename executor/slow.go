package executor

import (
	"context"
	"time"

	"fwctl/internal/transport"
)

// A command that is not answered is told after a while, and then ever so often: while
// flash is written one is waited for as long as that of a chunk.
const (
	slowAnswer = time.Minute
	stillSlow  = 10 * time.Minute
)

// impatient tells of commands that are not answered for long.
type impatient struct {
	transport.Machine
	tell func(path string, since time.Duration)
}

func (m impatient) Open(path string, access transport.Access) (transport.Node, error) {
	node, err := m.Machine.Open(path, access)
	if err != nil {
		return nil, err
	}
	return impatientNode{node, path, m.tell}, nil
}

type impatientNode struct {
	transport.Node
	path string
	tell func(path string, since time.Duration)
}

func (n impatientNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
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
				n.tell(n.path, time.Since(begun))
			}
		}
	}()
	return n.Node.Do(ctx, req)
}

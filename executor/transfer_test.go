package executor_test

import (
	"context"
	"sync"
	"testing"

	"fwctl/executor/result"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// counting is a host bus adapter that says how much of a command's data went over.
type counting struct {
	transport.Machine
	untaken func(req *transport.Request, resp *transport.Response) int
}

func (m counting) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return countingNode{n, m}, err
}

type countingNode struct {
	transport.Node
	machine counting
}

func (n countingNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	resp, err := n.Node.Do(ctx, req)
	if err == nil && len(req.Out) > 0 {
		resp.Untaken = n.machine.untaken(req, resp)
	}
	return resp, err
}

// Of a command that the device refuses none of the data goes over: what it says
// still counts.
func TestRefusedTransfersNothing(t *testing.T) {
	t.Parallel()
	refused := func(req *transport.Request, resp *transport.Response) int {
		if resp.Status != 0 {
			return len(req.Out)
		}
		return 0
	}
	for name, tt := range map[string]struct {
		download, faults string
		protocol         plan.Protocol
		writes           int
	}{
		"a mode that is refused":                      {"modes: ['07'], refuse: sense", "", plan.SES, 4},
		"a mode that is refused by WRITE BUFFER":      {"modes: ['07'], protocol: write-buffer", "", plan.WriteBuffer, 4},
		"busy in mid-download":                        {"modes: ['07'], refuse: sense", "{when: {opcode: '1d', offset: 4096, times: 2}, do: {busy: true}}", plan.SES, 6},
		"a unit attention in mid-download":            {"modes: ['07'], refuse: sense", "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/2a/01}}", plan.SES, 5},
		"a reset in mid-download, and a new download": {"modes: ['07'], refuse: sense", "{when: {opcode: '1d', offset: 4096}, do: {sense: 06/29/00}}", plan.SES, 7},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download)+"    faults: ["+tt.faults+"]\n", func(b *bench) {
				hop := b.hop("1100", plan.ModeE, plan.Mode7)
				hop.Protocol = tt.protocol
				step := b.step(esp1, both, hop)
				b.machine = counting{b.machine, refused}
				b.ended(b.run(step), result.RunDone, "updated confirmed 7 1100")
				if got := b.writes(); len(got) != tt.writes {
					t.Errorf("writes = %q; want %d", got, tt.writes)
				}
			})
		})
	}
}

// A chunk that was transferred only in part is not taken, whatever the status says.
func TestChunkThatIsTransferredShort(t *testing.T) {
	t.Parallel()
	for protocol, download := range map[plan.Protocol]string{plan.SES: "", plan.WriteBuffer: "protocol: write-buffer"} {
		t.Run(string(protocol), func(t *testing.T) {
			onRack(t, acme(download), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Protocol = protocol
				step := b.step(esp1, stage, hop)
				n := 0
				b.machine = counting{b.machine, func(*transport.Request, *transport.Response) int {
					if n++; n == 2 {
						return 512
					}
					return 0
				}}
				r := b.run(step)
				b.ended(r, result.RunFailed, "failed unconfirmed e 1000")
				b.reason(r, 0, "broke off", "the device took only")
				b.arrived()
			})
		})
	}
}

// The chunks that a device takes: lengths and offsets are multiples of four, a chunk fits into a
// page, and the device's own boundaries count if it has any.
func TestChunkSizes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		download string
		chunk    int
		protocol plan.Protocol
		spoil    func(cdb, in []byte)
		want     string
		words    string
		writes   int
	}{
		"no multiple of four":               {"", 4094, plan.SES, nil, "staged confirmed e 1000", "", 3},
		"more than a page holds":            {"", 1 << 20, plan.SES, nil, "staged confirmed e 1000", "", 2},
		"FFh for the buffer with id 0":      {"", 4096, plan.SES, func(cdb, in []byte) { in[19] = 0xff }, "staged confirmed e 1000", "", 18},
		"one command, and more would be":    {"protocol: write-buffer", 4096, plan.WriteBuffer, func(_, in []byte) { in[0] = 0xff }, "refused unconfirmed e 1000", "in one command only", 0},
		"one command, which is enough":      {"protocol: write-buffer, chunk: {max: 1000000}", 1 << 20, plan.WriteBuffer, func(_, in []byte) { in[0] = 0xff }, "staged confirmed e 1000", "", 1},
		"beyond the offsets of 24 bits":     {"protocol: write-buffer, maxImage: 33554432", 4096, plan.WriteBuffer, nil, "refused unconfirmed e 1000", "WRITE BUFFER reaches 16777216", 0},
		"a buffer that reports no capacity": {"protocol: write-buffer", 4096, plan.WriteBuffer, func(_, in []byte) { clear(in[1:4]) }, "staged confirmed e 1000", "", 18},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download), func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Protocol, hop.ChunkSize = tt.protocol, tt.chunk
				switch {
				case tt.writes == 3:
				case tt.words == "WRITE BUFFER reaches 16777216":
					hop.Image = b.imageFor("JBOD-60", "1100", 1<<24+1)
				default:
					hop.Image = b.imageFor("JBOD-60", "1100", 70001)
				}
				step := b.step(esp1, stage, hop)
				b.machine = &worseMachine{Machine: b.machine, worse: func(_ worseNode, cdb, in []byte) error {
					if tt.spoil != nil && (cdb[0] == 0x3c || cdb[0] == 0x1c && cdb[2] == 0x0e) {
						tt.spoil(cdb, in)
					}
					return nil
				}}
				outcome := result.RunDone
				if tt.words != "" {
					outcome = result.RunRefused
				}
				r := b.run(step)
				b.ended(r, outcome, tt.want)
				b.reason(r, 0, tt.words)
				if got := len(b.writes()); got != tt.writes {
					t.Errorf("writes = %d; want %d", got, tt.writes)
				}
			})
		})
	}
}

// An image that is one chunk: its mode is refused by the status after the last one.
func TestRefusedModeOfAnImageInOneChunk(t *testing.T) {
	t.Parallel()
	onRack(t, acme("modes: ['07']"), func(b *bench) {
		hop := b.hop("1100", plan.ModeE, plan.Mode7)
		hop.Image = b.imageFor("JBOD-60", "1100", 4000)
		b.ended(b.run(b.step(esp1, both, hop)), result.RunDone, "updated confirmed 7 1100")
		b.arrived(hop.Image)
	})
}

// attending is a device that, once armed, answers the next command other than INQUIRY with a
// unit attention.
type attending struct {
	transport.Machine
	arm func(cdb []byte, access transport.Access) bool

	mu    sync.Mutex // a scan asks several devices at once
	armed bool
}

// attend reports whether this command is the one that is answered with a unit attention.
func (m *attending) attend(cdb []byte, access transport.Access) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.armed && cdb[0] != 0x12 {
		m.armed = false
		return true
	}
	m.armed = m.arm(cdb, access)
	return false
}

func (m *attending) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return attendingNode{n, m, access}, err
}

type attendingNode struct {
	transport.Node
	machine *attending
	access  transport.Access
}

func (n attendingNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if n.machine.attend(req.CDB, n.access) {
		return &transport.Response{Status: 2, Sense: []byte{0x72, 6, 0x2a, 0x01, 0, 0, 0, 0}}, nil
	}
	return n.Node.Do(ctx, req)
}

// What is pending is collected before anything that has an effect, and would be
// answered with it.
func TestPendingUnitAttentionIsCollected(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		step := b.step(esp1, stage, b.hop("1100", plan.ModeE))
		wave := false
		b.onEvent = func(e result.Event) { wave = wave || e.Type == result.EventWave }
		b.machine = &attending{Machine: b.machine, arm: func(cdb []byte, access transport.Access) bool {
			return wave && access == transport.Exclusive && cdb[0] == 0xa3 // the end of reading: what follows has an effect
		}}
		b.ended(b.run(step), result.RunDone, "staged confirmed e 1000")
	})
}

// pointing is a device that refuses the first chunk, once, with sense data of its own.
type pointing struct {
	transport.Machine
	sense []byte
}

func (m *pointing) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return pointingNode{n, m}, err
}

type pointingNode struct {
	transport.Node
	machine *pointing
}

func (n pointingNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if sense := n.machine.sense; req.CDB[0] == 0x1d && sense != nil {
		n.machine.sense = nil
		return &transport.Response{Status: 2, Sense: sense}, nil
	}
	return n.Node.Do(ctx, req)
}

// Sense data with a field pointer mean a refused mode only if it points at the mode in the page.
func TestPointerToTheModeAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key, asc, sks, field byte
		refused              bool
	}{
		"the mode":                  {5, 0x26, 0x80, 8, true},
		"the buffer's offset":       {5, 0x26, 0x80, 12, false},
		"byte 8, of the CDB":        {5, 0x26, 0xc0, 8, false},
		"a field of the CDB":        {5, 0x24, 0x80, 8, false},
		"an aborted command's":      {11, 0x26, 0x80, 8, false},
		"byte 8, without a pointer": {5, 0x26, 0, 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				step := b.step(esp1, both, b.hop("1100", plan.ModeE, plan.Mode7))
				sense := make([]byte, 18)
				sense[0], sense[2], sense[7], sense[12], sense[15], sense[17] = 0x70, tt.key, 10, tt.asc, tt.sks, tt.field
				b.machine = &pointing{b.machine, sense}
				outcome, want := result.RunFailed, "failed unconfirmed e 1000"
				if tt.refused {
					outcome, want = result.RunDone, "updated confirmed 7 1100"
				}
				b.ended(b.run(step), outcome, want)
			})
		})
	}
}

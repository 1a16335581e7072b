package executor_test

import (
	"context"
	"testing"

	"fwctl/executor"
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
func TestNothingIsTransferredOfWhatIsRefused(t *testing.T) {
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
				b.ended(b.run(step), executor.RunDone, "updated confirmed 7 1100")
				if got := b.writes(); len(got) != tt.writes {
					t.Errorf("writes = %q; want %d", got, tt.writes)
				}
			})
		})
	}
}

// A chunk of which only a part went over is not taken, whatever the status says.
func TestChunkThatIsTransferredShort(t *testing.T) {
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
				b.ended(r, executor.RunFailed, "failed unconfirmed e 1000")
				b.reason(r, 0, "broke off", "the device took only")
				b.arrived()
			})
		})
	}
}

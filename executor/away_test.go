package executor_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fwctl/executor/result"
	"fwctl/internal/scsi"
	"fwctl/internal/transport"
	"fwctl/plan"
)

// What a device that did not answer for a while after the last byte comes to. It
// may have restarted, or be writing flash, or wait for a chunk that was lost.
func TestAwayAfterTheLastByte(t *testing.T) {
	t.Parallel()
	const blink = "do: {vanish: 30s}}"
	for name, tt := range map[string]struct {
		download string
		fault    string
		protocol plan.Protocol
		outcome  result.RunOutcome
		step     string
		words    []string
		person   bool
	}{
		"a path that blinks while flash is written": {
			"flashTime: 25m, singleBank: true", "{when: {opcode: '1c', page: '0e', state: flashing, nth: 3}, " + blink, plan.SES,
			result.RunDone, "updated confirmed 7 1100", nil, false},
		"likewise, by WRITE BUFFER": {
			"flashTime: 25m, singleBank: true, protocol: write-buffer, returnNode: same", "{when: {opcode: '1c', page: '01', state: flashing, nth: 3}, " + blink, plan.WriteBuffer,
			result.RunDone, "updated confirmed 7 1100", nil, false},
		"likewise, by WRITE BUFFER beside page 0Eh": {
			"flashTime: 25m, singleBank: true, protocol: both", "{when: {opcode: '1c', page: '0e', state: flashing, nth: 3}, " + blink, plan.WriteBuffer,
			result.RunDone, "updated confirmed 7 1100", nil, false},
		"a path that blinks and takes the last answer along": {
			"flashTime: 25m", "{when: {opcode: '1d', offset: 8192}, do: {vanish: 5m, carriedOut: true}}", plan.SES,
			result.RunDone, "updated confirmed 7 1100", nil, false},
		"a last chunk that is lost": {
			"", "{when: {opcode: '1d', offset: 8192}, do: {vanish: 5m}}", plan.SES,
			result.RunUnknown, "failed unconfirmed 7 1000",
			[]string{"waits for byte 8192 of 10001", "do not power-cycle or reset"}, true},
		"a last chunk that is lost, as only the offset shows": {
			"reportsIdle: true", "{when: {opcode: '1d', offset: 8192}, do: {noAnswer: true}}", plan.SES,
			result.RunUnknown, "failed unconfirmed 7 1000",
			[]string{"waits for byte 8192 of 10001", "do not power-cycle or reset"}, true},
		"a last chunk by WRITE BUFFER that is lost, beside page 0Eh": {
			"protocol: both", "{when: {opcode: '3b', offset: 8192}, do: {noAnswer: true}}", plan.WriteBuffer,
			result.RunUnknown, "failed unconfirmed 7 1000", []string{"waits for byte 8192 of 10001"}, true},
		"a last chunk by WRITE BUFFER that is lost": {
			"protocol: write-buffer", "{when: {opcode: '3b', offset: 8192}, do: {vanish: 5m}}", plan.WriteBuffer,
			result.RunUnknown, "unknown unconfirmed 7 1000", []string{"it runs 1000", "do not power-cycle"}, false},
		"the old revision after a reset, by WRITE BUFFER": {
			"protocol: write-buffer", "{when: {opcode: '3b', offset: 8192}, do: {carriedOut: true, lieRevision: '1000'}}", plan.WriteBuffer,
			result.RunFailed, "failed unconfirmed 7 1000", []string{"still runs 1000"}, false},
		"the old revision after a reset": {
			"rebootsBeforeStatus: true", "{when: {opcode: '1d', offset: 8192}, do: {carriedOut: true, lieRevision: '1000'}}", plan.SES,
			result.RunFailed, "failed unconfirmed 7 1000", []string{"still runs 1000"}, false},
		"flash that is written for as long as it may be, and a restart of its own": {
			"flashTime: 44m, rebootTime: 14m, rebootsBeforeStatus: true", "", plan.SES,
			result.RunDone, "updated confirmed 7 1100", nil, false},
		"flash that is written for as long as it may be, and a restart": {
			"flashTime: 44m, rebootTime: 14m, protocol: write-buffer", "{when: {opcode: '3b', offset: 8192, nth: 9}, do: {busy: true}}", plan.WriteBuffer,
			result.RunDone, "updated confirmed 7 1100", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download)+"    faults: ["+tt.fault+"]\n", func(b *bench) {
				hop := b.hop("1100", plan.Mode7)
				hop.Protocol = tt.protocol
				r := b.run(b.step(esp1, reset, hop))
				b.ended(r, tt.outcome, tt.step)
				b.reason(r, 0, tt.words...)
				if r.Steps[0].NeedsPerson != tt.person {
					t.Errorf("NeedsPerson = %v; want %v", r.Steps[0].NeedsPerson, tt.person)
				}
				got := slices.DeleteFunc(b.writes(), func(w string) bool { return strings.Contains(w, " ff@") })
				if len(got) != 3 {
					t.Errorf("writes but for aborts = %q; want the three chunks", got)
				}
			})
		})
	}
}

// One that may write flash for a minute can take long to return, and the other way round.
func TestPatienceIsForTheLongerOfFlashAndReturn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		download       string
		protocol       plan.Protocol
		flash, return_ time.Duration
	}{
		"returns late":                     {"rebootTime: 10m, rebootsBeforeStatus: true", plan.SES, time.Minute, 15 * time.Minute},
		"returns late, by WRITE BUFFER":    {"rebootTime: 10m, protocol: write-buffer", plan.WriteBuffer, time.Minute, 15 * time.Minute},
		"writes for long":                  {"flashTime: 10m, rebootsBeforeStatus: true", plan.SES, 15 * time.Minute, time.Minute},
		"writes for long, by WRITE BUFFER": {"flashTime: 10m, protocol: write-buffer", plan.WriteBuffer, 15 * time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download), func(b *bench) {
				hop := b.hop("1100", plan.Mode7)
				hop.Protocol, hop.FlashTimeout, hop.ReturnTimeout = tt.protocol, plan.Duration(tt.flash), plan.Duration(tt.return_)
				hop.Settle = plan.Duration(10 * time.Second)
				b.ended(b.run(b.step(esp1, reset, hop)), result.RunDone, "updated confirmed 7 1100")
			})
		})
	}
}

// By WRITE BUFFER a device that says nothing counts as having staged the image, but
// for one that was away, or reset, since the last byte.
func TestResetAfterTheLastByteByWriteBuffer(t *testing.T) {
	t.Parallel()
	power := func(b *bench) {
		if err := b.rack.PowerCycle(enc1); err != nil {
			b.Error(err)
		}
	}
	sent := false
	attention := func(_ worseNode, cdb, in []byte) error {
		if cdb[0] == 0x03 && !sent {
			in[0], in[2], in[7], in[12] = 0x70, 0x06, 10, 0x29
			sent = true
		}
		return nil
	}
	for name, tt := range map[string]struct {
		download, fault string
		happens         func(*bench) // a minute after the last byte
		outcome         result.RunOutcome
		step, words     string
	}{
		"power is lost while it writes flash":       {"flashTime: 20m, protocol: write-buffer", "", power, result.RunUnknown, "unknown unconfirmed e 1000", "was away after the last byte"},
		"power is lost, and starts the image":       {"protocol: write-buffer, confirm: none", "", power, result.RunDone, "updated confirmed e 1100", ""},
		"a path that blinks":                        {"protocol: write-buffer, confirm: none", "{when: {opcode: '00', nth: 6}, do: {vanish: 1s}}", nil, result.RunUnknown, "unknown unconfirmed e 1000", "was away after the last byte"},
		"a reset that the status shows":             {"protocol: both, confirm: none, flashTime: 20m", "{when: {opcode: '1c', page: '0e', nth: 5}, do: {sense: 06/29/00}}", nil, result.RunUnknown, "unknown unconfirmed e 1000", "was away after the last byte"},
		"a reset that REQUEST SENSE shows":          {"protocol: write-buffer, confirm: none", "", func(b *bench) { b.machine.(*worseMachine).spoil(attention) }, result.RunUnknown, "unknown unconfirmed e 1000", "was away after the last byte"},
		"a device that is busy until patience ends": {"protocol: write-buffer, confirm: none", "{when: {opcode: '00', nth: 6, every: true}, do: {sense: 02/04/01}}", nil, result.RunUnknown, "unknown unconfirmed e 1000", "do not power-cycle"},
		"a device that never comes back":            {"protocol: write-buffer, confirm: none", "{when: {opcode: '00', nth: 6}, do: {die: true}}", nil, result.RunUnknown, "unknown unconfirmed e 1000", "do not power-cycle"},
		"a device that says nothing":                {"protocol: write-buffer, confirm: none", "{when: {opcode: '00', nth: 6}, do: {sense: 02/04/01}}", nil, result.RunDone, "staged unconfirmed e 1000", "does not say whether it is complete"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(tt.download)+"    faults: ["+tt.fault+"]\n", func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Protocol = plan.WriteBuffer
				step := b.step(esp1, stage, hop)
				b.machine = &worseMachine{Machine: b.machine}
				b.onEvent = func(e result.Event) {
					if e.Type == result.EventProgress && e.Bytes == e.Total && tt.happens != nil {
						time.AfterFunc(time.Minute, func() { tt.happens(b) })
					}
				}
				r := b.run(step)
				b.ended(r, tt.outcome, tt.step)
				b.reason(r, 0, tt.words)
			})
		})
	}
}

// Status 00h from a device that was away: nothing is in progress. If its answer may have been
// lost, it can still hold the image.
func TestIdleAfterItWasAway(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault   string
		outcome result.RunOutcome
		step    string
		words   string
	}{
		"it did not answer the last chunk": {"{when: {opcode: '1d', offset: 8192}, do: {noAnswer: true}}",
			result.RunUnknown, "failed unconfirmed 7 1000", "do not power-cycle or reset it before it has got a whole image"},
		"a status was lost": {"{when: {opcode: '1c', page: '0e', nth: 4}, do: {noAnswer: true, carriedOut: true}}",
			result.RunUnknown, "unknown unconfirmed 7 1000", "do not power-cycle"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("flashTime: 999h")+"    faults: ["+tt.fault+"]\n", func(b *bench) {
				step := b.step(esp1, reset, b.hop("1100", plan.Mode7))
				whole := false
				b.machine = &worseMachine{Machine: b.machine, worse: func(_ worseNode, cdb, in []byte) error {
					if whole && cdb[0] == 0x1c && cdb[2] == 0x0e {
						in[10] = 0
						clear(in[20:24])
					}
					return nil
				}}
				b.onEvent = func(e result.Event) { whole = e.Type == result.EventProgress && e.Bytes == e.Total }
				r := b.run(step)
				b.ended(r, tt.outcome, tt.step)
				b.reason(r, 0, tt.words)
			})
		})
	}
}

// eater is a kernel that keeps unit attentions to itself, as kernels do while
// they find a device again.
type eater struct{ transport.Machine }

func (m eater) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return eatingNode{n}, err
}

type eatingNode struct{ transport.Node }

func (n eatingNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	for {
		resp, err := n.Node.Do(ctx, req)
		if err != nil || resp.Status != byte(scsi.CheckCondition) || resp.Sense[2]&0x0f != byte(scsi.UnitAttention) {
			return resp, err
		}
	}
}

// Without a proof of the reset an old revision proves nothing.
func TestUnreportedReset(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault   string
		to      string
		said    bool // which revision the image brings
		outcome result.RunOutcome
		step    string
	}{
		"the new revision":                         {"{when: {opcode: '00', nth: 999}, do: {busy: true}}", "1100", true, result.RunDone, "updated confirmed 7 1100"},
		"the old revision":                         {"{when: {opcode: '3b', offset: 8192}, do: {carriedOut: true, lieRevision: '1000'}}", "1100", true, result.RunUnknown, "unknown unconfirmed 7 1000"},
		"the same revision":                        {"{when: {opcode: '00', nth: 999}, do: {busy: true}}", "1000", true, result.RunDone, "updated unconfirmed 7 1000"},
		"the new revision, which nobody has said":  {"{when: {opcode: '00', nth: 999}, do: {busy: true}}", "1100", false, result.RunDone, "updated confirmed 7 1100"},
		"the same revision, which nobody has said": {"{when: {opcode: '00', nth: 999}, do: {busy: true}}", "1000", false, result.RunDone, "updated unconfirmed 7 1000"},
	} {
		for protocol, download := range map[plan.Protocol]string{plan.WriteBuffer: "protocol: write-buffer, returnNode: same",
			plan.SES: "rebootsBeforeStatus: true"} {
			t.Run(name+" by "+string(protocol), func(t *testing.T) {
				fault := tt.fault
				if protocol == plan.SES {
					fault = strings.Replace(fault, "'3b'", "'1d'", 1) +
						", {when: {opcode: '1c', page: '0e', nth: 4}, do: {noAnswer: true, carriedOut: true}}"
				}
				onRack(t, acme(download)+"    faults: ["+fault+"]\n", func(b *bench) {
					hop := b.hop(tt.to, plan.Mode7)
					hop.Protocol = protocol
					if !tt.said {
						hop.To = ""
					}
					step := b.step(esp1, reset, hop)
					b.machine = eater{b.machine}
					b.ended(b.run(step), tt.outcome, tt.step)
				})
			})
		}
	}
}

// Going to and fro is no progress.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode    plan.Mode
		fault   string
		to, fro byte
		within  time.Duration
	}{
		"02h and 03h in turns":                  {plan.ModeE, "{when: {opcode: '00', nth: 999}, do: {busy: true}}", 2, 3, 46 * time.Minute},
		"01h and 02h in turns":                  {plan.ModeE, "{when: {opcode: '00', nth: 999}, do: {busy: true}}", 1, 2, 91 * time.Minute},
		"a path that returns under other names": {plan.ModeE, "{when: {opcode: '1c', page: '0e', state: flashing, every: true}, do: {vanish: 1m}}", 3, 3, 50 * time.Minute},
		"likewise, by mode 7":                   {plan.Mode7, "{when: {opcode: '1c', page: '0e', state: flashing, every: true}, do: {vanish: 1m}}", 2, 2, 95 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("flashTime: 999999h")+"    faults: ["+tt.fault+"]\n", func(b *bench) {
				waves := stage
				if tt.mode == plan.Mode7 {
					waves = reset
				}
				step := b.step(esp1, waves, b.hop("1100", tt.mode))
				n := 0
				b.machine = &worseMachine{Machine: b.machine, worse: func(_ worseNode, cdb, in []byte) error {
					if cdb[0] == 0x1c && cdb[2] == 0x0e && in[10] >= 2 {
						if in[10] = tt.to; n%2 == 1 {
							in[10] = tt.fro
						}
						n++
						if n > 5000 {
							panic("it is still asked for its status after 5000 times")
						}
					}
					return nil
				}}
				began := time.Now()
				r := b.run(step)
				b.ended(r, result.RunUnknown, "unknown unconfirmed "+string(tt.mode)+" 1000")
				b.reason(r, 0, "do not power-cycle")
				if took := time.Since(began); took > tt.within {
					t.Errorf("the run took %v; want %v at most", took, tt.within)
				}
			})
		})
	}
}

// timed remembers the shortest time-out of a command, sorted by whether an image
// was on its way.
type timed struct {
	transport.Machine
	mu         sync.Mutex // a scan asks several devices at once
	flashing   bool
	short      map[bool]time.Duration
	unattended int // commands on nodes that were opened while it was
}

func (m *timed) Open(node string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(node, access)
	return timedNode{n, m, m.flashing}, err
}

type timedNode struct {
	transport.Node
	machine *timed
	found   bool
}

func (n timedNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	m := n.machine
	m.mu.Lock()
	if was, ok := m.short[m.flashing]; !ok || req.Timeout < was {
		m.short[m.flashing] = req.Timeout
	}
	if n.found {
		m.unattended++
	}
	m.mu.Unlock()
	return n.Node.Do(ctx, req)
}

// A time-out while flash is written would let the kernel reset the device, so
// that there is none for whatever is asked of it in the meantime.
func TestNothingTimesOutWhileFlashIsWritten(t *testing.T) {
	t.Parallel()
	for _, protocol := range []plan.Protocol{plan.SES, plan.WriteBuffer} {
		t.Run(string(protocol), func(t *testing.T) {
			onRack(t, acme("flashTime: 25m, protocol: both")+"    faults: [{when: {opcode: '1c', page: '0e', state: flashing, "+
				"nth: 3}, do: {vanish: 5m}}]\n", func(b *bench) {
				hop := b.hop("1100", plan.ModeE)
				hop.Protocol = protocol
				step := b.step(esp1, stage, hop)
				m := &timed{Machine: b.machine, short: map[bool]time.Duration{}}
				b.machine = m
				b.onEvent = func(e result.Event) {
					m.flashing = e.Type == result.EventStarted || e.Type == result.EventProgress
				}
				r := b.run(step)
				if r.Steps[0].Mode != plan.ModeE || len(b.writes()) != 3 {
					t.Fatalf("Run = %+v, writes %q; want all chunks sent", r, b.writes())
				}
				if m.unattended == 0 {
					t.Error("no node was opened while flash was written; want the device found again")
				}
				if got := m.short[true]; got < 7200*time.Second {
					t.Errorf("shortest time-out while an image is written = %v; want 2h", got)
				}
				if got := m.short[false]; got != 60*time.Second {
					t.Errorf("shortest time-out at other times = %v; want 1m", got)
				}
			})
		})
	}
}

// stuckMachine keeps the next question to a device, once armed, for a while, and
// then says that the device is gone.
type stuckMachine struct {
	transport.Machine
	armed atomic.Bool
	stuck time.Duration
}

func (m *stuckMachine) Open(path string, access transport.Access) (transport.Node, error) {
	n, err := m.Machine.Open(path, access)
	return stuckNode{n, m}, err
}

type stuckNode struct {
	transport.Node
	m *stuckMachine
}

func (n stuckNode) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	if !n.m.armed.CompareAndSwap(true, false) {
		return n.Node.Do(ctx, req)
	}
	time.Sleep(n.m.stuck)
	return nil, &transport.Error{Op: "read the answer of", Path: "/dev/sg0", Err: transport.ErrGone}
}

// A question that takes longer than a device may be away (the host is busy, fwctl is
// stopped for a while) is not the last: it was asked in time.
func TestAQuestionThatTakesLong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode  plan.Mode
		waves plan.StepWaves
		after result.EventType
		want  string
	}{
		"what it runs":                   {plan.Mode7, reset, result.EventWaiting, "updated confirmed 7 1100"},
		"the status after the last byte": {plan.ModeE, stage, result.EventProgress, "staged confirmed e 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme("flashTime: 2m"), func(b *bench) {
				m := &stuckMachine{Machine: b.machine, stuck: time.Hour}
				b.machine = m
				b.onEvent = func(e result.Event) {
					if e.Type == tt.after && e.Bytes == e.Total {
						m.armed.Store(true)
					}
				}
				b.ended(b.run(b.step(esp1, tt.waves, b.hop("1100", tt.mode))), result.RunDone, tt.want)
			})
		})
	}
}

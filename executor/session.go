package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"fwctl/internal/scsi"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
)

// session is one enclosure of which every node of its ESPs is opened exclusively,
// so that nobody else writes to it. Its lock is the run's. An exclusive node shuts
// out other opens of the same process too: whatever is read, is read through it.
type session struct {
	machine   transport.Machine
	enclosure string            // Enclosure.ID
	nodes     map[string][]held // by lu_id
	reset     map[string]bool   // by lu_id: it has said that it was reset, or runs new microcode
	moved     map[string]bool   // by lu_id: it left, and came back under other nodes
	paths     map[string]string // by lu_id: the nodes under which it was opened last

	flashing atomic.Bool // an image is on its way, or being written: see patientMachine
}

// held is a node of an ESP. What it says of a reset is noted, because whoever
// asks next will not hear it again.
type held struct {
	transport.Node
	path  string
	reset func()
}

func (n held) Do(ctx context.Context, req *transport.Request) (*transport.Response, error) {
	resp, err := n.Node.Do(ctx, req)
	if err == nil && provesReset(resp) {
		n.reset()
	}
	return resp, err
}

// provesReset tells whether a unit attention says that the device itself was
// reset or runs other microcode. A path that was away says 29h/05h to 29h/07h.
func provesReset(resp *transport.Response) bool {
	if scsi.Status(resp.Status) != scsi.CheckCondition {
		return false
	}
	s, err := scsi.ParseSense(resp.Sense)
	return err == nil && s.Key == scsi.UnitAttention && (s.ASC[0] == 0x29 && s.ASC[1] <= 0x04 || s.ASC == scsi.ASC{0x3f, 0x01})
}

// patientMachine gives every command the time that a chunk has while an image is
// being written. An ESP can hold a mere INQUIRY until its flash is written, and
// a time-out in the meantime would let the kernel reset it.
type patientMachine struct {
	transport.Machine
	flashing *atomic.Bool
}

func (m patientMachine) Open(path string, access transport.Access) (transport.Node, error) {
	node, err := m.Machine.Open(path, access)
	if err != nil {
		return nil, err
	}
	return patientNode{node, m.flashing}, nil
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

var errNotInSight = errors.New("the enclosure is not in sight: is it switched on and cabled to this host?")

func newSession(m transport.Machine, enclosure string) *session {
	s := &session{
		enclosure: enclosure,
		nodes:     map[string][]held{},
		reset:     map[string]bool{},
		moved:     map[string]bool{},
		paths:     map[string]string{},
	}
	s.machine = patientMachine{m, &s.flashing}
	return s
}

// expect has an ESP that is not in sight looked for whenever something is asked of it.
func (s *session) expect(luID string) {
	if _, ok := s.nodes[luID]; !ok {
		s.nodes[luID] = nil
	}
}

// hold opens all nodes through which inv, a scan of the moment before, reaches an
// enclosure. wanted are the lu_ids of the ESPs that the plan knows.
func hold(ctx context.Context, m transport.Machine, enclosure string, wanted []string, inv *inventory.Inventory) (*session, error) {
	ways := map[string][]string{} // paths by lu_id
	var paths []string
	for _, e := range inv.Enclosures {
		for _, esp := range e.ESPs {
			if e.ID() == enclosure {
				ways[esp.LUID] = slices.Clone(esp.Paths)
				paths = append(paths, esp.Paths...)
			}
		}
	}
	for _, luID := range slices.Compact(slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(ways)), wanted...)))) {
		for _, p := range inv.Problems {
			switch {
			case slices.Contains(paths, p.Path) || !scan.LeadsTo(m.FS(), p.Path, luID):
			case !p.InUse:
				return nil, &unreadableError{p.Path, p.Detail}
			default: // whoever held it may be done by now
				ways[luID] = append(ways[luID], p.Path)
			}
		}
	}
	if len(ways) == 0 {
		return nil, errNotInSight
	}
	s := newSession(m, enclosure)
	for _, luID := range slices.Sorted(maps.Keys(ways)) {
		if err := s.open(ctx, luID, ways[luID]); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// unreadableError is a node that leads to an enclosure and could not be read. An ESP
// that restarts and stays on the bus is one until it is ready.
type unreadableError struct{ path, detail string }

func (e *unreadableError) Error() string {
	return e.path + " leads to this enclosure too: " + e.detail
}

// patience is for those who look at a node for a moment: a scan, a monitoring
// agent, udev. Reading a device is over within it; whoever writes takes longer.
const patience = 30 * time.Second

// open opens the nodes of an ESP, all of them or none. Each has to say itself that
// it leads there: nodes can have changed their names since they were looked at.
func (s *session) open(ctx context.Context, luID string, paths []string) error {
	var nodes []held
	for _, path := range paths {
		node, err := openPatiently(ctx, s.machine, path)
		if err == nil {
			h := held{node, path, func() { s.reset[luID] = true }}
			nodes = append(nodes, h)
			var is bool
			if is, err = scan.IsUnit(ctx, h, luID); err == nil && !is {
				err = &movedError{path, luID}
			}
		}
		if err != nil {
			for _, n := range nodes {
				n.Close()
			}
			return err
		}
	}
	s.nodes[luID] = nodes
	under := strings.Join(slices.Sorted(slices.Values(paths)), " ")
	s.moved[luID] = s.moved[luID] || s.paths[luID] != "" && s.paths[luID] != under
	s.paths[luID] = under
	return nil
}

// movedError is a node that leads to another logical unit than a moment ago.
type movedError struct{ path, luID string }

func (e *movedError) Error() string {
	return fmt.Sprintf("%s does not lead to logical unit %s any more: device nodes have changed their names", e.path, e.luID)
}

func openPatiently(ctx context.Context, m transport.Machine, path string) (transport.Node, error) {
	for since := time.Now(); ; {
		node, err := m.Open(path, transport.Exclusive)
		if !errors.Is(err, transport.ErrBusy) {
			return node, err
		}
		if time.Since(since) >= patience {
			who := cmp.Or(holders(m.FS(), path), "find out who uses it (fuser -v "+path+")")
			return nil, fmt.Errorf("%w for %v: %s", err, patience, who)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond): // those who look again and again leave short gaps
		}
	}
}

// holders names the processes that have a node open, as far as /proc shows them.
func holders(fsys fs.FS, node string) string {
	links, _ := fs.Glob(fsys, "proc/[1-9]*/fd/*")
	var who []string
	for _, link := range links {
		if to, err := fs.ReadLink(fsys, link); err != nil || to != node {
			continue
		}
		process := path.Dir(path.Dir(link))
		name, _ := fs.ReadFile(fsys, process+"/comm") // gone with its process, perhaps
		who = append(who, inventory.Shown(strings.TrimSpace("pid "+path.Base(process)+" "+string(name))))
	}
	return strings.Join(slices.Compact(who), ", ")
}

// reopen finds an ESP again by its identity, and opens the nodes that it has now.
// After a reset they can have other names.
func (s *session) reopen(ctx context.Context, luID string) error {
	paths, err := scan.Find(ctx, s.machine, luID)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("logical unit %s does not answer on any node", luID)
	}
	return s.open(ctx, luID, paths)
}

func (s *session) close() {
	for _, nodes := range s.nodes {
		for _, n := range nodes {
			n.Close()
		}
	}
	clear(s.nodes)
}

// to is the way to an ESP: the first of its nodes.
func (s *session) to(luID string) (transport.Transport, error) {
	if len(s.nodes[luID]) == 0 {
		return nil, &transport.Error{Op: "send a command to", Path: "logical unit " + luID, NotSent: true, Err: transport.ErrGone}
	}
	return s.nodes[luID][0], nil
}

// read reads the whole enclosure again, over all nodes held.
func (s *session) read(ctx context.Context) (*inventory.Enclosure, error) {
	var all []inventory.Reading
	for luID := range s.nodes {
		readings, err := s.readings(ctx, luID)
		if err != nil {
			return nil, err
		}
		all = append(all, readings...)
	}
	enclosures, _ := scan.Assemble(s.machine, all)
	for i := range enclosures {
		if enclosures[i].ID() == s.enclosure {
			return &enclosures[i], nil
		}
	}
	return nil, errors.New("its nodes lead to another enclosure now")
}

// revision reads what one component runs.
func (s *session) revision(ctx context.Context, luID string, subenclosure int) (string, error) {
	readings, err := s.readings(ctx, luID)
	if err != nil {
		return "", err
	}
	for _, sub := range readings[0].Subenclosures {
		if sub.ID == subenclosure {
			return sub.Revision, nil
		}
	}
	return "", fmt.Errorf("subenclosure %d is missing from page 01h", subenclosure)
}

// readings reads an ESP over each of its nodes. One that leads nowhere any more
// is let go of, and an ESP without nodes is looked for: asking again can succeed.
func (s *session) readings(ctx context.Context, luID string) ([]inventory.Reading, error) {
	if len(s.nodes[luID]) == 0 {
		if err := s.reopen(ctx, luID); err != nil {
			return nil, err
		}
	}
	var all []inventory.Reading
	var left []held
	var failure error
	for _, n := range s.nodes[luID] {
		r, err := scan.Read(ctx, n.path, n)
		switch {
		case err == nil && !r.Identity.Is(luID):
			err = &movedError{n.path, luID}
			fallthrough
		case unanswered(err):
			n.Close()
			failure = err
			continue
		case err != nil:
			failure = err
		default:
			all = append(all, *r)
		}
		left = append(left, n)
	}
	s.nodes[luID] = left
	if failure != nil {
		return nil, failure
	}
	return all, nil
}

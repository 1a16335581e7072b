package enclosure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"fwctl/internal/backoff"
	"fwctl/internal/transport"
	"fwctl/inventory"
	"fwctl/inventory/scan"
)

// Held is an enclosure of which every node of its ESPs is open exclusively, so that
// no one else writes to it. An exclusive node shuts out other opens of the same
// process too: whatever is read of the enclosure is read through Held.
//
// It is for one goroutine at a time.
type Held struct {
	id      string // Enclosure.ID
	machine transport.Machine
	esps    map[string]*esp // by lu_id

	flashing atomic.Bool // see patientMachine
}

// esp is an ESP of the enclosure, and what became of it since it was held.
type esp struct {
	nodes []*node
	paths string // of its nodes, when they were opened last
	reset bool   // it has said that it was reset, or runs new microcode
	moved bool   // it left, and came back under other nodes
}

// ErrNotInSight says that no node leads to an enclosure.
var ErrNotInSight = errors.New("the enclosure is not in sight: is it switched on and cabled to this host?")

// unreadableError is a node that leads to an enclosure and could not be read.
type unreadableError struct{ path, detail string }

func (e *unreadableError) Error() string {
	return e.path + " leads to this enclosure too: " + e.detail
}

// MayBeRestarting reports whether Hold failed as it does while an enclosure restarts:
// it is not in sight, or it has stayed on the bus and is not ready.
func MayBeRestarting(err error) bool {
	var unreadable *unreadableError
	return errors.Is(err, ErrNotInSight) || errors.As(err, &unreadable)
}

// Hold opens all nodes through which inv, a scan of the moment before, reaches an
// enclosure. wanted are the lu_ids of the ESPs that it is known to have.
func Hold(
	ctx context.Context, m transport.Machine, id string, wanted []string, inv *inventory.Inventory,
) (*Held, error) {
	paths := map[string][]string{} // by lu_id
	var known []string
	for _, e := range inv.Enclosures {
		for _, esp := range e.ESPs {
			if e.ID() == id {
				paths[esp.LUID] = slices.Clone(esp.Paths)
				known = append(known, esp.Paths...)
			}
		}
	}
	luIDs := slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(paths)), wanted...)))
	for _, luID := range slices.Compact(luIDs) {
		for _, p := range inv.Problems {
			switch {
			case slices.Contains(known, p.Path) || !scan.LeadsTo(m.FS(), p.Path, luID):
			case !p.InUse:
				return nil, &unreadableError{p.Path, p.Detail}
			default:
				// Whoever held it may be done by now.
				paths[luID] = append(paths[luID], p.Path)
			}
		}
	}
	if len(paths) == 0 {
		return nil, ErrNotInSight
	}
	h := Absent(m, id)
	for _, luID := range slices.Sorted(maps.Keys(paths)) {
		if err := h.open(ctx, luID, paths[luID]); err != nil {
			h.Close()
			return nil, err
		}
	}
	return h, nil
}

// Absent returns an enclosure of which no node is open. See Expect.
func Absent(m transport.Machine, id string) *Held {
	h := &Held{id: id, esps: map[string]*esp{}}
	h.machine = patientMachine{m, &h.flashing}
	return h
}

// Expect has ESPs that are not in sight looked for whenever the enclosure is read.
func (h *Held) Expect(luIDs ...string) {
	for _, luID := range luIDs {
		if h.esps[luID] == nil {
			h.esps[luID] = &esp{}
		}
	}
}

// ID returns the enclosure's Enclosure.ID.
func (h *Held) ID() string { return h.id }

// SetFlashing says that an image is on its way to the enclosure, or being written
// there. Every command then has the time that a chunk has.
func (h *Held) SetFlashing(flashing bool) { h.flashing.Store(flashing) }

// Close lets go of all nodes.
func (h *Held) Close() {
	for _, e := range h.esps {
		for _, n := range e.nodes {
			n.Close()
		}
	}
	clear(h.esps)
}

// open opens the nodes of an ESP, all of them or none.
func (h *Held) open(ctx context.Context, luID string, paths []string) error {
	h.Expect(luID)
	e := h.esps[luID]
	var nodes []*node
	for _, path := range paths {
		n, err := h.openNode(ctx, luID, path)
		if err != nil {
			for _, n := range nodes {
				n.Close()
			}
			return err
		}
		nodes = append(nodes, n)
	}
	now := strings.Join(slices.Sorted(slices.Values(paths)), " ")
	e.moved = e.moved || e.paths != "" && e.paths != now
	e.nodes, e.paths = nodes, now
	return nil
}

// openNode opens a node of an ESP. The device has to say itself that it is that one:
// nodes can have changed their names since they were looked at.
func (h *Held) openNode(ctx context.Context, luID, path string) (*node, error) {
	opened, err := openPatiently(ctx, h.machine, path)
	if err != nil {
		return nil, err
	}
	e := h.esps[luID]
	n := &node{opened, path, func() { e.reset = true }}
	is, err := scan.IsUnit(ctx, n, luID)
	if err == nil && !is {
		err = &movedError{path, luID}
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// movedError is a node that leads to another logical unit than a moment ago.
type movedError struct{ path, luID string }

func (e *movedError) Error() string {
	return fmt.Sprintf(
		"%s does not lead to logical unit %s any more: device nodes have changed their names", e.path, e.luID)
}

// reopen finds an ESP again by its identity, and opens the nodes that it has now.
// After a reset they can have other names.
func (h *Held) reopen(ctx context.Context, luID string) error {
	paths, err := scan.Find(ctx, h.machine, luID)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("logical unit %s does not answer on any node", luID)
	}
	return h.open(ctx, luID, paths)
}

// Transport returns the way to an ESP: the first of its nodes.
func (h *Held) Transport(luID string) (transport.Transport, error) {
	if e := h.esps[luID]; e != nil && len(e.nodes) > 0 {
		return e.nodes[0], nil
	}
	return nil, &transport.Error{
		Op: "send a command to", Path: "logical unit " + luID, NotSent: true, Err: transport.ErrGone,
	}
}

// WasReset reports whether an ESP has said that it was reset, or runs new microcode,
// since ForgetResets.
func (h *Held) WasReset(luID string) bool { return h.esps[luID] != nil && h.esps[luID].reset }

// HasMoved reports whether an ESP has come back under other nodes since ForgetResets.
func (h *Held) HasMoved(luID string) bool { return h.esps[luID] != nil && h.esps[luID].moved }

// ForgetResets has WasReset and HasMoved report only what happens from now on.
func (h *Held) ForgetResets(luID string) {
	if e := h.esps[luID]; e != nil {
		e.reset, e.moved = false, false
	}
}

// Read reads the whole enclosure, over all nodes held.
func (h *Held) Read(ctx context.Context) (*inventory.Enclosure, error) {
	var all []inventory.Reading
	for _, luID := range slices.Sorted(maps.Keys(h.esps)) {
		readings, err := h.readings(ctx, luID)
		if err != nil {
			return nil, err
		}
		all = append(all, readings...)
	}
	enclosures, _ := scan.Assemble(ctx, h.machine, all)
	for i := range enclosures {
		if enclosures[i].ID() == h.id {
			return &enclosures[i], nil
		}
	}
	return nil, errors.New("its nodes lead to another enclosure now")
}

// Revision reads what one component runs.
func (h *Held) Revision(ctx context.Context, luID string, subenclosure int) (string, error) {
	readings, err := h.readings(ctx, luID)
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

// FindAgain looks for an ESP that has left its nodes, and opens those that it has now.
func (h *Held) FindAgain(ctx context.Context, luID string) error {
	_, err := h.readings(ctx, luID)
	return err
}

// Await reads the enclosure until a component answers at its address, for as long as a
// reset of it may take.
func (h *Held) Await(
	ctx context.Context, luID string, subenclosure int, address string, patience time.Duration,
) (e *inventory.Enclosure, err error) {
	for range backoff.Within(ctx, patience, backoff.Device) {
		// This finds it again if it has left.
		if _, err = h.Revision(ctx, luID, subenclosure); err != nil {
			continue
		}
		if e, err = h.Read(ctx); err != nil {
			continue
		}
		if _, _, err = e.ComponentAt(luID, subenclosure, address); err == nil {
			return e, nil
		}
	}
	return nil, err
}

// readings reads an ESP over each of its nodes. One that leads nowhere any more
// is let go of, and an ESP without nodes is looked for: asking again can succeed.
func (h *Held) readings(ctx context.Context, luID string) ([]inventory.Reading, error) {
	if e := h.esps[luID]; e == nil || len(e.nodes) == 0 {
		if err := h.reopen(ctx, luID); err != nil {
			return nil, err
		}
	}
	e := h.esps[luID]
	var all []inventory.Reading
	var left []*node
	var failure error
	for _, n := range e.nodes {
		r, err := scan.Read(ctx, n.path, n)
		switch {
		case err == nil && !r.Identity.Is(luID):
			err = &movedError{n.path, luID}
			fallthrough
		case transport.Unanswered(err):
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
	e.nodes = left
	if failure != nil {
		return nil, failure
	}
	return all, nil
}

// Retry calls read until it succeeds, four times at most: one failed read says
// nothing about a device. What another process holds is not tried again. Callers
// wait longer for devices that may be away for long.
func Retry(ctx context.Context, read func() error) (err error) {
	for n := range backoff.Attempts(ctx, backoff.Brief) {
		if err = read(); err == nil || n == 4 || errors.Is(err, transport.ErrBusy) {
			break
		}
	}
	return err
}

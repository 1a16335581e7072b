// Package scan reads the enclosures of a machine into an inventory.
//
// It sends nothing that changes a device or consumes what the device reports. It never
// reads page 0Eh, never sends WRITE BUFFER or SEND DIAGNOSTIC, opens nodes read-only, and
// opens no disk unless Options.ProbeUse asks for it.
package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"fwctl/internal/transport"
	"fwctl/inventory"
)

const (
	// atOnce bounds how many devices are read at the same time. A device that
	// hangs occupies one place until its deadline.
	atOnce = 16

	// deadline is how long reading one device may take. Reading takes a second
	// or two; an ESP that is busy, or has just been reset, some tens of seconds.
	deadline = 2 * time.Minute

	// findDeadline is shorter: an ESP that reboots is asked again and again.
	findDeadline = 30 * time.Second
)

// Options says what a scan looks at.
type Options struct {
	Devices []string // device nodes, "/dev/sg3" or "sg3"; none: all enclosures
	Except  []string // lu_ids of logical units to leave alone, as far as LeadsTo knows them

	// ProbeUse looks harder at drives that nothing is seen to use: it watches their counters
	// for two seconds, then opens their disks for a moment, read-only, to learn whether
	// someone holds them exclusively.
	ProbeUse bool

	// Progress is called when so many of all devices, or drives, have been looked at, by one goroutine at a time;
	// first with none of them. nil: nobody watches.
	Progress func(what string, done, all int)
}

// What Options.Progress counts.
const (
	Devices = "devices"
	Drives  = "drives"
)

// watch returns what tells how far the look at a list is, and tells that nothing is done yet.
func (o Options) watch(what string, all int) func(done int) {
	if o.Progress == nil || all == 0 {
		return func(int) {}
	}
	o.Progress(what, 0, all)
	return func(done int) { o.Progress(what, done, all) }
}

// DeviceError says why a device that the user named cannot be scanned.
type DeviceError struct {
	Path   string
	Reason string // why not, and what to do
}

func (e *DeviceError) Error() string { return fmt.Sprintf("cannot scan %s: %s", e.Path, e.Reason) }

// Scan reads every enclosure of a machine, or those of opts. A device that cannot
// be read is a problem in the inventory, never the end of the scan. The error
// says that there was nothing to scan: there are no SCSI generic devices, a device of
// opts does not exist or is not an enclosure (a *DeviceError each), none may be opened
// (errors.Is(err, fs.ErrPermission)), or ctx is done.
func Scan(ctx context.Context, m transport.Machine, opts Options) (*inventory.Inventory, error) {
	nodes, err := candidates(m.FS(), opts.Devices)
	if err != nil {
		return nil, err
	}
	if len(opts.Except) > 0 {
		nodes = slices.DeleteFunc(nodes, func(node string) bool {
			who := keptIdentity(m.FS(), node)
			return slices.ContainsFunc(opts.Except, who.Is)
		})
	}
	inv := inventory.New()
	inv.Host = m.Hostname()
	inv.Simulated = m.Simulated()
	inv.ScannedAt = time.Now().UTC().Truncate(time.Second)

	var before counters
	if opts.ProbeUse {
		before = readCounters(m.FS(), disksOf(m.FS()))
	}
	// A device that leaves while it is read takes what the kernel knows of it along.
	known := make([]*inventory.Unread, len(nodes))
	for i, node := range nodes {
		known[i] = unread(m.FS(), node)
	}
	answers := askWatched(ctx, nodes, deadline, opts.watch(Devices, len(nodes)), opened(m, Read))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cannot finish the scan: %w", err)
	}
	var readings []inventory.Reading
	var problems []inventory.Problem
	denied := 0
	for i, a := range answers {
		switch {
		case a.err == nil:
			readings = append(readings, *a.value)
		case errors.Is(a.err, fs.ErrPermission):
			denied++
			fallthrough
		default:
			p := problemOf(nodes[i], a.err)
			p.Detail = inventory.Shown(p.Detail) // its cause need not be fwctl's words
			p.Unread = known[i]
			problems = append(problems, p)
		}
	}
	if denied > 0 && denied == len(nodes) {
		return nil, fmt.Errorf("cannot open any enclosure, %s for one: %w: "+
			"run fwctl as root, or as a user who may open these nodes", nodes[0], fs.ErrPermission)
	}
	u := newUsage(ctx, m)
	blocks := locate(u, readings)
	if opts.ProbeUse {
		probe(ctx, u, readings, blocks, before, opts)
	}
	inv.Enclosures, inv.Problems = inventory.Merge(readings, blocks)
	inv.Problems = append(inv.Problems, problems...)
	if len(nodes) == 0 && len(opts.Except) == 0 {
		inv.Problems = append(inv.Problems, hidden(m.FS())...)
	}
	inventory.SortProblems(inv.Problems)
	return inv, nil
}

// Assemble makes enclosures of readings, and joins them with what the host knows about
// SAS ports and block devices. It opens no disk: the use of a drive that nothing is seen
// to use stays unknown.
func Assemble(
	ctx context.Context,
	m transport.Machine,
	readings []inventory.Reading,
) ([]inventory.Enclosure, []inventory.Problem) {
	readings = slices.Clone(readings)
	blocks := locate(newUsage(ctx, m), readings)
	return inventory.Merge(readings, blocks)
}

// locate notes where the readings' nodes hang, and lists the host's disks.
func locate(u *usage, readings []inventory.Reading) []inventory.BlockDevice {
	w := newWiring(u.fsys)
	for i := range readings {
		class := path.Join(genericDir, path.Base(readings[i].Path))
		link := w.link(class)
		readings[i].Port, readings[i].Route = w.portOf(class, link), w.routeTo(link)
	}
	return blockDevices(u, w, readings)
}

// Find returns the nodes that lead to the logical unit luID now, sorted. It leaves out
// nodes that are gone or do not answer, and nodes that someone holds. If the kernel knows
// that such a held node leads to luID, errors.Is(err, transport.ErrBusy). Any other error
// says that no node could be looked at.
func Find(ctx context.Context, m transport.Machine, luID string) ([]string, error) {
	nodes, err := candidates(m.FS(), nil)
	if err != nil {
		return nil, err
	}
	var found []string
	var busy error
	answers := ask(ctx, nodes, findDeadline,
		opened(m, func(ctx context.Context, _ string, t transport.Transport) (bool, error) {
			return IsUnit(ctx, t, luID)
		}))
	for i, a := range answers {
		switch {
		case a.err == nil && a.value:
			found = append(found, nodes[i])
		case errors.Is(a.err, transport.ErrBusy) && LeadsTo(m.FS(), nodes[i], luID):
			busy = a.err
		}
	}
	if err := cmp.Or(ctx.Err(), busy); err != nil {
		return nil, fmt.Errorf("cannot look for logical unit %s: %w", luID, err)
	}
	return found, nil
}

type answer[T any] struct {
	value T
	err   error
}

// ask puts one question to everything listed, in parallel. Whatever does not answer within
// limit gets an error and is abandoned. The answers are in the order of the list.
func ask[Q, A any](ctx context.Context, list []Q, limit time.Duration,
	question func(context.Context, Q) (A, error)) []answer[A] {
	return askWatched(ctx, list, limit, func(int) {}, question)
}

// askWatched is ask, and calls answered with how many answers there are, by one goroutine at a time.
func askWatched[Q, A any](ctx context.Context, list []Q, limit time.Duration, answered func(done int),
	question func(context.Context, Q) (A, error)) []answer[A] {
	answers := make([]answer[A], len(list))
	var counting sync.Mutex
	done := 0
	count := func() {
		counting.Lock()
		defer counting.Unlock()
		done++
		answered(done)
	}
	var questions errgroup.Group
	questions.SetLimit(atOnce)
	for i, q := range list {
		questions.Go(func() error {
			defer count()
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			// Not even opening a device is sure to come back.
			done := make(chan answer[A], 1)
			go func() {
				value, err := question(ctx, q)
				done <- answer[A]{value, err}
			}()
			select {
			case answers[i] = <-done:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				answers[i] = answer[A]{err: &silentError{limit}}
			}
			return nil
		})
	}
	// Each answer has its own error.
	_ = questions.Wait()
	return answers
}

// opened turns a question to an open device into a question to its node.
func opened[A any](m transport.Machine,
	question func(context.Context, string, transport.Transport) (A, error)) func(context.Context, string) (A, error) {
	return func(ctx context.Context, path string) (A, error) {
		node, err := m.Open(path, transport.ReadOnly)
		if err != nil {
			var none A
			return none, err
		}
		value, err := question(ctx, path, node)
		node.Close() // before the answer is out: who asked may want to hold the node next
		return value, err
	}
}

// silentError is a device that did not answer within the time it was given.
type silentError struct{ limit time.Duration }

func (e *silentError) Error() string { return fmt.Sprintf("no answer within %v", e.limit) }

// problemOf returns the problem of a device that could not be read: what, why and what to do.
func problemOf(path string, err error) inventory.Problem {
	p := inventory.Problem{Path: path, Summary: "cannot read the enclosure"}
	var silent *silentError
	switch {
	case errors.As(err, &silent):
		p.Detail = err.Error() + "; it was left alone. Look for this device in dmesg; " +
			"a module that hangs may have to be reseated"
	case errors.Is(err, fs.ErrPermission):
		p.Detail = err.Error() + "; run fwctl as root, or as a user who may open the node"
	case errors.Is(err, transport.ErrBusy):
		p.InUse = true
		p.Detail = err.Error() + "; another fwctl, or another tool, works on it: find out which (fuser -v " + path +
			") and scan again when it is done"
	case errors.Is(err, transport.ErrGone):
		p.Detail = err.Error() + "; scan again when it has come back"
	default:
		p.Detail = strings.TrimSuffix(err.Error(), ".") +
			"; scan again, and look at dmesg and at sg_ses --page=cf " + path + " if that does not help"
	}
	return p
}

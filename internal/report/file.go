package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// FormatVersion is the version of the files that this package writes.
const FormatVersion = "1.0"

const (
	statusKind  = "Status"
	historyKind = "History"
)

func newStatus() *Status {
	return &Status{
		FormatVersion: FormatVersion, Kind: statusKind, Hosts: []Host{}, Runs: []Run{}, Staged: []HostStaged{},
		Stuck: []Stuck{},
	}
}

func newHistory() *History {
	return &History{
		FormatVersion: FormatVersion, Kind: historyKind, Hosts: []Host{}, Runs: []Run{}, Verified: []Verified{},
	}
}

// FormatError is data that is not a file of the wanted kind and version.
type FormatError struct {
	// Reason says what is wrong with it, and what to do.
	Reason string
	// Err is that of the JSON decoder, nil if it is not a JSON error.
	Err error
}

func (e *FormatError) Error() string {
	if e.Err != nil {
		return e.Reason + ": " + e.Err.Error()
	}
	return e.Reason
}

func (e *FormatError) Unwrap() error { return e.Err }

// ParseStatus parses a file that Status.Encode wrote. The error is a *FormatError.
func ParseStatus(data []byte) (*Status, error) {
	s := newStatus()
	if err := parse(data, statusKind, s); err != nil {
		return nil, err
	}
	return s, nil
}

// ParseHistory parses a file that History.Encode wrote. The error is a *FormatError.
func ParseHistory(data []byte) (*History, error) {
	h := newHistory()
	if err := parse(data, historyKind, h); err != nil {
		return nil, err
	}
	return h, nil
}

// parse parses a file of a kind and of the major version of FormatVersion. It ignores unknown
// keys: later minor versions may have them.
func parse(data []byte, kind string, into any) error {
	var head struct {
		Kind          string `json:"kind"`
		FormatVersion string `json:"format_version"`
	}
	save := "save it with `fwctl " + strings.ToLower(kind) + " -o json`"
	if err := json.Unmarshal(data, &head); err != nil {
		return &FormatError{"it is not JSON as fwctl writes it: " + save, err}
	}
	if head.Kind != kind {
		return &FormatError{Reason: fmt.Sprintf("its kind is %q, want %q: %s", head.Kind, kind, save)}
	}
	if version, _, _ := strings.Cut(head.FormatVersion, "."); version != "1" {
		return &FormatError{Reason: fmt.Sprintf("its format_version is %q and this fwctl reads 1.x: "+
			"use the version of fwctl that wrote it", head.FormatVersion)}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return &FormatError{"a value does not fit", err}
	}
	return nil
}

// Encode returns a file that ParseStatus parses.
func (s *Status) Encode() ([]byte, error) { return encode(s) }

// Encode returns a file that ParseHistory parses.
func (h *History) Encode() ([]byte, error) { return encode(h) }

func encode(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write it as JSON: %w", err)
	}
	return append(data, '\n'), nil
}

// Add adds the status of other hosts. It refuses a host that is in both, and simulated hosts
// beside real ones.
func (s *Status) Add(other *Status) error {
	hosts, err := together(s.Hosts, other.Hosts)
	if err != nil {
		return err
	}
	s.Hosts = hosts
	s.Runs = byHost(append(s.Runs, other.Runs...))
	s.Staged = append(s.Staged, other.Staged...)
	slices.SortStableFunc(s.Staged, func(a, b HostStaged) int { return cmp.Compare(a.Host, b.Host) })
	s.Stuck = append(s.Stuck, other.Stuck...)
	slices.SortStableFunc(s.Stuck, func(a, b Stuck) int { return cmp.Compare(a.Host, b.Host) })
	s.Cautions = append(s.Cautions, other.Cautions...)
	slices.SortStableFunc(s.Cautions, func(a, b HostCaution) int { return cmp.Compare(a.Host, b.Host) })
	s.Components = unite(s.Components, other.Components)
	return nil
}

// Add adds the history of other hosts, as Status.Add does.
func (h *History) Add(other *History) error {
	hosts, err := together(h.Hosts, other.Hosts)
	if err != nil {
		return err
	}
	h.Hosts = hosts
	h.Runs = byHost(append(h.Runs, other.Runs...))
	h.Verified = append(h.Verified, other.Verified...)
	slices.SortStableFunc(h.Verified, func(a, b Verified) int { return cmp.Compare(a.Host, b.Host) })
	h.Components = unite(h.Components, other.Components)
	return nil
}

func unite(a, b []Component) []Component {
	all := append(a, b...)
	slices.SortFunc(all, func(a, b Component) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(all)
}

func byHost(runs []Run) []Run {
	slices.SortStableFunc(runs, func(a, b Run) int { return cmp.Compare(a.Host, b.Host) })
	return runs
}

// together returns the hosts of two reports, or why those cannot be one report.
func together(hosts, others []Host) ([]Host, error) {
	for _, o := range others {
		for _, h := range hosts {
			switch {
			case o.Name == h.Name:
				return nil, fmt.Errorf("%s is in two of the states: leave one of them out", o.Name)
			case o.Simulated && !h.Simulated:
				return nil, fmt.Errorf("%s is simulated and %s is real: report them apart", o.Name, h.Name)
			case !o.Simulated && h.Simulated:
				return nil, fmt.Errorf("%s is real and %s is simulated: report them apart", o.Name, h.Name)
			}
		}
	}
	hosts = append(hosts, others...)
	slices.SortFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
	return hosts, nil
}

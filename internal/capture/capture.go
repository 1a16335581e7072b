// Package capture records what a machine and its enclosures answer while they are read,
// and stands in for that machine later.
//
// Recording asks the machine nothing beyond what its reader asks. Replaying has answers to
// those questions only, and refuses whatever has an effect.
package capture

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"fwctl/internal/transport"
)

// FormatVersion is the version of the capture file format that this package writes.
const FormatVersion = "1.2"

const kind = "Capture"

// Capture is what a machine answered.
type Capture struct {
	FormatVersion string              `json:"format_version"`
	Kind          string              `json:"kind"` // "Capture"
	Host          string              `json:"host"`
	TakenAt       time.Time           `json:"taken_at"`
	Simulated     bool                `json:"simulated"` // the machine was a simulation itself
	Dirs          map[string][]string `json:"dirs"`      // names in a directory of the machine's FS, by its path
	Links         map[string]string   `json:"links"`     // where a link leads, by its path
	Files         map[string]Bytes    `json:"files"`     // content of a file, by its path
	Nodes         map[string]*Node    `json:"nodes"`     // by device node, "/dev/sg3"

	// OpenDisks is there since 1.1; nil if they were not read.
	OpenDisks *OpenDisks          `json:"open_disks,omitempty"`
	DMTables  map[string]*DMTable `json:"dm_tables,omitempty"` // by the kernel's name of the map, "dm-3"

	// ZpoolStatus is there since 1.2; nil if it was not asked for.
	ZpoolStatus *ZpoolStatus `json:"zpool_status,omitempty"`
}

// OpenDisks lists which processes had disks open. It is incomplete if there is a failure.
type OpenDisks struct {
	Failure *Failure   `json:"failure,omitempty"`
	List    []OpenDisk `json:"list"`
}

// OpenDisk is a disk that a process had open.
type OpenDisk struct {
	PID     int    `json:"pid"`
	Command Bytes  `json:"command"`
	Device  string `json:"device"`
}

// DMTable is the status of a device-mapper map, or why there was none.
type DMTable struct {
	Failure *Failure `json:"failure,omitempty"`
	Status  Bytes    `json:"status"` // a line for each target
}

// ZpoolStatus is what zpool status printed, or why there was nothing.
type ZpoolStatus struct {
	Failure *Failure `json:"failure,omitempty"`
	Text    Bytes    `json:"text"`
}

// Node is a device node that was opened.
type Node struct {
	Failure   *Failure   `json:"failure,omitempty"` // of opening it
	Exchanges []Exchange `json:"exchanges"`         // in order
}

// Exchange is a command and its answer, or its failure.
type Exchange struct {
	CDB     Bytes    `json:"cdb"`
	Status  byte     `json:"status"`
	Sense   Bytes    `json:"sense"`
	Data    Bytes    `json:"data"` // that the device returned
	Failure *Failure `json:"failure,omitempty"`
}

// Failure is an error of a transport.
type Failure struct {
	Op      string `json:"op"` // as transport.Error has it
	NotSent bool   `json:"not_sent"`
	Host    uint16 `json:"host_status"`
	Driver  uint16 `json:"driver_status"`
	Cause   string `json:"cause"` // a key of causes, "" for any other
	Text    string `json:"text"`
}

// causes are the errors that callers distinguish.
var causes = map[string]error{
	"busy":       transport.ErrBusy,
	"gone":       transport.ErrGone,
	"timeout":    transport.ErrTimeout,
	"abandoned":  transport.ErrAbandoned,
	"permission": fs.ErrPermission,
	"missing":    fs.ErrNotExist,
}

func failureOf(op string, err error) *Failure {
	f := &Failure{Op: op, Text: err.Error()}
	var e *transport.Error
	if errors.As(err, &e) {
		f.Op, f.NotSent, f.Host, f.Driver, f.Text = e.Op, e.NotSent, e.Host, e.Driver, ""
		if e.Err != nil {
			f.Text = e.Err.Error()
		}
	}
	for name, cause := range causes {
		if errors.Is(err, cause) {
			f.Cause = name
		}
	}
	return f
}

// failed returns the error of a failure, or nil if there is none.
func (f *Failure) failed(node string) error {
	if f == nil {
		return nil
	}
	e := &transport.Error{Op: f.Op, Path: node, NotSent: f.NotSent, Host: f.Host, Driver: f.Driver}
	if f.Text != "" || f.Cause != "" {
		e.Err = &replayed{f.Text, causes[f.Cause]}
	}
	return e
}

// replayed is an error with the text and the cause of the recorded one.
type replayed struct {
	text  string
	cause error
}

func (e *replayed) Error() string { return e.text }
func (e *replayed) Unwrap() error { return e.cause }

// Bytes are written as text if they are printable, otherwise as hex: and hex digits.
type Bytes []byte

const hexPrefix = "hex:"

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return []byte(hexPrefix + hex.EncodeToString(b)), nil
		}
	}
	if strings.HasPrefix(string(b), hexPrefix) {
		return []byte(hexPrefix + hex.EncodeToString(b)), nil
	}
	return b, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, isHex := strings.CutPrefix(string(text), hexPrefix)
	if !isHex {
		*b = Bytes(digits)
		return nil
	}
	data, err := hex.DecodeString(digits)
	*b = data
	return err
}

// FormatError is a capture that cannot be replayed.
type FormatError struct {
	Reason string // what is wrong with it and what to do
	Err    error  // of the JSON decoder, nil if that was content
}

func (e *FormatError) Error() string {
	if e.Err != nil {
		return "cannot read the capture: " + e.Reason + ": " + e.Err.Error()
	}
	return "cannot read the capture: " + e.Reason
}

func (e *FormatError) Unwrap() error { return e.Err }

// Parse reads a capture file. The error is a *FormatError.
func Parse(data []byte) (*Capture, error) {
	var c Capture
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, &FormatError{"a value does not fit", err}
	}
	switch version, _, _ := strings.Cut(c.FormatVersion, "."); {
	case c.Kind != kind:
		return nil, &FormatError{
			Reason: fmt.Sprintf("its kind is %q, want %q: make one with `fwctl capture --out`", c.Kind, kind)}
	case version != "1":
		return nil, &FormatError{Reason: fmt.Sprintf(
			"its format_version is %q and this fwctl reads 1.x: use the version of fwctl that wrote it",
			c.FormatVersion)}
	case c.Host == "":
		return nil, &FormatError{Reason: "it does not name its host"}
	}
	for path, n := range c.Nodes {
		if n == nil {
			return nil, &FormatError{Reason: "it has nothing for " + path}
		}
	}
	for name, t := range c.DMTables {
		if t == nil {
			return nil, &FormatError{Reason: "it has nothing for " + name}
		}
	}
	return &c, nil
}

// Encode writes a capture file that Parse reads.
func (c *Capture) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the capture: %w", err)
	}
	return append(data, '\n'), nil
}

func notThere(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: os.ErrNotExist}
}

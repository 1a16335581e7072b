package state

import (
	"slices"
	"strings"
	"time"

	"fwctl/inventory"
)

// Key names a component: one subenclosure of the ESP behind one logical unit.
type Key struct {
	LUID         string // designator of the logical unit, as in inventories
	Subenclosure int    // subenclosure id, 0 to 255
}

// Run is one apply.
type Run struct {
	ID         int64
	PlanDigest string
	Host       string
	By         string // who started it
	StartedAt  time.Time
	EndedAt    time.Time // zero while it runs, and after a crash
	Outcome    string    // "" likewise
	PID        int       // of the process that carries it out, or did so last; 0 in runs of an earlier fwctl
	Phase      string    // kind of the waves that it is limited to, "" if it is not, and in runs of an earlier fwctl
	Wave       int       // number of the wave that it is limited to, 0 likewise
}

// The outcomes of the executor that decide whether a run can be resumed.
const (
	Interrupted = "interrupted"
	Refused     = "refused"
)

// Step is how far a run got with one component.
type Step struct {
	Address string
	Key     Key
	Hop     int    // index into the plan's hops
	SHA256  string // of that hop's image
	From    string // revision that the hop starts at, "" in steps of an earlier fwctl
	To      string // revision that it installs, likewise
	State   string // of the executor's step machine
	Mode    string // "e" or "7": how the hop was last downloaded, or is to be in the next wave; "" before
	Outcome string // how the step ended, as in results; "" if it has not, and in steps of an earlier fwctl
	Detail  string // why it is in this state, or ended so, in words
	At      time.Time
	// Component is all of where it stands, as the executor's step machine writes it; "" in
	// steps of an earlier fwctl. The other fields say the same to those who report.
	Component string
}

// Account is the system's account of a person who works on a run.
type Account struct {
	UID      int    // the real one
	Login    string // of that uid
	SudoUser string // $SUDO_USER: reliable if UID is 0, otherwise only a claim; "" without sudo
	At       time.Time
}

// Resume is a person who resumed a run that was broken off.
type Resume struct {
	By string
	At time.Time
}

// Baseline is what an enclosure was like before a run touched it.
type Baseline struct {
	Run  int64
	At   time.Time // when that run was started
	Data []byte    // the executor's, opaque here
}

// Kind is an effect that a run is about to have on a device.
type Kind string

const (
	DownloadStart Kind = "download-start"
	LastChunk     Kind = "last-chunk"
	Activation    Kind = "activation"
	Abort         Kind = "abort"
)

// Intent is an effect, committed before it is tried.
type Intent struct {
	ID      int64
	Run     int64
	Address string
	Key     Key
	Kind    Kind
	Mode    string // two hex digits, as in the command: "0e", "07", "0f"
	SHA256  string // of the image that it is about
	At      time.Time
	Outcome string // what the device answered, in words; "" if unknown
}

// ModeName returns the mode of a download as plans name it: "e" or "7".
func (i Intent) ModeName() string { return strings.TrimPrefix(i.Mode, "0") }

// What returns the effect in words: "the start of a download by mode e".
func (i Intent) What() string {
	switch i.Kind {
	case DownloadStart:
		return "the start of a download by mode " + i.ModeName()
	case LastChunk:
		return "the last chunk of a download by mode " + i.ModeName()
	case Activation:
		return "an activation"
	}
	return "the abort of a download"
}

// OverrideKind is what a person overrode.
type OverrideKind string

const (
	AcceptDisruption OverrideKind = "accept-disruption" // I/O may stop at the component
	IgnoreWindow     OverrideKind = "ignore-window"     // the component is worked on outside its maintenance windows
	// no one else writes to the enclosure, though this host does not see all of its ESPs
	SoleWriter OverrideKind = "sole-writer"
)

// Override is a safeguard that a person overrode for one component of a run.
type Override struct {
	Kind    OverrideKind
	Address string
	Given   string // what they gave for it: a pattern, or a reason; "" if the flag takes nothing
}

// HookKind says on which side of a reset a command is run.
type HookKind string

const (
	BeforeReset HookKind = "before-reset"
	AfterReset  HookKind = "after-reset"
)

// Words returns the kind for people: before the reset.
func (k HookKind) Words() string { return strings.Replace(string(k), "-", " the ", 1) }

// Hook is a command that a plan runs around a reset, committed before it is started.
type Hook struct {
	ID      int64
	Run     int64
	Address string
	Key     Key
	Hop     int // index into the plan's hops, of the one that resets
	Kind    HookKind
	Command string // as people write it; "" if the plan has none on this side of its resets
	At      time.Time
	EndedAt time.Time // zero while it runs, and after a crash
	Outcome string    // "done", else why it failed, in words; "" likewise
	Output  string    // what it wrote, or the end of that
}

// StagedRecord is microcode that was downloaded to a component and waits there.
type StagedRecord struct {
	SHA256    string
	Revision  string // that the image installs
	Running   string // that the component reported when the image was staged
	Since     time.Time
	By        string
	Confirmed bool // the device said that the image is complete
}

// CautionRecord is a caution about a component. The store has no Unfinished ones: those follow from open intents.
type CautionRecord struct {
	Key Key
	inventory.Caution
}

// About reports whether the caution is about a component, or about one that was at one of its addresses before.
func (c *CautionRecord) About(k Key, addresses ...string) bool {
	return c.Key == k || slices.Contains(addresses, c.Address)
}

// Sent is an image that a component has received completely.
type Sent struct {
	SHA256   string
	Revision string // that the image brings
	At       time.Time
}

// Beside is an image that went to a part beside a component. The part takes images through
// a buffer of its own and reports no revision.
type Beside struct {
	BufferID int
	SHA256   string
	At       time.Time
}

// Verdict is what became of staged microcode.
type Verdict string

const (
	Running Verdict = "running" // it was activated
	Lost    Verdict = "lost"    // the component neither runs nor holds it
	Waiting Verdict = "waiting" // it is still staged
)

// Verification is what fwctl verify found out about a staged image.
type Verification struct {
	Address  string
	Key      Key
	SHA256   string // of the image that was staged
	Revision string // that the component reported
	Outcome  Verdict
	By       string
	At       time.Time
}

// Timing is how long a phase took that ended well, and that nothing interrupted.
type Timing struct {
	inventory.TimedWork
	ImageSize int64 // bytes; 0 in the phase "return", whose time does not depend on it
	Run       int64
	Took      time.Duration
	At        time.Time // when it ended
}

// Package plan is the plan itself: its types, its file format and digest, and the
// questions that everybody asks a step: whether it acts, in which wave, who resets it.
//
// A plan leaves no choice to the executor. This package makes none (see plan/build), and
// never reaches a device, a clock or an image.
package plan

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"fwctl/internal/window"
)

// FormatVersion is the version of the plan file format that this package writes.
const FormatVersion = "1.0"

// Plan is a saved plan, self-contained: with the images, it is all that the
// executor needs.
type Plan struct {
	FormatVersion string                   `json:"format_version"`
	Kind          string                   `json:"kind"`                  // "Plan"
	Digest        string                   `json:"digest"`                // "sha256:" and 64 hex digits over everything but digest, created_at and image_hints
	CreatedAt     time.Time                `json:"created_at"`            // RFC 3339, UTC
	ImageHints    map[string]string        `json:"image_hints,omitempty"` // by SHA-256: absolute paths at which images were; not covered by the digest
	Simulated     bool                     `json:"simulated"`
	DesiredState  Source                   `json:"desired_state"`
	Scans         []Scan                   `json:"scans"`              // sorted by host
	Steps         []Step                   `json:"steps"`              // sorted by address
	Waves         []Wave                   `json:"waves"`              // in the order they are walked, numbers ascending
	Commands      []Turn                   `json:"commands,omitempty"` // who applies what after whom; none where one command on one host does all of it
	Windows       map[string]window.Window `json:"windows"`            // those that waves name
	Quirks        map[string]string        `json:"quirks,omitempty"`   // the rows of the quirk table that steps name: where each comes from
	Rollout       Rollout                  `json:"rollout"`
	Warnings      []string                 `json:"warnings"`
	Unread        []Unread                 `json:"unread,omitempty"` // devices that could not be read, by host and path
	Summary       Summary                  `json:"summary"`
}

// Source names the desired state that a plan was made from.
type Source struct {
	Name   string `json:"name"`   // metadata.name, "" where it has none
	SHA256 string `json:"sha256"` // of the file, 64 hex digits
}

// Scan is one inventory that went into a plan.
type Scan struct {
	Host       string    `json:"host"`
	ScannedAt  time.Time `json:"scanned_at"`
	Enclosures int       `json:"enclosures"`
	ESPs       int       `json:"esps"`
}

// Action is what a plan does with a component.
type Action string

const (
	Update    Action = "update"
	Activate  Action = "activate"  // the wanted image is staged and will be activated
	IsStaged  Action = "staged"    // the wanted image is staged and waits
	NoOp      Action = "no-op"     // up to date
	Blocked   Action = "blocked"   // always with reasons
	Excepted  Action = "excepted"  // left out by an exception of the desired state
	Unmanaged Action = "unmanaged" // no want matches it
)

// Step is one component and what is done with it.
type Step struct {
	Address       string        `json:"address"`
	Aliases       []string      `json:"aliases,omitempty"` // its other addresses, sorted: several ESPs can serve it
	Name          string        `json:"name"`              // of the enclosure, "" if it has none
	Host          string        `json:"host"`              // the host that carries the step out
	Enclosure     string        `json:"enclosure"`
	LUID          string        `json:"lu_id"`        // designator of the ESP's logical unit
	Subenclosure  int           `json:"subenclosure"` // subenclosure id, 0 to 255
	Vendor        string        `json:"vendor"`
	Product       string        `json:"product"`
	Current       string        `json:"current"`
	Desired       string        `json:"desired"`         // "" for unmanaged components
	Model         string        `json:"model"`           // of the want that matches it, "" for unmanaged components
	Image         string        `json:"image"`           // name of the wanted image, likewise
	Quirk         string        `json:"quirk,omitempty"` // name of the row of the quirk table that fits the device
	Policy        string        `json:"policy"`          // name of the policy, "" for the defaults
	Action        Action        `json:"action"`
	Hops          []Hop         `json:"hops"`                 // in order, what one apply does; empty unless the action is update or activate
	Later         []Hop         `json:"later,omitempty"`      // what is left once a power cycle has started the last of Hops, or what is staged: for another plan
	Waves         StepWaves     `json:"waves"`                // where the step is worked on
	Hooks         *Hooks        `json:"hooks,omitempty"`      // commands around each of its resets; nil: none
	Reset         Reset         `json:"reset"`                // what the policy asks of a reset; looked at again before each one
	FaultDomain   int           `json:"fault_domain"`         // steps with the same number are never reset together; 0: it cannot be told, never reset together with anything
	Neighbours    []string      `json:"neighbours,omitempty"` // the other enclosures of its fault domain that its host sees, whether the plan has steps of them or not
	Disruption    Disruption    `json:"disruption"`
	Evidence      []string      `json:"evidence,omitempty"`       // Effect.Evidence of its reset
	SeenElsewhere []string      `json:"seen_elsewhere,omitempty"` // drives of its fault domain that its host does not see and another host of the plan does
	WorstDuration Duration      `json:"worst_duration"`
	Rollback      string        `json:"rollback"`                  // name of the image that brings Current back, "" where there is none
	WaitsForPower bool          `json:"waits_for_power,omitempty"` // the policy wants what is staged to be started, and only a power cycle may do that: it is unknown whether it is complete
	Gates         []GateResult  `json:"gates"`                     // of the policy, those that were asked; none where nothing is to be done
	Reasons       []string      `json:"reasons"`
	Preconditions Preconditions `json:"preconditions"`
}

// Hooks are commands that are run around each reset of a component, on its host
// and without a shell. The one before can keep the reset from being done; the one
// after is run whenever the one before was, however that and the reset ended.
type Hooks struct {
	BeforeReset Command  `json:"before_reset,omitempty" yaml:"beforeReset"`
	AfterReset  Command  `json:"after_reset,omitempty" yaml:"afterReset"`
	Timeout     Duration `json:"timeout" yaml:"timeout"` // of each of them; what runs longer is killed, and failed
}

// Command is a program and its arguments.
type Command []string

// String writes a command on one line, as a shell reads it: all commands that
// people are shown are written so.
func (c Command) String() string {
	words := make([]string, len(c))
	for i, w := range c {
		switch {
		case plainWord.MatchString(w):
			words[i] = w
		case strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsPrint(r) }): // nothing that moves a terminal's cursor
			quoted := strconv.Quote(w)
			words[i] = "$'" + strings.ReplaceAll(quoted[1:len(quoted)-1], "'", `\'`) + "'"
		default:
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Mode is how microcode is downloaded: "e" (0Eh: save, defer activation) or "7"
// (07h: save, activate).
type Mode string

const (
	ModeE Mode = "e"
	Mode7 Mode = "7"
)

// Protocol is the way that an ESP takes microcode.
type Protocol string

const (
	SES         Protocol = "ses"          // download microcode control page, 0Eh
	WriteBuffer Protocol = "write-buffer" // WRITE BUFFER commands with offsets
)

// Hop is one image sent to one component.
type Hop struct {
	From          string     `json:"from"`
	To            string     `json:"to"` // "" if unknown: any but From, unless Unversioned
	Image         ImageRef   `json:"image"`
	Modes         []Mode     `json:"modes"` // what is tried, in this order: e, then 7 only where a reset is permitted; empty where the image is staged already (action activate)
	Protocol      Protocol   `json:"protocol"`
	ChunkSize     int        `json:"chunk_size"` // bytes, a multiple of 4
	BufferID      int        `json:"buffer_id"`
	Activation    Activation `json:"activation"`              // what follows a download by mode e
	ActivateBy    ActivateBy `json:"activate_by"`             // how deferred microcode is started
	Unversioned   bool       `json:"unversioned,omitempty"`   // the part reports no revision: To is ""
	Mode7Defers   bool       `json:"mode_7_defers,omitempty"` // mode 7 leaves it for a power cycle to start
	FlashTimeout  Duration   `json:"flash_timeout"`           // how long the device may write flash without telling an end
	Settle        Duration   `json:"settle"`                  // how long to leave a device alone after a reset
	ReturnTimeout Duration   `json:"return_timeout"`          // how long a device may stay away after a reset

	// What follows is from the quirk table; absent: as usual.
	SkipStatus          []StatusRead `json:"skip_status,omitempty"`          // when the download status is not read
	RefusedMode         SenseCode    `json:"refused_mode,omitempty"`         // sense data that mean it at the first chunk where they point at no field
	ActivationPage      string       `json:"activation_page,omitempty"`      // sent in place of mode 0Fh: bytes in hex, lower case, from the page code on
	ActivateUnconfirmed bool         `json:"activate_unconfirmed,omitempty"` // what the device never said to be complete may be activated
	PeerSync            Duration     `json:"peer_sync,omitempty"`            // how long ESPs that differ may take to bring each other to one revision
}

// Brings writes the revision that a hop brings: - where the part reports none, ? where
// the plan does not say which it is.
func (h *Hop) Brings() string {
	switch {
	case h.Unversioned:
		return "-"
	case h.To == "":
		return "?"
	}
	return h.To
}

// Goal names what a hop brings as inventory.Staged.Label does: its revision, else its image.
func (h *Hop) Goal() string {
	if h.To != "" {
		return h.To
	}
	return fmt.Sprintf("image %.8s", h.Image.SHA256)
}

// Defers reports whether a download by a mode leaves the image dormant, and resets nothing.
func (h *Hop) Defers(m Mode) bool { return m == ModeE || h.Mode7Defers }

// Deferring returns those of the hop's modes that leave the image dormant.
func (h *Hop) Deferring() []Mode {
	return slices.DeleteFunc(slices.Clone(h.Modes), func(m Mode) bool { return !h.Defers(m) })
}

// MayReset reports whether one of the hop's modes resets what it goes to.
func (h *Hop) MayReset() bool { return len(h.Deferring()) < len(h.Modes) }

// Activation says what follows a download that deferred its activation.
type Activation string

const (
	Manual    Activation = "manual" // left staged
	WithApply Activation = "apply"  // activated in the same apply, in a reset wave
)

// ActivateBy is how deferred microcode is started.
type ActivateBy string

const (
	ByModeF      ActivateBy = "mode-f"
	ByPowerCycle ActivateBy = "power-cycle" // by a person
)

// ImageRef names an image by its content.
type ImageRef struct {
	Name   string `json:"name"` // key in the desired state
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"` // bytes
}

// StepWaves are the numbers of the waves that work on a step; 0 where none does.
type StepWaves struct {
	Stage int `json:"stage,omitempty"`
	Reset int `json:"reset,omitempty"`
}

// Impact is what a step does to those who use the enclosure, from nothing to the worst.
type Impact string

const (
	NoImpact       Impact = "none"
	ESPReset       Impact = "esp-reset"
	IOInterruption Impact = "io-interruption"
)

// Disruption is the impact that is expected, and the worst of what the step permits.
type Disruption struct {
	Expected Impact `json:"expected"`
	Worst    Impact `json:"worst"`
	Why      string `json:"why"`
}

// IfRefused begins Disruption.Why if only a fallback to mode 7 resets anything.
const IfRefused = "mode e resets nothing; if it is refused, "

// Preconditions must hold on the live device before a step's first byte.
type Preconditions struct {
	Revision string   `json:"revision"`
	Staged   *string  `json:"staged"` // SHA-256 of the image that Step.Host remembers as staged; nil: none
	ESPs     []string `json:"esps"`   // lu_ids of the enclosure's ESPs that Step.Host sees, sorted: no other host is there to be asked when the step is carried out
}

// Wave is a set of steps between two barriers.
type Wave struct {
	Number  int      `json:"number"`
	Kind    WaveKind `json:"kind"`
	Windows []string `json:"windows"`          // names; none: at any time
	Canary  bool     `json:"canary,omitempty"` // works on canaries only
	// PowerCycle: in a reset wave, a person power-cycles the enclosures of its
	// steps, of which all that is to be staged is staged by then. Nothing is sent.
	PowerCycle bool     `json:"power_cycle,omitempty"`
	Soak       Duration `json:"soak,omitempty"` // how long all of it must have been done, and well, before the next wave begins
}

// WaveKind says what a wave may do.
type WaveKind string

const (
	StageWave WaveKind = "stage" // downloads by mode e, resets nothing
	ResetWave WaveKind = "reset" // activates, or downloads by mode 7
)

// Rollout limits how much is worked on, and how much may fail.
type Rollout struct {
	Canary      int      `json:"canary,omitempty" yaml:"canary"`  // enclosures of each model that go through all of their waves first
	Soak        Duration `json:"soak,omitempty" yaml:"soak"`      // how long the canaries must have been done, and well, before the rest
	MaxParallel int      `json:"max_parallel" yaml:"maxParallel"` // enclosures worked on at a time
	MaxFailures int      `json:"max_failures" yaml:"maxFailures"` // components that may fail before no other is started
}

// Summary counts steps by action.
type Summary struct {
	Update    int `json:"update"`
	Activate  int `json:"activate"`
	Staged    int `json:"staged"`
	NoOp      int `json:"no-op"`
	Blocked   int `json:"blocked"`
	Excepted  int `json:"excepted"`
	Unmanaged int `json:"unmanaged"`
	Unread    int `json:"unread,omitempty"` // devices that could not be read
}

// Duration is a time.Duration that is written as people write it: "45m", not "45m0s".
type Duration time.Duration

func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("cannot read duration %q: %w", s, err)
	}
	*d = Duration(v)
	return nil
}

// Reset says whether an ESP may be reset.
type Reset string

const (
	ResetNever     Reset = "never"
	ResetIdle      Reset = "idle"      // where no drive of the fault domain is in use on any host of the plan
	ResetRedundant Reset = "redundant" // where every drive in use keeps a live path that its user really uses
	ResetAlways    Reset = "always"    // permitted at review
)

// Unread is a device that the scan of a host could not read: nothing that is said of
// the other components says anything of what is behind it.
type Unread struct {
	Host       string   `json:"host"`
	Path       string   `json:"path"`
	LUID       string   `json:"lu_id,omitempty"`
	Why        string   `json:"why"`
	Components []string `json:"components,omitempty"` // addresses, as the host remembers them or reads them on another path

	// Wanted: a want may be about it, as far as anybody can tell without reading it.
	Wanted bool `json:"wanted"`
}

package plan

import (
	"fmt"
	"slices"
)

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
	From string `json:"from"`
	// To is "" if unknown: any revision but From then shows the image, unless Unversioned.
	To    string   `json:"to"`
	Image ImageRef `json:"image"`
	// Modes are tried in this order: e, then 7 only if a reset is permitted; empty if the
	// image is staged already (action activate).
	Modes    []Mode   `json:"modes"`
	Protocol Protocol `json:"protocol"`
	// ChunkSize is in bytes, a multiple of 4.
	ChunkSize int `json:"chunk_size"`
	BufferID  int `json:"buffer_id"`
	// Activation is what follows a download by mode e.
	Activation Activation `json:"activation"`
	// ActivateBy is how deferred microcode is started.
	ActivateBy ActivateBy `json:"activate_by"`
	// Unversioned: the part reports no revision, so To is "".
	Unversioned bool `json:"unversioned,omitempty"`
	// Mode7Defers: mode 7 leaves the image for a power cycle to start.
	Mode7Defers bool `json:"mode_7_defers,omitempty"`
	// FlashTimeout is how long the device may write flash without reporting an end.
	FlashTimeout Duration `json:"flash_timeout"`
	// Settle is how long to leave the device alone after a reset.
	Settle Duration `json:"settle"`
	// ReturnTimeout is how long the device may stay away after a reset.
	ReturnTimeout Duration `json:"return_timeout"`

	// The fields below come from the quirk table. Most devices have none of them.
	//
	// SkipStatus has the moments at which the download status is not read.
	SkipStatus []StatusRead `json:"skip_status,omitempty"`
	// RefusedMode are sense data that mean a refused mode, at the first chunk and if they point
	// at no field.
	RefusedMode SenseCode `json:"refused_mode,omitempty"`
	// ActivationPage is sent in place of mode 0Fh: bytes in lower-case hex, from the page code on.
	ActivationPage string `json:"activation_page,omitempty"`
	// ActivateUnconfirmed permits activating an image that the device never said to be complete.
	ActivateUnconfirmed bool `json:"activate_unconfirmed,omitempty"`
	// PeerSync is how long ESPs that differ may take to bring each other to one revision.
	PeerSync Duration `json:"peer_sync,omitempty"`
}

// Brings returns the revision that a hop brings: "-" if the part reports none, "?" if the plan
// does not say which it is.
func (h *Hop) Brings() string {
	switch {
	case h.Unversioned:
		return "-"
	case h.To == "":
		return "?"
	}
	return h.To
}

// Goal names what a hop brings, as inventory.Staged.Label does: its revision, else its image.
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

// MayDefer reports whether one of the hop's modes leaves the image dormant.
func (h *Hop) MayDefer() bool { return slices.ContainsFunc(h.Modes, h.Defers) }

// MayReset reports whether one of the hop's modes resets what it goes to.
func (h *Hop) MayReset() bool {
	return slices.ContainsFunc(h.Modes, func(m Mode) bool { return !h.Defers(m) })
}

// Activation is what follows a download that deferred its activation.
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

// Resets reports whether a hop may reset what it goes to: by its mode, also as a
// fallback, or by an activation in the same apply.
func (h *Hop) Resets() bool { return h.MayReset() || h.Activation == WithApply }

// ByPerson reports whether an apply waits for a person's power cycle to start the hop's image.
// Nothing else then resets the component.
func (h *Hop) ByPerson() bool { return h.Activation == WithApply && h.ActivateBy == ByPowerCycle }

// ByCommand reports whether an apply starts the hop's dormant image by a command: mode 0Fh, or
// the page that a quirk has in its place.
func (h *Hop) ByCommand() bool { return h.Activation == WithApply && h.ActivateBy == ByModeF }

// Reports returns the revision that the component reports once the hop's image was started.
func (h *Hop) Reports() string {
	if h.Unversioned {
		return h.From
	}
	return h.Goal()
}

// StatusRead is a moment at which the download status is read.
type StatusRead string

const (
	MidwayStatus StatusRead = "midway" // between chunks
	LastStatus   StatusRead = "last"   // after the last one
)

// SenseCode is a sense key, ASC and ASCQ as people write them: 05/26/00.
type SenseCode string

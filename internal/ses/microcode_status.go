package ses

import (
	"encoding/binary"
	"fmt"
)

// DownloadMicrocodeStatus is page 0Eh as an ESP returns it (SES-3, Download Microcode Status diagnostic page):
//
//	0    0Eh                                       4-7  generation code
//	1    number of secondary subenclosures         8-   16 bytes a subenclosure
//	2-3  page length (n-3)
//
// Reading it has effects. The ESP forgets a completion code, which it reports only once, and
// starts microcode that stands at 10h. Some ESPs reset their download engine.
type DownloadMicrocodeStatus struct {
	GenerationCode uint32
	Subenclosures  []DownloadStatus
}

// DownloadStatus is the status descriptor of one subenclosure:
//
//	1  subenclosure id              4-7    maximum image size, bytes
//	2  download microcode status    11     expected buffer id (FFh is seen: use 00h)
//	3  additional status            12-15  expected buffer offset (FFFFFFFFh: any)
type DownloadStatus struct {
	SubenclosureID       uint8
	Code                 DownloadCode
	AdditionalStatus     uint8
	MaximumSize          uint32
	ExpectedBufferID     uint8
	ExpectedBufferOffset uint32
}

// AnyOffset is the expected buffer offset of an ESP that takes any.
const AnyOffset = 0xffffffff

// ParseDownloadMicrocodeStatus reads page 0Eh.
func ParseDownloadMicrocodeStatus(b []byte) (*DownloadMicrocodeStatus, error) {
	c, err := open(PageDownloadMicrocode, b)
	if err != nil {
		return nil, err
	}
	p := &DownloadMicrocodeStatus{GenerationCode: c.uint32("generation code")}
	for i := range int(b[1]) + 1 {
		d := c.bytes(16, fmt.Sprintf("status descriptor %d", i))
		p.Subenclosures = append(p.Subenclosures, DownloadStatus{
			SubenclosureID:       d[1],
			Code:                 DownloadCode(d[2]),
			AdditionalStatus:     d[3],
			MaximumSize:          binary.BigEndian.Uint32(d[4:]),
			ExpectedBufferID:     d[11],
			ExpectedBufferOffset: binary.BigEndian.Uint32(d[12:]),
		})
	}
	if c.err != nil {
		return nil, c.err
	}
	return p, nil
}

// Subenclosure returns the status of one subenclosure, or false if the page has none.
func (p *DownloadMicrocodeStatus) Subenclosure(id uint8) (DownloadStatus, bool) {
	for _, d := range p.Subenclosures {
		if d.SubenclosureID == id {
			return d, true
		}
	}
	return DownloadStatus{}, false
}

// AppendBinary implements encoding.BinaryAppender.
func (p *DownloadMicrocodeStatus) AppendBinary(b []byte) ([]byte, error) {
	if n := len(p.Subenclosures); n < 1 || n > 256 {
		return nil, cannotEncode(PageDownloadMicrocode, "%d subenclosures, where 1 to 256 fit", n)
	}
	return appendPage(b, PageDownloadMicrocode, byte(len(p.Subenclosures)-1), func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint32(b, p.GenerationCode)
		for _, d := range p.Subenclosures {
			b = append(b, 0, d.SubenclosureID, byte(d.Code), d.AdditionalStatus)
			b = binary.BigEndian.AppendUint32(b, d.MaximumSize)
			b = append(b, 0, 0, 0, d.ExpectedBufferID)
			b = binary.BigEndian.AppendUint32(b, d.ExpectedBufferOffset)
		}
		return b, nil
	})
}

// RefusedField returns the field of the control page that the ESP objected to, or false if
// its status does not say so. A refused mode is ModeField. Drain an old status before a
// download: an aborted download looks like a refused mode.
func (d DownloadStatus) RefusedField() (ControlField, bool) {
	return ControlField(d.AdditionalStatus), d.Code == DownloadFieldError
}

// String returns what the status means, for people.
func (d DownloadStatus) String() string {
	if field, ok := d.RefusedField(); ok {
		return fmt.Sprintf("%v: %v", d.Code, field)
	}
	if d.AdditionalStatus != 0 {
		return fmt.Sprintf("%v, additional status %02Xh", d.Code, d.AdditionalStatus)
	}
	return d.Code.String()
}

// DownloadCode is a download microcode status code. An ESP reports completion codes and
// errors once: the next reading gets DownloadIdle, which proves nothing.
type DownloadCode byte

const (
	DownloadIdle              DownloadCode = 0x00
	DownloadInProgress        DownloadCode = 0x01 // awaiting more data
	DownloadUpdating          DownloadCode = 0x02 // all received, writing flash
	DownloadUpdatingDeferred  DownloadCode = 0x03 // likewise, to be activated later
	DownloadDoneStartsNow     DownloadCode = 0x10 // starts after this status is returned
	DownloadDoneAfterReset    DownloadCode = 0x11 // after a hard reset or power on
	DownloadDoneAfterPowerOn  DownloadCode = 0x12
	DownloadDoneDeferred      DownloadCode = 0x13 // after mode 0Fh, a hard reset or power on
	DownloadFieldError        DownloadCode = 0x80 // additional status: offset of the field; data discarded
	DownloadImageError        DownloadCode = 0x81 // data discarded
	DownloadTimeout           DownloadCode = 0x82 // data discarded
	DownloadNeedsImage        DownloadCode = 0x83 // a new image must be downloaded before a reset or power on
	DownloadInternalError     DownloadCode = 0x84 // reset and power on are safe
	DownloadNothingToActivate DownloadCode = 0x85
)

var downloadText = map[DownloadCode]string{
	DownloadIdle:              "no download in progress",
	DownloadInProgress:        "download in progress, awaiting more data",
	DownloadUpdating:          "all data received, writing flash",
	DownloadUpdatingDeferred:  "all data received, writing flash for a later activation",
	DownloadDoneStartsNow:     "complete, the new microcode starts now",
	DownloadDoneAfterReset:    "complete, the new microcode starts after a hard reset or power on",
	DownloadDoneAfterPowerOn:  "complete, the new microcode starts after power on",
	DownloadDoneDeferred:      "complete, the new microcode starts after its activation, a hard reset or power on",
	DownloadFieldError:        "error in a field of the control page, data discarded",
	DownloadImageError:        "error in the image, data discarded",
	DownloadTimeout:           "timed out, data discarded",
	DownloadNeedsImage:        "internal error: download a new image before any reset or power on, do not power-cycle",
	DownloadInternalError:     "internal error: reset and power on are safe",
	DownloadNothingToActivate: "activation was requested, but no microcode is deferred",
}

// InProgress reports whether a download is under way: its data, or the writing of flash.
func (c DownloadCode) InProgress() bool { return c >= 0x01 && c <= 0x0f }

// Complete reports whether a download ended without an error.
func (c DownloadCode) Complete() bool { return c >= 0x10 && c <= 0x7f }

// Failed reports whether a download, or an activation, ended with an error.
func (c DownloadCode) Failed() bool { return c >= 0x80 }

// String returns what the code means, and its number.
func (c DownloadCode) String() string {
	text, ok := downloadText[c]
	switch {
	case ok:
	case c.InProgress():
		text = "in progress"
	case c.Complete():
		text = "complete"
	default:
		text = "error"
	}
	return fmt.Sprintf("%s (%02Xh)", text, byte(c))
}

package ses

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// MaxChunk is the largest number of image bytes in one control page: a page of 65,532 bytes
// less its 24-byte header.
const MaxChunk = MaxPage - controlHeader

const controlHeader = 24

// DownloadMicrocodeControl is page 0Eh as it is sent to an ESP: one chunk of an
// image, the activation of deferred microcode, or the end of a download (SES-3,
// Download Microcode Control diagnostic page):
//
//	0    0Eh                          11     buffer id
//	1    subenclosure id              12-15  buffer offset, a multiple of 4
//	2-3  page length (n-3)            16-19  image length
//	4-7  expected generation code     20-23  data length, unpadded
//	8    mode                         24-    data, zero-padded to a multiple of 4
type DownloadMicrocodeControl struct {
	SubenclosureID         uint8
	ExpectedGenerationCode uint32
	Mode                   DownloadMode
	BufferID               uint8
	BufferOffset           uint32
	ImageLength            uint32 // bytes of the whole image
	Data                   []byte // up to MaxChunk bytes of it; none to activate or to abort
}

// DownloadMode is the mode of a control page.
type DownloadMode byte

const (
	DownloadOffsetsActivate     DownloadMode = 0x06 // SES-2 only
	DownloadOffsetsSaveActivate DownloadMode = 0x07
	DownloadOffsetsSaveDefer    DownloadMode = 0x0e
	ActivateDeferredMicrocode   DownloadMode = 0x0f
	AbortDownload               DownloadMode = 0xff // any reserved value does; sg3_utils sends this one
)

func (m DownloadMode) String() string { return fmt.Sprintf("mode %02Xh", byte(m)) }

func (m DownloadMode) carriesData() bool {
	return m == DownloadOffsetsActivate || m == DownloadOffsetsSaveActivate || m == DownloadOffsetsSaveDefer
}

// ControlField is a field of the control page, by its byte offset. The additional status of
// 80h holds it, and sense data points at it.
type ControlField uint8

const (
	SubenclosureIDField         ControlField = 1
	ExpectedGenerationCodeField ControlField = 4
	ModeField                   ControlField = 8
	BufferIDField               ControlField = 11
	BufferOffsetField           ControlField = 12
	ImageLengthField            ControlField = 16
	DataLengthField             ControlField = 20
)

var controlFieldNames = map[ControlField]string{
	SubenclosureIDField:         "subenclosure id",
	ExpectedGenerationCodeField: "expected generation code",
	ModeField:                   "mode",
	BufferIDField:               "buffer id",
	BufferOffsetField:           "buffer offset",
	ImageLengthField:            "image length",
	DataLengthField:             "data length",
}

func (f ControlField) String() string {
	if name, ok := controlFieldNames[f]; ok {
		return fmt.Sprintf("%s (byte %d)", name, uint8(f))
	}
	return fmt.Sprintf("byte %d", uint8(f))
}

// Validate refuses a page that must not be sent to any ESP: an unknown mode; data with a
// mode that takes none; a chunk that is empty, longer than MaxChunk, not a multiple of 4 or
// beyond the image.
func (p *DownloadMicrocodeControl) Validate() error {
	if problem := p.problem(); problem != "" {
		return cannotEncode(PageDownloadMicrocode, "%s", problem)
	}
	return nil
}

func (p *DownloadMicrocodeControl) problem() string {
	n := uint64(len(p.Data))
	end := uint64(p.BufferOffset) + n
	switch {
	case p.Mode == ActivateDeferredMicrocode || p.Mode == AbortDownload:
		if n != 0 {
			return fmt.Sprintf("%v takes no data", p.Mode)
		}
	case !p.Mode.carriesData():
		return fmt.Sprintf("%v is unknown", p.Mode)
	case n == 0:
		return fmt.Sprintf("%v without data", p.Mode)
	case n > MaxChunk:
		return fmt.Sprintf("%d data bytes are more than the %d of one page", n, MaxChunk)
	case p.BufferOffset%4 != 0:
		return fmt.Sprintf("buffer offset %d is not a multiple of 4", p.BufferOffset)
	case end > uint64(p.ImageLength):
		return fmt.Sprintf("the data ends at byte %d of an image of %d", end, p.ImageLength)
	case n%4 != 0 && end < uint64(p.ImageLength):
		return fmt.Sprintf("%d data bytes before the end of the image are not a multiple of 4", n)
	}
	return ""
}

// AppendBinary implements encoding.BinaryAppender for pages that are valid.
func (p *DownloadMicrocodeControl) AppendBinary(b []byte) ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return appendPage(b, PageDownloadMicrocode, p.SubenclosureID, func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint32(b, p.ExpectedGenerationCode)
		b = append(b, byte(p.Mode), 0, 0, p.BufferID)
		b = binary.BigEndian.AppendUint32(b, p.BufferOffset)
		b = binary.BigEndian.AppendUint32(b, p.ImageLength)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.Data)))
		b = append(b, p.Data...)
		for n := len(p.Data); n%4 != 0; n++ {
			b = append(b, 0)
		}
		return b, nil
	})
}

// ParseDownloadMicrocodeControl reads a control page, for instance from a trace. It refuses
// what Validate refuses.
func ParseDownloadMicrocodeControl(b []byte) (*DownloadMicrocodeControl, error) {
	c, err := open(PageDownloadMicrocode, b)
	if err != nil {
		return nil, err
	}
	h := c.bytes(controlHeader-4, "header")
	length := binary.BigEndian.Uint32(h[16:])
	if c.err == nil && uint64(length) > uint64(c.left()) {
		c.fail("%d data bytes, and %d are left", length, c.left())
	}
	if c.err != nil {
		return nil, c.err
	}
	p := &DownloadMicrocodeControl{
		SubenclosureID:         b[1],
		ExpectedGenerationCode: binary.BigEndian.Uint32(h[0:]),
		Mode:                   DownloadMode(h[4]),
		BufferID:               h[7],
		BufferOffset:           binary.BigEndian.Uint32(h[8:]),
		ImageLength:            binary.BigEndian.Uint32(h[12:]),
		Data:                   slices.Clone(c.bytes(int(length), "data")),
	}
	if problem := p.problem(); problem != "" {
		c.fail("%s", problem)
		return nil, c.err
	}
	return p, nil
}

package sim

import (
	"encoding/binary"
)

// writer builds what a device returns. Multi-byte fields are big-endian.
type writer struct{ b []byte }

func (w *writer) u8(v ...byte)   { w.b = append(w.b, v...) }
func (w *writer) u16(v int)      { w.b = binary.BigEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) u32(v uint32)   { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64)   { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *writer) bytes(b []byte) { w.b = append(w.b, b...) }

// text writes s in a field of n bytes, padded with blanks as SPC requires.
func (w *writer) text(s string, n int) {
	for i := range n {
		if i < len(s) {
			w.u8(s[i])
		} else {
			w.u8(' ')
		}
	}
}

// length fills in the 16-bit length at offset 2 that pages begin with: the bytes
// that follow it.
func (w *writer) length() []byte {
	binary.BigEndian.PutUint16(w.b[2:], uint16(len(w.b)-4))
	return w.b
}

func be16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }
func be24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }
func be32(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

// SAM status codes.
const (
	good           = 0x00
	checkCondition = 0x02
	busy           = 0x08
	taskSetFull    = 0x28
)

// hostError is the kernel's host status DID_ERROR: something went wrong on the way.
const hostError = 0x07

// sense is sense data before it is in one of its formats.
type sense struct {
	key, asc, ascq byte
	field          fieldKind
	pointer        int // byte that the field pointer names
}

type fieldKind int

const (
	noField      fieldKind = iota // SKSV is 0
	inCDB                         // C/D is 1
	inParameters                  // C/D is 0
)

func invalidOpcode() *sense    { return &sense{key: 5, asc: 0x20} }
func badCDB(offset int) *sense { return &sense{key: 5, asc: 0x24, field: inCDB, pointer: offset} }
func badParam(offset int) *sense {
	return &sense{key: 5, asc: 0x26, field: inParameters, pointer: offset}
}
func badLength() *sense          { return &sense{key: 5, asc: 0x1a} }
func outOfSequence() *sense      { return &sense{key: 5, asc: 0x2c} }
func becomingReady() *sense      { return &sense{key: 2, asc: 0x04, ascq: 0x01} }
func operationUnderWay() *sense  { return &sense{key: 2, asc: 0x04, ascq: 0x07} }
func transferRefused() *sense    { return &sense{key: 5, asc: 0x35, ascq: 0x04} }
func attention(a [2]byte) *sense { return &sense{key: 6, asc: a[0], ascq: a[1]} }
func noSense() *sense            { return &sense{} }
func microcodeWaits() *sense     { return &sense{asc: 0x00, ascq: 0x22} }

var (
	attentionReset     = [2]byte{0x29, 0x00}
	attentionNexusLoss = [2]byte{0x29, 0x07} // the path was away, not the device
	attentionMicrocode = [2]byte{0x3f, 0x01}
)

// specific is the sense-key-specific field: the pointer to the field in error.
func (s *sense) specific() []byte {
	switch s.field {
	case inCDB:
		return []byte{0xc0, byte(s.pointer >> 8), byte(s.pointer)}
	case inParameters:
		return []byte{0x80, byte(s.pointer >> 8), byte(s.pointer)}
	}
	return []byte{0, 0, 0}
}

// fixed is current sense data in fixed format, response code 70h.
func (s *sense) fixed() []byte {
	b := make([]byte, 18)
	b[0], b[2], b[7], b[12], b[13] = 0x70, s.key, 10, s.asc, s.ascq
	copy(b[15:], s.specific())
	return b
}

// descriptor is current sense data in descriptor format, response code 72h.
func (s *sense) descriptor() []byte {
	b := []byte{0x72, s.key, s.asc, s.ascq, 0, 0, 0, 0}
	if s.field != noField {
		b[7] = 8
		b = append(b, 0x02, 0x06, 0, 0)
		b = append(append(b, s.specific()...), 0)
	}
	return b
}

package scsi

// BufferDescriptor is what READ BUFFER returns in its descriptor mode:
//
//	0  offset boundary     1-3  buffer capacity
type BufferDescriptor struct {
	OffsetBoundary byte // offsets are multiples of 2 to the power of this; FFh: only offset 0
	Capacity       int  // bytes
}

// ParseBufferDescriptor reads the 4 bytes of a READ BUFFER descriptor.
func ParseBufferDescriptor(b []byte) (*BufferDescriptor, error) {
	if len(b) < 4 {
		return nil, cannotDecode("READ BUFFER descriptor", "it has %d bytes, not 4", len(b))
	}
	return &BufferDescriptor{OffsetBoundary: b[0], Capacity: int(b[1])<<16 | int(b[2])<<8 | int(b[3])}, nil
}

// Aligned reports whether a buffer offset is on the boundary that the device requires.
func (d *BufferDescriptor) Aligned(offset uint32) bool {
	if d.OffsetBoundary >= 32 {
		return offset == 0
	}
	return offset&(1<<d.OffsetBoundary-1) == 0
}

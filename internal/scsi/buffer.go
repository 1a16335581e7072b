package scsi

// BufferDescriptor is what READ BUFFER says of a buffer in its descriptor mode:
//
//	0  offset boundary     1-3  buffer capacity
type BufferDescriptor struct {
	OffsetBoundary byte // offsets are multiples of 2 to the power of this; FFh: only offset 0
	Capacity       int  // bytes
}

// ParseBufferDescriptor reads the 4 bytes of a READ BUFFER descriptor.
func ParseBufferDescriptor(b []byte) (*BufferDescriptor, error) {
	if len(b) < 4 {
		return nil, cannotDecode("READ BUFFER descriptor", "%d bytes, where it has 4", len(b))
	}
	return &BufferDescriptor{OffsetBoundary: b[0], Capacity: int(b[1])<<16 | int(b[2])<<8 | int(b[3])}, nil
}

// Aligned reports whether a buffer offset lies on the boundary that the device asks for.
func (d *BufferDescriptor) Aligned(offset uint32) bool {
	if d.OffsetBoundary >= 32 {
		return offset == 0
	}
	return offset&(1<<d.OffsetBoundary-1) == 0
}

//go:build !linux

package transport

// Local returns ErrUnsupported: only Linux has a SCSI transport that fwctl knows.
func Local() (Machine, error) { return nil, ErrUnsupported }

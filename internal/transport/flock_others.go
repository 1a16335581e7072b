//go:build !linux

package transport

import "fmt"

// HoldsFlock cannot tell on this system who holds a file with flock(2).
func HoldsFlock(path string, pid int) (bool, error) {
	return false, fmt.Errorf("cannot tell whether process %d has the lock %s: only Linux shows that", pid, path)
}

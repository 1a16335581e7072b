//go:build !linux

package transport

import "fmt"

// HoldsFlock returns an error: this system does not show who holds a file with flock(2).
func HoldsFlock(path string, pid int) (bool, error) {
	return false, fmt.Errorf("cannot find out whether process %d has the lock %s: only Linux shows that", pid, path)
}

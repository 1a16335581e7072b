//go:build !linux

package transport

import "fmt"

// Flockers cannot tell on this system who holds a file with flock(2).
func Flockers(path string) ([]int, error) {
	return nil, fmt.Errorf("cannot tell who has the lock %s: only Linux shows that", path)
}

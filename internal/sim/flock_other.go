//go:build !unix

package sim

import "fmt"

// lockFile refuses: a rack that several processes may share needs flock.
func lockFile(name string, exclusive, wait bool) (unlock func() error, err error) {
	return nil, fmt.Errorf("cannot lock %s: simulated racks need a system that has flock", name)
}

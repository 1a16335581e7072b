package transport

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFlockers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "5000ccab04001000")
	if got, err := Flockers(path); len(got) > 0 || err != nil {
		t.Errorf("Flockers of no file = %v, %v; want nobody", got, err)
	}
	lock, err := lockFile(dir, filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Flockers(path); !slices.Equal(got, []int{os.Getpid()}) || err != nil {
		t.Errorf("Flockers of a lock of this process = %v, %v; want %d", got, err, os.Getpid())
	}
	lock.Close()
	if got, err := Flockers(path); len(got) > 0 || err != nil {
		t.Errorf("Flockers after it = %v, %v; want nobody", got, err)
	}
}

func TestFlockersReadsProcLocks(t *testing.T) {
	const locks = `1: POSIX  ADVISORY  WRITE 10 00:19:70127 0 EOF
2: FLOCK  ADVISORY  WRITE 3568 00:19:70127 0 EOF
2: -> FLOCK  ADVISORY  WRITE 11 00:19:70127 0 EOF
3: FLOCK  ADVISORY  READ  12 00:19:170127 0 EOF
4: OFDLCK ADVISORY  WRITE -1 00:19:70127 0 EOF
5: FLOCK
`
	if got := flockers([]byte(locks), 70127); !slices.Equal(got, []int{3568}) {
		t.Errorf("flockers = %v; want 3568 alone", got)
	}
}

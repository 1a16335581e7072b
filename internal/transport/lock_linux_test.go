package transport

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A lock that someone else may have put there is refused by name, and nobody waits for it.
func TestForeignLock(t *testing.T) {
	t.Parallel()
	own := func(dir string) error { return os.Mkdir(dir, 0o755) }
	for name, tt := range map[string]struct {
		make func(dir, file string) error
		root bool // it takes root to make it
		want string
	}{
		"a link to a directory": {func(dir, _ string) error { return errors.Join(own(dir+".other"), os.Symlink(dir+".other", dir)) }, false, "is a link"},
		"everybody's directory": {func(dir, _ string) error { return errors.Join(own(dir), os.Chmod(dir, 0o777)) }, false, "can be written by others"},
		"somebody's directory":  {func(dir, _ string) error { return errors.Join(own(dir), os.Chown(dir, 1234, 1234)) }, true, "belongs to user 1234"},
		"a link":                {func(dir, file string) error { return errors.Join(own(dir), os.Symlink(dir+"/other", file)) }, false, "is a link"},
		"a named pipe":          {func(dir, file string) error { return errors.Join(own(dir), unix.Mkfifo(file, 0o600)) }, false, "is not a regular file"},
		"a directory as a file": {func(dir, file string) error { return errors.Join(own(dir), own(file)) }, false, "not what it should be"},
		"somebody's file": {func(dir, file string) error {
			return errors.Join(own(dir), os.WriteFile(file, nil, 0o600), os.Chown(file, 1234, 1234))
		}, true, "belongs to user 1234"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("it takes root to give a file away")
			}
			dir := filepath.Join(t.TempDir(), "fwctl")
			if err := tt.make(dir, filepath.Join(dir, "lock")); err != nil {
				t.Fatal(err)
			}
			_, err := lockFile(dir, "lock", unix.LOCK_EX)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("lockFile = %v; want %q, naming %s", err, tt.want, dir)
			}
		})
	}
}

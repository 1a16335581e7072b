package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fwctl/internal/state"
)

// Readers and writers refuse by name anything that is not a database of fwctl, and never wait for it.
func TestUnfitPlaces(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		make func(dir, path string) error
		root bool // only root's fwctl refuses it
		want string
	}{
		"a named pipe":    {func(_, path string) error { return syscall.Mkfifo(path, 0o600) }, false, "it is a named pipe"},
		"a directory":     {func(_, path string) error { return os.Mkdir(path, 0o700) }, false, "it is a directory"},
		"a link":          {func(_, path string) error { return os.Symlink("/etc/passwd", path) }, false, "it is a symbolic link"},
		"a dangling link": {func(_, path string) error { return os.Symlink("nowhere", path) }, false, "it is a symbolic link"},
		"a text":          {func(_, path string) error { return os.WriteFile(path, []byte(strings.Repeat("text ", 300)), 0o600) }, false, "or not a database of fwctl"},
		"a log without content": {func(_, path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.WriteFile(path+"-wal", []byte("log"), 0o600))
		}, false, "write-ahead log is not"},
		"somebody's directory": {func(dir, path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(dir, 1234, 1234))
		}, true, "chown root:root"},
		"somebody's file": {func(_, path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, 1234, 1234))
		}, true, "chown root:root"},
		"everybody's directory": {func(dir, path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(dir, 0o777)) }, true, "chmod go-w"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("only root refuses it")
			}
			dir := filepath.Join(t.TempDir(), "state")
			if err := errors.Join(os.Mkdir(dir, 0o755), tt.make(dir, filepath.Join(dir, state.FileName))); err != nil {
				t.Fatal(err)
			}
			for opener, f := range map[string]func(string) (*state.Store, error){"Open": state.Open,
				"OpenReadOnly": state.OpenReadOnly, "OpenExisting": state.OpenExisting} {
				_, err := f(dir)
				var e *state.Error
				if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
					t.Errorf("%s = %v; want a *state.Error with %q that names the place", opener, err, tt.want)
				}
			}
		})
	}
}

// A writer does not put its tables beside another program's.
func TestAnotherProgramsDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pragma(t, dir, "CREATE TABLE mail (id)")
	if _, err := state.Open(dir); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("Open = %v; want it refused as another program's", err)
	}
}

// Nothing is recorded in a database that its path no longer leads to.
func TestDatabaseThatIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		take func(dir string) error
		want string
	}{
		"removed": {os.RemoveAll, "was removed"},
		"renamed": {func(dir string) error { return os.Rename(dir, dir+".old") }, "was removed"},
		"replaced": {func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.CopyFS(dir, os.DirFS(dir+".old")))
		}, "was replaced"},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		s := open(t, dir)
		if err := tt.take(dir); err != nil {
			t.Fatal(err)
		}
		err := s.Update(ctx, func(tx *state.Tx) { tx.Unstage(key) })
		var e *state.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Update of a database that was %s = %v; want %q", name, err, tt.want)
		}
	}
}

package state_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fwctl/internal/state"
)

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// files are the names in a store's directory of images.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "images"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestImagesAreKeptUntilTheyAreDropped(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a, b := digestOf("image a"), digestOf("image b")
	if err := s.DropImages(nil); err != nil {
		t.Errorf("DropImages of none = %v", err)
	}
	if _, err := s.Image(a); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Image of none = %v; want fs.ErrNotExist", err)
	}
	for range 2 { // the second time there is nothing to do
		for _, content := range []string{"image a", "image b"} {
			if err := s.KeepImage(digestOf(content), []byte(content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.KeepImage(a, []byte("image c")); err == nil || !strings.Contains(err.Error(), digestOf("image c")) {
		t.Errorf("KeepImage of other content = %v; want an error that names its digest", err)
	}
	check(t, "Image", []byte("image a"))(s.Image(a))

	// The part of an image that a crash left is removed with images that are not needed.
	if err := os.WriteFile(filepath.Join(dir, "images", "."+a+".123"), []byte("ima"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir)
	if err := s.DropImages(map[string]bool{b: true}); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{b}) {
		t.Errorf("after DropImages there are %v; want %s alone", got, b)
	}
	check(t, "Image", []byte("image b"))(s.Image(b))
}

// An image that is damaged on the disk is never used, and is put right by who has it.
func TestDamagedImage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	sum := digestOf("image")
	if err := s.KeepImage(sum, []byte("image")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "images", sum), []byte("imagE"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Image(sum); got != nil || err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Image of a damaged file = %q, %v; want no image, and an error that says so", got, err)
	}
	if err := s.KeepImage(sum, []byte("image")); err != nil {
		t.Fatal(err)
	}
	check(t, "Image", []byte("image"))(s.Image(sum))
}

// Readers have images too, and need no right to write for that.
func TestImageIsReadWhileAnApplyWrites(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	sum := digestOf("image")
	if err := w.KeepImage(sum, []byte("image")); err != nil {
		t.Fatal(err)
	}
	update(t, w, func(tx *state.Tx) {
		tx.Unstage(key)
		r, err := state.OpenReadOnly(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		check(t, "Image", []byte("image"))(r.Image(sum))
		check(t, "Kept", []byte(nil))(r.Kept(ctx, 1))
		check(t, "Unfinished", []state.Run(nil))(r.Unfinished(ctx))
	})
}

func TestImageThatCannotBeKept(t *testing.T) {
	sum := digestOf("image")
	for name, obstruct := range map[string]func(dir string) error{
		"no directory": func(dir string) error { return os.WriteFile(filepath.Join(dir, "images"), nil, 0o644) },
		"no file":      func(dir string) error { return os.MkdirAll(filepath.Join(dir, "images", sum), 0o755) },
	} {
		dir := t.TempDir()
		s := open(t, dir)
		if err := obstruct(dir); err != nil {
			t.Fatal(err)
		}
		err := s.KeepImage(sum, []byte("image"))
		var e *state.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), filepath.Join(dir, "images", sum)) {
			t.Errorf("KeepImage with %s = %v; want a *state.Error that names the file", name, err)
		}
		if name == "no file" {
			if got := files(t, dir); !slices.Equal(got, []string{sum}) {
				t.Errorf("after KeepImage with %s there are %v; want nothing temporary", name, got)
			}
		}
	}
	for cause, hint := range map[error]string{
		syscall.ENOSPC: "the disk is full",
		syscall.EDQUOT: "the disk is full",
		syscall.EACCES: "--state-dir",
		syscall.EROFS:  "--state-dir",
	} {
		err := state.ImageError("write", "images/"+sum, &fs.PathError{Op: "write", Path: "images/.temp", Err: cause})
		if got := err.Error(); !strings.Contains(got, hint) || strings.Contains(got, ".temp") {
			t.Errorf("an image that cannot be written for %v says %q; want the hint %q, and no temporary name", cause, got, hint)
		}
	}
}

// A database that is empty beside images that are kept is one that was lost.
func TestEmptiedDatabase(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	data := []byte("image")
	if err := s.KeepImage(digestOf(string(data)), data); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, name := range []string{state.FileName, state.FileName + "-wal", state.FileName + "-shm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, state.FileName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(string) (*state.Store, error){"OpenReadOnly": state.OpenReadOnly,
		"Open": state.Open} {
		if s, err := f(dir); err == nil || !strings.Contains(err.Error(), "damaged or replaced") {
			t.Errorf("%s of an emptied database = %v, %v; want it told", name, s, err)
		}
	}
}

package image_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fwctl/internal/image"
)

const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	path := write(t, "a.bin", "hello")
	img, err := image.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	// What was hashed stays what is sent, whatever becomes of the file.
	if err := os.WriteFile(path, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if img.SHA256() != hello || img.Size() != 5 || string(img.Bytes()) != "hello" || img.Path() != path {
		t.Errorf("Load = %s, %d bytes %q of %s; want %s, 5 bytes \"hello\" of %s", img.SHA256(), img.Size(), img.Bytes(),
			img.Path(), hello, path)
	}
	if err := img.Expect(strings.ToUpper(hello)); err != nil {
		t.Errorf("Expect(its digest) = %v; want nil", err)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	huge := write(t, "huge", "")
	if err := os.Truncate(huge, image.MaxSize+1); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, want string
		is         error
	}{
		{filepath.Join(dir, "gone.bin"), "there is no such file", fs.ErrNotExist},
		{dir, "it is a directory", nil},
		{"/dev/null", "it is a device", nil},
		{pipe, "it is a named pipe", nil},
		{write(t, "empty.bin", ""), "it is empty", nil},
		{huge, "it has more than 256 MiB", nil},
		{"/proc/self/mem/x", "it cannot be read: not a directory", nil},
	} {
		_, err := image.Load(tt.path)
		var e *image.Error
		if !errors.As(err, &e) {
			t.Errorf("Load(%s) = %v; want an *Error", tt.path, err)
			continue
		}
		if !strings.Contains(err.Error(), "cannot use image "+tt.path+": "+tt.want) || e.Hint == "" {
			t.Errorf("Load(%s) = %q, hint %q; want %q and a hint", tt.path, err, e.Hint, tt.want)
		}
		if tt.is != nil && !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("Load(%s) = %q; want nothing behind %q, which says it", tt.path, err, tt.want)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("Load(%s) = %v; want one that is %v", tt.path, err, tt.is)
		}
	}

	path := write(t, "a.bin", "hello!")
	img, err := image.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := img.Expect(hello); err == nil || !strings.Contains(err.Error(), hello) ||
		!strings.Contains(err.Error(), img.SHA256()) {
		t.Errorf("Expect(another digest) = %v; want an error with both", err)
	}
}

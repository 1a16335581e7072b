package transport

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What a program prints is taken if it ends well, and is not without end; one that does not
// end is left behind.
func TestOutput(t *testing.T) {
	t.Setenv("ZFS_COLOR", "1")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	script := func(text string) string {
		file := filepath.Join(t.TempDir(), "zpool")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	got, err := output(t.Context(), script(`echo "$@ $LC_ALL $ZFS_COLOR."; echo no >&2`), "status", "-LP")
	if err != nil || got != "status -LP C .\n" {
		t.Errorf("output = %q, %v; want what was printed, in English and without colour", got, err)
	}
	var exit *exec.ExitError
	if got, err := output(t.Context(), script("echo partly; exit 2")); !errors.As(err, &exit) || got != "" {
		t.Errorf("output of a program that fails = %q, %v; want its failure alone", got, err)
	}
	if got, err := output(t.Context(), script("exec cat /dev/zero")); err == nil || got != "" {
		t.Errorf("output of a program without end = %d bytes, %v; want an error", len(got), err)
	}
	if _, err := output(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("output of no program = %v; want fs.ErrNotExist", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	hangs := script("echo begun; exec cat " + pipe)
	cancel()
	if got, err := output(ctx, hangs); err == nil || got != "" {
		t.Errorf("output of a program that hangs = %q, %v; want an error", got, err)
	}
}

// A host without ZFS is not asked: its zpool would load the module.
func TestNoZFS(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/sys/module/zfs"); err == nil {
		t.Skip("this kernel has ZFS")
	}
	if got, err := zpoolStatus(t.Context()); !errors.Is(err, fs.ErrNotExist) || got != "" {
		t.Errorf("zpoolStatus = %q, %v; want fs.ErrNotExist", got, err)
	}
}

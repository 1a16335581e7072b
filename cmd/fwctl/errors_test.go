package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/hashicorp/go-multierror"

	"fwctl/executor/result"
	"fwctl/internal/image"
	"fwctl/internal/state"
	"fwctl/internal/transport"
	"fwctl/internal/ui"
	"fwctl/plan"
	"fwctl/schemas"
)

func TestExitCode(t *testing.T) {
	several := func(codes ...int) error {
		var all *multierror.Error
		for _, code := range codes {
			all = multierror.Append(all, &failure{code: code, what: "x"})
		}
		return all
	}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{&failure{code: exitChanges}, 2},
		{&plan.DamagedError{}, 3},
		{fmt.Errorf("x.plan: %w", &plan.DamagedError{}), 3},
		{&transport.Error{Err: transport.ErrBusy}, 3},
		{&transport.Error{Err: fs.ErrPermission}, 1},
		{transport.ErrUnsupported, 1},
		{&state.Error{Err: state.ErrFull}, 1},
		{unbegun(&state.Error{Err: state.ErrFull}), 3},
		{unbegun(errors.New("x")), 1},
		{several(1, 3), 3},
		{several(3, 130, 1), 130},
		{several(130, 4, 3), 4},
		{several(4, 5, 130), 5},
		{errors.Join(errors.New("x"), &plan.DamagedError{}), 3},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("exitCode(%v) = %d; want %d", tt.err, got, tt.want)
		}
	}
	for outcome, want := range map[result.RunOutcome]int{
		result.RunDone: 0, result.RunStopped: 6, result.RunRefused: 3, result.RunFailed: 4, result.RunUnknown: 5,
		result.RunInterrupted: 130,
		"something new":       5,
	} {
		if got := outcome.ExitCode(); got != want {
			t.Errorf("%s.ExitCode() = %d; want %d", outcome, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{&failure{code: exitChanges}, ""},
		{&failure{code: exitFailed, hint: "look at the reasons above, then plan again"}, "hint: look at the reasons above, then plan again\n"},
		{errors.New("cannot do it: because"), "fwctl: cannot do it: because\n"},
		{&failure{exitError, "cannot use -o \"x\"", "it takes table or json"}, "fwctl: cannot use -o \"x\"\nhint: it takes table or json\n"},
		{&transport.Error{Op: "open", Path: "/dev/sg3", Err: fs.ErrPermission}, "fwctl: cannot open /dev/sg3: permission denied\nhint: run fwctl as root\n"},
		{&transport.Error{Op: "open", Path: "/dev/sg3", Err: transport.ErrBusy}, "fwctl: cannot open /dev/sg3: held by another process\nhint: wait until that process is done, or stop it\n"},
		{fmt.Errorf("cannot read the plan: %w", &fs.PathError{Op: "open", Path: "a.plan", Err: fs.ErrPermission}),
			"fwctl: cannot read the plan: open a.plan: permission denied\nhint: allow the user that runs fwctl to use that file, or name another\n"},
		{fmt.Errorf("cannot %w", &fs.PathError{Op: "write", Path: "inv.json", Err: syscall.ENOSPC}),
			"fwctl: cannot write inv.json: no space left on device\nhint: make room on that file system, or name a file on another one\n"},
		{fmt.Errorf("cannot %w", &fs.PathError{Op: "write", Path: "inv.json", Err: syscall.EROFS}),
			"fwctl: cannot write inv.json: read-only file system\nhint: name a file on a file system that can be written\n"},
		{&state.Error{Op: "open", Path: "state/state.db", Err: syscall.EROFS},
			"fwctl: cannot open state state/state.db: read-only file system\nhint: fwctl keeps its memory there: name a directory that it can write with --state-dir\n"},
		{&state.Error{Op: "open", Path: "state/state.db", Err: fs.ErrPermission, Hint: "run as root"}, "fwctl: cannot open state state/state.db: permission denied: run as root\n"},
		{fmt.Errorf("cannot open any enclosure: %w: run fwctl as root", fs.ErrPermission), "fwctl: cannot open any enclosure: permission denied: run fwctl as root\n"},
		{&image.Error{Path: "a.bin", Summary: "it is empty", Hint: "get the file again"}, "fwctl: cannot use image a.bin: it is empty\nhint: get the file again\n"},
		{multierror.Append(nil,
			schemas.Problem{File: "dc1.yaml", Line: 3, Column: 5, Summary: "unknown key \"imges\"",
				Hint: "did you mean \"images\"?"},
			schemas.Problem{File: "dc1.yaml", Line: 9, Column: 1, Summary: "want is empty"}),
			"fwctl: dc1.yaml:3:5: unknown key \"imges\"\nhint: did you mean \"images\"?\nfwctl: dc1.yaml:9:1: want is empty\n"},
	} {
		var stderr bytes.Buffer
		(&app{stderr: ui.NewOutput(&stderr)}).report(tt.err)
		if got := stderr.String(); got != tt.want {
			t.Errorf("report(%v) = %q; want %q", tt.err, got, tt.want)
		}
	}
}

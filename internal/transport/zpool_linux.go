package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// zpoolPlaces are where zpool is on hosts that do not have it in PATH, as a shell without
// root's profile does not.
var zpoolPlaces = []string{"/usr/sbin/zpool", "/sbin/zpool", "/usr/local/sbin/zpool"}

// maxZpoolStatus bounds what is read of zpool status: about 100 bytes a drive.
const maxZpoolStatus = 4 << 20

var errZpoolLength = errors.New("it is longer than any that is known")

// zpoolStatus runs zpool status, unless the kernel has no ZFS: zpool would load its module.
func zpoolStatus(ctx context.Context) (string, error) {
	fail := func(err error) (string, error) {
		return "", &Error{Op: "read the status of", Path: "ZFS pools", NotSent: true, Err: err}
	}
	if _, err := os.Stat("/sys/module/zfs"); err != nil {
		return fail(err)
	}
	program, err := findZpool()
	if err != nil {
		return fail(err)
	}
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := run(ctx, program, "status", "-LP")
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return fail(a.err)
		}
		return a.text, nil
	case <-ctx.Done():
		// A process that sleeps in the kernel, as over a suspended pool, does not even die.
		return fail(fmt.Errorf("%w: %w", ErrAbandoned, context.Cause(ctx)))
	}
}

func findZpool() (string, error) {
	program, err := exec.LookPath("zpool")
	for _, place := range zpoolPlaces {
		if err != nil {
			program, err = exec.LookPath(place)
		}
	}
	return program, err
}

// run returns what a program prints. It asks for plain text in English.
func run(ctx context.Context, program string, args ...string) (string, error) {
	var out capped
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", err
	}
	return out.String(), nil
}

// capped takes in no more than maxZpoolStatus.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxZpoolStatus {
		return 0, errZpoolLength
	}
	return c.Buffer.Write(p)
}

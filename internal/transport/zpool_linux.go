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
	text, err := output(ctx, program, "status", "-LP")
	if err != nil {
		return fail(err)
	}
	return text, nil
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

// output returns what a program prints when it ends well. It asks for plain text in English.
// It does not wait longer than ctx: a process that sleeps in the kernel, as over a suspended
// pool, does not even die.
func output(ctx context.Context, program string, args ...string) (string, error) {
	var out capped
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	ended := make(chan error, 1)
	go func() { ended <- cmd.Run() }()
	select {
	case err := <-ended:
		if err != nil {
			return "", err
		}
		return out.text.String(), nil
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", ErrAbandoned, context.Cause(ctx))
	}
}

// capped takes in no more than maxZpoolStatus. It has no ReadFrom, as bytes.Buffer does, which
// would take in all.
type capped struct{ text bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if c.text.Len()+len(p) > maxZpoolStatus {
		return 0, errZpoolLength
	}
	return c.text.Write(p)
}

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// fit returns an error unless dir holds a database that may be opened, judging by the file
// system. errors.Is sees fs.ErrNotExist if there is none.
func fit(dir string) error {
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(dir) // the directory may be a link
	if err != nil {
		return openError(path, err)
	}
	if err := private(dir, info); err != nil {
		return err
	}
	if info, err = os.Lstat(path); err != nil {
		return openError(path, err)
	}
	if !info.Mode().IsRegular() {
		return &Error{Op: "open", Path: path, Err: fmt.Errorf("it is %s, not a file", kind(info.Mode())),
			Hint: "find out who put it there, and move it away; or name another directory with --state-dir"}
	}
	if err := private(path, info); err != nil {
		return err
	}
	// SQLite discards the log of an empty database.
	if log, err := os.Stat(path + "-wal"); info.Size() == 0 && err == nil && log.Size() > 0 {
		return lostError(path, "it is empty, but its write-ahead log is not")
	}
	return nil
}

// private returns an error if fwctl runs as root and someone else can change the database.
func private(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	refuse := func(why, mend string) error {
		return &Error{Op: "use", Path: path, Err: errors.New(why),
			Hint: fmt.Sprintf("someone else could change what fwctl relies on as root: check the content, "+
				"then run `%s %q`; or name another directory with --state-dir", mend, path)}
	}
	switch {
	case stat.Uid != 0:
		return refuse(fmt.Sprintf("it belongs to user %d, and fwctl runs as root", stat.Uid), "chown root:root")
	case info.Mode().Perm()&0o022 != 0:
		return refuse(fmt.Sprintf("users other than root can write to it (mode %04o)", info.Mode().Perm()),
			"chmod go-w")
	}
	return nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// inPlace returns an error if the path of the database no longer leads to the open file:
// whatever is written to that file is lost with this process.
func (s *Store) inPlace() error {
	if s.file == nil {
		return nil
	}
	why := "it was replaced while fwctl was using it"
	switch info, err := os.Lstat(s.path); {
	case errors.Is(err, fs.ErrNotExist):
		why = "it was removed while fwctl was using it"
	case err != nil:
		return openError(s.path, err)
	case os.SameFile(info, s.file):
		return nil
	}
	return &Error{Op: "write to", Path: s.path, Err: errors.New(why),
		Hint: "put the directory back as it was; whatever it lacks is no longer known: " +
			"do not power-cycle anything before you have looked at the devices"}
}

// lost returns an error if images are kept beside an empty database: the run that they
// belong to was in a database that is gone.
func lost(path string) error {
	kept, err := os.ReadDir(filepath.Join(filepath.Dir(path), imagesDir))
	if err != nil || len(kept) == 0 {
		return nil
	}
	return lostError(path, "it is empty, but the images of an unfinished run are kept beside it")
}

func lostError(path, why string) error {
	return &Error{Op: "open", Path: path, Err: errors.New(why + ": it was damaged or replaced"),
		Hint: "put a copy of it back; or look at the devices first, without power-cycling them, " +
			"and name another directory with --state-dir"}
}

package atomicfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"fwctl/internal/atomicfile"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a.json"), filepath.Join(dir, "link.json")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, link} {
		if err := atomicfile.Write(name, []byte(name)); err != nil {
			t.Fatalf("Write(%s) = %v; want no error", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != name {
			t.Errorf("after Write(%s) the file holds %q, %v; want %q", name, got, err, name)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
		t.Errorf("Lstat(link) = %v, %v; want it to be a link still", info, err)
	}
	for _, name := range []string{dir, filepath.Join(dir, "missing", "a.json"), "/dev/null"} {
		if err := atomicfile.Write(name, nil); err == nil {
			t.Errorf("Write(%s) = nil; want an error", name)
		}
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("Stat(/dev/null) = %v, %v; want the device still", info, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("ReadDir = %v, %v; want the file and the link, and nothing temporary", left, err)
	}
}

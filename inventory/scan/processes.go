package scan

import (
	"bytes"
	_ "embed"
	"io"
	"slices"
	"sync"

	"gopkg.in/yaml.v3"

	"fwctl/internal/scsi"
	"fwctl/inventory"
)

//go:embed watchers.yaml
var watchersYAML []byte

// watchers are the names of processes that only watch disks.
var watchers = sync.OnceValue(func() map[string]bool {
	var rows []struct {
		Name string `yaml:"name"`
		Why  string `yaml:"why"`
	}
	d := yaml.NewDecoder(bytes.NewReader(watchersYAML))
	d.KnownFields(true)
	if err := d.Decode(&rows); err != nil && err != io.EOF {
		panic(err) // it is built in
	}
	names := map[string]bool{}
	for _, r := range rows {
		names[r.Name] = true
	}
	return names
})

// openers groups the processes that have a block device open by their names: those
// that use it, and the names of those that only watch it.
func (u *usage) openers(device string) (use []inventory.Use, watch []string) {
	pids := map[string][]int{}
	var names []string
	open, _ := u.open()
	for _, p := range open {
		if p.Device != device {
			continue
		}
		if pids[p.Command] == nil {
			names = append(names, p.Command)
		}
		pids[p.Command] = append(pids[p.Command], p.PID)
	}
	slices.Sort(names)
	for _, name := range names {
		shown := scsi.Text(name).String() // a process chooses its name
		if watchers()[name] {
			watch = append(watch, shown)
			continue
		}
		slices.Sort(pids[name])
		by := inventory.Use{Kind: inventory.RawUse, Name: shown, PID: pids[name][0]}
		if n := len(pids[name]); n > 1 {
			by.Processes = n
		}
		use = append(use, by)
	}
	return use, watch
}

// watched lists the processes that only watch a disk, or anything made of it.
func (u *usage) watched(disk string) []string {
	var names []string
	seen := map[string]bool{}
	var look func(layer)
	look = func(l layer) {
		if seen[l.name] {
			return
		}
		seen[l.name] = true
		_, watch := u.openers(l.name)
		names = append(names, watch...)
		for _, above := range append(u.partitions(l), u.holders(l)...) {
			look(above)
		}
	}
	look(u.disk(disk))
	slices.Sort(names)
	return slices.Compact(names)
}

package scan

import (
	"errors"
	"path"
	"regexp"
	"strconv"
	"strings"
)

var scsiAddress = regexp.MustCompile(`/([0-9]+:[0-9]+:[0-9]+:[0-9]+)/block/`)

// down returns why a disk is not a live path, or "" if it is one. link is the disk's link
// in sysfs.
//
// The SCSI device's state still says running after dm-multipath has given the path up. A
// disk below a map is therefore live only if the map's own status says so.
func (u *usage) down(disk, link string) string {
	device := disk
	if m := scsiAddress.FindStringSubmatch(link); m != nil {
		device = m[1]
	}
	l := u.disk(disk)
	switch state := text(u.fsys, path.Join(l.dir, "device/state")); state {
	case "running":
	case "":
		return "the state of " + device + " is unknown"
	default:
		return device + " is " + state
	}
	number := text(u.fsys, path.Join(l.dir, "dev"))
	for _, m := range u.maps(l) {
		active, err := u.pathsOf(m)
		usable, listed := active[number]
		switch {
		case err != nil:
			return "the state of " + device + " in " + m.String() + " is unknown: " + err.Error()
		case !listed:
			return m.String() + " does not list " + device + " as a path"
		case !usable:
			return device + " is failed in " + m.String()
		}
	}
	return ""
}

// pathsOf reports whether a dm-multipath map uses each of its paths, by device number.
func (u *usage) pathsOf(l layer) (map[string]bool, error) {
	known, ok := u.tables[l.name]
	if !ok {
		status, err := u.machine.DMTableStatus(l.name)
		if err == nil {
			known.active, err = parseMultipath(status)
		}
		known.err = err
		u.tables[l.name] = known
	}
	return known.active, known.err
}

type pathTable struct {
	active map[string]bool
	err    error
}

var errMultipathStatus = errors.New("the device mapper's status is not one of a multipath target that fwctl knows")

// parseMultipath reads the paths' states out of what DMTableStatus returns. A
// target's status is, as multipath_status of the kernel's dm-mpath.c writes it:
//
//	START LENGTH multipath FEATURES... HANDLER... GROUPS NEXT
//	  and for each group: STATE SELECTOR... PATHS ARGS
//	  and for each of its paths: MAJOR:MINOR A|F FAILURES and ARGS more words
//
// FEATURES, HANDLER and SELECTOR are lists that begin with how many words follow. A
// path that several targets have is in use if it is in all of them.
func parseMultipath(status string) (map[string]bool, error) {
	active := map[string]bool{}
	for line := range strings.Lines(status) {
		words := strings.Fields(line)
		if len(words) < 3 || words[2] != "multipath" {
			return nil, errMultipathStatus
		}
		s := &statusWords{words: words[3:]}
		s.skip(s.count()) // features
		s.skip(s.count()) // hardware handler
		groups := s.count()
		s.skip(1)
		for range groups {
			s.skip(1)
			s.skip(s.count())
			paths, args := s.count(), s.count()
			for range paths {
				device, state := s.next(), s.next()
				s.skip(1 + args)
				if state != "A" && state != "F" {
					s.bad = true
				}
				if was, listed := active[device]; !listed || was {
					active[device] = state == "A"
				}
			}
		}
		if s.bad || len(s.words) > 0 {
			return nil, errMultipathStatus
		}
	}
	return active, nil
}

// statusWords is a cursor over a target's status.
type statusWords struct {
	words []string
	bad   bool
}

func (s *statusWords) next() string {
	if len(s.words) == 0 {
		s.bad = true
		return ""
	}
	word := s.words[0]
	s.words = s.words[1:]
	return word
}

func (s *statusWords) skip(n int) {
	if n > len(s.words) {
		s.bad = true
		n = len(s.words)
	}
	s.words = s.words[n:]
}

// count reads a count, which is never more than the number of words left.
func (s *statusWords) count() int {
	n, err := strconv.Atoi(s.next())
	if err != nil || n < 0 || n > len(s.words) {
		s.bad = true
		return 0
	}
	return n
}

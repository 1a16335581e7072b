package plan

import (
	"fmt"
)

// apart tracks what each reset wave resets, to keep two resets of one fault domain apart.
type apart struct {
	inDomain map[domainWave]string // what is reset, by fault domain and wave
	first    []string              // the first thing that each wave resets, by wave number - 1
	alone    []bool                // whether a wave resets something of an unknown fault domain
}

type domainWave struct{ domain, wave int }

func newApart(waves int) *apart {
	return &apart{map[domainWave]string{}, make([]string, waves), make([]bool, waves)}
}

// add adds a step that is reset, and returns why its reset must not share its wave with those
// added before, "" if it may. A person's power cycle resets an enclosure, a command an ESP. A
// step of an unknown fault domain shares its wave with no other.
func (a *apart) add(s *Step, byPerson bool) string {
	n, what, kind := s.Waves.Reset, s.LUID, "ESP"
	if byPerson {
		what, kind = s.Enclosure, "enclosure"
	}
	first := &a.first[n-1]
	if *first == "" {
		*first, a.alone[n-1] = what, s.FaultDomain == 0
	}
	key := domainWave{s.FaultDomain, n}
	other, ok := a.inDomain[key]
	a.inDomain[key] = what
	switch {
	case s.FaultDomain > 0 && ok && other != what:
		return fmt.Sprintf("wave %d resets another %s of its fault domain too", n, kind)
	case *first != what && (s.FaultDomain == 0 || a.alone[n-1]):
		return fmt.Sprintf(
			"wave %d resets another %s too, and the fault domain of one of them is unknown: such a reset is alone "+
				"in its wave",
			n, kind,
		)
	}
	return ""
}

package plan

import (
	"slices"
)

// Wave is a set of steps between two barriers.
type Wave struct {
	Number int      `json:"number"`
	Kind   WaveKind `json:"kind"`
	// Windows are the names of its windows. Without any it may run at any time.
	Windows []string `json:"windows"`
	// Canary: the wave works on canaries only.
	Canary bool `json:"canary,omitempty"`
	// PowerCycle: in this reset wave a person power-cycles the enclosures of its steps, in which
	// everything to be staged is staged by then. Nothing is sent.
	PowerCycle bool `json:"power_cycle,omitempty"`
	// Soak is how long its work must stand before the next wave begins.
	Soak Duration `json:"soak,omitempty"`
	// ExpectedDuration is how long it is expected to take, without the soak, and ExpectedFrom how
	// many runs that rests on; 0 if unknown.
	ExpectedDuration Duration `json:"expected_duration,omitempty"`
	ExpectedFrom     int      `json:"expected_from,omitempty"`
}

// WaveKind says what a wave may do.
type WaveKind string

const (
	StageWave WaveKind = "stage" // downloads by mode e, resets nothing
	ResetWave WaveKind = "reset" // activates, or downloads by mode 7
)

// Matches reports whether a wave is of a kind and has a number; "" and 0 stand for any.
func (w Wave) Matches(kind WaveKind, number int) bool {
	return (kind == "" || kind == w.Kind) && (number == 0 || number == w.Number)
}

// StepWaves has the numbers of the waves that work on a step; 0 if none does.
type StepWaves struct {
	Stage int `json:"stage,omitempty"`
	Reset int `json:"reset,omitempty"`
}

// In reports whether an apply works on the step in a wave.
func (s *Step) In(w Wave) bool {
	return s.Acts() && (s.Waves.Stage == w.Number || s.Waves.Reset == w.Number)
}

// WavesOf returns the waves that work on a step, in their order.
func (p *Plan) WavesOf(s *Step) []Wave {
	return slices.DeleteFunc(slices.Clone(p.Waves), func(w Wave) bool { return !s.In(w) })
}

// Before returns the last wave of other hosts that a wave of one host must neither precede nor
// accompany, and those hosts; 0 if there is none. Such waves are those of canaries, and for a
// reset, earlier waves on the same fault domains and waves on ungrouped components.
func (p *Plan) Before(wave Wave, host string, domains map[int]bool) (number int, hosts []string) {
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Host == host || !s.Acts() {
			continue
		}
		ungrouped := domains[0] || s.FaultDomain == 0
		for _, w := range p.Waves {
			if !s.In(w) {
				continue
			}
			earlier := w.Number < wave.Number
			follows := earlier && w.Canary && !wave.Canary
			if wave.Kind == ResetWave {
				follows = follows || earlier && (ungrouped || domains[s.FaultDomain]) ||
					w.Number == wave.Number && ungrouped
			}
			if follows && w.Number > number {
				number, hosts = w.Number, nil
			}
			if follows && w.Number == number {
				hosts = append(hosts, s.Host)
			}
		}
	}
	slices.Sort(hosts)
	return number, slices.Compact(hosts)
}

package executor

import (
	"slices"

	"fwctl/inventory"
)

// decline names what was there, or well, before the hop and is not any more.
func decline(s *stepRun, e *inventory.Enclosure) []string {
	var worse []string
	for _, luID := range s.want.esps {
		if !slices.ContainsFunc(e.ESPs, func(esp inventory.ESP) bool { return esp.LUID == luID }) {
			worse = append(worse, "ESP "+luID+" is missing")
		}
	}
	for _, failure := range e.Health.Failures {
		if !slices.Contains(s.baseline, failure) {
			worse = append(worse, failure)
		}
	}
	return worse
}

package impact

import (
	"fmt"
	"slices"

	"fwctl/inventory"
	"fwctl/inventory/fleet"
)

// PathWarnings warns of drives of an enclosure that are in use and have a path that is not live
// now. Such a path permits no reset, and no reset waits for it.
func PathWarnings(e *fleet.Enclosure) []string {
	var warnings []string
	for _, v := range e.Views {
		var drives []finding
		for i := range v.Drives {
			if d := &v.Drives[i]; len(d.InUse) > 0 && len(downPaths(d)) > 0 {
				drives = append(drives, newFinding(e, d))
			}
		}
		if len(drives) == 0 {
			continue
		}
		first := slices.MinFunc(drives, finding.compare)
		path := downPaths(first.drive)[0]
		what := fmt.Sprintf("%s, %s: %s; multipath -ll shows the paths", slots([]finding{first}, e), path.Device,
			path.Down)
		if n := len(drives); n > 1 {
			warnings = append(warnings,
				fmt.Sprintf("%s: %d drives in use have a path on %s that is not live, the first: %s", e.Called(), n,
					v.Host, what))
		} else {
			warnings = append(warnings, fmt.Sprintf("%s: a drive in use has a path on %s that is not live: %s",
				e.Called(), v.Host, what))
		}
	}
	return warnings
}

// downPaths returns the paths to a drive that the scan says are not live, and why, by device.
func downPaths(d *inventory.Drive) []inventory.DrivePath {
	var down []inventory.DrivePath
	for _, p := range d.Paths {
		if p.Down != "" {
			down = append(down, p)
		}
	}
	slices.SortFunc(down, func(a, b inventory.DrivePath) int { return inventory.ComparePaths(a.Device, b.Device) })
	return down
}

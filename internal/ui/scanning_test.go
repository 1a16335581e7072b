package ui

import (
	"testing"
	"testing/synctest"
	"time"

	"fwctl/internal/ui/uitest"
)

// A scan of many devices is shown at once, one of few if it takes long; in the end no terminal shows anything of it.
func TestScanning(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		devices         int
		quiet, terminal bool
		after           time.Duration
		want, end       string
	}{
		{name: "many on a terminal", devices: 400, terminal: true,
			want: "Scanning devices: 100 of 400  25 % [#########.............................] 0 s\n", end: "\n"},
		{name: "few on a terminal", devices: 9, terminal: true, want: "\n", end: "\n"},
		{name: "few that are slow", devices: 9, terminal: true, after: 3 * time.Second,
			want: "Scanning devices: 2 of 9  22 % [########................................] 3 s\n", end: "\n"},
		{name: "many, quiet", devices: 400, quiet: true, terminal: true, want: "\n", end: "\n"},
		{name: "many elsewhere", devices: 400, want: "2000-01-01 00:00:00 UTC Scanning 400 devices.\n",
			end: "2000-01-01 00:00:00 UTC Scanning 400 devices.\n"},
		{name: "few elsewhere", devices: 9, after: 3 * time.Second, want: "\n", end: "\n"},
		{name: "few that are very slow elsewhere", devices: 9, after: 11 * time.Second,
			want: "2000-01-01 00:00:10 UTC Scanning 9 devices.\n", end: "2000-01-01 00:00:10 UTC Scanning 9 devices.\n"},
		{name: "none", terminal: true, after: time.Minute, want: "\n", end: "\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out terminal
			s := newScanning(&Output{out: &out}, tt.quiet, tt.terminal)
			s.Show("devices", 0, tt.devices)
			s.Show("devices", tt.devices/4, tt.devices)
			time.Sleep(tt.after)
			synctest.Wait()
			if got := uitest.Shown(t, out.String()); got != tt.want {
				t.Errorf("%s: %q; want %q", tt.name, got, tt.want)
			}
			s.Close()
			synctest.Wait()
			if got := uitest.Shown(t, out.String()); got != tt.end {
				t.Errorf("%s, in the end: %q; want %q", tt.name, got, tt.end)
			}
		})
	}
}

package scan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Texts as OpenZFS 0.8 to 2.3 print them.
var zpoolTexts = []struct {
	name, text string
	want       []pool
}{
	{"no pools", "no pools available\n", nil},
	{"mirrors, with all that stands beside them", `  pool: tank
 state: ONLINE
  scan: scrub repaired 0B in 05:11:32 with 0 errors on Sun Nov  8 05:35:33 2026
config:

	NAME                STATE     READ WRITE CKSUM
	tank                ONLINE       0     0     0
	  mirror-0          ONLINE       0     0     0
	    /dev/sda1       ONLINE       0     0     0
	    /dev/sdb1       ONLINE       0     0     0
	  mirror-1          ONLINE       0     0     0
	    /dev/sdc1       ONLINE       0     0     0
	    /dev/sdd1       ONLINE       0     0     0
	special	
	  mirror-2          ONLINE       0     0     0
	    /dev/nvme0n1p2  ONLINE       0     0     0
	    /dev/nvme1n1p2  ONLINE       0     0     0
	logs	
	  /dev/nvme0n1p1    ONLINE       0     0     0
	cache
	  /dev/nvme2n1p1    ONLINE       0     0     0
	spares
	  /dev/sdx1         AVAIL   
	  /dev/sdy1         INUSE     currently in use

errors: No known data errors
`, []pool{{"tank", []leaf{
		{"/dev/sda1", "mirror-0"}, {"/dev/sdb1", "mirror-0"}, {"/dev/sdc1", "mirror-1"}, {"/dev/sdd1", "mirror-1"},
		{"/dev/nvme0n1p2", "mirror-2"}, {"/dev/nvme1n1p2", "mirror-2"}, {"/dev/nvme0n1p1", "logs"},
		{"/dev/nvme2n1p1", "cache"}, {"/dev/sdx1", "spares"}, {"/dev/sdy1", "spares"},
	}}}},
	{"degraded: members that are missing, replaced and spared", `  pool: tank
 state: DEGRADED
status: One or more devices could not be used because the label is missing or
	invalid.  Sufficient replicas exist for the pool to continue
	functioning in a degraded state.
action: Replace the device using 'zpool replace'.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-4J
  scan: resilver in progress since Sun Nov 29 12:00:00 2026
	1.20T / 9.40T scanned at 1.1G/s, 800G / 9.40T issued at 750M/s
	98.1G resilvered, 8.31% done, 03:20:11 to go
config:

	NAME                                          STATE     READ WRITE CKSUM
	tank                                          DEGRADED     0     0     0
	  raidz2-0                                    DEGRADED     0     0     0
	    /dev/dm-3                                 ONLINE       0     0     0
	    /dev/disk/by-id/wwn-0x5000c500a1b2c3d4    ONLINE       0     0     0
	    replacing-2                               DEGRADED     0     0     0
	      1234567890123456789                     UNAVAIL      0     0     0  was /dev/sdb1
	      /dev/sde1                               ONLINE       0     0     0  (resilvering)
	    spare-3                                   DEGRADED     0     0     0
	      /dev/sdf1                               FAULTED     12   345     6  too many errors
	      /dev/sdx1                               ONLINE       0     0     0
	    9876543210987654321                       OFFLINE      0     0     0  was /dev/sdg1
	spares
	  /dev/sdx1                                   INUSE     currently in use

errors: 3 data errors, use '-v' for a list
`, []pool{{"tank", []leaf{
		{"/dev/dm-3", "raidz2-0"}, {"/dev/disk/by-id/wwn-0x5000c500a1b2c3d4", "raidz2-0"}, {"", "raidz2-0"},
		{"/dev/sde1", "raidz2-0"}, {"/dev/sdf1", "raidz2-0"}, {"/dev/sdx1", "raidz2-0"}, {"", "raidz2-0"},
		{"/dev/sdx1", "spares"},
	}}}},
	{"several pools; a stripe, draid, a file, a name with blanks", `  pool: my pool
 state: ONLINE
config:

	NAME              STATE     READ WRITE CKSUM
	my pool           ONLINE       0     0     0
	  /dev/sda        ONLINE       0     0     0
	  /var/tmp/vdev0  ONLINE       0     0     0

errors: No known data errors

  pool: logs
 state: SUSPENDED
status: One or more devices are faulted in response to IO failures.
action: Make sure the affected devices are connected, then run 'zpool clear'.
config:

	NAME                     STATE     READ WRITE CKSUM
	logs                     UNAVAIL      0     0     0  insufficient replicas
	  draid2:4d:8c:1s-0      UNAVAIL      0     0     0  insufficient replicas
	    /dev/mapper/mpatha1  ONLINE       0     0     0
	    /dev/mapper/mpathb1  REMOVED      0     0     0
	spares
	  draid2-0-0             AVAIL   

errors: List of errors unavailable: pool I/O is currently suspended
`, []pool{
		{"my pool", []leaf{{"/dev/sda", ""}, {"/var/tmp/vdev0", ""}}},
		{"logs", []leaf{{"/dev/mapper/mpatha1", "draid2:4d:8c:1s-0"}, {"/dev/mapper/mpathb1", "draid2:4d:8c:1s-0"}}},
	}},
	{"a pool whose members are unknown", `  pool: tank
 state: FAULTED
status: The pool metadata is corrupted and the pool cannot be opened.

  pool: b
 state: ONLINE
config:

	NAME        STATE     READ WRITE CKSUM
	b           ONLINE       0     0     0
	  /dev/sdb  ONLINE       0     0     0

errors: No known data errors
`, []pool{{"tank", nil}, {"b", []leaf{{"/dev/sdb", ""}}}}},
}

func TestParseZpoolStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range zpoolTexts {
		got, err := parseZpoolStatus(tt.text)
		if err != nil {
			t.Errorf("%s: parseZpoolStatus = %v; want pools", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(pool{}, leaf{})); diff != "" {
			t.Errorf("%s: parseZpoolStatus (-want +got):\n%s", tt.name, diff)
		}
	}
	for _, text := range []string{
		"", "\n", "The ZFS modules are not loaded.\nTry running 'modprobe zfs' as root to load them.\n",
		"\tNAME  STATE\n\ttank  ONLINE\n\t  /dev/sda  ONLINE\n", "  pool: \n",
		"invalid option 'L'\nusage:\n\tstatus [-vx]\n",
	} {
		if got, err := parseZpoolStatus(text); err == nil || got != nil {
			t.Errorf("parseZpoolStatus(%q) = %v, %v; want an error", text, got, err)
		}
	}
}

// Whatever zpool prints, what is read of it was printed: no device is made up.
func FuzzParseZpoolStatus(f *testing.F) {
	for _, tt := range zpoolTexts {
		f.Add(tt.text)
	}
	f.Add("  pool: a\n\tNAME  STATE \n\ta\n\t  /dev/sda\n\t \n\t        1\n")
	f.Fuzz(func(t *testing.T, text string) {
		pools, err := parseZpoolStatus(text)
		if err != nil && pools != nil {
			t.Errorf("parseZpoolStatus(%q) = %v, %v; want nothing beside an error", text, pools, err)
		}
		for _, p := range pools {
			if p.name == "" || !strings.Contains(text, p.name) {
				t.Errorf("parseZpoolStatus(%q) has a pool %q; want one of the text", text, p.name)
			}
			for _, l := range p.leaves {
				if !strings.Contains(text, l.device) || !strings.Contains(text, l.vdev) {
					t.Errorf("parseZpoolStatus(%q) has a member %+v; want one of the text", text, l)
				}
				if l.device != "" && !strings.HasPrefix(l.device, "/") {
					t.Errorf("parseZpoolStatus(%q) has the device %q; want a path", text, l.device)
				}
			}
		}
	})
}

// A volume's name in the device mapper is that of its group and its own, whatever hyphens
// they have.
func TestLogicalVolume(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		dm, uuid string
		want     []string
	}{
		{"vg0-data", "LVM-aaaa", []string{"vg0", "data"}},
		{"vg--0-my--data", "LVM-aaaa", []string{"vg-0", "my-data"}},
		{"vg---data", "LVM-aaaa", []string{"vg-", "data"}},
		{"vg0-thin-tpool", "LVM-aaaa-tpool", []string{"vg0", "thin"}},
		{"vg0-data", "CRYPT-LUKS2-aaaa-vg0-data", nil},
		{"vg0-data", "", nil},
		{"data", "LVM-aaaa", nil},
		{"-data", "LVM-aaaa", nil},
		{"vg--", "LVM-aaaa", nil},
		{"", "LVM-aaaa", nil},
	} {
		group, volume, ok := layer{dm: tt.dm, uuid: tt.uuid}.logicalVolume()
		var got []string
		if ok {
			got = []string{group, volume}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("logicalVolume of %s, %s = %q; want %q", tt.dm, tt.uuid, got, tt.want)
		}
	}
}

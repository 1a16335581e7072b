package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
	"fwctl/plan"
)

const (
	jbod1 = "5000ccab04001000"
	jbod2 = "5000ccab04002000"
)

// stake is a stop of what some slots of the first enclosure carry.
func stake(kind inventory.UseKind, name string, of int, slots ...int) plan.Stake {
	return plan.Stake{Kind: kind, Name: name, Enclosure: jbod1, Slots: slots, Drives: len(slots), Of: of,
		Effect: plan.Stops}
}

func keeps(s plan.Stake, path string) plan.Stake {
	s.Effect, s.Path = plan.KeepsPath, path
	return s
}

func through(s plan.Stake, devices ...string) plan.Stake {
	s.Through = devices
	return s
}

func TestStakeWords(t *testing.T) {
	t.Parallel()
	elsewhere := stake(inventory.ZFSUse, "tank", 16, 0, 1)
	elsewhere.Enclosure = jbod2
	onHost := stake(inventory.MountUse, "/", 0, 3)
	onHost.Host = "stor2"
	loose := stake(inventory.MountUse, "/lun", 0)
	loose.Drives = 2
	var many []plan.Stake
	for i := range int(20) {
		many = append(many, stake(inventory.CephUse, fmt.Sprintf("osd.%02d", i), 0, i))
	}
	for _, tt := range []struct {
		name   string
		stakes []plan.Stake
		want   string
	}{
		{"nothing", nil, ""},
		{"the words of the contract", []plan.Stake{
			through(stake(inventory.MountUse, "/srv/backup", 2, 0, 1), "md0"),
			stake(inventory.ZFSUse, "tank", 8, 2, 3, 4, 5, 6, 7),
		}, "at stake: mounts /srv/backup (md0: slots 0, 1), pool tank (6 of 8 drives)"},
		{"what goes on", []plan.Stake{
			through(keeps(stake(inventory.MountUse, "/a", 0, 1), "esp2"), "dm-0 (mpatha)"),
			keeps(stake(inventory.MountUse, "/b", 0, 2), "esp2"),
			keeps(stake(inventory.SwapUse, "", 0, 3), "esp3"),
		}, "goes on through esp2: mounts /a (mpatha: slot 1), /b (slot 2); goes on through esp3: swap (slot 3)"},
		{"a part of a pool stops and a part goes on", []plan.Stake{
			stake(inventory.ZFSUse, "tank", 4, 0, 1), keeps(stake(inventory.ZFSUse, "tank", 4, 2, 3), "esp2"),
		}, "at stake: pool tank (2 of 4 drives); goes on through esp2: pool tank (2 of 4 drives)"},
		{"runs of slots", []plan.Stake{stake(inventory.RawUse, "qemu", 0, 0, 1, 2, 3, 5, 7, 8)},
			"at stake: process qemu (slots 0-3, 5, 7, 8)"},
		{"in two enclosures", []plan.Stake{stake(inventory.ZFSUse, "tank", 4, 0, 1), elsewhere},
			"at stake: pool tank (4 drives in 2 enclosures)"},
		{"in another enclosure", []plan.Stake{func() plan.Stake { s := elsewhere; s.Of = 0; return s }()},
			"at stake: pool tank (slots 0, 1 of " + jbod2 + ")"},
		{"on one of several hosts", []plan.Stake{onHost}, "at stake: mounts / (slot 3, on stor2)"},
		{"in no slot", []plan.Stake{loose}, "at stake: mounts /lun (2 drives in no slot)"},
		{"devices that nothing is seen to use", []plan.Stake{
			through(stake(inventory.CryptUse, "luks-1", 0, 0), "dm-1 (luks-1)"),
			through(stake(inventory.LVMUse, "vg0/data", 0, 1), "dm-2 (vg0-data)"),
			through(stake(inventory.MDUse, "md0", 3, 2), "md0"),
			through(stake(inventory.MultipathUse, "mpatha", 0, 3), "dm-0 (mpatha)"),
		}, "at stake: dm-crypt map luks-1 (slot 0), LVM vg0/data (slot 1), array md0 (1 of 3 drives), " +
			"multipath map mpatha (slot 3)"},
		{"what is unknown", []plan.Stake{
			stake(inventory.HeldUse, "", 0, 1, 2), stake(inventory.UnknownUse, "", 0, 3),
			stake("of a later fwctl", "x", 0, 4),
		}, "at stake: drives that someone holds exclusively (slots 1, 2), x (slot 4), drives of unknown use (slot 3)"},
		{"drives that no module lists", []plan.Stake{stake(inventory.UnknownUse, "", 0)},
			"at stake: drives of unknown use (not listed)"},
		{"drives that no module lists, and another path", []plan.Stake{keeps(stake(inventory.UnknownUse, "", 0), "esp2")},
			"goes on through esp2: drives of unknown use (not listed)"},
		{"many", many, "at stake: Ceph osd.00 (slot 0), osd.01 (slot 1), osd.02 (slot 2), osd.03 (slot 3), " +
			"osd.04 (slot 4), osd.05 (slot 5), osd.06 (slot 6), osd.07 (slot 7) and 12 more"},
		{"no more counted than would be named", many[:9], "at stake: Ceph osd.00 (slot 0), osd.01 (slot 1), " +
			"osd.02 (slot 2), osd.03 (slot 3), osd.04 (slot 4), osd.05 (slot 5), osd.06 (slot 6), osd.07 (slot 7), " +
			"osd.08 (slot 8)"},
	} {
		s := plan.Step{Enclosure: jbod1, AtStake: tt.stakes}
		if got := s.StakeWords(plan.SomeThings); got != tt.want {
			t.Errorf("%s: StakeWords = %q; want %q", tt.name, got, tt.want)
		}
	}
}

// Several steps name each thing once: drives that the reset of one module stops stay stopped,
// even if the reset of the other does not stop them.
func TestStakeWordsOfSteps(t *testing.T) {
	t.Parallel()
	tank := func(enclosure string, of int, slots ...int) plan.Stake {
		s := stake(inventory.ZFSUse, "tank", of, slots...)
		s.Enclosure = enclosure
		return s
	}
	step := func(enclosure, name string, stakes ...plan.Stake) *plan.Step {
		return &plan.Step{Enclosure: enclosure, Name: name, AtStake: stakes}
	}
	for _, tt := range []struct {
		name  string
		steps []*plan.Step
		want  string
	}{
		{"both modules", []*plan.Step{
			step(jbod1, "r12u20", stake(inventory.SwapUse, "", 0, 5), keeps(tank(jbod1, 0, 0, 1), "esp2")),
			step(jbod1, "r12u20", keeps(stake(inventory.SwapUse, "", 0, 5), "esp1"),
				keeps(tank(jbod1, 0, 0, 1), "esp1")),
		}, "at stake: swap (slot 5); keeps a path: pool tank (slots 0, 1)"},
		{"each module stops a part", []*plan.Step{
			step(jbod1, "", tank(jbod1, 4, 0), keeps(tank(jbod1, 4, 1), "esp2")),
			step(jbod1, "", tank(jbod1, 4, 1), keeps(tank(jbod1, 4, 0), "esp1")),
		}, "at stake: pool tank (2 of 4 drives)"},
		{"two enclosures, of which one has a name", []*plan.Step{
			step(jbod1, "r12u20", tank(jbod1, 0, 0)),
			step(jbod2, "", through(stake(inventory.MountUse, "/a", 0, 1), "sda1")),
			step(jbod2, "", func() plan.Stake {
				s := stake(inventory.MountUse, "/b", 0, 1)
				s.Enclosure = jbod2
				return s
			}()),
		}, "at stake: mounts /a (sda1: slot 1 of r12u20), /b (slot 1 of " + jbod2 + "), pool tank (slot 0 of r12u20)"},
		{"one pool over two enclosures",
			[]*plan.Step{step(jbod1, "", tank(jbod1, 12, 0, 1)), step(jbod2, "", tank(jbod2, 12, 0))},
			"at stake: pool tank (3 of 12 drives)"},
		{"drives that nobody counted stop with one module and go on with the other", []*plan.Step{
			step(jbod1, "", stake(inventory.UnknownUse, "", 0)), step(jbod1, "", keeps(stake(inventory.UnknownUse, "", 0), "esp1")),
		}, "at stake: drives of unknown use (not listed)"},
		{"drives that nobody counted in two enclosures", []*plan.Step{
			step(jbod1, "", stake(inventory.UnknownUse, "", 0)), step(jbod2, "", func() plan.Stake {
				s := stake(inventory.UnknownUse, "", 0)
				s.Enclosure = jbod2
				return s
			}()),
		}, "at stake: drives of unknown use (not listed, in 2 enclosures)"},
		{"drives that nobody counted stop in one enclosure and go on in the other", []*plan.Step{
			step(jbod1, "", stake(inventory.UnknownUse, "", 0)), step(jbod2, "", func() plan.Stake {
				s := keeps(stake(inventory.UnknownUse, "", 0), "esp1")
				s.Enclosure = jbod2
				return s
			}()),
		}, "at stake: drives of unknown use (not listed, behind " + jbod1 + "); goes on through esp1: drives of unknown use (not listed, behind " + jbod2 + ")"},
		{"none", nil, ""},
	} {
		if got := plan.StakeWords(tt.steps, plan.SomeThings); got != tt.want {
			t.Errorf("%s: StakeWords = %q; want %q", tt.name, got, tt.want)
		}
	}
}

func TestStakeInFull(t *testing.T) {
	t.Parallel()
	pool := keeps(stake(inventory.ZFSUse, "tank", 8, 0, 1, 2, 4), "esp2")
	pool.VDevs, pool.Host = []string{"logs", "raidz2-0"}, "stor2"
	var got []string
	for _, s := range []plan.Stake{
		pool, through(stake(inventory.MountUse, "/srv/backup", 2, 0, 1), "dm-0 (mpatha)", "md0"),
		stake(inventory.UnknownUse, "", 0), stake(inventory.HeldUse, "", 0, 3),
	} {
		got = append(got, s.InFull(jbod2))
	}
	want := []string{
		"goes on through esp2: pool tank (logs, raidz2-0; 4 of 8 drives; slots 0-2, 4 of 5000ccab04001000; on stor2)",
		"stops: mount /srv/backup (through md0; slots 0, 1 of 5000ccab04001000)",
		"stops: drives of unknown use (behind 5000ccab04001000)",
		"stops: drives that someone holds exclusively (slot 3 of 5000ccab04001000)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("InFull (-want +got):\n%s", diff)
	}
	if got, want := pool.InFull(jbod1),
		"goes on through esp2: pool tank (logs, raidz2-0; 4 of 8 drives; slots 0-2, 4; on stor2)"; got != want {
		t.Errorf("InFull at home = %q; want %q", got, want)
	}
}

// What is at stake is covered by the digest, and is not what it is not.
func TestStakesInAPlan(t *testing.T) {
	t.Parallel()
	p := must(plan.Parse(savedPlan(t)))
	s := &p.Steps[0]
	s.AtStake = []plan.Stake{through(stake(inventory.MountUse, "/srv/"+strings.Repeat("x|<b>&é", 50), 2, 0, 1), "md0")}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := plan.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("Parse of Encode (-want +got):\n%s", diff)
	}
	if _, err := plan.Parse([]byte(strings.Replace(string(data), `"name": "/srv/x`, `"name": "/srv/y`,
		1))); err == nil {
		t.Error("Parse of a plan with another mount point = nil; want an error")
	}
	for _, bad := range []func(*plan.Stake){
		func(s *plan.Stake) { s.Name = "a\x1b[2Jb" },
		func(s *plan.Stake) { s.Through = []string{"a\u202eb"} },
		func(s *plan.Stake) { s.Effect = "explodes" },
		func(s *plan.Stake) { s.Slots = []int{300} },
		func(s *plan.Stake) { s.Drives = -1 },
		func(s *plan.Stake) { s.Enclosure = "" },
	} {
		p := must(plan.Parse(savedPlan(t)))
		p.Steps[0].AtStake = []plan.Stake{stake(inventory.MountUse, "/", 0, 1)}
		bad(&p.Steps[0].AtStake[0])
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Parse(data); err == nil {
			t.Errorf("Parse of a plan with %+v at stake = nil; want an error", p.Steps[0].AtStake[0])
		}
	}
}

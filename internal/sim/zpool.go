package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// pool is a ZFS pool of a host.
type pool struct {
	name    string
	members []poolMember
	of      int // drives in all, if the rack has fewer
}

type poolMember struct{ device, vdev string }

// joins notes that a device is a member of a pool.
func (k *kernel) joins(z zfsUse, device string) {
	i := slices.IndexFunc(k.pools, func(p *pool) bool { return p.name == z.Pool })
	if i < 0 {
		i = len(k.pools)
		k.pools = append(k.pools, &pool{name: z.Pool})
	}
	p := k.pools[i]
	p.members = append(p.members, poolMember{device, z.VDev})
	p.of = max(p.of, z.Members)
}

// classes are what a pool has beside its data, in the order in which zpool status has them.
var classes = []string{"special", "logs", "cache", "spares"}

// zpoolStatus writes what zpool status -LP of OpenZFS 2 prints.
func zpoolStatus(pools []*pool) string {
	if len(pools) == 0 {
		return "no pools available\n"
	}
	var b strings.Builder
	for i, p := range pools {
		if i > 0 {
			b.WriteString("\n")
		}
		p.write(&b)
	}
	return b.String()
}

func (p *pool) write(b *strings.Builder) {
	type row struct{ name, state, more string }
	const online = "     0     0     0"
	state := "ONLINE"
	rows := []row{}
	byVDev := map[string][]string{}
	var vdevs []string
	add := func(m poolMember) {
		if byVDev[m.vdev] == nil {
			vdevs = append(vdevs, m.vdev)
		}
		byVDev[m.vdev] = append(byVDev[m.vdev], m.device)
	}
	for _, m := range p.members {
		add(m)
	}
	for n := len(p.members); n < p.of; n++ {
		m := poolMember{fmt.Sprintf("/dev/nvme%dn1p1", n), p.members[0].vdev}
		if n == p.of-1 {
			m.device, state = fmt.Sprintf("%020d", 1234567890123456789), "DEGRADED"
		}
		add(m)
	}
	slices.SortStableFunc(vdevs, func(a, b string) int {
		return cmp.Compare(slices.Index(classes, a), slices.Index(classes, b))
	})
	for _, v := range vdevs {
		indent := "  "
		switch {
		case slices.Contains(classes, v):
			rows = append(rows, row{name: v})
		case v != "":
			rows = append(rows, row{"  " + v, state, online})
			indent = "    "
		}
		for _, device := range byVDev[v] {
			r := row{indent + device, "ONLINE", online}
			switch {
			case v == "spares":
				r.state, r.more = "AVAIL", ""
			case !strings.HasPrefix(device, "/"):
				r.state, r.more = "UNAVAIL", online+"  was /dev/sdzz1"
			}
			rows = append(rows, r)
		}
	}
	rows = append([]row{{p.name, state, online}}, rows...)
	width := 10
	for _, r := range rows {
		width = max(width, len(r.name))
	}
	fmt.Fprintf(b, "  pool: %s\n state: %s\nconfig:\n\n", p.name, state)
	fmt.Fprintf(b, "\t%-*s  %-8s  READ WRITE CKSUM\n", width, "NAME", "STATE")
	for _, r := range rows {
		if r.state == "" {
			fmt.Fprintf(b, "\t%s\t\n", r.name)
			continue
		}
		fmt.Fprintf(b, "\t%-*s  %-8s%s\n", width, r.name, r.state, r.more)
	}
	b.WriteString("\nerrors: No known data errors\n")
}

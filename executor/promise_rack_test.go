package executor_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"fwctl/internal/image"
	"fwctl/internal/sim"
	"fwctl/plan"
)

// world is a random rack, what is wanted of it, and what is known of it by those
// who made it: the promises are held against that, not against a scan.
type world struct {
	rack, desired string // YAML
	hosts         []string
	shelves       []*shelf
	accept        bool // disruptions are accepted
	doubt         bool // two of three shelves have devices whose answers say nothing of what they did
	kill          int  // the effect at which a copy of everything is made, to be resumed; 0: none

	wait    bool                // runs wait for windows, and for power cycles
	ignore  string              // why windows are ignored, "" where they are not
	person  bool                // a power cycle starts what is staged
	powers  bool                // and somebody gives it where a run asks for one, if nothing speaks against it
	visits  bool                // and wherever something was left staged
	delay   time.Duration       // until they do, or have the run interrupted
	windows map[string]opening  // by name
	allowed map[string][]string // names of windows, by policy and kind of wave: "p0 reset"
}

// opening is a window, which opens once, or every day.
type opening struct {
	from, long time.Duration // from the beginning of the bubble, at midnight
	daily      bool
}

// open reports whether it is open at a time.
func (o opening) open(at time.Time) bool {
	since := at.Sub(bubble) - o.from
	if o.daily && since >= 0 {
		since %= 24 * time.Hour
	}
	return since >= 0 && since < o.long
}

// fits reports whether work that starts at a time and takes so long is within the openings of
// windows, minute by minute. Without windows it always is.
func (w *world) fits(names []string, at time.Time, takes time.Duration) bool {
	for end := at.Add(takes); len(names) > 0 && at.Before(end); at = at.Add(time.Minute) {
		if !slices.ContainsFunc(names, func(n string) bool { return w.windows[n].open(at) }) {
			return false
		}
	}
	return true
}

// bubble is when every one begins.
var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// shelf is an enclosure.
type shelf struct {
	id, product string
	esps        int
	domain      int  // shelves of one number are one fault domain
	unlisted    bool // no ESP lists its drives
	upstream    *shelf
	modeE       string // revision from which on it takes mode e; "never"
	anyOffset   bool
	sync        bool // its ESPs bring each other to one revision
	faulty      bool // faults are declared
	lies        bool // a fault has it report a revision that it does not run
	doubt       bool // its answers say nothing of what it did
	left        bool // somebody has left half a download
	repower     bool // only power on starts what it takes, and its model says so
	drives      []disk
}

// disk is a drive in use, and the ways by which its user reaches it.
type disk struct {
	slot int
	host string
	esps []int // from 1
}

// Every world's images, by product and revision.
var randomImages = func() map[string]*image.Image {
	all := map[string]*image.Image{}
	for product, revisions := range map[string][]string{"JBOD-60": {"1050", "1100"}, "JBOD-24": {"1050", "1100"},
		"PSU-9": {"0200"}} {
		for i, revision := range revisions {
			all[product+" "+revision] = image.New(product+"-"+revision, sim.Image("ACME", product, revision, 6001+3000*i))
		}
	}
	return all
}()

// dice are what a world is made with.
type dice struct{ *rand.Rand }

func (d dice) one(in int) bool { return d.IntN(in) == 0 }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

// some returns the usual text most of the time, and one of the others now and then.
func (d dice) some(usual string, others ...string) string {
	if !d.one(8) {
		return usual
	}
	return pick(d, others...)
}

func newWorld(seed uint64) *world {
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	w := &world{hosts: []string{"stor1"}, accept: !d.one(4), doubt: seed%2 == 1}
	if d.one(4) {
		w.hosts = append(w.hosts, "stor2")
	}
	if d.one(4) {
		w.kill = 1 + d.IntN(30)
	}
	w.wait, w.person, w.powers, w.visits, w.delay = !d.one(3), d.one(5), !d.one(3), d.one(4),
		pick(d, 0, 90*time.Second, 10*time.Minute)
	if d.one(6) {
		w.ignore = "CHG-4711"
	}
	w.windows = map[string]opening{
		"soon":  {0, pick(d, time.Hour, 100*time.Minute, 6*time.Hour), false},
		"later": {time.Duration(1+d.IntN(5)) * time.Hour, pick(d, 20*time.Minute, time.Hour, 2*time.Hour, 4*time.Hour), d.one(2)},
		"over":  {0, time.Minute, false},
	}
	if d.one(4) {
		w.allowed = map[string][]string{}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: fwctl/v1\nkind: Rack\ntrace: trace.jsonl\nhosts: [%s]\nenclosures:\n",
		strings.Join(w.hosts, ", "))
	for i := range pick(d, 1, 1, 1, 2, 2, 3) {
		w.addShelf(d, &b, i)
	}
	w.rack = b.String()
	w.desired = w.want(d)
	return w
}

func (w *world) addShelf(d dice, b *strings.Builder, i int) {
	s := &shelf{id: fmt.Sprintf("5000ccab0400%d000", i+1), product: pick(d, "JBOD-60", "JBOD-60", "JBOD-24"), esps: 2,
		domain: i + 1, modeE: "0000"}
	if d.one(4) {
		s.esps = 1
	}
	fmt.Fprintf(b, "  - logicalID: %s\n    vendor: ACME\n    product: %s\n    revision: %q\n", s.id, s.product,
		d.some("1000", "1050", "1100", "0900"))
	if i > 0 && d.one(4) {
		s.upstream = w.shelves[i-1]
		s.domain = s.upstream.domain
		fmt.Fprintf(b, "    behind: %q\n", s.upstream.id)
	}
	if s.esps == 2 && d.one(10) {
		s.sync = true
		fmt.Fprintf(b, "    peerSync: %s\n    peerSyncTime: %s\n", pick(d, "up", "down"), pick(d, "1s", "10s", "40s", "5m"))
	}
	download := s.download(d, w.person)
	if s.doubt = w.doubt && !d.one(3); s.doubt {
		download = s.doubts(d, download)
	}
	fmt.Fprintf(b, "    download: {%s}\n", strings.Join(download, ", "))
	split := len(w.hosts) == 2 && d.one(2) // each module is cabled to one host alone
	b.WriteString("    esps:\n")
	for n := range s.esps {
		var esp []string
		if d.one(10) {
			esp = append(esp, fmt.Sprintf("revision: %q", pick(d, "1000", "1050", "1100")))
		}
		if n == 0 && d.one(12) {
			s.unlisted = true
		}
		if s.unlisted {
			esp = append(esp, "pages: ['00', '01', '02', '07', '0d', '0e']")
		}
		if d.one(10) {
			esp = append(esp, "sense: descriptor")
		}
		if d.one(10) {
			esp = append(esp, "rsoc: false")
		}
		if split {
			esp = append(esp, fmt.Sprintf("paths: {%s: [%d]}", w.hosts[n%2], i))
		}
		fmt.Fprintf(b, "      - {%s}\n", strings.Join(esp, ", "))
	}
	if d.one(6) {
		fmt.Fprintf(b, "    subenclosures: [{id: 3, product: PSU-9, revision: '0100', esps: [%d], download: {%s}}]\n",
			1+d.IntN(s.esps), d.some("", "flashTime: 2m", "vanish: true", "rebootTime: 30s"))
	}
	s.addDrives(d, b, w.hosts, split)
	if s.doubt {
		s.addDoubt(d, b)
	} else {
		s.addFaults(d, b)
	}
	w.shelves = append(w.shelves, s)
}

// download is how a shelf takes microcode; person: which a person's power cycle starts.
func (s *shelf) download(d dice, person bool) []string {
	all := []string{
		"protocol: " + d.some("ses", "write-buffer", "both", "none"),
		"refuse: " + d.some("status", "sense", "all"),
		"flashTime: " + d.some("1s", "0s", "2m", "20m"),
		"rebootTime: " + d.some("2s", "40s", "10m", "1h"),
		"returnNode: " + d.some("other", "same"),
		"generationMismatch: status",
	}
	switch n := d.IntN(8); {
	case person:
	case n < 2:
		s.modeE = "never"
		all = append(all, "modes: ['07']")
	case n == 2:
		all = append(all, "modes: ['0e', '0f']")
	case n == 3:
		s.modeE = "1050"
		all = append(all, "modes: ['07', {mode: '0e', from: '1050'}, {mode: '0f', from: '1050'}]")
	}
	for _, rare := range []string{
		"sksv: false", "vanish: false", "singleBank: true", "powerLoss: loses", "activation: power-cycle", "confirm: none", "bufferID: 4",
		"statusReadResets: true", "rebootsBeforeStatus: true", "reportsIdle: true", "maxImage: 8192", "completion: {'7': '11'}", "completion: {'7': '13'}", "completion: {e: '12'}",
		"chunk: {max: 4096}", "chunk: {anyOffset: true}", "accepts: {product: OTHER}", "accepts: {product: OTHER, refuse: first}",
	} {
		if d.one(40) && !hasKey(all, rare) {
			all = append(all, rare)
			s.anyOffset = s.anyOffset || strings.Contains(rare, "anyOffset")
		}
	}
	return all
}

func hasKey(all []string, entry string) bool {
	key, _, _ := strings.Cut(entry, ":")
	for _, a := range all {
		if strings.HasPrefix(a, key+":") {
			return true
		}
	}
	return false
}

func (s *shelf) addDrives(d dice, b *strings.Builder, hosts []string, split bool) {
	n := d.IntN(4)
	if n == 0 {
		return
	}
	b.WriteString("    drives:\n")
	for slot := range n {
		host := pick(d, hosts...)
		use, disk := "", disk{slot: slot, host: host, esps: []int{1}}
		switch d.IntN(6) {
		case 0:
			use = fmt.Sprintf("mount: /srv/%s-%d", s.id, slot)
		case 1:
			use = fmt.Sprintf("zfs: tank%d", slot)
		case 2, 3:
			use = fmt.Sprintf("multipath: mpath-%s-%d, mount: /srv/%s-%d", s.id, slot, s.id, slot)
			if s.esps == 2 {
				disk.esps = []int{1, 2}
			}
		}
		sata := d.one(6)
		if sata {
			disk.esps = []int{1}
		}
		if split {
			disk.esps = []int{1 + slices.Index(hosts, host)}
		}
		if split && (sata && host != hosts[0] || disk.esps[0] > s.esps) { // the host does not see it
			use = ""
		}
		if use == "" {
			fmt.Fprintf(b, "      - {slot: %d, sata: %v}\n", slot, sata)
			continue
		}
		s.drives = append(s.drives, disk)
		fmt.Fprintf(b, "      - {slot: %d, sata: %v, use: {host: %s, %s}}\n", slot, sata, host, use)
	}
}

// addFaults has things go wrong at a moment, for each ESP by itself.
func (s *shelf) addFaults(d dice, b *strings.Builder) {
	if !d.one(3) {
		return
	}
	s.faulty = true
	b.WriteString("    faults:\n")
	for range pick(d, 1, 1, 2) {
		when := pick(d,
			"opcode: '1d', offset: 0", "opcode: '1d', offset: 4096", "opcode: '1d', offset: 4096", "opcode: '1d', offset: 8192", "opcode: '1d', page: '0e', nth: 2",
			"opcode: '3b', offset: 0", "opcode: '3b', offset: 4096", "opcode: '3b'", "state: downloading", "state: flashing", "state: staged",
			fmt.Sprintf("opcode: '1c', page: '0e', nth: %d", 1+d.IntN(8)),
			fmt.Sprintf("opcode: '1c', page: '%s', nth: %d", pick(d, "01", "02", "07", "0a"), 1+d.IntN(12)),
			fmt.Sprintf("opcode: '%s', nth: %d", pick(d, "00", "12", "03", "a3"), 1+d.IntN(8)))
		do := pick(d,
			"sense: 06/29/00", "sense: 06/3f/01", "sense: 06/2a/01", "busy: true", "taskSetFull: true", "page09: true", "page08: true", "noAnswer: true", "vanish: 5m", "vanish: 20s", "die: true",
			"sense: 05/26/00", "sense: 05/24/00", "sense: 02/04/01", "sense: 04/44/00", "sense: 0b/00/00", "delay: 3m", "shortPage: 6", "bumpGeneration: true", "status: '81'", "status: '82'", "status: '83'", "status: '84'", "lieRevision: '0950'")
		s.lies = s.lies || strings.HasPrefix(do, "lieRevision")
		if do == "noAnswer: true" && d.one(2) {
			do += ", carriedOut: true"
		}
		if strings.HasPrefix(do, "status") { // the word on a download comes at one of its chunks
			when = fmt.Sprintf("opcode: '1d', offset: %d", pick(d, 4096, 4096, 8192))
		}
		times := ""
		if d.one(3) {
			times = fmt.Sprintf(", times: %d", 2+d.IntN(4))
		}
		fmt.Fprintf(b, "      - {when: {%s%s}, do: {%s}}\n", when, times, do)
	}
}

// want is a desired state for a world.
func (w *world) want(d dice) string {
	var b strings.Builder
	b.WriteString("apiVersion: fwctl/v1\nkind: DesiredState\nmodels:\n")
	for _, product := range []string{"JBOD-60", "JBOD-24"} {
		fmt.Fprintf(&b, "  %s:\n    match: {vendor: ACME, product: %s}\n", strings.ToLower(product), product)
		activation := d.some("", ", by: power-cycle", ", scope: enclosure")
		if w.person || slices.ContainsFunc(w.shelves, func(s *shelf) bool { return s.repower && s.product == product }) {
			activation = ", by: power-cycle, scope: enclosure"
		}
		fmt.Fprintf(&b, "    activation: {settle: %s, returnTimeout: %s%s}\n", pick(d, "60s", "10s"),
			pick(d, "15m", "15m", "5m"), activation)
		fmt.Fprintf(&b, "    download: {flashTimeout: %s%s%s}\n", pick(d, "45m", "45m", "10m"), d.some("", ", bufferID: 4"),
			d.some("", ", protocol: ses", ", protocol: write-buffer"))
		b.WriteString("    parts: {iom: {subenclosures: [0]}, psu: {subenclosures: [3]}}\n    order: ['0900', '1000', " +
			"'1050', '1100']\n    images:\n")
		for _, revision := range []string{"1050", "1100"} {
			from := pick(d, "", "", ", from: ['1000']", ", from: ['1000', '0900']")
			if revision == "1100" && d.one(2) {
				from = ", from: ['1050']"
			}
			if w.person { // who starts one hop, and not the first of several
				from = ""
			}
			fmt.Fprintf(&b, "      iom-%s: {file: x, sha256: %s, revision: %q, modes: %s%s}\n", revision,
				randomImages[product+" "+revision].SHA256(), revision,
				pick(d, "[e, 7]", "[e, 7]", "[e]", "[7]"), from)
		}
		fmt.Fprintf(&b, "      psu-0200: {part: psu, file: y, sha256: %s, revision: '0200', modes: %s}\n",
			randomImages["PSU-9 0200"].SHA256(), pick(d, "[e]", "[e, 7]"))
	}
	b.WriteString("want:\n")
	for _, product := range []string{"jbod-60", "jbod-24"} {
		fmt.Fprintf(&b, "  - {model: %s, image: iom-%s, policy: p%d}\n", product, d.some("1100", "1050"), d.IntN(2))
		if d.one(2) {
			fmt.Fprintf(&b, "  - {model: %s, image: psu-0200, policy: p%d}\n", product, d.IntN(2))
		}
	}
	b.WriteString("policies:\n")
	for i := range 2 {
		reset, activate := pick(d, "redundant", "redundant", "always", "always", "idle", "never"),
			pick(d, "apply", "apply", "manual")
		switch {
		case w.person:
			reset, activate = "always", "apply"
		case reset == "never":
			activate = "manual"
		}
		var windows []string
		for _, kind := range []string{"stage", "reset"} {
			if w.allowed == nil {
				continue
			}
			names := pick(d, nil, []string{"soon"}, []string{"soon"}, []string{"later"}, []string{"soon", "later"},
				[]string{"over"})
			w.allowed[fmt.Sprintf("p%d %s", i, kind)] = names
			windows = append(windows, fmt.Sprintf("%s: [%s]", kind, strings.Join(names, ", ")))
		}
		fmt.Fprintf(&b, "  p%d: {reset: %s, activate: %s, downgrade: %s, requireAllESPs: %v, requireHealthy: %v, windows: "+
			"{%s}}\n", i,
			reset, activate, pick(d, "forbid", "order"), d.one(2), d.one(2), strings.Join(windows, ", "))
	}
	b.WriteString("windows:\n")
	for _, name := range slices.Sorted(maps.Keys(w.windows)) {
		o, rule := w.windows[name], ""
		if o.daily {
			rule = ", rrule: FREQ=DAILY"
		}
		fmt.Fprintf(&b, "  %s: {start: %q, timezone: UTC, duration: %s%s}\n", name,
			bubble.Add(o.from).Format("2006-01-02T15:04"), plan.Duration(o.long), rule)
	}
	parallel := 1 + d.IntN(3)
	if w.kill > 0 {
		parallel = 1 // a copy in mid-run is of one moment
	}
	fmt.Fprintf(&b, "rollout: {canary: %d, soak: %s, maxParallel: %d, maxFailures: %d}\n", d.IntN(2),
		pick(d, "10m", "30s"), parallel, d.IntN(3))
	if len(w.shelves) > 1 && d.one(6) {
		fmt.Fprintf(&b, "faultDomains: [[%s, %s]]\n", w.shelves[0].id, w.shelves[1].id)
		from, to := w.shelves[1].domain, w.shelves[0].domain
		for _, s := range w.shelves {
			if s.domain == from {
				s.domain = to
			}
		}
	}
	return b.String()
}

package compare_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwctl/inventory"
	"fwctl/plan"
	"fwctl/plan/compare"
	"fwctl/schemas"
)

// plans are those of the planner's rules.
func plans(t *testing.T) map[string]*plan.Plan {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "build", "testdata", "*", "plan.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no plans: %v", err)
	}
	all := map[string]*plan.Plan{}
	for _, file := range files {
		all[filepath.Base(filepath.Dir(file))] = read(t, file)
	}
	return all
}

func read(t *testing.T, file string) *plan.Plan {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// copied returns a plan that shares nothing with another.
func copied(t *testing.T, p *plan.Plan) *plan.Plan {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var c plan.Plan
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

// A plan does not differ from itself, whenever its devices were scanned.
func TestSame(t *testing.T) {
	t.Parallel()
	for name, p := range plans(t) {
		again := copied(t, p)
		again.CreatedAt = again.CreatedAt.Add(time.Hour)
		c := compare.Plans(p, again)
		if !c.Same || !c.SameDigest || c.Unchanged != len(p.Steps) {
			t.Errorf("%s: compared with itself: %+v", name, c)
		}
		for i := range again.Scans {
			again.Scans[i].ScannedAt = again.Scans[i].ScannedAt.Add(time.Hour)
		}
		for i := range again.Steps {
			if again.Steps[i].FaultDomain > 0 {
				// Numbers of fault domains mean nothing beyond a plan.
				again.Steps[i].FaultDomain += 5
			}
		}
		again.Digest = "sha256:other"
		c = compare.Plans(p, again)
		if !c.Same || c.SameDigest || len(c.Scans) != len(p.Scans) {
			t.Errorf("%s: compared with a later scan: %+v", name, c)
		}
	}
}

// Whatever is changed in a plan is a difference, also in a field that has no words of its own.
func TestNothingIsOverlooked(t *testing.T) {
	t.Parallel()
	for name, p := range plans(t) {
		for i := range min(len(p.Steps), 1) {
			fields := reflect.TypeFor[plan.Step]()
			for f := range fields.NumField() {
				field := fields.Field(f).Name
				if slices.Contains([]string{"Address", "Enclosure", "FaultDomain"}, field) {
					// They say which row it is, and which belong together.
					continue
				}
				now := copied(t, p)
				if !alter(reflect.ValueOf(&now.Steps[i]).Elem().Field(f)) {
					continue
				}
				c := compare.Plans(p, now)
				if c.Same || len(c.Rows) != 1 || c.Rows[0].Address != p.Steps[i].Address {
					t.Errorf("%s: %s of %s was changed, and the rows that differ are %+v",
						name, field, p.Steps[i].Address, c.Rows)
				}
			}
		}
		fields := reflect.TypeFor[plan.Plan]()
		for f := range fields.NumField() {
			beside := []string{"Digest", "CreatedAt", "ImageHints", "Steps", "Commands"}
			if slices.Contains(beside, fields.Field(f).Name) {
				continue
			}
			now := copied(t, p)
			if alter(reflect.ValueOf(now).Elem().Field(f)) && compare.Plans(p, now).Same {
				t.Errorf("%s: %s was changed, and nothing differs", name, fields.Field(f).Name)
			}
		}
	}
}

// alter changes a value, the last part of what has several, and reports whether it did.
func alter(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 60_000_000_000)
	case reflect.Uint8:
		v.SetUint(v.Uint() ^ 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			return true
		}
		return alter(v.Index(v.Len() - 1))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return false
		}
		for i := v.NumField() - 1; i >= 0; i-- {
			if alter(v.Field(i)) {
				return true
			}
		}
		return false
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Value{})
			return true
		}
		return false
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			return true
		}
		return alter(v.Elem())
	default:
		return false
	}
	return true
}

// What people read of what differs.
func TestWords(t *testing.T) {
	t.Parallel()
	const rule = "a power cycle of the enclosure takes down excepted components, and both rows say so"
	old := read(t, filepath.Join("..", "build", "testdata", rule, "plan.json"))
	old.Scans[0].Host = "stor1"
	for name, tt := range map[string]struct {
		change func(p *plan.Plan, s *plan.Step)
		want   []string
	}{
		"another revision runs": {func(_ *plan.Plan, s *plan.Step) {
			s.Current, s.Preconditions.Revision = "1050", "1050"
		},
			[]string{"now runs 1050, was " + old.Steps[0].Current}},
		"a slot is used": {func(_ *plan.Plan, s *plan.Step) {
			s.AtStake = append(s.AtStake, plan.Stake{
				Kind: inventory.ZFSUse, Name: "tank", Enclosure: s.Enclosure, Slots: []int{97},
				Drives: 1, Effect: plan.Stops,
			})
		}, []string{"slot 97 is in use now: pool tank", "at stake now: pool tank, which stops"}},
		"a reason": {func(_ *plan.Plan, s *plan.Step) { s.Reasons = append(s.Reasons, "it is cold") },
			[]string{"now: it is cold"}},
		"a wave": {func(_ *plan.Plan, s *plan.Step) { s.Waves.Reset = 7 }, []string{"waves 3, 7, was 3"}},
		"what has no words": {func(_ *plan.Plan, s *plan.Step) { s.Quirk = "slow" },
			[]string{"its quirk is slow, was nothing"}},
		"blocked": {func(_ *plan.Plan, s *plan.Step) { s.Action = plan.Blocked },
			[]string{"the action is blocked (it runs 1000), was update (1000 > 1100; wave 3; effect none)"}},
	} {
		now := copied(t, old)
		tt.change(now, &now.Steps[0])
		c := compare.Plans(old, now)
		if len(c.Rows) != 1 {
			t.Errorf("%s: %d rows differ: %+v", name, len(c.Rows), c.Rows)
			continue
		}
		if diff := cmp.Diff(tt.want, c.Rows[0].Differences); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Rows that were added or are gone, and what each was for.
func TestAddedAndGone(t *testing.T) {
	t.Parallel()
	for name, p := range plans(t) {
		if len(p.Steps) < 2 || p.Steps[0].Address == p.Steps[1].Address {
			continue
		}
		less := copied(t, p)
		less.Steps = less.Steps[1:]
		for change, of := range map[compare.Change]*compare.Comparison{
			compare.Gone: compare.Plans(p, less), compare.Added: compare.Plans(less, p),
		} {
			i := slices.IndexFunc(of.Rows, func(r compare.Row) bool { return r.Change == change })
			if of.Same || i < 0 || of.Rows[i].Address != p.Steps[0].Address ||
				!strings.HasPrefix(of.Rows[i].Differences[0], string(p.Steps[0].Action)) {
				t.Errorf("%s: a row that is %s is %+v", name, change, of.Rows)
			}
		}
	}
}

// Comparisons are as their schema says.
func TestComparisonFitsItsSchema(t *testing.T) {
	t.Parallel()
	all := plans(t)
	names := slices.Sorted(maps.Keys(all))
	last := all[names[0]]
	for _, name := range names {
		p := all[name]
		data, err := json.Marshal(compare.Plans(last, p))
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := schemas.Check("comparison", "comparison.json", data); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		last = p
	}
}

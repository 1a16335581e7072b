package window

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func compile(t *testing.T, w Window) *Schedule {
	t.Helper()
	s, err := Compile(w)
	if err != nil {
		t.Fatalf("Compile(%+v) = %v", w, err)
	}
	return s
}

func text(i Interval, ok bool) string {
	if !ok {
		return "none"
	}
	return i.Start.Format(time.RFC3339) + " to " + i.End.Format(time.RFC3339)
}

var (
	saturday = Window{Start: "2026-11-21T22:00", Timezone: "Europe/Berlin", Duration: "6h", RRule: "FREQ=WEEKLY;BYDAY=SA",
		Exclude: []string{"2026-12-26"}}
	night   = Window{Start: "2026-10-01T02:30", Timezone: "Europe/Berlin", Duration: "1h", RRule: "FREQ=DAILY"}
	newYork = Window{Start: "2026-10-31T22:00", Timezone: "America/New_York", Duration: "6h",
		RRule: "FREQ=WEEKLY;BYDAY=SA"}
)

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		name       string
		windows    []Window
		at         string
		open, next string
	}{
		{"before the first", []Window{saturday}, "2026-11-20T12:00:00Z", "none", "2026-11-21T22:00:00+01:00 to 2026-11-22T04:00:00+01:00"},
		{"a second before", []Window{saturday}, "2026-11-21T20:59:59Z", "none", "2026-11-21T22:00:00+01:00 to 2026-11-22T04:00:00+01:00"},
		{"its first moment", []Window{saturday}, "2026-11-21T21:00:00Z", "2026-11-21T22:00:00+01:00 to 2026-11-22T04:00:00+01:00", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"after midnight", []Window{saturday}, "2026-11-22T02:59:59Z", "2026-11-21T22:00:00+01:00 to 2026-11-22T04:00:00+01:00", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"its end is not in it", []Window{saturday}, "2026-11-22T03:00:00Z", "none", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"an excluded date", []Window{saturday}, "2026-12-26T22:00:00Z", "none", "2027-01-02T22:00:00+01:00 to 2027-01-03T04:00:00+01:00"},
		{"the morning after an excluded date", []Window{saturday}, "2026-12-27T01:00:00Z", "none", "2027-01-02T22:00:00+01:00 to 2027-01-03T04:00:00+01:00"},
		{"an excluded date is one of its time zone", []Window{{Start: "2026-12-25T00:30", Timezone: "Europe/Berlin", Duration: "1h", RRule: "FREQ=DAILY", Exclude: []string{"2026-12-26"}}}, "2026-12-25T23:40:00Z", "none", "2026-12-27T00:30:00+01:00 to 2026-12-27T01:30:00+01:00"},
		{"the shortest", []Window{{Start: "2026-11-21T22:00", Duration: "1m"}}, "2026-11-21T22:00:59Z", "2026-11-21T22:00:00Z to 2026-11-21T22:01:00Z", "none"},
		{"the longest", []Window{{Start: "2026-11-01T00:00", Duration: "744h"}}, "2026-12-01T23:59:59Z", "2026-11-01T00:00:00Z to 2026-12-02T00:00:00Z", "none"},
		{"the rarest", []Window{{Start: "2026-11-01T00:00", Duration: "1h", RRule: "FREQ=YEARLY;INTERVAL=100"}}, "2026-11-02T00:00:00Z", "none", "2126-11-01T00:00:00Z to 2126-11-01T01:00:00Z"},

		// Europe/Berlin, 2026-10-25: 03:00 CEST is 02:00 CET again.
		{"a start that occurs twice opens the first time", []Window{night}, "2026-10-25T00:29:59Z", "none", "2026-10-25T02:30:00+02:00 to 2026-10-25T02:30:00+01:00"},
		{"and is over when it occurs again", []Window{night}, "2026-10-25T01:30:00Z", "none", "2026-10-26T02:30:00+01:00 to 2026-10-26T03:30:00+01:00"},
		{"six hours are six hours, won one", []Window{{Start: "2026-10-24T22:00", Timezone: "Europe/Berlin", Duration: "6h"}}, "2026-10-24T20:00:00Z", "2026-10-24T22:00:00+02:00 to 2026-10-25T03:00:00+01:00", "none"},
		{"the evening of that day has the new offset", []Window{{Start: "2026-10-25T22:00", Timezone: "Europe/Berlin", Duration: "1h"}}, "2026-10-25T20:30:00Z", "none", "2026-10-25T22:00:00+01:00 to 2026-10-25T23:00:00+01:00"},
		// Europe/Berlin, 2027-03-28: 02:00 CET is 03:00 CEST.
		{"a start that is skipped opens as much later", []Window{night}, "2027-03-28T00:00:00Z", "none", "2027-03-28T03:30:00+02:00 to 2027-03-28T04:30:00+02:00"},
		{"six hours are six hours, lost one", []Window{{Start: "2027-03-27T22:00", Timezone: "Europe/Berlin", Duration: "6h"}}, "2027-03-28T02:59:59Z", "2027-03-27T22:00:00+01:00 to 2027-03-28T05:00:00+02:00", "none"},
		// America/New_York, 2026-11-01: 02:00 EDT is 01:00 EST again.
		{"New York", []Window{newYork}, "2026-11-01T07:59:59Z", "2026-10-31T22:00:00-04:00 to 2026-11-01T03:00:00-05:00", "2026-11-07T22:00:00-05:00 to 2026-11-08T04:00:00-05:00"},
		{"New York, over", []Window{newYork}, "2026-11-01T08:00:00Z", "none", "2026-11-07T22:00:00-05:00 to 2026-11-08T04:00:00-05:00"},

		{"once, no zone", []Window{{Start: "2026-11-21T22:00", Duration: "90m"}}, "2026-11-21T23:29:59Z", "2026-11-21T22:00:00Z to 2026-11-21T23:30:00Z", "none"},
		{"once, over", []Window{{Start: "2026-11-21T22:00", Duration: "90m"}}, "2026-11-21T23:30:00Z", "none", "none"},
		{"until a day includes it", []Window{{Start: "2026-11-21T22:00", Timezone: "Europe/Berlin", Duration: "6h", RRule: "FREQ=WEEKLY;UNTIL=20261128"}}, "2026-11-25T00:00:00Z", "none", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"until an instant, in the zone", []Window{{Start: "2026-11-21T22:00", Timezone: "Europe/Berlin", Duration: "6h", RRule: "FREQ=WEEKLY;UNTIL=20261128T205959Z"}}, "2026-11-25T00:00:00Z", "none", "none"},
		{"until exactly then", []Window{{Start: "2026-11-21T22:00", Timezone: "Europe/Berlin", Duration: "6h", RRule: "FREQ=WEEKLY;UNTIL=20261128T210000Z"}}, "2026-11-25T00:00:00Z", "none", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"second Saturday", []Window{{Start: "2026-11-14T22:00", Duration: "6h", RRule: "FREQ=MONTHLY;BYDAY=2SA"}}, "2026-11-15T05:00:00Z", "none", "2026-12-12T22:00:00Z to 2026-12-13T04:00:00Z"},
		{"the last working day of a month", []Window{{Start: "2026-11-30T22:00", Duration: "6h", RRule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"}}, "2027-01-01T04:00:00Z", "none", "2027-01-29T22:00:00Z to 2027-01-30T04:00:00Z"},
		{"the last of two", []Window{{Start: "2026-11-21T22:00", Duration: "6h", RRule: "FREQ=WEEKLY;COUNT=2"}}, "2026-11-28T23:00:00Z", "2026-11-28T22:00:00Z to 2026-11-29T04:00:00Z", "none"},
		{"an excluded date counts all the same", []Window{{Start: "2026-11-21T22:00", Duration: "6h", RRule: "FREQ=WEEKLY;COUNT=2", Exclude: []string{"2026-11-28"}}}, "2026-11-22T05:00:00Z", "none", "none"},
		{"the last of all", []Window{{Start: "2199-12-30T22:00", Duration: "6h", RRule: "FREQ=DAILY"}}, "2199-12-31T12:00:00Z", "none", "2199-12-31T22:00:00Z to 2200-01-01T04:00:00Z"},
		{"no leap day in a century", []Window{{Start: "2096-02-29T00:00", Duration: "1h", RRule: "FREQ=YEARLY"}}, "2096-03-01T00:00:00Z", "none", "2104-02-29T00:00:00Z to 2104-02-29T01:00:00Z"},
		{"the last week of a year", []Window{{Start: "2026-12-28T00:00", Duration: "1h", RRule: "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO"}}, "2027-01-01T00:00:00Z", "none", "2032-12-27T00:00:00Z to 2032-12-27T01:00:00Z"},
		{"leap day", []Window{{Start: "2024-02-29T00:00", Duration: "1h", RRule: "FREQ=YEARLY"}}, "2026-01-01T00:00:00Z", "none", "2028-02-29T00:00:00Z to 2028-02-29T01:00:00Z"},

		{"overlapping openings are one", []Window{saturday, {Start: "2026-11-22T03:00", Timezone: "Europe/Berlin", Duration: "3h"}}, "2026-11-22T01:00:00Z", "2026-11-21T22:00:00+01:00 to 2026-11-22T06:00:00+01:00", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"openings that meet are one", []Window{saturday, {Start: "2026-11-22T03:00", Duration: "3h"}}, "2026-11-22T01:00:00Z", "2026-11-21T22:00:00+01:00 to 2026-11-22T06:00:00Z", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"one within another", []Window{saturday, {Start: "2026-11-22T00:00", Duration: "1h"}}, "2026-11-22T00:00:00Z", "2026-11-21T22:00:00+01:00 to 2026-11-22T04:00:00+01:00", "2026-11-28T22:00:00+01:00 to 2026-11-29T04:00:00+01:00"},
		{"the earlier of two", []Window{saturday, {Start: "2026-11-25T03:00", Duration: "3h"}}, "2026-11-23T00:00:00Z", "none", "2026-11-25T03:00:00Z to 2026-11-25T06:00:00Z"},
		{"always open: as far as is looked", []Window{{Start: "2026-01-01T00:00", Duration: "24h", RRule: "FREQ=DAILY"}}, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z to 2028-09-27T00:00:00Z", "none"},
		{"no windows are never open", nil, "2026-01-01T00:00:00Z", "none", "none"},
	} {
		var all []*Schedule
		for _, w := range c.windows {
			all = append(all, compile(t, w))
		}
		s := Union(all...)
		if got := text(s.Open(at(t, c.at))); got != c.open {
			t.Errorf("%s: Open(%s) = %s; want %s", c.name, c.at, got, c.open)
		}
		if got := text(s.Next(at(t, c.at))); got != c.next {
			t.Errorf("%s: Next(%s) = %s; want %s", c.name, c.at, got, c.next)
		}
	}
}

// The questions take local time as well as UTC.
func TestOpenInAnyZone(t *testing.T) {
	s := compile(t, saturday)
	utc := at(t, "2026-11-21T21:00:00Z")
	if _, ok := s.Open(utc.In(time.FixedZone("", 9*3600))); !ok {
		t.Error("Open(the same instant in another zone) = false; want true")
	}
}

func TestCompileErrors(t *testing.T) {
	change := func(f func(*Window)) Window {
		w := saturday
		w.Exclude = slices.Clone(w.Exclude)
		f(&w)
		return w
	}
	rule := func(r string) Window {
		return change(func(w *Window) { w.RRule, w.Exclude = r, nil })
	}
	for _, c := range []struct {
		name   string
		window Window
		want   []string // path: the beginning of the summary
	}{
		{"nothing", Window{}, []string{`start: "" is not a start`, `duration: "" is not a duration`}},
		{"start with a zone", change(func(w *Window) { w.Start = "2026-11-21T22:00Z" }), []string{`start: "2026-11-21T22:00Z" is not a start`}},
		{"start without a time", change(func(w *Window) { w.Start = "2026-11-21" }), []string{`start: "2026-11-21" is not a start`}},
		{"no such day", change(func(w *Window) { w.Start = "2026-02-30T22:00" }), []string{`start: "2026-02-30T22:00" is not a start`}},
		{"ancient", change(func(w *Window) { w.Start = "1999-12-31T22:00" }), []string{"start: 1999-12-31T22:00 is not between"}},
		{"far", change(func(w *Window) { w.Start = "2200-01-01T22:00" }), []string{"start: 2200-01-01T22:00 is not between"}},
		{"zone", change(func(w *Window) { w.Timezone = "Europe/Belrin" }), []string{`timezone: there is no time zone "Europe/Belrin"`}},
		{"this host's zone", change(func(w *Window) { w.Timezone = "Local" }), []string{`timezone: there is no time zone "Local"`}},
		{"file as zone", change(func(w *Window) { w.Timezone = "../../etc/passwd" }), []string{"timezone: there is no time zone"}},
		{"duration in words", change(func(w *Window) { w.Duration = "six hours" }), []string{`duration: "six hours" is not a duration`}},
		{"negative", change(func(w *Window) { w.Duration = "-6h" }), []string{"duration: -6h is too short"}},
		{"31 days", change(func(w *Window) { w.Duration = "744h1s" }), []string{"duration: 744h1s is longer than 31 days"}},
		{"excluded word", change(func(w *Window) { w.Exclude = []string{"2026-12-26", "christmas"} }), []string{`exclude 1: "christmas" is not a date`}},
		{"excluded closing day", change(func(w *Window) { w.Exclude = []string{"2026-12-27"} }), []string{"exclude 0: there is no opening on 2026-12-27"}},
		{"excluded past", change(func(w *Window) { w.Exclude = []string{"2026-11-14"} }), []string{"exclude 0: there is no opening on 2026-11-14"}},
		{"not on the rule", change(func(w *Window) { w.Start = "2026-11-20T22:00" }), []string{"start: start 2026-11-20T22:00 is not an opening of the rule, the first after it is 2026-11-21T22:00"}},
		{"several at once", change(func(w *Window) { w.Start, w.Timezone, w.Duration, w.RRule = "x", "x", "x", "x" }), []string{`start: "x"`, `duration: "x"`, `timezone: there is no time zone "x"`, `rrule: "x" is not a part`}},
		{"no FREQ", rule("BYDAY=SA"), []string{"rrule: a window has no FREQ="}},
		{"hourly", rule("FREQ=HOURLY;INTERVAL=24"), []string{"rrule: a window has no FREQ=HOURLY"}},
		{"lower case", rule("freq=weekly"), []string{`rrule: a window has no "freq": known here, in capitals and without blanks: FREQ, UNTIL,`}},
		{"easter", rule("FREQ=YEARLY;BYEASTER=500"), []string{`rrule: a window has no "BYEASTER"`}},
		{"minutes", rule("FREQ=DAILY;BYMINUTE=0,30"), []string{"rrule: a window has no BYMINUTE: it opens at the minute of its start"}},
		{"second DTSTART", rule("FREQ=DAILY;DTSTART=20260101T000000Z"), []string{`rrule: a window has no "DTSTART"`}},
		{"twice", rule("FREQ=DAILY;FREQ=WEEKLY"), []string{"rrule: FREQ is given twice"}},
		{"day", rule("FREQ=WEEKLY;BYDAY=SAT"), []string{"rrule: undefined weekday: SAT"}},
		{"month", rule("FREQ=YEARLY;BYMONTH=13"), []string{"rrule: bymonth must be between 1 and 12"}},
		{"53rd Saturday of a month", rule("FREQ=MONTHLY;BYDAY=53SA"), []string{"rrule: BYDAY=53SA has days that FREQ=MONTHLY does not have"}},
		{"53rd Saturday of a month in a year", rule("FREQ=YEARLY;BYMONTH=12;BYDAY=-53SA"), []string{"rrule: BYDAY=-53SA has days"}},
		{"second Saturday of a week", rule("FREQ=WEEKLY;BYDAY=2SA"), []string{"rrule: BYDAY=2SA has days"}},
		{"week and count", rule("FREQ=YEARLY;BYWEEKNO=20;BYDAY=2SA"), []string{"rrule: BYDAY cannot count days"}},
		{"week of a month", rule("FREQ=MONTHLY;BYWEEKNO=20"), []string{"rrule: BYWEEKNO does not go with FREQ=MONTHLY"}},
		{"interval 0", rule("FREQ=WEEKLY;INTERVAL=0"), []string{"rrule: INTERVAL=0 is out of range"}},
		{"interval of a century and a year", rule("FREQ=YEARLY;INTERVAL=101"), []string{"rrule: INTERVAL=101 is out of range"}},
		{"interval", rule("FREQ=YEARLY;INTERVAL=9223372036854775807"), []string{"rrule: INTERVAL=9223372036854775807 is out of range"}},
		{"count 0", rule("FREQ=WEEKLY;COUNT=0"), []string{"rrule: COUNT=0 is not possible"}},
		{"count and until", rule("FREQ=WEEKLY;COUNT=3;UNTIL=20271231"), []string{"rrule: COUNT=3 is not possible"}},
		{"week start", rule("FREQ=WEEKLY;WKST=2MO"), []string{"rrule: WKST=2MO is not a day"}},
		{"never", rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), []string{"rrule: it never opens"}},
		{"over before it begins", rule("FREQ=WEEKLY;UNTIL=20261101"), []string{"rrule: it never opens"}},
	} {
		s, err := Compile(c.window)
		if s != nil || err == nil {
			t.Errorf("%s: Compile = %v, %v; want an error", c.name, s, err)
			continue
		}
		var got []string
		for _, err := range err.(*multierror.Error).Errors {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%s: Compile = %T; want *Error", c.name, err)
			}
			got = append(got, e.Error())
		}
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: Compile (-want +got):\n%s", c.name, cmp.Diff(c.want, got))
		}
	}
}

// Whatever a file says, questions are answered and the answers fit each other.
func FuzzCompile(f *testing.F) {
	for _, w := range []Window{saturday, night, newYork} {
		f.Add(w.Start, w.Timezone, w.Duration, w.RRule, "", int64(1_795_000_000))
	}
	for _, r := range []string{
		"FREQ=YEARLY;BYDAY=-53SU", "FREQ=YEARLY;BYDAY=53MO", "FREQ=MONTHLY;BYDAY=-5FR,5MO", "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR",
		"FREQ=YEARLY;BYWEEKNO=53,-53,1;WKST=SU", "FREQ=YEARLY;BYYEARDAY=366,-366", "FREQ=DAILY;BYHOUR=0,23;BYSETPOS=-366,366", "FREQ=MONTHLY;BYMONTHDAY=-31;INTERVAL=100",
	} {
		f.Add("2024-02-29T00:00", "Africa/Casablanca", "26h", r, "2024-02-29", int64(1_709_000_000))
	}
	f.Fuzz(func(t *testing.T, start, zone, duration, rule, exclude string, unix int64) {
		w := Window{Start: start, Timezone: zone, Duration: duration, RRule: rule}
		if exclude != "" {
			w.Exclude = strings.Split(exclude, ",")
		}
		s, err := Compile(w)
		if err != nil {
			if s != nil {
				t.Fatalf("Compile(%+v) = a schedule and %v", w, err)
			}
			return
		}
		now := time.Unix(unix%(1<<33), 0)
		open, isOpen := s.Open(now)
		if isOpen && (now.Before(open.Start) || !now.Before(open.End)) {
			t.Fatalf("Open(%v) = %v; want an opening around it", now, open)
		}
		next, ok := s.Next(now)
		if !ok {
			return
		}
		if !next.Start.After(now) || isOpen && !next.Start.After(open.End) || !next.End.After(next.Start) {
			t.Fatalf("Next(%v) = %v, and open is %v", now, next, open)
		}
		if again, ok := s.Open(next.Start); !ok || !again.Start.Equal(next.Start) || again.End.Before(next.End) {
			t.Fatalf("Open(%v) = %v, %v; want %v", next.Start, again, ok, next)
		}
	})
}

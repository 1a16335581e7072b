// Package window says when maintenance windows are open. A window has a start, a duration,
// a time zone, a recurrence rule (RFC 5545) and excluded dates.
//
// It is pure: the caller says what time it is.
package window

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // for hosts without time zone data

	"github.com/hashicorp/go-multierror"
	"github.com/teambition/rrule-go"
)

// Window is a maintenance window as a desired state and a plan write it.
type Window struct {
	// Start is the local time of the first opening, "2006-01-02T15:04".
	Start    string `json:"start" yaml:"start"`
	Timezone string `json:"timezone" yaml:"timezone"` // IANA name, "Europe/Berlin"; "" is UTC
	// Duration is elapsed time, as in "6h": a change to or from daylight saving time does not
	// change it.
	Duration string `json:"duration" yaml:"duration"`
	RRule    string `json:"rrule,omitempty" yaml:"rrule,omitempty"` // RFC 5545, "FREQ=WEEKLY;BYDAY=SA"; "": once
	// Exclude has the local dates of excluded openings, "2006-01-02".
	Exclude []string `json:"exclude,omitempty" yaml:"exclude,omitempty"`
}

// Interval is one opening: from Start up to, and not including, End. Both are in
// the time zone of the window.
type Interval struct{ Start, End time.Time }

// Error is what is wrong with one field of a Window.
type Error struct {
	Path    []string // of the field as the desired state names it: "rrule", or "exclude", "0"
	Summary string   // what is wrong
	Hint    string   // what to do about it
}

func (e *Error) Error() string {
	s := strings.Join(e.Path, " ") + ": " + e.Summary
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Schedule says when any of one or several windows is open.
type Schedule struct{ windows []compiled }

// compiled is one window. It computes openings in local time, written as UTC, and converts
// them to instants with the time zone only at the end.
type compiled struct {
	zone     *time.Location
	duration time.Duration
	rule     *rrule.RRule
	exclude  map[string]bool // "2006-01-02"
}

const (
	startFormat = "2006-01-02T15:04"
	maxDuration = 31 * 24 * time.Hour
	maxInterval = 100
	firstYear   = 2000
	lastYear    = 2199

	// farOff is how many years the library's clock is ahead: it looks for an opening up to
	// the year 9999, which would take seconds for a rule without one. The calendar repeats
	// every 400 years, to the day of the week.
	farOff = 19 * 400

	// lookAhead is how many openings of a window are looked at, from the current one on: 19
	// years of Saturdays. A window that is open without a break for longer closes then.
	lookAhead = 1000
)

// Compile makes a Schedule of a Window. The error has all problems of the window: it is a
// *multierror.Error of *Error.
//
// If the change to daylight saving time skips a start, the window opens as much later as
// the clock is put forward. If a start occurs twice, the window opens the first time (RFC
// 5545, 3.3.5). Compile takes only the rules of RFC 5545, 3.3.10, that open a window at
// most once an hour: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY, and the minute comes from
// the start. UNTIL without a time of day includes that day.
func Compile(w Window) (*Schedule, error) {
	var all *multierror.Error
	fail := func(summary, hint string, path ...string) {
		all = multierror.Append(all, &Error{Path: path, Summary: summary, Hint: hint})
	}
	c := compiled{zone: time.UTC, exclude: map[string]bool{}}

	start, err := time.Parse(startFormat, w.Start)
	startKnown := err == nil && start.Year() >= firstYear && start.Year() <= lastYear
	switch {
	case err != nil:
		fail(fmt.Sprintf("%q is not a start", w.Start),
			"write the local time of the first opening as in 2026-11-21T22:00", "start")
	case !startKnown:
		fail(fmt.Sprintf("%s is not between the years %d and %d", w.Start, firstYear, lastYear), "correct the year",
			"start")
	}
	switch c.duration, err = time.ParseDuration(w.Duration); {
	case err != nil:
		fail(fmt.Sprintf("%q is not a duration", w.Duration), "write it as in 6h or 1h30m", "duration")
	case c.duration < time.Minute:
		fail(w.Duration+" is too short to do anything in", "write at least 1m", "duration")
	case c.duration > maxDuration:
		fail(w.Duration+" is longer than 31 days", "write at most 744h; a policy without windows is open at any time",
			"duration")
	}
	if w.Timezone != "" {
		if c.zone, err = time.LoadLocation(w.Timezone); err != nil || w.Timezone == "Local" {
			c.zone = time.UTC
			fail(fmt.Sprintf("there is no time zone %q", w.Timezone),
				"write the IANA name of a place, as in Europe/Berlin, or UTC", "timezone")
		}
	}
	option, problem := c.readRule(w.RRule)
	if problem != nil {
		problem.Path = []string{"rrule"}
		all = multierror.Append(all, problem)
	}
	if startKnown && problem == nil {
		option.Dtstart = start.AddDate(farOff, 0, 0)
		if !option.Until.IsZero() {
			option.Until = option.Until.AddDate(farOff, 0, 0)
		}
		if c.rule, err = rrule.NewRRule(*option); err != nil {
			fail(err.Error(), "see RFC 5545, 3.3.10", "rrule")
		} else if first, ok := c.openings()(); !ok {
			fail("it never opens", "correct rrule", "rrule")
		} else if !first.Equal(start) {
			fail(fmt.Sprintf("start %s is not an opening of the rule, the first after it is %s", w.Start,
				first.Format(startFormat)), "write that as start, or correct rrule", "start")
		}
	}
	days := c.openingDays(slices.Max(append([]string{""}, w.Exclude...)))
	for i, date := range w.Exclude {
		day, err := time.Parse(time.DateOnly, date)
		if err != nil {
			fail(fmt.Sprintf("%q is not a date", date), "write it as in 2026-12-26", "exclude", strconv.Itoa(i))
			continue
		}
		c.exclude[date] = true
		if c.rule != nil && day.Year() <= lastYear && !days[date] {
			fail("there is no opening on "+date+" to exclude",
				"write the date on which it opens in its time zone, even if it closes on the next", "exclude",
				strconv.Itoa(i))
		}
	}
	if err := all.ErrorOrNil(); err != nil {
		return nil, err
	}
	return &Schedule{windows: []compiled{c}}, nil
}

// readRule reads a recurrence rule, with its until in local time.
func (c *compiled) readRule(text string) (*rrule.ROption, *Error) {
	if text == "" {
		return &rrule.ROption{Freq: rrule.DAILY, Count: 1}, nil
	}
	// Reject what is not supported before the library sees it: it accepts more than RFC
	// 5545 has, and there are rules that it cannot compute.
	known := []string{"FREQ", "UNTIL", "COUNT", "INTERVAL", "WKST", "BYSETPOS", "BYMONTH", "BYMONTHDAY", "BYYEARDAY",
		"BYWEEKNO", "BYDAY", "BYHOUR"}
	given := map[string]string{}
	for attr := range strings.SplitSeq(text, ";") {
		key, value, ok := strings.Cut(attr, "=")
		switch _, twice := given[key]; {
		case !ok || value == "":
			return nil, &Error{
				Summary: fmt.Sprintf("%q is not a part of a recurrence rule", attr),
				Hint:    "write it as in FREQ=WEEKLY;BYDAY=SA (RFC 5545, 3.3.10)",
			}
		case twice:
			return nil, &Error{Summary: key + " is given twice", Hint: "several values are separated by commas"}
		case key == "BYMINUTE", key == "BYSECOND":
			return nil, &Error{Summary: "a window has no " + key,
				Hint: "it opens at the minute of its start; write another window for another minute"}
		case !slices.Contains(known, key):
			return nil, &Error{Summary: fmt.Sprintf("a window has no %q", key),
				Hint: "known here, in capitals and without blanks: " + strings.Join(known, ", ")}
		}
		given[key] = value
	}
	freq := given["FREQ"]
	if !slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, freq) {
		return nil, &Error{Summary: fmt.Sprintf("a window has no FREQ=%s", freq),
			Hint: "use DAILY, WEEKLY, MONTHLY or YEARLY"}
	}
	option, err := rrule.StrToROption(text)
	if err != nil {
		return nil, &Error{Summary: err.Error(), Hint: "see RFC 5545, 3.3.10"}
	}
	if _, ok := given["INTERVAL"]; ok && (option.Interval < 1 || option.Interval > maxInterval) {
		return nil, &Error{Summary: "INTERVAL=" + given["INTERVAL"] + " is out of range",
			Hint: fmt.Sprintf("it is 1 to %d", maxInterval)}
	}
	if _, ok := given["COUNT"]; ok && (option.Count < 1 || given["UNTIL"] != "") {
		return nil, &Error{Summary: "COUNT=" + given["COUNT"] + " is not possible",
			Hint: "write at least 1, and no UNTIL beside it"}
	}
	if option.Wkst.N() != 0 {
		return nil, &Error{Summary: "WKST=" + given["WKST"] + " is not a day of the week",
			Hint: "write it as in WKST=SU"}
	}
	most := map[string]int{"MONTHLY": 5, "YEARLY": 53}[freq]
	if freq == "YEARLY" && given["BYMONTH"] != "" {
		most = 5
	}
	for _, day := range option.Byweekday {
		switch n := max(day.N(), -day.N()); {
		case n > most:
			return nil, &Error{Summary: fmt.Sprintf("BYDAY=%s has days that FREQ=%s does not have", given["BYDAY"],
				freq),
				Hint: "a number before a day counts it in the month or the year, as in FREQ=MONTHLY;BYDAY=2SA"}
		case n > 0 && given["BYWEEKNO"] != "":
			return nil, &Error{Summary: "BYDAY cannot count days beside BYWEEKNO", Hint: "write BYDAY without numbers"}
		}
	}
	for key, with := range map[string]string{"BYWEEKNO": "YEARLY", "BYYEARDAY": "YEARLY"} {
		if given[key] != "" && freq != with {
			return nil, &Error{Summary: key + " does not go with FREQ=" + freq, Hint: "it goes with FREQ=" + with}
		}
	}
	switch until := given["UNTIL"]; {
	case strings.HasSuffix(until, "Z"):
		option.Until = floating(option.Until.In(c.zone))
	case len(until) == len("20060102"):
		option.Until = option.Until.Add(24*time.Hour - time.Second)
	}
	return option, nil
}

// openings returns an iterator over the local times of the rule's openings. It returns
// false after the last.
func (c *compiled) openings() func() (local time.Time, ok bool) {
	next := c.rule.Iterator()
	return func() (time.Time, bool) {
		local, ok := next()
		local = local.AddDate(-farOff, 0, 0)
		return local, ok && local.Year() <= lastYear
	}
}

// openingDays returns the local dates of the rule's openings, up to the last date.
func (c *compiled) openingDays(last string) map[string]bool {
	days := map[string]bool{}
	if c.rule == nil || last == "" {
		return days
	}
	for next := c.openings(); ; {
		local, ok := next()
		date := local.Format(time.DateOnly)
		if !ok || date > last {
			return days
		}
		days[date] = true
	}
}

// Union returns the schedule that is open when any of several is.
func Union(schedules ...*Schedule) *Schedule {
	all := &Schedule{}
	for _, s := range schedules {
		all.windows = append(all.windows, s.windows...)
	}
	return all
}

// Open returns the opening that contains at, or false if there is none. Openings that meet
// or overlap are one.
func (s *Schedule) Open(at time.Time) (Interval, bool) {
	for _, i := range s.from(at) {
		if !at.Before(i.Start) {
			return i, true
		}
	}
	return Interval{}, false
}

// Next returns the first opening that begins after at, or false if there is none. Openings
// that meet or overlap are one: Next never returns the one that contains at.
func (s *Schedule) Next(at time.Time) (Interval, bool) {
	for _, i := range s.from(at) {
		if at.Before(i.Start) {
			return i, true
		}
	}
	return Interval{}, false
}

// from lists the openings that end after at, in order, joined where they meet.
func (s *Schedule) from(at time.Time) []Interval {
	var all []Interval
	for _, c := range s.windows {
		all = append(all, c.from(at)...)
	}
	slices.SortStableFunc(all, func(a, b Interval) int { return a.Start.Compare(b.Start) })
	var joined []Interval
	for _, i := range all {
		if n := len(joined); n > 0 && !i.Start.After(joined[n-1].End) {
			if i.End.After(joined[n-1].End) {
				joined[n-1].End = i.End
			}
			continue
		}
		joined = append(joined, i)
	}
	return joined
}

// from lists the openings that end after at, lookAhead at most.
func (c *compiled) from(at time.Time) []Interval {
	var all []Interval
	next := c.openings()
	for len(all) < lookAhead {
		local, ok := next()
		if !ok {
			break
		}
		start := instant(local, c.zone)
		if i := (Interval{start, start.Add(c.duration)}); i.End.After(at) && !c.exclude[local.Format(time.DateOnly)] {
			all = append(all, i)
		}
	}
	return all
}

// instant returns the moment at which clocks in a zone show a local time. If they show it
// twice, it is the first; if they skip it, it is the one by the offset before the change
// (RFC 5545, 3.3.5). Package time promises neither.
func instant(local time.Time, zone *time.Location) time.Time {
	at := func(near time.Duration) time.Time {
		_, offset := local.Add(near).In(zone).Zone()
		return local.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	// No offset is as large as a day, and no zone changes twice in two.
	before, after := at(-24*time.Hour), at(24*time.Hour)
	if !floating(before).Equal(local) && floating(after).Equal(local) {
		return after
	}
	return before
}

// floating is the local time that t shows, written as UTC.
func floating(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

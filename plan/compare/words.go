package compare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// fields returns how two structs differ: for each field that is not the same in both, its words,
// or its key in JSON if it has none.
func fields[T any](old, now *T, words map[string]func(old, now *T) []string) []string {
	var all []string
	a, b := reflect.ValueOf(old).Elem(), reflect.ValueOf(now).Elem()
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if same(a.Field(i), b.Field(i)) {
			continue
		}
		if say, ok := words[field.Name]; ok {
			all = append(all, say(old, now)...)
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, fmt.Sprintf("its %s is %s, was %s", strings.ReplaceAll(key, "_", " "),
			text(b.Field(i)), text(a.Field(i))))
	}
	return all
}

// same reports whether two fields hold the same; nil and empty are the same.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Slice, reflect.Map:
		if a.Len() == 0 && b.Len() == 0 {
			return true
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// text returns a field's value as text.
func text(v reflect.Value) string {
	data, err := json.Marshal(v.Interface())
	if err != nil {
		return fmt.Sprint(v.Interface())
	}
	return orNothing(strings.Trim(string(data), `"`))
}

func orNothing(text string) string { return cmp.Or(text, "nothing") }

// changed returns what something is and was.
func changed(what, now, old string) string {
	return fmt.Sprintf("%s %s, was %s", what, orNothing(now), orNothing(old))
}

// one returns words for a field that needs only one sentence.
func one[T any](what string, of func(*T) string) func(old, now *T) []string {
	return func(old, now *T) []string { return []string{changed(what, of(now), of(old))} }
}

// nothing is the words for a field that the words of another field cover.
func nothing[T any](_, _ *T) []string { return nil }

// lines returns which lines are new, and which are gone.
func lines(old, now []string, isNew, noMore string) []string {
	var all []string
	for _, line := range now {
		if line != "" && !slices.Contains(old, line) {
			all = append(all, isNew+line)
		}
	}
	for _, line := range old {
		if line != "" && !slices.Contains(now, line) {
			all = append(all, noMore+line)
		}
	}
	if all == nil {
		return []string{isNew + "the same in another order or number"}
	}
	return all
}

// moment returns a time in UTC, because readers may be in several time zones.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// short returns the beginning of a SHA-256: enough for people to distinguish two.
func short(sha256 string) string { return sha256[:min(8, len(sha256))] }

// How long something is expected to take, and what that rests on.
const (
	expectedToTake = "it is expected to take"
	restsOn        = "runs that the expected time rests on:"
)

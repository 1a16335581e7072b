package inventory_test

import (
	"slices"
	"strings"
	"testing"

	"fwctl/inventory"
)

func TestSelectorMatches(t *testing.T) {
	t.Parallel()
	acme := inventory.Named{Address: "5000ccab04001000/esp1/sub0", Name: "r12u20"}
	lone := inventory.Named{Address: "lu-t10.ACME/lu-t10.ACME/sub3"}
	for _, tt := range []struct {
		selector inventory.Selector
		of       inventory.Named
		want     bool
	}{
		{"5000ccab04001000/esp1/sub0", acme, true},
		{"5000ccab04001000/esp1", acme, true},
		{"5000ccab04001000", acme, true},
		{"5000CCAB04001000/esp1", acme, true},
		{"5000CCAB*", acme, true},
		{"r12u20", acme, true},
		{"r12*/esp?/sub0", acme, true},
		{"*", acme, true},
		{"*/*/*", acme, true},
		{"*", lone, true},
		{"lu-t10.ACME", lone, true},
		{"lu-*/*/sub3", lone, true},

		{"5000ccab04001000/esp1/sub", acme, false},
		{"5000ccab0400100", acme, false},
		{"5000ccab04001000/ESP1", acme, false},
		{"R12U20", acme, false},
		{"esp1", acme, false},
		{"*/sub0", acme, false},
		{"*sub0", acme, false},
		{"r12u20", lone, false},
		{"lu-t10.acme", lone, false},
		{"?", lone, false},
		{"", lone, false},
		{"", acme, false},
		{"[", acme, false},
		{"all", acme, false},
		{"*/*/*/*", acme, false},
		{"5000ccab04001000/", acme, false},
	} {
		if got := tt.selector.Matches(tt.of); got != tt.want {
			t.Errorf("%q.Matches(%v) = %v; want %v", tt.selector, tt.of, got, tt.want)
		}
	}
	if got := inventory.Selected([]inventory.Selector{"r13*", inventory.All}, acme); got != 1 {
		t.Errorf("Selected(r13*, all) = %d; want 1", got)
	}
}

func TestParseSelectorProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":              `cannot use selector "": it is empty`,
		"r1[23]":        `cannot use selector "r1[23]": '[' is not part of an address or a name`,
		`r1\*`:          `cannot use selector "r1\\*": '\\' is not part of an address or a name`,
		" r12":          `cannot use selector " r12": ' ' is not part of an address or a name`,
		"r12\x1b[31m":   `cannot use selector "r12\x1b[31m": '\x1b' is not part of an address or a name`,
		"a/b/c/d":       `cannot use selector "a/b/c/d": it has 4 parts; an address has 3`,
		"r12u20/":       `cannot use selector "r12u20/": one of its parts is empty`,
		"r12u20//sub0":  `cannot use selector "r12u20//sub0": one of its parts is empty`,
		"r12u20/\u202e": `cannot use selector "r12u20/\u202e": '\u202e' is not part of an address or a name`,
	} {
		if _, err := inventory.ParseSelector(text); err == nil || err.Error() != want {
			t.Errorf("ParseSelector(%q) = %v; want %s", text, err, want)
		}
	}
}

func TestMayIdentify(t *testing.T) {
	t.Parallel()
	for part, want := range map[string]bool{
		"5000ccab04001000": true, "5000CCAB*": true, "*": true, "????????????????": true, "lu-t10.ACME": true, "l*": true, "?u-x": true, "*x": true,
		"r12u20": false, "r12*": false, "5000": false, "abc": false, "5000ccab040010000": false, "5000ccab0400100?0": false, "m*": false,
	} {
		if got := inventory.MayIdentify(part); got != want {
			t.Errorf("MayIdentify(%q) = %v; want %v", part, got, want)
		}
	}
}

// A selector without patterns selects what Selectable lists; one selects no more than its
// leading part does; and an error can be shown.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"5000ccab04001000/esp1/sub0", "r12*", "*/esp?", "lu-t10.ACME/lu-x", "all", "[", "a//b",
		"\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := inventory.ParseSelector(text)
		component := inventory.Named{Address: "5000ccab04001000/esp1/sub0", Name: "r12u20"}
		if err != nil {
			if s != "" || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("ParseSelector(%q) = %q, %v; want nothing, and an error that can be shown", text, s, err)
			}
			return
		}
		literal := !strings.ContainsAny(text, "*?") && strings.ToLower(text) == text
		if selectable := inventory.Selectable([]inventory.Named{component}); literal &&
			s.Matches(component) != slices.Contains(selectable, text) {
			t.Errorf("%q.Matches(%v) = %v; want true for %v alone", text, component, s.Matches(component), selectable)
		}
		if leading, _, ok := strings.Cut(text, "/"); ok && s.Matches(component) &&
			!inventory.Selector(leading).Matches(component) {
			t.Errorf("%q selects %v, and its leading part does not", text, component)
		}
	})
}

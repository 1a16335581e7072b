package glob_test

import (
	"slices"
	"testing"

	"fwctl/internal/glob"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "x", false},
		{"JBOD-*", "JBOD-60", true},
		{"JBOD-*", "JBOD-60/H", true},
		{"AC?E", "AC/E", true},
		{"29[0-4]0", "2930", true},
		{"29[^0-4]0", "2930", false},
		{`\*DEPOT`, "*DEPOT", true},
		{`\*DEPOT`, "ADEPOT", false},
		{"[", "[", false},
	} {
		if got := glob.Match(tt.pattern, tt.text); got != tt.want {
			t.Errorf("Match(%q, %q) = %t; want %t", tt.pattern, tt.text, got, tt.want)
		}
	}
}

// A literal pattern matches its text, whatever signs that has, and says so of itself.
func TestLiteral(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "JBOD-60", `a*b?[c]\d`, "[!x]", "A/B"} {
		pattern := glob.Literal(text)
		if summary, _ := glob.Problem(pattern); summary != "" || !glob.Match(pattern, text) || glob.Match(pattern, text+"x") {
			t.Errorf("Literal(%q) = %q, %s; want a pattern that matches just that", text, pattern, summary)
		}
		if got, want := glob.IsLiteral(pattern), pattern == text; got != want {
			t.Errorf("IsLiteral(%q) = %t; want %t", pattern, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string][]string{
		"JBOD-*": {"JBOD-"}, "*": nil, "X2[89]-a?b": {"X2", "-a", "b"}, `\*DEPOT\`: {"*DEPOT"}, "a[b": {"a", "b"},
	} {
		if got := glob.Words(pattern); !slices.Equal(got, want) {
			t.Errorf("Words(%q) = %q; want %q", pattern, got, want)
		}
	}
}

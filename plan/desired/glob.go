package desired

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// glob tells whether a pattern matches. Its signs are those of path.Match, but /
// is a character like any other: products can have one.
func glob(pattern, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
	return ok && err == nil
}

// GlobOrAny is glob where an empty pattern matches anything.
func GlobOrAny(pattern, s string) bool { return pattern == "" || glob(pattern, s) }

// Literal makes a glob that matches one text only.
func Literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}

// overlap tells whether two lists of globs have a revision in common. It may miss
// one where both have globs in their middle.
func overlap(a, b []string) bool {
	return a == nil || b == nil || slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return x == y || glob(x, y) || glob(y, x) })
	})
}

// literals are the parts of a glob that stand for themselves.
func literals(glob string) []string {
	var parts []string
	var part []byte
	cut := func() {
		if len(part) > 0 {
			parts = append(parts, string(part))
		}
		part = nil
	}
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*', '?':
			cut()
		case '[':
			cut()
			if end := strings.IndexByte(glob[i:], ']'); end > 0 {
				i += end
			}
		case '\\':
			i++
			if i < len(glob) {
				part = append(part, glob[i])
			}
		default:
			part = append(part, c)
		}
	}
	cut()
	return parts
}

func (c *checker) checkGlobs(at []string, glob string) {
	if _, err := path.Match(glob, ""); err != nil {
		c.add(
			at,
			fmt.Sprintf("%q is not a pattern", glob),
			`* stands for any text, ? for a character, [0-9a] for one of some; \ before one of those takes it as it is`,
		)
	} else if shellClass.MatchString(glob) {
		c.add(at, fmt.Sprintf("%q means ! or one of the others", glob), `write [^0-9a] for a character that is none of some, as shells do with !, or ! last for itself`)
	}
}

// shellClass is a pattern with a class that begins with !, which means the
// contrary in a shell: an image would start from just those that it must not.
var shellClass = regexp.MustCompile(`^(?:[^\[\\]|\\.|\[(?:[^!\]\\]|\\.)(?:[^\]\\]|\\.)*\])*\[!`)

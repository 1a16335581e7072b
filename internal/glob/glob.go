// Package glob matches shell patterns against texts that are not paths: vendors, products,
// revisions, parts of addresses. It never looks at a file system.
package glob

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Match reports whether a pattern matches a whole text. Patterns are those of path.Match,
// but / is a character like any other: products can have one. A pattern with a Problem
// matches nothing.
func Match(pattern, text string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(text, "/", "\x00"))
	return ok && err == nil
}

// Problem returns what is wrong with a pattern and what to write instead, or "".
func Problem(pattern string) (summary, hint string) {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Sprintf("%q is not a pattern", pattern),
			`* stands for any text, ? for a character, [0-9a] for one of some; \ before one of those takes it as it is`
	}
	if shellClass.MatchString(pattern) {
		return fmt.Sprintf("%q means ! or one of the others", pattern),
			`write [^0-9a] for a character that is none of some, as shells do with !, or ! last for itself`
	}
	return "", ""
}

// shellClass matches a pattern with a class that begins with !, which means the opposite in
// a shell: an image would start from exactly those revisions that it must not.
var shellClass = regexp.MustCompile(`^(?:[^\[\\]|\\.|\[(?:[^!\]\\]|\\.)(?:[^\]\\]|\\.)*\])*\[!`)

// Literal returns a pattern that matches one text only.
func Literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(text)
}

// IsLiteral reports whether a pattern has no wildcards.
func IsLiteral(pattern string) bool { return !strings.ContainsAny(pattern, `*?[\`) }

// Words returns the parts of a pattern that stand for themselves.
func Words(pattern string) []string {
	var words []string
	var word []byte
	end := func() {
		if len(word) > 0 {
			words = append(words, string(word))
		}
		word = nil
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?':
			end()
		case '[':
			end()
			if n := strings.IndexByte(pattern[i:], ']'); n > 0 {
				i += n
			}
		case '\\':
			i++
			if i < len(pattern) {
				word = append(word, pattern[i])
			}
		default:
			word = append(word, c)
		}
	}
	end()
	return words
}

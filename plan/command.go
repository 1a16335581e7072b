package plan

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Command is a program and its arguments.
type Command []string

// String writes a command on one line, as a shell reads it. All commands are shown to people
// in this way.
func (c Command) String() string {
	words := make([]string, len(c))
	for i, w := range c {
		switch {
		case plainWord.MatchString(w):
			words[i] = w
		case strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsPrint(r) }):
			// It must not move a terminal's cursor.
			quoted := strconv.Quote(w)
			words[i] = "$'" + strings.ReplaceAll(quoted[1:len(quoted)-1], "'", `\'`) + "'"
		default:
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

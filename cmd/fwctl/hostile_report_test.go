package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"fwctl/internal/report"
	"fwctl/internal/ui"
)

// A status or a history that was edited by hand is refused, or shown without a panic and without
// a line that fwctl did not begin.
func TestRecordsEditedByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t, jbods("download: {"+quick+"}, esps: [{}, {}]"), wanted("e", ""))
	fwctl := inProcess(t, s.dir)
	fwctl(0, "apply", "-f", s.path("desired.yaml"), "--yes")
	fwctl(4, "verify")
	again := func(args ...string) string { return strings.Join(args, " ") }
	for command, view := range map[string]func([]byte) (string, error){
		"status": func(data []byte) (string, error) {
			d, err := report.ParseStatus(data)
			if err != nil {
				return "", err
			}
			if _, err := ui.StatusPage(d, "", time.Now(), again); err != nil {
				t.Errorf("the page of the status cannot be made: %v", err)
			}
			return (ui.Screen{Width: 80}).Status(d, again), nil
		},
		"history": func(data []byte) (string, error) {
			d, err := report.ParseHistory(data)
			if err != nil {
				return "", err
			}
			if _, err := ui.HistoryPage(d, "", time.Now(), again); err != nil {
				t.Errorf("the page of the history cannot be made: %v", err)
			}
			return (ui.Screen{Width: 80}).History(d, again), nil
		},
	} {
		var doc any
		if err := json.Unmarshal([]byte(fwctl(0, command, "-o", "json")), &doc); err != nil {
			t.Fatal(err)
		}
		shown := 0
		eachValue(doc, "", func(at string, set func(any), was any) {
			for _, value := range []any{"", "x", "a\n" + forged, -1, 1 << 40, nil, true, []any{}, []any{nil},
				[]any{map[string]any{}}, map[string]any{}} {
				set(value)
				what := fmt.Sprintf("%s with %s = %q", command, at, fmt.Sprint(value))
				data, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				func() {
					defer func() {
						if r := recover(); r != nil {
							t.Errorf("%s: panic: %v\n%s", what, r, debug.Stack())
						}
					}()
					if text, err := view(data); err == nil {
						checkForeign(t, what, text)
						shown++
					}
				}()
			}
			set(was)
		})
		if shown == 0 {
			t.Errorf("no %s was shown: nothing but refusals was tested", command)
		}
	}
	// As files they are read by the same way.
	s.write(
		"history.json",
		strings.Replace(fwctl(0, "history", "-o", "json"), `"host": "stor1"`, `"host": "a\nFORGED"`, 1),
	)
	checkForeign(t, "history --from", fwctl(0, "history", "--from", filepath.Join(s.dir, "history.json")))
}

package executor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fwctl/executor"
	"fwctl/executor/result"
	"fwctl/plan"
)

// A run whose images cannot be kept is not on record, since it could not be resumed.
func TestRunWithoutItsImagesNeverBegan(t *testing.T) {
	t.Parallel()
	onRack(t, acme(""), func(b *bench) {
		if err := os.WriteFile(filepath.Join(filepath.Dir(b.file), "state", "images"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := executor.Run(context.Background(), b.config(b.step(esp1, stage, b.hop("1100", plan.ModeE))))
		if err == nil {
			t.Fatalf("Run = %+v; want an error", r)
		}
		if runs, err := b.store.Runs(context.Background()); err != nil || len(runs) != 0 {
			t.Errorf("Runs = %+v, %v; want none", runs, err)
		}
	})
}

// A state directory that is taken away in mid-download is noticed before the next
// effect: the image is sent whole, and the next component gets none.
func TestStateThatIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"renamed": func(dir string) error { return os.Rename(dir, dir+".old") },
	} {
		t.Run(name, func(t *testing.T) {
			onRack(t, acme(""), func(b *bench) {
				taken := false
				b.onEvent = func(e result.Event) {
					if e.Type != result.EventProgress || taken {
						return
					}
					taken = true
					if err := take(filepath.Join(filepath.Dir(b.file), "state")); err != nil {
						t.Error(err)
					}
				}
				hop := b.hop("1100", plan.ModeE)
				r, err := executor.Run(context.Background(), b.config(b.step(esp1, stage, hop), b.step(esp2, stage, hop)))
				if err != nil {
					t.Fatal(err)
				}
				if r.Outcome != result.RunFailed || !r.Lost ||
					!strings.Contains(b.story(r), "was removed while fwctl was using it") {
					t.Errorf("Run = %s, lost %v; want it failed and lost\n%s", r.Outcome, r.Lost, b.story(r))
				}
				if got := r.Steps[1].Outcome; got != result.OutcomeSkipped {
					t.Errorf("%s = %s; want it skipped\n%s", esp2, got, b.story(r))
				}
			})
		})
	}
}

package ui

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"fwctl/plan"
)

// The page in a real browser. FWCTL_BROWSER=1 demands one, and all that is to be seen in it; without
// it one plan is looked at, if there is a browser. FWCTL_SCREENSHOTS names a folder that keeps
// what it has drawn.

var allInBrowser = os.Getenv("FWCTL_BROWSER") != ""

// browser starts Chromium, and returns a tab of it.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if allInBrowser {
			t.Fatalf("FWCTL_BROWSER is set, and there is no browser: %v", err)
		}
		t.Skip("there is no chromium here")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// opened writes a page to a file, opens it in a tab, and fails the test for whatever the browser says
// of it in its console.
func opened(t *testing.T, tab context.Context, p *plan.Plan) {
	t.Helper()
	var mu sync.Mutex
	complain := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		t.Errorf("the browser says: %s", what)
	}
	chromedp.ListenTarget(tab, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			complain(e.Entry.Text + " " + e.Entry.URL)
		case *cdpruntime.EventConsoleAPICalled:
			complain(fmt.Sprint(e.Type))
		case *cdpruntime.EventExceptionThrown:
			complain(e.ExceptionDetails.Error())
		case *cdppage.EventJavascriptDialogOpening:
			complain("a dialog opens: " + e.Message)
		}
	})
	file := filepath.Join(t.TempDir(), "plan.html")
	if err := os.WriteFile(file, []byte(pageOf(t, p)), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, tab, chromedp.Navigate("file://"+file), chromedp.WaitReady("footer"))
}

func run(t *testing.T, tab context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(tab, actions...); err != nil {
		t.Fatalf("the browser fails: %v", err)
	}
}

func evaluate[T any](t *testing.T, tab context.Context, script string) (value T) {
	t.Helper()
	run(t, tab, chromedp.Evaluate(script, &value))
	return value
}

// On a phone, a tablet and a desk, in light and dark: nothing is wider than the page, and all text stands out
// from what is behind it.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	tab := browser(t)
	names := []string{"example", "blocked", "empty", "hostile", "300 slots", "no slots", "site"}
	if !allInBrowser {
		names = names[:1]
	}
	for _, name := range names {
		opened(t, tab, pagePlans()[name])
		for _, width := range []int64{360, 800, 1440} {
			for _, scheme := range []string{"light", "dark"} {
				run(t, tab, chromedp.EmulateViewport(width, 900), emulation.SetEmulatedMedia().WithFeatures(
					[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
				if wide := evaluate[int64](t, tab, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s at %d: the page is %d wide", name, width, wide)
				}
				for _, bad := range evaluate[[]string](t, tab, contrast) {
					t.Errorf("%s at %d, %s: %s", name, width, scheme, bad)
				}
				keep(t, tab, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
			}
		}
	}
}

// contrast lists texts that stand out too little from what is behind them: WCAG 2.2, 1.4.3.
const contrast = `(() => {
  const light = (c) => c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const colour = (text) => text.match(/[\d.]+/g).map(Number);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const bad = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || e.closest("script, title")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(colour(e.closest("svg") ? style.fill : style.color).slice(0, 3)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.add(e.outerHTML.slice(0, 80) + " has a contrast of " + ratio.toFixed(2));
  }
  return [...bad].slice(0, 10);
})()`

// keep writes what the browser shows to the folder of FWCTL_SCREENSHOTS.
func keep(t *testing.T, tab context.Context, name string) {
	t.Helper()
	folder := os.Getenv("FWCTL_SCREENSHOTS")
	if folder == "" {
		return
	}
	var picture []byte
	run(t, tab, chromedp.FullScreenshot(&picture, 100))
	if err := os.WriteFile(filepath.Join(folder, strings.ReplaceAll(name, " ", "-")), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A plan of 5,000 components can be filtered and sorted, by keyboard too.
func TestLargePageInABrowser(t *testing.T) {
	t.Parallel()
	if !allInBrowser {
		t.Skip("it takes a while")
	}
	tab := browser(t)
	opened(t, tab, largePlan(5000, 24))
	const shown = `document.querySelectorAll("#components-table tbody tr:not([hidden])").length`
	if got := evaluate[int](t, tab, shown); got != 5000 {
		t.Errorf("the page shows %d components; want 5000", got)
	}
	run(t, tab, chromedp.Focus("#filter-text"), input.InsertText("r07 /esp2/"))
	run(t, tab, chromedp.Poll(`document.getElementById("filter-count").textContent !== "5000 of 5000 components"`, nil))
	if got := evaluate[int](t, tab, shown); got != 20 {
		t.Errorf("filtered, the page shows %d components; want 20", got)
	}
	if got, want := evaluate[string](t, tab, `document.getElementById("filter-count").textContent`), "20 of 5000 components"; got != want {
		t.Errorf("the page says %q; want %q", got, want)
	}
	const first = `document.querySelector("#components-table tbody tr:not([hidden]) b").textContent`
	before := evaluate[string](t, tab, first)
	run(t, tab, chromedp.Focus("#components-table thead button"), chromedp.KeyEvent("\r"), chromedp.KeyEvent("\r"))
	if got := evaluate[string](t, tab, `document.querySelector("#components-table th").getAttribute("aria-sort")`); got != "descending" {
		t.Errorf("sorted twice, the order is %q; want descending", got)
	}
	if after := evaluate[string](t, tab, first); after <= before {
		t.Errorf("sorted, the first component is of %s, before it was of %s", after, before)
	}
}

// Without scripts, all of it is there but the filter.
func TestPageWithoutScriptsInABrowser(t *testing.T) {
	t.Parallel()
	tab := browser(t)
	run(t, tab, emulation.SetScriptExecutionDisabled(true))
	opened(t, tab, pagePlan())
	run(t, tab, emulation.SetScriptExecutionDisabled(false))
	if !evaluate[bool](t, tab, `document.getElementById("filter").hidden`) {
		t.Error("there is a filter that does nothing")
	}
	if got, want := evaluate[int](t, tab, `document.querySelectorAll("#components-table tbody tr").length`), len(pagePlan().Steps); got != want {
		t.Errorf("the page shows %d components; want %d", got, want)
	}
}

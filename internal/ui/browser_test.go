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

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
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
	// Without it nothing has the focus in a window that nobody sees.
	run(t, ctx, emulation.SetFocusEmulationEnabled(true))
	return ctx
}

// opened writes a page to a file, opens it in a tab, and fails the test for whatever the browser says
// of it in its console.
func opened(t *testing.T, tab context.Context, page string) {
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
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
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

// inBrowser are the pages that are looked at: one if there is little time.
func inBrowser(t *testing.T) map[string]string {
	t.Helper()
	if !allInBrowser {
		return map[string]string{"example": pageOf(t, pagePlan())}
	}
	all := pages(t)
	delete(all, "large") // TestLargePageInABrowser looks at a larger one
	return all
}

// On a phone, a tablet and a desk, in light and dark: nothing is wider than the page, and all text stands out
// from what is behind it.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	tab := browser(t)
	for name, page := range inBrowser(t) {
		opened(t, tab, page)
		for _, width := range []int64{360, 800, 1440} {
			for _, scheme := range []string{"light", "dark"} {
				run(t, tab, chromedp.EmulateViewport(width, 900), media("screen", scheme))
				what := fmt.Sprintf("%s-%d-%s", name, width, scheme)
				looksFine(t, tab, what, width)
				keep(t, tab, what+".png")
			}
		}
		readsFine(t, tab, name)
	}
}

// onlyInMakeBrowser skips a test that takes too long for make test.
func onlyInMakeBrowser(t *testing.T) {
	t.Helper()
	if !allInBrowser {
		t.Skip("FWCTL_BROWSER is not set: make browser sets it, and runs this")
	}
}

// On paper there is ink on white, whatever the screen is like, and no table is cut.
func TestPrintedPagesInABrowser(t *testing.T) {
	t.Parallel()
	onlyInMakeBrowser(t)
	tab := browser(t)
	for name, page := range inBrowser(t) {
		opened(t, tab, page)
		// The width of A4 within the margins.
		const width = 718
		run(t, tab, chromedp.EmulateViewport(width, 1000), media("print", "dark"))
		looksFine(t, tab, name+" printed", width)
		if got := evaluate[string](t, tab, "getComputedStyle(document.body).backgroundColor"); got != "rgb(255, 255, 255)" {
			t.Errorf("%s is printed on %s", name, got)
		}
		for _, cut := range evaluate[[]string](t, tab, cutOff) {
			t.Errorf("%s, printed, is cut: %s", name, cut)
		}
		for _, head := range evaluate[[]string](t, tab, `[...document.querySelectorAll("thead")].map((e) => getComputedStyle(e).display)`) {
			if head != "table-header-group" {
				t.Errorf("%s: the head of a table is printed as %s, once", name, head)
			}
		}
		if folder := os.Getenv("FWCTL_SCREENSHOTS"); folder != "" {
			run(t, tab, media("", "dark"), chromedp.ActionFunc(func(ctx context.Context) error {
				pdf, _, err := cdppage.PrintToPDF().WithPrintBackground(true).WithPaperWidth(8.27).WithPaperHeight(11.69).WithPreferCSSPageSize(true).Do(ctx)
				if err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(folder, strings.ReplaceAll(name, " ", "-")+".pdf"), pdf, 0o600)
			}))
		}
	}
}

// cutOff lists what is wider than what it stands in, which paper cannot scroll.
const cutOff = `[...document.querySelectorAll("body *")].filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1 &&
  getComputedStyle(e).overflowX !== "visible").map((e) => e.outerHTML.slice(0, 80)).slice(0, 5)`

func media(kind, scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithMedia(kind).WithFeatures(
		[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})
}

// looksFine fails the test if a page is wider than the browser, or a text of it does not stand out.
func looksFine(t *testing.T, tab context.Context, what string, width int64) {
	t.Helper()
	if wide := evaluate[int64](t, tab, "document.documentElement.scrollWidth"); wide > width {
		t.Errorf("%s: the page is %d wide, by %v", what, wide, evaluate[[]string](t, tab, tooWide))
	}
	for _, bad := range evaluate[[]string](t, tab, contrast) {
		t.Errorf("%s: %s", what, bad)
	}
}

// tooWide lists what reaches beyond the page, and nothing keeps back.
const tooWide = `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 &&
  !/auto|scroll/.test(getComputedStyle(e.closest(".wide, .chart") || document.body).overflowX)).map((e) => e.outerHTML.slice(0, 80)).slice(0, 4)`

// readsFine fails the test for what a screen reader or a keyboard does not get along with.
func readsFine(t *testing.T, tab context.Context, name string) {
	t.Helper()
	// Not as package accessibility has it, which does not know all words of every Chromium.
	type value struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored    bool  `json:"ignored"`
			Role       value `json:"role"`
			Name       value `json:"name"`
			Properties []struct {
				Name  string `json:"name"`
				Value value  `json:"value"`
			} `json:"properties"`
		} `json:"nodes"`
	}
	run(t, tab, chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree)
	}))
	landmarks, level := map[string]int{}, 0.
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		role, label := fmt.Sprint(n.Role.Value), strings.TrimSpace(fmt.Sprint(n.Name.Value))
		switch role {
		case "banner", "main", "contentinfo", "navigation":
			landmarks[role]++
		case "table", "grid", "region", "image", "img", "SvgRoot", "graphics-document", "search", "link", "button",
			"searchbox", "combobox", "columnheader", "rowheader", "article":
			if label == "" {
				t.Errorf("%s: a %s has no name", name, role)
			}
		case "heading":
			if label == "" {
				t.Errorf("%s: a heading is empty", name)
			}
			for _, p := range n.Properties {
				is, _ := p.Value.Value.(float64)
				if p.Name != "level" {
					continue
				}
				if is > level+1 || is == 1 && level > 0 {
					t.Errorf("%s: the heading %q of level %v follows one of level %v", name, label, is, level)
				}
				level = is
			}
		}
	}
	for _, role := range []string{"banner", "main", "contentinfo", "navigation"} {
		if landmarks[role] != 1 {
			t.Errorf("%s has %d landmarks %s; want 1", name, landmarks[role], role)
		}
	}
	for _, bad := range evaluate[[]string](t, tab, keyboard) {
		t.Errorf("%s: %s", name, bad)
	}
}

// keyboard lists what the keyboard reaches and does not show, and whatever scrolls and is not reached.
const keyboard = `(() => {
  const bad = [];
  const reached = [...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")].filter((e) => e.checkVisibility());
  if (!reached[0].matches(".skip[href='#main']")) bad.push("the first that the keyboard reaches does not skip to the content");
  for (const e of reached.slice(0, 300)) {
    e.focus({focusVisible: true});
    const style = getComputedStyle(e);
    if (document.activeElement !== e) bad.push("takes no focus: " + e.outerHTML.slice(0, 80));
    else if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) bad.push("does not show its focus: " + e.outerHTML.slice(0, 80));
  }
  for (const e of document.querySelectorAll("main *")) {
    const scrolls = /auto|scroll/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1;
    if (scrolls && e.tabIndex < 0 && !e.matches("input, select")) bad.push("scrolls, and no key does that: " + e.outerHTML.slice(0, 80));
  }
  return bad.slice(0, 10);
})()`

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
	onlyInMakeBrowser(t)
	tab := browser(t)
	opened(t, tab, pageOf(t, largePlan(5000, 24)))
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

// The filter of a history covers the components of all runs. It hides a run that has none to show.
func TestFilterOfRunsInABrowser(t *testing.T) {
	t.Parallel()
	onlyInMakeBrowser(t)
	tab := browser(t)
	opened(t, tab, historyPageOf(t, recordHistory()))
	const runs = `document.querySelectorAll(".run:not([hidden])").length`
	if got := evaluate[int](t, tab, runs); got != 3 {
		t.Errorf("the page shows %d runs; want 3", got)
	}
	run(t, tab, chromedp.Focus("#filter-text"), input.InsertText("2200 updated"))
	run(t, tab, chromedp.Poll(`document.getElementById("filter-count").textContent === "1 of 5 components"`, nil))
	if got := evaluate[int](t, tab, runs); got != 1 {
		t.Errorf("filtered, the page shows %d runs; want 1", got)
	}
	evaluate[bool](t, tab, `document.getElementById("filter-text").value = "", document.getElementById("filter-kind").value = "skipped",
		document.getElementById("filter-kind").dispatchEvent(new Event("change"))`)
	if got := evaluate[string](t, tab, `document.querySelector(".run:not([hidden]) h3").textContent`); !strings.Contains(got, "Run 8") {
		t.Errorf("of what was skipped, the page shows %s; want run 8", got)
	}
	if got, want := evaluate[string](t, tab, `document.getElementById("filter-count").textContent`), "1 of 5 components"; got != want {
		t.Errorf("the page says %q; want %q", got, want)
	}
}

// Pages of 40,000 components stay small enough to be opened, and to be sent with a ticket.
func TestVeryLargePagesInABrowser(t *testing.T) {
	t.Parallel()
	onlyInMakeBrowser(t)
	tab := browser(t)
	for name, page := range map[string]string{
		"very large site": pageOf(t, sitePlan(40_000)), "very large": pageOf(t, largePlan(40_000, 24)),
		"very large history": historyPageOf(t, largeHistory(40_000)),
	} {
		t.Logf("%s: %d bytes", name, len(page))
		if len(page) > 8<<20 {
			t.Errorf("%s: the page has %d bytes", name, len(page))
		}
		opened(t, tab, page)
		run(t, tab, chromedp.EmulateViewport(1440, 900))
		if wide := evaluate[int64](t, tab, "document.documentElement.scrollWidth"); wide > 1440 {
			t.Errorf("%s: the page is %d wide", name, wide)
		}
	}
}

// Without scripts, all of it is there but the filter.
func TestPageWithoutScriptsInABrowser(t *testing.T) {
	t.Parallel()
	tab := browser(t)
	run(t, tab, emulation.SetScriptExecutionDisabled(true))
	opened(t, tab, pageOf(t, pagePlan()))
	run(t, tab, emulation.SetScriptExecutionDisabled(false))
	if !evaluate[bool](t, tab, `document.getElementById("filter").hidden`) {
		t.Error("there is a filter that does nothing")
	}
	if got, want := evaluate[int](t, tab, `document.querySelectorAll("#components-table tbody tr").length`), len(pagePlan().Steps); got != want {
		t.Errorf("the page shows %d components; want %d", got, want)
	}
}

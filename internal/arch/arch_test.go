// Package arch holds the table of which package of this module may import
// which other one, and nothing else. It has no code, only this test.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed is what each package may reach in this module, through others too: what
// its row lists, and what those rows list in turn. A package that is not listed fails
// the test: it has to be given its place first. Test files may import more.
var allowed = map[string][]string{
	"internal/transport":  {},
	"internal/atomicfile": {},
	"internal/document":   {},
	"internal/image":      {"internal/document"},
	"internal/window":     {},
	"internal/glob":       {},
	"schemas":             {},
	"internal/capture":    {"internal/transport"},
	"internal/backoff":    {},
	"internal/duration":   {},
	"internal/command":    {},
	// It keeps cautions and timings, in an inventory's words.
	"internal/state": {"internal/atomicfile", "inventory"},
	// Beside the executor, not in it: it receives what a run reports, and the run never waits for it.
	"internal/notify": {"executor/result", "plan", "internal/command"},
	// Pure: readings of one enclosure, compared.
	"internal/baseline": {"inventory"},
	"internal/enclosure": {
		"inventory", "inventory/scan", "internal/backoff", "internal/ses", "internal/scsi", "internal/transport",
	},
	"internal/download": {
		"inventory", "inventory/scan", "internal/enclosure", "internal/backoff", "internal/duration", "internal/ses", "internal/scsi",
		"internal/transport",
	},
	"internal/scsi": {"internal/transport"},
	"internal/ses":  {"internal/scsi", "internal/transport"},
	// Never scsi or ses: a codec shared by device and driver hides symmetric mistakes.
	"internal/sim":      {"internal/document", "internal/glob", "internal/transport", "schemas"},
	"internal/sim/tcmu": {},
	"inventory":         {"internal/glob"},
	"inventory/scan":    {"inventory", "internal/ses", "internal/scsi", "internal/transport"},
	"inventory/fleet":   {"inventory"},
	// Never transport: a plan is made without a device.
	"plan":         {"inventory", "internal/duration", "internal/window", "schemas"},
	"plan/group":   {"plan"},
	"plan/compare": {"plan"},
	"plan/impact":  {"plan", "inventory/fleet"},
	"plan/desired": {"plan", "internal/glob", "internal/image"},
	"plan/build":   {"plan/desired", "plan/impact"},
	"plan/images":  {"plan", "internal/image"},
	// It reads what a store remembers through executor/memory, so that a rule about that stands once.
	"internal/report": {"executor/memory", "plan"},
	// Values only, and never a device.
	"internal/ui":        {"executor/result", "internal/report", "plan/group", "plan/compare", "internal/image"},
	"internal/ui/uitest": {},
	"executor/step":      {"plan"},
	"executor/result":    {"executor/step", "plan", "internal/state"},
	"executor/schedule":  {"executor/step", "executor/result", "plan"},
	// Never transport: it reads a store, and what it says is for those who must not reach a device, too.
	"executor/memory": {"executor/result", "plan", "internal/baseline", "internal/image", "internal/state"},
	// Never the shell or plan/impact: it looks, and neither plans nor carries out.
	"executor/verify": {"executor/memory", "executor/result", "plan", "inventory/scan", "internal/enclosure"},
	// Never plan/build or plan/desired: a plan leaves the executor no choice, and no run makes another plan. Never
	// executor/verify: that is another command.
	"executor": {
		"executor/memory", "executor/schedule", "plan/impact", "inventory/scan", "internal/command", "internal/download",
		"internal/image",
	},
}

// codecs are what a program does not use itself: it asks scan or the executor.
var codecs = []string{"internal/scsi", "internal/ses"}

// The imports are read from the files: the answer of `go list` may be cached.
func TestImports(t *testing.T) {
	imports, programs := readImports(t, "../..")
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		for _, imp := range imports[pkg] {
			if programs[imp] {
				t.Errorf("%s imports the program %s", pkg, imp)
			}
			if programs[pkg] && slices.Contains(codecs, imp) {
				t.Errorf("program %s imports %s", pkg, imp)
			}
		}
		if programs[pkg] {
			continue
		}
		if _, ok := allowed[pkg]; !ok {
			t.Errorf("%s has no place in the table of imports; want one in internal/arch", pkg)
			continue
		}
		may := reach(allowed, pkg)
		for _, imp := range slices.Sorted(maps.Keys(reach(imports, pkg))) {
			if !may[imp] {
				t.Errorf("%s reaches %s; want at most %v", pkg, imp, slices.Sorted(maps.Keys(may)))
			}
		}
	}
}

// reach returns the packages that pkg imports, directly or not.
func reach(imports map[string][]string, pkg string) map[string]bool {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(p string) {
		for _, imp := range imports[p] {
			if !seen[imp] {
				seen[imp] = true
				walk(imp)
			}
		}
	}
	walk(pkg)
	return seen
}

// readImports returns what each package of the module at root imports of it, by
// folder, for all systems and without its tests, and which packages are programs.
func readImports(t *testing.T, root string) (imports map[string][]string, programs map[string]bool) {
	t.Helper()
	imports, programs = map[string][]string{}, map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		if imports[pkg] == nil {
			imports[pkg] = []string{}
		}
		programs[pkg] = programs[pkg] || file.Name.Name == "main"
		for _, spec := range file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(imp, "fwctl/"); ok && !slices.Contains(imports[pkg], ours) {
				imports[pkg] = append(imports[pkg], ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) < len(allowed)/2 {
		t.Fatalf("readImports(%s) found %d packages; want the module", root, len(imports))
	}
	return imports, programs
}

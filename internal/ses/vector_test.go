package ses_test

import (
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fwctl/internal/ses"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

type page = encoding.BinaryAppender

// decoders are all decoders of this package, by the name that their vectors begin with.
var decoders = map[string]func([]byte, *ses.Configuration) (page, error){
	"00":         plain(ses.ParseSupportedPages),
	"0d":         plain(ses.ParseSupportedPages),
	"01":         plain(ses.ParseConfiguration),
	"02":         configured(ses.ParseEnclosureStatus),
	"07":         configured(ses.ParseElementDescriptors),
	"08":         plain(ses.ParseShortStatus),
	"09":         plain(ses.ParseEnclosureBusy),
	"0a":         configured(ses.ParseAdditionalElementStatus),
	"0e":         plain(ses.ParseDownloadMicrocodeStatus),
	"0e-control": plain(ses.ParseDownloadMicrocodeControl),
}

func configured[T any, P interface {
	*T
	page
}](parse func([]byte, *ses.Configuration) (P, error)) func([]byte, *ses.Configuration) (page, error) {
	return func(b []byte, cfg *ses.Configuration) (page, error) {
		p, err := parse(b, cfg)
		if p == nil { // a nil pointer must not hide in the interface
			return nil, err
		}
		return p, err
	}
}

func plain[T any, P interface {
	*T
	page
}](parse func([]byte) (P, error)) func([]byte, *ses.Configuration) (page, error) {
	return configured(func(b []byte, _ *ses.Configuration) (P, error) { return parse(b) })
}

// TestVectors decodes the hand-encoded pages testdata/<enclosure>/<decoder>_<what>.hex
// with the configuration in 01.hex beside them (for bad ones: acme's), compares
// with the .json beside them, and encodes them again.
func TestVectors(t *testing.T) {
	files, _ := filepath.Glob("testdata/*/*.hex")
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			name := decoderOf(file)
			decode := decoders[name]
			if decode == nil {
				t.Fatalf("no decoder is called %q", name)
			}
			seen[name] = true
			cfg := configurationOf(t, file)
			got := map[string]any{}
			p, err := decode(readHex(t, file), cfg)
			if err != nil {
				got["error"] = err.Error()
			} else {
				got["decoded"] = p
				checkRoundTrip(t, p, decode, cfg)
			}
			golden(t, strings.TrimSuffix(file, ".hex")+".json", got)
		})
	}
	for name := range decoders {
		if !seen[name] {
			t.Errorf("decoder %q has no vector", name)
		}
	}
}

func decoderOf(file string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".hex"), "_")
	return name
}

func configurationOf(t testing.TB, file string) *ses.Configuration {
	t.Helper()
	dir := filepath.Dir(file)
	if filepath.Base(dir) == "bad" {
		dir = "testdata/acme"
	}
	cfg, err := ses.ParseConfiguration(readHex(t, filepath.Join(dir, "01.hex")))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func checkRoundTrip(t *testing.T, p page, decode func([]byte, *ses.Configuration) (page, error),
	cfg *ses.Configuration) {
	t.Helper()
	const before = "what was there"
	b, err := p.AppendBinary([]byte(before))
	if err != nil || string(b[:len(before)]) != before {
		t.Fatalf("AppendBinary of %+v = %x, %v", p, b, err)
	}
	again, err := decode(b[len(before):], cfg)
	if err != nil {
		t.Fatalf("decode(%x) = %v; want what was encoded: %+v", b[len(before):], err, p)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Errorf("decode(AppendBinary(x)) differs from x (-want +got):\n%s", diff)
	}
}

// TestEncode: encoding what was decoded gives the very bytes of the vector
// where it has no reserved bits, padding or vendor's bytes.
func TestEncode(t *testing.T) {
	for _, name := range []string{"00", "08", "09", "0d", "0e", "0e-control", "0e-control_activate", "0e-control_abort"} {
		file := "testdata/acme/" + name + ".hex"
		want := readHex(t, file)
		p, err := decoders[decoderOf(file)](want, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.AppendBinary(nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("AppendBinary of %s = %x, %v; want %x", name, got, err, want)
		}
	}
}

func readHex(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(string(regexp.MustCompile(`#.*|\s`).ReplaceAll(text, nil)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return b
}

func golden(t *testing.T, file string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

// FuzzParse: an error is typed and comes with no result, a page is the same
// after it was encoded, and does not change with the bytes it was decoded from.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.hex")
	for _, file := range files {
		dir := filepath.Dir(file)
		if filepath.Base(dir) == "bad" {
			dir = "testdata/acme"
		}
		f.Add(readHex(f, filepath.Join(dir, "01.hex")), readHex(f, file))
	}
	acme := configurationOf(f, "testdata/acme/01.hex")
	f.Fuzz(func(t *testing.T, cfgBytes, b []byte) {
		cfg, err := ses.ParseConfiguration(cfgBytes)
		if err != nil {
			same := *acme
			cfg = &same
		}
		if len(b) >= 8 {
			cfg.GenerationCode = binary.BigEndian.Uint32(b[4:])
		}
		for name, decode := range decoders {
			bytes := slices.Clone(b)
			p, err := decode(bytes, cfg)
			if err != nil {
				if p != nil || !typed(err) {
					t.Errorf("%s: decode(%x) = %v, %v; want nil and a typed error", name, b, p, err)
				}
				continue
			}
			before, _ := json.Marshal(p)
			clear(bytes)
			if after, _ := json.Marshal(p); string(after) != string(before) {
				t.Errorf("%s: decode(%x) = %s, and %s after its input changed", name, b, before, after)
			}
			checkRoundTrip(t, p, decode, cfg)
		}
	})
}

func typed(err error) bool {
	var (
		format     *ses.FormatError
		short      *ses.ShortPageError
		unexpected *ses.UnexpectedPageError
		generation *ses.GenerationError
	)
	return errors.As(err, &format) || errors.As(err, &short) || errors.As(err, &unexpected) || errors.As(err, &generation)
}

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"aead.dev/minisign"
)

// Signatures that do not match are refused by validate and plan alike, and what is wrong
// is named; nothing is planned on the strength of one.
func TestSignaturesThatDoNotMatch(t *testing.T) {
	t.Parallel()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(
		t,
		jbods("download: {"+quick+"}, esps: [{}, {}]"),
		wanted("e", `requireSignature: ["`+public.String()+`"]`),
	)
	replaceInFile(t, s.path("desired.yaml"), "revision: \"1100\"", "signature: the.minisig, revision: \"1100\"")
	fwctl := inProcess(t, s.dir)
	desired := s.path("desired.yaml")
	image, err := os.ReadFile(s.path("iom-1100.bin"))
	if err != nil {
		t.Fatal(err)
	}
	good := minisign.Sign(private, image)
	for _, tt := range []struct {
		name      string
		signature []byte
		says      string
	}{
		{"empty", nil, "it is empty"},
		{"truncated", good[:len(good)/2], "it is not a minisign signature"},
		{"without its last line", good[:bytes.LastIndexByte(bytes.TrimSpace(good), '\n')+1], "it is not a minisign signature"},
		{"another file", image, "signature"},
		{"a key", []byte(public.String()), "it is not a minisign signature"},
		{"of another image", minisign.Sign(private, append([]byte("x"), image...)), "it does not match"},
		{"by another key", minisign.Sign(stranger, image), "it is by key "},
		{"good", good, ""},
	} {
		s.write("the.minisig", string(tt.signature))
		for _, command := range []string{"validate", "plan"} {
			code := 1
			if tt.says == "" {
				code = 0
			}
			if out := fwctl(code, command, "-f", desired); !strings.Contains(out, tt.says) ||
				code == 1 && !strings.Contains(out, "hint: ") {
				t.Errorf("%s with a signature that is %s = %s\nwant %q and a hint", command, tt.name, out, tt.says)
			}
		}
	}
}

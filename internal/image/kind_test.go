package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"fwctl/internal/image"
)

func tarOf(t *testing.T, name string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Size: 1, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipOf(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func elf(machine uint16) string {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x01\x01\x01")
	binary.LittleEndian.PutUint16(header[18:], machine)
	return string(header)
}

func windowsProgram() string {
	header := make([]byte, 256)
	copy(header, "MZ")
	binary.LittleEndian.PutUint32(header[60:], 128)
	copy(header[128:], "PE\x00\x00")
	return string(header)
}

func utf16Of(text string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	random := make([]byte, 4096)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	random[0] = 0xea
	for _, tt := range []struct{ name, content, want string }{
		{"script", "#!/bin/sh\necho\n\x00\x01image", "a script"},
		{"zip", "PK\x03\x04\x14\x00\x00\x00", "a ZIP archive"},
		{"empty zip", "PK\x05\x06" + strings.Repeat("\x00", 18), "a ZIP archive"},
		{"gzip", gzipOf(t, "hello"), "a gzip file"},
		{"bzip2", "BZh91AY&SY\x00\x01", "a bzip2 file"},
		{"xz", "\xfd7zXZ\x00\x00\x04", "an xz file"},
		{"zstd", "\x28\xb5\x2f\xfd\x04\x00", "a zstd file"},
		{"7z", "7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"},
		{"rar 5", "Rar!\x1a\x07\x01\x00", "a RAR archive"},
		{"cpio", "070701000000", "a cpio archive"},
		{"rpm", "\xed\xab\xee\xdb\x03\x00", "an RPM package"},
		{"deb", "!<arch>\ndebian-binary   1410122664  0", "a Debian package"},
		{"ar", "!<arch>\nfoo.o/", "an ar archive"},
		{"cab", "MSCF\x00\x00\x00\x00\x01", "a Windows cabinet"},
		{"tar", tarOf(t, "fw/1100.bin"), "a tar archive"},
		{"pdf", "%PDF-1.7\n\x80", "a PDF document"},
		{"exe", windowsProgram(), "a Windows program"},
		{"updater", elf(62), "a program for PCs (ELF)"},
		{"html", "<html><body>login</body></html>", "an HTML page"},
		{"html after blanks", "\r\n  \t<!DOCTYPE html>\n<title>404</title>", "an HTML page"},
		{"html after a mark", "\ufeff<HTML lang=en>", "an HTML page"},
		{"html in UTF-16", utf16Of("<!doctype html><p>Anmeldung für Kunden"), "an HTML page"},
		{"html after a comment", "<!-- saved from url -->\n<html>", "an HTML page"},
		{"xhtml", "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC>", "an HTML page"},
		{"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a Git LFS pointer"},
		{"annex", "/annex/objects/SHA256E-s1048576--5891.bin\n", "text"},
		{"zeros", strings.Repeat("\x00", 4096), "nothing but 00h bytes"},
		{"erased", strings.Repeat("\xff", 4096), "nothing but FFh bytes"},
		{"Intel HEX", ":10010000214601360121470136007EFE09D2190140\r\n:00000001FF\r\n", "an Intel HEX file"},
		{"S-records", "S00F000068656C6C6F202020202000003C\nS9030000FC\n", "an S-record file"},
		{"PEM", "-----BEGIN PGP SIGNATURE-----\nabc\n-----END\n", "a PEM file"},
		{"JSON", ` {"error": "not found"}`, "a JSON document"},
		{"a plan", "{\n  \"format_version\": \"1.0\",\n  \"kind\": \"Plan\"", "a plan of fwctl"},
		{"a desired state", "apiVersion: fwctl/v1\nkind: DesiredState\n", "a desired state of fwctl"},
		{"base64", "aGVsbG8gd29ybGQ=\naGVsbG8gd29ybGQ=\n", "text"},
		{"error page", "404 page not found\n", "text"},
		{"Latin text", "Datei nicht gefunden: \xe4", "binary data"}, // no encoding tells it from data
		{"empty", "", "empty"},

		{"random", string(random), "binary data"},
		{"text before data", "ACME JBOD-60 1100\n\x00\x01\x02\x03", "binary data"},
		{"zeros before data", strings.Repeat("\x00", 1024) + "\x01", "binary data"},
		{"a byte of erased flash", "\x00\xff", "binary data"},
		{"DOS without Windows", "MZ" + strings.Repeat("\x00", 100), "binary data"},
		{"a deflated stream", "\x1f\x8b\x00\x01", "binary data"},
		{"binary cpio, or a branch", "\xc7\x71\x00\x00", "binary data"},
		{"firmware of an ARM", elf(40), "an ELF program"},
		{"a mark and odd bytes", "\xff\xfe\x00\x01\x00", "binary data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			kind := image.KindOf([]byte(tt.content))
			if kind.Name != tt.want {
				t.Errorf("KindOf(%.40q) = %s; want %s", tt.content, kind.Name, tt.want)
			}
			taken := tt.want == "binary data" || tt.want == "text" || tt.want == "an ELF program"
			if (kind.Unlike == "") != taken {
				t.Errorf("KindOf(%.40q).Unlike = %q; want one unless devices may take it (%v)", tt.content, kind.Unlike, taken)
			}
		})
	}
}

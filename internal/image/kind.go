package image

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"fwctl/internal/document"
)

// Kind says what kind of file an image is, judging by its bytes.
type Kind struct {
	Name   string // with its article: "a ZIP archive"
	Unlike string // what to do instead, "" if a device may take such a file
	Doubt  string // why it is unlikely that a device takes such a file, "" if it is not
}

const (
	unpack   = "unpack it, and name the image that is in it"
	download = "get the file again: this is not what the vendor published"
	convert  = "convert it to the binary image, as with objcopy -O binary"
)

var (
	// Data is anything that is not of another kind. Most images are.
	Data = Kind{Name: "binary data"}
	// JSON is a JSON document that is not fwctl's.
	JSON = Kind{Name: "a JSON document", Unlike: download}
	// Text is any text that is not of another kind. Some devices may take it: it is not refused.
	Text = Kind{
		Name:  "text",
		Doubt: "it is text, and firmware is binary data: it may be a note, or what a server said in place of the file",
	}
)

// magic lists what files of a kind begin with. It leaves out sequences that firmware may
// well begin with: the 2 bytes of binary cpio, of zlib, of DOS programs.
var magic = []struct {
	prefix string
	kind   Kind
}{
	{
		"#!",
		Kind{
			Name: "a script",
			Unlike: "it may carry the image: run it as its instructions say, or unpack it, and name the image that " +
				"comes out",
		},
	},
	{"PK", Kind{Name: "a ZIP archive", Unlike: unpack}},
	{"\x1f\x8b\x08", Kind{Name: "a gzip file", Unlike: unpack}},
	{"BZh", Kind{Name: "a bzip2 file", Unlike: unpack}},
	{"\xfd7zXZ\x00", Kind{Name: "an xz file", Unlike: unpack}},
	{"\x28\xb5\x2f\xfd", Kind{Name: "a zstd file", Unlike: unpack}},
	{"\x04\x22\x4d\x18", Kind{Name: "an lz4 file", Unlike: unpack}},
	{"LZIP\x01", Kind{Name: "an lzip file", Unlike: unpack}},
	{"7z\xbc\xaf\x27\x1c", Kind{Name: "a 7z archive", Unlike: unpack}},
	{"Rar!\x1a\x07", Kind{Name: "a RAR archive", Unlike: unpack}},
	{"MSCF\x00\x00\x00\x00", Kind{Name: "a Windows cabinet", Unlike: unpack}},
	{"070701", Kind{Name: "a cpio archive", Unlike: unpack}},
	{"070702", Kind{Name: "a cpio archive", Unlike: unpack}},
	{"070707", Kind{Name: "a cpio archive", Unlike: unpack}},
	{"\xed\xab\xee\xdb", Kind{Name: "an RPM package", Unlike: unpack}},
	{"!<arch>\ndebian-binary", Kind{Name: "a Debian package", Unlike: unpack}},
	{"!<arch>\n", Kind{Name: "an ar archive", Unlike: unpack}},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind{Name: "an MSI or Office file", Unlike: unpack}},
	{"%PDF-", Kind{Name: "a PDF document", Unlike: "name the image itself: this may be its release notes"}},
	{
		"version https://git-lfs.github.com/spec/",
		Kind{Name: "a Git LFS pointer", Unlike: "fetch the file that it stands for: git lfs pull"},
	},
}

// KindOf returns the kind of a file by its content, and Data for content that it does not
// know. Firmware has no common format. KindOf says that something is not an image only if
// it cannot reasonably be one.
func KindOf(content []byte) Kind {
	if len(content) == 0 {
		return Kind{Name: "empty", Unlike: download}
	}
	if len(bytes.Trim(content, string(content[:1]))) == 0 && (content[0] == 0 || content[0] == 0xff) {
		return Kind{Name: "nothing but " + map[byte]string{0: "00h", 0xff: "FFh"}[content[0]] + " bytes",
			Unlike: download}
	}
	for _, m := range magic {
		if bytes.HasPrefix(content, []byte(m.prefix)) {
			return m.kind
		}
	}
	switch {
	case isTar(content):
		return Kind{Name: "a tar archive", Unlike: unpack}
	case isPE(content):
		return Kind{Name: "a Windows program",
			Unlike: "it may carry the image: unpack it, and name the image that is in it"}
	case bytes.HasPrefix(content, []byte("\x7fELF")):
		return kindOfELF(content)
	}
	if decoded, ok := textOf(content); ok {
		return kindOfText(decoded)
	}
	return Data
}

// isTar reports whether content begins with the header of a tar archive, whose
// checksum is right.
func isTar(content []byte) bool {
	_, err := tar.NewReader(bytes.NewReader(content)).Next()
	return err == nil
}

// isPE reports whether content is a DOS program that says where its Windows program is.
func isPE(content []byte) bool {
	if len(content) < 64 || string(content[:2]) != "MZ" {
		return false
	}
	at := int64(binary.LittleEndian.Uint32(content[60:]))
	return at+4 <= int64(len(content)) && string(content[at:at+4]) == "PE\x00\x00"
}

// kindOfELF returns the kind of an ELF file: a program that runs on a host, such as a
// vendor's updater, or one for another processor, which an I/O module may take as it is.
func kindOfELF(content []byte) Kind {
	const i386, amd64 = 3, 62
	if len(content) < 20 {
		return Data
	}
	var order binary.ByteOrder = binary.LittleEndian
	if content[5] == 2 {
		order = binary.BigEndian
	}
	if machine := order.Uint16(content[18:]); machine == i386 || machine == amd64 {
		return Kind{
			Name:   "a program for PCs (ELF)",
			Unlike: "it may carry the image: unpack it, and name the image that is in it",
		}
	}
	return Kind{Name: "an ELF program"}
}

// textOf decodes content if all of it is text: UTF-8, or UTF-16 with a byte order mark.
func textOf(content []byte) (string, bool) {
	var decoded string
	switch {
	case len(content)%2 == 0 &&
		(bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff"))):
		var order binary.ByteOrder = binary.LittleEndian
		if content[0] == 0xfe {
			order = binary.BigEndian
		}
		units := make([]uint16, len(content)/2)
		for i := range units {
			units[i] = order.Uint16(content[2*i:])
		}
		decoded = string(utf16.Decode(units))
	case utf8.Valid(content):
		decoded = string(content)
	}
	decoded = strings.TrimPrefix(decoded, "\ufeff")
	return decoded, decoded != "" && !strings.ContainsFunc(decoded, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune("\t\n\v\f\r\x1b\x1a", r)
	})
}

var (
	html = regexp.MustCompile(
		`(?i)^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|script|meta)\b`,
	)
	intelHex = regexp.MustCompile(`^(:[0-9A-Fa-f]{10,}\r?\n?)+\s*$`)
	sRecord  = regexp.MustCompile(`^(S[0-9][0-9A-Fa-f]{6,}\r?\n?)+\s*$`)
)

func kindOfText(content string) Kind {
	begins := strings.TrimLeft(content, " \t\r\n")
	switch {
	case document.Of([]byte(content)) != "":
		return Kind{Name: document.Of([]byte(content)).String() + " of fwctl", Unlike: "name the image file"}
	case html.MatchString(content):
		return Kind{Name: "an HTML page", Unlike: "get the file again: this may be the page of a login or of an error"}
	case strings.HasPrefix(begins, "#!"):
		return magic[0].kind
	case strings.HasPrefix(begins, "-----BEGIN "):
		return Kind{Name: "a PEM file", Unlike: "name the image itself: this may be its signature or a certificate"}
	case intelHex.MatchString(content):
		return Kind{Name: "an Intel HEX file", Unlike: convert}
	case sRecord.MatchString(content):
		return Kind{Name: "an S-record file", Unlike: convert}
	case strings.HasPrefix(begins, "{") && json.Valid([]byte(content)):
		return JSON
	}
	return Text
}

// Kind returns what kind of file the image is.
func (i *Image) Kind() Kind { return KindOf(i.data) }

// CheckKind refuses a file that devices do not take, such as an archive of the image.
// The error is an *Error.
func (i *Image) CheckKind() error {
	kind := i.Kind()
	if kind.Unlike == "" {
		return nil
	}
	return &Error{
		Path:    i.path,
		Summary: "it is " + kind.Name + ", not a firmware image",
		Hint:    kind.Unlike + "; if devices take this very file, give the image `opaque: true` in a desired state",
	}
}

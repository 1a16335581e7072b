package image_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"aead.dev/minisign"

	"fwctl/internal/image"
)

func generate(t *testing.T) (minisign.PublicKey, minisign.PrivateKey) {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func TestVerify(t *testing.T) {
	path := write(t, "a.bin", "hello")
	img, err := image.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	vendor, private := generate(t)
	other, _ := generate(t)
	signed := string(minisign.Sign(private, img.Bytes()))
	keys := []string{other.String(), vendor.String()}

	// as the minisign program signs by default: what it hashed before
	reader := minisign.NewReader(strings.NewReader("hello"))
	if _, err := reader.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a signature": signed,
		"one of the hashed image": string(reader.Sign(private)),
		"one with DOS line ends":  strings.ReplaceAll(signed, "\n", "\r\n")} {
		if key, err := img.Verify(write(t, "s", text), keys); err != nil || key != vendor.String() {
			t.Errorf("Verify(%s) = %q, %v; want the vendor's key %s", name, key, err, vendor)
		}
	}

	lines := strings.Split(signed, "\n")
	lines[2] += "1"
	for _, tt := range []struct {
		name, file string
		keys       []string
		want       string
		is         error
	}{
		{"no file", path + ".gone", keys, "there is no such file", fs.ErrNotExist},
		{"an empty file", write(t, "s", ""), keys, "it is empty", nil},
		{"a huge file", write(t, "s", strings.Repeat("x", 70_000)), keys, "it has more than 64 KiB", nil},
		{"another file", write(t, "s", "hello"), keys, "it is not a minisign signature", nil},
		{"a key", write(t, "s", vendor.String()), keys, "it is not a minisign signature", nil},
		{"another key", write(t, "s", signed), keys[:1], "it is by key ", nil},
		{"no keys", write(t, "s", signed), nil, "it is by key ", nil},
		{"another image", write(t, "s", string(minisign.Sign(private, []byte("hullo")))), keys, "it does not match", nil},
		{"a comment that was changed", write(t, "s", strings.Join(lines, "\n")), keys, "it does not match", nil},
	} {
		key, err := img.Verify(tt.file, tt.keys)
		var e *image.Error
		if key != "" || !errors.As(err, &e) {
			t.Errorf("Verify(%s) = %q, %v; want an *Error", tt.name, key, err)
			continue
		}
		if want := "cannot use image " + path + ": its signature " + tt.file + ": " +
			tt.want; !strings.HasPrefix(err.Error(), want) || e.Hint == "" {
			t.Errorf("Verify(%s) = %q, hint %q; want %q and a hint", tt.name, err, e.Hint, want)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("Verify(%s) = %v; want one that is %v", tt.name, err, tt.is)
		}
	}
}

func TestCheckPublicKey(t *testing.T) {
	key, private := generate(t)
	if err := image.CheckPublicKey(key.String()); err != nil {
		t.Errorf("CheckPublicKey(%s) = %v; want nil", key, err)
	}
	file, err := key.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := private.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	img, err := image.Load(write(t, "a", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	signature := write(t, "s", string(minisign.Sign(private, []byte("hello"))))
	for _, text := range []string{"", "RWTvendorsMinisignPublicKey", key.String()[:55], key.String() + "\n", string(file),
		string(secret), "ed25519:" + key.String()} {
		var e *image.KeyError
		if err := image.CheckPublicKey(text); !errors.As(err, &e) || e.Text != text {
			t.Errorf("CheckPublicKey(%q) = %v; want a *KeyError", text, err)
		}
		if _, err := img.Verify(signature, []string{text}); !errors.As(err, &e) {
			t.Errorf("Verify by the key %q = %v; want a *KeyError", text, err)
		}
	}
}

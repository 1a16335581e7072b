package image

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"aead.dev/minisign"
)

// maxSignature is the largest signature file that is read, in bytes. They have
// four lines.
const maxSignature = 64 << 10

// CheckPublicKey reports whether a text is a minisign public key: the second line
// of a .pub file, 56 characters of base64. Errors are of type *KeyError.
func CheckPublicKey(key string) error {
	_, err := parsePublicKey(key)
	return err
}

// KeyError is a text that is not a minisign public key.
type KeyError struct{ Text string }

func (e *KeyError) Error() string { return fmt.Sprintf("%q is not a minisign public key", e.Text) }

func parsePublicKey(text string) (minisign.PublicKey, error) {
	var key minisign.PublicKey
	// The library accepts more: a comment above the key, line breaks in it.
	if err := key.UnmarshalText([]byte(text)); err != nil || key.String() != text {
		return key, &KeyError{text}
	}
	return key, nil
}

// Verify checks a minisign signature of the image and returns the one of
// publicKeys that made it. Errors are of type *Error, or *KeyError if one of publicKeys is
// not a key.
//
// A signature is worth only as much as its key: whoever can change the image can sign it
// again with another key.
func (i *Image) Verify(signatureFile string, publicKeys []string) (key string, err error) {
	fail := func(summary, hint string, cause error) error {
		return &Error{Path: i.path, Summary: "its signature " + signatureFile + ": " + summary, Hint: hint, Err: cause}
	}
	text, err := read(signatureFile, maxSignature)
	if e := (*Error)(nil); errors.As(err, &e) {
		return "", fail(e.Summary, "get the signature from where the image came from, or correct its name", e.Err)
	}
	var signature minisign.Signature
	if err := signature.UnmarshalText(text); err != nil {
		return "", fail(
			"it is not a minisign signature",
			"get it again; minisign's signature files have four lines and end in .minisig",
			nil,
		)
	}
	var ids []string
	for _, candidate := range publicKeys {
		public, err := parsePublicKey(candidate)
		if err != nil {
			return "", err
		}
		if minisign.Verify(public, i.data, text) {
			return candidate, nil
		}
		ids = append(ids, keyID(public.ID()))
	}
	if by := keyID(signature.KeyID); !slices.Contains(ids, by) {
		return "", fail("it is by key "+by+", not by "+strings.Join(ids, " or "),
			"check that this is the vendor's image; if the vendor has a new key, compare it with the one that the "+
				"vendor publishes, then add it to requireSignature", nil)
	}
	return "", fail("it does not match: the image or the signature was changed after signing",
		"do not send this image: get both files again, and ask the vendor if they still differ", nil)
}

// keyID returns the identifier of a key as minisign prints it.
func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

package worldfirst

import (
	"errors"
	"io/fs"
)

// PrivateKeyAdvice says in a line what to do about an error of LoadPrivateKey.
func PrivateKeyAdvice(err error) string {
	const makeOne = `"syncer init --keys" makes a key pair; register its public half in the Developer Center`
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeOne
	case errors.Is(err, fs.ErrPermission):
		return "let the user that syncer runs as own the file, with mode 600"
	case errors.Is(err, errOpen):
		return "if somebody may have read it, make a new pair and register that one instead"
	case errors.Is(err, errIsPublic):
		return "name the private half of the pair; the public one is for the Developer Center"
	case errors.Is(err, errEncrypted):
		return "openssl pkcs8 -topk8 -nocrypt -in THIS_FILE -out NEW_FILE writes it without its passphrase; name that file, mode 600"
	case errors.Is(err, errDamaged):
		return "copy the file anew, whole, from its BEGIN line to its END line"
	case errors.Is(err, errSeveral):
		return "leave one key in the file: the one whose public half is registered"
	case errors.Is(err, errNotRSA), errors.Is(err, errOpenSSH), errors.Is(err, errShort):
		return "this key cannot be used; " + makeOne
	case errors.Is(err, errNotFile):
		return "name the key file itself"
	case errors.Is(err, errNotKey):
		return "name the file of the RSA private key, PEM or bare base64; " + makeOne
	}
	return "check the file and the disk it is on"
}

// PublicKeyAdvice says in a line what to do about an error of LoadPublicKeys.
func PublicKeyAdvice(err error) string {
	const copyIt = "copy WorldFirst's public key from the Developer Center into that file"
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "let the user that syncer runs as read the file"
	case errors.Is(err, errIsPrivate):
		return "a private key is never given to anybody and belongs in private_key_file alone; " + copyIt
	case errors.Is(err, errNotFile):
		return "name the key file itself"
	}
	return copyIt
}

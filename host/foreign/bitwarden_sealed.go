package foreign

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/rhx-dev/rhx/host/codec"
)

// Bounds of what opening an export may cost. Bitwarden's own are 2,000,000 rounds of
// PBKDF2, 10 rounds of Argon2id in 1024 MiB on 16 threads.
const (
	maxRounds  = 5_000_000
	maxPasses  = 20
	maxMemory  = 1024 // MiB
	maxThreads = 16
)

// errPassword is that of a password that opens nothing.
var errPassword = errors.New("the password does not open it")

// bitwardenOpened is what is in an export that is encrypted with a password: its key is
// made of it by PBKDF2 or Argon2id, and stretched by HKDF to one for AES-256-CBC and one
// for HMAC-SHA-256.
func bitwardenOpened(root *codec.Node, password func() (string, error)) (*codec.Node, error) {
	salt, data := text(root, "salt"), text(root, "data")
	derive, err := bitwardenKDF(root, salt)
	if err != nil {
		return nil, err
	}
	typed, err := password()
	if err != nil {
		return nil, err
	}
	key, err := derive(typed)
	if err != nil {
		return nil, errors.New("no key can be made of the password")
	}
	enc, err1 := hkdf.Expand(sha256.New, key, "enc", 32)
	mac, err2 := hkdf.Expand(sha256.New, key, "mac", 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if check := text(root, "encKeyValidation_DO_NOT_EDIT"); check != "" {
		if _, err := bitwardenText(check, enc, mac); err != nil {
			return nil, err
		}
	}
	plain, err := bitwardenText(data, enc, mac)
	if err != nil {
		return nil, err
	}
	return document(plain)
}

// bitwardenKDF is what makes a key of a password.
func bitwardenKDF(root *codec.Node, salt string) (func(string) ([]byte, error), error) {
	number := func(key string, most int) int {
		n, err := strconv.Atoi(text(root, key))
		if err != nil || n < 1 || n > most {
			return 0
		}
		return n
	}
	switch kind := text(root, "kdfType"); kind {
	case "0":
		if rounds := number("kdfIterations", maxRounds); rounds > 0 {
			return func(p string) ([]byte, error) { return pbkdf2.Key(sha256.New, p, []byte(salt), rounds, 32) }, nil
		}
	case "1":
		passes, memory, threads := number("kdfIterations", maxPasses), number("kdfMemory", maxMemory), number("kdfParallelism", maxThreads)
		if passes > 0 && memory > 0 && threads > 0 {
			hashed := sha256.Sum256([]byte(salt))
			return func(p string) ([]byte, error) {
				return argon2.IDKey([]byte(p), hashed[:], uint32(passes), uint32(memory)<<10, uint8(threads), 32), nil
			}, nil
		}
	default:
		return nil, errors.New("it is encrypted in a way that rhx does not know")
	}
	return nil, errors.New("what it says of how its key is made is missing, or asks for too much")
}

// bitwardenText opens one text: "2.IV|DATA|MAC".
func bitwardenText(sealed string, enc, mac []byte) ([]byte, error) {
	rest, ok := strings.CutPrefix(sealed, "2.")
	parts := strings.Split(rest, "|")
	if !ok || len(parts) != 3 {
		return nil, errors.New("it is encrypted in a way that rhx does not know")
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.StdEncoding.DecodeString(p); err != nil {
			return nil, fmt.Errorf("part %d of what is encrypted is broken", i+1)
		}
	}
	iv, data := raw[0], raw[1]
	h := hmac.New(sha256.New, mac)
	h.Write(iv)
	h.Write(data)
	if !hmac.Equal(h.Sum(nil), raw[2]) {
		return nil, errPassword
	}
	block, err := aes.NewCipher(enc)
	if err != nil || len(iv) != aes.BlockSize || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errors.New("what is encrypted is broken")
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, errors.New("what is encrypted is broken")
	}
	return out[:len(out)-pad], nil
}

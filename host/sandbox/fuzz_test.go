package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// Whatever the bytes, inspect says yes or no; and what it lets pass, wazero
// compiles or refuses, in memory and time that a test has.
func FuzzModule(f *testing.F) {
	f.Add(mylogin(f).Wasm)
	f.Add(answers(okFile).wasm())
	f.Add(source{table: []byte{1, 1, 5}, locals: vec(cat(u(3), []byte{i64})), start: true, custom: section(0, text("x")),
		body: cat(nested(3), []byte{0xfc, 11, 0}, []byte{0x41, 0, 0x0e, 1, 0, 0})}.wasm())
	f.Add(source{imports: []imported{fdWrite, {wasi, "random_get", 3}}, more: [][]byte{{0x00}, loopForever}}.wasm())
	f.Add(cat([]byte("\x00asm\x01\x00\x00\x00"), section(1, u(1<<32-1))))
	for id := range byte(14) {
		f.Add(cat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types), section(id, cat(u(1), []byte{0, 0, 0x41, 0, 0x0b, 1, 0}))))
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		begin := time.Now()
		m, err := inspect(wasm, abi.DefaultLimits())
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("the error has control characters: %q", err)
			}
			return
		}
		if len(m.code) > len(wasm) {
			t.Error("the module grew")
		}
		rt := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigCompiler().
			WithCoreFeatures(api.CoreFeaturesV2.SetEnabled(api.CoreFeatureSIMD, false)).WithCloseOnContextDone(true))
		defer func() { _ = rt.Close(t.Context()) }()
		_, _ = rt.CompileModule(t.Context(), m.code)
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

package scan

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/scan/zstandard"
)

// code is text as of a program.
const code = "func f() {\n\tif a && b {\n\t\treturn fmt.Sprintf(\"%d%%\\n\", a) // of some other text\n\t}\n}\n"

// BenchmarkTrees searches files of several sizes: of small ones opening is what takes the time.
func BenchmarkTrees(b *testing.B) {
	for _, size := range []int{2 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			const total = 64 << 20
			dir := b.TempDir()
			text := bytes.Repeat([]byte(code), size/len(code)+1)[:size]
			for i := range total / size {
				path := filepath.Join(dir, fmt.Sprint(i%100), fmt.Sprint(i))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(path, text, 0o644); err != nil {
					b.Fatal(err)
				}
			}
			benchmark(b, dir, total)
		})
	}
}

// BenchmarkArchives searches text that is packed.
func BenchmarkArchives(b *testing.B) {
	const total = 16 << 20
	var text bytes.Buffer
	for i := 0; text.Len() < total; i++ { // that repeats itself as code does
		fmt.Fprintf(&text, "\tx%d := call%d(%q, %d) // %s\n", i%97, i%31, strings.Repeat("ab", i%7), i*i, code[i%40:40+i%30])
	}
	for name, packed := range map[string]string{"gzip": packed(text.String()), "zstd": packedZstd(text.String()), "tar": archive("a", text.String())} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "a")
			if err := os.WriteFile(path, []byte(packed), 0o644); err != nil {
				b.Fatal(err)
			}
			benchmark(b, path, int64(text.Len()))
		})
	}
}

func benchmark(b *testing.B, path string, size int64) {
	var list []Holder
	for i := range 50 {
		list = append(list, holder(fmt.Sprint("s", i), fmt.Sprintf("fake-%d-FAKEfakeFAKE%d", i, i*i)))
	}
	b.SetBytes(size)
	for b.Loop() {
		s, _ := New(list)
		s.Zstd = zstandard.Open
		if err := s.Trees(context.Background(), []string{path}); err != nil || len(lines(s)) > 0 {
			b.Fatal(err, lines(s))
		}
	}
}

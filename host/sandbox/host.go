package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// wasi is the only module that a guest may import from: WASI, preview 1.
const wasi = "wasi_snapshot_preview1"

// The functions of WASI preview 1. Those that call implements are all that a
// guest can do; the others answer that they are not there.
const wasiFunctions = " args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get" +
	" fd_advise fd_allocate fd_close fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights" +
	" fd_filestat_get fd_filestat_set_size fd_filestat_set_times fd_pread fd_prestat_get fd_prestat_dir_name" +
	" fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync fd_tell fd_write" +
	" path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink" +
	" path_remove_directory path_rename path_symlink path_unlink_file" +
	" poll_oneoff proc_exit proc_raise sched_yield random_get sock_accept sock_recv sock_send sock_shutdown "

func known(name string) bool {
	return name != "" && !strings.Contains(name, " ") && strings.Contains(wasiFunctions, " "+name+" ")
}

// The errors of WASI that a guest sees.
const (
	success = 0
	eBadf   = 8
	eFault  = 21
	eInval  = 28
	eNosys  = 52
	eSpipe  = 70
)

// call is what one instance can see and do.
type call struct {
	args   []string
	stdin  []byte        // what is left to read
	time   time.Duration // the limit
	stdout output
	stderr output
	memory *memory
	ticks  uint64
	random uint64
	// trueRandom gives it this machine's randomness.
	trueRandom bool
	// broken is the limit that ended the instance, or nil.
	broken error
	// used is the time that the instance took: see Config.own.
	used time.Duration
}

// output is what the instance wrote to one stream.
type output struct {
	b    []byte
	most int64
	name string
}

// callKey carries the *call in the context of an instance.
type callKey struct{}

// invoke is the host's side of every import.
func invoke(name string) api.GoModuleFunction {
	f := implementation(name)
	return api.GoModuleFunc(func(ctx context.Context, mod api.Module, stack []uint64) {
		c := ctx.Value(callKey{}).(*call)
		r := f(c, ctx, mod, stack)
		if len(stack) > 0 {
			stack[0] = uint64(r)
		}
	})
}

// implementation returns what a WASI function does. p are its parameters, of
// the types in signatureOf.
func implementation(name string) func(c *call, ctx context.Context, mod api.Module, p []uint64) uint32 {
	switch name {
	case "fd_read":
		return (*call).read
	case "fd_write":
		return (*call).write
	case "args_sizes_get":
		return (*call).argsSizes
	case "args_get":
		return (*call).argsGet
	case "environ_sizes_get":
		return func(_ *call, _ context.Context, mod api.Module, p []uint64) uint32 {
			return put(mod, p[0], 0) | put(mod, p[1], 0)
		}
	case "environ_get", "sched_yield":
		return func(*call, context.Context, api.Module, []uint64) uint32 { return success }
	case "clock_time_get":
		return (*call).clock
	case "clock_res_get":
		return func(_ *call, _ context.Context, mod api.Module, p []uint64) uint32 {
			return put64(mod, p[1], tick)
		}
	case "random_get":
		return (*call).randomGet
	case "poll_oneoff":
		return (*call).poll
	case "fd_fdstat_get":
		return (*call).fdstat
	case "fd_filestat_get":
		return func(_ *call, _ context.Context, mod api.Module, p []uint64) uint32 {
			return stdio(p[0], func() uint32 { return zero(mod, p[1], 64) })
		}
	case "fd_close", "fd_fdstat_set_flags", "fd_sync", "fd_datasync":
		return func(_ *call, _ context.Context, _ api.Module, p []uint64) uint32 {
			return stdio(p[0], func() uint32 { return success })
		}
	case "fd_seek", "fd_tell":
		return func(_ *call, _ context.Context, _ api.Module, p []uint64) uint32 {
			return stdio(p[0], func() uint32 { return eSpipe })
		}
	case "fd_prestat_get", "fd_prestat_dir_name":
		// This is how a C library learns that no folder is open to it.
		return func(*call, context.Context, api.Module, []uint64) uint32 { return eBadf }
	case "proc_exit":
		return func(_ *call, ctx context.Context, mod api.Module, p []uint64) uint32 {
			return exit(ctx, mod, uint32(p[0]))
		}
	}
	return func(*call, context.Context, api.Module, []uint64) uint32 { return eNosys }
}

// signatureOf returns the parameters of the functions that call implements, one
// letter each (i for 32, I for 64 bits), and whether there is a result; inspect
// compares them, so that the code above never looks beyond what it was given.
func signatureOf(name string) (params string, result, ok bool) {
	switch name {
	case "fd_read", "fd_write", "poll_oneoff":
		return "iiii", true, true
	case "fd_seek":
		return "iIii", true, true
	case "clock_time_get":
		return "iIi", true, true
	case "fd_prestat_dir_name":
		return "iii", true, true
	case "args_sizes_get", "args_get", "environ_sizes_get", "environ_get", "clock_res_get", "random_get",
		"fd_fdstat_get", "fd_filestat_get", "fd_fdstat_set_flags", "fd_tell", "fd_prestat_get":
		return "ii", true, true
	case "fd_close", "fd_sync", "fd_datasync":
		return "i", true, true
	case "sched_yield":
		return "", true, true
	case "proc_exit":
		return "i", false, true
	}
	return "", false, false
}

// exit ends the instance at once.
func exit(ctx context.Context, mod api.Module, code uint32) uint32 {
	_ = mod.CloseWithExitCode(ctx, code)
	panic(sys.NewExitError(code))
}

// end ends the instance because of a limit.
func (c *call) end(ctx context.Context, mod api.Module, why abi.LimitError) uint32 {
	if c.broken == nil {
		c.broken = why
	}
	return exit(ctx, mod, 1)
}

func stdio(fd uint64, f func() uint32) uint32 {
	if uint32(fd) > 2 {
		return eBadf
	}
	return f()
}

// eachBuffer calls f with the buffers of an I/O vector until it returns false.
func eachBuffer(mod api.Module, vector, n uint32, f func([]byte) bool) uint32 {
	m := mod.Memory()
	if m == nil {
		return eFault
	}
	if n > 1024 {
		return eInval
	}
	list, ok := m.Read(vector, n*8)
	if !ok {
		return eFault
	}
	for ; len(list) > 0; list = list[8:] {
		b, ok := m.Read(binary.LittleEndian.Uint32(list), binary.LittleEndian.Uint32(list[4:]))
		if !ok {
			return eFault
		}
		if !f(b) {
			break
		}
	}
	return success
}

func (c *call) read(_ context.Context, mod api.Module, p []uint64) uint32 {
	if uint32(p[0]) != 0 {
		return eBadf
	}
	total := 0
	if e := eachBuffer(mod, uint32(p[1]), uint32(p[2]), func(b []byte) bool {
		n := copy(b, c.stdin)
		c.stdin = c.stdin[n:]
		total += n
		return n == len(b)
	}); e != success {
		return e
	}
	return put(mod, p[3], uint32(total))
}

func (c *call) write(ctx context.Context, mod api.Module, p []uint64) uint32 {
	var o *output
	switch uint32(p[0]) {
	case 1:
		o = &c.stdout
	case 2:
		o = &c.stderr
	default:
		return eBadf
	}
	total, full := 0, false
	if e := eachBuffer(mod, uint32(p[1]), uint32(p[2]), func(b []byte) bool {
		if room := o.most - int64(len(o.b)); int64(len(b)) > room {
			b, full = b[:room], true
		}
		o.b = abi.Append(o.b, b)
		total += len(b)
		return !full
	}); e != success {
		return e
	}
	if full {
		return c.end(ctx, mod, abi.LimitError("wrote more than "+abi.Size(o.most)+" to "+o.name))
	}
	return put(mod, p[3], uint32(total))
}

func (c *call) argsSizes(_ context.Context, mod api.Module, p []uint64) uint32 {
	n := 0
	for _, a := range c.args {
		n += len(a) + 1
	}
	return put(mod, p[0], uint32(len(c.args))) | put(mod, p[1], uint32(n))
}

func (c *call) argsGet(_ context.Context, mod api.Module, p []uint64) uint32 {
	m := mod.Memory()
	at := uint32(p[1])
	for i, a := range c.args {
		if m == nil || !m.WriteUint32Le(uint32(p[0])+uint32(4*i), at) || !m.WriteString(at, a+"\x00") {
			return eFault
		}
		at += uint32(len(a)) + 1
	}
	return success
}

// tick is how far the clock moves with each look at it, in nanoseconds, so that
// no guest waits for it forever. It begins at the same time in every instance.
const (
	tick  = 1_000_000
	epoch = 1_640_995_200_000_000_000 // 2022-01-01
)

func (c *call) clock(_ context.Context, mod api.Module, p []uint64) uint32 {
	c.ticks += tick
	if uint32(p[0]) == 0 {
		return put64(mod, p[2], epoch+c.ticks)
	}
	return put64(mod, p[2], c.ticks)
}

// randomGet gives every instance the same bytes (splitmix64), unless it may have
// real ones.
func (c *call) randomGet(_ context.Context, mod api.Module, p []uint64) uint32 {
	m := mod.Memory()
	if m == nil {
		return eFault
	}
	b, ok := m.Read(uint32(p[0]), uint32(p[1]))
	if !ok {
		return eFault
	}
	if c.trueRandom {
		_, _ = rand.Read(b) // it never fails
		return success
	}
	for i := range b {
		if i%8 == 0 {
			c.random += 0x9e3779b97f4a7c15
		}
		z := c.random
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		b[i] = byte(bits.RotateLeft64(z^z>>31, -8*(i%8)))
	}
	return success
}

func (c *call) fdstat(_ context.Context, mod api.Module, p []uint64) uint32 {
	return stdio(p[0], func() uint32 {
		if e := zero(mod, p[1], 24); e != success {
			return e
		}
		// The type stays unknown, as for a pipe; the rights are to read or write.
		rights := uint64(1 << 1)
		if uint32(p[0]) > 0 {
			rights = 1 << 6
		}
		return put64(mod, uint64(uint32(p[1])+8), rights)
	})
}

// poll answers that everything waited for has happened. A guest that sleeps
// moves its clock and does not wait.
func (c *call) poll(_ context.Context, mod api.Module, p []uint64) uint32 {
	const subscription, event = 48, 32
	m, n := mod.Memory(), uint32(p[2])
	if m == nil || n == 0 || n > 1024 {
		return eInval
	}
	in, ok := m.Read(uint32(p[0]), n*subscription)
	if !ok {
		return eFault
	}
	out, ok := m.Read(uint32(p[1]), n*event)
	if !ok {
		return eFault
	}
	events := make([]byte, 0, n*event)
	for ; len(in) > 0; in = in[subscription:] {
		var e [event]byte
		copy(e[:8], in[:8]) // the guest's own mark
		e[10] = in[8]       // clock, read or write
		if in[8] == 0 {
			if wait := binary.LittleEndian.Uint64(in[24:]); in[40]&1 == 0 {
				c.ticks += wait
			} else if wait > epoch+c.ticks {
				c.ticks = wait - epoch
			} else if wait > c.ticks && wait < epoch {
				c.ticks = wait
			}
		} else {
			e[16] = 1 // a byte or more can be moved
		}
		events = append(events, e[:]...)
	}
	copy(out, events)
	return put(mod, p[3], n)
}

func put(mod api.Module, at uint64, v uint32) uint32 {
	if m := mod.Memory(); m == nil || !m.WriteUint32Le(uint32(at), v) {
		return eFault
	}
	return success
}

func put64(mod api.Module, at, v uint64) uint32 {
	if m := mod.Memory(); m == nil || !m.WriteUint64Le(uint32(at), v) {
		return eFault
	}
	return success
}

func zero(mod api.Module, at uint64, n uint32) uint32 {
	m := mod.Memory()
	if m == nil {
		return eFault
	}
	b, ok := m.Read(uint32(at), n)
	if !ok {
		return eFault
	}
	clear(b)
	return success
}

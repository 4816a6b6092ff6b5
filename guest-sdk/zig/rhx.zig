//! The kit for an rhx provider in Zig.
//!
//! A provider is a WASI command: rhx starts it once per request, writes one JSON
//! document to its standard input and reads one from its standard output. This
//! file does that part; a provider fills in two functions:
//!
//!     const rhx = @import("rhx.zig");
//!     pub const panic = @import("std").debug.no_panic;
//!
//!     fn extract(req: *const rhx.Request) void {
//!         const file = req.files[0];
//!         if (!file.exists) return; // no file, no secrets
//!         rhx.secret(""); // the default profile
//!         rhx.value("token", file.content); // the whole file
//!     }
//!
//!     fn render(req: *const rhx.Request) void {
//!         rhx.putFile(req.files[0].path, rhx.find(req.values, "token") orelse "", 0o600);
//!     }
//!
//!     export fn _start() void {
//!         rhx.run(.{ .name = "example", .version = "1", .extract = extract, .render = render });
//!     }
//!
//! Build it with
//!
//!     zig build-exe -target wasm32-wasi -O ReleaseSafe -fstrip --stack 1048576 example.zig
//!
//! and try it without rhx, in any WASI runtime:
//!
//!     wasmtime run example.wasm <request.json
//!
//! Rules that rhx holds a provider to: it sees the files and variables of the
//! request and nothing else; it has 64 MiB of memory and 2 seconds; it never puts a
//! value into a message. Memory is never freed: an instance lives for one request,
//! and rhx zeroes it afterwards.
//!
//! Zig's standard library changes with each release of Zig, and so this file uses
//! none of it. no_panic ends the module where a rule of the language is broken,
//! such as by an index out of bounds, without the 50 KB that would say which.

/// The version of the request and response documents.
pub const abi = 1;

const wasi = struct {
    const Vec = extern struct { ptr: [*]const u8, len: usize };
    extern "wasi_snapshot_preview1" fn fd_read(fd: i32, vecs: [*]const Vec, n: usize, got: *usize) u16;
    extern "wasi_snapshot_preview1" fn fd_write(fd: i32, vecs: [*]const Vec, n: usize, put: *usize) u16;
    extern "wasi_snapshot_preview1" fn proc_exit(code: u32) noreturn;
};

// --- Memory -----------------------------------------------------------------

const page = 65536;
var heap: usize = 0; // where free memory begins
var heap_end: usize = 0;

/// Returns n zero bytes, aligned for any type. It ends the request with an error
/// where there is no memory.
pub fn alloc(n: usize) []u8 {
    if (heap_end == 0) {
        heap_end = @wasmMemorySize(0) * page;
        heap = heap_end;
    }
    heap = (heap + 15) & ~@as(usize, 15);
    if (!reserve(n)) noMemory();
    const p: [*]u8 = @ptrFromInt(heap);
    heap += n;
    return p[0..n];
}

/// Returns n values of a type, whose bytes are all zero.
pub fn make(comptime T: type, n: usize) []T {
    if (n > 0x10000000 / @sizeOf(T)) noMemory();
    const b = alloc(n * @sizeOf(T));
    const p: [*]T = @ptrCast(@alignCast(b.ptr));
    return p[0..n];
}

fn reserve(n: usize) bool {
    if (n <= heap_end -| heap) return true;
    if (n > 0x40000000) return false;
    const pages = (heap + n - heap_end + page - 1) / page;
    if (@wasmMemoryGrow(0, pages) < 0) return false;
    heap_end += pages * page;
    return true;
}

fn noMemory() noreturn {
    send("{\"abi\":1,\"error\":{\"code\":\"unsupported\",\"message\":\"out of memory\"}}");
    wasi.proc_exit(0);
}

/// Reports whether two texts hold the same bytes.
pub fn eql(a: []const u8, b: []const u8) bool {
    if (a.len != b.len) return false;
    for (a, b) |x, y| if (x != y) return false;
    return true;
}

/// A growing buffer; start it as .{}.
pub const Buffer = struct {
    all: []u8 = &.{},
    len: usize = 0,

    pub fn add(b: *Buffer, s: []const u8) void {
        b.grow(s.len);
        @memcpy(b.all[b.len..][0..s.len], s);
        b.len += s.len;
    }

    pub fn byte(b: *Buffer, c: u8) void {
        b.grow(1);
        b.all[b.len] = c;
        b.len += 1;
    }

    /// What has been added.
    pub fn bytes(b: *const Buffer) []u8 {
        return b.all[0..b.len];
    }

    /// Makes place for n bytes more.
    fn grow(b: *Buffer, n: usize) void {
        if (n <= b.all.len - b.len) return;
        const more = b.all.len + n + 64;
        // The last piece of memory grows where it is.
        if (b.all.len > 0 and @intFromPtr(b.all.ptr) + b.all.len == heap) {
            if (!reserve(more)) noMemory();
            heap += more;
            b.all.len += more;
            return;
        }
        const old = b.bytes();
        b.all = alloc(b.all.len + more);
        @memcpy(b.all[0..old.len], old);
    }

    /// Adds a text as a JSON string with its quotes.
    pub fn json(b: *Buffer, s: []const u8) void {
        const hex = "0123456789abcdef";
        b.byte('"');
        for (s) |c| {
            if (c == '"' or c == '\\') {
                b.add(&.{ '\\', c });
            } else if (c < 0x20) {
                b.add(&.{ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] });
            } else b.byte(c);
        }
        b.byte('"');
    }

    /// Adds a number in decimal.
    pub fn number(b: *Buffer, n: u32) void {
        var digits: [10]u8 = undefined;
        var i: usize = digits.len;
        var v = n;
        while (true) {
            i -= 1;
            digits[i] = '0' + @as(u8, @intCast(v % 10));
            v /= 10;
            if (v == 0) break;
        }
        b.add(digits[i..]);
    }

    /// Adds bytes in base64 (RFC 4648, section 4).
    pub fn base64(b: *Buffer, data: []const u8) void {
        const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        b.grow((data.len + 2) / 3 * 4);
        var i: usize = 0;
        while (i < data.len) : (i += 3) {
            const n = @min(data.len - i, 3);
            var v: u32 = @as(u32, data[i]) << 16;
            if (n > 1) v |= @as(u32, data[i + 1]) << 8;
            if (n > 2) v |= data[i + 2];
            b.byte(digits[v >> 18]);
            b.byte(digits[v >> 12 & 63]);
            b.byte(if (n > 1) digits[v >> 6 & 63] else '=');
            b.byte(if (n > 2) digits[v & 63] else '=');
        }
    }
};

// --- The request --------------------------------------------------------------

/// A file that the provider's spec declares. content is decoded, and empty where
/// the file is not there.
pub const File = struct {
    path: []const u8 = "",
    content: []const u8 = "",
    exists: bool = false,
};

/// A name with a value: an environment variable, an option, a secret's value.
pub const Pair = struct { key: []const u8, value: []const u8 };

pub const Request = struct {
    /// "extract", "render" or "describe"
    op: []const u8 = "",
    /// The name of the provider that the module works for.
    provider: []const u8 = "",
    /// The only profile wanted; empty for all of them.
    profile: []const u8 = "",
    files: []File = &.{},
    env: []Pair = &.{},
    options: []Pair = &.{},
    /// For render: the secret to put into the files.
    secret_profile: []const u8 = "",
    values: []Pair = &.{},
};

/// A value by its name; null where it is not there.
pub fn find(pairs: []const Pair, key: []const u8) ?[]const u8 {
    for (pairs) |p| if (eql(p.key, key)) return p.value;
    return null;
}

// --- The response -------------------------------------------------------------

// What has been answered so far. An instance serves one request, so there is one.
var secrets: Buffer = .{};
var public: Buffer = .{};
var files: Buffer = .{};
var expiry: []const u8 = "";
var in_secret = false;
var has_value = false;

/// Begins a secret with this profile; value and publicValue add to it. All are
/// UTF-8: anything else ends the request with "unsupported".
pub fn secret(profile: []const u8) void {
    endSecret();
    if (!utf8(profile)) fail(.unsupported, "a profile's name is not UTF-8", "", 0);
    if (secrets.len > 0) secrets.byte(',');
    secrets.add("{\"profile\":");
    secrets.json(profile);
    secrets.add(",\"values\":{");
    in_secret = true;
    has_value = false;
}

/// Adds a value that is secret.
pub fn value(key: []const u8, text: []const u8) void {
    if (!utf8(text) or !utf8(key)) fail(.unsupported, "a value is not UTF-8", "", 0);
    if (has_value) secrets.byte(',');
    has_value = true;
    secrets.json(key);
    secrets.byte(':');
    secrets.json(text);
}

/// Adds a value that may be shown, such as a user's name.
pub fn publicValue(key: []const u8, text: []const u8) void {
    value(key, text);
    if (public.len > 0) public.byte(',');
    public.json(key);
}

/// Says when the values of the secret that was begun last end: a time of RFC 3339.
pub fn expires(time: []const u8) void {
    expiry = time;
}

fn endSecret() void {
    if (!in_secret) return;
    secrets.add("},\"public\":[");
    secrets.add(public.bytes());
    secrets.byte(']');
    if (expiry.len > 0) {
        secrets.add(",\"expires\":");
        secrets.json(expiry);
    }
    secrets.byte('}');
    public.len = 0;
    expiry = "";
    in_secret = false;
}

/// Gives the new content of a file of the request. mode is at most 0o600 unless
/// the provider's spec allows more.
pub fn putFile(path: []const u8, content: []const u8, mode: u32) void {
    if (files.len > 0) files.byte(',');
    files.add("{\"path\":");
    files.json(path);
    files.add(",\"mode\":");
    files.number(mode);
    files.add(",\"content\":\"");
    files.base64(content);
    files.add("\"}");
}

/// The kind of an error.
pub const Code = enum {
    /// The file or the request is broken.
    invalid,
    /// It is right, but this provider cannot do it.
    unsupported,
    /// The file holds something that stands in the way.
    conflict,
};

/// Ends the request with an error. message never contains a value. path is that of
/// a file of the request, or empty; line counts from 1, 0 where there is none.
pub fn fail(code: Code, message: []const u8, path: []const u8, line: u32) noreturn {
    var out: Buffer = .{};
    out.add("{\"abi\":1,\"error\":{\"code\":");
    out.json(switch (code) {
        .invalid => "invalid",
        .unsupported => "unsupported",
        .conflict => "conflict",
    });
    out.add(",\"message\":");
    out.json(message);
    if (path.len > 0) {
        out.add(",\"path\":");
        out.json(path);
    }
    if (line > 0) {
        out.add(",\"line\":");
        out.number(line);
    }
    out.add("}}");
    send(out.bytes());
    wasi.proc_exit(0);
}

// --- The provider -------------------------------------------------------------

pub const Provider = struct {
    name: []const u8,
    version: []const u8,
    extract: *const fn (*const Request) void,
    /// null for a provider that cannot write.
    render: ?*const fn (*const Request) void,
};

/// Carries out the request on standard input.
pub fn run(p: Provider) void {
    const req = readRequest();
    if (eql(req.op, "extract")) {
        p.extract(&req);
        endSecret();
        finish("secrets", &secrets);
    } else if (eql(req.op, "render") and p.render != null) {
        p.render.?(&req);
        finish("files", &files);
    } else if (eql(req.op, "describe")) {
        var out: Buffer = .{};
        out.add("{\"abi\":1,\"name\":");
        out.json(p.name);
        out.add(",\"version\":");
        out.json(p.version);
        out.add(if (p.render != null) ",\"ops\":[\"extract\",\"render\",\"describe\"]}" else ",\"ops\":[\"extract\",\"describe\"]}");
        send(out.bytes());
    } else fail(.unsupported, "this module does not know the operation", "", 0);
}

fn finish(name: []const u8, list: *const Buffer) void {
    send("{\"abi\":1,\"");
    send(name);
    send("\":[");
    send(list.bytes());
    send("]}");
}

fn send(text: []const u8) void {
    var rest = text;
    while (rest.len > 0) {
        var n: usize = 0;
        const vec = [1]wasi.Vec{.{ .ptr = rest.ptr, .len = rest.len }};
        if (wasi.fd_write(1, &vec, 1, &n) != 0 or n == 0 or n > rest.len) wasi.proc_exit(1);
        rest = rest[n..];
    }
}

fn readAll() []const u8 {
    var b: Buffer = .{};
    while (true) {
        var n: usize = 0;
        b.grow(4096);
        const vec = [1]wasi.Vec{.{ .ptr = b.all.ptr + b.len, .len = b.all.len - b.len }};
        if (wasi.fd_read(0, &vec, 1, &n) != 0) fail(.invalid, "cannot read the request", "", 0);
        if (n == 0 or n > b.all.len - b.len) return b.bytes();
        b.len += n;
    }
}

fn readRequest() Request {
    var r: Reader = .{ .text = readAll() };
    var req: Request = .{};
    var version: []const u8 = "";
    if (r.peek() != '{') r.fail();
    var top = r.object();
    while (top.next()) |key| {
        if (eql(key, "abi")) {
            version = r.wholeNumber();
        } else if (eql(key, "op")) {
            req.op = r.string();
        } else if (eql(key, "provider")) {
            req.provider = r.string();
        } else if (eql(key, "profile")) {
            req.profile = r.string();
        } else if (eql(key, "options")) {
            req.options = r.pairs();
        } else if (eql(key, "env")) {
            req.env = r.pairs();
        } else if (eql(key, "files")) {
            req.files = r.files();
        } else if (eql(key, "secret")) {
            var s = r.object();
            while (s.next()) |name| {
                if (eql(name, "profile")) {
                    req.secret_profile = r.string();
                } else if (eql(name, "values")) {
                    req.values = r.pairs();
                } else r.skip();
            }
        } else r.skip();
    }
    _ = r.peek();
    if (r.bad or r.at < r.text.len) fail(.invalid, "the request is not a JSON object", "", 0);
    // The message has the number only where it is a short one: nothing else of a
    // request is repeated.
    if (version.len == 0 or version.len > 9) fail(.unsupported, "the request does not say which ABI it is of; this module speaks ABI 1", "", 0);
    if (!eql(version, "1")) {
        var b: Buffer = .{};
        b.add("the request is of ABI ");
        b.add(version);
        b.add("; this module speaks ABI 1");
        fail(.unsupported, b.bytes(), "", 0);
    }
    for (req.files) |*f| {
        f.content = decode64(f.content) orelse fail(.invalid, "the content of a file is not base64", f.path, 0);
    }
    return req;
}

// --- JSON (RFC 8259) ----------------------------------------------------------

/// Reads a document from front to back and keeps nothing. From the first thing
/// that is not JSON on, bad is set and all that follows is empty.
const Reader = struct {
    text: []const u8,
    at: usize = 0,
    depth: u32 = 0,
    bad: bool = false,

    const max_depth = 64;

    fn fail(r: *Reader) void {
        r.bad = true;
        r.at = r.text.len;
    }

    /// The first byte of what comes next, after space; 0 at the end.
    fn peek(r: *Reader) u8 {
        while (r.at < r.text.len) : (r.at += 1) {
            const c = r.text[r.at];
            if (c != ' ' and c != '\t' and c != '\n' and c != '\r') return c;
        }
        return 0;
    }

    fn next(r: *Reader, c: u8) bool {
        if (r.peek() != c or r.at == r.text.len) return false;
        r.at += 1;
        return true;
    }

    /// Goes over the entries of an object or array. Whoever asks for the next entry
    /// has read this one's value.
    const List = struct {
        r: *Reader,
        end: u8,
        state: enum { first, later, over } = .first,

        /// The key of the next entry, empty in an array; null at the end.
        fn next(l: *List) ?[]const u8 {
            if (l.state == .over) return null;
            if (l.r.next(l.end)) {
                l.r.depth -= 1;
                l.state = .over;
                return null;
            }
            if (l.state == .later and !l.r.next(',')) l.r.fail();
            l.state = .later;
            var key: []const u8 = "";
            if (l.end == '}') {
                if (l.r.peek() == '"') key = l.r.quoted() else l.r.fail();
                if (!l.r.next(':')) l.r.fail();
            }
            if (!l.r.bad) return key;
            l.state = .over;
            return null;
        }
    };

    /// An object. Anything else that comes is passed over, and has no entries.
    fn object(r: *Reader) List {
        return r.list('{', '}');
    }

    fn array(r: *Reader) List {
        return r.list('[', ']');
    }

    fn list(r: *Reader, begin: u8, end: u8) List {
        if (r.peek() != begin) {
            r.skip();
            return .{ .r = r, .end = end, .state = .over };
        }
        r.depth += 1;
        r.at += 1;
        if (r.depth > max_depth) r.fail();
        return .{ .r = r, .end = end };
    }

    /// Passes over a value.
    fn skip(r: *Reader) void {
        switch (r.peek()) {
            '{', '[' => |c| {
                var l = r.list(c, if (c == '{') '}' else ']');
                while (l.next()) |_| r.skip();
            },
            else => _ = r.scalar(),
        }
    }

    /// Reads a string, or a number or word as it is written; empty for an object or
    /// array.
    fn string(r: *Reader) []const u8 {
        switch (r.peek()) {
            '{', '[' => {
                r.skip();
                return "";
            },
            else => return r.scalar(),
        }
    }

    fn word(r: *Reader, w: []const u8) bool {
        if (r.text.len - r.at < w.len or !eql(r.text[r.at..][0..w.len], w)) return false;
        r.at += w.len;
        return true;
    }

    fn digits(r: *Reader) bool {
        const from = r.at;
        while (r.at < r.text.len and r.text[r.at] >= '0' and r.text[r.at] <= '9') r.at += 1;
        return r.at > from;
    }

    fn number(r: *Reader) bool {
        _ = r.word("-");
        if (!r.word("0") and !r.digits()) return false;
        if (r.word(".") and !r.digits()) return false;
        if (!r.word("e") and !r.word("E")) return true;
        if (!r.word("+")) _ = r.word("-");
        return r.digits();
    }

    fn scalar(r: *Reader) []const u8 {
        if (r.peek() == '"') return r.quoted();
        const from = r.at;
        if (r.word("true") or r.word("false") or r.word("null") or r.number()) return r.text[from..r.at];
        r.fail();
        return "";
    }

    /// A whole number without a sign; empty for anything else.
    fn wholeNumber(r: *Reader) []const u8 {
        const is_text = r.peek() == '"';
        const s = r.string();
        for (s) |c| if (c < '0' or c > '9') return "";
        return if (is_text) "" else s;
    }

    /// Reads a string; part of the document where it has no escapes.
    fn quoted(r: *Reader) []const u8 {
        r.at += 1;
        const from = r.at;
        var to = from + plain(r.text[from..]);
        var escapes = false;
        while (to < r.text.len and r.text[to] != '"') : (to += 1) {
            if (r.text[to] < 0x20) break;
            if (r.text[to] == '\\') {
                escapes = true;
                to += 1;
            }
        }
        if (to >= r.text.len or r.text[to] != '"') {
            r.fail();
            return "";
        }
        const s = if (escapes) r.unescape(to) else r.text[from..to];
        if (r.bad or !utf8(s)) {
            r.fail();
            return "";
        }
        r.at = to + 1;
        return s;
    }

    fn unescape(r: *Reader, to: usize) []const u8 {
        const out = alloc(to - r.at); // an escape never grows
        var n: usize = 0;
        while (r.at < to) {
            const c = r.text[r.at];
            r.at += 1;
            if (c != '\\') {
                out[n] = c;
                n += 1;
                continue;
            }
            const e = r.text[r.at];
            r.at += 1;
            switch (e) {
                '"', '\\', '/' => out[n] = e,
                'b' => out[n] = 8,
                'f' => out[n] = 12,
                'n' => out[n] = '\n',
                'r' => out[n] = '\r',
                't' => out[n] = '\t',
                'u' => n += r.unicode(out[n..]),
                else => r.fail(),
            }
            if (e != 'u') n += 1;
        }
        if (r.at != to) r.fail(); // \u ran into the closing quote
        return out[0..n];
    }

    fn unicode(r: *Reader, out: []u8) usize {
        var v = r.hex4();
        if (v >= 0xD800 and v <= 0xDBFF and r.word("\\u")) {
            const low = r.hex4();
            if (low < 0xDC00 or low > 0xDFFF) r.fail();
            v = 0x10000 + ((v - 0xD800) << 10) + (low -% 0xDC00 & 0x3FF);
        } else if (v >= 0xD800 and v <= 0xDFFF) r.fail();
        if (r.bad) return 0;
        if (v < 0x80) {
            out[0] = @intCast(v);
            return 1;
        }
        const more: usize = if (v < 0x800) 1 else if (v < 0x10000) 2 else 3;
        const first: u32 = if (more == 1) 0xC0 else if (more == 2) 0xE0 else 0xF0;
        var i = more;
        while (i > 0) : (i -= 1) {
            out[i] = @intCast(0x80 | (v & 63));
            v >>= 6;
        }
        out[0] = @intCast(first | v);
        return more + 1;
    }

    fn hex4(r: *Reader) u32 {
        var v: u32 = 0;
        for (0..4) |_| {
            const c = if (r.at < r.text.len) r.text[r.at] else 0;
            const d: u32 = switch (c) {
                '0'...'9' => c - '0',
                'a'...'f' => c - 'a' + 10,
                'A'...'F' => c - 'A' + 10,
                else => {
                    r.fail();
                    return 0;
                },
            };
            v = v << 4 | d;
            r.at += 1;
        }
        return v;
    }

    fn pairs(r: *Reader) []Pair {
        var b: Buffer = .{};
        var n: usize = 0;
        var l = r.object();
        while (l.next()) |key| {
            const c = r.peek();
            const text = r.string();
            if (c == '{' or c == '[') continue;
            const p = [1]Pair{.{ .key = key, .value = text }};
            b.add(@as([*]const u8, @ptrCast(&p))[0..@sizeOf(Pair)]);
            n += 1;
        }
        return items(Pair, &b, n);
    }

    fn files(r: *Reader) []File {
        var b: Buffer = .{};
        var n: usize = 0;
        var l = r.array();
        while (l.next()) |_| {
            var f = [1]File{.{}};
            var o = r.object();
            while (o.next()) |key| {
                if (eql(key, "path")) {
                    f[0].path = r.string();
                } else if (eql(key, "content")) {
                    f[0].content = r.string();
                } else if (eql(key, "exists")) {
                    f[0].exists = eql(r.string(), "true");
                } else r.skip();
            }
            b.add(@as([*]const u8, @ptrCast(&f))[0..@sizeOf(File)]);
            n += 1;
        }
        return items(File, &b, n);
    }

    fn items(comptime T: type, b: *const Buffer, n: usize) []T {
        if (n == 0) return &.{};
        const p: [*]T = @ptrCast(@alignCast(b.all.ptr));
        return p[0..n];
    }
};

/// How many bytes at the beginning mean only themselves, in eights: a loop costs
/// much more here than what is in it, and a file's content is megabytes of those.
fn plain(s: []const u8) usize {
    const ones: u64 = 0x0101010101010101;
    var n: usize = 0;
    while (s.len - n >= 8) : (n += 8) {
        const v: u64 = @bitCast(s[n..][0..8].*);
        const quote = v ^ (ones * '"');
        const slash = v ^ (ones * '\\');
        if (((v -% ones * 0x20) | v | (quote -% ones) | (slash -% ones)) & (ones << 7) != 0) break;
    }
    return n;
}

/// Decodes base64 (RFC 4648, section 4); null where it is none.
pub fn decode64(s: []const u8) ?[]u8 {
    if (s.len % 4 != 0) return null;
    const out = alloc(s.len / 4 * 3);
    var n: usize = 0;
    var i: usize = 0;
    while (i < s.len) : (i += 4) {
        // Without padding, and without a loop.
        if (quad(s[i..][0..4])) |v| {
            out[n] = @intCast(v >> 16);
            out[n + 1] = @intCast(v >> 8 & 255);
            out[n + 2] = @intCast(v & 255);
            n += 3;
            continue;
        }
        var pad: usize = 0;
        if (i + 4 == s.len) {
            while (pad < 2 and s[i + 3 - pad] == '=') pad += 1;
        }
        var v: u32 = 0;
        for (0..4) |j| v = v << 6 | if (j < 4 - pad) (digit64(s[i + j]) orelse return null) else 0;
        out[n] = @intCast(v >> 16);
        out[n + 1] = @intCast(v >> 8 & 255);
        out[n + 2] = @intCast(v & 255);
        n += 3 - pad;
    }
    return out[0..n];
}

fn quad(s: *const [4]u8) ?u32 {
    const a = digit64(s[0]) orelse return null;
    const b = digit64(s[1]) orelse return null;
    const c = digit64(s[2]) orelse return null;
    const d = digit64(s[3]) orelse return null;
    return a << 18 | b << 12 | c << 6 | d;
}

fn digit64(c: u8) ?u32 {
    return switch (c) {
        'A'...'Z' => c - 'A',
        'a'...'z' => c - 'a' + 26,
        '0'...'9' => c - '0' + 52,
        '+' => 62,
        '/' => 63,
        else => null,
    };
}

/// Reports whether s is UTF-8 (RFC 3629: no surrogates, no overlong forms).
pub fn utf8(s: []const u8) bool {
    var i: usize = 0;
    while (s.len - i >= 8) : (i += 8) { // what is ASCII, eight at a time
        const v: u64 = @bitCast(s[i..][0..8].*);
        if (v & 0x8080808080808080 != 0) break;
    }
    while (i < s.len) {
        const c = s[i];
        i += 1;
        if (c < 0x80) continue;
        if (c < 0xC2 or c > 0xF4) return false;
        const more: usize = if (c < 0xE0) 1 else if (c < 0xF0) 2 else 3;
        var lo: u8 = if (c == 0xE0) 0xA0 else if (c == 0xF0) 0x90 else 0x80;
        var hi: u8 = if (c == 0xED) 0x9F else if (c == 0xF4) 0x8F else 0xBF;
        for (0..more) |_| {
            if (i == s.len or s[i] < lo or s[i] > hi) return false;
            i += 1;
            lo = 0x80;
            hi = 0xBF;
        }
    }
    return true;
}

//! The example provider: ~/.acme/credentials has a section for each profile, with
//! token and user:
//!
//!     [default]
//!     user = alice
//!     token = ...
//!
//! A value is the rest of its line, without the space around it; nothing is quoted.

const rhx = @import("rhx.zig");

/// A broken rule of the language, such as an index out of bounds, ends the module.
pub const panic = @import("std").debug.no_panic;

// More than anybody has.
const max_profiles = 256;
const max_name = 256;

export fn _start() void {
    rhx.run(.{ .name = "acme", .version = "1", .extract = extract, .render = render });
}

/// Goes over the lines of a file. It keeps nothing, so that a file of a million
/// lines costs no memory.
const Lines = struct {
    rest: []const u8,
    /// Of the line, from 1.
    number: u32 = 0,
    /// The line with its end.
    raw: []const u8 = "",
    kind: enum { blank, comment, section, pair, broken } = .blank,
    key: []const u8 = "",
    /// A pair's value is raw[from..to].
    from: usize = 0,
    to: usize = 0,
    /// The section that the line is in; empty before the first.
    profile: []const u8 = "",

    fn of(file: rhx.File) Lines {
        return .{ .rest = file.content };
    }

    fn has(l: *const Lines, key: []const u8) bool {
        return l.kind == .pair and rhx.eql(l.key, key);
    }

    fn isValue(l: *const Lines) bool {
        return l.has("token") or l.has("user");
    }

    fn value(l: *const Lines) []const u8 {
        return l.raw[l.from..l.to];
    }

    fn next(l: *Lines) bool {
        if (l.rest.len == 0) return false;
        const end = find(l.rest, '\n') orelse l.rest.len;
        const n = @min(end + 1, l.rest.len);
        l.raw = l.rest[0..n];
        l.rest = l.rest[n..];
        l.number += 1;
        l.kind = .broken;
        const at = bounds(l.raw, 0, end);
        const text = l.raw[at.from..at.to];
        if (text.len == 0) {
            l.kind = .blank;
        } else if (text[0] == '#') {
            l.kind = .comment;
        } else if (text[0] == '[') {
            if (text.len < 3 or text[text.len - 1] != ']') return true;
            const name = trim(text[1 .. text.len - 1]);
            if (!isName(name)) return true;
            l.kind = .section;
            l.profile = name;
        } else if (find(text, '=')) |equals| {
            const v = bounds(l.raw, at.from + equals + 1, at.to);
            l.kind = .pair;
            l.key = trim(text[0..equals]);
            l.from = v.from;
            l.to = v.to;
        }
        return true;
    }
};

fn find(s: []const u8, c: u8) ?usize {
    for (s, 0..) |x, i| if (x == c) return i;
    return null;
}

const Bounds = struct { from: usize, to: usize };

/// Where s[from..to] without the space around it is.
fn bounds(s: []const u8, from: usize, to: usize) Bounds {
    var b: Bounds = .{ .from = from, .to = to };
    while (b.from < b.to and (s[b.from] == ' ' or s[b.from] == '\t')) b.from += 1;
    while (b.from < b.to and (s[b.to - 1] == ' ' or s[b.to - 1] == '\t' or s[b.to - 1] == '\r')) b.to -= 1;
    return b;
}

fn trim(s: []const u8) []const u8 {
    const b = bounds(s, 0, s.len);
    return s[b.from..b.to];
}

/// Reports whether a section can have this name.
fn isName(s: []const u8) bool {
    for (s) |c| if (c < 0x20 or c == 0x7f) return false;
    return s.len > 0 and s.len <= max_name and trim(s).len == s.len;
}

/// The file of the request, once each line of it is right and no profile or key is
/// there twice.
fn checked(req: *const rhx.Request) rhx.File {
    if (req.files.len == 0) rhx.fail(.invalid, "the request has no file", "", 0);
    const file = req.files[0];
    var seen: [max_profiles][]const u8 = undefined;
    var n: usize = 0;
    var token = false;
    var user = false;
    var l = Lines.of(file);
    while (l.next()) {
        if (l.kind == .broken) rhx.fail(.invalid, "neither [PROFILE] nor KEY = VALUE", file.path, l.number);
        if (l.kind == .pair and l.profile.len == 0) rhx.fail(.invalid, "a key before the first [PROFILE]", file.path, l.number);
        if (l.has("token") and token) rhx.fail(.invalid, "a second token", file.path, l.number);
        if (l.has("user") and user) rhx.fail(.invalid, "a second user", file.path, l.number);
        if (l.isValue() and !rhx.utf8(l.value())) rhx.fail(.unsupported, "a value is not UTF-8", file.path, l.number);
        token = token or l.has("token");
        user = user or l.has("user");
        if (l.kind != .section) continue;
        if (!rhx.utf8(l.profile)) rhx.fail(.unsupported, "a profile's name is not UTF-8", file.path, l.number);
        for (seen[0..n]) |s| {
            if (rhx.eql(s, l.profile)) rhx.fail(.invalid, "a second section of this name", file.path, l.number);
        }
        if (n == max_profiles) rhx.fail(.unsupported, "more than 256 profiles", file.path, l.number);
        seen[n] = l.profile;
        n += 1;
        token = false;
        user = false;
    }
    return file;
}

/// Gives a secret for each section that has a value.
fn extract(req: *const rhx.Request) void {
    var begun = false;
    var l = Lines.of(checked(req));
    while (l.next()) {
        if (l.kind == .section) begun = false;
        if (!l.isValue()) continue;
        if (req.profile.len > 0 and !rhx.eql(req.profile, l.profile)) continue; // another one is wanted
        if (!begun) rhx.secret(l.profile);
        begun = true;
        if (l.has("user")) rhx.publicValue("user", l.value()) else rhx.value("token", l.value());
    }
}

/// Ends the request for a secret that the file cannot hold.
fn fits(path: []const u8, profile: []const u8, values: []const rhx.Pair) void {
    if (!isName(profile)) rhx.fail(.unsupported, "no section can have the profile's name", path, 0);
    for (values) |p| {
        if (!rhx.eql(p.key, "token") and !rhx.eql(p.key, "user")) rhx.fail(.unsupported, "only token and user can be kept", path, 0);
        if (trim(p.value).len != p.value.len) rhx.fail(.unsupported, "space at the ends of a value cannot be kept", path, 0);
        if (find(p.value, '\n') != null or find(p.value, '\r') != null) rhx.fail(.unsupported, "a line break in a value cannot be kept", path, 0);
    }
}

const Out = struct {
    b: rhx.Buffer = .{},
    eol: []const u8 = "\n",

    /// Ends a last line that has no line break.
    fn endLine(o: *Out) void {
        if (o.b.len > 0 and o.b.bytes()[o.b.len - 1] != '\n') o.b.add(o.eol);
    }

    fn add(o: *Out, key: []const u8, value: ?[]const u8) void {
        const v = value orelse return;
        o.endLine();
        o.b.add(key);
        o.b.add(" = ");
        o.b.add(v);
        o.b.add(o.eol);
    }
};

/// Replaces values where they are and adds new ones at the section's end. Every
/// other byte stays as it is.
fn render(req: *const rhx.Request) void {
    const file = checked(req);
    const profile = if (req.secret_profile.len > 0) req.secret_profile else "default";
    const token = rhx.find(req.values, "token");
    const user = rhx.find(req.values, "user");
    fits(file.path, profile, req.values);

    // The section's last line that is not blank, and what the section lacks.
    var out: Out = .{};
    var last: u32 = 0;
    var new_token = token;
    var new_user = user;
    var l = Lines.of(file);
    while (l.next()) {
        if (l.number == 1 and l.raw.len > 1 and rhx.eql(l.raw[l.raw.len - 2 ..], "\r\n")) out.eol = "\r\n";
        if (!rhx.eql(l.profile, profile) or l.kind == .blank) continue;
        last = l.number;
        if (l.has("token")) new_token = null;
        if (l.has("user")) new_user = null;
    }

    l = Lines.of(file);
    while (l.next()) {
        const here = rhx.eql(l.profile, profile) and l.isValue();
        const v = if (l.has("token")) token else user;
        if (here and v != null) {
            out.b.add(l.raw[0..l.from]);
            out.b.add(v.?);
            out.b.add(l.raw[l.to..]);
        } else if (!here or l.has("user")) { // a token that the secret lacks goes
            out.b.add(l.raw);
        }
        if (l.number == last) {
            out.add("user", new_user);
            out.add("token", new_token);
        }
    }
    if (last == 0) {
        out.endLine();
        out.b.byte('[');
        out.b.add(profile);
        out.b.byte(']');
        out.b.add(out.eol);
        out.add("user", user);
        out.add("token", token);
    }
    rhx.putFile(file.path, out.b.bytes(), 0o600);
}

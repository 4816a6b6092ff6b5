// The example provider: ~/.acme/credentials has a section for each profile, with
// token and user:
//
//     [default]
//     user = alice
//     token = ...
//
// A value is the rest of its line, without the space around it; nothing is quoted.

import * as rhx from "./rhx";

// More than anybody has.
const MAX_PROFILES = 256;
const MAX_NAME = 256;

const TOKEN = rhx.encode("token");
const USER = rhx.encode("user");

enum Kind { BLANK, COMMENT, SECTION, PAIR, BROKEN }

/** Goes over the lines of a file by offsets, so that a file of a million lines costs no memory. */
class Lines {
  /** Of the line, from 1. */
  number: i32 = 0;
  kind: Kind = Kind.BLANK;
  /** The line with its end is bytes[start, end). */
  start: i32 = 0;
  end: i32 = 0;
  /** What is in the line, without the space around it. */
  private textStart: i32 = 0;
  private textEnd: i32 = 0;
  keyEnd: i32 = 0;
  valueStart: i32 = 0;
  valueEnd: i32 = 0;
  /** The section that the line is in; empty before the first. */
  profileStart: i32 = 0;
  profileEnd: i32 = 0;

  constructor(private bytes: Uint8Array) {}

  next(): bool {
    const b = this.bytes;
    if (this.end == b.length) return false;
    this.start = this.end;
    let to = this.start;
    while (to < b.length && b[to] != 0x0a) to++;
    this.end = min(to + 1, b.length);
    this.number++;
    this.kind = Kind.BROKEN;
    const from = trimStart(b, this.start, to);
    to = trimEnd(b, from, to);
    this.textStart = from;
    if (from == to) {
      this.kind = Kind.BLANK;
    } else if (b[from] == 0x23) {
      this.kind = Kind.COMMENT;
    } else if (b[from] == 0x5b) {
      if (to - from < 3 || b[to - 1] != 0x5d) return true;
      const start = trimStart(b, from + 1, to - 1);
      const end = trimEnd(b, start, to - 1);
      if (!isName(b, start, end)) return true;
      this.kind = Kind.SECTION;
      this.profileStart = start;
      this.profileEnd = end;
    } else {
      let equals = from;
      while (equals < to && b[equals] != 0x3d) equals++;
      if (equals == to) return true;
      this.kind = Kind.PAIR;
      this.keyEnd = trimEnd(b, from, equals);
      this.valueStart = trimStart(b, equals + 1, to);
      this.valueEnd = to;
    }
    return true;
  }

  has(key: Uint8Array): bool {
    return this.kind == Kind.PAIR && rhx.equal(this.bytes, this.textStart, this.keyEnd, key);
  }

  isValue(): bool {
    return this.has(TOKEN) || this.has(USER);
  }

  isIn(profile: Uint8Array): bool {
    return rhx.equal(this.bytes, this.profileStart, this.profileEnd, profile);
  }

  value(): string {
    return rhx.decode(this.bytes, this.valueStart, this.valueEnd);
  }

  profile(): string {
    return rhx.decode(this.bytes, this.profileStart, this.profileEnd);
  }
}

function trimStart(b: Uint8Array, from: i32, to: i32): i32 {
  while (from < to && (b[from] == 0x20 || b[from] == 0x09)) from++;
  return from;
}

function trimEnd(b: Uint8Array, from: i32, to: i32): i32 {
  while (from < to && (b[to - 1] == 0x20 || b[to - 1] == 0x09 || b[to - 1] == 0x0d)) to--;
  return to;
}

/** Whether a section can have the name bytes[from, to). */
function isName(b: Uint8Array, from: i32, to: i32): bool {
  for (let i = from; i < to; i++) if (b[i] < 0x20 || b[i] == 0x7f) return false;
  return to > from && to - from <= MAX_NAME && trimStart(b, from, to) == from && trimEnd(b, from, to) == to;
}

/** The file of the request, once each line of it is right and no profile or key is there twice. */
function checked(req: rhx.Request): rhx.File {
  if (!req.files.length) rhx.fail(rhx.INVALID, "the request has no file", "", 0);
  const file = req.files[0];
  const seen: string[] = [];
  let token = false;
  let user = false;
  for (const l = new Lines(file.content); l.next(); ) {
    if (l.kind == Kind.BROKEN) rhx.fail(rhx.INVALID, "neither [PROFILE] nor KEY = VALUE", file.path, l.number);
    if (l.kind == Kind.PAIR && !l.profileEnd) rhx.fail(rhx.INVALID, "a key before the first [PROFILE]", file.path, l.number);
    if (l.has(TOKEN) && token) rhx.fail(rhx.INVALID, "a second token", file.path, l.number);
    if (l.has(USER) && user) rhx.fail(rhx.INVALID, "a second user", file.path, l.number);
    if (l.isValue() && !rhx.utf8(file.content, l.valueStart, l.valueEnd)) rhx.fail(rhx.UNSUPPORTED, "a value is not UTF-8", file.path, l.number);
    token = token || l.has(TOKEN);
    user = user || l.has(USER);
    if (l.kind != Kind.SECTION) continue;
    if (!rhx.utf8(file.content, l.profileStart, l.profileEnd)) rhx.fail(rhx.UNSUPPORTED, "a profile's name is not UTF-8", file.path, l.number);
    const profile = l.profile();
    if (seen.includes(profile)) rhx.fail(rhx.INVALID, "a second section of this name", file.path, l.number);
    if (seen.length == MAX_PROFILES) rhx.fail(rhx.UNSUPPORTED, "more than 256 profiles", file.path, l.number);
    seen.push(profile);
    token = false;
    user = false;
  }
  return file;
}

/** Gives a secret for each section that has a value. */
function extract(req: rhx.Request): void {
  const wanted = rhx.encode(req.profile);
  let begun = false;
  for (const l = new Lines(checked(req).content); l.next(); ) {
    if (l.kind == Kind.SECTION) begun = false;
    if (!l.isValue() || (wanted.length && !l.isIn(wanted))) continue;
    if (!begun) rhx.secret(l.profile());
    begun = true;
    if (l.has(USER)) rhx.publicValue("user", l.value());
    else rhx.value("token", l.value());
  }
}

/** Ends the request for a secret that the file cannot hold. */
function fits(path: string, profile: Uint8Array, values: Map<string, string>): void {
  if (!isName(profile, 0, profile.length)) rhx.fail(rhx.UNSUPPORTED, "no section can have the profile's name", path, 0);
  const keys = values.keys();
  for (let i = 0; i < keys.length; i++) {
    if (keys[i] != "token" && keys[i] != "user") rhx.fail(rhx.UNSUPPORTED, "only token and user can be kept", path, 0);
    const v = rhx.encode(values.get(keys[i]));
    if (trimStart(v, 0, v.length) > 0 || trimEnd(v, 0, v.length) < v.length) rhx.fail(rhx.UNSUPPORTED, "space at the ends of a value cannot be kept", path, 0);
    if (v.includes(0x0a) || v.includes(0x0d)) rhx.fail(rhx.UNSUPPORTED, "a line break in a value cannot be kept", path, 0);
  }
}

class Out {
  b: rhx.Buffer = new rhx.Buffer();
  eol: string = "\n";

  /** Ends a last line that has no line break. */
  endLine(): void {
    if (this.b.length && this.b.last() != 0x0a) this.b.text(this.eol);
  }

  add(key: string, values: Map<string, string>): void {
    if (!values.has(key)) return;
    this.endLine();
    this.b.text(key + " = " + values.get(key) + this.eol);
  }
}

/** Replaces values where they are and adds new ones at the section's end. Every other byte stays as it is. */
function render(req: rhx.Request): void {
  const file = checked(req);
  const bytes = file.content;
  const name = req.secretProfile.length ? req.secretProfile : "default";
  const profile = rhx.encode(name);
  fits(file.path, profile, req.values);

  // The section's last line that is not blank, and what the section has.
  const out = new Out();
  let last = 0;
  let token = false;
  let user = false;
  for (const l = new Lines(bytes); l.next(); ) {
    if (l.number == 1 && l.end > 1 && bytes[l.end - 2] == 0x0d && bytes[l.end - 1] == 0x0a) out.eol = "\r\n";
    if (!l.isIn(profile) || l.kind == Kind.BLANK) continue;
    last = l.number;
    token = token || l.has(TOKEN);
    user = user || l.has(USER);
  }

  for (const l = new Lines(bytes); l.next(); ) {
    const key = l.has(TOKEN) ? "token" : "user";
    const here = l.isIn(profile) && l.isValue();
    if (here && req.values.has(key)) {
      out.b.add(bytes, l.start, l.valueStart);
      out.b.text(req.values.get(key));
      out.b.add(bytes, l.valueEnd, l.end);
    } else if (!here || key == "user") { // a token that the secret lacks goes
      out.b.add(bytes, l.start, l.end);
    }
    if (l.number != last) continue;
    if (!user) out.add("user", req.values);
    if (!token) out.add("token", req.values);
  }
  if (!last) {
    out.endLine();
    out.b.text("[" + name + "]" + out.eol);
    out.add("user", req.values);
    out.add("token", req.values);
  }
  rhx.putFile(file.path, out.b.bytes(), 0o600);
}

rhx.run("acme", "1", extract, render);

// The kit for an rhx provider in AssemblyScript.
//
// A provider is a WASI command: rhx starts it once per request, writes one JSON
// document to its standard input and reads one from its standard output. This file
// does that part; a provider fills in two functions:
//
//     import * as rhx from "./rhx";
//
//     function extract(req: rhx.Request): void {
//       const file = req.files[0];
//       if (!file.exists) return; // no file, no secrets
//       rhx.secret(""); // the default profile
//       rhx.value("token", rhx.decode(file.content, 0, file.content.length)); // the whole file
//     }
//
//     function render(req: rhx.Request): void {
//       rhx.putFile(req.files[0].path, rhx.encode(req.values.get("token")), 0o600);
//     }
//
//     rhx.run("example", "1", extract, render);
//
// Build it with
//
//     asc assembly/example.ts -o example.wasm -O --runtime stub --exportStart _start \
//       --use abort=assembly/rhx/abort
//
// and try it without rhx, in any WASI runtime:
//
//     wasmtime run example.wasm <request.json
//
// Rules that rhx holds a provider to: it sees the files and variables of the request
// and nothing else; it has 64 MiB of memory and 2 seconds; it never puts a value into
// a message. Memory is never freed: an instance lives for one request, and rhx zeroes
// it afterwards. So go over a large file by offsets, and make no object for each line.

/** The version of the request and response documents. */
export const ABI: i32 = 1;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: i32, vecs: usize, n: i32, got: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: i32, vecs: usize, n: i32, put: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: i32): void;

/** What a broken rule of the language does, such as an index out of bounds. */
export function abort(_message: string | null, _file: string | null, _line: u32, _column: u32): void {
  unreachable();
}

// --- Bytes and texts ----------------------------------------------------------

/** The bytes of a text in UTF-8. */
export function encode(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

/** The text that bytes[from, to) are in UTF-8. Anything else ends the request with "unsupported". */
export function decode(bytes: Uint8Array, from: i32, to: i32): string {
  if (!utf8(bytes, from, to)) fail(UNSUPPORTED, "a value is not UTF-8", "", 0);
  return String.UTF8.decodeUnsafe(bytes.dataStart + from, to - from);
}

/** Whether bytes[from, to) are UTF-8 (RFC 3629: no surrogates, no overlong forms). */
export function utf8(bytes: Uint8Array, from: i32, to: i32): bool {
  let i = from;
  if (from < 0 || to > bytes.length) unreachable(); // the loads below do not look
  for (; to - i >= 8; i += 8) { // what is ASCII, eight at a time
    if (load<u64>(bytes.dataStart + i) & 0x8080808080808080) break;
  }
  while (i < to) {
    const c: u32 = bytes[i++];
    if (c < 0x80) continue;
    if (c < 0xc2 || c > 0xf4) return false;
    let more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    let lo: u32 = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    let hi: u32 = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    for (; more > 0; more--) {
      if (i == to || bytes[i] < lo || bytes[i] > hi) return false;
      i++;
      lo = 0x80;
      hi = 0xbf;
    }
  }
  return true;
}

/** Whether bytes[from, to) are these. */
export function equal(bytes: Uint8Array, from: i32, to: i32, other: Uint8Array): bool {
  if (to - from != other.length) return false;
  return memory.compare(bytes.dataStart + from, other.dataStart, other.length) == 0;
}

/** A growing row of bytes. */
export class Buffer {
  private data: ArrayBuffer = new ArrayBuffer(64);
  length: i32 = 0;

  /** Adds bytes[from, to). */
  add(bytes: Uint8Array, from: i32, to: i32): void {
    this.reserve(to - from);
    memory.copy(changetype<usize>(this.data) + this.length, bytes.dataStart + from, to - from);
    this.length += to - from;
  }

  /** Adds a text in UTF-8. */
  text(s: string): void {
    const n = String.UTF8.byteLength(s);
    this.reserve(n);
    String.UTF8.encodeUnsafe(changetype<usize>(s), s.length, changetype<usize>(this.data) + this.length);
    this.length += n;
  }

  byte(c: i32): void {
    this.reserve(1);
    store<u8>(changetype<usize>(this.data) + this.length, <u8>c);
    this.length++;
  }

  /** The last byte; 0 where there is none. */
  last(): i32 {
    return this.length ? load<u8>(changetype<usize>(this.data) + this.length - 1) : 0;
  }

  /** What has been added, until something else is. */
  bytes(): Uint8Array {
    return Uint8Array.wrap(this.data, 0, this.length);
  }

  /** Makes place for n bytes more, and returns where. */
  reserve(n: i32): usize {
    const has = this.data.byteLength;
    if (n > has - this.length) {
      const size = <usize>(n + this.length + has);
      this.data = changetype<ArrayBuffer>(__renew(changetype<usize>(this.data), size));
    }
    return changetype<usize>(this.data) + this.length;
  }

  /** Adds a text as a JSON string with its quotes. */
  json(s: string): void {
    const hex = "0123456789abcdef";
    this.byte(0x22);
    let plain = 0; // where what needs no escape begins
    for (let i = 0; i < s.length; i++) {
      const c = s.charCodeAt(i);
      if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
      this.text(s.substring(plain, i));
      plain = i + 1;
      this.text(c >= 0x20 ? "\\" + s.charAt(i) : "\\u00" + hex.charAt(c >> 4) + hex.charAt(c & 15));
    }
    this.text(s.substring(plain));
    this.byte(0x22);
  }

  /** Adds bytes in base64 (RFC 4648, section 4). */
  base64(bytes: Uint8Array): void {
    const n = bytes.length;
    this.reserve(((n + 2) / 3) * 4);
    for (let i = 0; i < n; i += 3) {
      const v = (<i32>bytes[i] << 16) | (i + 1 < n ? <i32>bytes[i + 1] << 8 : 0) | (i + 2 < n ? <i32>bytes[i + 2] : 0);
      this.byte(digit(v >> 18));
      this.byte(digit((v >> 12) & 63));
      this.byte(i + 1 < n ? digit((v >> 6) & 63) : 0x3d);
      this.byte(i + 2 < n ? digit(v & 63) : 0x3d);
    }
  }
}

function digit(v: i32): i32 {
  if (v < 26) return 65 + v;
  if (v < 52) return 97 - 26 + v;
  if (v < 62) return 48 - 52 + v;
  return v == 62 ? 43 : 47;
}

function undigit(c: i32): i32 {
  if (c >= 65 && c <= 90) return c - 65;
  if (c >= 97 && c <= 122) return c - 97 + 26;
  if (c >= 48 && c <= 57) return c - 48 + 52;
  return c == 43 ? 62 : c == 47 ? 63 : -1;
}

/** Decodes base64 (RFC 4648, section 4); null where it is none. */
export function decode64(s: Uint8Array): Uint8Array | null {
  if (s.length % 4) return null;
  const out = new Uint8Array((s.length / 4) * 3);
  let n = 0;
  for (let i = 0; i < s.length; i += 4) {
    const a = undigit(s[i]), b = undigit(s[i + 1]), c = undigit(s[i + 2]), e = undigit(s[i + 3]);
    if ((a | b | c | e) >= 0) { // without padding, and without a loop
      const v = (a << 18) | (b << 12) | (c << 6) | e;
      out[n] = <u8>(v >> 16);
      out[n + 1] = <u8>(v >> 8);
      out[n + 2] = <u8>v;
      n += 3;
      continue;
    }
    let pad = 0;
    if (i + 4 == s.length) while (pad < 2 && s[i + 3 - pad] == 0x3d) pad++;
    let v = 0;
    for (let j = 0; j < 4; j++) {
      const d = j < 4 - pad ? undigit(s[i + j]) : 0;
      if (d < 0) return null;
      v = (v << 6) | d;
    }
    out[n] = <u8>(v >> 16);
    out[n + 1] = <u8>(v >> 8);
    out[n + 2] = <u8>v;
    n += 3 - pad;
  }
  return out.subarray(0, n);
}

// --- The request --------------------------------------------------------------

/** A file that the provider's spec declares. */
export class File {
  path: string = "";
  /** Decoded; empty where the file is not there. */
  content: Uint8Array = new Uint8Array(0);
  exists: bool = false;
}

/** What rhx asks. */
export class Request {
  /** "extract", "render" or "describe" */
  op: string = "";
  /** The name of the provider that the module works for. */
  provider: string = "";
  /** The only profile wanted; empty for all of them. */
  profile: string = "";
  files: File[] = [];
  /** The variables that the provider's spec declares, where set. */
  env: Map<string, string> = new Map();
  /** The module's settings. */
  options: Map<string, string> = new Map();
  /** For render: the secret to put into the files. */
  secretProfile: string = "";
  values: Map<string, string> = new Map();
}

// --- The response -------------------------------------------------------------

// What has been answered so far. An instance serves one request, so there is one.
const secrets = new Buffer();
const publics = new Buffer();
const files = new Buffer();
let expiry = "";
let inSecret = false;
let hasValue = false;

/** Begins a secret with this profile; value and publicValue add to it. */
export function secret(profile: string): void {
  endSecret();
  if (secrets.length) secrets.text(",");
  secrets.text('{"profile":');
  secrets.json(profile);
  secrets.text(',"values":{');
  inSecret = true;
  hasValue = false;
}

/** Adds a value that is secret. */
export function value(key: string, text: string): void {
  if (hasValue) secrets.text(",");
  hasValue = true;
  secrets.json(key);
  secrets.text(":");
  secrets.json(text);
}

/** Adds a value that may be shown, such as a user's name. */
export function publicValue(key: string, text: string): void {
  value(key, text);
  if (publics.length) publics.text(",");
  publics.json(key);
}

/** Says when the values of the secret that was begun last end: a time of RFC 3339. */
export function expires(time: string): void {
  expiry = time;
}

function endSecret(): void {
  if (!inSecret) return;
  secrets.text('},"public":[');
  secrets.add(publics.bytes(), 0, publics.length);
  secrets.text("]");
  if (expiry.length) {
    secrets.text(',"expires":');
    secrets.json(expiry);
  }
  secrets.text("}");
  publics.length = 0;
  expiry = "";
  inSecret = false;
}

/** Gives the new content of a file of the request. mode is at most 0o600 unless the provider's spec allows more. */
export function putFile(path: string, content: Uint8Array, mode: i32): void {
  if (files.length) files.text(",");
  files.text('{"path":');
  files.json(path);
  files.text(',"mode":' + mode.toString() + ',"content":"');
  files.base64(content);
  files.text('"}');
}

/** The file or the request is broken. */
export const INVALID = "invalid";
/** It is right, but this provider cannot do it. */
export const UNSUPPORTED = "unsupported";
/** The file holds something that stands in the way. */
export const CONFLICT = "conflict";

/**
 * Ends the request with an error. message never contains a value. path is that of a
 * file of the request, or empty; line counts from 1, 0 where there is none.
 */
export function fail(code: string, message: string, path: string, line: i32): void {
  const out = new Buffer();
  out.text('{"abi":1,"error":{"code":');
  out.json(code);
  out.text(',"message":');
  out.json(message);
  if (path.length) {
    out.text(',"path":');
    out.json(path);
  }
  if (line) out.text(',"line":' + line.toString());
  out.text("}}");
  send(out);
  proc_exit(0);
}

// --- The provider -------------------------------------------------------------

/** Carries out the request on standard input. render is null for a provider that cannot write. */
export function run(name: string, version: string, extract: (req: Request) => void, render: ((req: Request) => void) | null): void {
  const req = readRequest();
  const out = new Buffer();
  if (req.op == "extract") {
    extract(req);
    endSecret();
    out.text('{"abi":1,"secrets":[');
    out.add(secrets.bytes(), 0, secrets.length);
    out.text("]}");
  } else if (req.op == "render" && render) {
    render(req);
    // What comes before the files goes out first: they may be large.
    out.text('{"abi":1,"files":[');
    send(out);
    files.text("]}");
    send(files);
    return;
  } else if (req.op == "describe") {
    out.text('{"abi":1,"name":');
    out.json(name);
    out.text(',"version":');
    out.json(version);
    out.text(render ? ',"ops":["extract","render","describe"]}' : ',"ops":["extract","describe"]}');
  } else {
    fail(UNSUPPORTED, "this module does not know the operation", "", 0);
  }
  send(out);
}

// A place for the arguments of fd_read and fd_write: an address, a length, and the
// number of bytes done.
const call = memory.data(12, 4);

function send(b: Buffer): void {
  const bytes = b.bytes();
  for (let done: u32 = 0; done < <u32>bytes.length; ) {
    store<u32>(call, <u32>bytes.dataStart + done);
    store<u32>(call, <u32>bytes.length - done, 4);
    if (fd_write(1, call, 1, call + 8) || !load<u32>(call, 8)) proc_exit(1);
    done += load<u32>(call, 8);
  }
}

function readAll(): Uint8Array {
  const b = new Buffer();
  let n = 0;
  do {
    store<u32>(call, <u32>b.reserve(65536));
    store<u32>(call, 65536, 4);
    if (fd_read(0, call, 1, call + 8)) fail(INVALID, "cannot read the request", "", 0);
    n = min(load<i32>(call, 8), 65536);
    b.length += n;
  } while (n > 0);
  return b.bytes();
}

function readRequest(): Request {
  const r = new Reader(readAll());
  const req = new Request();
  const contents: Uint8Array[] = [];
  let version = "";
  if (r.peek() != 0x7b) r.fail();
  for (let more = r.open(0x7b); more; more = r.more(0x7d)) {
    const key = r.key();
    if (key == "abi") version = r.wholeNumber();
    else if (key == "op") req.op = r.text();
    else if (key == "provider") req.provider = r.text();
    else if (key == "profile") req.profile = r.text();
    else if (key == "options") r.texts(req.options);
    else if (key == "env") r.texts(req.env);
    else if (key == "files") r.files(req.files, contents);
    else if (key == "secret") {
      for (let more = r.open(0x7b); more; more = r.more(0x7d)) {
        const key = r.key();
        if (key == "profile") req.secretProfile = r.text();
        else if (key == "values") r.texts(req.values);
        else r.skip();
      }
    } else r.skip();
  }
  if (r.peek() || r.bad || !r.atEnd()) fail(INVALID, "the request is not a JSON object", "", 0);
  // The message has the number only where it is a short one: nothing else of a
  // request is repeated.
  if (!version.length || version.length > 9) fail(UNSUPPORTED, "the request does not say which ABI it is of; this module speaks ABI 1", "", 0);
  if (version != "1") fail(UNSUPPORTED, "the request is of ABI " + version + "; this module speaks ABI 1", "", 0);
  for (let i = 0; i < contents.length; i++) {
    const content = decode64(contents[i]);
    if (content) req.files[i].content = content;
    else fail(INVALID, "the content of a file is not base64", req.files[i].path, 0);
  }
  return req;
}

// --- JSON (RFC 8259) ----------------------------------------------------------

const MAX_DEPTH = 64;

/**
 * How many bytes from there on mean only themselves, in eights: a loop costs much
 * more here than what is in it, and a file's content is megabytes of those.
 */
function plain(b: Uint8Array, from: i32): i32 {
  const ones: u64 = 0x0101010101010101;
  let i = from;
  for (; b.length - i >= 8; i += 8) {
    const v = load<u64>(b.dataStart + i);
    const quote = v ^ (ones * 0x22);
    const slash = v ^ (ones * 0x5c);
    if (((v - ones * 0x20) | v | (quote - ones) | (slash - ones)) & (ones << 7)) break;
  }
  return i - from;
}

/**
 * Reads a document from front to back and keeps nothing. From the first thing that is
 * not JSON on, bad is set and all that follows is empty.
 */
class Reader {
  at: i32 = 0;
  depth: i32 = 0;
  bad: bool = false;

  constructor(private doc: Uint8Array) {}

  fail(): void {
    this.bad = true;
    this.at = this.doc.length;
  }

  atEnd(): bool {
    return this.at == this.doc.length;
  }

  /** The first byte of what comes next, after space; 0 at the end. */
  peek(): i32 {
    for (; this.at < this.doc.length; this.at++) {
      const c = this.doc[this.at];
      if (c != 0x20 && c != 0x09 && c != 0x0a && c != 0x0d) return c;
    }
    return 0;
  }

  next(c: i32): bool {
    if (this.atEnd() || this.peek() != c) return false;
    this.at++;
    return true;
  }

  /**
   * Begins an object or array; whether it has an entry. Anything else that comes is
   * passed over, and has none.
   */
  open(c: i32): bool {
    if (this.peek() != c) {
      this.skip();
      return false;
    }
    this.at++;
    if (++this.depth > MAX_DEPTH) this.fail();
    if (!this.next(c + 2)) return !this.bad; // { and }, [ and ] are two apart
    this.depth--;
    return false;
  }

  /** Whether another entry follows. */
  more(end: i32): bool {
    if (this.next(end)) {
      this.depth--;
      return false;
    }
    if (!this.next(0x2c)) this.fail();
    return !this.bad;
  }

  /** Reads the key of an object's entry. */
  key(): string {
    const b = this.quoted();
    if (!this.next(0x3a)) this.fail();
    return decode(b, 0, b.length);
  }

  /** Passes over a value. */
  skip(): void {
    const c = this.peek();
    if (c == 0x7b) {
      for (let more = this.open(c); more; more = this.more(0x7d)) {
        this.quoted();
        if (!this.next(0x3a)) this.fail();
        this.skip();
      }
    } else if (c == 0x5b) {
      for (let more = this.open(c); more; more = this.more(0x5d)) this.skip();
    } else this.scalar();
  }

  /** Reads a string, or a number or word as it is written; empty for an object or array. */
  bytes(): Uint8Array {
    const c = this.peek();
    if (c != 0x7b && c != 0x5b) return this.scalar();
    this.skip();
    return new Uint8Array(0);
  }

  text(): string {
    const b = this.bytes();
    return decode(b, 0, b.length);
  }

  word(w: string): bool {
    if (this.doc.length - this.at < w.length) return false;
    for (let i = 0; i < w.length; i++) if (this.doc[this.at + i] != w.charCodeAt(i)) return false;
    this.at += w.length;
    return true;
  }

  digits(): bool {
    const from = this.at;
    while (this.at < this.doc.length && this.doc[this.at] >= 0x30 && this.doc[this.at] <= 0x39) this.at++;
    return this.at > from;
  }

  number(): bool {
    this.word("-");
    if (!this.word("0") && !this.digits()) return false;
    if (this.word(".") && !this.digits()) return false;
    if (!this.word("e") && !this.word("E")) return true;
    if (!this.word("+")) this.word("-");
    return this.digits();
  }

  scalar(): Uint8Array {
    if (this.peek() == 0x22) return this.quoted();
    const from = this.at;
    if (this.word("true") || this.word("false") || this.word("null") || this.number()) return this.doc.subarray(from, this.at);
    this.fail();
    return new Uint8Array(0);
  }

  /** Reads a whole number without a sign; empty for anything else. */
  wholeNumber(): string {
    const string = this.peek() == 0x22;
    const s = this.text();
    for (let i = 0; i < s.length; i++) if (s.charCodeAt(i) < 0x30 || s.charCodeAt(i) > 0x39) return "";
    return string ? "" : s;
  }

  /** Reads a string; part of the document where it has no escapes. */
  quoted(): Uint8Array {
    if (!this.next(0x22)) return this.broken();
    const from = this.at;
    let to = from + plain(this.doc, from);
    let escapes = false;
    for (; to < this.doc.length && this.doc[to] != 0x22; to++) {
      if (this.doc[to] < 0x20) return this.broken();
      if (this.doc[to] == 0x5c) {
        escapes = true;
        to++;
      }
    }
    if (to >= this.doc.length) return this.broken();
    const s = escapes ? this.unescape(to) : this.doc.subarray(from, to);
    if (this.bad || !utf8(s, 0, s.length)) return this.broken();
    this.at = to + 1;
    return s;
  }

  broken(): Uint8Array {
    this.fail();
    return new Uint8Array(0);
  }

  unescape(to: i32): Uint8Array {
    const out = new Uint8Array(to - this.at); // an escape never grows
    let n = 0;
    while (this.at < to) {
      const c = this.doc[this.at++];
      if (c != 0x5c) {
        out[n++] = c;
        continue;
      }
      const e = this.doc[this.at++];
      if (e == 0x22 || e == 0x5c || e == 0x2f) out[n++] = e;
      else if (e == 0x62) out[n++] = 8;
      else if (e == 0x66) out[n++] = 12;
      else if (e == 0x6e) out[n++] = 10;
      else if (e == 0x72) out[n++] = 13;
      else if (e == 0x74) out[n++] = 9;
      else if (e == 0x75) n = this.unicode(out, n);
      else this.fail();
    }
    if (this.at != to) this.fail(); // \u ran into the closing quote
    return out.subarray(0, n);
  }

  unicode(out: Uint8Array, n: i32): i32 {
    let v = this.hex4();
    if (v >= 0xd800 && v <= 0xdbff && this.word("\\u")) {
      const low = this.hex4();
      if (low < 0xdc00 || low > 0xdfff) this.fail();
      v = 0x10000 + ((v - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
    } else if (v >= 0xd800 && v <= 0xdfff) this.fail();
    if (this.bad) return n;
    if (v < 0x80) {
      out[n] = <u8>v;
      return n + 1;
    }
    const more = v < 0x800 ? 1 : v < 0x10000 ? 2 : 3;
    for (let i = more; i > 0; i--) {
      out[n + i] = <u8>(0x80 | (v & 63));
      v >>= 6;
    }
    out[n] = <u8>((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | v);
    return n + more + 1;
  }

  hex4(): i32 {
    let v = 0;
    for (let i = 0; i < 4; i++) {
      const c: i32 = this.atEnd() ? 0 : this.doc[this.at];
      let d = -1;
      if (c >= 0x30 && c <= 0x39) d = c - 0x30;
      else if (c >= 0x61 && c <= 0x66) d = c - 0x61 + 10;
      else if (c >= 0x41 && c <= 0x46) d = c - 0x41 + 10;
      if (d < 0) {
        this.fail();
        return 0;
      }
      v = (v << 4) | d;
      this.at++;
    }
    return v;
  }

  /** Reads an object of texts. */
  texts(into: Map<string, string>): void {
    for (let more = this.open(0x7b); more; more = this.more(0x7d)) {
      const key = this.key();
      const c = this.peek();
      const text = this.text();
      if (c != 0x7b && c != 0x5b) into.set(key, text);
    }
  }

  files(into: File[], contents: Uint8Array[]): void {
    for (let more = this.open(0x5b); more; more = this.more(0x5d)) {
      const f = new File();
      let content = f.content;
      for (let more = this.open(0x7b); more; more = this.more(0x7d)) {
        const key = this.key();
        if (key == "path") f.path = this.text();
        else if (key == "content") content = this.bytes();
        else if (key == "exists") f.exists = this.text() == "true";
        else this.skip();
      }
      into.push(f);
      contents.push(content);
    }
  }
}

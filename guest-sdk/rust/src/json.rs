//! JSON (RFC 8259), as much as the protocol needs.

use std::borrow::Cow;

/// How deep a document may be nested.
const MAX_DEPTH: usize = 64;

/// What is read is not JSON.
pub struct Broken;

type Read<T> = Result<T, Broken>;

/// Reads a document from front to back and keeps nothing, so that a document costs
/// no more memory than what is wanted of it.
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { text, at: 0, depth: 0 }
    }

    /// The first byte of what comes next, after space.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn next(&mut self, c: u8) -> bool {
        let is = self.peek() == Some(c);
        self.at += usize::from(is);
        is
    }

    /// Reads an object; each has to read the value of its key. Anything else that
    /// comes is passed over.
    pub fn object(&mut self, each: &mut dyn FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        if self.peek() != Some(b'{') {
            return self.skip();
        }
        self.list(b'}', &mut |r| {
            let key = r.string()?;
            if !r.next(b':') {
                return Err(Broken);
            }
            each(r, &key)
        })
    }

    /// The same for an array.
    pub fn array(&mut self, each: &mut dyn FnMut(&mut Self) -> Read<()>) -> Read<()> {
        if self.peek() != Some(b'[') {
            return self.skip();
        }
        self.list(b']', each)
    }

    fn list(&mut self, end: u8, each: &mut dyn FnMut(&mut Self) -> Read<()>) -> Read<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Broken);
        }
        self.at += 1;
        if !self.next(end) {
            loop {
                each(self)?;
                if self.next(end) {
                    break;
                }
                if !self.next(b',') {
                    return Err(Broken);
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes over a value.
    pub fn skip(&mut self) -> Read<()> {
        match self.peek() {
            Some(b'{') => self.object(&mut |r, _| r.skip()),
            Some(b'[') => self.array(&mut |r| r.skip()),
            Some(b'"') => self.string().map(|_| ()),
            _ => self.scalar().map(|_| ()),
        }
    }

    /// Reads a string, or a number or word as it is written; empty for an object or
    /// array.
    pub fn text(&mut self) -> Read<Cow<'a, str>> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{' | b'[') => self.skip().map(|_| Cow::Borrowed("")),
            _ => self.scalar().map(Cow::Borrowed),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let is = self.text[self.at..].starts_with(word.as_bytes());
        self.at += if is { word.len() } else { 0 };
        is
    }

    fn digits(&mut self) -> bool {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        self.at > from
    }

    fn number(&mut self) -> bool {
        self.word("-");
        if !self.word("0") && !self.digits() {
            return false;
        }
        if self.word(".") && !self.digits() {
            return false;
        }
        if !self.word("e") && !self.word("E") {
            return true;
        }
        if !self.word("+") {
            self.word("-");
        }
        self.digits()
    }

    fn scalar(&mut self) -> Read<&'a str> {
        let from = self.at;
        if self.word("true") || self.word("false") || self.word("null") || self.number() {
            return std::str::from_utf8(&self.text[from..self.at]).map_err(|_| Broken);
        }
        Err(Broken)
    }

    fn string(&mut self) -> Read<Cow<'a, str>> {
        if !self.next(b'"') {
            return Err(Broken);
        }
        let text = self.text;
        let mut from = self.at;
        let mut escaped: Option<Vec<u8>> = None; // what is before from, where there were escapes
        self.at += plain(&text[self.at..]);
        loop {
            let part = &text[from..self.at];
            match text.get(self.at).ok_or(Broken)? {
                b'"' => {
                    self.at += 1;
                    return match escaped {
                        None => std::str::from_utf8(part).map(Cow::Borrowed).map_err(|_| Broken),
                        Some(mut out) => {
                            out.extend_from_slice(part);
                            String::from_utf8(out).map(Cow::Owned).map_err(|_| Broken)
                        }
                    };
                }
                b'\\' => {
                    let out = escaped.get_or_insert_with(Vec::new);
                    out.extend_from_slice(part);
                    self.at += 1;
                    let c = self.escape()?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    from = self.at;
                }
                0..=0x1f => return Err(Broken),
                _ => self.at += 1,
            }
        }
    }

    /// Reads the character whose escape begins after the backslash.
    fn escape(&mut self) -> Read<char> {
        let c = *self.text.get(self.at).ok_or(Broken)?;
        self.at += 1;
        Ok(match c {
            b'"' | b'\\' | b'/' => char::from(c),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut v = self.hex4()?;
                if (0xD800..0xDC00).contains(&v) {
                    if !self.word("\\u") {
                        return Err(Broken);
                    }
                    let low = self.hex4()?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return Err(Broken);
                    }
                    v = 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
                }
                char::from_u32(v).ok_or(Broken)?
            }
            _ => return Err(Broken),
        })
    }

    fn hex4(&mut self) -> Read<u32> {
        let mut v = 0;
        for _ in 0..4 {
            let c = *self.text.get(self.at).ok_or(Broken)?;
            v = v << 4 | char::from(c).to_digit(16).ok_or(Broken)?;
            self.at += 1;
        }
        Ok(v)
    }
}

/// How many bytes at the beginning mean only themselves, in eights: a loop costs
/// much more here than what is in it, and a file's content is megabytes of those.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let is = |part: &&[u8]| {
        let v = u64::from_ne_bytes((*part).try_into().unwrap_or_default());
        let (quote, slash) = (v ^ (ONES * 0x22), v ^ (ONES * 0x5c));
        let low = v.wrapping_sub(ONES * 0x20) | quote.wrapping_sub(ONES) | slash.wrapping_sub(ONES);
        (low | v) & (ONES << 7) == 0
    };
    text.chunks_exact(8).take_while(is).count() * 8
}

/// Appends s as a JSON string with its quotes.
pub fn quote(out: &mut Vec<u8>, s: &str) {
    out.push(b'"');
    for &c in s.as_bytes() {
        match c {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
            0..=0x1f => {
                let hex = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex[usize::from(c >> 4)], hex[usize::from(c & 15)]]);
            }
            _ => out.push(c),
        }
    }
    out.push(b'"');
}

//! The example provider: ~/.acme/credentials has a section for each profile, with
//! token and user:
//!
//! ```text
//! [default]
//! user = alice
//! token = ...
//! ```
//!
//! A value is the rest of its line, without the space around it; nothing is quoted.

use rhx_guest::{Error, File, Provider, Request, Secret};

/// More than anybody has.
const MAX_PROFILES: usize = 256;
const MAX_NAME: usize = 256;

fn main() {
    rhx_guest::run(&Credentials);
}

struct Credentials;

impl Provider for Credentials {
    fn name(&self) -> &str {
        "acme"
    }

    fn version(&self) -> &str {
        "1"
    }

    /// Gives a secret for each section that has a value.
    fn extract(&self, req: &Request) -> Result<Vec<Secret>, Error> {
        let mut out = Vec::new();
        let mut secret: Option<Secret> = None; // that of the section so far
        for line in Lines::of(checked(req)?) {
            if line.kind == Kind::Section {
                out.extend(secret.take());
            }
            if !line.is_value() || (!req.profile.is_empty() && req.profile.as_bytes() != line.profile) {
                continue;
            }
            let s = secret.take().unwrap_or_else(|| Secret::new(utf8(line.profile)));
            secret = Some(match line.has("user") {
                true => s.public("user", utf8(line.value())),
                false => s.value("token", utf8(line.value())),
            });
        }
        out.extend(secret);
        Ok(out)
    }

    /// Replaces values where they are and adds new ones at the section's end. Every
    /// other byte stays as it is.
    fn render(&self, req: &Request, secret: &Secret) -> Result<Vec<File>, Error> {
        let file = checked(req)?;
        let profile = if secret.profile.is_empty() { "default" } else { &secret.profile };
        fits(profile, secret).map_err(|e| e.path(&file.path))?;

        // The section's last line that is not blank, and what the section has.
        let (mut last, mut token, mut user) = (0, false, false);
        for line in Lines::of(file).filter(|l| l.profile == profile.as_bytes() && l.kind != Kind::Blank) {
            last = line.number;
            token |= line.has("token");
            user |= line.has("user");
        }
        let mut added = Vec::new();
        for (key, has) in [("user", user), ("token", token)] {
            if let (false, Some(v)) = (has, secret.get(key)) {
                added.push([key, " = ", v].concat());
            }
        }
        if last == 0 {
            added.insert(0, ["[", profile, "]"].concat());
        }

        let mut out = Vec::with_capacity(file.content.len() + 256);
        let crlf = Lines::of(file).next().map_or(false, |l| l.raw.ends_with(b"\r\n"));
        let eol: &[u8] = if crlf { b"\r\n" } else { b"\n" };
        let append = |out: &mut Vec<u8>| {
            for text in &added {
                if !out.is_empty() && !out.ends_with(b"\n") {
                    out.extend_from_slice(eol); // the last line has no line break
                }
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(eol);
            }
        };
        for line in Lines::of(file) {
            let here = line.profile == profile.as_bytes() && line.is_value();
            match secret.get(utf8(line.key)) {
                Some(v) if here => {
                    out.extend_from_slice(&line.raw[..line.from]);
                    out.extend_from_slice(v.as_bytes());
                    out.extend_from_slice(&line.raw[line.to..]);
                }
                None if here && line.has("token") => {} // it goes; a user stays
                _ => out.extend_from_slice(line.raw),
            }
            if line.number == last {
                append(&mut out);
            }
        }
        if last == 0 {
            append(&mut out);
        }
        Ok(vec![File::new(&file.path, out)])
    }
}

/// Returns an error for a secret that the file cannot hold.
fn fits(profile: &str, secret: &Secret) -> Result<(), Error> {
    if !is_name(profile.as_bytes()) {
        return Err(Error::unsupported("no section can have the profile's name"));
    }
    for (k, v) in &secret.values {
        if k != "token" && k != "user" {
            return Err(Error::unsupported("only token and user can be kept"));
        }
        if trim(v.as_bytes()).len() != v.len() {
            return Err(Error::unsupported("space at the ends of a value cannot be kept"));
        }
        if v.contains(&['\n', '\r'][..]) {
            return Err(Error::unsupported("a line break in a value cannot be kept"));
        }
    }
    Ok(())
}

/// Returns the file of the request, once each line of it is right and no profile or
/// key is there twice.
fn checked(req: &Request) -> Result<&File, Error> {
    let file = req.files.first().ok_or_else(|| Error::invalid("the request has no file"))?;
    let mut seen: Vec<&[u8]> = Vec::new();
    let (mut token, mut user) = (false, false);
    for line in Lines::of(file) {
        let section = line.kind == Kind::Section;
        let text = if section { line.profile } else { line.value() };
        let wrong = if line.kind == Kind::Broken {
            Error::invalid("neither [PROFILE] nor KEY = VALUE")
        } else if line.kind == Kind::Pair && line.profile.is_empty() {
            Error::invalid("a key before the first [PROFILE]")
        } else if line.has("token") && token {
            Error::invalid("a second token")
        } else if line.has("user") && user {
            Error::invalid("a second user")
        } else if (section || line.is_value()) && std::str::from_utf8(text).is_err() {
            Error::unsupported(if section { "a profile's name is not UTF-8" } else { "a value is not UTF-8" })
        } else if section && seen.contains(&line.profile) {
            Error::invalid("a second section of this name")
        } else if section && seen.len() == MAX_PROFILES {
            Error::unsupported("more than 256 profiles")
        } else {
            if section {
                seen.push(line.profile);
                token = false;
                user = false;
            }
            token |= line.has("token");
            user |= line.has("user");
            continue;
        };
        return Err(wrong.path(&file.path).line(line.number));
    }
    Ok(file)
}

/// The text of bytes that `checked` has found to be UTF-8; a key need not be.
fn utf8(b: &[u8]) -> &str {
    std::str::from_utf8(b).unwrap_or("")
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Blank,
    Comment,
    Section,
    Pair,
    Broken,
}

#[derive(Clone, Copy)]
struct Line<'a> {
    /// Counts from 1.
    number: usize,
    /// The line with its end.
    raw: &'a [u8],
    kind: Kind,
    key: &'a [u8],
    /// A pair's value is raw[from..to].
    from: usize,
    to: usize,
    /// The section that the line is in; empty before the first.
    profile: &'a [u8],
}

impl<'a> Line<'a> {
    fn has(&self, key: &str) -> bool {
        self.kind == Kind::Pair && self.key == key.as_bytes()
    }

    fn is_value(&self) -> bool {
        self.has("token") || self.has("user")
    }

    fn value(&self) -> &'a [u8] {
        &self.raw[self.from..self.to]
    }
}

/// Goes over the lines of a file. It keeps nothing, so that a file of a million
/// lines costs no memory.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
    profile: &'a [u8],
}

impl<'a> Lines<'a> {
    fn of(file: &'a File) -> Lines<'a> {
        Lines { rest: &file.content, number: 0, profile: b"" }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|&c| c == b'\n').map_or(self.rest.len(), |i| i + 1);
        let (raw, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.number += 1;
        let (from, to) = bounds(raw, 0, raw.strip_suffix(b"\n").unwrap_or(raw).len());
        let text = &raw[from..to];
        let mut line = Line { number: self.number, raw, kind: Kind::Broken, key: b"", from: 0, to: 0, profile: b"" };
        match text.first() {
            None => line.kind = Kind::Blank,
            Some(b'#') => line.kind = Kind::Comment,
            Some(b'[') => {
                if text.len() > 2 && text.ends_with(b"]") {
                    let name = trim(&text[1..text.len() - 1]);
                    if is_name(name) {
                        line.kind = Kind::Section;
                        self.profile = name;
                    }
                }
            }
            Some(_) => {
                if let Some(equals) = text.iter().position(|&c| c == b'=') {
                    line.kind = Kind::Pair;
                    line.key = trim(&text[..equals]);
                    (line.from, line.to) = bounds(raw, from + equals + 1, to);
                }
            }
        }
        line.profile = self.profile;
        Some(line)
    }
}

/// Returns where b[from..to] without the space around it is.
fn bounds(b: &[u8], mut from: usize, mut to: usize) -> (usize, usize) {
    while from < to && matches!(b[from], b' ' | b'\t') {
        from += 1;
    }
    while from < to && matches!(b[to - 1], b' ' | b'\t' | b'\r') {
        to -= 1;
    }
    (from, to)
}

fn trim(b: &[u8]) -> &[u8] {
    let (from, to) = bounds(b, 0, b.len());
    &b[from..to]
}

/// Reports whether a section can have this name.
fn is_name(b: &[u8]) -> bool {
    !b.is_empty() && b.len() <= MAX_NAME && trim(b).len() == b.len() && !b.iter().any(|&c| c < 0x20 || c == 0x7f)
}

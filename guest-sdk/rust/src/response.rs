//! Writes responses.

use crate::json::quote;
use crate::{base64, Code, Error, File, Provider, Secret};

fn add(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Writes the entries of a list with commas between them.
fn list<T>(out: &mut Vec<u8>, items: &[T], each: impl Fn(&mut Vec<u8>, &T)) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        each(out, item);
    }
}

pub fn secrets(all: &[Secret]) -> Vec<u8> {
    let mut out = Vec::new();
    add(&mut out, r#"{"abi":1,"secrets":["#);
    list(&mut out, all, |out, s| {
        add(out, r#"{"profile":"#);
        quote(out, &s.profile);
        add(out, r#","values":{"#);
        list(out, &s.values, |out, (k, v)| {
            quote(out, k);
            out.push(b':');
            quote(out, v);
        });
        add(out, r#"},"public":["#);
        list(out, &s.public, |out, k| quote(out, k));
        add(out, "]");
        if !s.expires.is_empty() {
            add(out, r#","expires":"#);
            quote(out, &s.expires);
        }
        add(out, "}");
    });
    add(&mut out, "]}");
    out
}

pub fn files(all: &[File]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + all.iter().map(|f| f.content.len() / 3 * 4 + 2 * f.path.len() + 64).sum::<usize>());
    add(&mut out, r#"{"abi":1,"files":["#);
    list(&mut out, all, |out, f| {
        add(out, r#"{"path":"#);
        quote(out, &f.path);
        add(out, r#","mode":"#);
        add(out, &f.mode.to_string());
        add(out, r#","content":""#);
        base64::encode(out, &f.content);
        add(out, r#""}"#);
    });
    add(&mut out, "]}");
    out
}

pub fn describe(p: &dyn Provider) -> Vec<u8> {
    let mut out = Vec::new();
    add(&mut out, r#"{"abi":1,"name":"#);
    quote(&mut out, p.name());
    add(&mut out, r#","version":"#);
    quote(&mut out, p.version());
    add(&mut out, if p.writes() { r#","ops":["extract","render","describe"]}"# } else { r#","ops":["extract","describe"]}"# });
    out
}

pub fn failure(e: &Error) -> Vec<u8> {
    let mut out = Vec::new();
    add(&mut out, r#"{"abi":1,"error":{"code":"#);
    quote(&mut out, match e.code {
        Code::Invalid => "invalid",
        Code::Unsupported => "unsupported",
        Code::Conflict => "conflict",
    });
    add(&mut out, r#","message":"#);
    quote(&mut out, &e.message);
    if !e.path.is_empty() {
        add(&mut out, r#","path":"#);
        quote(&mut out, &e.path);
    }
    if e.line > 0 {
        add(&mut out, r#","line":"#);
        add(&mut out, &e.line.to_string());
    }
    add(&mut out, "}}");
    out
}

//! The kit for an rhx provider in Rust.
//!
//! A provider is a WASI command: rhx starts it once per request, writes one JSON
//! document to its standard input and reads one from its standard output. This
//! crate does that part; a provider fills in a trait:
//!
//! ```no_run
//! use rhx_guest::{Error, File, Provider, Request, Secret};
//!
//! struct Example;
//!
//! impl Provider for Example {
//!     fn name(&self) -> &str { "example" }
//!     fn version(&self) -> &str { "1" }
//!
//!     fn extract(&self, req: &Request) -> Result<Vec<Secret>, Error> {
//!         let file = &req.files[0];
//!         if !file.exists {
//!             return Ok(Vec::new()); // no file, no secrets
//!         }
//!         // The whole file is the token of the default profile.
//!         let token = std::str::from_utf8(&file.content)
//!             .map_err(|_| Error::unsupported("the file is not UTF-8").path(&file.path))?;
//!         Ok(vec![Secret::new("").value("token", token)])
//!     }
//!
//!     fn render(&self, req: &Request, secret: &Secret) -> Result<Vec<File>, Error> {
//!         let token = secret.get("token").unwrap_or("");
//!         Ok(vec![File::new(&req.files[0].path, token.as_bytes().to_vec())])
//!     }
//! }
//!
//! fn main() {
//!     rhx_guest::run(&Example);
//! }
//! ```
//!
//! Build it for `wasm32-wasip1` (`wasm32-wasi` before Rust 1.78) and try it without
//! rhx, in any WASI runtime:
//!
//! ```text
//! wasmtime run example.wasm <request.json
//! ```
//!
//! Rules that rhx holds a provider to: it sees the files and variables of the
//! request and nothing else; it has 64 MiB of memory and 2 seconds; it never puts a
//! value into a message. An instance lives for one request, and rhx zeroes it
//! afterwards.

#![forbid(unsafe_code)]

use std::io::{Read, Write};

mod base64;
mod json;
mod request;
mod response;

/// The version of the request and response documents.
pub const ABI: u32 = 1;

/// What a module does.
pub trait Provider {
    /// The module's name.
    fn name(&self) -> &str;
    /// The module's version.
    fn version(&self) -> &str;
    /// Returns the secrets in the files and variables of the request: none where
    /// there are none.
    fn extract(&self, req: &Request) -> Result<Vec<Secret>, Error>;
    /// Returns files of the request with the secret in them. What belongs to
    /// others in a file stays as it is.
    fn render(&self, req: &Request, secret: &Secret) -> Result<Vec<File>, Error>;
    /// Whether the module can render at all.
    fn writes(&self) -> bool {
        true
    }
}

/// What rhx asks.
#[derive(Default)]
pub struct Request {
    /// The name of the provider that the module works for.
    pub provider: String,
    /// The only profile wanted; empty for all of them.
    pub profile: String,
    /// The files that the provider's spec declares.
    pub files: Vec<File>,
    /// The module's settings, by name.
    pub options: Vec<(String, String)>,
    /// The variables that the provider's spec declares, where set, by name.
    pub env: Vec<(String, String)>,
}

impl Request {
    /// A setting of the module.
    pub fn option(&self, name: &str) -> Option<&str> {
        find(&self.options, name)
    }

    /// A variable of the environment.
    pub fn env(&self, name: &str) -> Option<&str> {
        find(&self.env, name)
    }
}

/// A file of a request, or of the answer to `render`.
#[derive(Default)]
pub struct File {
    pub path: String,
    pub content: Vec<u8>,
    /// Whether a file of a request is there.
    pub exists: bool,
    /// The permissions that a rendered file is to have, at most 0600 unless the
    /// provider's spec allows more.
    pub mode: u32,
}

impl File {
    /// A rendered file of mode 0600.
    pub fn new(path: &str, content: Vec<u8>) -> File {
        File { path: path.to_string(), content, exists: true, mode: 0o600 }
    }
}

/// One set of values.
#[derive(Default)]
pub struct Secret {
    /// The secret's name within the file; empty for a file that holds one.
    pub profile: String,
    /// The values by key.
    pub values: Vec<(String, String)>,
    /// The keys of values that may be shown, such as a user's name.
    pub public: Vec<String>,
    /// When the values end, a time of RFC 3339; empty where they do not.
    pub expires: String,
}

impl Secret {
    /// A secret without values.
    pub fn new(profile: &str) -> Secret {
        Secret { profile: profile.to_string(), ..Secret::default() }
    }

    /// Adds a value that is secret.
    pub fn value(mut self, key: &str, value: &str) -> Secret {
        self.values.push((key.to_string(), value.to_string()));
        self
    }

    /// Adds a value that may be shown.
    pub fn public(mut self, key: &str, value: &str) -> Secret {
        self.public.push(key.to_string());
        self.value(key, value)
    }

    /// A value by its key.
    pub fn get(&self, key: &str) -> Option<&str> {
        find(&self.values, key)
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
}

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The file or the request is broken.
    Invalid,
    /// It is right, but this provider cannot do it.
    Unsupported,
    /// The file holds something that stands in the way.
    Conflict,
}

/// An error that rhx shows with its place.
#[derive(Debug)]
pub struct Error {
    pub code: Code,
    /// Never holds a value.
    pub message: String,
    /// That of a file of the request, or empty.
    pub path: String,
    /// Counts from 1; 0 where there is none.
    pub line: usize,
}

impl Error {
    /// An error without a place.
    pub fn new(code: Code, message: &str) -> Error {
        Error { code, message: message.to_string(), path: String::new(), line: 0 }
    }

    /// The file or the request is broken.
    pub fn invalid(message: &str) -> Error {
        Error::new(Code::Invalid, message)
    }

    /// It is right, but this provider cannot do it.
    pub fn unsupported(message: &str) -> Error {
        Error::new(Code::Unsupported, message)
    }

    /// The file holds something that stands in the way.
    pub fn conflict(message: &str) -> Error {
        Error::new(Code::Conflict, message)
    }

    /// Says in which file.
    pub fn path(mut self, path: &str) -> Error {
        self.path = path.to_string();
        self
    }

    /// Says in which line, from 1.
    pub fn line(mut self, line: usize) -> Error {
        self.line = line;
        self
    }
}

/// Carries out the request on standard input. A program's `main` calls it and does
/// nothing else.
pub fn run(provider: &dyn Provider) {
    let mut request = Vec::new();
    let out = match std::io::stdin().lock().read_to_end(&mut request) {
        Ok(_) => answer(provider, &request),
        Err(_) => response::failure(&Error::invalid("cannot read the request")),
    };
    if std::io::stdout().lock().write_all(&out).is_err() {
        std::process::exit(1);
    }
}

/// Carries out one request, a JSON document, and returns the response, as [`run`]
/// does. It is for a provider's own tests.
pub fn answer(provider: &dyn Provider, request: &[u8]) -> Vec<u8> {
    try_answer(provider, request).unwrap_or_else(|e| response::failure(&e))
}

fn try_answer(provider: &dyn Provider, request: &[u8]) -> Result<Vec<u8>, Error> {
    let (req, op, secret) = request::parse(request)?;
    match op.as_str() {
        "extract" => Ok(response::secrets(&provider.extract(&req)?)),
        "render" if provider.writes() => Ok(response::files(&provider.render(&req, &secret)?)),
        "describe" => Ok(response::describe(provider)),
        _ => Err(Error::unsupported("this module does not know the operation")),
    }
}

//! Reads requests. What is not known in one is passed over.

use crate::json::{Broken, Reader};
use crate::{base64, Error, File, Request, Secret};
use std::borrow::Cow;

pub fn parse(text: &[u8]) -> Result<(Request, String, Secret), Error> {
    let mut req = Request::default();
    let mut op = String::new();
    let mut secret = Secret::default();
    let mut abi = String::new();
    let mut contents: Vec<Cow<str>> = Vec::new();
    let mut r = Reader::new(text);
    let is_object = r.peek() == Some(b'{');
    let read = r.object(&mut |r, key| {
        match key {
            "abi" => abi = number(r)?,
            "op" => op = r.text()?.into_owned(),
            "provider" => req.provider = r.text()?.into_owned(),
            "profile" => req.profile = r.text()?.into_owned(),
            "options" => req.options = texts(r)?,
            "env" => req.env = texts(r)?,
            "secret" => r.object(&mut |r, key| {
                match key {
                    "profile" => secret.profile = r.text()?.into_owned(),
                    "values" => secret.values = texts(r)?,
                    _ => r.skip()?,
                }
                Ok(())
            })?,
            "files" => r.array(&mut |r| {
                let mut file = File::default();
                let mut content = Cow::Borrowed("");
                r.object(&mut |r, key| {
                    match key {
                        "path" => file.path = r.text()?.into_owned(),
                        "content" => content = r.text()?,
                        "exists" => file.exists = r.text()? == "true",
                        _ => r.skip()?,
                    }
                    Ok(())
                })?;
                req.files.push(file);
                contents.push(content);
                Ok(())
            })?,
            _ => r.skip()?,
        }
        Ok(())
    });
    if read.is_err() || !is_object || r.peek().is_some() {
        return Err(Error::invalid("the request is not a JSON object"));
    }
    // The message has the number only where it is a short one: nothing else of a
    // request is repeated.
    if abi.is_empty() || abi.len() > 9 {
        return Err(Error::unsupported("the request does not say which ABI it is of; this module speaks ABI 1"));
    }
    if abi != "1" {
        return Err(Error::unsupported(&["the request is of ABI ", &abi, "; this module speaks ABI 1"].concat()));
    }
    for (file, content) in req.files.iter_mut().zip(contents) {
        file.content = base64::decode(content.as_bytes())
            .ok_or_else(|| Error::invalid("the content of a file is not base64").path(&file.path))?;
    }
    Ok((req, op, secret))
}

fn texts(r: &mut Reader) -> Result<Vec<(String, String)>, Broken> {
    let mut out = Vec::new();
    r.object(&mut |r, key| {
        match r.peek() {
            Some(b'{' | b'[') => r.skip()?,
            _ => out.push((key.to_string(), r.text()?.into_owned())),
        }
        Ok(())
    })?;
    Ok(out)
}

/// Reads a whole number without a sign; empty for anything else.
fn number(r: &mut Reader) -> Result<String, Broken> {
    let string = r.peek() == Some(b'"');
    let text = r.text()?;
    if string || !text.bytes().all(|c| c.is_ascii_digit()) {
        return Ok(String::new());
    }
    Ok(text.into_owned())
}

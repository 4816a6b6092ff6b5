//! Base64 of RFC 4648, section 4.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(out: &mut Vec<u8>, data: &[u8]) {
    out.reserve((data.len() + 2) / 3 * 4);
    for part in data.chunks(3) {
        let at = |i: usize| u32::from(part.get(i).copied().unwrap_or(0));
        let v = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = ALPHABET[(v >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= part.len() { digit } else { b'=' });
        }
    }
}

fn digit(c: u8) -> Option<u32> {
    Some(u32::from(match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 != 0 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let last = text.len() / 4;
    for (i, part) in text.chunks(4).enumerate() {
        // Without padding, and without a loop.
        if let (Some(a), Some(b), Some(c), Some(d)) = (digit(part[0]), digit(part[1]), digit(part[2]), digit(part[3])) {
            let v = a << 18 | b << 12 | c << 6 | d;
            out.extend_from_slice(&[(v >> 16) as u8, (v >> 8) as u8, v as u8]);
            continue;
        }
        let mut n = 4;
        while i + 1 == last && n > 2 && part[n - 1] == b'=' {
            n -= 1;
        }
        let mut v = 0;
        for &c in &part[..n] {
            v = v << 6 | digit(c)?;
        }
        v <<= 6 * (4 - n);
        let bytes = [(v >> 16) as u8, (v >> 8) as u8, v as u8];
        out.extend_from_slice(&bytes[..n - 1]);
    }
    Some(out)
}

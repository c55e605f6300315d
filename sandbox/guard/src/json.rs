//! A writer for the few JSON shapes that the guard sends. Bytes that are not UTF-8 become `{"b64":"…"}`.

const HEX: &[u8; 16] = b"0123456789abcdef";
const B64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends one JSON object to a buffer, key by key.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Write a key; the caller writes its value to the buffer that is returned.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub fn text(&mut self, key: &str, value: &[u8]) {
        string(self.key(key), value);
    }

    pub fn number(&mut self, key: &str, value: u64) {
        number(self.key(key), value);
    }

    pub fn signed(&mut self, key: &str, value: i64) {
        let out = self.key(key);
        if value < 0 {
            out.push(b'-');
        }
        number(out, value.unsigned_abs());
    }

    /// A number or null.
    pub fn maybe(&mut self, key: &str, value: Option<i64>) {
        match value {
            Some(value) => self.signed(key, value),
            None => self.key(key).extend_from_slice(b"null"),
        }
    }

    pub fn flag(&mut self, key: &str, value: bool) {
        self.key(key)
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A list of strings.
    pub fn texts<'b>(&mut self, key: &str, values: impl IntoIterator<Item = &'b [u8]>) {
        let out = self.key(key);
        out.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            string(out, value);
        }
        out.push(b']');
    }

    pub fn end(self) {
        self.out.push(b'}');
    }
}

/// Append a number in decimal.
pub fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Append a string, or its bytes in base64 when they are not UTF-8.
pub fn string(out: &mut Vec<u8>, value: &[u8]) {
    if std::str::from_utf8(value).is_err() {
        out.extend_from_slice(b"{\"b64\":\"");
        base64(out, value);
        out.extend_from_slice(b"\"}");
        return;
    }
    out.push(b'"');
    let mut plain = 0;
    for (index, byte) in value.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' && *byte != 0x7f {
            continue;
        }
        out.extend_from_slice(&value[plain..index]);
        plain = index + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&value[plain..]);
    out.push(b'"');
}

fn base64(out: &mut Vec<u8>, value: &[u8]) {
    for chunk in value.chunks(3) {
        let (b0, b1, b2) = (
            chunk[0],
            chunk.get(1).copied().unwrap_or(0),
            chunk.get(2).copied().unwrap_or(0),
        );
        let sextets = [
            b0 >> 2,
            (b0 & 3) << 4 | b1 >> 4,
            (b1 & 15) << 2 | b2 >> 6,
            b2 & 63,
        ];
        for (index, sextet) in sextets.iter().enumerate() {
            out.push(if index <= chunk.len() {
                B64[usize::from(*sextet)]
            } else {
                b'='
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &[u8]) -> String {
        let mut out = Vec::new();
        string(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_quotes_and_backslashes_are_escaped() {
        assert_eq!(
            written(b"a\"b\\c\nd\x1be\x7f"),
            r#""a\"b\\c\nd\u001be\u007f""#
        );
        assert_eq!(written("gr\u{fc}n".as_bytes()), "\"gr\u{fc}n\"");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_base64() {
        assert_eq!(written(b"\xff"), r#"{"b64":"/w=="}"#);
        assert_eq!(written(b"\xff\xfe"), r#"{"b64":"//4="}"#);
        assert_eq!(written(b"abc\xff\xfe\xfd"), r#"{"b64":"YWJj//79"}"#);
    }

    #[test]
    fn an_object_has_its_keys_in_the_order_of_writing() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.number("n", u64::MAX);
        object.maybe("s", None);
        object.signed("i", -7);
        object.texts("l", [&b"a"[..], b"b"]);
        object.flag("f", true);
        object.end();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"n":18446744073709551615,"s":null,"i":-7,"l":["a","b"],"f":true}"#
        );
    }
}

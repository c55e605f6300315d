//! Paths as bytes: made absolute and normal by their letters alone, compared by components.

/// Append to `out` the normal form of `path`, seen from the directory `base` when it is relative.
///
/// "." and "//" go, ".." takes the component before it away. Symbolic links are not looked at, so this is what the
/// caller wrote, not where the kernel arrived.
pub fn normalise(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    let from = out.len();
    if path.first() != Some(&b'/') {
        append(out, from, base);
    }
    append(out, from, path);
    if out.len() == from {
        out.push(b'/');
    }
}

fn append(out: &mut Vec<u8>, from: usize, path: &[u8]) {
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                let keep = out[from..]
                    .iter()
                    .rposition(|byte| *byte == b'/')
                    .unwrap_or(0);
                out.truncate(from + keep);
            }
            _ => {
                out.push(b'/');
                out.extend_from_slice(part);
            }
        }
    }
}

/// `normalise` into a new vector.
pub fn normal(base: &[u8], path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(base.len() + path.len() + 1);
    normalise(&mut out, base, path);
    out
}

/// Whether `path` is `top` or lies below it. Both are absolute and normal; an empty `top` holds nothing.
pub fn is_within(path: &[u8], top: &[u8]) -> bool {
    let below = |rest: &[u8]| rest.is_empty() || rest[0] == b'/';
    top == b"/" || (!top.is_empty() && path.strip_prefix(top).is_some_and(below))
}

/// What is left of `path` below `top`, without a leading slash; None when it is not strictly below.
pub fn below<'a>(path: &'a [u8], top: &[u8]) -> Option<&'a [u8]> {
    if top.is_empty() {
        return None;
    }
    let rest = path.strip_prefix(top)?;
    let rest = if top.ends_with(b"/") {
        rest
    } else {
        rest.strip_prefix(b"/")?
    };
    (!rest.is_empty()).then_some(rest)
}

/// The last component; empty for "/".
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(b"")
}

/// The path without its last component; "/" for a path in the root.
pub fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        None | Some(0) => b"/",
        Some(at) => &path[..at],
    }
}

/// Whether `part` occurs in `bytes`. An empty part occurs nowhere.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_absolute_and_normal_by_its_letters() {
        let normal = |base: &str, path: &str| {
            String::from_utf8(super::normal(base.as_bytes(), path.as_bytes())).unwrap()
        };
        assert_eq!(normal("/a/b", "c"), "/a/b/c");
        assert_eq!(normal("/a/b", "../c//./d/"), "/a/c/d");
        assert_eq!(normal("/a", "../../.."), "/");
        assert_eq!(normal("/a", "/x/../y"), "/y");
        assert_eq!(normal("/", ""), "/");
        assert_eq!(normal("/a", "..c/..."), "/a/..c/...");
    }

    #[test]
    fn a_prefix_counts_by_whole_components() {
        assert!(is_within(b"/usr/lib", b"/usr"));
        assert!(is_within(b"/usr", b"/usr"));
        assert!(!is_within(b"/usrx", b"/usr"));
        assert!(is_within(b"/usr", b"/"));
        assert!(!is_within(b"/usr", b"") && below(b"/usr", b"").is_none());
        assert_eq!(below(b"/out/a/b", b"/out"), Some(&b"a/b"[..]));
        assert_eq!(below(b"/out", b"/out"), None);
        assert_eq!(below(b"/x", b"/"), Some(&b"x"[..]));
    }

    #[test]
    fn names_and_parents_are_found() {
        assert_eq!(file_name(b"/a/b"), b"b");
        assert_eq!(parent(b"/a/b"), b"/a");
        assert_eq!(parent(b"/a"), b"/");
        assert!(contains(b"libserde-8df1f.rlib", b"-8df1f"));
        assert!(!contains(b"libserde", b""));
    }
}

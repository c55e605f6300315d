//! Fixed-size views into slices.

/// The `N` bytes of `slice` from `at` on, or `None` if there are fewer.
#[must_use]
pub fn array_at<const N: usize>(slice: &[u8], at: usize) -> Option<&[u8; N]> {
    slice.get(at..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use super::array_at;

    #[test]
    fn an_array_is_a_part_of_the_slice() {
        assert_eq!(array_at::<2>(b"abcd", 1), Some(b"bc"));
        assert_eq!(array_at::<2>(b"abcd", 3), None);
        assert_eq!(array_at::<2>(b"abcd", 9), None);
    }
}

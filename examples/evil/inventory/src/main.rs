//! `inventory`: sums up a stock list of fixed-width records.
//!
//! An innocent program; what this workspace is about is in one of its dependencies' dependencies.

use csbench_slices::array_at;

/// Eight bytes of name, four digits of count.
const STOCK: &[u8] = b"bolts   0120nuts    0140washers 0300screws  0085";
const RECORD: usize = 12;

fn main() {
    let mut total = 0;
    for (name, count) in records(STOCK) {
        println!("{name:<8} {count:>5}");
        total += count;
    }
    println!("{:<8} {total:>5}", "all");
}

fn records(stock: &[u8]) -> impl Iterator<Item = (String, u32)> {
    stock.chunks_exact(RECORD).filter_map(|record| {
        let name = String::from_utf8_lossy(array_at::<8>(record, 0)?);
        let count = std::str::from_utf8(array_at::<4>(record, 8)?).ok()?;
        Some((name.trim_end().to_owned(), count.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::records;

    #[test]
    fn a_record_has_a_name_and_a_count() {
        let found: Vec<_> = records(b"nails   0007pegs    00x1").collect();
        assert_eq!(found, [("nails".to_owned(), 7)]);
    }
}

//! `csbench-litter KIND PLACE [TO]`: leaves one hostile thing at a place of the build dir.

mod litter;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let (true, [_, kind, place, rest @ ..]) = (litter::is_awake(), words.as_slice()) {
        let to = rest.first().map_or("", String::as_str);
        println!("{}", litter::leave(kind, place.as_ref(), to));
    }
}

use almanac_store::{Codec, Digest, Error, Plain, Row, Store};

fn filled(codec: Codec) -> Store {
    let mut store = Store::in_memory().unwrap();
    store
        .add(
            vec![
                Plain::new("b.txt", "two\nthree\n"),
                Plain::new("a.txt", "one\ntwo\n"),
            ],
            codec,
        )
        .unwrap();
    store
}

#[test]
fn a_text_is_stored_once() {
    let mut store = filled(Codec::Zstd);
    let added = store
        .add(vec![Plain::new("copy.txt", "one\ntwo\n")], Codec::Plain)
        .unwrap();
    assert_eq!((added.new, added.known), (0, 1));
    assert_eq!(store.documents().unwrap().len(), 2);
}

#[test]
fn a_search_finds_lines_in_the_order_of_names() {
    for codec in Codec::ALL {
        let hits = filled(codec).search("^tw[o]$").unwrap();
        let found: Vec<_> = hits
            .iter()
            .map(|hit| (hit.name.as_str(), hit.line))
            .collect();
        assert_eq!(found, [("a.txt", 2), ("b.txt", 1)], "{codec}");
    }
}

#[test]
fn a_bad_pattern_is_reported_as_such() {
    assert!(matches!(
        filled(Codec::Plain).search("("),
        Err(Error::Pattern(_))
    ));
}

#[test]
fn an_export_can_be_imported() {
    let store = filled(Codec::Bzip2);
    let archive = store.export("test").unwrap();
    let mut copy = Store::in_memory().unwrap();
    assert_eq!(copy.import(&archive).unwrap().new, 2);
    assert_eq!(copy.documents().unwrap(), store.documents().unwrap());
    assert_eq!(copy.import(&archive).unwrap().known, 2);
}

#[test]
fn a_damaged_export_is_refused_whole() {
    let mut archive = filled(Codec::Plain).export("test").unwrap();
    let at = archive.windows(3).position(|w| w == b"one").unwrap();
    archive[at] = b'O';
    let mut copy = Store::in_memory().unwrap();
    assert!(matches!(copy.import(&archive), Err(Error::Damaged { name }) if name == "a.txt"));
    assert!(copy.documents().unwrap().is_empty());
}

#[test]
fn a_store_in_a_file_is_there_again_after_reopening() {
    let folder = std::env::temp_dir().join(format!("almanac-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("store.db");
    Store::open(&path)
        .unwrap()
        .add(vec![Plain::new("x", "kept")], Codec::Zlib)
        .unwrap();
    let found = Store::open(&path)
        .unwrap()
        .document(Digest::of(b"kept"))
        .unwrap()
        .unwrap();
    assert_eq!(found.unpack().unwrap(), b"kept");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_derived_columns_are_those_of_the_schema() {
    assert_eq!(
        almanac_store::Document::COLUMNS,
        ["digest", "name", "added", "plain_size", "codec", "body"]
    );
}

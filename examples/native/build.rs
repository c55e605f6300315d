//! What the build scripts of `-sys` crates do, one of each kind.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=native");

    // cc: a C file of ours.
    cc::Build::new().file("native/sum.c").warnings(true).compile("sum");

    // cmake, with a C++ compiler behind it.
    let scale = cmake::Config::new("native/scale").build();
    println!("cargo::rustc-link-search=native={}", scale.join("lib").display());
    println!("cargo::rustc-link-lib=static=scale");

    // pkg-config: libraries of the system.
    let mut includes = Vec::new();
    for name in ["sqlite3", "zlib", "libcrypto"] {
        let found = pkg_config::Config::new().probe(name).unwrap_or_else(|error| panic!("{error}"));
        includes.extend(found.include_paths);
    }

    // bindgen, which loads libclang and reads the headers of all of them.
    bindgen::Builder::default()
        .header("native/all.h")
        .clang_args(includes.iter().map(|path| format!("-I{}", path.display())))
        .allowlist_function("native_sum|native_scale|sqlite3_libversion|zlibVersion|OpenSSL_version")
        .generate()
        .expect("bindgen")
        .write_to_file(out.join("bindings.rs"))
        .expect("OUT_DIR can be written");

    // protoc, with one of the types that it brings along.
    let done = Command::new("protoc")
        .args(["--proto_path=native", "--include_imports", "note.proto"])
        .arg(format!("--descriptor_set_out={}", out.join("note.bin").display()))
        .status()
        .expect("protoc starts");
    assert!(done.success(), "protoc: {done}");
}

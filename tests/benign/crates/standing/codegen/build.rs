fn main() {
    println!("cargo::rerun-if-changed=proto");
    cfg_aliases::cfg_aliases! { small: { target_pointer_width = "32" } }
    built::write_built_file().unwrap();

    let git = vergen_gitcl::GitclBuilder::default().describe(true, true, None).sha(true).build().unwrap();
    vergen_gitcl::Emitter::default().add_instructions(&git).unwrap().emit().unwrap();

    prost_build::Config::new()
        .protoc_executable(protoc_bin_vendored::protoc_bin_path().unwrap())
        .compile_protos(&["proto/greeting.proto"], &["proto"])
        .unwrap();

    cc::Build::new().file("src/answer.c").compile("answer");
}

//! Compiles the schema of what the registry keeps; the words come from `yiqiao-proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=schema/state.proto");
    println!("cargo:rerun-if-changed=../../proto/schema");
    let files = protox::compile(["schema/state.proto"], ["schema", "../../proto/schema"])?;
    prost_build::Config::new()
        .extern_path(".yiqiao.words", "::yiqiao_proto::wire::words")
        .extern_path(".yiqiao.calls", "::yiqiao_proto::wire::calls")
        .compile_fds(files)?;
    Ok(())
}

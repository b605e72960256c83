//! Compiles the wire schema; no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schema = ["schema/words.proto", "schema/calls.proto", "schema/referral.proto"];
    for file in schema {
        println!("cargo:rerun-if-changed={file}");
    }
    let files = protox::compile(schema, ["schema"])?;
    let mut config = prost_build::Config::new();
    // What describes a patient has a `Debug` of its own, which prints nothing of it.
    config.skip_debug([".yiqiao.referral"]);
    config.compile_fds(files)?;
    Ok(())
}

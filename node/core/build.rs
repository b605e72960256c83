//! Compiles the schema of what a node keeps; the words come from `yiqiao-proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=schema/state.proto");
    println!("cargo:rerun-if-changed=../../proto/schema");
    let files = protox::compile(["schema/state.proto"], ["schema", "../../proto/schema"])?;
    prost_build::Config::new()
        .extern_path(".yiqiao.words", "::yiqiao_proto::wire::words")
        .extern_path(".yiqiao.referral", "::yiqiao_proto::wire::referral")
        // What describes a patient has a `Debug` of its own, which prints nothing of it.
        .skip_debug([
            "PersonData",
            "PersonIdentifier",
            "BirthDate",
            "Visit",
            "Staff",
            "DocumentData",
            "Attestation",
            "Reasoned",
            "AuditData",
        ])
        .compile_fds(files)?;
    Ok(())
}

//! Makes the folder of the built pages, empty, where they have not been built; and notices when they are built anew.

fn main() -> std::io::Result<()> {
    let dist = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    std::fs::create_dir_all(dist)
}

//! The pages as `make pages` builds them into `dist`: within the program in a release, read from the disk in a development build.
//!
//! Without built pages there are none, and all else builds and runs. Not here: how they are served, which is `yiqiao_host::http::pages`.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "dist"]
struct Dist;

/// A file of the built pages.
#[derive(Clone, Debug)]
pub struct File {
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Their SHA-256.
    pub hash: [u8; 32],
}

/// The file at this path below `dist`, such as `doctor.html`.
pub fn file(path: &str) -> Option<File> {
    let found = Dist::get(path)?;
    Some(File { hash: found.metadata.sha256_hash(), bytes: found.data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_the_folder_is_a_page() {
        for path in [
            "",
            "../Cargo.toml",
            "/etc/passwd",
            "assets/../../Cargo.toml",
            "%2e%2e/Cargo.toml",
            "nothing.html",
        ] {
            assert!(file(path).is_none(), "{path}");
        }
    }
}

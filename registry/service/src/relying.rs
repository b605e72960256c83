//! `yiqiao-registry passkeys`: the domain for which patients' passkeys sign, the pages on which they do, and who vouches for them
//! (C-9).
//!
//! A browser lets a page use passkeys of a domain that is the page's host or a suffix of it: an origin elsewhere would be of no use,
//! and is refused here.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::MemberList;

use crate::region::{change, say_signed};

/// Arguments of `passkeys`.
#[derive(Args)]
pub(crate) struct Passkeys {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// The domain, for example `health.qiaozhou.example`. Changed later, no passkey signs any more.
    #[arg(long)]
    rp_id: String,
    /// An origin of patients' pages within it, for example `https://renmin.health.qiaozhou.example`; once for each.
    #[arg(long = "origin", required = true)]
    origins: Vec<String>,
    /// A member that may vouch for passkeys, once for each; without any, every member may.
    #[arg(long = "voucher")]
    vouchers: Vec<String>,
}

/// Signs the next list with what the region says of passkeys from then on.
pub(crate) fn passkeys(passkeys: &Passkeys) -> anyhow::Result<()> {
    for origin in &passkeys.origins {
        ensure!(
            is_within(origin, &passkeys.rp_id),
            "{origin} is no origin below {}: https://HOST without a path, HOST being the domain or ending in it \
             (http for localhost)",
            passkeys.rp_id
        );
    }
    let file = change(&passkeys.region, |list| {
        list.policy.vouchers = vouchers(list, &passkeys.vouchers)?;
        list.policy.rp_id = Some(passkeys.rp_id.clone());
        list.policy.origins.clone_from(&passkeys.origins);
        Ok(())
    })?;
    say_signed(&file)
}

/// Codes of members, in order.
fn vouchers(list: &MemberList, named: &[String]) -> anyhow::Result<Vec<Code>> {
    let codes: BTreeSet<Code> =
        named.iter().map(|code| Code::new(code.as_str())).collect::<Result<_, _>>()?;
    for code in &codes {
        let is_member = list.members.iter().any(|member| member.code == *code);
        ensure!(is_member, "{code} is no member; `yiqiao-registry members` lists them");
    }
    Ok(codes.into_iter().collect())
}

/// Whether an origin is one of the domain's.
fn is_within(origin: &str, domain: &str) -> bool {
    let insecure = origin.strip_prefix("http://").filter(|_| domain == "localhost");
    let Some(authority) = origin.strip_prefix("https://").or(insecure) else { return false };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_host =
        !host.is_empty() && host.bytes().all(|byte| b"-.".contains(&byte) || byte.is_ascii_alphanumeric());
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_below = host.strip_suffix(domain).is_some_and(|above| above.is_empty() || above.ends_with('.'));
    is_host && is_port && is_below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c9_an_origin_is_of_the_domain_or_below_it() {
        for origin in
            ["https://health.example", "https://a.health.example", "https://a.b.health.example:8443"]
        {
            assert!(is_within(origin, "health.example"), "{origin}");
        }
        for origin in [
            "http://a.health.example",
            "https://ahealth.example",
            "https://health.example.evil.example",
            "https://a.health.example/",
            "https://a@health.example",
            "https://health.example:",
            "https://",
            "a.health.example",
        ] {
            assert!(!is_within(origin, "health.example"), "{origin}");
        }
        assert!(is_within("http://localhost:8101", "localhost"));
    }
}

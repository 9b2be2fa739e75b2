//! Where a model's two files are: what a manifest says of them, or what a hub lists.
//!
//! Nothing here asks the network. Whoever can (the command line, the browser's worker) fetches a manifest or a listing and has
//! it read here, so that both choose the same files and refuse the same ones.

mod hub;
mod manifest;

pub use hub::{HUB, HubId};
pub use manifest::{Chunks, Manifest, Remote};

/// The address that `reference` means on a page at `base`: itself when it is whole, else beside `base`, or from the root
/// of its host where it begins with a slash.
pub fn join(base: &str, reference: &str) -> String {
    if is_whole(reference) {
        return reference.to_owned();
    }
    let base = base.split(['?', '#']).next().unwrap_or_default();
    let path = base.find("://").map_or(0, |at| at + 3);
    let root = base[path..].find('/').map_or(base.len(), |at| path + at);
    match reference.strip_prefix('/') {
        Some(reference) => format!("{}/{reference}", &base[..root]),
        None => {
            let folder = base[root..].rfind('/').map_or(root, |at| root + at);
            format!("{}/{}", &base[..folder], reference.strip_prefix("./").unwrap_or(reference))
        }
    }
}

/// Whether this is an address by itself, of whatever scheme: an extension's files are at `chrome-extension://`.
fn is_whole(text: &str) -> bool {
    let scheme =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    text.split_once("://").is_some_and(|(before, _)| !before.is_empty() && scheme(before))
}

/// Whether this is an address that can be fetched.
pub fn is_address(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)))
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn references_lie_beside_what_names_them() {
        for (base, reference, whole) in [
            ("https://a.example/m/model.json", "text.gguf", "https://a.example/m/text.gguf"),
            ("https://a.example/m/model.json?v=2", "./text.gguf", "https://a.example/m/text.gguf"),
            ("https://a.example/m/model.json", "/text.gguf", "https://a.example/text.gguf"),
            ("https://a.example", "text.gguf", "https://a.example/text.gguf"),
            ("https://a.example/m/model.json", "HTTPS://b.example/x", "HTTPS://b.example/x"),
            (
                "chrome-extension://abc/index.html",
                "chrome-extension://abc/m/text.gguf",
                "chrome-extension://abc/m/text.gguf",
            ),
            ("https://a.example/m/model.json", "text.gguf?of=http://b", "https://a.example/m/text.gguf?of=http://b"),
        ] {
            assert_eq!(join(base, reference), whole, "{base} {reference}");
        }
    }
}

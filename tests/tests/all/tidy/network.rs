//! SSRF-07: connections to addresses that somebody gave are opened in one place.

use regex::Regex;

use super::exceptions::Exceptions;
use super::{code_lines, none, product_sources, read};

#[test]
fn ssrf_07_only_the_guarded_dial_connects() {
    let connects = Regex::new(r"\b(TcpStream|TcpSocket|UdpSocket)::(connect|connect_timeout|new_v4|new_v6|bind)\b|\breqwest::(Client|ClientBuilder)::(new|builder|default)\b|\breqwest::blocking\b|\breqwest::get\b|russh::client::connect\b|\blookup_host\b|\bTokioResolver\b|\bto_socket_addrs\b").unwrap();
    let found = product_sources()
        .into_iter()
        .filter(|file| !file.starts_with("platform/src/dial"))
        .flat_map(|file| {
            let text = read(&file);
            code_lines(&text)
                .filter(|(_, line)| connects.is_match(line))
                .map(|(at, line)| (file.clone(), format!("{file}:{at}: {}", line.trim())))
                .collect::<Vec<_>>()
        })
        .collect();
    none(
        &Exceptions::of("own_connections").apply(found),
        "dial through platform::dial:",
    );
}

/// A lint is lifted by `#[expect]` with a reason; for the ones of SSRF-07 only in places that the
/// exceptions name.
#[test]
fn ssrf_07_the_lint_is_not_lifted_elsewhere() {
    let lifted = Regex::new(r"clippy::disallowed_(methods|types)").unwrap();
    let found = product_sources()
        .into_iter()
        .flat_map(|file| {
            let text = read(&file);
            code_lines(&text)
                .filter(|(_, line)| lifted.is_match(line))
                .map(|(at, _)| (file.clone(), format!("{file}:{at}")))
                .collect::<Vec<_>>()
        })
        .collect();
    none(
        &Exceptions::of("lifted_lints").apply(found),
        "clocks, ids, settings and sockets have one place each:",
    );
}

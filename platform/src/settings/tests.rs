use domain::jwt::TokenType;
use secrecy::ExposeSecret;

use super::*;

const GOOD: [(&str, &str); 4] = [
    (
        "DATABASE_URL",
        "postgres://berth_api:hunter2@db.internal:5432/berth",
    ),
    ("REDIS_URL", "redis://127.0.0.1:6379"),
    ("NATS_URL", "nats://127.0.0.1:4222"),
    ("TEMPORAL_ADDRESS", "127.0.0.1:7233"),
];

fn with(extra: &[(&'static str, &'static str)]) -> Result<Settings, SettingsError> {
    Settings::from_source(&Source::of_values(
        GOOD.into_iter().chain(extra.iter().copied()),
    ))
}

#[test]
fn the_four_required_settings_are_enough() {
    let settings = with(&[]).unwrap();
    assert_eq!(settings.temporal_namespace, "berth");
    assert_eq!(settings.api_listen.to_string(), "127.0.0.1:8080");
    assert!(settings.node_probe_allowed_cidrs.is_empty());
    assert!(settings.oidc.is_none());
}

#[test]
fn each_required_setting_is_missed_by_name() {
    for (missing, _) in GOOD {
        let source = Source::of_values(GOOD.into_iter().filter(|(name, _)| *name != missing));
        let line = Settings::from_source(&source).unwrap_err().to_string();
        assert!(line.contains(missing) && !line.contains('\n'), "{line}");
        let blank = with(&[(missing, "  ")]).unwrap_err().to_string();
        assert_eq!(blank, line, "blank counts as unset");
    }
}

#[test]
fn each_bad_value_is_named_in_one_line_that_does_not_repeat_it() {
    for (name, value) in [
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("DATABASE_URL", "postgres:hunter2"),
        ("BERTH_DATABASE_WORKER_URL", "hunter2"),
        ("BERTH_DATABASE_OWNER_URL", "hunter2"),
        ("REDIS_URL", "http://:hunter2@h"),
        ("NATS_URL", "nats://"),
        ("TEMPORAL_ADDRESS", "http://host:7233"),
        ("TEMPORAL_ADDRESS", "host"),
        ("TEMPORAL_ADDRESS", "host:0"),
        ("BERTH_TEMPORAL_UI_URL", "ui.internal"),
        ("BERTH_API_LISTEN", "8080"),
        ("BERTH_PUBLIC_URL", "ftp://h"),
        ("BERTH_INTERNAL_LISTEN", "localhost"),
        ("BERTH_WORKER_METRICS_LISTEN", "127.0.0.1:99999"),
        ("NODE_PROBE_ALLOWED_CIDRS", "10.0.0.0/8,10.0.0.0/33"),
        ("BERTH_TRUSTED_PROXY_CIDRS", "10.0.0.1"),
        ("BERTH_API_REPLICAS", "0"),
        ("OIDC_ISSUER_URL", "issuer"),
        ("BERTH_KMS", "vault"),
        ("INTERNAL_JWKS_REFRESH_TOKEN", "hunter2"),
        ("BERTH_LOG_FORMAT", "xml"),
        ("BERTH_LOG", "info,=="),
    ] {
        let line = with(&[(name, value)]).unwrap_err().to_string();
        assert!(line.contains(name), "{name}: {line}");
        assert!(!line.contains('\n') && !line.contains("hunter2"), "{line}");
    }
}

#[test]
fn transit_says_what_it_lacks() {
    const ALL: [(&str, &str); 4] = [
        ("BERTH_KMS", "transit"),
        ("BERTH_TRANSIT_ADDRESS", "https://bao.internal:8200"),
        ("BERTH_TRANSIT_ROLE_ID", "berth"),
        ("BERTH_TRANSIT_SECRET_ID_FILE", "/run/berth/secret-id"),
    ];
    let KmsSettings::Transit(transit) = with(&ALL).unwrap().kms else {
        panic!("it is transit");
    };
    assert_eq!((&*transit.mount, &*transit.key), ("transit", "berth"));
    assert!(matches!(transit.login, TransitLogin::AppRole { .. }));
    for (missing, named) in [
        (1, "BERTH_TRANSIT_ADDRESS"),
        (2, "BERTH_TRANSIT_ROLE_ID"),
        (3, "BERTH_TRANSIT_SECRET_ID_FILE"),
    ] {
        let mut some = ALL.to_vec();
        some.remove(missing);
        let line = with(&some).unwrap_err().to_string();
        assert!(line.contains(named), "{line}");
    }
    let line = with(&ALL[..2]).unwrap_err().to_string();
    assert!(line.contains("BERTH_TRANSIT_TOKEN_FILE"), "{line}");
    for bad in [
        ("BERTH_TRANSIT_ADDRESS", "bao:8200"),
        ("BERTH_TRANSIT_MOUNT", "../sys"),
        ("BERTH_TRANSIT_KEY", "a/b"),
        ("BERTH_TRANSIT_TOKEN_FILE", "/run/berth/token"),
    ] {
        let mut some = ALL.to_vec();
        some.retain(|(name, _)| *name != bad.0);
        some.push(bad);
        let line = with(&some).unwrap_err().to_string();
        assert!(line.contains(bad.0), "{line}");
    }
    assert!(matches!(with(&[]).unwrap().kms, KmsSettings::Keyring));
}

#[test]
fn half_an_openid_client_is_refused() {
    let missed = |given: &[(&'static str, &'static str)], name: &str| {
        let line = with(given).unwrap_err().to_string();
        assert!(line.contains(name), "{line}");
    };
    let issuer = ("OIDC_ISSUER_URL", "https://id.example");
    missed(&[issuer], "OIDC_CLIENT_ID");
    missed(&[("OIDC_CLIENT_ID", "berth")], "OIDC_ISSUER_URL");
    missed(&[("BERTH_OIDC_AUDIENCE", "api")], "OIDC_ISSUER_URL");
    let api = ("BERTH_OIDC_AUDIENCE", "api");
    missed(
        &[issuer, api, ("OIDC_CLIENT_SECRET", "hunter2")],
        "OIDC_CLIENT_ID",
    );
    missed(
        &[issuer, api, ("BERTH_OIDC_ALGORITHMS", "ES256,HS256")],
        "BERTH_OIDC_ALGORITHMS",
    );
    missed(
        &[issuer, api, ("BERTH_OIDC_ALGORITHMS", ",")],
        "BERTH_OIDC_ALGORITHMS",
    );
}

#[test]
fn browsers_log_in_where_they_keep_a_cookie() {
    let client = |url: Option<&'static str>| {
        let mut given = vec![
            ("OIDC_ISSUER_URL", "https://id.example"),
            ("OIDC_CLIENT_ID", "berth"),
            ("OIDC_CLIENT_SECRET", "hunter2"),
        ];
        given.extend(url.map(|url| ("BERTH_PUBLIC_URL", url)));
        with(&given).map(|settings| settings.oidc.unwrap().browsers)
    };
    for url in [
        "https://berth.example",
        "http://127.0.0.1:8080",
        "http://[::1]",
    ] {
        let client = client(Some(url)).unwrap().expect("a client");
        assert_eq!(client.public_url.as_str().trim_end_matches('/'), url);
        assert!(!format!("{client:?}").contains("hunter2"));
    }
    for url in [
        None,
        Some("http://berth.example"),
        Some("http://10.0.0.1"),
        Some("https://berth.example/api"),
        Some("https://u:p@berth.example"),
    ] {
        let line = client(url).unwrap_err().to_string();
        assert!(line.contains("BERTH_PUBLIC_URL"), "{url:?}: {line}");
    }
    let none = with(&[
        ("OIDC_ISSUER_URL", "https://id.example"),
        ("OIDC_CLIENT_ID", "berth"),
    ]);
    assert!(none.unwrap().oidc.unwrap().browsers.is_none());
}

#[test]
fn an_issuer_is_https_or_on_this_machine() {
    let rules = |url: &'static str| {
        with(&[("OIDC_ISSUER_URL", url), ("OIDC_CLIENT_ID", "berth")])
            .map(|settings| settings.oidc.unwrap().rules)
    };
    for url in [
        "https://id.example/realms/a",
        "http://127.0.0.1:4000",
        "http://[::1]:4000/",
    ] {
        let rules = rules(url).unwrap();
        assert_eq!(
            (rules.issuer.as_str(), rules.audience.as_str()),
            (url, "berth")
        );
        assert_eq!(rules.token_type, TokenType::Access);
    }
    for url in [
        "http://id.example",
        "http://localhost",
        "http://10.0.0.1",
        "https://u:p@id.example",
        "https://id.example/?a=b",
        "https://id.example/#f",
    ] {
        let line = rules(url).unwrap_err().to_string();
        assert!(line.contains("OIDC_ISSUER_URL"), "{url}: {line}");
    }
}

#[test]
fn jwt_06_refresh_tokens_are_long_and_at_most_two() {
    let (one, two) = ("a".repeat(43), "b".repeat(64));
    let of = |text: &str| {
        let source = Source::of_values(
            GOOD.into_iter()
                .chain([("INTERNAL_JWKS_REFRESH_TOKEN", text)]),
        );
        Settings::from_source(&source).map(|s| s.internal_jwks_refresh_tokens.len())
    };
    assert_eq!(of(&one).unwrap(), 1);
    assert_eq!(of(&format!("{one}, {two}")).unwrap(), 2);
    assert!(of(&format!("{one},{one},{two}")).is_err());
    assert!(of(&"a".repeat(42)).is_err());
    assert!(of(&format!("{one},short")).is_err());
}

#[test]
fn a_file_is_read_by_the_same_names_and_refuses_strange_ones() {
    let source =
        Source::of_toml("NODE_PROBE_ALLOWED_CIDRS = [\"10.1.0.0/24\", \"10.2.0.0/24\"]").unwrap();
    assert_eq!(
        source.get("NODE_PROBE_ALLOWED_CIDRS"),
        Some("10.1.0.0/24,10.2.0.0/24")
    );
    let strange = Source::of_toml("DATABASE_URI = 'x'")
        .map(|_| ())
        .unwrap_err();
    assert_eq!(strange, "unknown setting DATABASE_URI");
    let broken = Source::of_toml("REDIS_URL = 'r'\nDATABASE_URL = hunter2")
        .map(|_| ())
        .unwrap_err();
    assert_eq!(broken, "not TOML in line 2");
}

#[test]
fn secrets_do_not_show() {
    let settings = with(&[]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert!(settings.database_url.expose_secret().contains("hunter2"));
}

#[test]
fn help_names_every_setting() {
    let help = help();
    for known in KNOWN {
        assert!(help.contains(known.name), "{}", known.name);
    }
}

//! SSRF-02: how addresses are hidden in public collections of server-side request forgery
//! (`PayloadsAllTheThings`, cujanovic's list of metadata addresses) and in our own tries. A node's
//! host is not a URL, so each is tried as it stands and, where it hides an address, by that alone.

use super::*;

/// Spellings of this machine.
const LOOPBACK: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "0.0.0.0",
    "0",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.0x1",
    "0x7f.1",
    "00000177.0.0.1",
    "127.127.127.127",
    "127.255.255.255",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "foo.localhost",
    "localhost.localhost",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[::1%25lo]",
];
/// Spellings of metadata services.
const METADATA: &[&str] = &[
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "025177524776",
    "0251.254.169.254",
    "169.254.43518",
    "169.16689662",
    "0xa9fe.0xa9fe",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "metadata.google.internal",
    "METADATA.google.INTERNAL",
    "metadata",
    "metadata.google.internal.",
    "instance-data.ec2.internal",
    "kubernetes.default.svc.internal",
];
/// Strangers: outside the fleet, or set aside.
const OUTSIDE: &[&str] = &[
    "10.0.0.1",
    "192.168.0.1",
    "172.16.0.1",
    "0x0a000001",
    "167772161",
    "8.8.8.8",
    "[fc00::1]",
    "[2001:db8::1]",
    "224.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "203.0.113.7",
    "100.64.0.1",
    "[ff02::1]",
];
/// What is no host at all: whole URLs, user names, ports, zones, control characters, options.
/// Some hold addresses of the fleet.
const NOT_HOSTS: &[&str] = &[
    "http://user@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com#@127.0.0.1/",
    "http://127.0.0.1#example.com",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\127.0.0.1",
    "http:127.0.0.1",
    "http:/127.0.0.1",
    "http:////127.0.0.1",
    "http://127。0。0。1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://１２７.０.０.１/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌｏｃａｌｈｏｓｔ",
    "127。0。0。1",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://local%68ost/",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "local%68ost",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%0d%0aHost:x/",
    "http://127.0.0.1:22:80/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stats",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "ldap://127.0.0.1/",
    "sftp://127.0.0.1:22/",
    "tftp://127.0.0.1/x",
    "jar:http://127.0.0.1!/",
    "netdoc:///etc/passwd",
    "ssh://root@127.0.0.1",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//127.0.0.1/",
    "///127.0.0.1/",
    "ssh://10.200.0.1",
    "http://10.200.0.1/",
    "//10.200.0.1",
    "127.0.0.1:22",
    "[::1]:22",
    "10.200.0.1:22",
    "[10.200.0.1]",
    "root@10.200.0.1",
    "10.200.0.1/24",
    "10.200.0.1/..",
    "10.200.0.1?x",
    "10.200.0.1#x",
    "10.200.0.1\\x",
    "10.200.0.1 127.0.0.1",
    "10.200.0.1,127.0.0.1",
    "10.200.0.1\t",
    "10.200.0.1\n",
    " 10.200.0.1",
    "10.200.0.1\r\nx",
    "\0",
    "10.200.0.1\0",
    "fe80::1%eth0",
    "::1%lo",
    "fd99::1%eth0",
    "-oProxyCommand=x",
    "-",
    "..",
    ".",
    "a..b",
    "-a.example",
    "a-.example",
    "256.256.256.256",
    "1.2.3.4.5",
    "0xg.0.0.1",
    "999999999999",
    "10.200.0.256",
    "0x1ffffffff",
    "example.com:80",
    "exa mple.com",
    "ex_ample.com",
    "http://[::1",
    "http://[::ffff:127.0.0.1",
    "http://[v1.x]/",
    "",
];

#[test]
fn ssrf_02_url_strings_are_refused() {
    let fleet = ["10.200.0.0/16", "fd99::/16"].map(|network| network.parse().unwrap());
    let guard = NetGuard::new(fleet.to_vec());
    let hosts = [LOOPBACK, METADATA, OUTSIDE].concat();
    let spelled = hosts.iter().flat_map(|host| {
        let bare = host.trim_matches(['[', ']']);
        [
            (*host).to_owned(),
            bare.to_owned(),
            format!("http://{host}/"),
            format!("https://{host}:443/latest/meta-data/"),
        ]
    });
    let not_hosts = NOT_HOSTS.iter().map(|text| (*text).to_owned());
    let mut tried = 0;
    for text in spelled.chain(not_hosts) {
        let passed = Target::parse(&text).and_then(|target| guard.judge(&target, 22));
        assert!(passed.is_err(), "{text:?}");
        tried += 1;
    }
    assert!(tried >= 150, "{tried}");
    for good in ["10.200.0.1", "fd99::1", "gpu-1.example.com"] {
        let passed = Target::parse(good).and_then(|target| guard.judge(&target, 22));
        assert_eq!(passed, Ok(()), "{good}");
    }
}

#[test]
fn ssrf_02_old_spellings_are_read_as_a_dialler_would() {
    for (text, address) in [
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("010.0.0.1", "8.0.0.1"),
        ("10.200.1", "10.200.0.1"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("127.0.0.1.", "127.0.0.1"),
    ] {
        let address = address.parse().unwrap();
        assert_eq!(Target::parse(text), Ok(Target::Address(address)), "{text}");
    }
}

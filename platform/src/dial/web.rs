//! HTTP to servers that a setting names, and to those that their answers name (SSRF-04, SSRF-07).
//!
//! The home server is the operator's own choice and may be anywhere but where no server is; any
//! other must be on the public internet, over https, judged when its name is resolved. No
//! redirect is followed, no proxy is asked, and what is too slow or too large is no answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::net_guard::{Denied, judge_configured, judge_public};
use hickory_resolver::TokioResolver;
use oauth2::{HttpRequest, HttpResponse};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{StatusCode, header};
use url::{Host, Url};

use super::{CONNECT_TIMEOUT, MAX_ANSWERS};

const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read.
pub const MAX_BODY_BYTES: usize = 64 << 10;

/// Gets documents.
#[derive(Debug, Clone)]
pub struct Web {
    client: reqwest::Client,
    home: Url,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub body: Vec<u8>,
    /// How long its server says that it stays good.
    pub max_age: Option<Duration>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("neither https nor the home server")]
    Scheme,
    #[error("no answer")]
    Unreachable(#[from] reqwest::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("more than {MAX_BODY_BYTES} bytes")]
    TooLarge,
}

impl Web {
    /// `home`: the server that the operator chose.
    #[expect(
        clippy::disallowed_methods,
        reason = "SSRF-07: this is the one place, and addresses are judged"
    )]
    pub fn new(home: &Url) -> anyhow::Result<Self> {
        // A second call answers with the provider that is already there, which is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let host = home.host_str().context("no host")?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .dns_resolver(Arc::new(Judged::new(host)?));
        if home.scheme() == "http" {
            // A machine without certificate authorities can still talk to itself.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self {
            client: builder.build()?,
            home: home.clone(),
        })
    }

    /// Gets one document; anything but 200 is none.
    pub async fn get(&self, url: &Url) -> Result<Page, WebError> {
        self.judge(url)?;
        let answer = self.client.get(url.clone()).send().await?;
        if answer.status() != StatusCode::OK {
            return Err(WebError::Status(answer.status()));
        }
        let max_age = max_age(answer.headers());
        let body = read(answer).await?;
        Ok(Page { body, max_age })
    }

    /// Sends a request as a library made it; the answer is whatever came, whole.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        let request = reqwest::Request::try_from(request)?;
        self.judge(request.url())?;
        let answer = self.client.execute(request).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut whole = HttpResponse::new(read(answer).await?);
        (*whole.status_mut(), *whole.headers_mut()) = (status, headers);
        Ok(whole)
    }

    /// What can be judged before a name is resolved.
    pub(crate) fn judge(&self, url: &Url) -> Result<(), WebError> {
        let at_home = url.origin() == self.home.origin();
        if url.scheme() != "https" && !at_home {
            return Err(WebError::Scheme);
        }
        let at_home = at_home || url.host() == self.home.host();
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Denied::Malformed.into()),
        };
        Ok(judge_address(at_home, address)?)
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, WebError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(WebError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn judge_address(at_home: bool, address: IpAddr) -> Result<(), Denied> {
    if at_home {
        judge_configured(address)
    } else {
        judge_public(address)
    }
}

/// Seconds of `Cache-Control: max-age`; nothing may be kept: none at all.
fn max_age(headers: &header::HeaderMap) -> Option<Duration> {
    let text = headers.get(header::CACHE_CONTROL)?.to_str().ok()?;
    let mut directives = text.split(',').map(str::trim);
    if directives
        .clone()
        .any(|directive| ["no-store", "no-cache"].contains(&directive))
    {
        return Some(Duration::ZERO);
    }
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// Resolves names; one bad answer spoils them all.
struct Judged {
    resolver: TokioResolver,
    home: String,
}

impl Judged {
    fn new(home: &str) -> anyhow::Result<Self> {
        let mut builder = TokioResolver::builder_tokio()?;
        // The operator's names may stand in the hosts file, and a search list may complete them.
        builder.options_mut().cache_size = 0;
        Ok(Self {
            resolver: builder.build()?,
            home: home.to_owned(),
        })
    }
}

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.resolver.clone();
        let at_home = name.as_str() == self.home;
        Box::pin(async move {
            let found = resolver.lookup_ip(name.as_str()).await?;
            let addresses: Vec<IpAddr> = found.iter().collect();
            if addresses.len() > MAX_ANSWERS {
                return Err(Denied::TooManyAnswers.into());
            }
            for address in &addresses {
                judge_address(at_home, *address)?;
            }
            // Port 0: reqwest puts the URL's own in its place.
            let sockets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(home: &str, url: &str) -> Result<(), String> {
        let web = Web::new(&home.parse().unwrap()).unwrap();
        let url: Url = url.parse().unwrap();
        web.judge(&url).map_err(|error| error.to_string())
    }

    #[test]
    fn ssrf_04_only_the_home_server_may_be_private_or_without_tls() {
        let local = "http://127.0.0.1:4000";
        assert!(judge(local, "http://127.0.0.1:4000/jwks").is_ok());
        assert!(judge(local, "http://127.0.0.1:4001/jwks").is_err());
        assert!(judge(local, "http://id.example/jwks").is_err());
        assert!(judge(local, "file:///etc/passwd").is_err());
        let home = "https://10.1.2.3";
        assert!(judge(home, "https://10.1.2.3/jwks").is_ok());
        assert!(judge(home, "http://10.1.2.3/jwks").is_err());
        for other in [
            "10.1.2.4",
            "127.0.0.1",
            "169.254.169.254",
            "[::1]",
            "[fd00::1]",
        ] {
            let url = format!("https://{other}/jwks");
            assert!(judge(home, &url).is_err(), "{other}");
        }
        assert!(judge(home, "https://1.1.1.1/jwks").is_ok());
        assert!(judge("https://169.254.169.254", "https://169.254.169.254/").is_err());
    }

    #[test]
    fn a_document_says_how_long_it_is_good() {
        let of = |text: &'static str| {
            max_age(
                &[(
                    header::CACHE_CONTROL,
                    header::HeaderValue::from_static(text),
                )]
                .into_iter()
                .collect(),
            )
        };
        assert_eq!(of("public, max-age=600"), Some(Duration::from_mins(10)));
        assert_eq!(of("max-age=600, no-store"), Some(Duration::ZERO));
        assert_eq!(of("public"), None);
        assert_eq!(of("max-age=soon"), None);
    }
}

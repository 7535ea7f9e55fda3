//! Whose page asks for a change (WEB-04). A browser adds a session to whatever any page asks for;
//! it also says whose page that was, by Fetch Metadata, or at least by `Origin`.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::Refusal;
use crate::app::App;
use crate::cors;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a browser says about the page, as far as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Ours,
    Guest,
    Other,
}

/// Whose pages may ask.
struct Pages {
    ours: Option<HeaderValue>,
    /// Temporal's UI, on the one path that is open to it.
    guest: Option<HeaderValue>,
}

/// Refuses changes that a page of ours did not ask for.
pub(super) fn judge(app: &App, request: &Parts) -> Result<(), Refusal> {
    let guest = app.settings.temporal_ui_url.as_deref();
    let guest = guest.filter(|_| cors::is_open_to_guest(request.uri.path()));
    let pages = Pages {
        ours: app.settings.public_url.as_deref().and_then(cors::origin),
        guest: guest.and_then(cors::origin),
    };
    if pages.may(&request.method, &request.headers) {
        Ok(())
    } else {
        Err(Refusal::CrossSite)
    }
}

impl Pages {
    /// Where a browser says both, they must agree; and it must say one.
    fn may(&self, method: &Method, headers: &HeaderMap) -> bool {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return true;
        }
        match (site(headers), self.origin(headers)) {
            (Said::Nothing | Said::Ours, Said::Ours) | (Said::Ours, Said::Nothing) => true,
            (site, Said::Guest) => site != Said::Ours,
            _ => false,
        }
    }

    fn origin(&self, headers: &HeaderMap) -> Said {
        let given = headers.get(header::ORIGIN);
        match given {
            None => Said::Nothing,
            _ if given == self.ours.as_ref() => Said::Ours,
            _ if given == self.guest.as_ref() => Said::Guest,
            _ => Said::Other,
        }
    }
}

/// `none` is a person who typed an address: nobody types a change.
fn site(headers: &HeaderMap) -> Said {
    match headers.get(SEC_FETCH_SITE) {
        None => Said::Nothing,
        Some(site) if site == "same-origin" => Said::Ours,
        Some(_) => Said::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://berth.example";
    const GUEST: &str = "https://temporal.example";

    fn may(pages: &Pages, method: &Method, site: Option<&str>, origin: Option<&str>) -> bool {
        let given = [(SEC_FETCH_SITE, site), (header::ORIGIN, origin)];
        let headers = given.into_iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_str(value?).expect("a header");
            Some((name, value))
        });
        pages.may(method, &headers.collect())
    }

    #[test]
    fn web_04_a_change_comes_from_our_own_pages() {
        let pages = |guest: Option<&str>| Pages {
            ours: cors::origin(OURS),
            guest: guest.and_then(cors::origin),
        };
        let unsafe_methods = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let sites = [
            Some("same-origin"),
            Some("same-site"),
            Some("cross-site"),
            Some("none"),
            None,
        ];
        let origins = [Some(OURS), Some(GUEST), Some("null"), None];
        // In the order of `sites`, each in the order of `origins`.
        let expected = [
            [true, false, false, true],
            [false, false, false, false],
            [false, false, false, false],
            [false, false, false, false],
            [true, false, false, false],
        ];
        for method in &unsafe_methods {
            for (site, row) in sites.iter().zip(expected) {
                for (origin, wanted) in origins.iter().zip(row) {
                    let got = may(&pages(None), method, *site, *origin);
                    assert_eq!(got, wanted, "{method} {site:?} {origin:?}");
                    // Where the guest is let in, that and nothing else is new.
                    let guest = *origin == Some(GUEST) && *site != Some("same-origin");
                    let got = may(&pages(Some(GUEST)), method, *site, *origin);
                    assert_eq!(got, wanted || guest, "guest: {method} {site:?} {origin:?}");
                }
            }
        }
        assert!(may(&pages(None), &Method::GET, Some("cross-site"), None));
    }
}

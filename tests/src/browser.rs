//! A browser as far as HTTP goes: it keeps cookies and follows redirects, and runs no page.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, Url};

use crate::api::Answer;
use crate::replica::Replica;

/// More redirects than a login takes.
const MAX_REDIRECTS: usize = 12;

/// Cookies count for a host, whatever its port: the provider and Berth share them, as in a real
/// browser on one machine. Their names differ.
#[derive(Debug, Clone)]
pub struct Browser {
    http: reqwest::Client,
    pub cookies: BTreeMap<String, String>,
}

/// Where a visit ended.
#[derive(Debug)]
pub struct Page {
    pub url: Url,
    pub answer: Answer,
    /// Every cookie as it was set on the way.
    pub set: Vec<String>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    pub fn new() -> Self {
        let http = crate::api::builder().redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().expect("a client without special wishes"),
            cookies: BTreeMap::new(),
        }
    }

    /// One request with the cookies; keeps those of the answer.
    pub async fn ask(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let request = request.header(COOKIE, cookies.join("; "));
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        for set in headers.get_all(SET_COOKIE) {
            let set = set.to_str().expect("plain");
            let pair = set.split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a name");
            if value.is_empty() || set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = response.text().await.expect("a text");
        Answer {
            status,
            headers,
            text,
        }
    }

    pub fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// Goes there, and on to wherever it is sent.
    pub async fn visit(&mut self, url: &str) -> Page {
        let first = self.request(Method::GET, url);
        self.follow(url.parse().expect("a URL"), first).await
    }

    async fn submit(&mut self, url: Url, form: String) -> Page {
        let first = self
            .request(Method::POST, url.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        self.follow(url, first).await
    }

    async fn follow(&mut self, mut url: Url, first: reqwest::RequestBuilder) -> Page {
        let mut set = Vec::new();
        let mut answer = self.ask(first).await;
        for _ in 0..MAX_REDIRECTS {
            let sets = answer.headers.get_all(SET_COOKIE).iter();
            set.extend(sets.map(|value| value.to_str().expect("plain").to_owned()));
            if !answer.status.is_redirection() {
                break;
            }
            let to = answer.headers[LOCATION].to_str().expect("a place");
            url = url.join(to).expect("a URL");
            let next = self.request(Method::GET, url.as_str());
            answer = self.ask(next).await;
        }
        Page { url, answer, set }
    }

    /// Begins at `/auth/login` and fills in the provider's pages, until they send the browser back:
    /// the answer of `/auth/callback`.
    pub async fn log_in(&mut self, replica: &Replica, query: &str, subject: &str) -> Page {
        let page = self
            .visit(&format!("{}/auth/login{query}", replica.base))
            .await;
        // `SameSite=Strict`: what the provider sends the browser back with does not show it.
        self.cookies.remove("__Host-berth_session");
        let mut set = page.set;
        let form = format!("prompt=login&login={subject}&password=x");
        let mut page = self.submit(page.url, form).await;
        if page.url.path().starts_with("/interaction/") {
            set.append(&mut page.set);
            page = self.submit(page.url, "prompt=consent".to_owned()).await;
        }
        set.append(&mut page.set);
        Page { set, ..page }
    }
}

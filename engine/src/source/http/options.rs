//! What is asked of an HTTP server, and how long it may be silent.

use super::backoff::Backoff;
use super::url::Url;
use std::time::Duration;

/// Headers that the request has anyway.
const OWN_HEADERS: [&str; 4] = ["host", "accept-encoding", "connection", "user-agent"];

/// Characters of a server's text in a message.
const SHOWN_CHARS: usize = 200;

/// How a stream of lines over HTTP is asked for. The token and the values of headers are in no message and no `Debug`.
#[derive(Clone)]
pub struct HttpOptions {
    /// Sent as `Authorization: Bearer …`.
    pub bearer_token: Option<String>,
    /// More headers: names and values.
    pub headers: Vec<(String, String)>,
    /// A connection on which no byte comes for so long has stalled; it is given up for another one. Servers of such streams
    /// send blank lines as signs of life, tweet streams every 20 s.
    pub idle_timeout: Duration,
    /// Pauses before connecting again.
    pub backoff: Backoff,
}

impl Default for HttpOptions {
    /// No token, no further headers, 90 s.
    fn default() -> Self {
        HttpOptions {
            bearer_token: None,
            headers: Vec::new(),
            idle_timeout: Duration::from_secs(90),
            backoff: Backoff::default(),
        }
    }
}

impl std::fmt::Debug for HttpOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("HttpOptions")
            .field("bearer_token", &self.bearer_token.as_ref().map(|_| "…"))
            .field("headers", &names)
            .field("idle_timeout", &self.idle_timeout)
            .field("backoff", &self.backoff)
            .finish()
    }
}

impl HttpOptions {
    /// # Errors
    /// What cannot be sent, without showing a value.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.idle_timeout.is_zero() {
            return Err("idle_timeout must be more than 0".into());
        }
        if self
            .bearer_token
            .as_ref()
            .is_some_and(|token| token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err(
                "the bearer token is empty or has a byte that a token cannot have (a line end from a file?)".into()
            );
        }
        self.headers.iter().try_for_each(|(name, value)| self.check_header(name, value))
    }

    fn check_header(&self, name: &str, value: &str) -> Result<(), String> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("{name:?} is no name of a header"));
        }
        if !value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)) {
            return Err(format!("the value of header {name} has a control character"));
        }
        let lower = name.to_ascii_lowercase();
        if OWN_HEADERS.contains(&lower.as_str()) || (lower == "authorization" && self.bearer_token.is_some()) {
            return Err(format!("header {name} is set already"));
        }
        Ok(())
    }

    pub(super) fn request(&self, url: &Url) -> String {
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: downbeat/{}\r\nAccept-Encoding: identity\r\nConnection: close\r\n",
            url.target,
            url.host,
            env!("CARGO_PKG_VERSION"),
        );
        if let Some(token) = &self.bearer_token {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in &self.headers {
            request += &format!("{name}: {value}\r\n");
        }
        request + "\r\n"
    }

    /// Text from the server, which may have sent our secrets back, for a message: one line, without them, nothing that a
    /// terminal would act on, not long.
    pub(super) fn shown(&self, text: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(text).into_owned();
        let values = self.headers.iter().map(|(_, value)| value);
        for secret in self.bearer_token.iter().chain(values).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.as_str(), "…");
        }
        let mut shown = String::new();
        for char in text.trim().chars().take(SHOWN_CHARS) {
            match char {
                '"' | '\'' => shown.push(char),
                other => shown.extend(other.escape_debug()),
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> HttpOptions {
        let headers = vec![(name.to_owned(), value.to_owned())];
        HttpOptions { bearer_token: Some("t0ps3cret".into()), headers, ..HttpOptions::default() }
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let options = with("X-Key", "k3y");
        assert!(!format!("{options:?}").contains("t0ps3cret") && !format!("{options:?}").contains("k3y"));
        assert_eq!(options.shown(b"no: t0ps3cret \x1b[2J k3y\n"), "no: … \\u{1b}[2J …");
    }

    #[test]
    fn what_would_break_the_request_is_refused() {
        for (name, value) in
            [("", "x"), ("a b", "x"), ("A\r\nB", "x"), ("A", "x\r\nB: y"), ("host", "x"), ("Authorization", "x")]
        {
            let problem = with(name, value).check().expect_err("refused");
            assert!(!problem.contains("B: y"), "{problem}");
        }
        let token = HttpOptions { bearer_token: Some("secret\n".into()), ..HttpOptions::default() };
        assert!(!token.check().expect_err("refused").contains("secret"));
        assert_eq!(with("X-A", "ü, tab\t").check(), Ok(()));
    }

    #[test]
    fn the_request_has_what_was_asked_for() {
        let url = Url::parse("http://h:1/p?q").expect("good");
        let request = with("X-A", "b").request(&url);
        assert!(
            request.starts_with("GET /p?q HTTP/1.1\r\nHost: h:1\r\n") && request.ends_with("\r\n\r\n"),
            "{request}"
        );
        assert!(request.contains("\r\nAuthorization: Bearer t0ps3cret\r\nX-A: b\r\n"), "{request}");
    }
}

//! The part of URLs that a stream needs: `http://host[:port][/path][?query]`.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// `host:port` to connect to.
    pub(super) address: String,
    /// As the `Host` header has it: without the port when it is 80.
    pub(super) host: String,
    /// Path and query.
    pub(super) target: String,
}

impl Url {
    /// # Errors
    /// What is wrong and what to write instead. Never shows what may be a secret: the query, a user name.
    pub(super) fn parse(text: &str) -> Result<Url, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("the URL has no scheme: write http://host[:port]/path".into());
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => {
                return Err("https is not spoken here: run a proxy on this machine that ends TLS (stunnel, haproxy, nginx) and connect to it with http://127.0.0.1:PORT/…".into());
            }
            _ => return Err("only http:// URLs are spoken here".into()),
        }
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(
                "the URL has a user name in it: set the bearer token or an `Authorization` header instead".into()
            );
        }
        let (host, port) = split_port(authority)?;
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the path or query has a byte that must be percent-encoded (a space is %20)".into());
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url {
            address: format!("{host}:{port}"),
            host: if port == 80 { host.to_owned() } else { format!("{host}:{port}") },
            target: format!("{slash}{target}"),
        })
    }

    /// For messages: without the query, which may hold a secret.
    pub(super) fn shown(&self) -> String {
        let path = self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path);
        format!("http://{}{path}", self.host)
    }
}

fn split_port(authority: &str) -> Result<(&str, u16), String> {
    let after_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority[after_address..].rfind(':') {
        Some(colon) => (&authority[..after_address + colon], &authority[after_address + colon + 1..]),
        None => (authority, ""),
    };
    let port = match port {
        "" => 80,
        digits => digits.parse().ok().filter(|port| *port > 0).ok_or("the port must be 1 to 65535")?,
    };
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    match literal {
        Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => Ok((host, port)),
        None if !host.is_empty() && host.bytes().all(is_name) => Ok((host, port)),
        _ => Err("the host must be a name, an IPv4 address or an IPv6 address in brackets".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_good_urls() {
        for (text, address, host, target) in [
            ("http://example.com", "example.com:80", "example.com", "/"),
            ("HTTP://h:8080/a/b?c=d#e", "h:8080", "h:8080", "/a/b?c=d"),
            ("http://h?x", "h:80", "h", "/?x"),
            ("http://[::1]:9/", "[::1]:9", "[::1]:9", "/"),
            ("http://[::1]", "[::1]:80", "[::1]", "/"),
        ] {
            let expected = Url { address: address.into(), host: host.into(), target: target.into() };
            assert_eq!(Url::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bad_urls_are_refused_with_advice() {
        for (text, says) in [
            ("example.com/x", "no scheme"),
            ("https://example.com", "proxy on this machine"),
            ("ftp://example.com", "only http"),
            ("http://user:secret@h/", "bearer token"),
            ("http://", "host must be"),
            ("http://:80/", "host must be"),
            ("http://h:0/", "port"),
            ("http://h:70000/", "port"),
            ("http://[::g]/", "host must be"),
            ("http://::1/", "host must be"),
            ("http://a b/", "host must be"),
            ("http://h/a b", "percent-encoded"),
            ("http://h/a\r\nX: y", "percent-encoded"),
        ] {
            let problem = Url::parse(text).expect_err(text);
            assert!(problem.contains(says) && !problem.contains("secret"), "{text}: {problem}");
        }
    }

    #[test]
    fn what_is_shown_has_no_query() {
        assert_eq!(Url::parse("http://h:1/p?key=secret").expect("good").shown(), "http://h:1/p");
    }
}

//! Where a request comes from.

use std::net::IpAddr;

use actix_web::HttpRequest;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that asks. Proxies of ours add the address of whoever asked them to the end of the header; what stands
/// before that was written by the client and says nothing.
pub fn client_of(request: &HttpRequest, proxies: usize) -> IpAddr {
    let peer = request.peer_addr().map(|peer| peer.ip());
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let Some(from_the_end) = proxies.checked_sub(1) else {
        return peer;
    };
    let forwarded = request.headers().get_all(FORWARDED_FOR);
    let entries: Vec<&str> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let entry = entries.iter().rev().nth(from_the_end);
    entry.and_then(|entry| entry.trim().parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_client_is_whom_the_outermost_proxy_of_ours_saw() {
        let request = TestRequest::get()
            .peer_addr("10.0.0.1:1".parse().unwrap())
            .append_header((FORWARDED_FOR, "198.51.100.9, 192.0.2.1"))
            .append_header((FORWARDED_FOR, "10.0.0.2"))
            .to_http_request();
        let client = |proxies| client_of(&request, proxies).to_string();

        assert_eq!(client(0), "10.0.0.1");
        assert_eq!(client(1), "10.0.0.2");
        assert_eq!(client(2), "192.0.2.1");
        assert_eq!(client(9), "10.0.0.1");
    }

    #[test]
    fn what_is_no_address_counts_for_the_peer() {
        let request = TestRequest::get()
            .peer_addr("10.0.0.1:1".parse().unwrap())
            .append_header((FORWARDED_FOR, "unknown"))
            .to_http_request();

        assert_eq!(client_of(&request, 1).to_string(), "10.0.0.1");
    }
}

//! Lists that are few enough to be read whole, as the reference answers them: a bare array, the next page in `Link`.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::{DalpError, next_link};
use crate::db::{Cursor, Page};
use crate::error::Error;

/// One page of `items`, sorted by `key`. The cursor is the key of the last item.
pub fn bare_list<T: Serialize>(
    mut items: Vec<T>,
    key: impl Fn(&T) -> String,
    page: &Page,
    request: &HttpRequest,
) -> Result<HttpResponse, DalpError> {
    let after = page.cursor.as_deref().map(Cursor::parse::<1>).transpose();
    let after = after.map_err(|_| Error::invalid("cursor", "is not a cursor that this list gave out"))?;
    let offset = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(page.limit).unwrap_or(0);
    items.sort_by_cached_key(&key);
    let mut rest = items
        .into_iter()
        .filter(|item| after.as_ref().is_none_or(|[last]| key(item) > *last))
        .skip(offset);
    let shown: Vec<T> = rest.by_ref().take(limit).collect();
    let mut response = HttpResponse::Ok();
    if let (Some(last), Some(_)) = (shown.last(), rest.next()) {
        let cursor = Cursor::new([key(last)]).to_string();
        if let Some(link) = next_link(request, Some(&cursor)) {
            response.insert_header(link);
        }
    }
    Ok(response.json(shown))
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody as _;
    use actix_web::http::header;
    use actix_web::test::TestRequest;

    use super::*;

    fn list(page: &Page) -> (String, Option<String>) {
        let items = vec!["b", "d", "a", "c"];
        let request = TestRequest::with_uri("/list?limit=3").to_http_request();
        let response = bare_list(items, |item| (*item).to_owned(), page, &request).unwrap();
        let link = response.headers().get(header::LINK);
        let link = link.map(|link| link.to_str().unwrap().to_owned());
        let body = response.into_body().try_into_bytes().unwrap();
        (String::from_utf8(body.to_vec()).unwrap(), link)
    }

    #[test]
    fn pages_follow_each_other_by_cursor_and_by_offset() {
        let (first, link) = list(&Page::first(3));
        let cursor = Cursor::new(["c".to_owned()]).to_string();

        assert_eq!(first, r#"["a","b","c"]"#);
        assert_eq!(link.unwrap(), format!("</list?limit=3&cursor={cursor}>; rel=\"next\""));
        let after = Page {
            cursor: Some(cursor),
            ..Page::first(3)
        };
        assert_eq!(list(&after), (r#"["d"]"#.to_owned(), None));
        let skipped = Page {
            offset: 3,
            ..Page::first(3)
        };
        assert_eq!(list(&skipped), (r#"["d"]"#.to_owned(), None));
        assert_eq!(list(&Page::first(4)).1, None);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let page = Page {
            cursor: Some("%".to_owned()),
            ..Page::default()
        };

        let request = TestRequest::with_uri("/list").to_http_request();
        assert!(bare_list(vec!["a"], |item| (*item).to_owned(), &page, &request).is_err());
    }
}

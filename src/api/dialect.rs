//! Which dialect answers a path: its envelope is for everything below that path, also where no route is.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpResponse};

use super::certhis::{self, CerthisError};
use super::dalp::DalpError;
use super::immutable::{self, ImmutableError};
use super::unserved::Unserved;
use crate::types::RequestId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The asset API, and all that is nobody else's.
    Dalp,
    /// Immutable's minting API, below `/v1`.
    Immutable,
    /// Certhis' mint API: a few paths of its own.
    Certhis,
}

impl Dialect {
    pub fn of(path: &str) -> Self {
        match path.strip_prefix("/v1") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Self::Immutable,
            Some(_) | None if certhis::is_path(path) => Self::Certhis,
            Some(_) | None => Self::Dalp,
        }
    }

    /// In the envelope of the dialect.
    pub fn refuse(self, unserved: Unserved) -> Error {
        match self {
            Self::Dalp => DalpError::from(unserved).into(),
            Self::Immutable => ImmutableError::from(unserved).into(),
            Self::Certhis => CerthisError::from(unserved).into(),
        }
    }

    /// A second name of the request, where the dialect has one.
    pub fn trace_id(self, request_id: &RequestId) -> Option<String> {
        match self {
            Self::Dalp | Self::Certhis => None,
            Self::Immutable => Some(immutable::trace_id_of(request_id.as_str())),
        }
    }

    /// What a browser is told before it asks; none where no dialect serves browsers of other places.
    pub fn preflight(self, request: &ServiceRequest) -> Option<HttpResponse> {
        match self {
            Self::Dalp | Self::Certhis => None,
            Self::Immutable => immutable::preflight(request),
        }
    }

    /// What every answer of the dialect has besides.
    pub fn dress<B: MessageBody>(
        self,
        response: ServiceResponse<EitherBody<B>>,
        request_id: &RequestId,
    ) -> ServiceResponse<EitherBody<B>> {
        match self {
            Self::Dalp | Self::Certhis => response,
            Self::Immutable => immutable::dress(response, request_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_one_dialect() {
        for path in ["/v1", "/v1/", "/v1/chains", "/v1/nonsense"] {
            assert_eq!(Dialect::of(path), Dialect::Immutable, "{path}");
        }
        for path in ["/mint", "/mint_access", "/sign", "/check/", "/mint/1"] {
            assert_eq!(Dialect::of(path), Dialect::Certhis, "{path}");
        }
        for path in ["/", "/api/token", "/mints", "/api/mint", "/v10/chains", "/v", "/livez"] {
            assert_eq!(Dialect::of(path), Dialect::Dalp, "{path}");
        }
    }
}

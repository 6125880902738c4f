//! Ids in paths: whatever is not an id names nothing, so it is 404 like any other unknown id.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::{Problem, context};

/// The one id of a path.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(pub T);

/// The two ids of a path, left to right.
#[derive(Debug, Clone, Copy)]
pub struct PathIds2<A, B>(pub A, pub B);

/// The three ids of a path, left to right.
#[derive(Debug, Clone, Copy)]
pub struct PathIds3<A, B, C>(pub A, pub B, pub C);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = segments::<String, S>(parts, state).await?;
        Ok(Self(id_from(&id)?))
    }
}

impl<A: FromStr, B: FromStr, S: Send + Sync> FromRequestParts<S> for PathIds2<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((a, b)) = segments::<(String, String), S>(parts, state).await?;
        Ok(Self(id_from(&a)?, id_from(&b)?))
    }
}

impl<A: FromStr, B: FromStr, C: FromStr, S: Send + Sync> FromRequestParts<S> for PathIds3<A, B, C> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((a, b, c)) = segments::<(String, String, String), S>(parts, state).await?;
        Ok(Self(id_from(&a)?, id_from(&b)?, id_from(&c)?))
    }
}

async fn segments<T, S>(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem>
where
    T: serde::de::DeserializeOwned + Send,
    S: Send + Sync,
{
    context::note_route(parts.extensions.get());
    Path::from_request_parts(parts, state).await.map_err(|rejected| {
        if rejected.status().is_server_error() { Problem::internal(rejected) } else { Problem::not_found("resource") }
    })
}

fn id_from<T: FromStr>(text: &str) -> Result<T, Problem> {
    // PostgreSQL stores no zero character and fails on it: nothing can have such a name.
    if text.contains('\0') {
        return Err(Problem::not_found("resource"));
    }
    text.parse().map_err(|_| Problem::not_found("resource"))
}

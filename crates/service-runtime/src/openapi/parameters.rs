//! Schemas that only parameters refer to: utoipa collects those of bodies.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, path::Operation},
};

use super::{SCHEMAS, Schemas};
use crate::{Limit, Moment, NamePrefix};

/// Adds the schemas of the shared parameters that the operation refers to.
pub(super) fn complete(operation: &Operation, schemas: &mut Schemas) {
    let shared = [
        (Limit::name(), Limit::schema()),
        (Moment::name(), Moment::schema()),
        (NamePrefix::name(), NamePrefix::schema()),
    ];
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let Some(RefOr::Ref(reference)) = &parameter.schema else { continue };
        for (name, schema) in &shared {
            if reference.ref_location.strip_prefix(SCHEMAS) == Some(name) {
                schemas.insert(name.to_string(), schema.clone());
            }
        }
    }
}

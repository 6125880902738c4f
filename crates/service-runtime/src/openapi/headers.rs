//! What the headers every service understands look like: said once here, so that a client that is made from the document, or
//! tries it out, sends what is taken.

use utoipa::openapi::{
    KnownFormat, Object, ObjectBuilder, RefOr, Required, SchemaFormat, Type,
    path::{Operation, Parameter, ParameterIn},
    schema::{Schema, SchemaType},
};

use crate::{conditional::MIN_VERSION_HEADER, idempotency::IDEMPOTENCY_KEY_HEADER};

/// One strong entity tag as answered in ETag. Eighteen digits always fit.
const TAG_PATTERN: &str = r#"^"[0-9]{1,18}"$"#;

/// The same, or any version: where the condition may be left out.
const TAG_OR_ANY_PATTERN: &str = r#"^("[0-9]{1,18}"|\*)$"#;

/// Printable, and neither quotes nor backslashes within: a structured string (RFC 9651) without its quotes.
const KEY_PATTERN: &str = r"^[!#-\[\]-~]([ !#-\[\]-~]{0,253}[!#-\[\]-~])?$";

/// Puts the shape of each header the operation takes into its parameters. A header that may be left out is never null.
pub(super) fn complete(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Header
            && let Some(shape) = shape(parameter)
        {
            parameter.schema = Some(RefOr::T(Schema::Object(shape)));
        }
    }
}

fn shape(parameter: &Parameter) -> Option<Object> {
    match parameter.name.to_ascii_lowercase().as_str() {
        IDEMPOTENCY_KEY_HEADER => Some(text(KEY_PATTERN)),
        "if-match" if parameter.required == Required::True => Some(text(TAG_PATTERN)),
        "if-match" => Some(text(TAG_OR_ANY_PATTERN)),
        MIN_VERSION_HEADER => Some(version()),
        _ => None,
    }
}

fn text(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some(pattern)).build()
}

fn version() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .build()
}

//! What bodies look like where their Rust types alone do not say it: merge patches, bodies that may be left out, and
//! answers that are a draft with more.

use utoipa::openapi::{
    Object, Ref, RefOr, Required, Schema, Type,
    path::Operation,
    schema::{AdditionalProperties, ArrayItems, OneOfBuilder, SchemaType},
};

use super::{SCHEMAS, Schemas};

/// The media type of a merge patch (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
/// Completes the operation's body; schemas that are new are added.
pub(super) fn complete(operation: &mut Operation, schemas: &mut Schemas) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for (media, content) in &mut body.content {
        let RefOr::T(content) = content else { continue };
        let Some(name) = content.schema.as_ref().and_then(name_of).map(str::to_owned) else { continue };
        if media == MERGE_PATCH {
            let patch = patch_named(&name, schemas);
            content.schema = patch.or(content.schema.take());
        } else if object(&name, schemas).is_some_and(|object| object.required.is_empty()) {
            // A command whose members may all be absent is complete without a body.
            body.required = Some(Required::False);
        }
    }
}

/// An object made of another that refuses unknown members would refuse its own: the rule holds for the whole alone.
pub(super) fn open_parts(schemas: &mut Schemas) {
    let parts = schemas.clone();
    for schema in schemas.values_mut() {
        open_within(schema, &parts);
    }
}

fn open_within(schema: &mut RefOr<Schema>, parts: &Schemas) {
    match schema {
        RefOr::T(Schema::AllOf(whole)) => whole.items.iter_mut().for_each(|part| open(part, parts)),
        RefOr::T(Schema::OneOf(choice)) => choice.items.iter_mut().for_each(|item| open_within(item, parts)),
        RefOr::T(Schema::Object(object)) => {
            object.properties.values_mut().for_each(|member| open_within(member, parts));
        }
        RefOr::T(Schema::Array(list)) => {
            if let ArrayItems::RefOrSchema(items) = &mut list.items {
                open_within(items, parts);
            }
        }
        _ => {}
    }
}

fn open(part: &mut RefOr<Schema>, parts: &Schemas) {
    let named = name_of(part).and_then(|name| object(name, parts));
    if let Some(closed) = named.filter(|object| object.additional_properties.is_some()) {
        let mut open = closed.clone();
        open.additional_properties = None;
        *part = RefOr::T(Schema::Object(open));
    }
}

fn name_of(schema: &RefOr<Schema>) -> Option<&str> {
    match schema {
        RefOr::Ref(Ref { ref_location, .. }) => ref_location.strip_prefix(SCHEMAS),
        RefOr::T(_) => None,
    }
}

fn object<'a>(name: &str, schemas: &'a Schemas) -> Option<&'a Object> {
    match schemas.get(name) {
        Some(RefOr::T(Schema::Object(object))) if is_closed_or_typed(object) => Some(object),
        _ => None,
    }
}

fn is_closed_or_typed(object: &Object) -> bool {
    let open_map = matches!(object.additional_properties.as_deref(), Some(AdditionalProperties::RefOr(_)));
    !object.properties.is_empty() && !open_map
}

/// The patch of an object: nothing is required, and what may be missing may be null, which takes it away. `None` for
/// what is replaced as a whole: texts, lists, and objects that are patches already.
fn patch_named(name: &str, schemas: &mut Schemas) -> Option<RefOr<Schema>> {
    let mut patched = object(name, schemas).filter(|object| !object.required.is_empty())?.clone();
    let required = std::mem::take(&mut patched.required);
    for (member, schema) in &mut patched.properties {
        patch_member(schema, schemas);
        if !required.contains(member) && !allows_null(schema) {
            let null = Object::with_type(SchemaType::Type(Type::Null));
            *schema = OneOfBuilder::new().item(schema.clone()).item(null).into();
        }
    }
    let patch = format!("{name}Patch");
    let reference = Ref::from_schema_name(&patch);
    schemas.insert(patch, RefOr::T(Schema::Object(patched)));
    Some(reference.into())
}

/// Objects within objects are merged as well.
fn patch_member(schema: &mut RefOr<Schema>, schemas: &mut Schemas) {
    if let RefOr::T(Schema::OneOf(choice)) = schema {
        choice.items.iter_mut().for_each(|item| patch_member(item, schemas));
    } else if let Some(patch) = name_of(schema).map(str::to_owned).and_then(|name| patch_named(&name, schemas)) {
        *schema = patch;
    }
}

fn allows_null(schema: &RefOr<Schema>) -> bool {
    let is_null = |of: &SchemaType| match of {
        SchemaType::Type(one) => *one == Type::Null,
        SchemaType::Array(several) => several.contains(&Type::Null),
        SchemaType::AnyValue => true,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_null(&array.schema_type),
        RefOr::T(Schema::OneOf(choice)) => choice.items.iter().any(allows_null),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};
    use utoipa::{PartialSchema, ToSchema};

    use super::*;

    #[derive(Serialize, Deserialize, ToSchema)]
    struct Size {
        width: u32,
        unit: Option<String>,
    }

    #[derive(Serialize, Deserialize, ToSchema)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: String,
        size: Size,
        box_size: Option<Size>,
        #[serde(default)]
        parts: Vec<u32>,
    }

    #[derive(Serialize, ToSchema)]
    struct StoredThing {
        id: u32,
        #[serde(flatten)]
        thing: Thing,
    }

    fn schemas() -> Schemas {
        let of = |name: &str, schema: RefOr<Schema>| (name.to_owned(), schema);
        [of("Size", Size::schema()), of("Thing", Thing::schema()), of("StoredThing", StoredThing::schema())].into()
    }

    fn shown(schemas: &Schemas, name: &str) -> Value {
        serde_json::to_value(&schemas[name]).unwrap()
    }

    #[test]
    fn a_patch_may_leave_everything_out_and_take_away_what_is_optional() {
        let mut schemas = schemas();
        assert!(patch_named("Thing", &mut schemas).is_some());
        let patch = shown(&schemas, "ThingPatch");
        assert!(patch.get("required").is_none(), "{patch}");
        assert_eq!(patch["properties"]["name"], json!({ "type": "string" }));
        assert_eq!(patch["properties"]["size"]["$ref"], "#/components/schemas/SizePatch");
        assert_eq!(patch["properties"]["box_size"]["oneOf"][0]["$ref"], "#/components/schemas/SizePatch");
        assert_eq!(patch["properties"]["parts"]["oneOf"][1], json!({ "type": "null" }));
        assert_eq!(shown(&schemas, "Thing")["required"], json!(["name", "size"]));
    }

    #[test]
    fn an_answer_that_is_a_draft_with_more_allows_what_is_more() {
        let mut schemas = schemas();
        assert!(shown(&schemas, "StoredThing")["allOf"][0].get("$ref").is_some());
        open_parts(&mut schemas);
        let stored = shown(&schemas, "StoredThing");
        assert!(stored["allOf"][0]["properties"]["name"].is_object(), "{stored}");
        assert!(stored["allOf"][0].get("additionalProperties").is_none());
        assert_eq!(shown(&schemas, "Thing")["additionalProperties"], false);
    }
}

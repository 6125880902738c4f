//! The answers an operation gives because of what it takes: every one of them is listed, none is a surprise.

use utoipa::{
    ToSchema,
    openapi::{
        Content, Object, Ref, RefOr, Required, Response, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::SchemaType,
    },
};

use crate::{
    Problem, conditional::MIN_VERSION_HEADER, idempotency::IDEMPOTENCY_KEY_HEADER, problem::PROBLEM_MEDIA_TYPE,
};

/// The header a read's 304 answers.
const IF_NONE_MATCH: &str = "If-None-Match";

/// Lists what follows from the operation's parts; whatever is refused is a problem, in its own media type.
pub(super) fn complete(operation: &mut Operation) {
    if operation.responses.responses.contains_key("304") {
        let held = ParameterBuilder::new()
            .name(IF_NONE_MATCH)
            .parameter_in(ParameterIn::Header)
            .description(Some("The ETag of what the caller has"))
            .schema(Some(Object::with_type(SchemaType::Type(Type::String))));
        operation.parameters.get_or_insert_default().push(RefOr::T(held.build()));
    }
    let following = following(operation);
    let responses = &mut operation.responses.responses;
    for (status, why) in following {
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(why)));
    }
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && !status.starts_with(['1', '2', '3'])
        {
            let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
            response.content.clear();
            response.content.insert(PROBLEM_MEDIA_TYPE.to_owned(), RefOr::T(problem));
        }
    }
}

/// Status and reason. The first reason for a status is the one that is listed.
fn following(operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let parameters: Vec<&Parameter> = operation.parameters.iter().flatten().filter_map(inline).collect();
    let has = |place: &ParameterIn| parameters.iter().any(|parameter| parameter.parameter_in == *place);
    let mut answers = vec![
        ("401", "There is no valid token"),
        ("403", "The caller's roles do not allow it"),
        ("429", "Too many requests: see Retry-After"),
        ("503", "Something the service needs is away, or too much is being worked on: see Retry-After"),
    ];
    if operation.request_body.is_some() {
        answers.push(("400", "The body is not well-formed JSON"));
        answers.push(("413", "The body is too large"));
        answers.push(("415", "The body is not JSON"));
        answers.push(("422", "The body breaks a rule; each pointer names a field"));
    }
    if has(&ParameterIn::Path) {
        answers.push(("404", "There is no such thing, or not for this tenant"));
    }
    if has(&ParameterIn::Query) {
        answers.push(("400", "A parameter is unknown or malformed"));
    }
    if header(&parameters, MIN_VERSION_HEADER).is_some() {
        answers.push(("400", "Min-Version is not a version"));
    }
    if let Some(if_match) = header(&parameters, "if-match") {
        answers.push(("412", "The object has another version than If-Match names"));
        if matches!(if_match.required, Required::True) {
            answers.push(("428", "If-Match is missing"));
        }
    }
    if header(&parameters, IDEMPOTENCY_KEY_HEADER).is_some() {
        answers.push(("400", "The Idempotency-Key is missing or malformed"));
        answers.push(("409", "The same command is still running"));
        answers.push(("422", "The Idempotency-Key was used for another request"));
    }
    answers
}

/// utoipa writes parameters where they are used.
fn inline(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

fn header<'a>(parameters: &[&'a Parameter], name: &str) -> Option<&'a Parameter> {
    let is_it = |parameter: &&&Parameter| {
        parameter.parameter_in == ParameterIn::Header && parameter.name.eq_ignore_ascii_case(name)
    };
    parameters.iter().find(is_it).copied()
}

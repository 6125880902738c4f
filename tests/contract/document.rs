//! A service's OpenAPI document, as far as the trial goes by it: operations, their parameters, bodies and answers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
}

/// One parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name, as the document spells it.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Whether it must be there.
    pub required: bool,
    /// Its schema, references followed.
    pub schema: Value,
}

/// What a request's body looks like.
pub struct BodyShape {
    /// Its media type.
    pub media: String,
    /// Whether there must be one.
    pub required: bool,
    /// Its schema, as written.
    pub schema: Value,
    /// The schema, ready to judge.
    pub validator: Validator,
}

/// What an answer looks like.
pub struct AnswerShape {
    /// Its media type; empty when it has no body.
    pub media: String,
    /// Its schema, when it has one.
    pub validator: Option<Validator>,
}

/// One operation.
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path with its parameters in braces.
    pub template: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its body.
    pub body: Option<BodyShape>,
    /// Its answers by status. `default` is not among them: it documents nothing.
    pub answers: BTreeMap<u16, AnswerShape>,
}

/// A whole document.
pub struct Document {
    root: Value,
}

impl Document {
    /// The document as it was answered.
    pub const fn new(root: Value) -> Self {
        Self { root }
    }

    /// All operations, by path and method.
    pub fn operations(&self) -> Result<Vec<Operation>> {
        let mut found = Vec::new();
        for (template, item) in members(&self.root["paths"]) {
            for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
                if let Some(operation) = item.get(method.as_str().to_lowercase()) {
                    let read = self.operation(method.clone(), template, operation);
                    found.push(read.with_context(|| format!("{method} {template}"))?);
                }
            }
        }
        Ok(found)
    }

    /// The schema a reference leads to; the schema itself when it is none.
    pub fn follow<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"].as_str().and_then(|at| self.root.pointer(at.trim_start_matches('#')));
        target.map_or(schema, |target| self.follow(target))
    }

    /// A schema ready to judge, with everything it refers to.
    fn validator(&self, schema: &Value) -> Result<Validator> {
        let whole = json!({ "allOf": [schema], "components": self.root["components"] });
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        options.build(&whole).map_err(|error| anyhow!("{error}"))
    }

    fn operation(&self, method: Method, template: &str, operation: &Value) -> Result<Operation> {
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(|it| self.parameter(it));
        let mut answers = BTreeMap::new();
        for (status, answer) in members(&operation["responses"]) {
            if let Ok(status) = status.parse() {
                answers.insert(status, self.answer(self.follow(answer))?);
            }
        }
        Ok(Operation {
            method,
            template: template.to_owned(),
            parameters: parameters.collect::<Result<_>>()?,
            body: operation.get("requestBody").map(|body| self.body(body)).transpose()?,
            answers,
        })
    }

    fn parameter(&self, parameter: &Value) -> Result<Parameter> {
        let place = match parameter["in"].as_str() {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            Some("header") => Place::Header,
            other => anyhow::bail!("a parameter in {other:?}"),
        };
        Ok(Parameter {
            name: parameter["name"].as_str().context("a parameter without a name")?.to_owned(),
            place,
            required: parameter["required"] == true,
            schema: self.follow(&parameter["schema"]).clone(),
        })
    }

    fn body(&self, body: &Value) -> Result<BodyShape> {
        let (media, content) = members(&body["content"]).next().context("a body without a media type")?;
        let schema = content["schema"].clone();
        let validator = self.validator(&schema)?;
        Ok(BodyShape { media: media.clone(), required: body["required"] == true, schema, validator })
    }

    fn answer(&self, answer: &Value) -> Result<AnswerShape> {
        let Some((media, content)) = members(&answer["content"]).next() else {
            return Ok(AnswerShape { media: String::new(), validator: None });
        };
        let validator = content.get("schema").map(|schema| self.validator(schema)).transpose()?;
        Ok(AnswerShape { media: media.clone(), validator })
    }
}

impl Operation {
    /// `METHOD /path/{with}/braces`.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// Whether it only reads.
    pub fn is_safe(&self) -> bool {
        self.method == Method::GET
    }

    /// Its parameters at one place.
    pub fn parameters_in(&self, place: Place) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(move |parameter| parameter.place == place)
    }

    /// A header it takes.
    pub fn header(&self, name: &str) -> Option<&Parameter> {
        self.parameters_in(Place::Header).find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

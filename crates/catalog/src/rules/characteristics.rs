//! Typed characteristics: whether a declaration makes sense, and whether values satisfy it.
//!
//! Patterns come from tenants, so they run on an engine that is linear in the text and bounded in size.

use std::collections::BTreeSet;

use cache_ports::catalog::{Characteristic, CharacteristicValue, ValueType};
use kernel::decimal_text;
use regex::{Regex, RegexBuilder};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::model::Finding;

/// Characters of a text value; longer texts are documents, not characteristics.
pub const MAX_TEXT_CHARS: usize = 1_000;
/// Characters of a pattern.
pub const MAX_PATTERN_CHARS: usize = 500;
/// Bytes of a compiled pattern: a tenant's pattern must not cost more memory than its page.
const MAX_PATTERN_BYTES: usize = 256 * 1024;
/// Values listed as allowed; more is reference data, not a characteristic.
pub const MAX_ALLOWED_VALUES: usize = 500;
/// Values one characteristic may hold.
pub const MAX_CARDINALITY: u32 = 100;

/// A characteristic ready to judge values: its pattern is compiled once.
pub struct Judge<'a> {
    declaration: &'a Characteristic,
    pattern: Option<Regex>,
}

impl<'a> Judge<'a> {
    /// Fails on a pattern that is not a regular expression or is too large.
    pub fn new(declaration: &'a Characteristic) -> Result<Self, regex::Error> {
        let whole =
            |pattern: &String| RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(MAX_PATTERN_BYTES).build();
        Ok(Self { declaration, pattern: declaration.regex.as_ref().map(whole).transpose()? })
    }

    /// The value in its canonical form, or the code and reason of its refusal.
    pub fn value(&self, raw: &Value) -> Result<CharacteristicValue, (&'static str, String)> {
        let value = typed(self.declaration.value_type, raw)?;
        self.within_range(&value)?;
        if let (Some(pattern), CharacteristicValue::Text(text)) = (&self.pattern, &value)
            && !pattern.is_match(text)
        {
            return Err(("pattern", format!("does not match {}", pattern.as_str())));
        }
        let allowed = &self.declaration.allowed_values;
        let is_this = |one: &CharacteristicValue| canonical(self.declaration.value_type, one) == value;
        if !allowed.is_empty() && !allowed.iter().any(is_this) {
            return Err(("not-allowed", "is not one of the allowed values".to_owned()));
        }
        Ok(value)
    }

    /// The values of one configuration, canonical and in order; `pointer` is where they stand.
    pub fn values(&self, raw: &Value, pointer: &str) -> Result<Vec<CharacteristicValue>, Vec<Finding>> {
        let (listed, members): (bool, &[Value]) = match raw {
            Value::Array(members) => (true, members),
            single => (false, std::slice::from_ref(single)),
        };
        if let Some(finding) = self.wrong_count(members.len(), pointer) {
            return Err(vec![finding]);
        }
        let mut findings = Vec::new();
        let mut values = BTreeSet::new();
        for (index, member) in members.iter().enumerate() {
            let here = if listed { format!("{pointer}/{index}") } else { pointer.to_owned() };
            match self.value(member) {
                Ok(value) => {
                    if !values.insert(value) {
                        findings.push(Finding::new(here, "duplicate", "the same value stands here twice"));
                    }
                }
                Err((code, detail)) => findings.push(Finding::new(here, code, detail)),
            }
        }
        if findings.is_empty() { Ok(values.into_iter().collect()) } else { Err(findings) }
    }

    fn wrong_count(&self, count: usize, pointer: &str) -> Option<Finding> {
        let Characteristic { min_cardinality: min, max_cardinality: max, .. } = *self.declaration;
        let fits = u32::try_from(count).is_ok_and(|count| (min..=max).contains(&count));
        (!fits).then(|| Finding::new(pointer, "cardinality", format!("takes {min} to {max} values, not {count}")))
    }

    fn within_range(&self, value: &CharacteristicValue) -> Result<(), (&'static str, String)> {
        let Some(number) = number(self.declaration.value_type, value) else { return Ok(()) };
        if let Some(minimum) = self.declaration.minimum.filter(|minimum| number < *minimum) {
            return Err(("minimum", format!("is less than {minimum}")));
        }
        if let Some(maximum) = self.declaration.maximum.filter(|maximum| number > *maximum) {
            return Err(("maximum", format!("is more than {maximum}")));
        }
        Ok(())
    }
}

/// What is wrong with a list of characteristic declarations; pointers start at the list.
pub fn check_declarations(declarations: &[Characteristic]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    for (index, declaration) in declarations.iter().enumerate() {
        let here = format!("/{index}");
        let texts = [Some(&declaration.name), declaration.regex.as_ref()];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            findings.push(Finding::new(here.as_str(), "character", "may not contain U+0000"));
        }
        if declaration.name.trim().is_empty() || declaration.name.chars().count() > 100 {
            findings.push(Finding::new(format!("{here}/name"), "length", "a name has 1 to 100 characters"));
        } else if !names.insert(declaration.name.as_str()) {
            findings.push(Finding::new(format!("{here}/name"), "duplicate", "another characteristic has this name"));
        }
        findings.extend(check_facets(declaration).into_iter().map(|finding| finding.under(&here)));
    }
    findings
}

fn check_facets(declaration: &Characteristic) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Characteristic { value_type, min_cardinality: min, max_cardinality: max, .. } = *declaration;
    if max == 0 || max > MAX_CARDINALITY {
        findings.push(Finding::new("/maxCardinality", "range", format!("is from 1 to {MAX_CARDINALITY}")));
    } else if min > max {
        findings.push(Finding::new("/minCardinality", "range", "is not more than maxCardinality"));
    }
    let numeric = matches!(value_type, ValueType::Integer | ValueType::Decimal);
    for (facet, present) in [("/minimum", declaration.minimum.is_some()), ("/maximum", declaration.maximum.is_some())] {
        if present && !numeric {
            findings.push(Finding::new(facet, "facet", "only numbers have bounds"));
        }
    }
    if let (Some(minimum), Some(maximum)) = (declaration.minimum, declaration.maximum)
        && minimum > maximum
    {
        findings.push(Finding::new("/minimum", "range", "is not more than maximum"));
    }
    findings.extend(check_pattern(declaration));
    // A pattern that cannot run has been reported; the values cannot be judged without it.
    if let Ok(judge) = Judge::new(declaration) {
        findings.extend(check_own_values(&judge));
    }
    findings
}

fn check_pattern(declaration: &Characteristic) -> Option<Finding> {
    let pattern = declaration.regex.as_ref()?;
    if declaration.value_type != ValueType::String {
        return Some(Finding::new("/regex", "facet", "only strings have a pattern"));
    }
    if pattern.chars().count() > MAX_PATTERN_CHARS {
        return Some(Finding::new("/regex", "length", format!("has at most {MAX_PATTERN_CHARS} characters")));
    }
    let unusable = Judge::new(declaration).is_err();
    unusable.then(|| Finding::new("/regex", "pattern", "is not a regular expression we can run"))
}

/// Allowed and default values must satisfy the other facets, or no configuration ever could.
fn check_own_values(judge: &Judge<'_>) -> Vec<Finding> {
    let declaration = judge.declaration;
    let mut findings = Vec::new();
    if declaration.allowed_values.len() > MAX_ALLOWED_VALUES {
        findings.push(Finding::new("/allowedValues", "length", format!("has at most {MAX_ALLOWED_VALUES} values")));
        return findings;
    }
    for (list, values) in
        [("allowedValues", &declaration.allowed_values), ("defaultValues", &declaration.default_values)]
    {
        let mut seen = BTreeSet::new();
        for (index, value) in values.iter().enumerate() {
            match judge.value(&to_json(value)) {
                Ok(canonical) => {
                    if !seen.insert(canonical) {
                        findings.push(Finding::new(format!("/{list}/{index}"), "duplicate", "stands here twice"));
                    }
                }
                Err((code, detail)) => findings.push(Finding::new(format!("/{list}/{index}"), code, detail)),
            }
        }
    }
    let defaults = declaration.default_values.len();
    if defaults > 0 || !declaration.configurable {
        findings.extend(judge.wrong_count(defaults, "/defaultValues"));
    }
    findings
}

/// A value as JSON.
pub fn to_json(value: &CharacteristicValue) -> Value {
    match value {
        CharacteristicValue::Boolean(flag) => Value::Bool(*flag),
        CharacteristicValue::Integer(number) => Value::from(*number),
        CharacteristicValue::Text(text) => Value::String(text.clone()),
    }
}

fn typed(value_type: ValueType, raw: &Value) -> Result<CharacteristicValue, (&'static str, String)> {
    let wanted = |what: &str| ("type", format!("is {what}"));
    match value_type {
        ValueType::Boolean => raw.as_bool().map(CharacteristicValue::Boolean).ok_or_else(|| wanted("true or false")),
        ValueType::Integer => raw.as_i64().map(CharacteristicValue::Integer).ok_or_else(|| wanted("a whole number")),
        ValueType::Decimal => {
            let number = raw.as_str().and_then(|text| decimal_text::parse(text).ok());
            let number = number.ok_or_else(|| wanted("a decimal written as a string"))?;
            Ok(CharacteristicValue::Text(number.normalize().to_string()))
        }
        ValueType::String => {
            let text = raw.as_str().ok_or_else(|| wanted("a string"))?;
            if text.contains('\0') {
                return Err(("character", "may not contain U+0000".to_owned()));
            }
            if text.chars().count() > MAX_TEXT_CHARS {
                return Err(("length", format!("has at most {MAX_TEXT_CHARS} characters")));
            }
            Ok(CharacteristicValue::Text(text.to_owned()))
        }
    }
}

fn canonical(value_type: ValueType, value: &CharacteristicValue) -> CharacteristicValue {
    typed(value_type, &to_json(value)).unwrap_or_else(|_| value.clone())
}

fn number(value_type: ValueType, value: &CharacteristicValue) -> Option<Decimal> {
    match (value_type, value) {
        (ValueType::Integer, CharacteristicValue::Integer(number)) => Some(Decimal::from(*number)),
        (ValueType::Decimal, CharacteristicValue::Text(text)) => decimal_text::parse(text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(json: Value) -> Characteristic {
        serde_json::from_value(json).unwrap()
    }

    fn codes(findings: &[Finding]) -> Vec<(&str, &str)> {
        findings.iter().map(|finding| (finding.pointer.as_str(), finding.code)).collect()
    }

    #[test]
    fn a_pattern_matches_the_whole_text_or_nothing() {
        let colour = declared(json!({"name": "colour", "valueType": "string", "regex": "red|blue"}));
        let judge = Judge::new(&colour).unwrap();
        assert!(judge.value(&json!("red")).is_ok());
        for wrong in ["reddish", "dark red", "red\n", ""] {
            assert_eq!(judge.value(&json!(wrong)).unwrap_err().0, "pattern", "{wrong:?}");
        }
    }

    #[test]
    fn decimals_are_equal_by_number_and_come_out_canonical() {
        let weight = declared(json!({"name": "kg", "valueType": "decimal", "allowedValues": ["1.50", "2"]}));
        let judge = Judge::new(&weight).unwrap();
        assert_eq!(judge.value(&json!("1.5")).unwrap(), CharacteristicValue::Text("1.5".to_owned()));
        assert_eq!(judge.value(&json!("2.000")).unwrap(), CharacteristicValue::Text("2".to_owned()));
        assert_eq!(judge.value(&json!("1.51")).unwrap_err().0, "not-allowed");
        for wrong in [json!(1.5), json!(2), json!("1e3"), json!("x"), json!(null)] {
            assert_eq!(judge.value(&wrong).unwrap_err().0, "type", "{wrong}");
        }
    }

    #[test]
    fn a_declaration_that_no_value_could_satisfy_is_refused() {
        for (declaration, pointer, code) in [
            (json!({"name": "", "valueType": "string"}), "/0/name", "length"),
            (json!({"name": "a", "valueType": "string", "minimum": "1"}), "/0/minimum", "facet"),
            (json!({"name": "a", "valueType": "integer", "regex": "1"}), "/0/regex", "facet"),
            (json!({"name": "a", "valueType": "string", "regex": "("}), "/0/regex", "pattern"),
            (json!({"name": "a", "valueType": "string", "regex": "(?=x)"}), "/0/regex", "pattern"),
            (json!({"name": "a", "valueType": "string", "regex": "(x{1000}){1000}"}), "/0/regex", "pattern"),
            (json!({"name": "a", "valueType": "integer", "minimum": "2", "maximum": "1"}), "/0/minimum", "range"),
            (json!({"name": "a", "valueType": "integer", "maxCardinality": 0}), "/0/maxCardinality", "range"),
            (json!({"name": "a", "valueType": "integer", "minCardinality": 2}), "/0/minCardinality", "range"),
            (json!({"name": "a", "valueType": "integer", "allowedValues": ["x"]}), "/0/allowedValues/0", "type"),
            (json!({"name": "a", "valueType": "integer", "allowedValues": [1, 1]}), "/0/allowedValues/1", "duplicate"),
            (
                json!({"name": "a", "valueType": "integer", "maximum": "5", "defaultValues": [6]}),
                "/0/defaultValues/0",
                "maximum",
            ),
            (
                json!({"name": "a", "valueType": "boolean", "configurable": false, "minCardinality": 1}),
                "/0/defaultValues",
                "cardinality",
            ),
        ] {
            let findings = check_declarations(&[declared(declaration.clone())]);
            assert!(codes(&findings).contains(&(pointer, code)), "{declaration}: {findings:?}");
        }
        let twice = declared(json!({"name": "a", "valueType": "boolean"}));
        assert_eq!(codes(&check_declarations(&[twice.clone(), twice])), [("/1/name", "duplicate")]);
    }
}

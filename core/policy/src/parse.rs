//! HuJSON text to [`Document`]. It knows fields and shapes; what names mean is checked in `compile.rs`.

use std::collections::BTreeMap;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::document::{Acl, Document, Spot};
use crate::{PolicyError, limits};

/// HuJSON is JSON with comments and trailing commas; the parser's own default is far more lax.
const HUJSON: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Fields that the language has and this version does not obey yet. Ignoring them would open what they close.
const NOT_YET: [&str; 10] = [
    "grants",
    "ssh",
    "nodeattrs",
    "autoapprovers",
    "tests",
    "sshtests",
    "postures",
    "ipsets",
    "derpmap",
    "randomizeclientport",
];

/// Reads a policy.
pub(crate) fn document(text: &str) -> Result<Document, PolicyError> {
    if text.len() > limits::TEXT_BYTES_MAX {
        let message = format!("the policy is longer than {} bytes", limits::TEXT_BYTES_MAX);
        return Err(PolicyError { line: 1, column: 1, message });
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &HUJSON)
        .map_err(|error| PolicyError::at(text, error.range().start, error.kind().to_string()))?;
    let reader = Reader { text };
    match parsed.value {
        Some(Value::Object(object)) => reader.document(&object),
        Some(other) => Err(reader.error(&other, "a policy is an object: { ... }")),
        None => Err(PolicyError::at(text, 0, "the policy is empty; an empty object {} allows everything")),
    }
}

/// Turns syntax into values, and says where it could not.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, place: &impl Ranged, message: impl Into<String>) -> PolicyError {
        PolicyError::at(self.text, place.range().start, message)
    }

    /// The fields of an object, names in lower case (Go reads them so), each once.
    fn fields<'b, 'c>(&self, object: &'b Object<'c>) -> Result<Vec<(String, &'b ObjectProp<'c>)>, PolicyError> {
        let mut seen: BTreeMap<String, ()> = BTreeMap::new();
        let mut fields = Vec::new();
        for field in &object.properties {
            let name = field.name.as_str().to_owned();
            if seen.insert(name.to_ascii_lowercase(), ()).is_some() {
                return Err(self.error(field, format!("\"{name}\" stands here a second time")));
            }
            fields.push((name, field));
        }
        Ok(fields)
    }

    fn document(&self, object: &Object<'_>) -> Result<Document, PolicyError> {
        let mut document = Document::default();
        for (name, field) in self.fields(object)? {
            match name.to_ascii_lowercase().as_str() {
                "groups" => document.groups = self.lists(&field.value)?,
                "tagowners" => document.tag_owners = self.lists(&field.value)?,
                "hosts" => {
                    for (host, address) in self.fields(self.object(&field.value)?)? {
                        document.hosts.insert(host, self.string(&address.value)?);
                    }
                }
                "acls" => {
                    let rules = self.array(&field.value)?;
                    if rules.len() > limits::RULES_MAX {
                        return Err(self.error(field, format!("more than {} rules", limits::RULES_MAX)));
                    }
                    document.acls = Some(rules.iter().map(|rule| self.acl(rule)).collect::<Result<_, _>>()?);
                }
                other if NOT_YET.contains(&other) => {
                    return Err(self.error(field, format!("\"{name}\" is not supported by this version")));
                }
                _ => return Err(self.error(field, format!("unknown field \"{name}\""))),
            }
        }
        Ok(document)
    }

    fn acl(&self, value: &Value<'_>) -> Result<Acl, PolicyError> {
        let object = self.object(value)?;
        let (mut action, mut sources, mut targets, mut protocol) = (None, None, None, None);
        for (name, field) in self.fields(object)? {
            match name.to_ascii_lowercase().as_str() {
                "action" => action = Some(self.string(&field.value)?),
                "src" => sources = Some(self.strings(&field.value)?),
                "dst" => targets = Some(self.strings(&field.value)?),
                "proto" => protocol = Some(self.string(&field.value)?).filter(|proto| !proto.text.is_empty()),
                _ => return Err(self.error(field, format!("unknown field \"{name}\" in a rule"))),
            }
        }
        match action {
            Some(action) if action.text == "accept" => {}
            Some(action) => {
                let message = format!("action \"{}\" is not \"accept\"; what no rule accepts is dropped", action.text);
                return Err(PolicyError::at(self.text, action.at, message));
            }
            None => return Err(self.error(value, "a rule needs \"action\": \"accept\"")),
        }
        let sources = sources.ok_or_else(|| self.error(value, "a rule needs \"src\""))?;
        let targets = targets.ok_or_else(|| self.error(value, "a rule needs \"dst\""))?;
        Ok(Acl { sources, targets, protocol })
    }

    /// An object whose values are lists of strings.
    fn lists(&self, value: &Value<'_>) -> Result<BTreeMap<String, Vec<Spot>>, PolicyError> {
        let fields = self.fields(self.object(value)?)?;
        fields.into_iter().map(|(name, field)| Ok((name, self.strings(&field.value)?))).collect()
    }

    fn object<'b, 'c>(&self, value: &'b Value<'c>) -> Result<&'b Object<'c>, PolicyError> {
        value.as_object().ok_or_else(|| self.error(value, "an object { ... } belongs here"))
    }

    fn array<'b, 'c>(&self, value: &'b Value<'c>) -> Result<&'b [Value<'c>], PolicyError> {
        let array = value.as_array().ok_or_else(|| self.error(value, "a list [ ... ] belongs here"))?;
        Ok(&array.elements)
    }

    fn strings(&self, value: &Value<'_>) -> Result<Vec<Spot>, PolicyError> {
        self.array(value)?.iter().map(|element| self.string(element)).collect()
    }

    fn string(&self, value: &Value<'_>) -> Result<Spot, PolicyError> {
        let string = value.as_string_lit().ok_or_else(|| self.error(value, "a string belongs here"))?;
        Ok(Spot { text: string.value.to_string(), at: string.range.start })
    }
}

//! Reading a call's arguments so that every refusal names the field, what was sent and what
//! would do. Unknown fields are no error, because some clients add their own; what was sent and
//! never looked at can be told beside the answer, because it may have been meant.

use exai_engine::tool::{ToolCall, ToolError};
use serde_json::{Map, Value};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
};

/// Fields that clients add to every call.
const OF_CLIENTS: [&str; 1] = ["wait_for_previous"];
/// Unused fields that are named.
const MOST_NAMED: usize = 8;

/// A call's arguments.
pub(crate) struct Args {
    fields: Map<String, Value>,
    /// Fields that somebody has looked at.
    read: Mutex<BTreeSet<String>>,
}

impl Args {
    /// Reads them all.
    ///
    /// # Errors
    /// When they are no object, or a key stands twice.
    pub(crate) fn of(call: &ToolCall) -> Result<Self, ToolError> {
        call.decode().map(|fields| Self {
            fields,
            read: Mutex::default(),
        })
    }

    /// These are known, and nothing is made of them.
    pub(crate) fn know(&self, fields: &[&str]) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.extend(fields.iter().map(|field| (*field).to_owned()));
    }

    /// What was sent and nobody looked at, in a sentence; to be asked for when all is read.
    pub(crate) fn unused(&self) -> Option<String> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let says_nothing = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        let unused = self.fields.iter().filter(|(field, value)| {
            !read.contains(*field)
                && !says_nothing(value)
                && !field.starts_with('_')
                && !OF_CLIENTS.contains(&field.as_str())
        });
        let names: Vec<String> = unused
            .take(MOST_NAMED)
            .map(|(field, _)| format!("'{}'", field.chars().take(40).collect::<String>()))
            .collect();
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("NOT USED, because this tool has no such field: {names}")
        })
    }

    /// Those of these fields that were sent, as they were sent; an empty text counts as not sent.
    pub(crate) fn sent_of(&self, fields: &[&str]) -> Map<String, Value> {
        let sent = fields.iter().filter_map(|field| {
            let value = self.sent(field).filter(|value| **value != "")?;
            Some(((*field).to_owned(), value.clone()))
        });
        sent.collect()
    }

    /// The same with what was not sent taken from here.
    pub(crate) fn or(mut self, others: Map<String, Value>) -> Self {
        for (field, value) in others {
            if self.sent(&field).is_none_or(|sent| *sent == "") {
                self.fields.insert(field, value);
            }
        }
        self
    }

    /// A text that must be there and not empty.
    pub(crate) fn required_text(&self, field: &str) -> Result<&str, ToolError> {
        match self.text(field)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(ToolError::invalid(format!(
                "'{field}' is empty; it must hold some text"
            ))),
            None => Err(ToolError::invalid(format!(
                "'{field}' is missing; send it as a string"
            ))),
        }
    }

    /// A text, where sent.
    pub(crate) fn text(&self, field: &str) -> Result<Option<&str>, ToolError> {
        match self.sent(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(field, "a string", other)),
        }
    }

    /// A yes or no.
    pub(crate) fn flag(&self, field: &str, default: bool) -> Result<bool, ToolError> {
        match self.sent(field) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong(field, "true or false", other)),
        }
    }

    /// A whole number within limits.
    pub(crate) fn number(
        &self,
        field: &str,
        default: u64,
        limits: RangeInclusive<u64>,
    ) -> Result<u64, ToolError> {
        let Some(value) = self.sent(field) else {
            return Ok(default);
        };
        let (low, high) = (limits.start(), limits.end());
        match whole(value) {
            Some(number) if limits.contains(&number) => Ok(number),
            _ => Err(wrong(
                field,
                &format!("a whole number from {low} to {high}"),
                value,
            )),
        }
    }

    /// A number within limits, where sent.
    pub(crate) fn decimal(
        &self,
        field: &str,
        limits: RangeInclusive<f64>,
    ) -> Result<Option<f64>, ToolError> {
        let Some(value) = self.sent(field) else {
            return Ok(None);
        };
        let (low, high) = (limits.start(), limits.end());
        match value.as_f64() {
            Some(number) if limits.contains(&number) => Ok(Some(number)),
            _ => Err(wrong(
                field,
                &format!("a number from {low} to {high}"),
                value,
            )),
        }
    }

    /// A list of texts. One text is a list of one: a model that forgot the brackets meant it.
    pub(crate) fn texts(&self, field: &str) -> Result<Vec<String>, ToolError> {
        let refused = |value: &Value| wrong(field, "a list of strings", value);
        match self.sent(field) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    _ => Err(refused(item)),
                })
                .collect(),
            Some(other) => Err(refused(other)),
        }
    }

    /// A list of anything.
    pub(crate) fn list(&self, field: &str) -> Result<&[Value], ToolError> {
        match self.sent(field) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(wrong(field, "a list", other)),
        }
    }

    /// Whether it was sent.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.sent(field).is_some()
    }

    /// One of a few words.
    pub(crate) fn choice(
        &self,
        field: &str,
        words: &[&'static str],
        default: &'static str,
    ) -> Result<&'static str, ToolError> {
        let Some(value) = self.sent(field) else {
            return Ok(default);
        };
        let sent = value.as_str().unwrap_or_default();
        words
            .iter()
            .find(|word| **word == sent)
            .copied()
            .ok_or_else(|| {
                let mut wanted = String::from("one of ");
                for (at, word) in words.iter().enumerate() {
                    let _ = write!(wanted, "{}'{word}'", if at == 0 { "" } else { ", " });
                }
                wrong(field, &wanted, value)
            })
    }

    /// `null` counts as not sent.
    fn sent(&self, field: &str) -> Option<&Value> {
        self.know(&[field]);
        self.fields.get(field).filter(|value| !value.is_null())
    }
}

/// Some clients write every number with a fraction.
fn whole(value: &Value) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole, positive and below 2^53"
        )]
        (number.fract() == 0.0 && (0.0..EXACT).contains(&number)).then_some(number as u64)
    })
}

fn wrong(field: &str, wanted: &str, got: &Value) -> ToolError {
    const SHOWN: usize = 60;
    let mut shown: String = got.to_string();
    if shown.chars().count() > SHOWN {
        shown = shown.chars().take(SHOWN).chain("…".chars()).collect();
    }
    ToolError::invalid(format!("'{field}' must be {wanted}; got {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::call;
    use exai_protocol::Code;

    fn args(json: &str) -> Args {
        Args::of(&call(json)).unwrap()
    }

    fn refusal<T>(result: Result<T, ToolError>) -> String {
        let error = result.err().expect("a refusal");
        assert_eq!(error.code, Code::InvalidArgument);
        error.message
    }

    #[test]
    fn absent_and_null_mean_the_default() {
        for json in ["{}", r#"{"n":null,"f":null,"c":null,"t":null}"#] {
            let args = args(json);
            assert_eq!(args.number("n", 7, 1..=9).unwrap(), 7);
            assert!(args.flag("f", true).unwrap());
            assert_eq!(args.choice("c", &["a", "b"], "b").unwrap(), "b");
            assert_eq!(args.text("t").unwrap(), None);
        }
    }

    #[test]
    fn refusals_name_the_field_the_limit_and_what_came() {
        let args = args(r#"{"n":0,"m":"5","x":1.5,"f":"yes","c":"z","t":[1],"e":"  "}"#);
        assert_eq!(
            refusal(args.number("n", 1, 1..=9)),
            "'n' must be a whole number from 1 to 9; got 0"
        );
        assert_eq!(
            refusal(args.number("m", 1, 1..=9)),
            "'m' must be a whole number from 1 to 9; got \"5\""
        );
        assert_eq!(
            refusal(args.number("x", 1, 1..=9)),
            "'x' must be a whole number from 1 to 9; got 1.5"
        );
        assert_eq!(
            refusal(args.flag("f", true)),
            "'f' must be true or false; got \"yes\""
        );
        assert_eq!(
            refusal(args.choice("c", &["a", "b"], "a")),
            "'c' must be one of 'a', 'b'; got \"z\""
        );
        assert_eq!(refusal(args.text("t")), "'t' must be a string; got [1]");
        assert_eq!(
            refusal(args.required_text("e")),
            "'e' is empty; it must hold some text"
        );
        assert_eq!(
            refusal(args.required_text("gone")),
            "'gone' is missing; send it as a string"
        );
    }

    #[test]
    fn whole_numbers_may_carry_a_fraction_of_nothing() {
        assert_eq!(args(r#"{"n":20.0}"#).number("n", 1, 1..=200).unwrap(), 20);
        assert!(args(r#"{"n":-1}"#).number("n", 1, 0..=200).is_err());
        assert!(args(r#"{"n":1e300}"#).number("n", 1, 0..=u64::MAX).is_err());
    }

    #[test]
    fn lists_take_one_text_for_a_list_of_one() {
        let args = args(r#"{"a":"x","b":["x","y"],"c":[1],"d":{},"e":"","f":[]}"#);
        assert_eq!(args.texts("a").unwrap(), ["x"]);
        assert_eq!(args.texts("b").unwrap(), ["x", "y"]);
        for empty in ["e", "f", "g"] {
            assert!(args.texts(empty).unwrap().is_empty());
        }
        assert_eq!(
            refusal(args.texts("c")),
            "'c' must be a list of strings; got 1"
        );
        assert_eq!(
            refusal(args.texts("d")),
            "'d' must be a list of strings; got {}"
        );
    }

    #[test]
    fn decimals_have_limits() {
        let args = args(r#"{"t":0.5,"u":2,"v":2.1,"w":"0.5"}"#);
        assert_eq!(args.decimal("t", 0.0..=2.0).unwrap(), Some(0.5));
        assert_eq!(args.decimal("u", 0.0..=2.0).unwrap(), Some(2.0));
        assert_eq!(args.decimal("x", 0.0..=2.0).unwrap(), None);
        for field in ["v", "w"] {
            let words = refusal(args.decimal(field, 0.0..=2.0));
            assert!(words.contains("a number from 0 to 2"), "{words}");
        }
    }

    #[test]
    fn a_long_wrong_value_is_not_repeated_whole() {
        let long = format!(r#"{{"n":"{}"}}"#, "é".repeat(10_000));
        assert!(refusal(args(&long).number("n", 1, 1..=9)).len() < 300);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let message = refusal(Args::of(&call(r#"{"n":1,"n":2}"#)));
        assert!(message.contains("\"n\""), "{message}");
    }

    #[test]
    fn unknown_fields_are_no_error_and_are_told() {
        let args = args(
            r#"{"wait_for_previous":true,"_x":1,"path":"a","paths":["a"],"no":false,"old":1}"#,
        );
        assert!(args.flag("probe", false).is_ok() && args.text("path").is_ok());
        args.know(&["old"]);
        let told = args.unused().unwrap();
        assert_eq!(
            told,
            "NOT USED, because this tool has no such field: 'paths'"
        );
    }
}

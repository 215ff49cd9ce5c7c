//! Envelope first, payload second: a JSON object read one level deep. Its values stay the
//! sender's bytes, so what only passes through is never parsed again; a duplicate key is
//! refused, because two readers of it could disagree.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// The fields of one object, in the order they were sent.
#[derive(Debug)]
pub struct RawObject<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// A field that is there but of another kind than asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongKind;

impl<'a> RawObject<'a> {
    /// Reads one object.
    ///
    /// # Errors
    /// When the text is not one JSON object, or a key stands twice in it.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The raw value of a field; `null` counts as absent.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&'a RawValue> {
        self.any(key).filter(|value| value.get() != "null")
    }

    /// The raw value of a field, `null` included.
    #[must_use]
    pub fn any(&self, key: &str) -> Option<&'a RawValue> {
        self.fields
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| *value)
    }

    /// A string field.
    ///
    /// # Errors
    /// [`WrongKind`] when it is there and not a string.
    pub fn string(&self, key: &str) -> Result<Option<Cow<'a, str>>, WrongKind> {
        self.raw(key).map(string_of).transpose()
    }

    /// A field of any type that serde can read.
    ///
    /// # Errors
    /// What serde says of it.
    pub fn typed<T: Deserialize<'a>>(&self, key: &str) -> Result<Option<T>, serde_json::Error> {
        self.raw(key)
            .map(|raw| serde_json::from_str(raw.get()))
            .transpose()
    }

    /// All fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_ref(), *value))
    }
}

/// Borrows the string where it holds no escapes, which is nearly always.
pub(crate) fn string_of(raw: &RawValue) -> Result<Cow<'_, str>, WrongKind> {
    let text = raw.get();
    if !text.starts_with('"') {
        return Err(WrongKind);
    }
    serde_json::from_str::<&str>(text)
        .map(Cow::Borrowed)
        .or_else(|_| serde_json::from_str::<String>(text).map(Cow::Owned))
        .map_err(|_| WrongKind)
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(8);
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    if fields.iter().any(|(name, _)| *name == key.0) {
                        return Err(M::Error::custom(format_args!("duplicate key {:?}", key.0)));
                    }
                    fields.push((key.0, map.next_value()?));
                }
                Ok(RawObject { fields })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A key, borrowed where possible (serde's own `Cow` always copies).
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Names the first key that stands twice in one object anywhere in `text`.
///
/// For arguments, whose depth [`crate::scan`] has bounded: tools that decode them call this
/// first, because serde's maps silently keep the last of two.
#[must_use]
pub fn duplicate_key(text: &str) -> Option<String> {
    serde_json::from_str::<NoDuplicates>(text)
        .err()
        .filter(serde_json::Error::is_data)
        .map(|error| error.to_string())
}

struct NoDuplicates;

impl<'de> Deserialize<'de> for NoDuplicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = NoDuplicates;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<NoDuplicates, M::Error> {
                let mut seen = std::collections::HashSet::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    map.next_value::<NoDuplicates>()?;
                    let repeated = format!("duplicate key {:?}", key.0);
                    if !seen.insert(key.0) {
                        return Err(M::Error::custom(repeated));
                    }
                }
                Ok(NoDuplicates)
            }
            fn visit_seq<S: serde::de::SeqAccess<'de>>(
                self,
                mut seq: S,
            ) -> Result<NoDuplicates, S::Error> {
                while seq.next_element::<NoDuplicates>()?.is_some() {}
                Ok(NoDuplicates)
            }
            fn visit_bool<E>(self, _: bool) -> Result<NoDuplicates, E> {
                Ok(NoDuplicates)
            }
            fn visit_i64<E>(self, _: i64) -> Result<NoDuplicates, E> {
                Ok(NoDuplicates)
            }
            fn visit_u64<E>(self, _: u64) -> Result<NoDuplicates, E> {
                Ok(NoDuplicates)
            }
            fn visit_f64<E>(self, _: f64) -> Result<NoDuplicates, E> {
                Ok(NoDuplicates)
            }
            fn visit_str<E>(self, _: &str) -> Result<NoDuplicates, E> {
                Ok(NoDuplicates)
            }
            fn visit_unit<E>(self) -> Result<NoDuplicates, E> {
                Ok(NoDuplicates)
            }
        }
        deserializer.deserialize_any(Walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_the_senders_bytes() {
        let text = r#"{"op":"call_tool","arguments": { "a" : 1.00 } }"#;
        let object = RawObject::parse(text).unwrap();
        assert_eq!(object.raw("arguments").unwrap().get(), r#"{ "a" : 1.00 }"#);
        assert_eq!(object.string("op").unwrap().unwrap(), "call_tool");
        assert_eq!(object.string("arguments"), Err(WrongKind));
    }

    #[test]
    fn a_duplicate_key_is_refused_even_when_escaped() {
        let error = RawObject::parse(r#"{"op":"a","\u006fp":"b"}"#).unwrap_err();
        assert!(
            error.to_string().contains("duplicate key \"op\""),
            "{error}"
        );
    }

    #[test]
    fn null_counts_as_absent() {
        let object = RawObject::parse(r#"{"arguments":null}"#).unwrap();
        assert!(object.raw("arguments").is_none());
        assert!(object.any("arguments").is_some());
    }

    #[test]
    fn nested_duplicates_are_found() {
        assert!(
            duplicate_key(r#"{"a":[{"b":1,"b":2}]}"#)
                .unwrap()
                .contains("\"b\"")
        );
        assert_eq!(
            duplicate_key(r#"{"a":[{"b":1},{"b":2}],"c":-1.5e3,"d":null}"#),
            None
        );
    }
}

//! Parameters and results of any contract: JSON for people, MessagePack on the wire.

use std::fmt;

use anyhow::Context as _;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Value, json};
use wattle_core::{call::PARAMS_LEN_MAX, codec, control::UserReply};

use crate::{commands::Context, exit::Exit, problem::Problem};

/// The parameters' bytes: a JSON object by WIT names, in which `{"base64": "…"}` stands for bytes.
pub(super) fn encode(params: &str) -> anyhow::Result<Vec<u8>> {
    let value: Value = serde_json::from_str(params).map_err(|error| {
        Problem::new(Exit::Usage, format!("the parameters are not JSON: {error}"))
            .next("write them by name: '{\"bucket\": \"default\", \"key\": \"x\"}'")
    })?;
    let bytes = codec::encode(&ToWire(&value));
    anyhow::ensure!(
        bytes.len() <= PARAMS_LEN_MAX,
        "parameters of {} bytes, the limit is {PARAMS_LEN_MAX}",
        bytes.len()
    );
    Ok(bytes)
}

pub(super) fn show(context: &Context, reply: &UserReply) -> anyhow::Result<Exit> {
    let FromWire(result) =
        codec::decode(&reply.result, PARAMS_LEN_MAX).context("the function's result")?;
    let failed =
        result.as_object().is_some_and(|result| result.len() == 1 && result.contains_key("Err"));
    context.output.answer(&result, || match &result {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    });
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

/// Bytes in JSON: text where they are text.
pub(super) fn bytes_as_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

struct ToWire<'a>(&'a Value);

impl Serialize for ToWire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(values) => {
                let mut seq = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    seq.serialize_element(&ToWire(value))?;
                }
                seq.end()
            }
            Value::Object(fields) => {
                if let Some(bytes) = marked_bytes(fields) {
                    return serializer.serialize_bytes(&bytes);
                }
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, &ToWire(value))?;
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

fn marked_bytes(fields: &serde_json::Map<String, Value>) -> Option<Vec<u8>> {
    let text = fields.get("base64").filter(|_| fields.len() == 1)?.as_str()?;
    STANDARD.decode(text).ok()
}

struct FromWire(Value);

impl<'de> Deserialize<'de> for FromWire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        Ok(bytes_as_json(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(FromWire(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = serde_json::Map::new();
        while let Some((FromWire(key), FromWire(value))) = map.next_entry()? {
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_bytes::ByteBuf;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Params {
        bucket: String,
        key_name: String,
        value: ByteBuf,
        delta: Option<u64>,
    }

    #[test]
    fn json_becomes_what_a_contract_decodes() {
        let bytes =
            encode(r#"{"bucket":"b","key-name":"k","value":{"base64":"/w=="},"delta":null}"#)
                .expect("JSON");
        let params: Params = codec::decode(&bytes, 1_000).expect("by names");
        assert_eq!(
            params,
            Params {
                bucket: "b".to_owned(),
                key_name: "k".to_owned(),
                value: ByteBuf::from([0xff]),
                delta: None
            }
        );
    }

    #[test]
    fn text_may_stand_for_bytes() {
        let bytes =
            encode(r#"{"bucket":"b","key-name":"k","value":"hi","delta":7}"#).expect("JSON");
        let params: Params = codec::decode(&bytes, 1_000).expect("serde_bytes takes text");
        assert_eq!(params.value, "hi");
    }

    #[test]
    fn a_result_becomes_json_with_text_where_bytes_are_text() {
        let result: Result<Vec<Option<(u64, ByteBuf)>>, String> = Ok(vec![
            Some((u64::MAX, ByteBuf::from(*b"hi"))),
            None,
            Some((1, ByteBuf::from([0xff]))),
        ]);
        let FromWire(value) = codec::decode(&codec::encode(&result), 1_000).expect("any value");
        assert_eq!(value, json!({"Ok": [[u64::MAX, "hi"], null, [1, {"base64": "/w=="}]]}));
    }
}

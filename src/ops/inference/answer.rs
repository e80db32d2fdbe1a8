//! Answers of models: text, an embedding, or labels; and their judgement. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::options::Expectations;
use crate::setting::{EXPECT_CONTAINS, EXPECT_REGEX, MAX_LATENCY};

/// Content of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Text(String),
    Embedding(Vec<f64>),
    /// The best label first.
    Labels(Vec<Label>),
}

/// A label with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    pub label: String,
    pub score: f64,
}

/// Tokens of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    pub prompt: u64,
    pub completion: u64,
}

impl Tokens {
    /// Reads the `usage` of a chat model.
    pub(super) fn read(usage: &Value) -> Option<Self> {
        Some(Self {
            prompt: usage["prompt_tokens"].as_u64()?,
            completion: usage["completion_tokens"].as_u64().unwrap_or_default(),
        })
    }
}

impl Content {
    /// Returns the content as one text, for outputs.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Embedding(numbers) => Value::from(numbers.clone()).to_string(),
            Self::Labels(labels) => labels.first().map(|label| label.label.clone()).unwrap_or_default(),
        }
    }

    /// Returns the difference from what is expected, in words that follow "the result".
    pub(super) fn mismatch(&self, expected: &Expectations, latency: Duration) -> Option<String> {
        let text = self.text();
        if let Some(wanted) = expected.contains.as_deref().filter(|wanted| !text.contains(*wanted)) {
            return Some(format!("does not hold {EXPECT_CONTAINS}, `{wanted}`"));
        }
        if let Some(wanted) = expected.regex.as_ref().filter(|wanted| !wanted.is_match(&text)) {
            return Some(format!("does not match {EXPECT_REGEX}, `{wanted}`"));
        }
        if let (Some(wanted), Self::Labels(_)) = (&expected.label, self)
            && text != *wanted
        {
            return Some(format!("has the label `{text}`, not `{wanted}`"));
        }
        let most = expected.max_latency.filter(|most| latency > *most)?;
        let [took, most] = [latency, most].map(|time| time.as_secs_f64());
        Some(format!("took {took:.1} s, longer than {MAX_LATENCY} of {most:.1} s"))
    }
}

/// Reads an embedding. A model that answers with one for each token is averaged over its tokens.
pub(super) fn embedding(value: &Value) -> Option<Vec<f64>> {
    let list = value.as_array().filter(|list| !list.is_empty())?;
    if list.iter().all(Value::is_number) {
        return list.iter().map(Value::as_f64).collect();
    }
    let rows: Vec<Vec<f64>> = list.iter().map(embedding).collect::<Option<_>>()?;
    let width = rows.first()?.len();
    if rows.iter().any(|row| row.len() != width) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a text has fewer tokens than a float has exact integers")]
    let count = rows.len() as f64;
    Some((0..width).map(|column| rows.iter().map(|row| row[column]).sum::<f64>() / count).collect())
}

/// Reads labels, which come as a list or as a list in a list. The best one comes first.
pub(super) fn labels(value: &Value) -> Option<Vec<Label>> {
    let list = match value.as_array()?.first()? {
        Value::Array(_) => value.as_array()?.first()?,
        _ => value,
    };
    let mut labels: Vec<Label> = serde_json::from_value(list.clone()).ok()?;
    labels.sort_by(|one, other| other.score.total_cmp(&one.score));
    (!labels.is_empty()).then_some(labels)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn embeddings_of_tokens_are_averaged() {
        for (value, wanted) in [
            (json!([1.0, 2.0]), Some(vec![1.0, 2.0])),
            (json!([[1.0, 2.0]]), Some(vec![1.0, 2.0])),
            (json!([[[1.0, 2.0], [3.0, 6.0]]]), Some(vec![2.0, 4.0])),
            (json!([[1.0], [1.0, 2.0]]), None),
            (json!([]), None),
            (json!({"error": "x"}), None),
            (json!(["a"]), None),
        ] {
            assert_eq!(embedding(&value), wanted, "{value}");
        }
    }

    #[test]
    fn both_shapes_of_labels_are_read() {
        let list = json!([{"label": "NEG", "score": 0.1}, {"label": "POS", "score": 0.9}]);
        for value in [list.clone(), json!([list])] {
            let labels = labels(&value).unwrap();
            assert_eq!((labels[0].label.as_str(), labels.len()), ("POS", 2), "{value}");
        }
        assert_eq!(labels(&json!([])), None);
        assert_eq!(labels(&json!({"error": "x"})), None);
    }

    #[test]
    fn mismatch_names_the_expectation() {
        let text = Content::Text("Hello, Ada".to_owned());
        let labels = Content::Labels(vec![Label { label: "POS".to_owned(), score: 1.0 }]);
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
        let expect =
            |contains: &str| Expectations { contains: Some(contains.to_owned()), ..Expectations::default() };
        assert_eq!(text.mismatch(&expect("Ada"), short), None);
        assert_eq!(text.mismatch(&expect("Bob"), short).unwrap(), "does not hold `expect_contains`, `Bob`");
        let label = |label: &str| Expectations { label: Some(label.to_owned()), ..Expectations::default() };
        assert_eq!(labels.mismatch(&label("POS"), short), None);
        assert_eq!(labels.mismatch(&label("NEG"), short).unwrap(), "has the label `POS`, not `NEG`");
        let quick = Expectations { max_latency: Some(Duration::from_secs(2)), ..Expectations::default() };
        assert_eq!(text.mismatch(&quick, long).unwrap(), "took 9.0 s, longer than `max_latency` of 2.0 s");
    }
}

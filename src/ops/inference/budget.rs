//! The cost of a run, from the prices of the router. Pure.

use std::collections::BTreeMap;

use hub::{RoutedModel, TokenPrice};

use super::answer::Tokens;

/// Prices of a model, by provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices(BTreeMap<String, TokenPrice>);

impl Prices {
    pub(super) fn of(model: &str, models: &[RoutedModel]) -> Self {
        let providers = models.iter().filter(|known| known.id == model).flat_map(|known| &known.providers);
        Self(providers.filter_map(|one| Some((one.provider.clone(), one.pricing?))).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the cost of a request in US dollars, if the price of its provider is known.
    pub(super) fn cost(&self, provider: Option<&str>, tokens: Option<Tokens>) -> Option<f64> {
        let (price, tokens) = (self.0.get(provider?)?, tokens?);
        #[expect(clippy::cast_precision_loss, reason = "no answer has 2^52 tokens")]
        let [prompt, completion] = [tokens.prompt, tokens.completion].map(|count| count as f64);
        Some(prompt.mul_add(price.input, completion * price.output) / 1_000_000.0)
    }
}

/// Money that was spent, and may be spent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    limit: Option<f64>,
    spent: f64,
    /// Cost of the most expensive request so far.
    largest: f64,
    running: u32,
}

impl Budget {
    /// Makes the budget of a run that has spent something in an earlier run.
    pub(super) fn new(limit: Option<f64>, spent: f64) -> Self {
        Self { limit, spent, largest: 0.0, running: 0 }
    }

    /// Takes a place for a request. Returns false if it could exceed the limit, as far as earlier requests show.
    pub(super) fn start(&mut self) -> bool {
        let expected = self.largest.mul_add(f64::from(self.running + 1), self.spent);
        let fits = self.limit.is_none_or(|limit| self.spent < limit && expected <= limit);
        self.running += u32::from(fits);
        fits
    }

    pub(super) fn end(&mut self, cost: f64) {
        self.running = self.running.saturating_sub(1);
        self.spent += cost;
        self.largest = self.largest.max(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_by_the_price_of_the_provider() {
        let models: Vec<RoutedModel> = serde_json::from_value(serde_json::json!([
            {"id": "a/b", "providers": [
                {"provider": "groq", "status": "live", "pricing": {"input": 0.5, "output": 2.0}},
                {"provider": "free", "status": "live"},
            ]},
            {"id": "c/d", "providers": [{"provider": "groq", "pricing": {"input": 9.0, "output": 9.0}}]},
        ]))
        .unwrap();
        let prices = Prices::of("a/b", &models);
        let tokens = Some(Tokens { prompt: 1_000_000, completion: 500_000 });
        assert_eq!(prices.cost(Some("groq"), tokens), Some(1.5));
        assert_eq!(prices.cost(Some("free"), tokens), None);
        assert_eq!(prices.cost(None, tokens), None);
        assert!(Prices::of("x/y", &models).is_empty());
    }

    #[test]
    fn request_that_could_exceed_the_limit_is_not_started() {
        let mut budget = Budget::new(Some(1.0), 0.0);
        assert!(budget.start());
        budget.end(0.4);
        assert!(budget.start() && !budget.start(), "two more would be 1.2");
        budget.end(0.4);
        assert!(!budget.start());
        let mut unlimited = Budget::new(None, 9.0);
        assert!(unlimited.start());
        assert!(!Budget::new(Some(1.0), 1.0).start());
    }
}

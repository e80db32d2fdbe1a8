//! Recorded models, each with its recommendation.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hub::ModelInfo;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Prices of an hour in US dollars.
const PRICES: [(&str, f64); 7] = [
    ("t4-small", 0.4),
    ("a10g-small", 1.0),
    ("l4x1", 0.8),
    ("l40sx1", 1.8),
    ("a100-large", 2.5),
    ("rtx-pro-6000", 2.75),
    ("h200", 5.0),
];

fn prices() -> Prices {
    Prices::new(PRICES.map(|(name, price)| (name.to_owned(), price)))
}

fn pro() -> Account {
    Account { cpu_basic: Grant::Yes, zero_gpu: Grant::Yes, paid_hardware: Grant::Yes }
}

fn free() -> Account {
    let cpu_basic = Grant::No("the free plan has none".to_owned());
    Account { cpu_basic, zero_gpu: Grant::Unknown, paid_hardware: Grant::No("no payment method".to_owned()) }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models")
}

/// A recorded model with its settings.
fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn access(word: &Value) -> SpaceAccess {
    match word.as_str() {
        None | Some("granted") => SpaceAccess::Granted,
        Some("no_token") => SpaceAccess::NoToken { user: Some(Ok(())) },
        Some("no_token_no_terms") => SpaceAccess::NoToken { user: Some(Err("403 no access".to_owned())) },
        Some("refused") => SpaceAccess::Refused("403 no access".to_owned()),
        Some(other) => panic!("{other}"),
    }
}

fn facts(case: &Value) -> ModelFacts {
    let info = ModelInfo::read(&case["model"]);
    let base = match (case["base"].is_object(), case["base_hidden"].as_str()) {
        (true, _) => {
            let info = Box::new(ModelInfo::read(&case["base"]));
            Base::Found { info, access: access(&case["base_access"]) }
        }
        (false, Some(id)) => Base::Hidden { id: id.to_owned(), reason: "404 not found".to_owned() },
        (false, None) if is_adapter(&info) => {
            assert!(base_ids(&info).is_empty(), "{}", info.id);
            Base::Unnamed
        }
        (false, None) => Base::None,
    };
    let code = case["code"].as_str().map(str::to_owned);
    ModelFacts { base, access: access(&case["access"]), code, ..ModelFacts::new(info) }
}

fn settings(case: &Value) -> Settings {
    let inputs = &case["inputs"];
    let flag = |name: &str| inputs[name] == true;
    Settings {
        task: inputs["task"].as_str().map(str::to_owned),
        template: inputs["template"].as_str().map(|name| name.parse().unwrap()),
        runtime: match inputs["runtime"].as_str() {
            Some("static") => RuntimeChoice::Static,
            Some("provider") => RuntimeChoice::Provider,
            Some(other) => panic!("{other}"),
            None => RuntimeChoice::Auto,
        },
        hardware_preference: inputs["hardware_preference"].as_str().unwrap_or("zero-a10g").parse().unwrap(),
        has_space_token: case["has_space_token"] == true,
        trust_remote_code: flag("trust_remote_code"),
        allow_pickle: flag("allow_pickle"),
        require_license: flag("require_license"),
        is_pinned: case["is_pinned"] == true,
        ..Settings::default()
    }
}

/// Renders an analysis in few lines.
fn shown(analysis: &Analysis) -> String {
    let recommendation = &analysis.recommendation;
    let dollars = |price: Option<f64>| price.map_or("?".to_owned(), |price| format!("${price:.2}"));
    let mut text = format!("template: {}\n", recommendation.template.unwrap_or("none"));
    let model = &recommendation.model;
    let _ = writeln!(
        text,
        "size: {} parameters, {}, {} bytes",
        model.params.map_or("?".to_owned(), |params| params.to_string()),
        model.dtype.as_deref().unwrap_or("?"),
        model.weights_bytes.map_or("?".to_owned(), |bytes| bytes.to_string()),
    );
    let _ = writeln!(
        text,
        "need: {}",
        recommendation.need_gb.map_or("?".to_owned(), |need| format!("{need} GB"))
    );
    for candidate in &recommendation.candidates {
        let chosen = Chosen::from(candidate);
        let size = chosen.size.map(|size| format!(" {size}")).unwrap_or_default();
        let duration = chosen.duration_s.map(|seconds| format!(", {seconds} s")).unwrap_or_default();
        let _ = writeln!(
            text,
            "candidate: {}{size} {}{duration}",
            chosen.hardware,
            dollars(chosen.price_usd_hour)
        );
    }
    for other in &recommendation.alternatives {
        let _ =
            writeln!(text, "also: {} {}: {}", other.hardware, dollars(other.price_usd_hour), other.reason);
    }
    for other in &recommendation.rejected {
        let _ = writeln!(text, "not: {}: {}", other.hardware, other.reason);
    }
    for warning in &recommendation.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    for blocker in analysis.blockers.iter().filter(|blocker| blocker.blocks()) {
        let _ = writeln!(text, "{}: {}\n  fix: {}", blocker.id.as_str(), blocker.evidence, blocker.fix);
    }
    text
}

fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.map(|name| name.strip_suffix(".json").unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

fn analyzed(name: &str, account: &Account) -> Analysis {
    let case = read(name);
    analyze(&facts(&case), &settings(&case), account, &prices())
}

#[test]
fn recorded_models_get_their_recommendation() {
    for name in names() {
        let text = shown(&analyzed(&name, &pro()));
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn each_template_has_a_recorded_model() {
    let found: Vec<&str> =
        names().iter().filter_map(|name| analyzed(name, &pro()).recommendation.template).collect();
    for template in crate::templates::Template::ALL {
        assert!(found.contains(&template.name()), "{template}");
    }
}

#[test]
fn each_blocker_has_a_recorded_model_and_a_fix() {
    let all: Vec<Blocker> = names().iter().flat_map(|name| analyzed(name, &pro()).blockers).collect();
    for id in BlockerId::ALL {
        // The Hub shows nothing of a model that is not there.
        let is_there = *id == BlockerId::ModelNotFound || all.iter().any(|blocker| blocker.id == *id);
        assert!(is_there, "{}", id.as_str());
    }
    for blocker in all {
        assert!(!blocker.evidence.is_empty() && !blocker.fix.is_empty(), "{blocker:?}");
    }
}

#[test]
fn recommendation_has_the_keys_of_the_bundle() {
    let analysis = analyzed("chat", &pro());
    let value = json!(analysis.recommendation);
    assert_eq!(
        value,
        json!({
            "schema": 1,
            "model": {
                "id": "acme/chat-7b", "sha": "7dab6d93efd96f51373e0367050f8e8e2c8c5988",
                "pipeline_tag": "text-generation", "library_name": "transformers",
                "params": 7_241_732_096_u64, "dtype": "BF16", "weights_bytes": 14_483_464_192_u64,
            },
            "template": "chat", "need_gb": 19.4,
            "chosen": {"hardware": "zero-a10g", "size": "large", "duration_s": 60, "price_usd_hour": 0.0},
            "alternatives": [{
                "hardware": "l4x1", "reason": "by hand, or with `allow_fallback: true`", "price_usd_hour": 0.8,
            }],
            "rejected": [
                {"hardware": "cpu-basic", "reason": "a CPU is too slow for 0.5 billion parameters or more"},
                {"hardware": "t4-small", "reason": "it has 14.7 GB for an app, and the model needs 19.4 GB"},
            ],
            "warnings": [],
        })
    );
    let blocked = analyzed("blocker-gguf-only", &pro());
    assert_eq!(
        json!(blocked.blockers[0]),
        json!({
            "id": "gguf_only", "severity": "blocker",
            "evidence": "all weights are `.gguf` files, which are for llama.cpp",
            "fix": "create a Docker Space with `ghcr.io/ggml-org/llama.cpp:server`, or an app that loads the file with `gguf_file=`",
        })
    );
}

/// Returns the order in which a run asks for hardware, with the settings changed.
fn order(name: &str, account: &Account, change: impl FnOnce(&mut Settings)) -> Vec<&'static str> {
    let case = read(name);
    let mut settings = settings(&case);
    change(&mut settings);
    let analysis = analyze(&facts(&case), &settings, account, &prices());
    assert!(!analysis.is_blocked(), "{:?}", analysis.blockers);
    analysis.recommendation.candidates.iter().map(|candidate| Chosen::from(candidate).hardware).collect()
}

#[test]
fn settings_and_plan_decide_the_order_of_hardware() {
    let unchanged = |_: &mut Settings| ();
    assert_eq!(order("text-classification", &pro(), unchanged), ["zero-a10g", "cpu-basic"]);
    assert_eq!(order("text-classification", &free(), unchanged), ["zero-a10g"]);
    assert_eq!(order("text-classification", &Account::default(), unchanged), ["zero-a10g", "cpu-basic"]);
    let fallback = |settings: &mut Settings| settings.allow_fallback = true;
    assert_eq!(order("chat", &pro(), fallback), ["zero-a10g", "l4x1"]);
    assert_eq!(order("chat", &free(), fallback), ["zero-a10g"]);
    let refused = Account { zero_gpu: Grant::No("no more Spaces".to_owned()), ..pro() };
    assert_eq!(order("chat", &refused, unchanged), [""; 0]);
    assert_eq!(order("chat", &refused, fallback), ["l4x1"]);
    let list = |settings: &mut Settings| {
        settings.allow_fallback = true;
        settings.fallback_hardware =
            ["t4-small", "a100-large", "l40sx1"].map(|name| name.parse().unwrap()).to_vec();
    };
    assert_eq!(order("chat", &pro(), list), ["zero-a10g", "a100-large", "l40sx1"]);
    let runtime = |runtime: RuntimeChoice| move |settings: &mut Settings| settings.runtime = runtime;
    assert_eq!(order("chat", &pro(), runtime(RuntimeChoice::ZeroGpu)), ["zero-a10g"]);
    assert_eq!(order("chat", &pro(), runtime(RuntimeChoice::Gpu)), ["l4x1"]);
    assert_eq!(order("text-generation", &pro(), runtime(RuntimeChoice::Cpu)), ["cpu-basic"]);
    assert_eq!(order("chat", &pro(), runtime(RuntimeChoice::Cpu)), [""; 0]);
    let preferred = |name: &'static str| {
        move |settings: &mut Settings| settings.hardware_preference = name.parse().unwrap()
    };
    assert_eq!(order("chat", &pro(), preferred("a10g-small")), ["a10g-small"]);
    assert_eq!(order("text-classification", &pro(), preferred("cpu-basic")), ["cpu-basic"]);
    assert_eq!(order("provider-chat", &pro(), unchanged), ["cpu-basic", "zero-a10g"]);
    assert_eq!(order("provider-chat", &free(), unchanged), ["zero-a10g"]);
}

#[test]
fn price_of_an_hour_is_limited() {
    let limited = |limit: f64| {
        move |settings: &mut Settings| {
            settings.allow_fallback = true;
            settings.max_hourly_price = Some(limit);
        }
    };
    assert_eq!(order("chat", &pro(), limited(0.8)), ["zero-a10g", "l4x1"]);
    assert_eq!(order("chat", &pro(), limited(0.5)), ["zero-a10g"]);
    // Without a price, no limit can be held.
    let case = read("chat");
    let mut settings = settings(&case);
    limited(0.8)(&mut settings);
    let analysis = analyze(&facts(&case), &settings, &pro(), &Prices::default());
    assert_eq!(analysis.recommendation.candidates.len(), 1);
    let manual = analysis.recommendation.manual.unwrap();
    assert!(manual.hardware.is_zero_gpu());
}

#[test]
fn person_who_chooses_by_hand_gets_the_smallest_that_suffices() {
    let refused = Account { zero_gpu: Grant::No("no more Spaces".to_owned()), ..free() };
    let analysis = analyzed("image-to-image", &refused);
    let recommendation = &analysis.recommendation;
    assert!(recommendation.chosen.is_none() && !analysis.is_blocked());
    let by_hand = analyzed("blocker-multi-gpu", &refused);
    assert!(by_hand.is_blocked() && by_hand.plan.is_none());
}

#[test]
fn free_account_without_zero_gpu_gets_a_page() {
    let refused = Account { zero_gpu: Grant::No("no more Spaces".to_owned()), ..free() };
    let mut case = read("runtime-static-of-safetensors-and-onnx");
    case["inputs"] = json!({});
    let analysis = analyze(&facts(&case), &settings(&case), &refused, &prices());
    assert_eq!(analysis.recommendation.chosen.unwrap().hardware, "static");
    let analysis = analyze(&facts(&case), &settings(&case), &free(), &prices());
    let order: Vec<_> =
        analysis.recommendation.candidates.iter().map(|candidate| candidate.template.name()).collect();
    assert_eq!(order, ["text-classification", "static-transformersjs"]);
}

#[test]
fn template_of_the_user_must_suit_the_model() {
    let obstacle = |name: &str, template: &str, change: &dyn Fn(&mut Value)| {
        let mut case = read(name);
        case["inputs"] = json!({ "template": template });
        change(&mut case);
        let analysis = analyze(&facts(&case), &settings(&case), &pro(), &prices());
        analysis.blockers.iter().find(|blocker| blocker.blocks()).map(|blocker| blocker.id.as_str())
    };
    let same = |_: &mut Value| ();
    assert_eq!(obstacle("chat", "text-generation", &same), None);
    assert_eq!(obstacle("chat", "static-transformersjs", &same), Some("no_weights"));
    assert_eq!(obstacle("chat", "provider-chat", &same), Some("no_provider"));
    assert_eq!(obstacle("chat", "peft-chat", &same), Some("adapter_without_base"));
    assert_eq!(obstacle("peft-chat", "chat", &same), Some("unsupported_library"));
    let gate = |case: &mut Value| case["model"]["gated"] = "auto".into();
    assert_eq!(obstacle("static-transformersjs", "static-transformersjs", &gate), Some("gated_no_access"));
    let empty = |case: &mut Value| case["model"]["sha"] = Value::Null;
    assert_eq!(obstacle("chat", "chat", &empty), Some("no_weights"));
}

#[test]
fn wrong_choice_of_task_or_template_is_named() {
    let with = |inputs: Value| {
        let mut case = read("text-classification");
        case["inputs"] = inputs;
        analyze(&facts(&case), &settings(&case), &pro(), &prices())
    };
    let blocked = with(json!({ "task": "text-to-image" }));
    assert_eq!(blocked.blockers[0].id, BlockerId::UnsupportedLibrary);
    assert_eq!(
        blocked.blockers[0].fix,
        "leave out `task`: the card of the model names `text-classification`"
    );
    let warned = |template: &str| {
        let warnings = with(json!({ "template": template })).recommendation.warnings;
        warnings.into_iter().filter(|warning| warning.contains("an app of")).collect::<Vec<_>>()
    };
    assert_eq!(
        warned("text-to-image"),
        ["the model is of the template `text-classification`, so an app of `text-to-image` may not run it"]
    );
    assert_eq!(warned("text-classification"), [""; 0]);
    assert_eq!(warned("token-classification"), [""; 0], "it returns text as well");
}

#[test]
fn files_know_what_they_load() {
    let plan = |name: &str| analyzed(name, &pro()).plan.unwrap();
    let gated = plan("text-to-image-gated-with-access");
    assert!(gated.needs_token && !gated.is_public);
    assert_eq!(gated.license_name.as_deref(), Some("flux-1-dev-non-commercial-license"));
    let lora = plan("diffusers-lora");
    assert_eq!(lora.base.unwrap().0, "acme/sdxl-base");
    assert_eq!(lora.instance_prompt.as_deref(), Some("a wtrclr painting"));
    assert!(plan("bitsandbytes-4bit").is_bitsandbytes && !plan("chat").is_bitsandbytes);
    assert!(plan("provider-chat").needs_token && !plan("chat").needs_token);
}

#[test]
fn analysis_takes_no_time() {
    let case = read("text-to-image");
    let start = Instant::now();
    analyze(&facts(&case), &settings(&case), &pro(), &prices());
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
}

/// Any JSON, in which words that the analysis looks for are frequent.
fn any_value() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &[
        "text-generation",
        "lora",
        "diffusers",
        "peft",
        "acme/m",
        "custom_code",
        "mlx",
        "F32",
        "../x",
        "`\n::error::",
    ];
    let text = prop_oneof![prop::sample::select(WORDS).prop_map(str::to_owned), ".*"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let keys = [
            "parameters",
            "rfilename",
            "size",
            "quantization_config",
            "quant_method",
            "auto_map",
            "AutoModel",
            "peft",
            "base_model_name_or_path",
            "architectures",
            "model_type",
            "models",
            "id",
            "license",
            "num_attention_heads",
        ];
        let key = prop_oneof![prop::sample::select(keys.to_vec()).prop_map(str::to_owned), text.clone()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_in_any_field_panics(name in prop::sample::select(names()), field in 0_usize..20, value in any_value()) {
        let mut case = read(&name);
        let keys: Vec<String> = case["model"].as_object().unwrap().keys().cloned().collect();
        case["model"][&keys[field % keys.len()]] = value;
        let info = ModelInfo::read(&case["model"]);
        let base = if is_adapter(&info) { Base::Unnamed } else { Base::None };
        let facts = ModelFacts { base, ..ModelFacts::new(info) };
        let analysis = analyze(&facts, &settings(&case), &free(), &prices());
        prop_assert!(analysis.is_blocked() == analysis.plan.is_none());
        needs_file_sizes(&facts.info);
        wants_base(&facts.info);
        code_file(&facts.info);
        file_to_check(&facts.info);
    }
}

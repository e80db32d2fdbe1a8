use serde_json::{Value, json};

use super::*;

/// Returns the features of an account that read nothing but the user, by name.
fn judge(user: Value, namespace: &str, change: impl FnOnce(&mut Facts)) -> impl Fn(&str) -> (State, String) {
    let refused = || "the Hub answered 403 no".to_owned();
    let mut facts = Facts {
        namespace: Some(namespace.to_owned()),
        user: Ok(serde_json::from_value(user).unwrap()),
        quota: Err(refused()),
        usage: Err(refused()),
        jobs: Err(refused()),
    };
    change(&mut facts);
    let all = features(&facts);
    assert_eq!(all.iter().map(|feature| feature.name).collect::<Vec<_>>(), NAMES);
    for feature in &all {
        assert_eq!(feature.fix.is_none(), feature.state == State::Yes, "{feature:?}");
        assert!(!feature.reason.is_empty(), "{feature:?}");
    }
    move |name| {
        let feature = all.iter().find(|feature| feature.name == name).unwrap();
        (feature.state, feature.reason.clone())
    }
}

fn user(is_pro: bool, role: &str) -> Value {
    json!({
        "name": "ada", "isPro": is_pro, "canPay": is_pro, "emailVerified": true,
        "orgs": [
            {"name": "acme", "roleInOrg": "write", "plan": "team", "canPay": true},
            {"name": "guild", "roleInOrg": "read"},
            {"name": "vault", "roleInOrg": "admin", "securityRestrictions": ["sso"]},
        ],
        "auth": {"type": "access_token", "accessToken": {"role": role, "displayName": "ci"}},
    })
}

const PLAN_FEATURES: [&str; 4] = ["cpu_basic_spaces", "protected_spaces", "dev_mode", "private_data_studio"];

#[test]
fn a_paid_plan_has_the_features_and_a_free_one_has_not() {
    let paid = judge(user(true, "write"), "ada", |_| ());
    let free = judge(user(false, "write"), "ada", |_| ());
    for name in PLAN_FEATURES {
        assert_eq!((paid(name).0, free(name).0), (State::Yes, State::No), "{name}");
    }
    assert_eq!((paid("paid_hardware").0, free("paid_hardware").0), (State::Yes, State::No));
    assert_eq!(paid("zero_gpu_spaces").1, "`ada` is on PRO, which allows 10");
    assert_eq!(free("zero_gpu_spaces").0, State::Unknown, "the Hub decides");
    assert_eq!(free("public_repos").0, State::Yes);
    assert_eq!(paid("api_requests").1, "`ada` is on PRO, which allows 2500 in 5 minutes");
    let team = judge(user(false, "write"), "acme", |_| ());
    assert_eq!(team("dev_mode").1, "`acme` is on the plan `team`");
    assert_eq!((team("private_storage").0, team("jobs").0), (State::Yes, State::Unknown));
}

#[test]
fn what_the_token_may_not_read_is_unknown() {
    let of = judge(user(true, "write"), "ada", |_| ());
    for name in ["zero_gpu_calls", "inference_credits", "jobs"] {
        assert_eq!(of(name), (State::Unknown, "the Hub answered 403 no".to_owned()), "{name}");
    }
    let nameless = judge(json!({"name": "ada"}), "ada", |_| ());
    assert_eq!(nameless("public_repos").0, State::Unknown);
    let one_repo = judge(user(true, "write"), "ada", |facts| facts.user = Err("one repo".to_owned()));
    for name in NAMES {
        assert_eq!(one_repo(name), (State::Unknown, "one repo".to_owned()), "{name}");
    }
    let hidden = judge(user(true, "write"), "vault", |_| ());
    for name in PLAN_FEATURES {
        assert_eq!(hidden(name).0, State::Unknown, "{name}");
    }
}

#[test]
fn a_missing_right_comes_before_the_plan() {
    for (role, namespace, reason) in [
        ("read", "ada", "the token is read-only"),
        ("write", "guild", "`ada` has the role `read` in `guild`"),
        ("write", "elsewhere", "`ada` is no member of `elsewhere`"),
    ] {
        let of = judge(user(true, role), namespace, |_| ());
        for name in ["public_repos", "cpu_basic_spaces", "zero_gpu_spaces", "paid_hardware", "dev_mode"] {
            assert_eq!(of(name), (State::No, reason.to_owned()), "{name}");
        }
    }
}

#[test]
fn a_fine_grained_token_is_judged_by_its_permissions() {
    let mut narrow = user(true, "fineGrained");
    narrow["auth"]["accessToken"]["fineGrained"] = json!({"scoped": [
        {"entity": {"_id": "1", "type": "user", "name": "ada"}, "permissions": ["repo.write", "job.write"]},
    ]});
    let of = judge(narrow, "ada", |facts| {
        facts.jobs = serde_json::from_value(json!({"hasAccess": true, "usage": {"usedMicroUsd": 0}}))
            .map_err(|_| String::new());
    });
    assert_eq!((of("dev_mode").0, of("jobs").0), (State::Yes, State::Yes));
    let refused = "the token is fine-grained, without `inference.serverless.write` for `ada`".to_owned();
    assert_eq!(of("inference_credits"), (State::No, refused));
}

#[test]
fn quotas_say_how_much_is_left() {
    let with = |left: f64, used: f64| {
        judge(user(true, "write"), "ada", move |facts| {
            facts.quota =
                Ok(serde_json::from_value(json!({"base": 2400, "current": left, "resetsAt": "T"})).unwrap());
            let usage = json!({"inferenceProviders": {"usedNanoUsd": used * 1e9, "includedNanoUsd": 2e9}});
            facts.usage = Ok(serde_json::from_value(usage).unwrap());
        })
    };
    let some = with(90.0, 0.5);
    assert_eq!(some("zero_gpu_calls"), (State::Yes, "1.5 of 40.0 min are left".to_owned()));
    assert_eq!(some("inference_credits"), (State::Yes, "$1.50 of $2.00 are left this month".to_owned()));
    let none = with(0.0, 2.5);
    assert_eq!((none("zero_gpu_calls").0, none("inference_credits").0), (State::No, State::No));
}

#[test]
fn an_unconfirmed_address_has_no_free_zero_gpu() {
    let mut unconfirmed = user(false, "write");
    unconfirmed["emailVerified"] = json!(false);
    let of = judge(unconfirmed, "ada", |_| ());
    assert_eq!(of("zero_gpu_spaces").0, State::No);
}

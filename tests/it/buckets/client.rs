//! The client of buckets.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hf_deploy::hub::{
    BucketOperation, Cause, Content, Creation, Credentials, Hub, HubOptions, IdToken, IdTokenFuture,
    IdTokenSource, InMemory, RefusalKind, Secret, StoredContent, XetHash,
};
use local_hub::{FaultKind, TokenRole, User};

use super::{BUCKET, Client, bucket, fault, folder_of, hub_requests, no_bytes, status};
use crate::harness::{TestHub, hub};

fn content(path: &str, bytes: &[u8]) -> Arc<dyn Content> {
    Arc::new(InMemory { path: path.to_owned(), bytes: bytes.to_vec().into() })
}

fn add(path: &str, stored: StoredContent) -> BucketOperation {
    BucketOperation::Add { path: folder_of(path), xet_hash: stored.xet_hash, mtime: SystemTime::UNIX_EPOCH }
}

/// Uploads files and puts them at their paths.
async fn write(client: &Client, files: &[(&str, &[u8])]) {
    let contents: Vec<Arc<dyn Content>> = files.iter().map(|(path, bytes)| content(path, bytes)).collect();
    let (stored, _) = client.hub.upload_to_bucket(&bucket(), &contents, no_bytes()).await.unwrap();
    let adds: Vec<BucketOperation> =
        files.iter().zip(stored).map(|((path, _), stored)| add(path, stored)).collect();
    client.hub.change_bucket(&bucket(), &adds).await.unwrap();
}

fn paths(hub: &TestHub) -> Vec<String> {
    hub.bucket(BUCKET).files().into_keys().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_created_private_and_read_back() {
    let hub = hub().await;
    let client = Client::new(&hub);
    let info = client.hub.open_private_bucket(&bucket()).await.unwrap();
    assert!(info.private && info.id == BUCKET && info.total_files == 0);
    assert_eq!(hub.bucket(BUCKET).is_private(), Some(true));
    assert_eq!(hub_requests(&hub), ["GET ~", "POST ~", "GET ~"]);
    let creation = hub.requests().into_iter().find(|request| request.method == "POST").unwrap();
    assert_eq!(creation.body, br#"{"private":true}"#);
    assert_eq!(client.hub.create_bucket(&bucket()).await.unwrap(), Creation::Existed);
    assert!(client.hub.delete_bucket(&bucket()).await.unwrap());
    assert!(!client.hub.delete_bucket(&bucket()).await.unwrap());
    assert!(client.hub.bucket(&bucket()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_written_listed_read_and_deleted() {
    let hub = hub().await;
    let client = Client::new(&hub);
    client.hub.open_private_bucket(&bucket()).await.unwrap();
    write(
        &client,
        &[("runs/4/state.json", b"{}"), ("runs/4/empty", b""), ("runs/42/a b/ü#?%.txt", b"hello\n")],
    )
    .await;
    let file = &hub.bucket(BUCKET).files()["runs/4/state.json"];
    assert_eq!((file.size, file.content_type.as_deref()), (2, Some("application/json")));

    let listed = client.hub.list_bucket(&bucket(), Some(&folder_of("runs/4"))).await.unwrap();
    let listed: Vec<(&str, u64)> = listed.iter().map(|file| (file.path.as_str(), file.size)).collect();
    assert_eq!(listed, [("runs/4/empty", 0), ("runs/4/state.json", 2)], "runs/42 is another folder");
    assert_eq!(client.hub.list_bucket(&bucket(), None).await.unwrap().len(), 3);
    assert!(client.hub.list_bucket(&bucket(), Some(&folder_of("none"))).await.unwrap().is_empty());

    let found = client.hub.bucket_files_at(&bucket(), &["runs/4/state.json", "missing"]).await.unwrap();
    assert_eq!(found.len(), 1);
    for (path, bytes) in
        [("runs/42/a b/ü#?%.txt", Some(&b"hello\n"[..])), ("runs/4/empty", Some(b"")), ("no", None)]
    {
        let read = client.hub.read_bucket_file(&bucket(), path).await.unwrap();
        assert_eq!(read.as_deref(), bytes, "{path}");
    }

    let copy = BucketOperation::Copy {
        path: folder_of("copies/state.json"),
        xet_hash: found[0].xet_hash,
        source: bucket(),
        mtime: SystemTime::UNIX_EPOCH,
    };
    client.hub.change_bucket(&bucket(), &[copy]).await.unwrap();
    assert_eq!(client.hub.delete_bucket_folder(&bucket(), &folder_of("runs/4")).await.unwrap(), 2);
    assert_eq!(paths(&hub), ["copies/state.json", "runs/42/a b/ü#?%.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_follows_its_pages() {
    let hub = hub().await;
    let client = Client::new(&hub);
    hub.bucket(BUCKET).create("ada", true).unwrap();
    let names: Vec<String> = (0..5_003).map(|number| format!("many/{number:05}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    hub.bucket(BUCKET).write(&files).await.unwrap();
    let listed = client.hub.list_bucket(&bucket(), Some(&folder_of("many"))).await.unwrap();
    assert!(listed.iter().map(|file| &file.path).eq(names.iter()));
    assert_eq!(hub_requests(&hub), ["GET ~/tree/many", "GET ~/tree/many"]);
    hub.clear_requests();
    assert_eq!(client.hub.delete_bucket_folder(&bucket(), &folder_of("many")).await.unwrap(), 5_003);
    assert_eq!(hub_requests(&hub).len(), 2 + 6, "batches of 1,000");
    assert!(paths(&hub).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_bucket_is_refused_before_any_byte() {
    let hub = hub().await;
    hub.bucket(BUCKET).create("ada", false).unwrap();
    let error = Client::new(&hub).hub.open_private_bucket(&bucket()).await.unwrap_err();
    assert!(matches!(*error.cause, Cause::PublicBucket), "{error}");
    assert_eq!(error.to_string(), "cannot write to the bucket `ada/jobs-artifacts`: the bucket is public");
    assert_eq!(hub_requests(&hub), ["GET ~"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_operations_of_a_batch_are_named() {
    let hub = hub().await;
    let client = Client::new(&hub);
    client.hub.open_private_bucket(&bucket()).await.unwrap();
    let (stored, _) =
        client.hub.upload_to_bucket(&bucket(), &[content("a", b"content")], no_bytes()).await.unwrap();
    let unknown = StoredContent { xet_hash: XetHash::from([7; 32]), size: 1 };
    // In part: an answer of 200.
    let error =
        client.hub.change_bucket(&bucket(), &[add("a", stored[0]), add("b", unknown)]).await.unwrap_err();
    let Cause::BatchFailed { sent: 2, failed } = &*error.cause else { panic!("{error}") };
    assert_eq!(failed[0].path, "b");
    assert!(error.to_string().contains("the Hub refused 1 of 2 operations: `b`: Xet hash 0707"), "{error}");
    // As a whole: an answer of 422.
    let error = client.hub.change_bucket(&bucket(), &[add("b", unknown)]).await.unwrap_err();
    assert!(matches!(&*error.cause, Cause::BatchFailed { sent: 1, .. }), "{error}");
    assert_eq!(paths(&hub), ["a"]);

    hub.inject(fault("POST", "/batch", status(422, "Unprocessable")));
    let error = client.hub.change_bucket(&bucket(), &[add("a", stored[0])]).await.unwrap_err();
    assert_eq!(error.status(), Some(422), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_survives_short_failures() {
    let hub = hub().await;
    let client = Client::new(&hub);
    let kinds = || {
        [
            status(429, "Too Many Requests"),
            status(500, "Internal Error"),
            status(503, "Service Unavailable"),
            FaultKind::DropConnection,
            FaultKind::DropAfterApply,
        ]
    };
    for path in
        ["/api/buckets/ada/jobs-artifacts", "/xet-write-token", "/batch", "/tree", "/paths-info", "/resolve/"]
    {
        for method in ["GET", "POST", "DELETE"] {
            for kind in kinds() {
                hub.inject(fault(method, path, kind));
            }
        }
    }
    let mut rounds = 0;
    // The faults hit one request after the other, so that each call meets several, and needs its attempts.
    while rounds < 3 {
        client.hub.open_private_bucket(&bucket()).await.unwrap();
        write(&client, &[("a/one", b"1"), ("a/two", b"22")]).await;
        assert_eq!(client.hub.list_bucket(&bucket(), Some(&folder_of("a"))).await.unwrap().len(), 2);
        assert_eq!(client.hub.bucket_files_at(&bucket(), &["a/one"]).await.unwrap().len(), 1);
        let read = client.hub.read_bucket_file(&bucket(), "a/two").await.unwrap();
        assert_eq!(read.as_deref(), Some(&b"22"[..]));
        client.hub.delete_bucket_folder(&bucket(), &folder_of("a")).await.unwrap();
        assert!(paths(&hub).is_empty());
        rounds += 1;
    }
    client.hub.delete_bucket(&bucket()).await.unwrap();
    assert_eq!(hub.bucket(BUCKET).is_private(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_was_lost_is_repeated() {
    let hub = hub().await;
    let client = Client::new(&hub);
    client.hub.open_private_bucket(&bucket()).await.unwrap();
    for kind in [FaultKind::DropAfterApply, FaultKind::StatusAfterApply { code: 502, body: String::new() }] {
        hub.inject(fault("POST", "/batch", kind.clone()));
        write(&client, &[("a", b"content")]).await;
        assert_eq!(paths(&hub), ["a"]);
        // The second deletion finds nothing to delete, and says so.
        hub.inject(fault("POST", "/batch", kind));
        let delete = BucketOperation::Delete { path: "a".to_owned() };
        client.hub.change_bucket(&bucket(), &[delete]).await.unwrap();
        assert!(paths(&hub).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_kind() {
    let hub = hub().await;
    hub.bucket(BUCKET).create("ada", true).unwrap();
    hub.bucket("ada/open").create("ada", false).unwrap();
    let mut reader = User::new("ada", "hf_reader");
    reader.role = TokenRole::Read;
    hub.add_user(reader);
    hub.add_user(User::new("eve", "hf_eve"));

    let eve = Client::with(&hub, "hf_eve");
    assert!(eve.hub.bucket(&bucket()).await.unwrap().is_none(), "others do not see it");
    let error = eve.hub.create_bucket(&"ada/new".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), Some(RefusalKind::Forbidden));

    let reader = Client::with(&hub, "hf_reader");
    let contents = [content("a", b"a")];
    let error = reader.hub.upload_to_bucket(&bucket(), &contents, no_bytes()).await.unwrap_err();
    assert_eq!(error.kind(), Some(RefusalKind::Forbidden));
    let unknown = Client::with(&hub, "hf_unknown");
    let error = unknown.hub.bucket(&bucket()).await.unwrap_err();
    assert_eq!(error.kind(), Some(RefusalKind::TokenRefused));

    let client = Client::new(&hub);
    hub.inject(fault("POST", "/batch", status(402, "Private repository storage limit reached")));
    let delete = BucketOperation::Delete { path: "a".to_owned() };
    let error = client.hub.change_bucket(&bucket(), &[delete]).await.unwrap_err();
    assert!(matches!(error.kind(), Some(RefusalKind::PaymentRequired(_))), "{error}");
    assert!(paths(&hub).is_empty());
}

/// Runner whose job has one identity.
#[derive(Debug)]
struct Ci;

impl IdTokenSource for Ci {
    fn request_secret(&self) -> Option<&Secret> {
        None
    }

    fn request_id_token<'a>(&'a self, _audience: &'a str) -> IdTokenFuture<'a> {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"repository":"octo/hello"}"#);
        let token = Secret::new(format!("e30.{claims}.x"));
        Box::pin(async { Ok(IdToken { token, claims: vec![] }) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyless_job_writes_to_its_bucket() {
    let hub = hub().await;
    hub.bucket(BUCKET).create("ada", true).unwrap();
    hub.bucket("ada/other").create("ada", true).unwrap();
    let claims = [("repository".to_owned(), "octo/hello".to_owned())].into();
    hub.bucket(BUCKET).add_trusted_publisher(claims).unwrap();
    let mut client = Client::new(&hub);
    let mut options = HubOptions::new(hub.endpoint().parse().unwrap());
    options.credentials = Credentials::TrustedPublishing(Arc::new(Ci));
    let keyless = Hub::new(options).unwrap();
    client.hub = keyless.for_bucket(&bucket());
    client.hub.open_private_bucket(&bucket()).await.unwrap();
    write(&client, &[("runs/1/state.json", b"{}")]).await;
    assert_eq!(paths(&hub), ["runs/1/state.json"]);
    let exchange = hub.requests().into_iter().find(|request| request.path == "/oauth/token").unwrap();
    assert!(String::from_utf8_lossy(&exchange.body).contains("\"resource\":\"buckets/ada/jobs-artifacts\""));

    let other = "ada/other".parse().unwrap();
    assert!(client.hub.bucket(&other).await.unwrap().is_none(), "the token is for one bucket");
    let error = keyless.for_bucket(&other).bucket(&other).await.unwrap_err();
    assert!(error.to_string().contains("the Hub answered 400"), "{error}");
}

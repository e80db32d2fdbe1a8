//! Creates a model repo where it is missing, and uploads a folder: `hf-hub-upload NAMESPACE/NAME FOLDER`.

use std::error::Error;

use hf_hub::HFClient;
use hf_hub::repository::RepoTypeModel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(repo), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: hf-hub-upload NAMESPACE/NAME FOLDER".into());
    };
    let (namespace, name) = repo.split_once('/').ok_or("the repo needs a namespace")?;
    let client = HFClient::new()?;
    client.create_repository().repo_id(&repo).repo_type(RepoTypeModel).exist_ok(true).send().await?;
    client.model(namespace, name).upload_folder().folder_path(&folder).send().await?;
    Ok(())
}

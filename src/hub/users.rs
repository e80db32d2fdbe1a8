//! The user of the token.

use reqwest::Method;

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::whoami::WhoAmI;

impl Hub {
    /// Returns the user of the token. It is read once per client, because the Hub limits this call strictly.
    pub async fn whoami(&self) -> Result<WhoAmI, Error> {
        let (operation, call) = self.whoami_call()?;
        self.user_cell().get_or_try_init(async || self.call(&call).await?.json(operation)).await.cloned()
    }

    /// Returns the user of the token without a retry.
    pub async fn whoami_once(&self) -> Result<WhoAmI, Error> {
        let (operation, call) = self.whoami_call()?;
        self.user_cell().get_or_try_init(async || self.call_once(&call).await?.json(operation)).await.cloned()
    }

    fn whoami_call(&self) -> Result<(&'static str, Call), Error> {
        let operation = "read the user of the token";
        Ok((operation, Call::new(operation, Method::GET, self.url("/api/whoami-v2")?)))
    }
}

//! A network that cuts the streams of calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes bytes on to `url`. The first `cuts` streams of calls end after their second piece.
///
/// Returns the address to use in place of `url`.
pub(crate) async fn between(url: &str, cuts: u32) -> String {
    let target = url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicU32::new(cuts));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, target.clone(), left.clone()));
        }
    });
    format!("http://{address}")
}

async fn pass(mut client: TcpStream, target: String, left: Arc<AtomicU32>) {
    let mut server = TcpStream::connect(target).await.unwrap();
    let (mut asked, mut answered) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    let mut pieces = None;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let is_stream = asked[..length].windows(11).any(|window| window == b"/queue/data");
                if is_stream && left.load(Ordering::Relaxed) > 0 {
                    left.fetch_sub(1, Ordering::Relaxed);
                    pieces = Some(2u32);
                }
                server.write_all(&asked[..length]).await.unwrap();
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
                match &mut pieces {
                    Some(0) => return,
                    Some(left) => *left -= 1,
                    None => {}
                }
            }
        }
    }
}

//! Talks to the running server: HTTP with JSON over its Unix socket.

use super::{Exit, Failed, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use pbx::language::Text;
use pbx::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use web::resource::Failure;

/// Most that one answer may hold; the server's own lists are far below. Unit: octets.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Rows of a list that are asked for at once: the most that the server gives.
const PAGE_ROWS: u32 = 1000;

/// Of a file that is sent, at once. Unit: octets.
const PIECE_BYTES: usize = 256 * 1024;

/// A connection to the server.
pub(super) struct Client {
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends with the client.
    _connection: JoinSet<()>,
}

/// Lines of JSON that come as they happen.
pub(super) struct Lines {
    body: Incoming,
    rest: Vec<u8>,
    _client: Client,
}

impl Client {
    /// `Ok(None)` where no server listens.
    pub(super) async fn connect(socket: &Path) -> Result<Option<Self>> {
        let stream = match UnixStream::connect(socket).await {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => {
                let exit = if error.kind() == ErrorKind::PermissionDenied {
                    Exit::Refused
                } else {
                    Exit::Failed
                };
                return Err(Failed::at(exit, socket, &error));
            }
        };
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(anyhow::Error::from)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // The request that was under way reports the error.
            let _ = connection.await;
        });
        Ok(Some(Self { sender, _connection: tasks }))
    }

    /// A server that must be running.
    pub(super) async fn required(socket: &Path) -> Result<Self> {
        Self::connect(socket).await?.ok_or_else(|| {
            let path = socket.display();
            let what = text!("no server is running ({path})", "服务器未运行（{path}）");
            Failed::new(Exit::NotRunning, what)
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        let answer = self.request(Method::GET, path, Bytes::new()).await?;
        decode(answer).await
    }

    /// All rows of a list, page by page.
    pub(super) async fn list<T: DeserializeOwned>(&mut self, path: &str) -> Result<Vec<T>> {
        let mut rows = vec![];
        let mut next = Some(format!("{path}?limit={PAGE_ROWS}"));
        while let Some(page) = next {
            let answer = self.request(Method::GET, &page, Bytes::new()).await?;
            next = next_page(answer.headers());
            rows.extend(decode::<Vec<T>>(answer).await?);
        }
        Ok(rows)
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(anyhow::Error::from)?;
        let answer = self.request(method, path, body.into()).await?;
        decode(answer).await
    }

    /// Sends a file as it is, piece by piece.
    pub(super) async fn upload<T: DeserializeOwned>(
        socket: &Path,
        path: &str,
        file: &Path,
    ) -> Result<T> {
        let opened = std::fs::File::open(file).map_err(|it| Failed::at(Exit::Failed, file, &it))?;
        let stream = UnixStream::connect(socket).await.map_err(anyhow::Error::from)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(anyhow::Error::from)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", "dialtone")
            .header("content-type", "application/gzip")
            .body(Pieces(opened))
            .map_err(anyhow::Error::from)?;
        let answer = sender.send_request(request).await.map_err(anyhow::Error::from)?;
        decode(succeeded(answer).await?).await
    }

    /// A stream of lines; it ends when the server does.
    pub(super) async fn lines(mut self, path: &str) -> Result<Lines> {
        let answer = self.request(Method::GET, path, Bytes::new()).await?;
        Ok(Lines { body: answer.into_body(), rest: Vec::new(), _client: self })
    }

    async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "dialtone")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(anyhow::Error::from)?;
        let answer = self.sender.send_request(request).await.map_err(anyhow::Error::from)?;
        succeeded(answer).await
    }
}

/// Where the list goes on (RFC 8288).
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get("link")?.to_str().ok()?;
    let (path, rest) = link.strip_prefix('<')?.split_once('>')?;
    rest.contains("rel=\"next\"").then(|| path.to_owned())
}

/// The answer, or the failure that it is.
async fn succeeded(answer: Response<Incoming>) -> Result<Response<Incoming>> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status().as_u16();
    let body = collect(answer).await?;
    let failure = serde_json::from_slice(&body).unwrap_or_else(|_| {
        Failure::new(status, "unknown", Text::same(String::from_utf8_lossy(&body)))
    });
    Err(failure.into())
}

/// A file as a body. A command does nothing else meanwhile, so it may wait for the disk.
struct Pieces(std::fs::File);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, std::io::Error>>> {
        let mut piece = vec![0; PIECE_BYTES];
        Poll::Ready(match self.get_mut().0.read(&mut piece) {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

impl Lines {
    /// The next line, as JSON.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        while let Some(line) = self.line().await? {
            if !line.trim_ascii().is_empty() {
                return json(&line).map(Some);
            }
        }
        Ok(None)
    }

    /// The data of the next event, where the lines are a stream of events.
    pub(super) async fn event<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        while let Some(line) = self.line().await? {
            if let Some(data) = line.strip_prefix(b"data: ") {
                return json(data).map(Some);
            }
        }
        Ok(None)
    }

    /// May be dropped while it waits: what has come so far stays.
    async fn line(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.rest.iter().position(|it| *it == b'\n') {
                return Ok(Some(self.rest.drain(..=end).collect()));
            }
            if self.rest.len() > ANSWER_BYTES_MAX {
                return Err(Failed::new(
                    Exit::Failed,
                    text!("the server sent a line without end", "服务器发来的一行没有结尾"),
                ));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.rest.extend(frame.into_data().unwrap_or_default()),
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}

fn json<T: DeserializeOwned>(line: &[u8]) -> Result<T> {
    serde_json::from_slice(line).map_err(|it| anyhow::Error::from(it).into())
}

async fn decode<T: DeserializeOwned>(answer: Response<Incoming>) -> Result<T> {
    let body = collect(answer).await?;
    // An empty answer is `null`, so that `()` can be asked for.
    let body: &[u8] = if body.is_empty() { b"null" } else { &body };
    serde_json::from_slice(body).map_err(|it| anyhow::Error::from(it).into())
}

async fn collect(answer: Response<Incoming>) -> Result<Bytes> {
    let body = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
    let body = body.collect().await.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(body.to_bytes())
}
